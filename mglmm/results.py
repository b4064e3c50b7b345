"""What comes back about a photograph: plain frozen values, with masks as arrays.

Legend: `H x W` is the upright photograph in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from engine import records
from engine.errors import PhotographError
from engine.masks.rle import decode
from engine.records import RLE, PhotoRecord, SegCap
from exporters.overlay import draw
from mglmm.photographs import Photograph, read


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase of a caption, and what it means in the photograph.

    Attributes:
        text: the phrase; empty for masks that the model gave no name.
        span: where it stands: `caption[start:end]` for `start, end = span`.
        scores: of each mask, the mean probability of its pixels, or the IoU that a model like Sa2VA predicts for it; 0
            for a mask without any.
        boxes: `x, y, width, height` around each mask, in pixels; zeros for a mask without any.
        rles: the masks as run lengths, COCO's compressed form (`to_coco()` is what `pycocotools` takes).
        name_score: probability that the model gave the words of the phrase; None for masks without a name.
    """

    text: str
    span: tuple[int, int]
    scores: tuple[float, ...]
    boxes: tuple[tuple[float, float, float, float], ...]
    rles: tuple[RLE, ...] = field(repr=False)
    name_score: float | None = None

    @property
    def masks(self) -> tuple[np.ndarray, ...]:
        """The masks, each bool `(H, W)`, made anew at each call; a phrase for something that is not there has none."""
        return tuple(decode(rle) for rle in self.rles)


@dataclass(frozen=True, slots=True)
class Parent:
    """What a fine-grained answer is about: `result.answers[answer].phrases[phrase].masks[mask]`."""

    answer: int
    phrase: int
    mask: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A question about a photograph, and its answer.

    Attributes:
        granularity: `panoptic` for the whole scene, `fine` for one object, `custom` for a question of your own.
        question: as it was put to the model.
        caption: the answer as clean text.
        phrases: what of the caption has masks, or was found not to be there, in order.
        parent: for a fine-grained answer, the mask that led to the question, if there is one.
        truncated: the answer ran into the length limit.
        raw: the answer as the model wrote it, tags included.
    """

    granularity: records.Granularity
    question: str
    caption: str
    phrases: tuple[Phrase, ...]
    parent: Parent | None
    truncated: bool
    raw: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What was answered about one photograph.

    Attributes:
        index: its place among the photographs, counted from 0.
        name: of its file, as the program's outputs have it; its `index` where it came as an image.
        height, width: of the upright photograph, in pixels.
        answers: in the order in which they were asked.
    """

    index: int
    name: str
    height: int
    width: int
    answers: tuple[Answer, ...]
    _record: PhotoRecord = field(repr=False)
    _photograph: Photograph = field(repr=False, compare=False)
    _max_pixels: int = field(repr=False, compare=False)

    def draw(self) -> Image.Image:
        """The photograph with its masks, and under it the captions whose phrases have their colours.

        It is read again, if it came as a file.

        Raises:
            PhotographError: if it can't be read any more, or is another one by now.
        """
        try:
            image = read(self._photograph, self._max_pixels)
        except PhotographError as error:
            raise PhotographError(error.stage, f"{self.name}: {error.reason}") from None
        if image.shape[:2] != (self.height, self.width):
            raise PhotographError(
                "open", f"{self.name}: was {self.width} x {self.height} pixels when it was asked about"
            )
        return draw(image, self._record)


@dataclass(frozen=True, slots=True)
class Failure:
    """A photograph that could not be done.

    Attributes:
        index, name: as of a `Result`.
        stage: where it failed: `open`, `decode`, `model`, `masks`.
        reason: why, in one line.
    """

    index: int
    name: str
    stage: str
    reason: str


def result_of(record: PhotoRecord, index: int, photograph: Photograph, max_pixels: int) -> Result:
    """The result that a record is.

    Args:
        record: what was answered.
        index: place of the photograph.
        photograph, max_pixels: to read it with once more.
    """
    answers = tuple(_answer(segcap, record) for segcap in record.segcaps)
    return Result(index, record.file_name, record.height, record.width, answers, record, photograph, max_pixels)


def _answer(segcap: SegCap, record: PhotoRecord) -> Answer:
    answer = segcap.answer
    phrases = tuple(_phrase(phrase, segcap) for phrase in answer.phrases)
    parent = _parent(segcap.parent, record) if segcap.parent else None
    return Answer(segcap.granularity, segcap.instruction, answer.caption, phrases, parent, segcap.truncated, answer.raw)


def _phrase(phrase: records.GroundedPhrase, segcap: SegCap) -> Phrase:
    masks = [segcap.masks[seg] for seg in phrase.segs]
    return Phrase(
        phrase.text,
        (phrase.span.start, phrase.span.end),
        tuple(mask.score for mask in masks),
        tuple(mask.bbox for mask in masks),
        tuple(mask.rle for mask in masks),
        phrase.name_score,
    )


def _parent(parent: records.Parent, record: PhotoRecord) -> Parent:
    phrases = record.segcaps[parent.segcap].answer.phrases
    number = next(number for number, phrase in enumerate(phrases) if parent.seg in phrase.segs)
    return Parent(parent.segcap, number, phrases[number].segs.index(parent.seg))
