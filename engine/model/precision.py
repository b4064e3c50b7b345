"""In which precision the weights lie in memory.

Half precision and quantisation are for what is large: the two encoders, the projector and the language model. What
makes prompts of states and masks of prompts is small, decides where borders run, and always stays float32.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import torch
from torch import nn

from engine.errors import UsageError
from engine.model.config import ModelConfig
from engine.model.int8_linear import Int8Linear
from engine.model.mglmm import MGLMM

FULL = ("mask_head.", "text_hidden_fcs.")
"""Parts that stay float32."""
_OUTLIER = 6.0
"""LLM.int8: activations beyond it are multiplied in half precision. Large models lose their sense without it."""
_BLOCK, _PACK = 64, 32
"""NF4: weights of a row that share a scale, and rows that are packed together where the CPU multiplies them so."""


_LARGE = 896
"""Width from which on a language model runs in half precision on a GPU: that of the smallest released one."""
AUTO = "auto"
"""What leaves the choice of a precision to the model and the device."""


class Precision(StrEnum):
    """Of the large parts; `int8` and `int4` are for the language model's layers, the rest is bfloat16 then.

    On the CPU, `int8` is torch's dynamic quantisation; elsewhere, and for `int4`, bitsandbytes does it.
    """

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    INT8 = "int8"
    INT4 = "int4"

    @property
    def quantised(self) -> bool:
        """Whether the language model's layers are stored as integers."""
        return self in (Precision.INT8, Precision.INT4)

    @property
    def dtype(self) -> torch.dtype:
        """Of activations, and of weights that are not quantised."""
        halves = {Precision.FLOAT32: torch.float32, Precision.FLOAT16: torch.float16}
        return halves.get(self, torch.bfloat16)

    @property
    def layer_bits(self) -> float:
        """Bits per weight of the language model's linear layers, scales included."""
        # LLM.int8: one float32 scale a row, which is nothing; NF4: a scale of at most 16 bits for a block of weights.
        quantised = {Precision.INT8: 8.0, Precision.INT4: 4.0 + 16 / _BLOCK}
        return quantised.get(self, 8.0 * self.dtype.itemsize)


def named(name: str) -> Precision | None:
    """The precision that a user names; None where the choice is left to the model and the device."""
    return None if name == AUTO else Precision(name)


def fitting(config: ModelConfig, device: str) -> Precision:
    """What a model runs in unless it is said: bfloat16 for a large one on a GPU, else float32."""
    large = config.language.options.get("hidden_size", 0) >= _LARGE
    return Precision.BFLOAT16 if large and torch.device(device).type == "cuda" else Precision.FLOAT32


def stored_as(name: str, dtype: torch.dtype, precision: Precision) -> torch.dtype:
    """The type in memory of the tensor `name` that is stored as `dtype`."""
    if not dtype.is_floating_point:
        return dtype
    return torch.float32 if name.startswith(FULL) else precision.dtype


def require(precision: Precision, device: str) -> None:
    """Check that this machine has the device, and the library for quantised weights.

    Raises:
        UsageError: if it lacks one.
    """
    try:
        if torch.empty(1, device=device).is_meta:
            raise UsageError(f"no device {device!r} here: nothing is computed on it")
    except torch.OutOfMemoryError as error:
        raise UsageError(f"{device} has no memory left: another program holds it") from error
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"no device {device!r} here: {str(error).splitlines()[0]}") from error
    if _needs_library(precision, device):
        # They remark on import that a faster kernel could be fetched, and on each product that it is taken in float16.
        for name in ("bitsandbytes.backends.cpu.ops", "bitsandbytes.autograd._functions"):
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            import bitsandbytes  # noqa: F401
        except ImportError as error:
            raise UsageError(f"{precision} needs bitsandbytes: pip install 'mglmm[quantize]'") from error


def loaded_to(precision: Precision, device: str) -> str:
    """Where weights are put as they are read: what is quantised is so on its way from the CPU to its device."""
    return "cpu" if precision.quantised else device


@contextmanager
def within_memory(name: str, precision: Precision, device: str) -> Iterator[None]:
    """Weights come to their device.

    Raises:
        UsageError: if its memory does not do.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UsageError(f"{device} has too little memory for {name} in {precision}") from error


def place(network: MGLMM, precision: Precision, device: str) -> None:
    """Move what of a loaded network is not there yet to its device, its language model quantised if asked for.

    Raises:
        UsageError: if the device's memory does not do, or the layers can't be quantised so.
    """
    if precision.quantised:
        layers = network.language_model.model.layers
        if _needs_library(precision, device):
            _quantise(layers, precision)
        else:
            _quantise_on_cpu(layers)
    with within_memory(network.config.name, precision, device):
        network.to(device)


def _needs_library(precision: Precision, device: str) -> bool:
    on_cpu = torch.device(device).type == "cpu"
    return precision is Precision.INT4 or (precision is Precision.INT8 and not on_cpu)


def _linears(layers: nn.Module) -> list[tuple[nn.Module, str, nn.Linear]]:
    """Every linear layer, with its parent and its name there."""
    return [
        (parent, name, child)
        for parent in layers.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Linear)
    ]


def _quantise_on_cpu(layers: nn.Module) -> None:
    for parent, name, child in _linears(layers):
        setattr(parent, name, Int8Linear(child))


def _quantise(layers: nn.Module, precision: Precision) -> None:
    """Exchange every linear layer; weights become integers when they are moved to their device."""
    from bitsandbytes import nn as quantised

    for parent, name, child in _linears(layers):
        size = child.in_features, child.out_features, child.bias is not None
        if precision is Precision.INT8:
            new: nn.Linear = quantised.Linear8bitLt(*size, has_fp16_weights=False, threshold=_OUTLIER, device="meta")
            # The library takes float16 rows to make integers of.
            new.weight = quantised.Int8Params(child.weight.data.half(), requires_grad=False, has_fp16_weights=False)
        else:
            if child.in_features % _BLOCK or child.out_features % _PACK:
                raise UsageError(
                    f"{precision} takes linear layers of {_BLOCK}s to {_PACK}s only, the language model's {name} "
                    f"is {child.in_features} to {child.out_features}: use {Precision.INT8}"
                )
            new = quantised.Linear4bit(*size, compute_dtype=precision.dtype, quant_type="nf4", device="meta")
            new.weight = quantised.Params4bit(child.weight.data, requires_grad=False, quant_type="nf4")
        if child.bias is not None:
            new.bias = child.bias
        setattr(parent, name, new.eval())
