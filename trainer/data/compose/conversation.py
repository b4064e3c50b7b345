"""One question about a scene and its grounded answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from engine.grammar import SEG, Grounded, compose
from engine.prompts import Box, Task, instruction


@dataclass(frozen=True, slots=True, eq=False)
class Conversation:
    """A question and its answer in USCDF.

    Attributes:
        masks: one `H x W` bool per `[SEG]`, in order.
    """

    task: Task
    instruction: str
    answer: str
    masks: tuple[np.ndarray, ...] = ()

    def __post_init__(self) -> None:
        if self.answer.count(SEG) != len(self.masks):
            raise ValueError(f"{self.answer!r} needs {self.answer.count(SEG)} masks, not {len(self.masks)}")


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A phrase to write, with its masks."""

    phrase: str
    masks: tuple[np.ndarray, ...]


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
