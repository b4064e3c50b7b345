"""The views of a photograph that the encoders take, and the geometry that leads back.

Legend: `H x W` original frame, `h x w` the resized part of the pixel view, `S` its padded side, `s` side of the
CLIP view. All sizes in pixels.

Source: SAM's preprocessing (longest side resized, normalised, zero-padded right and bottom) and CLIP's
(shortest side resized with bicubic, centre crop).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.model.config import ClipConfig, ModelConfig, PyramidConfig, SamEncoderConfig
from engine.prompts import Box

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True)
class Frame:
    """How a photograph lies in its pixel view: `height x width` resized to `inner_height x inner_width`."""

    height: int
    width: int
    inner_height: int
    inner_width: int

    @classmethod
    def fit(cls, height: int, width: int, side: int) -> Frame:
        """The frame in which the longest side of `height x width` becomes `side`."""
        scale = side / max(height, width)
        return cls(height, width, max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5)))


@dataclass(frozen=True, slots=True)
class Views:
    """The encoders' inputs for one photograph.

    Attributes:
        pixels: `(3, S, S)` float32, the pixel view.
        clip: `(3, s, s)` float32, the global view, or None.
        frame: where the photograph lies in the pixel view.
    """

    pixels: Tensor
    clip: Tensor | None
    frame: Frame


def make_views(image: np.ndarray, config: ModelConfig) -> Views:
    """Prepare one photograph.

    Args:
        image: `(H, W, 3)` uint8, upright RGB.
        config: the model that will read it.
    """
    frame = Frame.fit(image.shape[0], image.shape[1], config.pixel_encoder.image_size)
    photo = Image.fromarray(image)
    inner = photo.resize((frame.inner_width, frame.inner_height), Image.Resampling.BILINEAR)
    pixels = pixel_view(np.asarray(inner), config.pixel_encoder)
    clip = _clip_view(photo, config.global_encoder) if isinstance(config.global_encoder, ClipConfig) else None
    return Views(pixels, clip, frame)


def pixel_view(inner: np.ndarray, config: SamEncoderConfig | PyramidConfig) -> Tensor:
    """Normalise an already resized photograph `(h, w, 3)` uint8 and pad it to `(3, S, S)`."""
    side = config.image_size
    values = torch.from_numpy(np.array(inner)).permute(2, 0, 1).float()
    values = (values - torch.tensor(config.mean)[:, None, None]) / torch.tensor(config.std)[:, None, None]
    view = torch.zeros(3, side, side)
    view[:, : values.shape[1], : values.shape[2]] = values
    return view


def region_boxes(boxes: Sequence[Box]) -> Tensor:
    """Boxes as the region encoder takes them: fractions of the whole photograph, `(R, 4)` float32.

    The CLIP view that they are read from is a centre crop, so in a photograph that is not square they lie a little
    beside their objects. GLaMM gives them like this in training and in inference, and its weights expect it.
    """
    corners = [(box.left, box.top, box.right, box.bottom) for box in boxes]
    return torch.tensor(corners, dtype=torch.float32).reshape(-1, 4)


def _clip_view(photo: Image.Image, config: ClipConfig) -> Tensor:
    side = config.image_size
    width, height = photo.size
    short = min(width, height)
    size = (max(side, width * side // short), max(side, height * side // short))
    resized = photo.resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    crop = np.array(resized.crop((left, top, left + side, top + side)))
    values = torch.from_numpy(crop).permute(2, 0, 1).float() / 255
    return (values - torch.tensor(CLIP_MEAN)[:, None, None]) / torch.tensor(CLIP_STD)[:, None, None]
