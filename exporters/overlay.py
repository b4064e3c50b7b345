"""A picture of an answer: masks over the photograph, and under it the caption with its phrases in their colours.

Phrase and masks share a colour and a small number, and so do phrases that mean the same mask. There is one cell per
answer, the cells in a grid.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, UnidentifiedImageError

from engine.atomic import replacing
from engine.images.decode import MAX_PIXELS, Photograph, decode_at_least
from engine.images.sources import inside
from engine.masks.rle import decode
from engine.records import RLE, PhotoRecord, SegCap
from engine.text.names import renewed
from exporters.panel import PANEL, Style, colour_of, draw_panel, draw_tag, phrase_numbers, tag_size

_SUFFIX = ".jpg"
_LIKE_A_PICTURE = re.compile(r"\.jpg_*$")
_LONGEST_NAME = 255  # bytes
_LONGEST_SIDE = 1600
_NARROWEST = 480
_OPACITY = 0.45
_GAP = 12
_FINER = 2  # times, than it is drawn: no mask needs to be looked at more closely
_THUMBNAIL = 96  # pixels; where a tag goes need not be known better


def read(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Photograph:
    """Read a photograph as finely as `draw` needs it.

    Raises:
        PhotographError: as `engine.images.decode.decode`.
    """
    return decode_at_least(path, longest=2 * _LONGEST_SIDE, shortest=1, max_pixels=max_pixels)


def draw(image: np.ndarray | Photograph, record: PhotoRecord) -> Image.Image:
    """Draw all answers about a photograph.

    Args:
        image: the photograph, perhaps as uint8 `(H, W, 3)`, of the record's height and width.
        record: its answers; one without any gives the bare photograph.

    Returns:
        RGB; a photograph is drawn smaller if its longest side has more than 1600 pixels, and larger if it is
        too narrow (480 pixels) for its caption.

    Raises:
        ValueError: if the photograph is not of the record's size.
    """
    seen = image if isinstance(image, Photograph) else Photograph.whole(image)
    if (seen.width, seen.height) != (record.width, record.height):
        raise ValueError(
            f"the record is of {record.width} x {record.height} pixels, the photograph of {seen.width} x {seen.height}"
        )
    photograph = seen.image
    scale = min(max(1.0, _NARROWEST / record.width), _LONGEST_SIDE / max(record.width, record.height))
    if scale != 1:
        size = (max(1, round(record.width * scale)), max(1, round(record.height * scale)))
        photograph = photograph.resize(size, Image.Resampling.LANCZOS, seen.box)
    if not record.segcaps:
        return photograph
    style = Style.for_width(max(photograph.width, _NARROWEST))
    return _grid([_draw_cell(photograph, record, segcap, style) for segcap in record.segcaps], photograph)


def paint(photograph: Image.Image, segcap: SegCap) -> Image.Image:
    """An answer's masks over a picture, without its caption.

    Args:
        photograph: RGB, of any size.
        segcap: the answer.

    Returns:
        RGB of that size.
    """
    style = Style.for_width(max(photograph.width, _NARROWEST))
    return _paint(photograph, _marked(segcap, photograph.size)[1], style)


def overlay_path(out: Path, file_name: str) -> Path:
    """Where the overlay of a photograph goes: `OUT/overlays/<file_name>.jpg`, with the name as in all outputs.

    A folder that is called like a picture gets a `_` behind its name, as `a.jpg` may be the overlay of `a`. A name
    that would be too long for a file is cut, and has a hash of the whole behind it.

    Raises:
        UsageError: if that would lie outside the folder.
    """
    name = inside(Path(), renewed(file_name))
    folders = [_fitting(part, "_") if _LIKE_A_PICTURE.search(part) else part for part in name.parts[:-1]]
    return Path(out, "overlays", *folders, _fitting(name.name, _SUFFIX))


def _fitting(name: str, suffix: str) -> str:
    """A name with a suffix that a file system takes."""
    encoded = name.encode("utf-8")
    if len(encoded) + len(suffix) <= _LONGEST_NAME:
        return name + suffix
    digest = hashlib.sha256(encoded).hexdigest()[:16]
    begin = encoded[: _LONGEST_NAME - len(suffix) - len(digest) - 1].decode("utf-8", "ignore")
    return f"{begin}-{digest}{suffix}"


def write_overlay(path: Path, image: np.ndarray | Photograph, record: PhotoRecord, *, comment: str = "") -> None:
    """Draw a photograph's answers into a JPEG or PNG file, by the path's suffix; folders are made.

    Args:
        path: of the file.
        image, record: see `draw`.
        comment: ASCII that a JPEG carries, for `comment_of`.

    Raises:
        ValueError: for another suffix, or as `draw`.
        OSError: if the file can't be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".jpg", ".jpeg", ".png"):
        raise ValueError(f"{os.fspath(path)}: an overlay is a .jpg or .png file")
    picture = draw(image, record)
    with replacing(path) as file:
        if suffix == ".png":
            picture.save(file, "PNG")
        else:
            picture.save(file, "JPEG", quality=92, subsampling=0, comment=comment)


