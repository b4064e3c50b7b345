"""`dci`: Densely Captioned Images, SA-1B photographs whose regions, and regions of regions, are described.

    photos/NAME.jpg
    annotations/NAME.json
    splits.json             {"train": ["NAME.json", ...], "valid": [...], "test": [...]}

    {"image": "sa_1.jpg", "short_caption": "...", "extra_caption": "...",
     "mask_data": {"0": {"idx": 0, "parent": -1, "label": "A water pump", "caption": "...", "mask_quality": 0,
                         "outer_mask": "base64 of a PNG of the photograph's size", ...}, ...}}

The training split is read, or everything where there are no splits. `mask_quality` is 0 (good), 1 (low) or 2 (bad). As
in MGLMM, regions that are not good are left out and what they hold goes to the region around them; the photograph and
every region that holds others becomes a question. The parent of a region in no other is -1.

Source: https://github.com/facebookresearch/DCI
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.images.sources import inside
from engine.json_file import read_json
from engine.masks.rle import encode
from engine.records import RLE
from engine.text.prompts import Families, Task
from trainer.data.formats.asking import Questions, Target
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.photographs import Photograph, Photographs
from trainer.data.formats.pictures import read_index
from trainer.data.formats.reading import field, integer, of_size, skipping, texts, visible
from trainer.data.record import Record

_PHOTOGRAPH = -1
_NOWHERE = (_PHOTOGRAPH, str(_PHOTOGRAPH))
_GOOD = 0


@dataclass(frozen=True, slots=True)
class _Region:
    label: str
    caption: str
    mask: RLE


def _read(source: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    questions, photographs = Questions(families, skipped), Photographs(source, skipped)
    for path in _files(source):
        entry = read_json(path)
        with skipping(skipped, path.name):
            photograph = photographs.find("photos", field(entry, "image", str), path.name, size=(None, None))
            if photograph:
                yield from _ask(photograph, entry, path.name, questions, skipped)


def _files(source: Path) -> list[Path]:
    folder, splits = source / "annotations", source / "splits.json"
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    if splits.is_file():
        try:
            return [inside(folder, name) for name in texts(read_json(splits), "train")]
        except ValueError as error:
            raise UsageError(f"{splits}: {error}") from None
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise UsageError(f"{folder}: no *.json in it")
    return paths


def _ask(photograph: Photograph, entry: Any, where: str, questions: Questions, skipped: Skipped) -> Iterator[Record]:
    short = field(entry, "short_caption", str)
    if short.strip():
        yield from questions.ask(photograph, Task.CAPTION, [short], source=f"{where}: short_caption")
    regions, inside = _tree(photograph, field(entry, "mask_data", dict), where, skipped)
    if not inside[_PHOTOGRAPH]:
        raise ValueError("no good mask")
    about = [_sentence(short), _sentence(field(entry, "extra_caption", str))]
    told = _told(regions[index] for index in inside[_PHOTOGRAPH])
    yield from questions.ask(photograph, Task.PANOPTIC_SEGCAP, [*about, *told], source=where)
    for index, region in regions.items():
        if inside[index]:
            told = _told(regions[at] for at in (index, *inside[index]))
            label, source = region.label.lower(), f"{where}: mask {index}"
            yield from questions.ask(photograph, Task.FINE_SEGCAP, told, source=source, label=label)


def _told(regions: Iterator[_Region]) -> list[str | Target]:
    """What an answer says of these regions."""
    parts: list[str | Target] = []
    for region in regions:
        caption = _sentence(region.caption)
        parts += [Target(region.label, (region.mask,)), f": {caption}" if caption else "."]
    return parts


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?")) else text + "."


def _tree(
    photograph: Photograph, stored: dict[str, Any], where: str, skipped: Skipped
) -> tuple[dict[int, _Region], dict[int, list[int]]]:
    """The good regions, and which of them each holds."""
    parents: dict[int, int] = {}
    good: dict[int, _Region] = {}
    for key, value in stored.items():
        with skipping(skipped, f"{where}: mask {key}"):
            index = integer(value, "idx")
            parents[index] = _PHOTOGRAPH if value.get("parent") in _NOWHERE else integer(value, "parent")
            if integer(value, "mask_quality") != _GOOD:
                raise ValueError("a mask of low quality")
            good[index] = _region(photograph, value)
    inside: dict[int, list[int]] = defaultdict(list)
    for index in good:
        with skipping(skipped, f"{where}: mask {index}"):
            inside[_around(index, parents, good)].append(index)
    return good, inside


def _around(index: int, parents: dict[int, int], good: dict[int, _Region]) -> int:
    """The next good region around this one."""
    at = parents[index]
    for _ in parents:
        if at == _PHOTOGRAPH or at in good and at != index:
            return at
        if at not in parents:
            break
        at = parents[at]
    raise ValueError("a mask whose parent is not there")


def _region(photograph: Photograph, value: Any) -> _Region:
    label = field(value, "label", str).strip()
    if not label:
        raise ValueError("a mask without a label")
    mask = of_size(_mask(field(value, "outer_mask", str)), photograph.height, photograph.width)
    return _Region(label, field(value, "caption", str), mask)


def _mask(stored: str) -> RLE:
    try:
        content = base64.b64decode(stored, validate=True)
    except ValueError:
        raise ValueError("a mask that is not a PNG in base64") from None
    return visible(encode((read_index(content, "a mask") > 0)[None])[0])


FORMATS: tuple[Format, ...] = (
    Format(
        name="dci",
        link="https://github.com/facebookresearch/DCI",
        layout="annotations/*.json, photos/*.jpg of SA-1B, splits.json if only its training split is wanted",
        tasks=(Task.CAPTION, Task.PANOPTIC_SEGCAP, Task.FINE_SEGCAP),
        read=_read,
    ),
)
