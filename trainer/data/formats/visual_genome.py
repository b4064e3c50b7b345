"""`visual-genome`: short descriptions of many boxes of a photograph.

    region_descriptions.json    [{"id": 1, "regions": [{"region_id": 1382, "image_id": 1, "phrase": "the clock",
                                  "x": 421, "y": 57, "width": 82, "height": 139}]}]
    image_data.json             [{"image_id": 1, "url": ".../VG_100K_2/1.jpg", "width": 800, "height": 600}]
    VG_100K/, VG_100K_2/        the photographs, or all of them in images/

Link: https://homes.cs.washington.edu/~ranjay/visualgenome/api.html
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.text.prompts import Families, Task
from trainer.data.formats.asking import Photograph
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import first_of, is_usable
from trainer.data.formats.reading import json_list
from trainer.data.formats.talk import Talks
from trainer.data.record import Record

_REGIONS, _IMAGES = "region_descriptions.json", "image_data.json"


def _read(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    photographs = _photographs(root / _IMAGES, first_of(root, "VG_100K", "images"))
    talks = Talks(families, skipped)
    for number, entry in enumerate(json_list(root / _REGIONS)):
        where = f"{_REGIONS}: entry {number}"
        regions = entry.get("regions") if isinstance(entry, dict) else None
        if not isinstance(regions, list) or not all(isinstance(region, dict) for region in regions):
            raise UsageError(f"{root / _REGIONS}: entry {number}: no list 'regions'")
        if not regions:
            skipped.add(where, "no regions")
            continue
        identity = entry.get("id", regions[0].get("image_id"))
        photograph = photographs.get(identity)
        if photograph is None:
            skipped.add(where, f"its image is not in {_IMAGES}")
        elif is_usable(root, photograph.path, photograph.height, photograph.width, where, skipped):
            for region in regions:
                corners = [region.get(key) for key in ("x", "y", "width", "height")]
                source = f"{_REGIONS}: region {region.get('region_id')}"
                yield from talks.region(photograph, corners, region.get("phrase"), source)


def _photographs(path: Path, folder: str) -> dict[Any, Photograph]:
    found = {}
    for number, entry in enumerate(json_list(path)):
        try:
            parts = str(entry["url"]).split("/")
            # The folders are named in the address.
            place = "/".join(parts[-2:]) if folder == "VG_100K" else f"{folder}/{parts[-1]}"
            found[entry["image_id"]] = Photograph(place, int(entry["height"]), int(entry["width"]))
        except (KeyError, TypeError, ValueError):
            raise UsageError(f"{path}: entry {number}: not image_id, url, width and height") from None
    return found


FORMATS: tuple[Format, ...] = (
    Format(
        name="visual-genome",
        link="https://homes.cs.washington.edu/~ranjay/visualgenome/api.html",
        layout="region_descriptions.json, image_data.json, and VG_100K/ with VG_100K_2/ (or images/)",
        tasks=(Task.REGION,),
        read=_read,
    ),
)
