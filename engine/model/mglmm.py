"""MGLMM as one composition: what the two encoders see, what the language model reads, what the decoder draws.

Legend: `B` images, `P` image tokens, `T` text tokens, `D` hidden size of the language model, `N` masks,
`C` channels of the mask decoder, `S` side of the pixel view, `g` side of the image embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from engine.model.config import ClipConfig, LanguageConfig, ModelConfig
from engine.model.global_encoder import ClipTower, PyramidTokens
from engine.model.mask_head import MaskHead
from engine.model.pixel_encoder import PixelFeatures, Pyramid, build_pixel_encoder


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """What is computed once per photograph and serves all its questions.

    Attributes:
        tokens: `(B, P, D)`, projected image tokens.
        embedding: `(B, C, g, g)`, the mask decoder's image embedding.
    """

    tokens: Tensor
    embedding: Tensor


class MGLMM(nn.Module):
    """The network. It knows tensors only: no text, no files, no batching policy."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.pixel_encoder = build_pixel_encoder(config.pixel_encoder)
        self.global_encoder = self._global_encoder(config)
        self.language_model = build_language_model(config.language)
        hidden: int = self.language_model.config.hidden_size
        self.projector = _projector(config.projector, self.global_encoder.channels, hidden)
        self.text_hidden_fcs = nn.Sequential(
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, config.mask_decoder.dim)
        )
        self.mask_head = MaskHead(
            config.mask_decoder, grid=config.pixel_encoder.grid, image_size=config.pixel_encoder.image_size
        )

    def _global_encoder(self, config: ModelConfig) -> ClipTower | PyramidTokens:
        if isinstance(config.global_encoder, ClipConfig):
            return ClipTower(config.global_encoder)
        assert isinstance(self.pixel_encoder, Pyramid)  # ModelConfig has checked it
        return PyramidTokens(
            config.global_encoder, self.pixel_encoder.coarse_channels, config.pixel_encoder.out_channels
        )

    def encode_images(self, pixels: Tensor, view: Tensor | None) -> ImageFeatures:
        """Both encoders and the projector.

        Args:
            pixels: `(B, 3, S, S)`, the pixel view.
            view: `(B, 3, s, s)`, the global view, or None where the global encoder does not need one.
        """
        features: PixelFeatures = self.pixel_encoder(pixels)
        return ImageFeatures(self.projector(self.global_encoder(view, features)), features.embedding)

    def prompt_vectors(self, states: Tensor) -> Tensor:
        """`[SEG]` states `(N, D)` (last layer, after the final norm) to prompt vectors `(N, C)`."""
        return self.text_hidden_fcs(states)


def build_language_model(config: LanguageConfig) -> PreTrainedModel:
    """A causal LM of transformers with random weights; code from a hub is never run."""
    options = AutoConfig.for_model(config.model_type, **config.options)
    return AutoModelForCausalLM.from_config(options, trust_remote_code=False)


def _projector(kind: str, channels: int, hidden: int) -> nn.Module:
    if kind == "linear":
        return nn.Linear(channels, hidden)
    return nn.Sequential(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, hidden))
