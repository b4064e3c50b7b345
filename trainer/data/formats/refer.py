"""`refcoco`, `refcoco+`, `refcocog`, `refclef`: referring expressions in the layout of REFER.

    refcoco/instances.json                      COCO objects; polygons, in refclef lists of run lengths
    refcoco/refs(unc).p                         pickle: a list of references
    images/mscoco/images/train2014/NAME.jpg     photographs of all but refclef
    images/saiapr_tc-12/...                     those of refclef

    {"ref_id": 0, "ann_id": 1719310, "image_id": 581857, "category_id": 1, "split": "train", "sent_ids": [0],
     "file_name": "COCO_train2014_000000581857_16.jpg",
     "sentences": [{"sent_id": 0, "raw": "...", "sent": "the left cup", "tokens": [...]}]}

A reference's `file_name` is not that of its photograph; `image_id` tells it. The pickle is read without running it.
Where there are several (`unc`, `google`, `umd`, `berkeley`), they divide the same references differently, and the first
that `layout` names is read. Only references of the split `train` become records; all others are for evaluation.

Link: https://github.com/lichengunc/refer
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.text.prompts import Families, Task
from trainer.data.formats.asking import Questions, Target
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import CocoImage, first_of, mask_of, read_coco
from trainer.data.formats.ids import ById, Id, identity
from trainer.data.formats.photographs import Photographs
from trainer.data.formats.safe_pickle import read_pickle
from trainer.data.record import Record

LINK = "https://github.com/lichengunc/refer"
TRAIN2014 = ("images/mscoco/images/train2014", "images/train2014")
"""Where the photographs of COCO 2014 lie below the root."""

_SAIAPR = ("images/saiapr_tc-12",)


def by_image(refs: Any, name: str, images: ById[CocoImage], skipped: Skipped) -> Iterator[tuple[CocoImage, dict]]:
    """The references of the split `train`, those of a photograph together; all others are noted.

    Args:
        refs: the content of a file of references.
        name: of that file.
        images: of the instances beside it.

    Raises:
        UsageError: if it is not a list of references.
    """
    if not isinstance(refs, list):
        raise UsageError(f"{name}: a list of references was expected, not {type(refs).__name__}")
    found: dict[Id, tuple[CocoImage, list[dict]]] = {}
    for number, ref in enumerate(refs):
        missing = _missing(ref)
        if missing:
            skipped.add(f"{name}: reference {number}", missing)
            continue
        source = f"{name}: ref {ref['ref_id']}"
        image = images.get(ref["image_id"])
        if ref["split"] != "train":
            skipped.add(source, f"of the split {ref['split']}")
        elif image is None:
            skipped.add(source, "its image is not in instances.json")
        elif not sentences(ref):
            skipped.add(source, "no sentence")
        else:
            found.setdefault(image.id, (image, []))[1].append(ref)
    for image, group in found.values():
        for ref in group:
            yield image, ref


def sentences(ref: Mapping[str, Any]) -> list[str]:
    """What a reference says, in one or several ways."""
    return [sentence["sent"].strip() for sentence in ref["sentences"]]


def _missing(ref: Any) -> str:
    """What keeps an entry from being a reference; empty if nothing does."""
    if not isinstance(ref, dict):
        return "not a reference"
    for key in ("ref_id", "ann_id", "image_id", "split", "sentences"):
        if key not in ref:
            return f"no {key!r}"
    if identity(ref["image_id"]) is None:
        return "'image_id' that is neither a number nor text"
    ids = ref["ann_id"] if isinstance(ref["ann_id"], list) else [ref["ann_id"]]
    if any(identity(one) is None for one in ids):
        return "'ann_id' that is neither a number nor text"
    if not isinstance(ref["split"], str):
        return "'split' that is not text"
    said = ref["sentences"]
    if not isinstance(said, list) or not all(isinstance(s, dict) and isinstance(s.get("sent"), str) for s in said):
        return "'sentences' is not a list of sentences with a text 'sent'"
    return ""


def _read(
    root: Path,
    families: Families,
    skipped: Skipped,
    *,
    folder: str,
    files: tuple[str, ...],
    photographs: tuple[str, ...],
) -> Iterator[Record]:
    paths = [f"{folder}/{file}" for file in files]
    name = first_of(root, *paths)
    for other in paths:
        if other != name and (root / other).exists():
            skipped.add(other, "the same references divided otherwise")
    instances = read_coco(root / folder / "instances.json", skipped)
    annotations = instances.annotations_by_id()
    images = first_of(root, *photographs)
    questions, finder = Questions(families, skipped), Photographs(root, skipped)
    for image, ref in by_image(read_pickle(root / name), name, instances.images_by_id(), skipped):
        source = f"{name}: ref {ref['ref_id']}"
        annotation = annotations.get(ref["ann_id"])
        if annotation is None or annotation.image != image.id:
            skipped.add(source, "its object is not in instances.json, or not under an id of its own")
            continue
        photograph = finder.find(images, image.file_name, source, size=image.size)
        if photograph is None:
            continue
        try:
            mask = mask_of(annotation, photograph, partial(skipped.remark, source))
        except ValueError as error:
            skipped.add(source, str(error))
            continue
        for phrase in sentences(ref):
            target = Target(phrase, (mask,))
            yield from questions.ask(photograph, Task.REFERRING, [target], source=source, label=phrase)


def _format(name: str, files: tuple[str, ...], photographs: tuple[str, ...]) -> Format:
    return Format(
        name=name,
        link=LINK,
        layout=f"{name}/instances.json and {name}/{' or '.join(files)}, photographs in {photographs[0]}",
        tasks=(Task.REFERRING,),
        read=partial(_read, folder=name, files=files, photographs=photographs),
    )


FORMATS: tuple[Format, ...] = (
    _format("refcoco", ("refs(unc).p", "refs(google).p"), TRAIN2014),
    _format("refcoco+", ("refs(unc).p",), TRAIN2014),
    _format("refcocog", ("refs(umd).p", "refs(google).p"), TRAIN2014),
    _format("refclef", ("refs(unc).p", "refs(berkeley).p"), _SAIAPR),
)
