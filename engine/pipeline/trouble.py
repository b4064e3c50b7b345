"""What is raised while one photograph is worked on becomes that photograph's failure, and nobody else's."""

from __future__ import annotations

import logging

from engine.errors import PhotographError
from engine.memory import out_of_memory

_LONGEST = 200

_log = logging.getLogger(__name__)


class OutOfMemory(PhotographError):
    """There was too little memory for a photograph beside the others; alone it may fit."""


def photograph_error(stage: str, error: Exception) -> PhotographError:
    """Any error, as that of one photograph. It keeps nothing alive: what is raised holds on to all that led to it.

    Args:
        stage: where it was raised, if the error does not say.
        error: raised while the photograph was worked on.
    """
    _log.debug("a photograph failed", exc_info=error)
    known = isinstance(error, PhotographError)
    if isinstance(error, PhotographError):
        stage, reason = error.stage, error.reason
    else:
        reason = " ".join(str(error).split())
    if out_of_memory(error):
        detail = f" ({reason[:_LONGEST]})" if reason and not known else ""
        return OutOfMemory(stage, f"not enough memory, even for it alone{detail}")
    if not known and not (reason and isinstance(error, RuntimeError)):
        reason = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    return PhotographError(stage, reason)
