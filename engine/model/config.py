"""What a model is made of. Every part is a validated, frozen config; unknown keys are errors.

A part that can be exchanged has a `kind`; the kind chooses the class that is built from it.

A config may come from a stranger: sizes have limits far beyond those of any model there is, and nothing in it can name
code or files to fetch.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, model_validator

from engine.model.config_part import MOST_TOKENS, Activation, Factor, Heads, Layers, Part, Pixels, Width, check_heads
from engine.model.grid_config import GridConfig
from engine.model.language_config import LanguageConfig
from engine.text.prompts import TEMPLATES

Triple = tuple[PositiveFloat, PositiveFloat, PositiveFloat]
Fit = Literal["pad", "squash"]
"""A photograph's sides keep their proportion, and zeros fill the square; or both become the square's."""

MaskScore = Literal["mean_probability", "predicted_iou"]

ProjectorKind = Literal["none", "linear", "mlp2x_gelu", "norm_mlp2x_gelu"]
"""With "none", the global encoder gives tokens of the language model's width itself."""


class ClipConfig(Part):
    """CLIP vision tower as the global encoder (patch tokens of one hidden layer, no CLS token)."""

    kind: Literal["clip"] = "clip"
    image_size: Pixels = 336
    patch_size: Pixels = 14
    hidden_size: Width = 1024
    intermediate_size: Width = 4096
    num_hidden_layers: Layers = 24
    num_attention_heads: Heads = 16
    hidden_act: Activation = "quick_gelu"
    layer_norm_eps: float = Field(1e-5, gt=0, lt=1)
    select_layer: int = -2

    @model_validator(mode="after")
    def _sizes_fit(self) -> ClipConfig:
        _check_grid(self.image_size, self.patch_size)
        check_heads("hidden_size", self.hidden_size, "num_attention_heads", self.num_attention_heads)
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

    layers: tuple[int, ...] = Field((-11, -8, -5, -2), min_length=1, max_length=16)
    dim: Width = 1024
    groups: Width = 64
    position_dim: Width = 256
    bins: int = Field(14, strict=True, ge=1, le=64)
    box_side: Pixels = 224

    @model_validator(mode="after")
    def _channels_divide(self) -> RegionEncoderConfig:
        if self.dim % 4 or self.dim % self.groups:
            raise ValueError(f"dim {self.dim} must be a multiple of 4 and of groups ({self.groups})")
        return self


