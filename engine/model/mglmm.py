"""MGLMM as one composition: what the two encoders see, what the language model reads, what the decoder draws.

Legend: `B` images, `P` image tokens, `T` text tokens, `D` hidden size of the language model, `N` masks,
`C` channels of the mask decoder, `S` side of the pixel view, `g` side of the image embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, Qwen3VLTextConfig

from engine.model.config import ClipConfig, GridConfig, ModelConfig, PyramidTokensConfig, TilesConfig
from engine.model.embedding import ImageEmbedding
from engine.model.global_encoder import ClipTower, PyramidTokens
from engine.model.grids import GridTower
from engine.model.hints import NameHints
from engine.model.language_config import LanguageConfig
from engine.model.mask_head import MaskHead
from engine.model.pixel_encoder import Pyramid, build_pixel_encoder
from engine.model.pixel_features import PixelFeatures
from engine.model.qwen3_vl import Qwen3VLForCausalLM
from engine.model.region_encoder import RegionEncoder
from engine.model.tiles import TileTower

_TILES = 16
"""Tiles that are read in a call: more are no faster each."""


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """What is computed once per photograph and serves all its questions.

    Attributes:
        tokens: `(B, P, D)`, projected image tokens; `(B, P, (1 + K) * D)` where there are `K` deep features of each.
        embedding: what the mask decoder reads; None where the pixel encoder was left out.
    """

    tokens: Tensor
    embedding: ImageEmbedding | None


class MGLMM(nn.Module):
    """The network. It knows tensors only: no text, no files, no batching policy."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.pixel_encoder = build_pixel_encoder(config.pixel_encoder)
        hidden: int = _language_options(config.language).hidden_size
        self.global_encoder = self._global_encoder(config, hidden)
        self.language_model = build_language_model(config.language)
        self.projector = _projector(config.projector, self.global_encoder.channels, hidden)
        self.text_hidden_fcs = nn.Sequential(
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, config.mask_decoder.dim)
        )
        self.mask_head = build_mask_head(config)
        self.region_encoder = _region_encoder(config, hidden)
        self.hints = _hints(config, hidden)

    def _global_encoder(self, config: ModelConfig, hidden: int) -> ClipTower | PyramidTokens | TileTower | GridTower:
        if isinstance(config.global_encoder, GridConfig):
            return GridTower(config.global_encoder, hidden)
        if isinstance(config.global_encoder, TilesConfig):
            return TileTower(config.global_encoder)
        if isinstance(config.global_encoder, ClipConfig):
            return ClipTower(config.global_encoder)
        assert isinstance(self.pixel_encoder, Pyramid)  # ModelConfig has checked it
        channels = [self.pixel_encoder.coarse_channels, config.pixel_encoder.out_channels]
        if config.global_encoder.class_features:
            assert self.pixel_encoder.classifier is not None  # ModelConfig has checked it
            channels.append(self.pixel_encoder.classifier.channels)
        return PyramidTokens(config.global_encoder, channels)

    def encode_images(self, pixels: Tensor | None, view: Tensor | None) -> ImageFeatures:
        """Both encoders and the projector.

        Args:
            pixels: `(B, 3, S, S)`, the pixel view, or None where no mask is wanted.
            view: `(B, 3, s, s)`, the global view, or `(B, T, 3, s, s)`, as many tiles of each, or `(B, 3, h, w)` in one
                grid; None where the global encoder does not need one.

        Raises:
            ValueError: if a view is missing that the global encoder needs.
        """
        return self.image_features(None if pixels is None else self.pixel_encoder(pixels), view)

    def image_features(self, features: PixelFeatures | None, view: Tensor | None) -> ImageFeatures:
        """As `encode_images`, from what the pixel encoder gave."""
        if isinstance(self.global_encoder, TileTower | GridTower):
            if view is None:
                raise ValueError("the global view is needed")
            tokens = torch.stack(self.photograph_tokens(features, list(view)))
            return ImageFeatures(tokens, features.embedding if features else None)
        tokens = self.projector(self.global_encoder(view, features))
        if self.hints is not None:
            assert features is not None and features.classes is not None  # ModelConfig has checked it
            words = self.hints(features.classes, self.language_model.get_input_embeddings())
            tokens = torch.cat([tokens, words.to(tokens.dtype)], dim=1)
        return ImageFeatures(tokens, features.embedding if features else None)

    def photograph_tokens(self, features: PixelFeatures | None, views: Sequence[Tensor]) -> list[Tensor]:
        """Image tokens of photographs that may have different numbers of them, `(P, D)` each, or with deep features.

        Args:
            features: what the pixel encoder gave, `B` images.
            views: of each photograph the global view `(3, s, s)`, its tiles `(T, 3, s, s)` or its grid `(3, h, w)`;
                none where the global encoder needs none.
        """
        if isinstance(self.global_encoder, TileTower):
            return [
                torch.cat([self.projector(self.global_encoder(some)) for some in tiles.split(_TILES)]).flatten(0, 1)
                for tiles in views
            ]
        if isinstance(self.global_encoder, GridTower):
            return [self.projector(self.global_encoder(view)) for view in views]
        view = torch.stack(list(views)) if views else None
        return list(self.image_features(features, view).tokens)

    def prompt_vectors(self, states: Tensor) -> Tensor:
        """`[SEG]` states `(N, D)` of the last layer, as the config says, to float32 prompt vectors `(N, C)`."""
        return self.text_hidden_fcs(states.float())

    def region_vectors(self, view: Tensor, boxes: Tensor, image_index: Tensor) -> Tensor:
        """What the language model reads at the `<bbox>` tokens.

        Args:
            view: `(B, 3, s, s)`, the global view.
            boxes: `(R, 4)`, as `engine.images.transforms.region_boxes` gives them.
            image_index: `(R,)` int64, the image of each box.

        Returns:
            `(R, D)`.

        Raises:
            ValueError: if the model has no region encoder.
        """
        config = self.config.region_encoder
        if config is None or self.region_encoder is None or not isinstance(self.global_encoder, ClipTower):
            raise ValueError(f"model {self.config.name!r} has no region encoder")
        return self.region_encoder(self.global_encoder.hidden(view, config.layers), boxes, image_index)


