"""What adapters share: reading files with clear errors, and masks of every published kind as run lengths.

Legend: masks are `height x width` pixels of the upright photograph.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pycocotools import mask as coco_mask

from engine.errors import PhotographError, UsageError
from engine.images.decode import upright_size
from engine.masks import rle
from engine.records import RLE
from trainer.data.formats.base import Skipped

_T = TypeVar("_T")

_NOT_FILLED = "a mask whose counts do not fill it"


def read_json(path: Path, *, encoding: str = "utf-8") -> Any:
    """The content of a JSON file.

    Args:
        encoding: of a file that is not UTF-8.

    Raises:
        UsageError: if it is missing or not JSON.
    """
    content = read_bytes(path)
    try:
        try:
            return json.loads(content)
        except UnicodeDecodeError:
            return json.loads(content.decode(encoding))
    except ValueError as error:
        raise UsageError(f"{path}: not JSON ({error})") from None


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        UsageError: if it is missing or can't be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except OSError as error:
        raise UsageError(f"{path}: can't be read ({error.strerror})") from None


def json_list(path: Path) -> list[Any]:
    """The content of a JSON file that holds a list.

    Raises:
        UsageError: if it is missing, not JSON or something else than a list.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise UsageError(f"{path}: a list was expected, not {type(content).__name__}")
    return content


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


def texts(entry: Any, key: str) -> list[str]:
    """A list of texts of an entry.

    Raises:
        ValueError: if the entry has none.
    """
    values = field(entry, key, list)
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"{key!r} that is not a list of texts")
    return values


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


def size_below(root: Path, name: str) -> tuple[int, int]:
    """`image_size` of one photograph of many.

    Raises:
        ValueError: if it can't be used.
    """
    try:
        return image_size(root / name)
    except UsageError:
        raise ValueError("its photograph is missing or broken") from None


def polygons_to_rle(polygons: Sequence[Sequence[float]], height: int, width: int) -> RLE:
    """One mask of polygons, each `x, y, x, y, ...`.

    Raises:
        ValueError: if there is none, or one has fewer than three points or lies far outside the photograph.
    """
    if not polygons:
        raise ValueError("no polygon")
    for polygon in polygons:
        _check_polygon(polygon, height, width)
    return _merge(coco_mask.frPyObjects([list(polygon) for polygon in polygons], height, width))


def coco_to_rle(segmentation: Any, height: int, width: int) -> RLE:
    """A `segmentation` as COCO files have it.

    Args:
        segmentation: polygons, or run lengths `{"size": [height, width], "counts": ...}`: a list of numbers, or
            compressed as text or bytes.
        height, width: of the photograph.

    Raises:
        ValueError: if it is none of these or is not of this size.
    """
    if isinstance(segmentation, Mapping):
        found = run_lengths(segmentation)
        if (found.height, found.width) != (height, width):
            raise ValueError("a mask of another size than its photograph")
        return found
    if isinstance(segmentation, list):
        return polygons_to_rle(segmentation, height, width)
    raise ValueError(f"a mask that is {type(segmentation).__name__}")


def run_lengths(segmentation: Any) -> RLE:
    """Run lengths `{"size": [height, width], "counts": ...}` as they are; the size is their own.

    Raises:
        ValueError: if it is not that.
    """
    if not isinstance(segmentation, Mapping):
        raise ValueError(f"a mask that is {type(segmentation).__name__}")
    try:
        height, width = (int(side) for side in segmentation["size"])
        counts = segmentation["counts"]
    except (KeyError, TypeError, ValueError):
        raise ValueError("a mask without size and counts") from None
    if height <= 0 or width <= 0:
        raise ValueError("a mask of no size")
    if isinstance(counts, list):
        runs = np.asarray(counts)
        if runs.ndim != 1 or not len(runs) or not np.issubdtype(runs.dtype, np.integer):
            raise ValueError("a mask whose counts are not run lengths")
        if (runs < 0).any() or int(runs.sum()) != height * width:
            raise ValueError(_NOT_FILLED)
        return _rle(coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width))
    counts = counts.decode("ascii", "replace") if isinstance(counts, bytes) else counts
    if not isinstance(counts, str):
        raise ValueError("a mask without size and counts")
    found = RLE(height, width, counts)
    try:
        rle.run_lengths(found)
    except ValueError:
        raise ValueError(_NOT_FILLED) from None
    return found


def union(masks: Sequence[RLE]) -> RLE:
    """All pixels of masks of one size.

    Raises:
        ValueError: if there is none, or sizes differ.
    """
    if not masks:
        raise ValueError("no mask")
    if len({(mask.height, mask.width) for mask in masks}) > 1:
        raise ValueError("masks of different sizes")
    return _merge([{"size": [mask.height, mask.width], "counts": mask.counts.encode("ascii")} for mask in masks])


def visible(mask: RLE) -> RLE:
    """The mask itself.

    Raises:
        ValueError: if it has no pixel.
    """
    if not rle.area(mask):
        raise ValueError("an empty mask")
    return mask


def _check_polygon(polygon: Any, height: int, width: int) -> None:
    if not isinstance(polygon, list | tuple):
        raise ValueError("a polygon that is not a list of numbers")
    if len(polygon) < 6 or len(polygon) % 2:
        raise ValueError("a polygon of fewer than three points")
    try:
        points = np.asarray(polygon, np.float64).reshape(-1, 2)
    except (TypeError, ValueError):
        raise ValueError("a polygon that is not a list of numbers") from None
    # The rasteriser takes memory for every step of an edge, inside the frame or not.
    size = np.array([width, height])
    if not ((points >= -size) & (points <= 2 * size)).all():
        raise ValueError("a polygon far outside the photograph")


def _merge(encoded: list[dict[str, Any]]) -> RLE:
    return _rle(coco_mask.merge(encoded))


def _rle(encoded: Mapping[str, Any]) -> RLE:
    height, width = encoded["size"]
    return RLE(int(height), int(width), encoded["counts"].decode("ascii"))
