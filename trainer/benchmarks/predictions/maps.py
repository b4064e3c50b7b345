"""Segments per photograph, in COCO's panoptic layout or in that of MGLMM's semantic script.

{"annotations": [{"image_id", "file_name": "1.png", "segments_info": [{"id", "category_id"}]}]}
    and the pictures in a folder that has the name of this file, without `.json`
[{"file_name": "val2017/1.jpg", "category": "dog", "category_id": 16, "segmentation": RLE}, ...]
    where `category_id` is the place of the class in the list of categories, in the order in which it is painted
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UsageError
from engine.json_file import read_json
from engine.masks.rle import decode, encode
from engine.records import RLE
from trainer.benchmarks.benchmark import Question
from trainer.benchmarks.entries import below, each, identity, listed, mask_in, text, whole, written_id
from trainer.benchmarks.maps import Category
from trainer.benchmarks.panoptic_files import read_ids, write_ids
from trainer.benchmarks.predictions import Found
from trainer.data.formats.reading import field
from trainer.metrics.mgsc import Prediction

PANOPTIC, SEMANTIC = "panoptic.json", "semantic.json"


def has_instances(path: Path) -> bool:
    """Whether a file of predictions tells objects apart.

    Raises:
        UsageError: if it can't be read.
    """
    return isinstance(read_json(_file(path)), dict)


def read(path: Path, questions: Sequence[Question], categories: Sequence[Category]) -> Found:
    """Read predictions of either layout.

    Raises:
        UsageError: if a file can't be read or an entry is malformed.
    """
    file = _file(path)
    content = read_json(file)
    if isinstance(content, dict):
        return Found(_panoptic(file, content, categories))
    if isinstance(content, list):
        return Found(_semantic(file, content, questions, categories))
    raise UsageError(f"{file}: neither a list of masks nor an object with annotations")


def write(
    folder: Path, answers: Mapping[str, Prediction], questions: Sequence[Question], categories: Sequence[Category]
) -> None:
    """Write both layouts. A mask whose phrase is no class can't be written in either."""
    index = {category.name: place for place, category in enumerate(categories)}
    annotations: list[dict[str, Any]] = []
    painted: list[dict[str, Any]] = []
    for question in questions:
        if question.id not in answers:
            continue
        pred = answers[question.id]
        kept = [(index[text], mask) for text, mask in zip(pred.phrases, pred.masks, strict=True) if text in index]
        picture = f"{question.image.stem}.png"
        segments = _write_picture(folder / Path(PANOPTIC).stem / picture, kept, categories) if kept else []
        if kept:
            annotations.append({"image_id": written_id(question.id), "file_name": picture, "segments_info": segments})
        painted += [
            {
                "file_name": question.image.name,
                "category": categories[place].name,
                "category_id": place,
                "segmentation": mask.to_coco(),
            }
            for place, mask in kept
        ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PANOPTIC).write_text(json.dumps({"annotations": annotations}), encoding="utf-8")
    (folder / SEMANTIC).write_text(json.dumps(painted), encoding="utf-8")


def _write_picture(path: Path, kept: Sequence[tuple[int, RLE]], categories: Sequence[Category]) -> list[dict[str, int]]:
    first = kept[0][1]
    ids = np.zeros((first.height, first.width), np.int64)
    for number, (_, mask) in enumerate(kept, start=1):
        ids[decode(mask)] = number
    write_ids(path, ids)
    seen = set(np.unique(ids).tolist())
    return [
        {"id": number, "category_id": categories[place].id}
        for number, (place, _) in enumerate(kept, start=1)
        if number in seen
    ]


def _file(path: Path) -> Path:
    return path / PANOPTIC if path.is_dir() else path


def _panoptic(file: Path, content: Any, categories: Sequence[Category]) -> dict[str, Prediction]:
    names = {category.id: category.name for category in categories}
    answers: dict[str, Prediction] = {}

    def add(annotation: Any) -> None:
        image_id = identity(annotation, "image_id")
        if image_id in answers:
            raise ValueError(f"image {image_id} for the second time")
        answers[image_id] = _of_picture(image_id, annotation, file.with_suffix(""), names)

    each(file, "annotations", listed(file, content, "annotations"), add)
    return answers


def _of_picture(image_id: str, annotation: Any, folder: Path, names: Mapping[int, str]) -> Prediction:
    picture = below(folder, annotation, "file_name")
    segments = [(whole(one, "id"), whole(one, "category_id")) for one in field(annotation, "segments_info", list)]
    listed = [identity for identity, _ in segments]
    if 0 in listed or len(set(listed)) < len(listed):
        raise ValueError(f"a segment of {picture.name} has the id 0 or that of another one")
    if unknown := [category for _, category in segments if category not in names]:
        raise ValueError(f"{picture.name}: unknown category {unknown[0]}")
    ids = read_ids(picture)
    present = set(np.unique(ids).tolist())
    if strange := sorted(present - {0, *listed}):
        raise ValueError(f"{picture.name} has the id {strange[0]}, which no segment has")
    if absent := sorted(set(listed) - present):
        raise ValueError(f"the segment {absent[0]} has no pixel in {picture.name}")
    masks = tuple(encode((ids == identity)[None])[0] for identity in listed)
    return Prediction(image_id, None, tuple(names[category] for _, category in segments), masks)


def _semantic(
    file: Path, content: list[Any], questions: Sequence[Question], categories: Sequence[Category]
) -> dict[str, Prediction]:
    by_name = {question.image.stem: question.id for question in questions}
    masks: defaultdict[str, list[tuple[str, RLE]]] = defaultdict(list)

    def add(entry: Any) -> None:
        stem = Path(text(entry, "file_name")).stem
        place = whole(entry, "category_id")
        # A class that the script does not know is stored as 255.
        if 0 <= place < len(categories):
            name = categories[place].name
        else:
            name = text(entry, "category") if "category" in entry else str(place)
        masks[by_name.get(stem, stem)].append((name, mask_in(entry, "segmentation")))

    each(file, "entry", content, add)
    return {
        name: Prediction(name, None, tuple(text for text, _ in pairs), tuple(mask for _, mask in pairs))
        for name, pairs in masks.items()
    }
