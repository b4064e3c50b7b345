"""A journal becomes COCO JSON: images, masks as annotations, and the captions that their phrases stand in.

The journal is read twice, once for the images and categories and once for the annotations and captions, so that
memory does not grow with the number of photographs, only with the number of categories. All ids count from 1 in the
journal's order; categories are numbered by name.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO

from engine.journal import RunInfo, read_journal, read_values
from engine.records import PhotoRecord
from exporters.atomic import replacing
from exporters.categories import category_name

Category = Callable[[str], str]

_PHRASES = 1 << 16  # whose category is remembered
_encode = json.JSONEncoder(allow_nan=False, check_circular=False, separators=(",", ":")).encode


def write_coco(journal: Path, out: Path, info: RunInfo) -> None:
    """Write the photographs of a journal as COCO JSON; `out` is replaced only when all is written.

    Beyond COCO's own keys, an annotation has `score`, `phrase`, `span` in the caption, `caption_id`,
    `granularity`, `parent` (for a mask of a fine-grained answer, the annotation that it is about) and
    `empty` if the mask has no pixel. Failures are left out.

    Raises:
        MglmmError: if the journal is damaged.
        OSError: if `out` can't be written.
    """
    names: set[str] = set()
    category = lru_cache(_PHRASES)(category_name)
    with replacing(out) as file, TemporaryFile(dir=out.parent) as captions:
        description = "Captions with masks at several granularities"
        file.write(b'{"info":' + _dump({"description": description, **asdict(info)}) + b',\n"licenses":[]')
        _write_section(file, "images", _images(journal, names, category))
        category_ids = {name: number for number, name in enumerate(sorted(names), start=1)}
        _write_section(file, "categories", ({"id": number, "name": name} for name, number in category_ids.items()))
        _write_section(file, "annotations", _annotations(journal, category_ids, category, captions))
        # They stand behind the annotations, but come from the same reading.
        file.write(b",\n" + _dump("captions") + b":[")
        captions.seek(0)
        shutil.copyfileobj(captions, file)
        file.write(b"]}\n")


def _write_section(file: BinaryIO, name: str, entries: Iterable[dict[str, Any]]) -> None:
    file.write(b",\n" + _dump(name) + b":[")
    for index, entry in enumerate(entries):
        file.write((b",\n" if index else b"\n") + _dump(entry))
    file.write(b"]")


def _dump(value: object) -> bytes:
    return _encode(value).encode("ascii")


def _images(journal: Path, names: set[str], category: Category) -> Iterator[dict[str, Any]]:
    """All photographs; the categories of their masks are added to `names`."""
    records = (entry for entry in read_journal(journal) if isinstance(entry, PhotoRecord))
    for number, record in enumerate(records, start=1):
        for segcap in record.segcaps:
            names.update(category(phrase.text) for phrase in segcap.answer.phrases if phrase.segs)
        yield {"id": number, "file_name": record.file_name, "width": record.width, "height": record.height}


def _annotations(
    journal: Path, category_ids: dict[str, int], category: Category, captions: IO[bytes]
) -> Iterator[dict[str, Any]]:
    """All masks; the captions that they belong to are written to `captions`."""
    number = caption = 0
    photographs = (value for value in read_values(journal) if "segcaps" in value)
    for image, photograph in enumerate(photographs, start=1):
        # The annotation in front of the first one of each segcap.
        before = list(accumulate((len(segcap["masks"]) for segcap in photograph["segcaps"]), initial=number))
        for segcap in photograph["segcaps"]:
            caption += 1
            about = segcap["parent"]
            parent = about and before[about["segcap"]] + about["seg"] + 1
            entry = {
                "id": caption,
                "image_id": image,
                "granularity": segcap["granularity"],
                "instruction": segcap["instruction"],
                "caption": segcap["caption"],
                "answer": segcap["answer"],
                "parent": parent,
            } | ({"truncated": True} if segcap["truncated"] else {})
            captions.write((b",\n" if caption > 1 else b"\n") + _dump(entry))
            phrases = {seg: phrase for phrase in segcap["phrases"] for seg in phrase["segs"]}
            for seg, mask in enumerate(segcap["masks"]):
                number += 1
                phrase = phrases[seg]
                yield {
                    "id": number,
                    "image_id": image,
                    "category_id": category_ids[category(phrase["text"])],
                    "segmentation": mask["segmentation"],
                    "area": mask["area"],
                    "bbox": mask["bbox"],
                    "iscrowd": 0,
                    "score": mask["score"],
                    "phrase": phrase["text"],
                    "caption_id": caption,
                    "span": phrase["span"],
                    "granularity": segcap["granularity"],
                    "parent": parent,
                } | ({} if mask["area"] else {"empty": True})
