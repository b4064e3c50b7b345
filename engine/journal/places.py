"""What an index gives: where a photograph's line is, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.journal.content import Fingerprint


@dataclass(frozen=True, slots=True)
class Place:
    """A photograph's line.

    Attributes:
        done: it was answered; otherwise it failed.
        known: what its file held.
        offset: where the line begins.
    """

    done: bool
    known: Fingerprint
    offset: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A photograph that was answered.

    Attributes:
        number: its own (see `engine.journal.numbers`).
        form: its public form.
        known: what its file held.
    """

    number: int
    form: dict[str, Any]
    known: Fingerprint
