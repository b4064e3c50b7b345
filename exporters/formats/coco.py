"""COCO as its own tools read it: instances, captions and results in a file each.

Source: cocodataset.org, "Data format" and "Results format".
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, Any

from engine.journal import dump
from exporters.formats.export import Export
from exporters.formats.lines import JsonList


def write(export: Export) -> None:
    """Write `instances.json`, `captions.json` and `results.json` into `annotations/`, with the ids of segcap.json.

    The captions are those of panoptic answers and of one's own questions; one of a fine-grained answer speaks of a part
    of the photograph, and says so by its `granularity` and `parent`.
    """
    folder = export.folder / "annotations"
    folder.mkdir(exist_ok=True)
    with (
        export.file("annotations/instances.json") as instances,
        export.file("annotations/captions.json") as captions,
        export.file("annotations/results.json") as results,
        TemporaryFile(dir=folder) as images,
    ):
        head = {"info": export.dataset.info, "licenses": export.dataset.licenses}
        instances.write(b'{"info":%b,\n"licenses":%b' % (dump(head["info"]), dump(head["licenses"])))
        instances.write(b',\n"categories":%b,\n"annotations":' % dump(export.dataset.categories))
        captions.write(b'{"info":%b,\n"licenses":%b,\n"annotations":' % (dump(head["info"]), dump(head["licenses"])))
        masks, texts, found, seen = JsonList(instances), JsonList(captions), JsonList(results), JsonList(images)
        for photo in export.photos():
            seen.add({**photo.image, "file_name": export.shown_name(photo)})
            for annotation in photo.annotations:
                masks.add(annotation)
            for caption in photo.captions:
                texts.add(_caption(caption))
            for result in _results(photo.labels, photo.annotations):
                found.add(result)
        for entries in (masks, texts, found, seen):
            entries.end()
        for file in (instances, captions):
            _append(file, images)


def _append(file: Any, images: IO[bytes]) -> None:
    file.write(b',\n"images":')
    images.seek(0)
    shutil.copyfileobj(images, file)
    file.write(b"}\n")


def _caption(caption: dict[str, Any]) -> dict[str, Any]:
    return {name: caption[name] for name in ("id", "image_id", "caption", "granularity", "instruction", "parent")}


def _results(labels: Any, annotations: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    # Run lengths whatever the instances have: `loadRes` takes a polygon for a box's worth of area.
    for label, annotation in zip(labels, annotations, strict=True):
        kept = {name: annotation[name] for name in ("image_id", "category_id", "bbox", "score")}
        yield {**kept, "segmentation": label.rle.to_coco()}
