"""`coco-captions`, `flickr30k` and `nocaps`: photographs with several captions each.

    coco-captions   annotations/captions_train2017.json and train2017/, or captions.json and images/
                    {"images": [{"id", "file_name", "height", "width"}], "annotations": [{"image_id", "caption"}]}
    flickr30k       dataset_flickr30k.json, of which the split `train` is read:
                    {"images": [{"filename", "split", "sentences": [{"raw"}]}]}
                    or, where that is missing, results_20130124.token with a line `123.jpg#0<tab>caption` for each;
                    photographs in flickr30k-images/
    nocaps          nocaps_val_4500_captions.json, laid out as that of COCO, and images/

Links: https://cocodataset.org/#format-data, https://shannon.cs.illinois.edu/DenotationGraph/,
https://cs.stanford.edu/people/karpathy/deepimagesent/, https://nocaps.org/download
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.json_file import read_json
from engine.text.prompts import Families, Task
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import first_of, read_coco
from trainer.data.formats.photographs import Photographs
from trainer.data.formats.reading import field, read_lines
from trainer.data.formats.talk import Talks, annotated
from trainer.data.record import Record

_COCO = {
    f"{folder}captions_{split}.json": split
    for split in ("train2017", "train2014", "val2017", "val2014")
    for folder in ("annotations/", "")
} | {"captions.json": "images"}
_FLICKR_SPLITS, _FLICKR_ALL = "dataset_flickr30k.json", "results_20130124.token"
_NOCAPS = "nocaps_val_4500_captions.json"


def _read_coco(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    file = first_of(root, *_COCO)
    return _captions(root, file, first_of(root, _COCO[file], "images"), families, skipped)


def _read_nocaps(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    return _captions(root, first_of(root, _NOCAPS), first_of(root, "images", "val"), families, skipped)


def _captions(root: Path, file: str, folder: str, families: Families, skipped: Skipped) -> Iterator[Record]:
    data = read_coco(root / file, skipped)
    talks = Talks(families, skipped)
    for photograph, _, found, source in annotated(root, data, data.images, folder, "no caption", skipped, drawn=False):
        for annotation in found:
            yield from talks.caption(photograph, annotation.raw.get("caption"), f"{source}: {annotation.id}")


def _read_flickr(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    file = first_of(root, _FLICKR_SPLITS, _FLICKR_ALL)
    folder = first_of(root, "flickr30k-images", "flickr30k_images", "images")
    talks, photographs = Talks(families, skipped), Photographs(root, skipped)
    entries = _splits(root / file, skipped) if file == _FLICKR_SPLITS else _lines(root / file, skipped)
    for name, captions in entries:
        source = f"{file}: {name}"
        photograph = photographs.find(folder, name, source, size=(None, None), drawn=False)
        if photograph:
            for caption in captions:
                yield from talks.caption(photograph, caption, source)


def _splits(path: Path, skipped: Skipped) -> Iterator[tuple[str, list[Any]]]:
    content = read_json(path)
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list):
        raise UsageError(f"{path}: no list 'images'")
    for number, entry in enumerate(images):
        try:
            name, split = field(entry, "filename", str), entry["split"]
            captions = [sentence["raw"] for sentence in entry["sentences"]]
        except (KeyError, TypeError, ValueError):
            skipped.add(f"{path.name}: entry {number} of images", "not filename, split and sentences")
            continue
        if split == "train":
            yield name, captions
        else:
            skipped.add(f"{path.name}: {name}", "held out by its split")


def _lines(path: Path, skipped: Skipped) -> Iterator[tuple[str, list[Any]]]:
    def pairs() -> Iterator[tuple[str, str]]:
        for number, line in enumerate(read_lines(path), start=1):
            key, tab, caption = line.partition("\t")
            name, sign, _ = key.rpartition("#")
            if tab and sign:
                yield name, caption
            elif line.strip():
                skipped.add(f"{path.name}: line {number}", "not a name, a number and a caption")

    for name, group in groupby(pairs(), key=lambda pair: pair[0]):
        yield name, [caption for _, caption in group]


FORMATS: tuple[Format, ...] = (
    Format(
        name="coco-captions",
        link="https://cocodataset.org/#format-data",
        layout="annotations/captions_train2017.json and train2017/ (or train2014, val2017, val2014: the first that is "
        "there), or captions.json and images/",
        tasks=(Task.CAPTION,),
        read=_read_coco,
    ),
    Format(
        name="flickr30k",
        link="https://cs.stanford.edu/people/karpathy/deepimagesent/",
        layout="dataset_flickr30k.json (its split train) or results_20130124.token (all), and flickr30k-images/",
        tasks=(Task.CAPTION,),
        read=_read_flickr,
    ),
    Format(
        name="nocaps",
        link="https://nocaps.org/download",
        layout="nocaps_val_4500_captions.json and images/",
        tasks=(Task.CAPTION,),
        read=_read_nocaps,
    ),
)