def comment_of(path: Path) -> str | None:
    """What an overlay carries; None if there is none, or something that is no picture.

    Raises:
        OSError: if it can't be read.
    """
    try:
        with Image.open(path) as picture:
            comment = picture.info.get("comment", b"")
    except (FileNotFoundError, UnidentifiedImageError):
        return None
    return comment.decode("ascii", "replace") if isinstance(comment, bytes) else ""


@dataclass(frozen=True, slots=True)
class _Marked:
    """A mask to paint: pixels `(H, W)` bool, and the number of its phrase, counted from 1."""

    pixels: np.ndarray
    number: int


def _draw_cell(photograph: Image.Image, record: PhotoRecord, segcap: SegCap, style: Style) -> Image.Image:
    """The photograph with an answer's masks, above its caption."""
    numbers, masks = _marked(segcap, photograph.size)
    width = max(photograph.width, _NARROWEST)
    panel = draw_panel(_heading(record, segcap), segcap.answer, numbers, style, width)
    cell = Image.new("RGB", (width, photograph.height + panel.height), PANEL)
    cell.paste(_paint(photograph, masks, style), ((width - photograph.width) // 2, 0))
    cell.paste(panel, (0, photograph.height))
    return cell


def _marked(segcap: SegCap, size: tuple[int, int]) -> tuple[dict[int, int], list[_Marked]]:
    """The numbers of the phrases that can be seen, by their place, and the masks at a `size` (width, height).

    What several phrases mean is painted once, with the number of the first.
    """
    numbers = phrase_numbers(segcap)
    painted: dict[RLE, int] = {}
    for index, number in numbers.items():
        for seg in segcap.answer.phrases[index].segs:
            if segcap.masks[seg].area:
                painted.setdefault(segcap.masks[seg].rle, number)
    masks = [_Marked(_resized(decode(rle), size), number) for rle, number in painted.items()]
    seen = [mask for mask in masks if mask.pixels.any()]
    shown = {mask.number for mask in seen}
    return {index: number for index, number in numbers.items() if number in shown}, seen


def _heading(record: PhotoRecord, segcap: SegCap) -> str:
    if segcap.granularity == "panoptic":
        return "Panoptic"
    about = segcap.instruction
    if segcap.parent is not None:
        phrases = record.segcaps[segcap.parent.segcap].answer.phrases
        about = next((phrase.text for phrase in phrases if segcap.parent.seg in phrase.segs), "") or about
    return f"Fine-grained: {about}" if segcap.granularity == "fine" else about


def _grid(cells: list[Image.Image], photograph: Image.Image) -> Image.Image:
    """Cells in rows, upright photographs three and others two beside each other."""
    columns = min(len(cells), 3 if photograph.height > photograph.width else 2)
    rows = [cells[first : first + columns] for first in range(0, len(cells), columns)]
    heights = [max(cell.height for cell in row) for row in rows]
    width = cells[0].width
    size = (columns * width + (columns - 1) * _GAP, sum(heights) + (ceil(len(cells) / columns) - 1) * _GAP)
    grid = Image.new("RGB", size, PANEL)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, cell in enumerate(row):
            grid.paste(cell, (column * (width + _GAP), top))
        top += height + _GAP
    return grid


def _resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask `(H, W)` bool at another `size` (width, height)."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    step = max(1, min(pixels.shape[1] // size[0], pixels.shape[0] // size[1]) // _FINER)
    pixels = pixels[::step, ::step]
    soft = Image.fromarray(pixels).convert("L").resize(size, Image.Resampling.BICUBIC)
    resized: np.ndarray = np.asarray(soft) >= 128
    return resized


def _paint(photograph: Image.Image, masks: list[_Marked], style: Style) -> Image.Image:
    """Tint the masks; where they overlap the smallest is on top, so that a part shows on its whole."""
    pixels = np.array(photograph)
    top = np.full(pixels.shape[:2], -1, dtype=np.int32)
    ordered = sorted(masks, key=lambda mask: -int(mask.pixels.sum()))
    for index, mask in enumerate(ordered):
        top[mask.pixels] = index
    thickness = max(1, round(photograph.width / 350))
    for index, mask in enumerate(ordered):
        colour = np.array(colour_of(mask.number), dtype=np.float32)
        shown = top == index
        pixels[shown] = np.round(pixels[shown] * (1 - _OPACITY) + colour * _OPACITY).astype(np.uint8)
        pixels[shown & _edge(mask.pixels, thickness)] = colour.astype(np.uint8)
    painted = Image.fromarray(pixels)
    _draw_tags(painted, [(mask.number, mask.pixels & (top == index)) for index, mask in enumerate(ordered)], style)
    return painted


def _edge(pixels: np.ndarray, thickness: int) -> np.ndarray:
    inner = pixels
    for _ in range(thickness):
        inner = _eroded(inner, beyond=True)
    edge: np.ndarray = pixels & ~inner
    return edge


def _eroded(pixels: np.ndarray, *, beyond: bool) -> np.ndarray:
    """Without the pixels that touch one outside the mask; `beyond` says what lies outside the frame."""
    around = np.pad(pixels, 1, constant_values=beyond)
    inner: np.ndarray = pixels & around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return inner


def _draw_tags(painted: Image.Image, shown: list[tuple[int, np.ndarray]], style: Style) -> None:
    """Put a tag on each mask that can be seen, largest first; one that finds no room is left out."""
    pen = ImageDraw.Draw(painted)
    taken: list[tuple[int, int, int]] = []  # left, middle, width
    for number, pixels in shown:
        if not pixels.any():
            continue
        width, height = tag_size(number, style)
        x, y = _innermost(pixels)
        left = min(max(0, x - width // 2), max(0, painted.width - width))
        middle = min(max(height // 2 + 1, y), max(height // 2 + 1, painted.height - height // 2 - 1))
        # Tags of neighbours move down until they are free.
        while any(-width < left - other < size and abs(middle - at) <= height for other, at, size in taken):
            middle += 1
        if middle + height / 2 <= painted.height:
            taken.append((left, middle, width))
            draw_tag(pen, number, style, left, middle)


def _innermost(pixels: np.ndarray) -> tuple[int, int]:
    """`x, y` of a pixel about as far from the mask's edge as any."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    inside = pixels[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    step = ceil(max(inside.shape) / _THUMBNAIL)
    core = inside[::step, ::step]
    if not core.any():  # too thin for the thumbnail
        core, step = inside, 1
    while (smaller := _eroded(core, beyond=False)).any():
        core = smaller
    points = np.argwhere(core)
    y, x = points[np.abs(points - points.mean(axis=0)).sum(axis=1).argmin()]
    return left + int(x) * step, top + int(y) * step
