"""GLaMM's region encoder: a box on several hidden layers of the CLIP tower becomes one vector.

Legend: `B` images, `P = g * g` image tokens, `R` regions, `L` levels, `C` channels inside, `s` side of a level's map
(`g` at the last level, twice as much at each level before it), `b` bins along a side of a box.

Source: GLaMM's region encoder, from GPT4RoI. The names of the parameters are those of its checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import roi_align

from engine.model.config import RegionEncoderConfig

_FUSIONS = 5
_SAMPLES = 2


class RegionEncoder(nn.Module):
    """Boxes to vectors for the `<bbox>` tokens of the language model.

    Args:
        config: sizes inside.
        patch_size: of the CLIP tower.
        image_size: side of the CLIP view.
        hidden_size: width of the language model.
    """

    def __init__(self, config: RegionEncoderConfig, *, patch_size: int, image_size: int, hidden_size: int) -> None:
        super().__init__()
        self.grid = image_size // patch_size
        self.mlvl_fuse = _LevelFusion(config)
        self.roi_align = _BoxReader(config, patch_size=patch_size, hidden_size=hidden_size)

    def forward(self, levels: Sequence[Tensor], boxes: Tensor, image_index: Tensor) -> Tensor:
        """Encode the regions of a batch.

        Args:
            levels: `(B, P, C)` patch tokens without CLS of each configured layer of the tower.
            boxes: `(R, 4)` left, top, right, bottom in 0..1, as `engine.images.transforms.region_boxes` gives them.
            image_index: `(R,)` int64, the image of each box.

        Returns:
            `(R, hidden_size)`.
        """
        last = len(levels) - 1
        maps = [tokens.transpose(1, 2).unflatten(2, (self.grid, self.grid)) for tokens in levels]
        maps = [_resized(map_, self.grid * 2 ** (last - level)) for level, map_ in enumerate(maps)]
        return self.roi_align(self.mlvl_fuse(maps), boxes, image_index)


class _LevelFusion(nn.Module):
    """Mixes the levels: each takes half of its channels from its neighbours, several times."""

    def __init__(self, config: RegionEncoderConfig) -> None:
        super().__init__()
        self.input_conv = nn.ModuleList(nn.Conv2d(config.dim + 2, config.dim, 1) for _ in config.layers)
        self.fuse_convs = nn.ModuleList(_ConvNorm(config) for _ in range(_FUSIONS))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """`L` maps `(B, C, s, s)`, the finest first; returns as many of the same shapes."""
        fused = [conv(_with_coordinates(map_)) for conv, map_ in zip(self.input_conv, maps, strict=True)]
        for conv in self.fuse_convs:
            fused = [conv(_shuffled(fused, level)) for level in range(len(fused))]
        return fused


class _ConvNorm(nn.Module):
    """A 3 x 3 convolution, a group norm and a ReLU; all levels share it."""

    def __init__(self, config: RegionEncoderConfig) -> None:
        super().__init__()
        self.conv = nn.Conv2d(config.dim, config.dim, 3, padding=1, bias=False)
        self.gn = nn.GroupNorm(config.groups, config.dim)

    def forward(self, map_: Tensor) -> Tensor:
        """`(B, C, s, s)` to the same shape."""
        return F.relu(self.gn(self.conv(map_)))


class _BoxReader(nn.Module):
    """Samples all levels inside a box and adds where the box is."""

    def __init__(self, config: RegionEncoderConfig, *, patch_size: int, hidden_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.bins, self.box_side = config.bins, config.box_side
        self.pconvs = nn.ModuleList(nn.Conv2d(config.dim, config.dim, 3, padding=1) for _ in config.layers)
        self.pos_embedd = nn.Sequential(
            nn.Linear(4, config.position_dim),
            nn.ReLU(),
            nn.LayerNorm(config.position_dim),
            nn.Linear(config.position_dim, config.dim),
            nn.ReLU(),
            nn.LayerNorm(config.dim),
        )
        self.updims = nn.Linear(config.dim, hidden_size)
        self.flatten_linear = nn.Linear(config.dim * config.bins**2, config.dim)

    def forward(self, maps: Sequence[Tensor], boxes: Tensor, image_index: Tensor) -> Tensor:
        """`L` maps `(B, C, s, s)`, boxes `(R, 4)` and their images `(R,)` to `(R, hidden_size)`."""
        # In float also where the maps are half: bfloat16 places an edge near 224 to the nearest pixel only.
        rois = torch.cat([image_index[:, None].float(), boxes.float() * self.box_side], dim=1)
        read = []
        for level, (conv, map_) in enumerate(zip(self.pconvs, maps, strict=True)):
            cells_per_pixel = 2 ** (len(maps) - 1 - level) / self.patch_size
            sampled = roi_align(map_.float(), rois, self.bins, cells_per_pixel, _SAMPLES, aligned=True)
            read.append(conv(sampled.to(map_.dtype)))
        inside = F.relu(torch.stack(read).sum(dim=0)).flatten(1)
        position = self.pos_embedd(boxes.to(maps[0].dtype))
        return self.updims(self.flatten_linear(inside) + position)


def _with_coordinates(map_: Tensor) -> Tensor:
    """Append the x and the y of each cell, from -1 to 1: `(B, C, s, s)` to `(B, C + 2, s, s)`."""
    line = torch.linspace(-1, 1, map_.shape[-1], device=map_.device)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.cat([map_, torch.stack([x, y]).to(map_.dtype).expand(len(map_), -1, -1, -1)], dim=1)


def _shuffled(maps: Sequence[Tensor], level: int) -> Tensor:
    """A level with its last two quarters of channels replaced: by the last quarter of the next coarser level and
    by the last but one of the next finer level. At the ends, the level itself is its neighbour."""
    own, finer, coarser = maps[level], maps[max(level - 1, 0)], maps[min(level + 1, len(maps) - 1)]
    quarter, side = own.shape[1] // 4, own.shape[-1]
    from_coarser, from_finer = coarser[:, -quarter:], finer[:, -2 * quarter : -quarter]
    return torch.cat([own[:, : -2 * quarter], _resized(from_coarser, side), _resized(from_finer, side)], dim=1)


def _resized(map_: Tensor, side: int) -> Tensor:
    """Bilinear, corner cells on corner cells, computed in float."""
    if map_.shape[-1] == side:
        return map_
    return F.interpolate(map_.float(), (side, side), mode="bilinear", align_corners=True).to(map_.dtype)
