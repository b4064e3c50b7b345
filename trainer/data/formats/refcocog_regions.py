"""`refcocog-regions`: the expressions of RefCOCOg as descriptions of the boxes that they mean.

    finetune_refcocog_train.json    as MDETR prepared it, laid out like a COCO file, one entry of `images` for each
                                    expression: {"images": [{"id": 0, "original_id": 380440, "caption": "the man in
                                    yellow coat", "file_name": "COCO_train2014_000000380440.jpg", "height", "width"}],
                                    "annotations": [{"image_id": 0, "bbox": [x, y, w, h]}]}
    train2014/ or images/           photographs of COCO

It may also lie in mdetr_annotations/. A caption may stand at the annotation instead, as in the region captions of
Visual Genome in the same layout.

Link: https://github.com/ashkamath/mdetr/blob/main/.github/refexp.md
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.text.prompts import Families, Task
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import first_of, read_coco
from trainer.data.formats.talk import Talks, annotated
from trainer.data.record import Record

_FILE = "finetune_refcocog_train.json"


def _read(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    file = first_of(root, _FILE, f"mdetr_annotations/{_FILE}")
    folder = first_of(root, "train2014", "images", "coco_2014")
    data = read_coco(root / file, skipped)
    talks = Talks(families, skipped)
    # So that the expressions about a photograph follow each other.
    images = sorted(data.images, key=lambda image: image.file_name)
    for photograph, image, found, source in annotated(root, data, images, folder, "no box", skipped, drawn=True):
        for annotation in found:
            text = annotation.raw.get("caption", image.raw.get("caption"))
            yield from talks.region(photograph, annotation.raw.get("bbox"), text, f"{source}: {annotation.id}")


FORMATS: tuple[Format, ...] = (
    Format(
        name="refcocog-regions",
        link="https://github.com/ashkamath/mdetr/blob/main/.github/refexp.md",
        layout="finetune_refcocog_train.json and train2014/ (of COCO)",
        tasks=(Task.REGION,),
        read=_read,
    ),
)
