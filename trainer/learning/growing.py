"""A larger model from a smaller one of its kind: what both have is taken over, what is new changes nothing at first.

Legend: `k` side of a kernel.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.errors import UsageError
from engine.model.mglmm import MGLMM

_ADDED = ("hints.certainty", "pixel_encoder.high_res.fine_out", "pixel_encoder.high_res.finest_out")
"""What ends a new way into parts that are taken over: zero, until it is learned."""


def grow(model: MGLMM, weights: Mapping[str, Tensor]) -> None:
    """Take over the weights of a smaller model.

    A tensor that is longer in some directions is filled up with zeros at the end, so that inputs that are new count for
    nothing; a kernel of another side is stretched.

    Args:
        model: the larger one, with random weights.
        weights: of the smaller one, by name.

    Raises:
        UsageError: if it has tensors that the larger one has no room for.
    """
    own = model.state_dict()
    strange = sorted(weights.keys() - own.keys())
    if strange:
        raise UsageError(
            f"{model.config.name} has no {strange[0]} and {len(strange) - 1} others of what it starts from"
        )
    for name, tensor in own.items():
        if name in weights:
            tensor.copy_(_fitted(name, weights[name].to(tensor.dtype), tensor.shape))
        elif name.startswith(_ADDED):
            tensor.zero_()


def _fitted(name: str, tensor: Tensor, shape: torch.Size) -> Tensor:
    if tensor.shape == shape:
        return tensor
    if tensor.ndim == 4 and tensor.shape[:2] == shape[:2]:
        return F.interpolate(tensor, shape[2:], mode="bilinear", align_corners=False)
    if tensor.ndim != len(shape) or any(one > other for one, other in zip(tensor.shape, shape, strict=True)):
        raise UsageError(f"{name} is {tuple(tensor.shape)} in what the model starts from, and {tuple(shape)} in it")
    larger = tensor.new_zeros(shape)
    larger[tuple(slice(length) for length in tensor.shape)] = tensor
    return larger
