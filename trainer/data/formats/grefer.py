"""`grefcoco`: gRefCOCO, expressions for one object, several or none.

    grefcoco/instances.json     COCO objects
    grefcoco/grefs(unc).json    a list of references as those of REFER, save that `ann_id` is a list; where nothing is
                                meant it is [-1] and `no_target` is true
    images/train2014/NAME.jpg

The question is worded alike for one, several and none, so that its words don't give the answer away. Only references of
the split `train` become records.

Link: https://github.com/henghuiding/gRefCOCO
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from engine.json_file import read_json, whole
from engine.records import RLE
from engine.text.prompts import Families, Task
from trainer.data.compose.segmentation import refusal
from trainer.data.formats.asking import Questions, Target, left_to_right
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import CocoAnnotation, CocoImage, first_of, mask_of, read_coco
from trainer.data.formats.ids import ById
from trainer.data.formats.photographs import Photograph, Photographs
from trainer.data.formats.polygons import Note
from trainer.data.formats.reading import flag
from trainer.data.formats.refer import TRAIN2014, by_image, sentences
from trainer.data.record import Record

_REFS = "grefcoco/grefs(unc).json"
_NOTHING = -1
_ARTICLE = re.compile(r"(?:the|an?|any)\s+", re.IGNORECASE)


def _read(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    instances = read_coco(root / "grefcoco/instances.json", skipped)
    annotations = instances.annotations_by_id()
    refs = read_json(root / _REFS)
    images = first_of(root, *reversed(TRAIN2014))
    questions, photographs = Questions(families, skipped), Photographs(root, skipped)
    for image, ref in by_image(refs, _REFS, instances.images_by_id(), skipped):
        source = f"{_REFS}: ref {ref['ref_id']}"
        photograph = photographs.find(images, image.file_name, source, size=image.size)
        if photograph is None:
            continue
        try:
            masks = _masks(ref, image, photograph, annotations, partial(skipped.remark, source))
        except ValueError as error:
            skipped.add(source, str(error))
            continue
        task = Task.REFERRING if len(masks) == 1 else Task.MULTIPLE
        for phrase in sentences(ref):
            answer = Target(phrase, masks) if masks else refusal(_ARTICLE.sub("", phrase, count=1))
            yield from questions.ask(photograph, task, [answer], source=source, label=phrase, words=Task.REFERRING)


def _masks(
    ref: Mapping[str, Any], image: CocoImage, photograph: Photograph, annotations: ById[CocoAnnotation], note: Note
) -> tuple[RLE, ...]:
    """All that an expression means, left to right; none for an empty target.

    Raises:
        ValueError: if an object can't be used; then the answer would not be whole.
    """
    ids: Sequence[Any] = ref["ann_id"] if isinstance(ref["ann_id"], list) else [ref["ann_id"]]
    if flag(ref, "no_target") or [whole(one) for one in ids] == [_NOTHING]:
        return ()
    if not ids:
        raise ValueError("no object, and not said to have none")
    found = [annotations.get(one) for one in ids]
    usable = [entry for entry in found if entry is not None and entry.image == image.id]
    if len(usable) < len(found):
        raise ValueError("one of its objects is not in instances.json, or not under an id of its own")
    if any(annotation.crowd for annotation in usable):
        raise ValueError("one of its objects is a crowd")
    return left_to_right(mask_of(annotation, photograph, note) for annotation in usable)


FORMATS: tuple[Format, ...] = (
    Format(
        name="grefcoco",
        link="https://github.com/henghuiding/gRefCOCO",
        layout="grefcoco/instances.json and grefcoco/grefs(unc).json, photographs in images/train2014",
        tasks=(Task.REFERRING, Task.MULTIPLE),
        read=_read,
    ),
)
