"""Questions about a scene and their grounded answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.decoding.sequence import Turn
from engine.text.grammar import SEG, Grounded, compose
from engine.text.prompts import Box, Task, instruction


@dataclass(frozen=True, slots=True, eq=False)
class Conversation:
    """A question and its answer in USCDF, and the turns before them.

    Attributes:
        masks: one `H x W` bool per `[SEG]` of all answers, in order; None where it is not known: words are learned
            there, and no mask.
        history: earlier questions and answers, which are learned as well.
    """

    task: Task
    instruction: str
    answer: str
    masks: tuple[np.ndarray | None, ...] = ()
    history: tuple[Turn, ...] = ()

    def __post_init__(self) -> None:
        needed = _segs(self.turns)
        if needed != len(self.masks):
            answers = " ".join(turn.answer for turn in self.turns)
            raise ValueError(f"{answers!r} needs {needed} masks, not {len(self.masks)}")

    @property
    def known_masks(self) -> tuple[np.ndarray, ...]:
        """The masks, where each of them is known.

        Raises:
            ValueError: if one is not.
        """
        known = tuple(mask for mask in self.masks if mask is not None)
        if len(known) != len(self.masks):
            raise ValueError(f"{self.answer!r} has masks that are not known")
        return known

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All questions and answers, in order."""
        return (*self.history, Turn(self.instruction, self.answer))


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A phrase to write, with its masks."""

    phrase: str
    masks: tuple[np.ndarray | None, ...]


def conversation(
    task: Task,
    parts: Iterable[str | Part],
    *,
    label: str = "",
    box: Box | None = None,
    wording: int = 0,
) -> Conversation:
    """Write the instruction and the answer from text and phrases in order."""
    parts = tuple(parts)
    pieces = [part if isinstance(part, str) else Grounded(part.phrase, len(part.masks)) for part in parts]
    masks = tuple(mask for part in parts if isinstance(part, Part) for mask in part.masks)
    return Conversation(task, instruction(task, label=label, box=box, wording=wording), compose(pieces), masks)


def without_spare_masks(task: Task, turns: Sequence[Turn], masks: Sequence[np.ndarray | None]) -> Conversation:
    """A conversation of a data set that may have more masks than its answers name: the last masks are left out."""
    *history, last = turns
    return Conversation(task, last.question, last.answer, tuple(masks[: _segs(turns)]), tuple(history))


def listed(parts: Iterable[Part], last: str = "and") -> list[str | Part]:
    """`a, b and c`."""
    items = list(parts)
    out: list[str | Part] = []
    for number, item in enumerate(items):
        if number:
            out.append(last if number == len(items) - 1 else ",")
        out.append(item)
    return out


def listed_text(items: Iterable[str]) -> str:
    """`a, b and c` of plain text."""
    words = list(items)
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else "".join(words)


def _segs(turns: Iterable[Turn]) -> int:
    return sum(turn.answer.count(SEG) for turn in turns)