def build_mask_head(config: ModelConfig) -> MaskHead:
    """The mask head of a model, with random weights."""
    pixel = config.pixel_encoder
    return MaskHead(config.mask_decoder, grid=pixel.grid, image_size=pixel.image_size)


def build_language_model(config: LanguageConfig) -> PreTrainedModel:
    """A causal LM of transformers with random weights; code from a hub is never run."""
    options = _language_options(config)
    if isinstance(options, Qwen3VLTextConfig):
        return Qwen3VLForCausalLM(options)
    return AutoModelForCausalLM.from_config(options, trust_remote_code=False)


def _language_options(config: LanguageConfig) -> Any:
    return AutoConfig.for_model(config.model_type, **config.options)


def _region_encoder(config: ModelConfig, hidden: int) -> RegionEncoder | None:
    if config.region_encoder is None:
        return None
    assert isinstance(config.global_encoder, ClipConfig)  # ModelConfig has checked it
    view = config.global_encoder
    return RegionEncoder(
        config.region_encoder, patch_size=view.patch_size, image_size=view.image_size, hidden_size=hidden
    )


def _hints(config: ModelConfig, hidden: int) -> NameHints | None:
    view = config.global_encoder
    return NameHints(view.hints, hidden) if isinstance(view, PyramidTokensConfig) and view.hints else None


def _projector(kind: str, channels: int, hidden: int) -> nn.Module:
    if kind == "none":
        return nn.Identity()
    if kind == "linear":
        return nn.Linear(channels, hidden)
    norm = [nn.LayerNorm(channels)] if kind == "norm_mlp2x_gelu" else []
    return nn.Sequential(*norm, nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, hidden))
