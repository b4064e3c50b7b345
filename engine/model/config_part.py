"""The base of all configs, and the numbers that several of them have, each with a limit."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Width = Annotated[int, Field(strict=True, ge=1, le=1 << 18)]
"""Channels."""
Layers = Annotated[int, Field(strict=True, ge=1, le=512)]
Heads = Annotated[int, Field(strict=True, ge=1, le=1024)]
Pixels = Annotated[int, Field(strict=True, ge=1, le=8192)]
"""Side of a view or of a part of it."""
Factor = Annotated[int, Field(strict=True, ge=1, le=8)]
MOST_TOKENS = 1 << 16
"""Cells of a grid that attention goes over."""
Activation = Literal["gelu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu"]


class Part(BaseModel):
    """Base of all configs: immutable, and strict about keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)


def check_heads(name: str, width: int, heads_name: str, heads: int) -> None:
    """Refuse a width that can't be shared out among heads.

    Raises:
        ValueError: if it can't.
    """
    if width % heads:
        raise ValueError(f"{name} ({width}) must be a multiple of {heads_name} ({heads})")
