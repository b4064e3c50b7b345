"""Records whose answers are text alone: captions, descriptions of regions, talks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from engine.decoding.sequence import Turn
from engine.text.grammar import PHRASE_CLOSE, PHRASE_OPEN, SEG
from engine.text.prompts import IMAGE, REGION, Box, Families, Task, instruction
from trainer.data.formats.base import Skipped
from trainer.data.formats.coco_file import CocoAnnotation, CocoFile, CocoImage
from trainer.data.formats.photographs import Photograph, Photographs
from trainer.data.formats.reading import NOT_WHOLE, is_whole
from trainer.data.record import Record

_TAGS = (PHRASE_OPEN, PHRASE_CLOSE, SEG, IMAGE, REGION)


def annotated(
    root: Path,
    data: CocoFile,
    images: Iterable[CocoImage],
    folder: str,
    lacking: str,
    skipped: Skipped,
    *,
    drawn: bool,
) -> Iterator[tuple[Photograph, CocoImage, Sequence[CocoAnnotation], str]]:
    """The photographs of a COCO-style file that can be used: with their entry, annotations and source.

    Args:
        root: of the data set.
        data: the file.
        images: those of its entries that are wanted, in order.
        folder: of the photographs, below `root`.
        lacking: the reason why one without annotations is left out.
        skipped: gets what can't be used.
        drawn: whether annotations have places in the photograph, and not only words.
    """
    photographs = Photographs(root, skipped)
    for image in images:
        source = f"{data.name}: image {image.id}"
        annotations = data.annotations.get(image.id, ())
        if not annotations:
            skipped.add(source, lacking)
            continue
        photograph = photographs.find(folder, image.file_name, source, size=image.size, drawn=drawn)
        if photograph:
            yield photograph, image, annotations, source


class Talks:
    """Makes the records of one data set. Questions that are not written there take the wordings of their task in turn.

    Args:
        families: the wordings.
        skipped: gets what can't be used.
    """

    def __init__(self, families: Families, skipped: Skipped) -> None:
        self._families = families
        self._skipped = skipped
        self._asked: Counter[Task] = Counter()

    def caption(self, photograph: Photograph, text: Any, source: str) -> Iterator[Record]:
        """What the whole photograph shows."""
        yield from self._answer(photograph, Task.CAPTION, text, None, source)

    def region(self, photograph: Photograph, corners: Any, text: Any, source: str) -> Iterator[Record]:
        """What a part of it shows.

        Args:
            corners: left, top, width and height in pixels, as COCO writes a box.
        """
        try:
            box = box_of(corners, photograph)
        except ValueError as error:
            self._skipped.add(source, str(error))
            return
        yield from self._answer(photograph, Task.REGION, text, box, source)

    def talk(self, photograph: Photograph, texts: Sequence[Any], source: str) -> Iterator[Record]:
        """Questions and answers in turn, as they are written."""
        if not texts or len(texts) % 2:
            self._skipped.add(source, "questions and answers are not in pairs")
        elif not all(isinstance(text, str) and text.strip() for text in texts):
            self._skipped.add(source, "no text")
        elif not all(map(is_whole, texts)):
            self._skipped.add(source, NOT_WHOLE)
        elif any(tag in text for text in texts for tag in _TAGS):
            self._skipped.add(source, "text that holds a tag of the prompts or answers")
        else:
            pairs = zip(texts[::2], texts[1::2], strict=True)
            turns = tuple(Turn(question.strip(), answer.strip()) for question, answer in pairs)
            yield Record(photograph.path, photograph.height, photograph.width, Task.CONVERSATION, turns, (), source)

    def _answer(self, photograph: Photograph, task: Task, text: Any, box: Box | None, source: str) -> Iterator[Record]:
        if not isinstance(text, str) or not text.strip():
            self._skipped.add(source, "no text")
        elif not is_whole(text):
            self._skipped.add(source, NOT_WHOLE)
        elif any(tag in text for tag in _TAGS):
            self._skipped.add(source, "text that holds a tag of the prompts or answers")
        else:
            question = instruction(task, box=box, wording=self._asked[task], families=self._families)
            self._asked[task] += 1
            # Wordings of models with a region encoder have a placeholder; records name regions in words.
            turn = Turn(question.replace(REGION, str(box)), " ".join(text.split()))
            yield Record(photograph.path, photograph.height, photograph.width, task, (turn,), (), source)


def box_of(corners: Any, photograph: Photograph) -> Box:
    """The part of a box (left, top, width, height in pixels) that lies inside the photograph.

    Raises:
        ValueError: if that is nothing, or these are not four numbers.
    """
    wrong = "a box that is not four numbers"
    if not isinstance(corners, list | tuple) or len(corners) != 4:
        raise ValueError(wrong)
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in corners):
        raise ValueError(wrong)
    try:
        left, top, width, height = (float(value) for value in corners)
        right, bottom = left + width, top + height
        if not all(map(math.isfinite, (left, top, right, bottom))):
            raise ValueError(wrong)
    except OverflowError:  # a number of hundreds of digits
        raise ValueError(wrong) from None
    try:
        sides = left / photograph.width, top / photograph.height, right / photograph.width, bottom / photograph.height
        return Box(*(min(max(0.0, side), 1.0) for side in sides))
    except ValueError:
        raise ValueError("a box without area inside the photograph") from None
