"""The records that all rooms share: what a photograph's answer is once it has left the model.

Legend: `H x W` is the upright (EXIF-applied) original frame in pixels, `N` the number of masks.
Every class is frozen; nothing here imports anything of the project.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Granularity = Literal["panoptic", "fine", "custom"]


@dataclass(frozen=True, slots=True)
class RLE:
    """One binary mask as COCO compressed run-length encoding (column-major, LEB128-like `counts`).

    Source: the mask format of the COCO API (`pycocotools.mask`).
    """

    height: int
    width: int
    counts: str

    def to_coco(self) -> dict[str, object]:
        """The form that `pycocotools` and COCO JSON use."""
        return {"size": [self.height, self.width], "counts": self.counts}


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of characters `[start, end)` of a clean caption."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class GroundedPhrase:
    """A phrase of an answer and the `[SEG]` tokens that belong to it.

    Attributes:
        text: the phrase without tags; empty if a `[SEG]` had no phrase.
        span: where `text` stands in the clean caption.
        segs: indices of its `[SEG]` tokens, counted from 0 over the whole answer; empty for a
            phrase without a target.
        name_score: probability that the model gave its words, all of their tokens together; None where it is not known,
            as in journals of older versions.
    """

    text: str
    span: Span
    segs: tuple[int, ...]
    name_score: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed answer in the unified SegCap data format (USCDF, paper section 3.2).

    Attributes:
        raw: the text as the model wrote it, tags included.
        caption: clean text; every span of `phrases` points into it.
        phrases: in order of appearance; together their `segs` are `0 .. seg_count - 1`.
        seg_count: number of `[SEG]` tokens, hence of masks.
    """

    raw: str
    caption: str
    phrases: tuple[GroundedPhrase, ...]
    seg_count: int


@dataclass(frozen=True, slots=True)
class Mask:
    """One mask in the original frame.

    Attributes:
        rle: the pixels.
        area: number of pixels.
        bbox: `x, y, width, height` in pixels; zeros for an empty mask.
        score: mean foreground probability over the mask's pixels, or the IoU that the model predicts for it where it
            does; 0 for an empty mask.
    """

    rle: RLE
    area: int
    bbox: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True, slots=True)
class Parent:
    """What a fine-grained answer is about: mask `seg` of segcap number `segcap` of the same photograph."""

    segcap: int
    seg: int


@dataclass(frozen=True, slots=True)
class SegCap:
    """One question about a photograph and its grounded answer.

    Attributes:
        granularity: `panoptic` for the whole scene, `fine` for one object, `custom` for the user's question.
        instruction: the question as it was put to the model.
        answer: the parsed answer.
        masks: one per `[SEG]`, in order (`answer.seg_count` of them).
        parent: for a fine-grained answer that a panoptic phrase led to.
        truncated: the answer ran into the length limit.
    """

    granularity: Granularity
    instruction: str
    answer: Answer
    masks: tuple[Mask, ...]
    parent: Parent | None = None
    truncated: bool = False

    def __post_init__(self) -> None:
        if len(self.masks) != self.answer.seg_count:
            raise ValueError(f"{self.answer.seg_count} [SEG] but {len(self.masks)} masks")


Remark = Literal["turned", "several pictures"]
"""What a user should know of a photograph's file: it is stored turned (EXIF), or holds more pictures than the first."""


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """Everything that was answered about one photograph.

    Attributes:
        file_name: path relative to the input root, with `/`, in the form of `engine.text.names`.
        width, height: of the upright original, in pixels.
        segcaps: in the order in which they were asked.
        remarks: on its file; they are no part of what was answered, and no journal has them.
    """

    file_name: str
    width: int
    height: int
    segcaps: tuple[SegCap, ...] = field(default=())
    remarks: frozenset[Remark] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """A photograph that could not be done: where it failed, and why, in one line; named as in `PhotoRecord`."""

    file_name: str
    stage: str
    reason: str
