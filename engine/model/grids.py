"""Qwen3-VL's vision tower, which reads a photograph in a grid of its own proportion (`engine.images.grids` makes it).

Legend: `h x w` pixels of the view, `P` image tokens, `D` hidden size of the language model, `K` deep features.

Source: Qwen3-VL (arXiv 2511.21631); DeepStack (arXiv 2406.04334).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import Qwen3VLVisionConfig, Qwen3VLVisionModel
from transformers.vision_utils import get_vision_interpolation_indices_and_weights, get_vision_position_ids

from engine.model.config import GridConfig


class GridTower(nn.Module):
    """Image tokens, and behind each of them in the same row what is added to it inside the language model.

    Args:
        config: of the tower.
        width: of the language model, `D`.
    """

    def __init__(self, config: GridConfig, width: int) -> None:
        super().__init__()
        self.channels = width
        self._patch, self._merge, self._frames = config.patch_size, config.merge, config.frames
        self._positions = config.position_side
        self.tower = Qwen3VLVisionModel(
            Qwen3VLVisionConfig(
                depth=config.num_hidden_layers,
                hidden_size=config.hidden_size,
                hidden_act=config.hidden_act,
                intermediate_size=config.intermediate_size,
                num_heads=config.num_attention_heads,
                patch_size=config.patch_size,
                spatial_merge_size=config.merge,
                temporal_patch_size=config.frames,
                out_hidden_size=width,
                num_position_embeddings=config.position_side**2,
                deepstack_visual_indexes=list(config.deep),
            )
        )

    def forward(self, view: Tensor) -> Tensor:
        """`view` `(3, h, w)`; returns `(P, (1 + K) * D)`, tokens row by row, the features of the first block first."""
        rows, columns = view.shape[1] // self._patch, view.shape[2] // self._patch
        # On the CPU whatever the device: these are lengths that torch asks for, and a GPU would be waited for.
        grid = torch.tensor([[1, rows, columns]], device="cpu")
        places, shares = get_vision_interpolation_indices_and_weights(
            grid, self._positions, self.tower.interpolation_mode, self.tower.interpolation_align_corners, self._merge
        )
        found = self.tower(
            self.patches(view),
            grid,
            interp_indices=places.to(view.device),
            interp_weights=shares.to(view.device),
            position_ids=get_vision_position_ids(grid, self._merge).to(view.device),
            cu_seqlens=torch.tensor([0, rows * columns], dtype=torch.int32, device="cpu"),
        )
        return torch.cat([found.pooler_output, *found.deepstack_features], dim=-1)

    def patches(self, view: Tensor) -> Tensor:
        """The patches of each token together: `(4 P, 3 * frames * patch * patch)` where four are merged."""
        patch, merge = self._patch, self._merge
        rows, columns = view.shape[1] // (merge * patch), view.shape[2] // (merge * patch)
        cells = view.reshape(3, rows, merge, patch, columns, merge, patch).permute(1, 4, 2, 5, 0, 3, 6)
        # A film of one picture, again and again.
        film = cells[..., None, :, :].expand(*cells.shape[:5], self._frames, patch, patch)
        return film.reshape(rows * columns * merge**2, -1)
