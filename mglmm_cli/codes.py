"""Exit codes of the program."""

from enum import IntEnum


class Exit(IntEnum):
    """What a shell script can tell from the exit code. From 128 on, the number of a signal is added to that."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PHOTOGRAPHS_FAILED = 3
    HUNG_UP = 129
    INTERRUPTED = 130
    READER_GONE = 141
    TERMINATED = 143