class TilesConfig(Part):
    """An InternViT as the global encoder, over tiles of the photograph and a thumbnail of it.

    The defaults are those of InternViT-300M. Source: InternVL 1.5 (arXiv 2404.16821), section 3.

    Attributes:
        image_size: side of a tile.
        norm: of the layers.
        most_tiles: in which a photograph is cut; a thumbnail of the whole comes behind several.
        repeats_regions: a question about a region holds once more those image tokens of the last tile that it covers.
    """

    kind: Literal["tiles"] = "tiles"
    image_size: Pixels = 448
    patch_size: Pixels = 14
    hidden_size: Width = 1024
    intermediate_size: Width = 4096
    num_hidden_layers: Layers = 24
    num_attention_heads: Heads = 16
    attention_bias: bool = True
    use_qk_norm: bool = False
    norm: Literal["layer_norm", "rms_norm"] = "layer_norm"
    layer_norm_eps: float = Field(1e-6, gt=0, lt=1)
    most_tiles: int = Field(12, strict=True, ge=1, le=64)
    repeats_regions: bool = False

    @model_validator(mode="after")
    def _sizes_fit(self) -> TilesConfig:
        _check_grid(self.image_size, self.patch_size)
        check_heads("hidden_size", self.hidden_size, "num_attention_heads", self.num_attention_heads)
        if self.image_size % (2 * self.patch_size):
            raise ValueError(f"image_size {self.image_size} must be a multiple of two patches of {self.patch_size}")
        return self

    @property
    def tokens_per_tile(self) -> int:
        """Four patches are one token."""
        return (self.image_size // self.patch_size // 2) ** 2

    @property
    def tokens(self) -> int:
        """Image tokens of the photograph that has the most."""
        return self.tokens_per_tile * (self.most_tiles + (self.most_tiles > 1))


class HintsConfig(Part):
    """Names that the backbone's own classifier has for a photograph, as words behind its image tokens.

    Attributes:
        classes: of the classifier.
        names: how many names they have; several classes may share one.
        count: how many of them are given, the likeliest ones.
        tokens: of each; a shorter name is padded.
    """

    classes: Width = 1000
    names: Width
    count: int = Field(8, strict=True, ge=1, le=64)
    tokens: int = Field(4, strict=True, ge=1, le=16)


class PyramidTokensConfig(Part):
    """Global tokens taken from the pixel encoder's pyramid, so that one backbone serves both views.

    Attributes:
        class_features: the features that the backbone's own classifier reads, beside those of the pyramid.
        hints: the names that it reads in them.
    """

    kind: Literal["pyramid_tokens"] = "pyramid_tokens"
    tokens_per_side: int = Field(12, strict=True, ge=1, le=256)
    class_features: bool = False
    hints: HintsConfig | None = None

    @property
    def tokens(self) -> int:
        """Image tokens per photograph."""
        return self.tokens_per_side**2 + (self.hints.count * self.hints.tokens if self.hints else 0)

    @property
    def needs_classifier(self) -> bool:
        """Whether the pixel encoder must keep the classifier of its backbone."""
        return self.class_features or self.hints is not None


class SamEncoderConfig(Part):
    """SAM's ViT as the pixel encoder (defaults: ViT-H)."""

    kind: Literal["sam_vit"] = "sam_vit"
    image_size: Pixels = 1024
    patch_size: Pixels = 16
    embed_dim: Width = 1280
    depth: Layers = 32
    num_heads: Heads = 16
    global_attn_indexes: tuple[int, ...] = (7, 15, 23, 31)
    window_size: int = Field(14, strict=True, ge=0, le=512)
    out_channels: Width = 256
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: Triple = (58.395, 57.12, 57.375)

    @model_validator(mode="after")
    def _sizes_fit(self) -> SamEncoderConfig:
        _check_grid(self.image_size, self.patch_size)
        check_heads("embed_dim", self.embed_dim, "num_heads", self.num_heads)
        if not all(0 <= index < self.depth for index in self.global_attn_indexes):
            raise ValueError(f"global_attn_indexes must be of the encoder's {self.depth} blocks")
        return self

    @property
    def grid(self) -> int:
        """Side of the image embedding."""
        return self.image_size // self.patch_size

    @property
    def upscaling(self) -> None:
        """There are no finer maps."""
        return None

    @property
    def fit(self) -> Fit:
        """How a photograph lies in the pixel view."""
        return "pad"


class Sam2EncoderConfig(Part):
    """SAM 2's image encoder, Hiera and a feature pyramid (arXiv 2408.00714); defaults: Hiera-L.

    Attributes:
        blocks, dims, heads, windows: of each of its four stages.
        global_blocks: those whose attention sees the whole.
        mean, std: of the 256 steps of a channel, over `scale`.
    """

    kind: Literal["sam2_hiera"] = "sam2_hiera"
    image_size: Pixels = 1024
    blocks: tuple[Layers, Layers, Layers, Layers] = (2, 6, 36, 4)
    dims: tuple[Width, Width, Width, Width] = (144, 288, 576, 1152)
    heads: tuple[Heads, Heads, Heads, Heads] = (2, 4, 8, 16)
    windows: tuple[Heads, Heads, Heads, Heads] = (8, 4, 16, 8)
    global_blocks: tuple[int, ...] = Field((23, 33, 43), max_length=64)
    background: Pixels = 7
    out_channels: Width = 256
    scale: PositiveFloat = 255.0
    mean: tuple[float, float, float] = (0.484375, 0.455078125, 0.40625)
    std: Triple = (0.228515625, 0.2236328125, 0.224609375)

    @model_validator(mode="after")
    def _sizes_fit(self) -> Sam2EncoderConfig:
        if self.image_size % 32:
            raise ValueError(f"image_size must be a multiple of 32, got {self.image_size}")
        for dim, heads in zip(self.dims, self.heads, strict=True):
            check_heads("dims", dim, "heads", heads)
        if not all(0 <= block < sum(self.blocks) for block in self.global_blocks):
            raise ValueError(f"global_blocks must be of the encoder's {sum(self.blocks)} blocks")
        if self.out_channels % 8:
            raise ValueError(f"out_channels must be a multiple of 8, got {self.out_channels}")
        return self

    @property
    def grid(self) -> int:
        """Side of the image embedding."""
        return self.image_size // 16

    @property
    def upscaling(self) -> tuple[int, int]:
        """What leads from the grid to the levels of stride 8 and 4."""
        return 2, 2

    @property
    def fit(self) -> Fit:
        """How a photograph lies in the pixel view."""
        return "squash"


class PyramidConfig(Part):
    """A convolutional backbone of timm with a feature pyramid that ends on the mask decoder's grid.

    Attributes:
        high_res: finer maps for the mask decoder too, of a quarter and an eighth of the channels.
        classifier: the backbone's own classifier too. Its last stages are kept apart, as they were before training.
    """

    kind: Literal["pyramid"] = "pyramid"
    backbone: str = Field("tf_efficientnet_lite0", pattern=r"^[a-z][a-z0-9_]{0,99}$")
    image_size: Pixels = 384
    out_channels: Width = 128
    high_res: bool = False
    classifier: bool = False
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    std: Triple = (127.5, 127.5, 127.5)

    @property
    def grid(self) -> int:
        """Side of the image embedding: one cell for 12 x 12 pixels (3 x 3 cells of the stride-4 level)."""
        return self.image_size // 12

    @property
    def upscaling(self) -> tuple[int, int] | None:
        """What leads from the grid to the levels of stride 4 and 2, which are the finer maps; None without them."""
        return (3, 2) if self.high_res else None

    @property
    def fit(self) -> Fit:
        """How a photograph lies in the pixel view."""
        return "pad"

    @model_validator(mode="after")
    def _grid_is_whole(self) -> PyramidConfig:
        if self.image_size % 96:
            raise ValueError(f"image_size must be a multiple of 96, got {self.image_size}")
        return self


class MaskDecoderConfig(Part):
    """SAM's prompt encoder and mask decoder.

    Attributes:
        upscaling: how many times larger each of its two steps makes the grid.
        high_res: whether a finer map of the pixel encoder is added at each of them, as in SAM 2.
        padding_prompts: prompts for no point that stand before the prompt vector.
        object_score: whether there is a token for the presence of the object, before the others.
        best: which mask counts: the single one, or that of the others for which the decoder predicts the highest IoU.
    """

    dim: Width = 256
    depth: Layers = 2
    mlp_dim: Width = 2048
    num_heads: Heads = 8
    num_multimask_outputs: int = Field(3, strict=True, ge=1, le=64)
    upscaling: tuple[Factor, Factor] = (2, 2)
    high_res: bool = False
    padding_prompts: int = Field(0, strict=True, ge=0, le=16)
    object_score: bool = False
    best: Literal["single", "predicted_iou"] = "single"


class ModelConfig(Part):
    """One MGLMM: a composition of exchangeable parts.

    Attributes:
        seg_state_offset: which hidden state is the mask prompt, relative to the `[SEG]` token: -1 is the state
            that predicts it (MGLMM, GLaMM, LISA), 0 the token's own.
        seg_state_normed: whether it is taken behind the language model's final norm or before.
        template: name of the chat template.
        max_new_tokens: longest answer that the model was made for.
        region_encoder: what turns a box into the vector of a `<bbox>` token, where the model has one.
    """

    name: str = Field(max_length=1000)
    global_encoder: Annotated[ClipConfig | PyramidTokensConfig | TilesConfig | GridConfig, Field(discriminator="kind")]
    projector: ProjectorKind = "mlp2x_gelu"
    language: LanguageConfig
    pixel_encoder: Annotated[SamEncoderConfig | Sam2EncoderConfig | PyramidConfig, Field(discriminator="kind")]
    mask_decoder: MaskDecoderConfig = MaskDecoderConfig()
    seg_state_offset: Literal[-1, 0] = -1
    seg_state_normed: bool = True
    template: str = "llava_v1"
    max_new_tokens: int = Field(512, strict=True, ge=1, le=1 << 17)
    region_encoder: RegionEncoderConfig | None = None

    @property
    def low_res_side(self) -> int:
        """Side of the low-res masks."""
        return self.pixel_encoder.grid * math.prod(self.mask_decoder.upscaling)

    @property
    def mask_score(self) -> MaskScore:
        """What the score of a mask is."""
        return "predicted_iou" if self.mask_decoder.best == "predicted_iou" else "mean_probability"

    @model_validator(mode="after")
    def _parts_fit(self) -> ModelConfig:
        if self.template not in TEMPLATES:
            raise ValueError(f"unknown template {self.template!r}; known: {', '.join(TEMPLATES)}")
        if self.pixel_encoder.out_channels != self.mask_decoder.dim:
            raise ValueError(
                f"pixel_encoder.out_channels ({self.pixel_encoder.out_channels}) must equal "
                f"mask_decoder.dim ({self.mask_decoder.dim})"
            )
        finer = self.pixel_encoder.upscaling
        if self.mask_decoder.high_res and self.mask_decoder.upscaling != finer:
            raise ValueError(
                f"mask_decoder.high_res with upscaling {self.mask_decoder.upscaling}: the pixel encoder gives "
                + (f"maps for {finer}" if finer else "no finer maps")
            )
        if (self.projector == "none") != isinstance(self.global_encoder, GridConfig):
            raise ValueError("projector 'none' is for global_encoder 'grid', which needs no other")
        if isinstance(self.global_encoder, GridConfig):
            if not self.language.has_axes:
                raise ValueError("global_encoder 'grid' needs a language model of type 'qwen3_vl_text'")
            if len(self.global_encoder.deep) > self.language.options.get("num_hidden_layers", math.inf):
                raise ValueError("global_encoder.deep: the language model has fewer layers")
        if self.region_encoder is not None:
            tower = self.global_encoder
            if not (isinstance(tower, ClipConfig) and tower.hidden_size == self.region_encoder.dim):
                raise ValueError("region_encoder needs a CLIP global_encoder of the same width")
            if not all(-tower.num_hidden_layers - 1 <= layer < 0 for layer in self.region_encoder.layers):
                raise ValueError(f"region_encoder.layers must be of the tower: -{tower.num_hidden_layers + 1} to -1")
        if isinstance(self.global_encoder, PyramidTokensConfig):
            if not isinstance(self.pixel_encoder, PyramidConfig):
                raise ValueError("global_encoder 'pyramid_tokens' needs pixel_encoder 'pyramid'")
            if self.global_encoder.needs_classifier and not self.pixel_encoder.classifier:
                raise ValueError(
                    "global_encoder reads the backbone's classifier: pixel_encoder.classifier must be true"
                )
        return self


def _check_grid(image_size: int, patch_size: int) -> None:
    if not 1 <= image_size // patch_size <= MOST_TOKENS**0.5:
        raise ValueError(
            f"an image of {image_size} pixels in patches of {patch_size}: from 1 to {MOST_TOKENS} are taken"
        )
