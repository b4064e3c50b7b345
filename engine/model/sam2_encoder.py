"""SAM 2's image encoder: one photograph to the image embedding and the two finer maps that its mask decoder reads.

Of SAM 2 this is what a single photograph needs; memory is for films. Hiera and its feature pyramid are those of
transformers.

Legend: `B` images, `S` side of the pixel view, `C` channels of the embedding, `g` side of the grid.

Source: SAM 2, arXiv 2408.00714.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import Sam2HieraDetConfig, Sam2VisionConfig, Sam2VisionModel

from engine.model.config import Sam2EncoderConfig
from engine.model.embedding import ImageEmbedding
from engine.model.pixel_features import PixelFeatures


class Sam2PixelEncoder(nn.Module):
    """Hiera, the pyramid, and what leads from them to the mask decoder's channels."""

    def __init__(self, config: Sam2EncoderConfig) -> None:
        super().__init__()
        dim = config.out_channels
        self.vision = Sam2VisionModel(_vision_config(config))
        self.conv_s0 = nn.Conv2d(dim, dim // 8, kernel_size=1)
        self.conv_s1 = nn.Conv2d(dim, dim // 4, kernel_size=1)
        self.no_memory = nn.Parameter(torch.zeros(1, 1, dim))
        """Stands for the memory that a single photograph does not have."""

    def forward(self, pixels: Tensor) -> PixelFeatures:
        """`pixels` `(B, 3, S, S)`, normalised; the grid `(B, C, g, g)` and maps of twice and four times its side."""
        fine, middle, grid = self.vision(pixels).fpn_hidden_states
        grid = grid + self.no_memory.reshape(1, -1, 1, 1)
        return PixelFeatures(ImageEmbedding(grid, (self.conv_s1(middle), self.conv_s0(fine))), None)


def _vision_config(config: Sam2EncoderConfig) -> Sam2VisionConfig:
    side = config.image_size
    backbone = Sam2HieraDetConfig(
        hidden_size=config.dims[0],
        num_attention_heads=config.heads[0],
        image_size=[side, side],
        window_positional_embedding_background_size=[config.background, config.background],
        blocks_per_stage=list(config.blocks),
        embed_dim_per_stage=list(config.dims),
        num_attention_heads_per_stage=list(config.heads),
        window_size_per_stage=list(config.windows),
        global_attention_blocks=list(config.global_blocks),
    )
    return Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=list(reversed(config.dims)),
        backbone_feature_sizes=[[side // stride] * 2 for stride in (4, 8, 16)],
        fpn_hidden_size=config.out_channels,
    )
