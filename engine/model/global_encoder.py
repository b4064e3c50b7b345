"""Global encoders: the whole photograph to a row of image tokens for the language model.

Legend: `B` images, `P` image tokens, `D` channels of a token before the projector.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from engine.model.config import ClipConfig, PyramidTokensConfig
from engine.model.pixel_features import PixelFeatures


class ClipTower(nn.Module):
    """Patch tokens of the hidden layers of a CLIP vision tower; the CLS token is dropped."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.select_layer = config.select_layer
        self.channels = config.hidden_size
        self.tower = CLIPVisionModel(
            CLIPVisionConfig(
                image_size=config.image_size,
                patch_size=config.patch_size,
                hidden_size=config.hidden_size,
                intermediate_size=config.intermediate_size,
                num_hidden_layers=config.num_hidden_layers,
                num_attention_heads=config.num_attention_heads,
                hidden_act=config.hidden_act,
                layer_norm_eps=config.layer_norm_eps,
            )
        )

    def forward(self, view: Tensor | None, features: PixelFeatures | None) -> Tensor:
        """`view` `(B, 3, s, s)`, the CLIP view; returns `(B, P, D)`."""
        if view is None:
            raise ValueError("a CLIP tower needs the global view")
        return self.hidden(view, [self.select_layer])[0]

    def hidden(self, view: Tensor, layers: Sequence[int]) -> tuple[Tensor, ...]:
        """Patch tokens of several hidden layers; the tower runs once, and no further than the highest of them.

        Args:
            view: `(B, 3, s, s)`, the CLIP view.
            layers: 0 is what enters the first layer, `n` what layer `n` gives; -1 is the last.

        Returns:
            For each of `layers`, in their order, `(B, P, D)`.

        Raises:
            ValueError: if the tower lacks one of the layers.
        """
        blocks = self.tower.encoder.layers
        wanted = [layer if layer >= 0 else layer + len(blocks) + 1 for layer in layers]
        if not all(0 <= layer <= len(blocks) for layer in wanted):
            raise ValueError(f"hidden layers {list(layers)} of a CLIP tower with {len(blocks)} layers")
        state = self.tower.pre_layrnorm(self.tower.embeddings(view))
        kept = {0: state}
        for number, block in enumerate(blocks[: max(wanted)], start=1):
            state = block(state, None)
            if number in wanted:
                kept[number] = state
        return tuple(kept[layer][:, 1:] for layer in wanted)


class PyramidTokens(nn.Module):
    """Tokens from the pixel encoder's features on one coarse grid: its last level, its embedding, and what the
    backbone's own classifier reads where that is asked for.

    Args:
        config: of the tokens.
        channels: of each of these features, in that order.

    Attributes:
        class_features: whether there are those of the classifier.
        drop_rate: how often a photograph has the features of the classifier alone while it is trained on: what is
            learned from few photographs must not make up for what the classifier knows from many.
    """

    def __init__(self, config: PyramidTokensConfig, channels: Sequence[int]) -> None:
        super().__init__()
        self.side = config.tokens_per_side
        self.channels = sum(channels)
        self.class_features = config.class_features
        self.drop_rate = 0.0
        self.position = nn.Parameter(torch.zeros(self.side**2, self.channels))

    def forward(self, view: Tensor | None, features: PixelFeatures | None) -> Tensor:
        """Returns `(B, P, D)`; `view` is not looked at, since one backbone serves both views."""
        if features is None or features.coarse is None:
            raise ValueError("pyramid tokens need the features of a pixel encoder with a pyramid")
        size = (self.side, self.side)
        maps = [features.coarse, features.embedding.grid]
        if self.class_features:
            assert features.classes is not None  # ModelConfig has checked it
            if self.training and self.drop_rate:
                kept = torch.rand(len(features.coarse), 1, 1, 1, device=features.coarse.device) >= self.drop_rate
                maps = [one * kept for one in maps]
            maps.append(features.classes.features)
        pooled = torch.cat([F.adaptive_avg_pool2d(one, size) for one in maps], dim=1)
        return pooled.flatten(2).transpose(1, 2) + self.position
