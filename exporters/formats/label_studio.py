"""Label Studio: tasks whose predictions people look through, and the labelling configuration for them.

Source: labelstud.io, "Import pre-annotated data" and the tags `PolygonLabels` and `BrushLabels`; brush masks are the
run lengths of github.com/thi-ng/umbrella, package rle-pack, of a picture with four channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from engine.masks.rle import decode
from exporters.formats.export import IMAGES, Export, labelled
from exporters.formats.lines import JsonList
from exporters.formats.runs import rows_of_runs
from exporters.formats.xml_text import allowed
from exporters.labels.dataset import Photo
from exporters.labels.polygons import outlines

_SERVED = "/data/local-files/?d="
"""Where Label Studio serves the files of its local storage."""
_WORD, _SIZES = 8, (3, 4, 8, 16)
"""Bits of a value, and of the lengths of runs."""


def write(export: Export) -> None:
    """Write `tasks.json` and `config.xml`."""
    export.write("config.xml", _config(export).encode())
    model = export.dataset.info["model"]
    with export.file("tasks.json") as file:
        tasks = JsonList(file)
        for photo in export.photos():
            tasks.add(_task(photo, export, model))
        tasks.end()
        file.write(b"\n")


def _config(export: Export) -> str:
    tag = "BrushLabels" if export.masks == "rle" else "PolygonLabels"
    labels = "".join(f"    <Label value={quoteattr(allowed(name))}/>\n" for name in export.categories.values())
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        f'  <{tag} name="label" toName="image">\n{labels}  </{tag}>\n'
        '  <TextArea name="caption" toName="image" editable="true"/>\n</View>\n'
    )


def _task(photo: Photo, export: Export, model: str) -> dict[str, Any]:
    name = export.shown_name(photo)
    served = f"{IMAGES}/{name}" if export.photographs.placed else name
    results = [*_regions(photo, export), *_captions(photo)]
    scores = [label.score for label in photo.labels]
    return {
        "data": {
            "image": _SERVED + quote(served),
            "file_name": photo.image["file_name"],
            "image_id": photo.image["id"],
        },
        "predictions": [
            {"model_version": model, "score": sum(scores) / len(scores) if scores else 0.0, "result": results}
        ],
    }


def _regions(photo: Photo, export: Export) -> Iterator[dict[str, Any]]:
    width, height = photo.image["width"], photo.image["height"]
    size = {"original_width": width, "original_height": height, "image_rotation": 0}
    for label, entry in labelled(photo):
        name = [allowed(export.categories[entry["category_id"]])]
        about = {"from_name": "label", "to_name": "image", **size, "score": entry["score"]}
        about["meta"] = {"text": [entry["phrase"]]}
        if export.masks == "rle":
            value: dict[str, Any] = {
                "format": "rle",
                "rle": packed(decode(label.rle).astype(bool)),
                "brushlabels": name,
            }
            yield {"id": str(entry["id"]), "type": "brushlabels", "value": value, **about}
            continue
        for number, part in enumerate(outlines(label.rle, export.dataset.choice.simplify)):
            points = (part.joined * [100 / width, 100 / height]).tolist()
            value = {"points": points, "closed": True, "polygonlabels": name}
            yield {"id": f"{entry['id']}-{number}", "type": "polygonlabels", "value": value, **about}


def _captions(photo: Photo) -> Iterator[dict[str, Any]]:
    for caption in photo.captions:
        about = {"from_name": "caption", "to_name": "image", "type": "textarea"}
        yield {"id": f"caption-{caption['id']}", **about, "value": {"text": [caption["caption"]]}}


def packed(pixels: np.ndarray) -> list[int]:
    """A brush mask.

    A run is a bit that says so, two for which of `_SIZES` its length has, its length less one, and its value.

    Args:
        pixels: `(H, W)` bool.

    Returns:
        the bytes.
    """
    bits = [f"{pixels.size * 4:032b}{_WORD - 1:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    longest = 1 << _SIZES[-1]
    value = 0
    for run in (rows_of_runs(pixels) * 4).tolist():
        while run:
            length = min(run, longest)
            which = next(at for at, size in enumerate(_SIZES) if length <= 1 << size)
            bits.append(f"1{which:02b}{length - 1:0{_SIZES[which]}b}{value:0{_WORD}b}")
            run -= length
        value ^= 255
    joined = np.frombuffer("".join(bits).encode("ascii"), np.uint8) - ord("0")
    return np.packbits(joined).tolist()
