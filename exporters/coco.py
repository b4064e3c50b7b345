"""A journal becomes COCO JSON: images, masks as annotations, and the captions that their phrases stand in.

The journal is read once for each section of the file, so that memory does not grow with the number of
photographs, only with the number of categories. All ids count from 1 in the journal's order; categories are
numbered by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from engine.journal import RunInfo, read_journal
from engine.records import GroundedPhrase, Parent, PhotoRecord, SegCap
from exporters.atomic import replacing
from exporters.categories import category_name


def write_coco(journal: Path, out: Path, info: RunInfo) -> None:
    """Write the photographs of a journal as COCO JSON; `out` is replaced only when all is written.

    Beyond COCO's own keys, an annotation has `score`, `phrase`, `span` in the caption, `caption_id`,
    `granularity`, `parent` (for a mask of a fine-grained answer, the annotation that it is about) and
    `empty` if the mask has no pixel. Failures are left out.

    Raises:
        MglmmError: if the journal is damaged.
        OSError: if `out` can't be written.
    """
    category_ids = {name: number for number, name in enumerate(_category_names(journal), start=1)}
    with replacing(out) as file:
        description = "Captions with masks at several granularities"
        file.write(b'{"info":' + _dump({"description": description, **asdict(info)}) + b',\n"licenses":[]')
        _write_section(file, "images", _images(journal))
        _write_section(file, "categories", ({"id": number, "name": name} for name, number in category_ids.items()))
        _write_section(file, "annotations", _annotations(journal, category_ids))
        _write_section(file, "captions", _captions(journal))
        file.write(b"}\n")


def _write_section(file: BinaryIO, name: str, entries: Iterable[dict[str, Any]]) -> None:
    file.write(b",\n" + _dump(name) + b":[")
    for index, entry in enumerate(entries):
        file.write((b",\n" if index else b"\n") + _dump(entry))
    file.write(b"]")


def _dump(value: object) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")


def _records(journal: Path) -> Iterator[PhotoRecord]:
    return (entry for entry in read_journal(journal) if isinstance(entry, PhotoRecord))


def _category_names(journal: Path) -> list[str]:
    names: set[str] = set()
    for record in _records(journal):
        for segcap in record.segcaps:
            names.update(category_name(phrase.text) for phrase in _phrase_of_seg(segcap).values())
    return sorted(names)


def _images(journal: Path) -> Iterator[dict[str, Any]]:
    for number, record in enumerate(_records(journal), start=1):
        yield {"id": number, "file_name": record.file_name, "width": record.width, "height": record.height}


def _annotations(journal: Path, category_ids: dict[str, int]) -> Iterator[dict[str, Any]]:
    number = caption = 0
    for image, record in enumerate(_records(journal), start=1):
        first = number + 1
        for segcap in record.segcaps:
            caption += 1
            parent = _annotation_id(record, first, segcap.parent)
            phrases = _phrase_of_seg(segcap)
            for seg, mask in enumerate(segcap.masks):
                number += 1
                phrase = phrases[seg]
                yield {
                    "id": number,
                    "image_id": image,
                    "category_id": category_ids[category_name(phrase.text)],
                    "segmentation": mask.rle.to_coco(),
                    "area": mask.area,
                    "bbox": mask.bbox,
                    "iscrowd": 0,
                    "score": mask.score,
                    "phrase": phrase.text,
                    "caption_id": caption,
                    "span": [phrase.span.start, phrase.span.end],
                    "granularity": segcap.granularity,
                    "parent": parent,
                } | ({} if mask.area else {"empty": True})


def _captions(journal: Path) -> Iterator[dict[str, Any]]:
    number, first = 0, 1
    for image, record in enumerate(_records(journal), start=1):
        for segcap in record.segcaps:
            number += 1
            yield {
                "id": number,
                "image_id": image,
                "granularity": segcap.granularity,
                "instruction": segcap.instruction,
                "caption": segcap.answer.caption,
                "answer": segcap.answer.raw,
                "parent": _annotation_id(record, first, segcap.parent),
            } | ({"truncated": True} if segcap.truncated else {})
        first += sum(len(segcap.masks) for segcap in record.segcaps)


def _annotation_id(record: PhotoRecord, first: int, parent: Parent | None) -> int | None:
    """The annotation of the mask that `parent` names, in a photograph whose annotations begin at `first`."""
    if parent is None:
        return None
    return first + sum(len(segcap.masks) for segcap in record.segcaps[: parent.segcap]) + parent.seg


def _phrase_of_seg(segcap: SegCap) -> dict[int, GroundedPhrase]:
    return {seg: phrase for phrase in segcap.answer.phrases for seg in phrase.segs}
