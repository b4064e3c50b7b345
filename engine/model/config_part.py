"""The base of all configs, and the numbers that several of them have, each with a limit."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Width = Annotated[int, Field(strict=True, ge=1, le=1 << 18)]
"""Channels."""
Layers = Annotated[int, Field(strict=True, ge=1, le=512)]
Heads = Annotated[int, Field(strict=True, ge=1, le=1024)]
Activation = Literal["gelu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu"]


class Part(BaseModel):
    """Base of all configs: immutable, and strict about keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)
