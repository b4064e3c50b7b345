"""Exit codes of the program."""

from enum import IntEnum


class Exit(IntEnum):
    """What a shell script can tell from the exit code."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PHOTOGRAPHS_FAILED = 3
    INTERRUPTED = 130
    TERMINATED = 143
