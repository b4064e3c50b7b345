"""`grand`: GranD, SA-1B photographs annotated automatically: an expression for each object, and short captions.

    images/NAME.jpg
    annotations/**/NAME.json   at any depth; the archives unpack to parts

    {"sa_1.jpg": {
        "objects": [{"id", "labels": ["boat"], "attributes": ["a white boat"] or null, "segmentation": RLE}],
        "floating_objects": [{"id", "segmentation": RLE}],
        "short_captions": [{"caption", "details": [{"phrase", "tokens_positive": [start, end], "id"}]}]}}

An attribute is an expression that refers to its object. Where an object has several, those count that name one of its
labels, or else the first. Equal expressions of a photograph are one with several targets. An object without a
segmentation is a box only; a caption none of whose phrases has a mask is a caption only.

Source: https://github.com/mbzuai-oryx/groundingLMM/blob/main/docs/GranD.md
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.json_file import read_json
from engine.records import RLE
from engine.text.prompts import Families, Task
from trainer.data.formats.asking import Questions, Target, left_to_right
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.photographs import Photograph, Photographs
from trainer.data.formats.reading import coco_to_rle, field, integer, skipping, texts, visible
from trainer.data.formats.spans import Grounding, parts_of, place
from trainer.data.record import Record

_SPEAKER = re.compile(r"\A\s*(?:ass)?istant\b:?\s*|\b(?:ass)?istant:\s*", re.IGNORECASE)
"""What the model that wrote the attributes left of its prompt."""


def _read(source: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    questions, photographs = Questions(families, skipped), Photographs(source, skipped)
    for path in _files(source / "annotations"):
        content = read_json(path)
        with skipping(skipped, path.name):
            if not isinstance(content, dict) or len(content) != 1:
                raise ValueError("a file that is not an object of one image")
            ((name, entry),) = content.items()
            photograph = photographs.find("images", name, path.name, size=(None, None))
            if photograph is None:
                continue
            masks = dict(_masks(photograph, entry, path.name, skipped))
            yield from _refer(photograph, entry, masks, path.name, questions, skipped)
            yield from _describe(photograph, entry, masks, path.name, questions, skipped)


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    found = False
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".json"):
                found = True
                yield Path(parent, name)
    if not found:
        raise UsageError(f"{folder}: no *.json in it")


def _masks(photograph: Photograph, entry: Any, where: str, skipped: Skipped) -> Iterator[tuple[int, RLE]]:
    for kind in ("objects", "floating_objects"):
        for index, thing in enumerate(field(entry, kind, list)):
            at = f"{where}: {kind} {index}"
            with skipping(skipped, at):
                identity = integer(thing, "id")
                if thing.get("segmentation"):
                    note = partial(skipped.remark, at)
                    mask = coco_to_rle(thing["segmentation"], photograph.height, photograph.width, note)
                    yield identity, visible(mask)


def _refer(
    photograph: Photograph, entry: Any, masks: dict[int, RLE], where: str, questions: Questions, skipped: Skipped
) -> Iterator[Record]:
    targets: dict[str, list[RLE]] = {}
    for index, thing in enumerate(field(entry, "objects", list)):
        with skipping(skipped, f"{where}: objects {index}"):
            for expression in _expressions(thing):
                mask = _mask_of(thing, masks)
                targets.setdefault(expression, []).append(mask)
    for expression, found in targets.items():
        parts = [Target(expression, left_to_right(found))]
        source = f"{where}: {expression!r}"
        yield from questions.ask(photograph, Task.REFERRING, parts, source=source, label=expression)


def _expressions(thing: Any) -> list[str]:
    labels = [label.replace("_", " ").lower() for label in texts(thing, "labels")]
    given = thing.get("attributes") or []
    given = [given] if isinstance(given, str) else given
    if not isinstance(given, list):
        raise ValueError("'attributes' that is not a list")
    expressions = [_SPEAKER.sub("", one).strip().rstrip(".").lower() for one in given if isinstance(one, str)]
    expressions = [one for one in dict.fromkeys(expressions) if one]
    naming = [one for one in expressions if any(label in one for label in labels)]
    return naming or expressions[:1]


def _mask_of(thing: Any, masks: dict[int, RLE]) -> RLE:
    mask = masks.get(integer(thing, "id"))
    if mask is None:
        raise ValueError("a phrase without a mask")
    return mask


def _describe(
    photograph: Photograph, entry: Any, masks: dict[int, RLE], where: str, questions: Questions, skipped: Skipped
) -> Iterator[Record]:
    for index, short in enumerate(field(entry, "short_captions", list)):
        at = f"{where}: short_captions {index}"
        with skipping(skipped, at):
            caption = field(short, "caption", str).strip()
            groundings = []
            for detail in field(short, "details", list):
                with skipping(skipped, at):
                    span = place(caption, field(detail, "phrase", str), field(detail, "tokens_positive", object))
                    groundings.append(Grounding(*span, _mask_of(detail, masks)))
            parts = parts_of(caption, groundings, at, skipped)
            yield from questions.ask(photograph, Task.GCG if groundings else Task.CAPTION, parts, source=at)


FORMATS: tuple[Format, ...] = (
    Format(
        name="grand",
        link="https://github.com/mbzuai-oryx/groundingLMM/blob/main/docs/GranD.md",
        layout="annotations/**/*.json, images/*.jpg of SA-1B",
        tasks=(Task.REFERRING, Task.GCG, Task.CAPTION),
        read=_read,
    ),
)
