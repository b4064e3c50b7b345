"""What the tower is made of that reads a photograph in a grid of its own proportion, and how large that grid may be."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from engine.model.config_part import MOST_TOKENS, Activation, Factor, Heads, Layers, Part, Pixels, Width, check_heads


class GridConfig(Part):
    """Qwen3-VL's vision tower as the global encoder, over the whole photograph in a grid of its own proportion.

    The defaults are those of Qwen3-VL-2B and 4B. Source: Qwen3-VL (arXiv 2511.21631).

    Attributes:
        merge: side of the block of patches that becomes a token.
        frames: of a patch; a photograph is given so many times.
        position_side: of the learned grid of positions, which is stretched over the photograph.
        deep: blocks whose features are tokens too, added behind the first layers of the language model.
        first_multiple: the photograph's sides become multiples of it first.
        first_least, first_most: pixels that it has then.
        least_pixels, most_pixels: that it has at the end, with sides that are multiples of a token's.
    """

    kind: Literal["grid"] = "grid"
    patch_size: Pixels = 16
    merge: Factor = 2
    frames: Factor = 2
    hidden_size: Width = 1024
    intermediate_size: Width = 4096
    num_hidden_layers: Layers = 24
    num_attention_heads: Heads = 16
    hidden_act: Activation = "gelu_pytorch_tanh"
    position_side: Pixels = 48
    deep: tuple[int, ...] = Field((5, 11, 17), max_length=16)
    first_multiple: Pixels = 28
    first_least: int = Field(4 * 28 * 28, strict=True, ge=1, le=1 << 26)
    first_most: int = Field(16384 * 28 * 28, strict=True, ge=1, le=1 << 26)
    least_pixels: int = Field(512 * 28 * 28, strict=True, ge=1, le=1 << 26)
    most_pixels: int = Field(2048 * 28 * 28, strict=True, ge=1, le=1 << 26)

    @model_validator(mode="after")
    def _sizes_fit(self) -> GridConfig:
        check_heads("hidden_size", self.hidden_size, "num_attention_heads", self.num_attention_heads)
        if not all(0 <= block < self.num_hidden_layers for block in self.deep):
            raise ValueError(f"deep must be of the tower's {self.num_hidden_layers} blocks")
        for least, most, side in (
            (self.first_least, self.first_most, self.first_multiple),
            (self.least_pixels, self.most_pixels, self.cell),
        ):
            if not least <= most or most < side**2:
                raise ValueError(
                    f"from {least} to {most} pixels, with sides that are multiples of {side}: there are none"
                )
        if self.tokens > MOST_TOKENS:
            raise ValueError(f"{self.tokens} image tokens: at most {MOST_TOKENS} are taken")
        return self

    @property
    def cell(self) -> int:
        """Side of what becomes a token, in pixels."""
        return self.patch_size * self.merge

    @property
    def tokens(self) -> int:
        """Image tokens of the photograph that has the most."""
        return self.most_pixels // self.cell**2
