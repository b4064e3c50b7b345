"""What a model is made of. Every part is a validated, frozen config; unknown keys are errors.

A part that can be exchanged has a `kind`; the kind chooses the class that is built from it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from engine.prompts import TEMPLATES


class Part(BaseModel):
    """Base of all configs: immutable, and strict about keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class ClipConfig(Part):
    """CLIP vision tower as the global encoder (patch tokens of one hidden layer, no CLS token)."""

    kind: Literal["clip"] = "clip"
    image_size: PositiveInt = 336
    patch_size: PositiveInt = 14
    hidden_size: PositiveInt = 1024
    intermediate_size: PositiveInt = 4096
    num_hidden_layers: PositiveInt = 24
    num_attention_heads: PositiveInt = 16
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = Field(1e-5, gt=0)
    select_layer: int = -2

    @model_validator(mode="after")
    def _layer_is_there(self) -> ClipConfig:
        if not -self.num_hidden_layers - 1 <= self.select_layer <= self.num_hidden_layers:
            raise ValueError(f"select_layer {self.select_layer} is not of a tower of {self.num_hidden_layers} layers")
        return self

    @property
    def tokens(self) -> int:
        """Image tokens per photograph."""
        return (self.image_size // self.patch_size) ** 2


class RegionEncoderConfig(Part):
    """GLaMM's region encoder: a box on several hidden layers of the CLIP tower becomes one vector.

    Attributes:
        layers: hidden layers of the tower, the finest map first.
        dim: channels inside; those of the tower.
        groups: of the group norms.
        position_dim: hidden size of the box embedding.
        bins: side of the grid that RoIAlign samples.
        box_side: pixels of the CLIP view that a whole side of a box stands for. GLaMM kept 224 from GPT4RoI, whose view
            has 224 pixels, when it went to 336: its boxes read the upper left two thirds of the maps, and its weights
            were trained so.
    """

    layers: tuple[int, ...] = (-11, -8, -5, -2)
    dim: PositiveInt = 1024
    groups: PositiveInt = 64
    position_dim: PositiveInt = 256
    bins: PositiveInt = 14
    box_side: PositiveInt = 224

    @model_validator(mode="after")
    def _channels_divide(self) -> RegionEncoderConfig:
        if self.dim % 4 or self.dim % self.groups:
            raise ValueError(f"dim {self.dim} must be a multiple of 4 and of groups ({self.groups})")
        return self


class PyramidTokensConfig(Part):
    """Global tokens taken from the pixel encoder's pyramid, so that one backbone serves both views."""

    kind: Literal["pyramid_tokens"] = "pyramid_tokens"
    tokens_per_side: PositiveInt = 12

    @property
    def tokens(self) -> int:
        """Image tokens per photograph."""
        return self.tokens_per_side**2


class SamEncoderConfig(Part):
    """SAM's ViT as the pixel encoder (defaults: ViT-H)."""

    kind: Literal["sam_vit"] = "sam_vit"
    image_size: PositiveInt = 1024
    patch_size: PositiveInt = 16
    embed_dim: PositiveInt = 1280
    depth: PositiveInt = 32
    num_heads: PositiveInt = 16
    global_attn_indexes: tuple[int, ...] = (7, 15, 23, 31)
    window_size: int = Field(14, ge=0)
    out_channels: PositiveInt = 256
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)

    @property
    def grid(self) -> int:
        """Side of the image embedding."""
        return self.image_size // self.patch_size


class PyramidConfig(Part):
    """A convolutional backbone of timm with a feature pyramid that ends on the mask decoder's grid."""

    kind: Literal["pyramid"] = "pyramid"
    backbone: str = "tf_efficientnet_lite0"
    image_size: PositiveInt = 384
    out_channels: PositiveInt = 128
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    std: tuple[float, float, float] = (127.5, 127.5, 127.5)

    @property
    def grid(self) -> int:
        """Side of the image embedding: one cell for 12 x 12 pixels (3 x 3 cells of the stride-4 level)."""
        return self.image_size // 12

    @model_validator(mode="after")
    def _grid_is_whole(self) -> PyramidConfig:
        if self.image_size % 96:
            raise ValueError(f"image_size must be a multiple of 96, got {self.image_size}")
        return self


class LanguageConfig(Part):
    """Any Llama-family causal LM of transformers: its `model_type` and the options of its config class."""

    model_type: str = "llama"
    options: dict[str, Any]


class MaskDecoderConfig(Part):
    """SAM's prompt encoder and mask decoder."""

    dim: PositiveInt = 256
    depth: PositiveInt = 2
    mlp_dim: PositiveInt = 2048
    num_heads: PositiveInt = 8
    num_multimask_outputs: PositiveInt = 3


class ModelConfig(Part):
    """One MGLMM: a composition of exchangeable parts.

    Attributes:
        seg_state_offset: which hidden state is the mask prompt, relative to the `[SEG]` token: -1 is the state
            that predicts it (MGLMM, GLaMM, LISA), 0 the token's own.
        template: name of the chat template.
        max_new_tokens: longest answer that the model was made for.
        region_encoder: what turns a box into the vector of a `<bbox>` token, where the model has one.
    """

    name: str
    global_encoder: Annotated[ClipConfig | PyramidTokensConfig, Field(discriminator="kind")]
    projector: Literal["linear", "mlp2x_gelu"] = "mlp2x_gelu"
    language: LanguageConfig
    pixel_encoder: Annotated[SamEncoderConfig | PyramidConfig, Field(discriminator="kind")]
    mask_decoder: MaskDecoderConfig = MaskDecoderConfig()
    seg_state_offset: Literal[-1, 0] = -1
    template: str = "llava_v1"
    max_new_tokens: PositiveInt = 512
    region_encoder: RegionEncoderConfig | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> ModelConfig:
        if self.template not in TEMPLATES:
            raise ValueError(f"unknown template {self.template!r}; known: {', '.join(TEMPLATES)}")
        if self.pixel_encoder.out_channels != self.mask_decoder.dim:
            raise ValueError(
                f"pixel_encoder.out_channels ({self.pixel_encoder.out_channels}) must equal "
                f"mask_decoder.dim ({self.mask_decoder.dim})"
            )
        if self.region_encoder is not None:
            tower = self.global_encoder
            if not (isinstance(tower, ClipConfig) and tower.hidden_size == self.region_encoder.dim):
                raise ValueError("region_encoder needs a CLIP global_encoder of the same width")
            if not all(-tower.num_hidden_layers - 1 <= layer < 0 for layer in self.region_encoder.layers):
                raise ValueError(f"region_encoder.layers must be of the tower: -{tower.num_hidden_layers + 1} to -1")
        if self.global_encoder.kind == "pyramid_tokens" and self.pixel_encoder.kind != "pyramid":
            raise ValueError("global_encoder 'pyramid_tokens' needs pixel_encoder 'pyramid'")
        return self
