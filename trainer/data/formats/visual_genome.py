"""`visual-genome`: short descriptions of many boxes of a photograph.

    region_descriptions.json    [{"id": 1, "regions": [{"region_id": 1382, "image_id": 1, "phrase": "the clock",
                                  "x": 421, "y": 57, "width": 82, "height": 139}]}]
    image_data.json             [{"image_id": 1, "url": ".../VG_100K_2/1.jpg", "width": 800, "height": 600}]
    VG_100K/, VG_100K_2/        the photographs, or all of them in images/

Link: https://homes.cs.washington.edu/~ranjay/visualgenome/api.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.text.prompts import Families, Task
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import first_of
from trainer.data.formats.ids import ById, Id, identity
from trainer.data.formats.photographs import Photographs
from trainer.data.formats.reading import field, integer, json_list, skipping
from trainer.data.formats.talk import Talks
from trainer.data.record import Record

_REGIONS, _IMAGES = "region_descriptions.json", "image_data.json"


@dataclass(frozen=True, slots=True)
class _Image:
    """Where a photograph lies below the root, and the size that it should have."""

    folder: str
    name: str
    height: int
    width: int


def _read(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    images = _images(root / _IMAGES, first_of(root, "VG_100K", "images"), skipped)
    talks, photographs = Talks(families, skipped), Photographs(root, skipped)
    for place, entry in enumerate(json_list(root / _REGIONS)):
        where = f"{_REGIONS}: entry {place}"
        regions = entry.get("regions") if isinstance(entry, dict) else None
        if not isinstance(regions, list) or not all(isinstance(region, dict) for region in regions):
            skipped.add(where, "no list 'regions'")
            continue
        if not regions:
            skipped.add(where, "no regions")
            continue
        image = images.get(entry.get("id", regions[0].get("image_id")))
        if image is None:
            skipped.add(where, f"its image is not in {_IMAGES}")
            continue
        photograph = photographs.find(image.folder, image.name, where, size=(image.height, image.width))
        if photograph:
            for region in regions:
                corners = [region.get(key) for key in ("x", "y", "width", "height")]
                source = f"{_REGIONS}: region {region.get('region_id')}"
                yield from talks.region(photograph, corners, region.get("phrase"), source)


def _images(path: Path, folder: str, skipped: Skipped) -> ById[_Image]:
    found: list[tuple[Id, _Image]] = []
    for place, entry in enumerate(json_list(path)):
        with skipping(skipped, f"{path.name}: entry {place}"):
            key, url = identity(field(entry, "image_id", object)), field(entry, "url", str)
            if key is None:
                raise ValueError("an image without an id")
            # The folders are named in the address.
            *_, above, name = ["", *url.partition("?")[0].split("/")]
            image = _Image(
                above if folder == "VG_100K" else folder, name, integer(entry, "height"), integer(entry, "width")
            )
            found.append((key, image))
    return ById(found)


FORMATS: tuple[Format, ...] = (
    Format(
        name="visual-genome",
        link="https://homes.cs.washington.edu/~ranjay/visualgenome/api.html",
        layout="region_descriptions.json, image_data.json, and VG_100K/ with VG_100K_2/ (or images/)",
        tasks=(Task.REGION,),
        read=_read,
    ),
)
