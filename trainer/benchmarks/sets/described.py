"""Captions of photographs, and of regions: the parts that are not for training.

    coco              annotations/captions_val2017.json (or _val2014) and val2017/
    flickr30k         dataset_flickr30k.json (splits val, test) and flickr30k-images/
    nocaps            nocaps_val_4500_captions.json and images/; a domain per photograph, each scored on its own too
    refcocog          finetune_refcocog_val_with_mask.json, or without `_with_mask`, and train2014/
    visual-genome     test_caption.json and VG_100K/

The last two are laid out like a COCO file of captions, in which an image is one region: `annotations` have `caption`
and `bbox`, or the image has `caption`. Any file of that layout can be named itself instead of its folder.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.json_file import read_json
from engine.text.prompts import Box, Task
from trainer.benchmarks.benchmark import Question
from trainer.benchmarks.entries import each, identity, listed, number, photograph, text, whole
from trainer.benchmarks.texts import Captions, References
from trainer.data.formats.coco_file import first_of
from trainer.data.formats.photographs import Names
from trainer.data.formats.reading import field


@dataclass(frozen=True, slots=True)
class _Layout:
    """Files and folders of photographs below the root, of which the first that is there is taken."""

    files: tuple[str, ...]
    images: tuple[str, ...]
    task: Task = Task.CAPTION


LAYOUTS = {
    "coco": _Layout(
        ("annotations/captions_{split}2017.json", "annotations/captions_{split}2014.json", "captions.json"),
        ("{split}2017", "{split}2014", "images"),
    ),
    "nocaps": _Layout(("nocaps_val_4500_captions.json",), ("images", "val")),
    "refcocog": _Layout(
        tuple(
            f"{folder}finetune_refcocog_{{split}}{end}.json"
            for folder in ("", "mdetr_annotations/")
            for end in ("_with_mask", "")
        ),
        ("train2014", "images", "coco_2014/train2014"),
        Task.REGION,
    ),
    "visual-genome": _Layout(("{split}_caption.json",), ("VG_100K", "images"), Task.REGION),
}
FLICKR = "flickr30k"


def open_captions(data: Path, name: str, split: str, images: Path | None, limit: int | None) -> Captions:
    """A split of a set.

    Args:
        data: the folder of the set, or a file of the layout.
        name: a key of `LAYOUTS`, or `FLICKR`.
        split: which.
        images: folder of the photographs.
        limit: only the first so many.

    Raises:
        UsageError: if a file is missing or malformed, or a photograph has no caption.
    """
    if name == FLICKR:
        questions, references = _flickr(data, split, images)
    else:
        questions, references = _coco(data, LAYOUTS[name], split, images)
    kept = questions[:limit]
    if not kept:
        raise UsageError(f"{data}: the split {split} of {name} has no photograph")
    return Captions(kept, {one.id: references[one.id] for one in kept})


def _coco(data: Path, layout: _Layout, split: str, images: Path | None) -> tuple[list[Question], dict[str, References]]:
    root = data if data.is_dir() else data.parent
    path = root / first_of(root, *(one.format(split=split) for one in layout.files)) if data.is_dir() else data
    folders = [root / one.format(split=split) for one in layout.images]
    folder = images or next((one for one in folders if one.is_dir()), folders[0])
    content, names = read_json(path), Names(folder)
    captions: defaultdict[str, list[str]] = defaultdict(list)
    boxes: dict[str, Any] = {}
    questions: list[Question] = []
    references: dict[str, References] = {}

    def add_annotation(entry: Any) -> None:
        image_id = identity(entry, "image_id")
        if "caption" in entry:
            captions[image_id].append(text(entry, "caption"))
        boxes.setdefault(image_id, entry.get("bbox"))

    def add_image(image: Any) -> None:
        image_id = identity(image, "id")
        said = captions[image_id] or ([text(image, "caption")] if "caption" in image else [])
        if not said:
            raise ValueError(f"image {image_id} has no caption")
        if image_id in references:
            raise ValueError(f"image {image_id} for the second time")
        box = _box(boxes.get(image_id), image) if layout.task is Task.REGION else None
        questions.append(Question(image_id, photograph(names, image, "file_name"), layout.task, box=box))
        domain = text(image, "domain") if "domain" in image else ""
        references[image_id] = References(tuple(said), domain)

    each(path, "annotations", listed(path, content, "annotations"), add_annotation)
    each(path, "images", listed(path, content, "images"), add_image)
    return questions, references


def _box(corners: Any, image: Any) -> Box | None:
    """A region in fractions of its photograph; None where the file has none, as for scoring predictions alone."""
    if corners is None:
        return None
    height, width = whole(image, "height"), whole(image, "width")
    if height < 1 or width < 1:
        raise ValueError(f"{height} x {width} is no size")
    if not isinstance(corners, list) or len(corners) != 4:
        raise ValueError("'bbox' that is not four numbers")
    left, top, wide, high = (number({"bbox": side}, "bbox") for side in corners)
    return Box(
        max(0.0, left / width), max(0.0, top / height), min(1.0, (left + wide) / width), min(1.0, (top + high) / height)
    )


def _flickr(data: Path, split: str, images: Path | None) -> tuple[list[Question], dict[str, References]]:
    path = data / "dataset_flickr30k.json"
    folders = [data / name for name in ("flickr30k-images", "flickr30k_images", "images")]
    folder = images or next((one for one in folders if one.is_dir()), folders[0])
    names = Names(folder)
    questions: list[Question] = []
    references: dict[str, References] = {}

    def add(entry: Any) -> None:
        if text(entry, "split") != split:
            return
        name = text(entry, "filename")
        said = tuple(text(one, "raw") for one in field(entry, "sentences", list))
        if not said:
            raise ValueError(f"{name} has no caption")
        if name in references:
            raise ValueError(f"{name} for the second time")
        questions.append(Question(name, photograph(names, entry, "filename"), Task.CAPTION))
        references[name] = References(said)

    each(path, "images", listed(path, read_json(path), "images"), add)
    return questions, references
