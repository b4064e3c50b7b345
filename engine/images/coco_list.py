"""A list of photographs in COCO's form: a JSON file whose `images` name them.

    {"licenses": [{"id": 1, "name": "…"}],
     "images": [{"id": 7, "file_name": "a.jpg", "license": 1, "coco_url": "…"}]}

What else it holds is not looked at. An image that can't be used is told, and the others are taken.

Source: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import os
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from engine.errors import UsageError
from engine.json_file import read_json, whole
from engine.text.names import to_text

_KINDS = {int: "a number", str: "text"}


@dataclass(frozen=True, slots=True)
class CocoList:
    """The images of a file that can be used.

    Attributes:
        path: of the file, as it was given.
        root: the folder that its names are relative to.
        images: its entries, in its order; all ids are numbers, or all are text, and no two are the same.
        licenses: its entries.
        faults: what else it says of images or licences, and why that is left out, in a line each.
    """

    path: str
    root: str
    images: tuple[Mapping[str, Any], ...]
    licenses: tuple[Mapping[str, Any], ...]
    faults: tuple[str, ...]


def is_coco_list(given: str) -> bool:
    """Whether an input is such a file: by its name."""
    return given.lower().endswith(".json") and os.path.isfile(given)


def read_coco_list(given: str, root: str | None = None) -> CocoList:
    """Read a file.

    Args:
        given: its path.
        root: the folder of the photographs; the file's own without one.

    Raises:
        UsageError: if it can't be read or is no such file, or none of its photographs is there.
    """
    content = read_json(Path(given))
    entries = content.get("images") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise UsageError(f"{given}: not a COCO JSON: no list 'images' in it; to name photographs one a line, give - ")
    root = os.path.dirname(given) if root is None else root
    faults: list[str] = []
    images = tuple(_usable(entries, given, faults))
    licenses = _licenses(content.get("licenses", []), given, faults)
    if not images:
        raise UsageError(faults[0] if len(faults) == 1 else f"{given}: none of its {len(faults)} images can be used")
    if not any(os.path.lexists(os.path.join(root, image["file_name"])) for image in images):
        first, folder = images[0]["file_name"], root or os.curdir
        raise UsageError(f"{given}: no photograph of it, such as {first}, is below {folder}: --root says where")
    return CocoList(given, root, images, licenses, tuple(faults))


def _usable(entries: Sequence[Any], given: str, faults: list[str]) -> Iterator[Mapping[str, Any]]:
    kinds = Counter(type(number) for entry in entries if (number := _identity(entry)) is not None)
    kind = max(kinds, key=kinds.__getitem__, default=int)
    first: dict[int | str, str] = {}
    names: dict[str, int | str] = {}
    for place, entry in enumerate(entries):
        number = _identity(entry)
        try:
            name = _file_name(entry)
            if number is None:
                raise ValueError("has no id that is a number or text")
            if type(number) is not kind:
                raise ValueError(f"has an id that is {_KINDS[type(number)]}, where most are {_KINDS[kind]}")
            if isinstance(number, int) and not -(1 << 63) <= number < 1 << 64:
                raise ValueError("has an id of more than 64 bits, which few readers keep")
            if number in first:
                raise ValueError(f"has the id of {_short(first[number])}")
            path = str(PurePosixPath(name))  # "./a.jpg" and "a.jpg" are one
            if path in names:
                raise ValueError(f"is the photograph of id {_short(names[path])} as well")
        except ValueError as error:
            what = f"{_short(entry.get('file_name'))}, id {_short(entry.get('id'))}" if isinstance(entry, dict) else ""
            faults.append(f"{given}: image {place + 1} ({what or _short(entry)}) {error}: it is left out")
            continue
        first[number], names[path] = name, number
        yield {**entry, "id": number}


def _identity(entry: Any) -> int | str | None:
    number = entry.get("id") if isinstance(entry, dict) else None
    return number if isinstance(number, str) else whole(number)


def _file_name(entry: Any) -> str:
    if not isinstance(entry, dict):
        raise ValueError("is no object")
    name = entry.get("file_name")
    if not isinstance(name, str) or not name.strip():
        raise ValueError("has no file_name")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.name or "\0" in name:
        raise ValueError("is not named relative to a folder")
    try:
        return to_text(name)
    except UnicodeEncodeError:
        raise ValueError("has a file_name of half characters") from None


def _licenses(entries: Any, given: str, faults: list[str]) -> tuple[Mapping[str, Any], ...]:
    if isinstance(entries, Iterable) and all(isinstance(entry, dict) for entry in entries):
        return tuple(entries)
    faults.append(f"{given}: 'licenses' is no list of objects: they are left out")
    return ()


def _short(value: Any) -> str:
    return reprlib.repr(value)
