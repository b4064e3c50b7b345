"""A training record: one conversation about one photograph in USCDF, its masks as run lengths.

Every data set is converted to this, and training knows nothing else. On disk a record is one JSON object:

    {"image": "val/1.jpg", "height": 480, "width": 640, "task": "referring",
     "turns": [{"question": "Segment the left cup.", "answer": "<p> the left cup </p> [SEG]"}],
     "masks": [{"size": [480, 640], "counts": "..."}], "source": "refs(unc).p: ref 17"}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.decoding.sequence import Turn
from engine.masks.rle import from_coco
from engine.records import RLE
from engine.text.grammar import SEG
from engine.text.names import from_text, to_text
from engine.text.prompts import Task


@dataclass(frozen=True, slots=True)
class Record:
    """One conversation.

    Attributes:
        image: path of the photograph below the root of its data set, with `/`, as it is opened.
        height, width: of the photograph in pixels.
        task: the family of its questions; decides how often it is drawn.
        turns: questions and answers, at least one.
        masks: one per `[SEG]` of all answers, in order; None where it is not known, which trains the words alone.
        source: where it comes from, for messages: the file and the entry in it.

    Raises:
        ValueError: if masks and `[SEG]` don't agree, or a mask has another size than the photograph.
    """

    image: str
    height: int
    width: int
    task: Task
    turns: tuple[Turn, ...]
    masks: tuple[RLE | None, ...]
    source: str

    def __post_init__(self) -> None:
        if not self.turns:
            raise ValueError("no question")
        needed = sum(turn.answer.count(SEG) for turn in self.turns)
        if needed != len(self.masks):
            raise ValueError(f"{needed} {SEG} but {len(self.masks)} masks")
        for mask in self.masks:
            if mask is not None and (mask.height, mask.width) != (self.height, self.width):
                raise ValueError(
                    f"a mask of {mask.height} x {mask.width} for a photograph of {self.height} x {self.width}"
                )


def to_json(record: Record) -> dict[str, Any]:
    """The form on disk."""
    return {
        "image": to_text(record.image),
        "height": record.height,
        "width": record.width,
        "task": str(record.task),
        "turns": [{"question": turn.question, "answer": turn.answer} for turn in record.turns],
        "masks": [mask and mask.to_coco() for mask in record.masks],
        "source": written(record.source),
    }


def from_json(value: Mapping[str, Any]) -> Record:
    """The inverse of `to_json`.

    Raises:
        ValueError: if this is not a record; says what is wrong.
    """
    try:
        return Record(
            image=from_text(_text(value["image"])),
            height=int(value["height"]),
            width=int(value["width"]),
            task=Task(value["task"]),
            turns=tuple(Turn(_text(turn["question"]), _text(turn["answer"])) for turn in value["turns"]),
            masks=tuple(None if mask is None else from_coco(mask) for mask in value["masks"]),
            source=_text(value["source"]),
        )
    except KeyError as error:
        raise ValueError(f"no {error.args[0]!r}") from error
    except TypeError as error:
        raise ValueError(f"not a record: {error}") from error


def written(text: str) -> str:
    """A message that can be written: halves of characters, from names that are no text, stand as `\\udce9`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} should be text")
    return value
