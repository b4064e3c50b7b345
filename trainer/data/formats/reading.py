"""What adapters share: reading files with clear errors, and masks of every published kind as run lengths.

Legend: masks are `height x width` pixels of the upright photograph.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pycocotools import mask as coco_mask

from engine.errors import PhotographError, UsageError
from engine.images.decode import upright_size
from engine.json_file import read_bytes, read_json, whole
from engine.masks import rle
from engine.records import RLE
from trainer.data.formats.base import Skipped
from trainer.data.formats.polygons import Note, ignore, polygons_to_rle

_T = TypeVar("_T")

NOT_WHOLE = "text with half a character (a lone surrogate)"
"""Why a text is left out that no tokenizer takes."""

_NO, _YES = frozenset({"", "0", "0.0", "false", "no"}), frozenset({"1", "1.0", "true", "yes"})


def json_list(path: Path) -> list[Any]:
    """The content of a JSON file that holds a list.

    Raises:
        UsageError: if it is missing, not JSON or something else than a list.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise UsageError(f"{path}: a list was expected, not {type(content).__name__}")
    return content


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without the empty ones at its end.

    Raises:
        UsageError: if it is missing, not text or empty.
    """
    content = read_bytes(path)
    try:
        # Text begins as JSON does: with a byte order mark, or with letters that tell how many bytes each takes.
        text = content.decode(json.detect_encoding(content)).rstrip()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: line {line} is not {error.encoding}: save it as UTF-8") from None
    if not text:
        raise UsageError(f"{path}: it is empty")
    return text.splitlines()


def field(entry: Any, key: str, kind: type[_T]) -> _T:
    """A value of an entry.

    Raises:
        ValueError: if the entry has none of this kind.
    """
    if not isinstance(entry, Mapping):
        raise ValueError("an entry that is not an object")
    if key not in entry:
        raise ValueError(f"no {key!r}")
    value = entry[key]
    if not isinstance(value, kind):
        raise ValueError(f"{key!r} that is not {kind.__name__}")
    return value


def integer(entry: Any, key: str) -> int:
    """A whole number of an entry, also where it is written `7.0` or as text.

    Raises:
        ValueError: if the entry has none.
    """
    value = field(entry, key, object)
    found = int(value) if isinstance(value, str) and value.isdecimal() else whole(value)
    if found is None:
        raise ValueError(f"{key!r} that is not a whole number")
    return found


def flag(entry: Any, key: str, missing: bool = False) -> bool:
    """Whether an entry is marked: 1, true, and the same as text. Null and NaN are as if it were not there.

    Raises:
        ValueError: if it is neither a yes nor a no.
    """
    value = entry.get(key) if isinstance(entry, Mapping) else field(entry, key, object)
    if value is None or isinstance(value, float) and math.isnan(value):
        return missing
    if isinstance(value, str):
        value = value.strip().lower()
        value = 0 if value in _NO else 1 if value in _YES else None
    if not isinstance(value, int | float) or value not in (0, 1):
        raise ValueError(f"{key!r} that is neither 0 nor 1")
    return bool(value)


def texts(entry: Any, key: str) -> list[str]:
    """A list of texts of an entry.

    Raises:
        ValueError: if the entry has none.
    """
    values = field(entry, key, list)
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"{key!r} that is not a list of texts")
    return values


def is_whole(text: str) -> bool:
    """Whether a text is made of whole characters; JSON can write halves of them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def skipping(skipped: Skipped, where: str) -> Iterator[None]:
    """What is wrong with one entry, a `ValueError`, is noted, and reading goes on behind the block."""
    try:
        yield
    except ValueError as error:
        skipped.add(where, str(error))


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of a photograph as it is seen (EXIF orientation applied); reads its header only.

    Raises:
        UsageError: if it is missing or not an image.
    """
    try:
        return upright_size(path)
    except PhotographError as error:
        reason = f"not an image ({error.reason})" if path.exists() else "no such photograph"
        raise UsageError(f"{path}: {reason}") from None


def coco_to_rle(segmentation: Any, height: int, width: int, note: Note = ignore) -> RLE:
    """A `segmentation` as COCO files have it.

    Args:
        segmentation: polygons, run lengths `{"size": [height, width], "counts": ...}`, or a list of run lengths and
            polygons, which together are the mask.
        height, width: of the photograph.
        note: told what is left out of an object whose polygons are not all good.

    Raises:
        ValueError: if it is none of these or is not of this size.
    """
    if isinstance(segmentation, Mapping):
        return of_size(rle.from_coco(segmentation), height, width)
    if not isinstance(segmentation, list | tuple):
        raise ValueError(f"a mask that is {type(segmentation).__name__}" if segmentation is not None else "no mask")
    encoded = [piece for piece in segmentation if isinstance(piece, Mapping)]
    if not encoded:
        return polygons_to_rle(segmentation, height, width, note)
    masks = [of_size(rle.from_coco(piece), height, width) for piece in encoded]
    rings = [piece for piece in segmentation if not isinstance(piece, Mapping)]
    return union([*masks, polygons_to_rle(rings, height, width, note)] if rings else masks)


def of_size(mask: RLE, height: int, width: int) -> RLE:
    """The mask itself.

    Raises:
        ValueError: if it is not that of a photograph of this size.
    """
    if (mask.height, mask.width) == (height, width):
        return mask
    if (mask.height, mask.width) == (width, height):
        raise ValueError("a mask that is turned: its height is its photograph's width")
    raise ValueError("a mask of another size than its photograph")


def union(masks: Sequence[RLE]) -> RLE:
    """All pixels of masks of one size.

    Raises:
        ValueError: if there is none, or sizes differ.
    """
    if not masks:
        raise ValueError("no mask")
    if len({(mask.height, mask.width) for mask in masks}) > 1:
        raise ValueError("masks of different sizes")
    merged = coco_mask.merge([{"size": [mask.height, mask.width], "counts": mask.counts} for mask in masks])
    return RLE(masks[0].height, masks[0].width, merged["counts"].decode("ascii"))


def visible(mask: RLE) -> RLE:
    """The mask itself.

    Raises:
        ValueError: if it has no pixel.
    """
    if not rle.area(mask):
        raise ValueError("an empty mask")
    return mask
