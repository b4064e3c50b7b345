"""A journal becomes COCO JSON: images, masks as annotations, and the captions that their phrases stand in.

The journal is read twice, once for the images and categories and once for the annotations and captions, so that
no photograph is kept in memory. All ids count from 1 in the order of the inputs; categories are numbered by name.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO

from engine.atomic import replacing
from engine.journal import Index, RunInfo, dump
from exporters.categories import category_name

Category = Callable[[str], str]
Entries = list[dict[str, Any]]

_INNER = frozenset({"forced", "seg_every"})
_PHRASES = 1 << 16  # whose category is remembered


def write_coco(journal: Index, out: Path, info: RunInfo) -> None:
    """Write the photographs of a journal as COCO JSON; `out` is replaced only when all is written.

    Beyond COCO's own keys, an annotation has `score` (of the mask), `name_score` (of the phrase, if it has words; not
    in journals of older versions), `phrase`, `span` in the caption, `caption_id`, `granularity`, `parent` (for a mask
    of a fine-grained answer, the annotation that it is about) and `empty` if the mask has no pixel. Failures are left
    out.

    Raises:
        MglmmError: if the journal has damaged lines.
        OSError: if `out` can't be written.
    """
    journal.require_whole()
    names: set[str] = set()
    category = lru_cache(_PHRASES)(category_name)
    with replacing(out) as file, TemporaryFile(dir=out.parent) as captions:
        description = "Captions with masks at several granularities"
        about = {**asdict(info), "options": _chosen(info.options)}
        file.write(b'{"info":%b,\n"licenses":[]' % dump({"description": description, **about}))
        _write_section(file, "images", _images(journal, names, category))
        category_ids = {name: number for number, name in enumerate(sorted(names), start=1)}
        _write_section(file, "categories", ([{"id": number, "name": name}] for name, number in category_ids.items()))
        _write_section(file, "annotations", _annotations(journal, category_ids, category, captions))
        # They stand behind the annotations, but come from the same reading.
        file.write(b',\n"captions":[')
        captions.seek(0)
        shutil.copyfileobj(captions, file)
        file.write(b"]}\n")


def _chosen(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that say something of the answers: not those to measure with, nor the seed where nothing is drawn."""
    dropped = _INNER if options.get("temperature") else _INNER | {"seed"}
    return {name: value for name, value in options.items() if name not in dropped}


def _write_section(file: BinaryIO, name: str, groups: Iterable[Entries]) -> None:
    """The entries of each group on a line of their own."""
    file.write(b',\n"%b":[' % name.encode())
    before = b"\n"
    for entries in groups:
        if entries:
            file.write(before + dump(entries)[1:-1])
            before = b",\n"
    file.write(b"]")


def _images(journal: Index, names: set[str], category: Category) -> Iterator[Entries]:
    """All photographs; the categories of their masks are added to `names`."""
    for number, photograph in enumerate(journal.photographs(), start=1):
        for segcap in photograph["segcaps"]:
            for phrase in segcap["phrases"]:
                if phrase["segs"]:
                    names.add(category(phrase["text"]))
        yield [
            {
                "id": number,
                "file_name": photograph["file_name"],
                "width": photograph["width"],
                "height": photograph["height"],
            }
        ]


def _annotations(
    journal: Index, category_ids: dict[str, int], category: Category, captions: IO[bytes]
) -> Iterator[Entries]:
    """The masks of each photograph; the captions that they belong to are written to `captions`."""
    number = caption = 0
    for image, photograph in enumerate(journal.photographs(), start=1):
        segcaps = photograph["segcaps"]
        # The annotation in front of the first one of each segcap.
        before = list(accumulate((len(segcap["masks"]) for segcap in segcaps), initial=number))
        asked: Entries = []
        found: Entries = []
        for segcap in segcaps:
            caption += 1
            about = segcap["parent"]
            parent = about and before[about["segcap"]] + about["seg"] + 1
            granularity = segcap["granularity"]
            asked.append(
                {
                    "id": caption,
                    "image_id": image,
                    "granularity": granularity,
                    "instruction": segcap["instruction"],
                    "caption": segcap["caption"],
                    "answer": segcap["answer"],
                    "parent": parent,
                }
            )
            if segcap["truncated"]:
                asked[-1]["truncated"] = True
            phrases = {seg: phrase for phrase in segcap["phrases"] for seg in phrase["segs"]}
            for seg, mask in enumerate(segcap["masks"]):
                number += 1
                phrase = phrases[seg]
                found.append(
                    {
                        "id": number,
                        "image_id": image,
                        "category_id": category_ids[category(phrase["text"])],
                        "segmentation": mask["segmentation"],
                        "area": mask["area"],
                        "bbox": mask["bbox"],
                        "iscrowd": 0,
                        "score": mask["score"],
                        **_name_score(phrase),
                        "phrase": phrase["text"],
                        "caption_id": caption,
                        "span": phrase["span"],
                        "granularity": granularity,
                        "parent": parent,
                    }
                )
                if not mask["area"]:
                    found[-1]["empty"] = True
        if asked:
            captions.write((b",\n" if caption > len(asked) else b"\n") + dump(asked)[1:-1])
        yield found


def _name_score(phrase: dict[str, Any]) -> dict[str, Any]:
    score = phrase.get("name_score")
    return {} if score is None else {"name_score": score}
