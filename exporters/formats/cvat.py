"""CVAT's "CVAT for images 1.1", and the labels for a new task.

Source: docs.cvat.ai, "CVAT for images" and "Raw" of the label constructor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from engine.masks.rle import decode
from exporters.formats.export import Export, labelled
from exporters.formats.runs import rows_of_runs
from exporters.formats.xml_text import allowed
from exporters.labels.dataset import Photo
from exporters.labels.polygons import outlines
from exporters.labels.select import Label

_ATTRIBUTES = ("phrase", "granularity", "score", "annotation_id", "parent")


def write(export: Export) -> None:
    """Write `annotations.xml`, to upload into a task with the same photographs, and `labels.json`, to make that task.

    A mask is a mask with all its holes; as polygons its parts are shapes of one group.
    """
    attributes = [
        {"name": name, "mutable": False, "input_type": "text", "default_value": "", "values": [""]}
        for name in _ATTRIBUTES
    ]
    names = [allowed(name) for name in export.categories.values()]
    export.write_json("labels.json", [{"name": name, "attributes": attributes} for name in names])
    with export.file("annotations.xml") as file:
        xml = XMLGenerator(file, "utf-8", short_empty_elements=True)
        xml.startDocument()
        with_ends = _Elements(xml)
        with_ends.open("annotations")
        with_ends.leaf("version", "1.1")
        _write_meta(with_ends, names)
        for at, photo in enumerate(export.photos()):
            size = {"width": str(photo.image["width"]), "height": str(photo.image["height"])}
            with_ends.open("image", {"id": str(at), "name": allowed(export.shown_name(photo)), **size})
            for shape in _shapes(photo, export):
                shape.write(with_ends)
            with_ends.close("image")
        with_ends.close("annotations")
        xml.endDocument()


class _Elements:
    """Writes elements, each on lines of its own."""

    def __init__(self, xml: XMLGenerator) -> None:
        self._xml = xml

    def open(self, name: str, attributes: dict[str, str] | None = None) -> None:
        self._xml.startElement(name, AttributesImpl(attributes or {}))
        self._xml.ignorableWhitespace("\n")

    def close(self, name: str) -> None:
        self._xml.endElement(name)
        self._xml.ignorableWhitespace("\n")

    def leaf(self, name: str, text: str, attributes: dict[str, str] | None = None) -> None:
        self._xml.startElement(name, AttributesImpl(attributes or {}))
        self._xml.characters(text)
        self.close(name)


def _write_meta(xml: _Elements, names: list[str]) -> None:
    for element in ("meta", "task", "labels"):
        xml.open(element)
    for name in names:
        xml.open("label")
        xml.leaf("name", name)
        xml.open("attributes")
        for attribute in _ATTRIBUTES:
            xml.open("attribute")
            for key, text in (("name", attribute), ("mutable", "False"), ("input_type", "text")):
                xml.leaf(key, text)
            xml.leaf("default_value", "")
            xml.leaf("values", "")
            xml.close("attribute")
        xml.close("attributes")
        xml.close("label")
    for element in ("labels", "task", "meta"):
        xml.close(element)


class _Shape:
    """A mask or a polygon with its attributes."""

    def __init__(self, kind: str, shape: dict[str, str], attributes: dict[str, str]) -> None:
        self._kind, self._shape, self._attributes = kind, shape, attributes

    def write(self, xml: _Elements) -> None:
        xml.open(self._kind, self._shape)
        for name, text in self._attributes.items():
            xml.leaf("attribute", text, {"name": name})
        xml.close(self._kind)


def _shapes(photo: Photo, export: Export) -> Iterator[_Shape]:
    # What is drawn last lies on top: small ones, so that all can be clicked at.
    pairs = sorted(labelled(photo), key=lambda pair: -pair[0].area)
    for depth, (label, entry) in enumerate(pairs):
        attributes = _attributes(entry)
        about = {"label": allowed(export.categories[entry["category_id"]]), "source": "auto", "occluded": "0"}
        if export.masks == "rle":
            yield _Shape("mask", {**about, **_mask(label), "z_order": str(depth)}, attributes)
            continue
        parts = outlines(label.rle, export.dataset.choice.simplify)
        # Of its photograph; CVAT keeps it in 32 bits, which ids of annotations may pass.
        group = {"group_id": str(depth + 1)} if len(parts) > 1 else {}
        for part in parts:
            points = ";".join(f"{x:.2f},{y:.2f}" for x, y in part.joined.tolist())
            yield _Shape("polygon", {**about, "points": points, "z_order": str(depth), **group}, attributes)


def _attributes(entry: dict[str, Any]) -> dict[str, str]:
    parent = "" if entry["parent"] is None else str(entry["parent"])
    said = {"phrase": allowed(entry["phrase"]), "granularity": entry["granularity"], "score": f"{entry['score']:.4f}"}
    return {**said, "annotation_id": str(entry["id"]), "parent": parent}


def _mask(label: Label) -> dict[str, str]:
    """Runs of its box, row after row, from one of what is outside on."""
    left, top, width, height = map(int, label.bbox)
    pixels = decode(label.rle)[top : top + height, left : left + width].astype(bool)
    runs = rows_of_runs(pixels)
    box = {"left": left, "top": top, "width": width, "height": height}
    return {"rle": ", ".join(map(str, runs.tolist())), **{name: str(number) for name, number in box.items()}}
