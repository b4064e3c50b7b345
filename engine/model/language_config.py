"""What a language model is made of, in the words of transformers, as far as a config may say it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, field_validator

from engine.model.config_part import Activation, Heads, Layers, Part, Width

LanguageType = Literal["llama", "mistral", "qwen2", "qwen3", "qwen3_vl_text"]


class _Rope(Part):
    """Rotary positions, in the words of transformers; in sections, those of an image have three axes."""

    rope_type: Literal["default", "linear", "dynamic", "yarn", "longrope", "llama3"] = "default"
    rope_theta: PositiveFloat | None = None
    factor: PositiveFloat | None = None
    original_max_position_embeddings: Width | None = None
    attention_factor: PositiveFloat | None = None
    partial_rotary_factor: PositiveFloat | None = None
    beta_fast: PositiveFloat | None = None
    beta_slow: PositiveFloat | None = None
    low_freq_factor: PositiveFloat | None = None
    high_freq_factor: PositiveFloat | None = None
    mscale: PositiveFloat | None = None
    mscale_all_dim: PositiveFloat | None = None
    truncate: bool | None = None
    short_factor: Annotated[list[PositiveFloat], Field(max_length=4096)] | None = None
    mrope_section: tuple[Heads, Heads, Heads] | None = None
    mrope_interleaved: Literal[True] | None = None
    long_factor: Annotated[list[PositiveFloat], Field(max_length=4096)] | None = None


class LanguageOptions(Part):
    """What may be said of a language model's layers; what is left out is as in its config class of transformers.

    Others have no place here: some of transformers' options name code that it would fetch and run.
    """

    vocab_size: int | None = Field(None, strict=True, ge=1, le=1 << 22)
    hidden_size: Width | None = None
    intermediate_size: Width | None = None
    num_hidden_layers: Layers | None = None
    num_attention_heads: Heads | None = None
    num_key_value_heads: Heads | None = None
    head_dim: Width | None = None
    hidden_act: Activation | None = None
    max_position_embeddings: int | None = Field(None, strict=True, ge=1, le=1 << 24)
    rms_norm_eps: float | None = Field(None, gt=0, lt=1)
    initializer_range: float | None = Field(None, ge=0, le=1)
    attention_dropout: float | None = Field(None, ge=0, lt=1)
    attention_bias: bool | None = None
    mlp_bias: bool | None = None
    tie_word_embeddings: bool | None = None
    rope_parameters: _Rope | None = None
    rope_theta: PositiveFloat | None = None
    sliding_window: Width | None = None
    use_sliding_window: bool | None = None
    max_window_layers: int | None = Field(None, strict=True, ge=0, le=512)
    layer_types: Annotated[list[Literal["full_attention", "sliding_attention"]], Field(max_length=512)] | None = None
    pretraining_tp: Heads | None = None


class LanguageConfig(Part):
    """A causal LM of transformers: its `model_type`, and which of the `LanguageOptions` are not as in its class."""

    model_type: LanguageType = "llama"
    options: dict[str, Any]

    @property
    def has_axes(self) -> bool:
        """Whether its rotary positions have three axes, so that it asks where an image token lies."""
        return self.model_type == "qwen3_vl_text"

    @field_validator("options")
    @classmethod
    def _options_are_known(cls, options: dict[str, Any]) -> dict[str, Any]:
        LanguageOptions.model_validate(options)
        return options
