"""Pixel encoders: a square, padded photograph to the image embedding that the mask decoder reads.

Legend: `B` images, `S` side of the pixel view, `g` side of the grid, `C` channels of the embedding.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import timm
import torch
import torch.nn.functional as F
from segment_anything.modeling import ImageEncoderViT
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engine.model.config import PyramidConfig, Sam2EncoderConfig, SamEncoderConfig
from engine.model.embedding import ImageEmbedding
from engine.model.pixel_features import ClassFeatures, PixelFeatures
from engine.model.sam2_encoder import Sam2PixelEncoder

TOGETHER = 8
"""Photographs in a call of the encoders: more are no faster each, and SAM's attention takes gigabytes for each."""


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
        self.classifier = Classifier(config.backbone) if config.classifier else None

    def forward(self, pixels: Tensor) -> PixelFeatures:
        """`pixels` `(B, 3, S, S)`, normalised and zero-padded."""
        finest, fine, *rest = self.backbone(pixels)
        x = self.fine(fine)
        for lateral, level in zip(self.laterals, rest, strict=True):
            x = x + F.interpolate(lateral(level), size=x.shape[-2:], mode="bilinear", align_corners=False)
        for block in self.fuse:
            x = block(x)
        finer = self.high_res(finest, fine, rest[0]) if self.high_res else ()
        classes = self.classifier(rest[0], pixels) if self.classifier else None
        return PixelFeatures(ImageEmbedding(self.norm(x), finer), rest[-1], classes)


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


class Classifier(nn.Module):
    """The last stages of a backbone and its classifier, as they were before training; the first ones are shared."""

    SHARED = 3
    """Stages that the pixel encoder's backbone has in common with it, up to stride 8; training leaves them alone."""

    def __init__(self, backbone: str) -> None:
        super().__init__()
        whole: Any = timm.create_model(backbone, pretrained=False)
        self.channels: int = whole.num_features
        self.blocks: nn.Module = whole.blocks[self.SHARED :]
        self.conv_head, self.bn2 = whole.conv_head, whole.bn2
        self.classifier: nn.Linear = whole.classifier

    def forward(self, level: Tensor, pixels: Tensor) -> ClassFeatures:
        """`level` `(B, c, S / 8, S / 8)` of the backbone, `pixels` `(B, 3, S, S)` whose padding is zero."""
        features = self.bn2(self.conv_head(self.blocks(level)))
        logits = F.conv2d(features, self.classifier.weight[..., None, None], self.classifier.bias)
        # No colour is zero once it is normalised, so what is zero is padding.
        inside = (pixels != 0).any(dim=1, keepdim=True).to(features.dtype)
        return ClassFeatures(features, logits, F.adaptive_avg_pool2d(inside, features.shape[-2:]))


class _Residual(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, dim)
        self.mix = nn.Conv2d(dim, dim, kernel_size=3, padding=1)
        self.out = nn.Conv2d(dim, dim, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(F.gelu(self.mix(self.norm(x))))


PixelEncoder = SamPixelEncoder | Sam2PixelEncoder | Pyramid


def build_pixel_encoder(config: SamEncoderConfig | Sam2EncoderConfig | PyramidConfig) -> PixelEncoder:
    """The pixel encoder that `config` names, with random weights."""
    if isinstance(config, Sam2EncoderConfig):
        return Sam2PixelEncoder(config)
    return SamPixelEncoder(config) if isinstance(config, SamEncoderConfig) else Pyramid(config)


def freeze_batch_norm(module: nn.Module) -> None:
    """Keep every batch norm on its stored statistics, which small batches would spoil."""
    for child in module.modules():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            child.eval()


def for_inference(encoder: PixelEncoder) -> nn.Module:
    """The encoder as it runs fastest with fixed weights; the given one is left as it is.

    A pyramid's batch norms go into the convolutions before them, and its pictures lie channels last.
    """
    if not isinstance(encoder, Pyramid):
        return encoder
    fused = copy.deepcopy(encoder)
    _fuse_batch_norm(fused.backbone)
    if fused.classifier:
        _fuse_batch_norm(fused.classifier)
    return fused.to(memory_format=torch.channels_last)


class OneByOne:
    """Runs an encoder that is no pyramid on one photograph at a time, as a CPU does it fastest.

    What lies between the layers of one photograph finds room in the processor's caches: of eight together a 1024 x 1024
    Hiera takes a fifth more time for each.

    Args:
        encoder: see `for_inference`.
    """

    def __init__(self, encoder: nn.Module) -> None:
        self._encoder = encoder

    def __call__(self, pixels: Tensor) -> PixelFeatures:
        """`pixels` `(B, 3, S, S)`, normalised and zero-padded."""
        found = [self._encoder(one).embedding for one in pixels.split(1)]
        return PixelFeatures(ImageEmbedding.join(found), None)


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
    "OneByOne",
    "Pyramid",
    "SamPixelEncoder",
    "build_pixel_encoder",
    "for_inference",
    "freeze_batch_norm",
]
