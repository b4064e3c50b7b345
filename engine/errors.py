"""Errors that a user can act on. Everything else is a bug, and said to be one."""


class MglmmError(Exception):
    """A failure whose message is one line: what is wrong, where, and what to do."""


class UsageError(MglmmError):
    """The command line, a recipe or a path is wrong; the program exits with 2."""


class PhotographError(MglmmError):
    """One photograph can't be used; the others go on and the program exits with 3.

    Args:
        stage: where it failed (`open`, `decode`, `model`, `masks`, `write`).
        reason: one line, without the file's name.
    """

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(f"{stage}: {reason}")
        self.stage = stage
        self.reason = reason
