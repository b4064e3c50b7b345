"""The views of a photograph that the encoders take, and the geometry that leads back.

Legend: `H x W` original frame, `h x w` the resized part of the pixel view, `S` its padded side, `s` side of the
CLIP view. All sizes in pixels.

Source: SAM's preprocessing (longest side resized, normalised, zero-padded right and bottom) and CLIP's
(shortest side resized with bicubic, centre crop).
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.images.decode import MAX_PIXELS, Photograph, decode_at_least
from engine.images.grids import grid_view
from engine.images.normalise import normalise
from engine.images.tiling import tiles_of
from engine.model.config import (
    ClipConfig,
    Fit,
    GridConfig,
    ModelConfig,
    PyramidConfig,
    PyramidTokensConfig,
    Sam2EncoderConfig,
    SamEncoderConfig,
    TilesConfig,
)
from engine.records import Remark
from engine.text.prompts import Box

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

_MARGIN = 1.75
"""How much larger than its views a photograph is read at least: closer, the coarser grid would show in them."""


_THIN = 32
"""Of a photograph that is so many times longer than wide, only the middle is resized for the CLIP view: else a line of
pixels would fill gigabytes. For all others the last bits are those of the whole, resized and then cut."""


@dataclass(frozen=True, slots=True)
class Frame:
    """How a photograph lies in its pixel view: `height x width` resized to `inner_height x inner_width`."""

    height: int
    width: int
    inner_height: int
    inner_width: int

    @classmethod
    def fit(cls, height: int, width: int, side: int, how: Fit = "pad") -> Frame:
        """The frame in which the longest side of `height x width` becomes `side`, or with "squash" both sides do."""
        if how == "squash":
            return cls(height, width, side, side)
        scale = side / max(height, width)
        return cls(height, width, max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5)))


@dataclass(frozen=True, slots=True)
class Views:
    """The encoders' inputs for one photograph.

    Attributes:
        pixels: `(3, S, S)` float32, the pixel view.
        clip: `(3, s, s)` float32, the global view, or `(T, 3, s, s)`, its tiles, or `(3, h, w)`, its grid; None where
            one view serves both.
        frame: where the photograph lies in the pixel view.
        grid: rows and columns of the image tokens, for a language model that asks where they lie.
        remarks: on the photograph's file.
    """

    pixels: Tensor
    clip: Tensor | None
    frame: Frame
    grid: tuple[int, int] | None = None
    remarks: frozenset[Remark] = frozenset()


def make_views(image: np.ndarray, config: ModelConfig) -> Views:
    """Prepare one photograph.

    Args:
        image: `(H, W, 3)` uint8, upright RGB.
        config: the model that will read it.
    """
    return _views(Photograph.whole(image), config)


def read_views(path: str | os.PathLike[str], config: ModelConfig, *, max_pixels: int = MAX_PIXELS) -> Views:
    """Read and prepare one photograph; a large one on a coarser grid, where its views need no finer one.

    The views are those of `make_views(decode(path), config)`, exactly unless it is a JPEG, or has more than fifty
    million pixels, and its sides can be halved and still be `_MARGIN` times those of its views.

    Args:
        path, max_pixels: as `decode` takes them.
        config: the model that will read it.

    Raises:
        PhotographError: as `decode`.
    """
    longest = math.ceil(_MARGIN * config.pixel_encoder.image_size)
    clip = config.global_encoder
    if isinstance(clip, TilesConfig):
        longest = max(longest, math.ceil(_MARGIN * clip.image_size * clip.most_tiles))
    shortest = config.pixel_encoder.image_size if config.pixel_encoder.fit == "squash" else 1
    if isinstance(clip, ClipConfig):
        shortest = max(shortest, clip.image_size)
    elif isinstance(clip, GridConfig):
        shortest = max(shortest, math.isqrt(clip.most_pixels))  # of a square; others are larger one way only
    shortest = math.ceil(_MARGIN * shortest)
    return _views(decode_at_least(path, longest=longest, shortest=shortest, max_pixels=max_pixels), config)


def pixel_view(inner: np.ndarray, config: SamEncoderConfig | Sam2EncoderConfig | PyramidConfig) -> Tensor:
    """Normalise an already resized photograph `(h, w, 3)` uint8 and pad it to `(3, S, S)`."""
    view = np.zeros((3, config.image_size, config.image_size), np.float32)
    height, width = inner.shape[:2]
    scaled = inner.astype(np.float32) / np.float32(config.scale) if isinstance(config, Sam2EncoderConfig) else inner
    normalise(scaled, config.mean, config.std, view[:, :height, :width])
    return torch.from_numpy(view)


def region_boxes(boxes: Sequence[Box]) -> Tensor:
    """Boxes as the region encoder takes them: fractions of the whole photograph, `(R, 4)` float32.

    The CLIP view that they are read from is a centre crop, so in a photograph that is not square they lie a little
    beside their objects. GLaMM gives them like this in training and in inference, and its weights expect it.
    """
    corners = [(box.left, box.top, box.right, box.bottom) for box in boxes]
    return torch.tensor(corners, dtype=torch.float32).reshape(-1, 4)


def _views(photograph: Photograph, config: ModelConfig) -> Views:
    pixel = config.pixel_encoder
    frame = Frame.fit(photograph.height, photograph.width, pixel.image_size, pixel.fit)
    size = (frame.inner_width, frame.inner_height)
    # Each as the model was trained.
    how = Image.Resampling.BICUBIC if pixel.fit == "squash" else Image.Resampling.BILINEAR
    pixels = pixel_view(np.asarray(photograph.image.resize(size, how, photograph.box)), pixel)
    encoder = config.global_encoder
    if isinstance(encoder, GridConfig):
        view = grid_view(photograph, encoder)
        grid = view.shape[1] // encoder.cell, view.shape[2] // encoder.cell
        return Views(pixels, view, frame, grid, photograph.remarks)
    return Views(pixels, _global_view(photograph, encoder), frame, remarks=photograph.remarks)


def _global_view(photograph: Photograph, config: ClipConfig | TilesConfig | PyramidTokensConfig) -> Tensor | None:
    if isinstance(config, TilesConfig):
        return tiles_of(photograph, config)
    return _clip_view(photograph, config) if isinstance(config, ClipConfig) else None


def _clip_view(photograph: Photograph, config: ClipConfig) -> Tensor:
    side = config.image_size
    short = min(photograph.width, photograph.height)
    size = (max(side, photograph.width * side // short), max(side, photograph.height * side // short))
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    if max(size) > _THIN * side:
        crop = photograph.image.resize(
            (side, side), Image.Resampling.BICUBIC, _part(photograph.box, size, left, top, side)
        )
    else:
        resized = photograph.image.resize(size, Image.Resampling.BICUBIC, photograph.box)
        crop = resized.crop((left, top, left + side, top + side))
    view = np.empty((3, side, side), np.float32)
    normalise(np.asarray(crop).astype(np.float32) / np.float32(255), CLIP_MEAN, CLIP_STD, view)
    return torch.from_numpy(view)


def _part(
    box: tuple[float, float, float, float], size: tuple[int, int], left: int, top: int, side: int
) -> tuple[float, float, float, float]:
    """The part of `box` that is a square of `side` at `left`, `top` once the whole is resized to `size`."""
    across, down = (box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1]
    x, y = box[0] + left * across, box[1] + top * down
    return x, y, min(box[2], x + side * across), min(box[3], y + side * down)
