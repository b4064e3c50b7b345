"""An InternViT that reads a photograph tile by tile (`engine.images.tiling` cuts them).

Legend: `T` tiles, `s` side of a tile, `P` image tokens of a tile, `D` channels of a token before the projector.

Source: InternVL 1.5 (arXiv 2404.16821), section 3.
"""

from __future__ import annotations

from torch import Tensor, nn
from transformers import InternVLVisionConfig, InternVLVisionModel

from engine.model.config import TilesConfig


class TileTower(nn.Module):
    """Patch tokens of the last layer, four neighbours joined in one; the CLS token is dropped."""

    def __init__(self, config: TilesConfig) -> None:
        super().__init__()
        self.side = config.image_size // config.patch_size
        self.channels = 4 * config.hidden_size
        self.tower = InternVLVisionModel(
            InternVLVisionConfig(
                hidden_size=config.hidden_size,
                num_hidden_layers=config.num_hidden_layers,
                num_attention_heads=config.num_attention_heads,
                intermediate_size=config.intermediate_size,
                attention_bias=config.attention_bias,
                use_qk_norm=config.use_qk_norm,
                norm_type=config.norm,
                layer_norm_eps=config.layer_norm_eps,
                image_size=[config.image_size, config.image_size],
                patch_size=[config.patch_size, config.patch_size],
                use_mean_pooling=True,  # which leaves out the final norm
            )
        )

    def forward(self, tiles: Tensor) -> Tensor:
        """`tiles` `(T, 3, s, s)`; returns `(T, P, D)`."""
        states = self.tower(tiles).last_hidden_state[:, 1:]
        half = self.side // 2
        # Row by row: the upper two patches, then the lower two.
        cells = states.reshape(len(states), half, 2, half, 2, -1).permute(0, 1, 3, 2, 4, 5)
        return cells.reshape(len(states), half * half, -1)
