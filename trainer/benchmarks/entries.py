"""What the entries of a file of truth or of predictions hold, checked: ids, texts, names of photographs, masks.

The functions that take an entry and a key raise `ValueError` with one line that names the key; `each` adds the file
and the entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import UsageError
from engine.images.sources import inside
from engine.json_file import whole as as_whole
from engine.masks.rle import from_coco, from_coco_together
from engine.records import RLE
from trainer.data.formats.photographs import Names
from trainer.data.formats.reading import field, is_whole

_T = TypeVar("_T")

WORDLESS = "a question without a word"
"""Why it is left out."""
_LARGEST = 1e300


def each(path: Path, what: str, entries: Iterable[Any], parse: Callable[[Any], _T]) -> list[_T]:
    """Every entry, parsed.

    Args:
        path: of the file.
        what: how the list is called.
        entries: of the list.
        parse: raises `ValueError` for what is no such entry.

    Raises:
        UsageError: at the first that is none; names file and entry.
    """
    found = []
    for place, entry in enumerate(entries):
        try:
            found.append(parse(entry))
        except ValueError as error:
            raise UsageError(f"{path}: {what}[{place}]: {error}") from None
    return found


def listed(path: Path, content: Any, key: str) -> list[Any]:
    """The list that a file has under a key.

    Raises:
        UsageError: if it has none.
    """
    try:
        return field(content, key, list)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def identity(entry: Any, key: str) -> str:
    """An id as text; a number, also one that pandas has made `1.0`, is the same id as its digits."""
    value = field(entry, key, object)
    if isinstance(value, str):
        return text(entry, key)
    if (known := as_whole(value)) is None:
        raise ValueError(f"{key!r} that is neither a whole number nor a text")
    return str(known)


def written_id(image_id: str) -> int | str:
    """How an id is written: COCO's own are numbers, and its scripts compare them as such."""
    return int(image_id) if image_id.isdecimal() and str(int(image_id)) == image_id else image_id


def text(entry: Any, key: str) -> str:
    """A text that can be written and shown."""
    value = field(entry, key, str)
    _check_text(value, key)
    return value


def texts(entry: Any, key: str) -> tuple[str, ...]:
    """A list of such texts."""
    values = field(entry, key, list)
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"{key!r} that is not a list of texts")
        _check_text(value, key)
    return tuple(values)


def below(folder: Path, entry: Any, key: str) -> Path:
    """A file below a folder, there or not."""
    try:
        return inside(folder, field(entry, key, str))
    except UsageError as error:
        raise ValueError(f"{key!r}: {error}") from None


def photograph(names: Names, entry: Any, key: str) -> Path:
    """A photograph, by a name that may have been on other systems; where it lies if it is there."""
    try:
        return names.root / names.find("", field(entry, key, str))
    except ValueError:
        return below(names.root, entry, key)


def whole(entry: Any, key: str) -> int:
    """A whole number of at most 64 bits, also one that pandas has made `1.0`."""
    found = as_whole(field(entry, key, object))
    if found is None or not -(1 << 63) <= found < 1 << 63:
        raise ValueError(f"{key!r} that is not a whole number")
    return found


def number(entry: Any, key: str) -> float:
    """A number."""
    value = field(entry, key, object)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST <= value <= _LARGEST:
        raise ValueError(f"{key!r} that is not a number")
    return float(value)


def mask_in(entry: Any, key: str) -> RLE:
    """A mask as run lengths."""
    try:
        return from_coco(field(entry, key, object))
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def masks_in(entry: Any, key: str) -> tuple[RLE, ...]:
    """A list of masks as run lengths."""
    values = field(entry, key, list)
    if (quick := from_coco_together(values)) is not None:
        return tuple(quick)
    found = []
    for place, value in enumerate(values):
        try:
            found.append(from_coco(value))
        except ValueError as error:
            raise ValueError(f"{key}[{place}]: {error}") from None
    return tuple(found)


def masks_of(path: Path, what: str, entries: Sequence[Any], key: str) -> list[RLE]:
    """The mask that each entry has under a key, as run lengths.

    Args:
        path: of the file.
        what: how the list is called.
        entries: of the list.
        key: of the mask.

    Raises:
        UsageError: at the first that has none; names file and entry.
    """
    quick = from_coco_together([entry.get(key) if isinstance(entry, dict) else None for entry in entries])
    return each(path, what, entries, lambda entry: mask_in(entry, key)) if quick is None else quick


def _check_text(value: str, key: str) -> None:
    if not is_whole(value):
        raise ValueError(f"{key!r} with half a character (a lone surrogate)")
