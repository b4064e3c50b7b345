"""Pixel encoders: a square, padded photograph to the image embedding that the mask decoder reads.

Legend: `B` images, `S` side of the pixel view, `g` side of the grid, `C` channels of the embedding.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import timm
import torch
import torch.nn.functional as F
from segment_anything.modeling import ImageEncoderViT
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engine.model.config import PyramidConfig, SamEncoderConfig
from engine.model.embedding import ImageEmbedding

TOGETHER = 8
"""Photographs in a call of the encoders: more are no faster each, and SAM's attention takes gigabytes for each."""


@dataclass(frozen=True, slots=True)
class PixelFeatures:
    """Output of a pixel encoder.

    Attributes:
        embedding: what the mask decoder reads.
        coarse: `(B, D, s, s)`, the last level of a pyramid, or None where there is no pyramid.
    """

    embedding: ImageEmbedding
    coarse: Tensor | None


class SamPixelEncoder(nn.Module):
    """SAM's image encoder (ViT with windowed attention and relative positions)."""

    def __init__(self, config: SamEncoderConfig) -> None:
        super().__init__()
        self.vit = ImageEncoderViT(
            img_size=config.image_size,
            patch_size=config.patch_size,
            embed_dim=config.embed_dim,
            depth=config.depth,
            num_heads=config.num_heads,
            mlp_ratio=4,
            out_chans=config.out_channels,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=config.window_size,
            global_attn_indexes=config.global_attn_indexes,
        )

    def forward(self, pixels: Tensor) -> PixelFeatures:
        """`pixels` `(B, 3, S, S)`, normalised and zero-padded."""
        return PixelFeatures(ImageEmbedding(self.vit(pixels)), None)


class Pyramid(nn.Module):
    """A timm backbone whose levels of stride 4 to 32 are fused on a grid of one cell per 12 x 12 pixels.

    The stride-4 level enters through a 3 x 3 convolution of stride 3, which keeps what lies inside a cell as
    channels: the mask decoder can draw borders finer than its grid.
    """

    def __init__(self, config: PyramidConfig) -> None:
        super().__init__()
        self.grid = config.grid
        backbone: Any = timm.create_model(config.backbone, features_only=True, pretrained=False)
        finest, fine, *rest = backbone.feature_info.channels()
        self.backbone: nn.Module = backbone
        dim = config.out_channels
        self.coarse_channels: int = rest[-1]
        self.fine = nn.Conv2d(fine, dim, kernel_size=3, stride=3)
        self.laterals = nn.ModuleList(nn.Conv2d(channels, dim, kernel_size=1) for channels in rest)
        self.fuse = nn.ModuleList(_Residual(dim) for _ in range(2))
        self.norm = nn.GroupNorm(1, dim)
        self.high_res = HighRes(finest, fine, rest[0], dim) if config.high_res else None

    def forward(self, pixels: Tensor) -> PixelFeatures:
        """`pixels` `(B, 3, S, S)`, normalised and zero-padded."""
        finest, fine, *rest = self.backbone(pixels)
        x = self.fine(fine)
        for lateral, level in zip(self.laterals, rest, strict=True):
            x = x + F.interpolate(lateral(level), size=x.shape[-2:], mode="bilinear", align_corners=False)
        for block in self.fuse:
            x = block(x)
        finer = self.high_res(finest, fine, rest[0]) if self.high_res else ()
        return PixelFeatures(ImageEmbedding(self.norm(x), finer), rest[-1])


class HighRes(nn.Module):
    """Levels of stride 8, 4 and 2 as the two finer maps of the mask decoder: strides 4 and 2, coarse to fine."""

    def __init__(self, finest: int, fine: int, coarse: int, dim: int) -> None:
        super().__init__()
        self.coarse = nn.Conv2d(coarse, dim // 4, kernel_size=1)
        self.fine = nn.Conv2d(fine, dim // 4, kernel_size=1)
        self.fine_out = nn.Conv2d(dim // 4, dim // 4, kernel_size=3, padding=1)
        self.finest = nn.Conv2d(finest, dim // 8, kernel_size=1)
        self.finest_out = nn.Conv2d(dim // 8, dim // 8, kernel_size=3, padding=1)

    def forward(self, finest: Tensor, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Levels of stride 2, 4 and 8, `(B, channels, side, side)`."""
        below = F.interpolate(self.coarse(coarse), size=fine.shape[-2:], mode="bilinear", align_corners=False)
        return self.fine_out(F.gelu(self.fine(fine) + below)), self.finest_out(F.gelu(self.finest(finest)))


class _Residual(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, dim)
        self.mix = nn.Conv2d(dim, dim, kernel_size=3, padding=1)
        self.out = nn.Conv2d(dim, dim, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(F.gelu(self.mix(self.norm(x))))


def build_pixel_encoder(config: SamEncoderConfig | PyramidConfig) -> SamPixelEncoder | Pyramid:
    """The pixel encoder that `config` names, with random weights."""
    return SamPixelEncoder(config) if isinstance(config, SamEncoderConfig) else Pyramid(config)


def freeze_batch_norm(module: nn.Module) -> None:
    """Keep every batch norm on its stored statistics, which small batches would spoil."""
    for child in module.modules():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            child.eval()


def for_inference(encoder: SamPixelEncoder | Pyramid) -> nn.Module:
    """The encoder as it runs fastest with fixed weights; the given one is left as it is.

    A pyramid's batch norms go into the convolutions before them, and its pictures lie channels last.
    """
    if not isinstance(encoder, Pyramid):
        return encoder
    fused = copy.deepcopy(encoder)
    _fuse_batch_norm(fused.backbone)
    return fused.to(memory_format=torch.channels_last)


def _fuse_batch_norm(module: nn.Module) -> None:
    convolution: tuple[str, nn.Conv2d] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.modules.batchnorm._BatchNorm) and convolution is not None:
            place, before = convolution
            setattr(module, place, fuse_conv_bn_eval(before, child))
            # timm's norms apply the activation as well.
            setattr(module, name, getattr(child, "act", nn.Identity()))
            convolution = None
        else:
            _fuse_batch_norm(child)
            convolution = (name, child) if isinstance(child, nn.Conv2d) else None


__all__ = [
    "TOGETHER",
    "PixelFeatures",
    "Pyramid",
    "SamPixelEncoder",
    "build_pixel_encoder",
    "for_inference",
    "freeze_batch_norm",
]
