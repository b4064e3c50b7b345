"""A linear layer in 8-bit integers for the CPU: activations are quantised anew in each call (dynamic quantisation).

Each row has a scale of its own, so that what it gives does not depend on the rows beside it.

Legend: `B` rows of any shape, `I` input features, `O` output features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_MOST = 127


class Int8Linear(nn.Module):
    """Holds one scale for each output feature; takes and gives any floating type.

    Args:
        linear: what it replaces.
    """

    weight: Tensor  # (O, I) int8
    scale: Tensor  # (O,)

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        weight, scale = _quantised(linear.weight.detach())
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale[:, 0])
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """`(B, I)` to `(B, O)`."""
        rows, scale = _quantised(x.flatten(0, -2))
        # (B, O); sums of whole numbers are exact, in whatever order they are added.
        product = torch._int_mm(rows, self.weight.t()).float() * scale * self.scale
        if self.bias is not None:
            product = product + self.bias
        return product.to(x.dtype).unflatten(0, x.shape[:-1])


def _quantised(rows: Tensor) -> tuple[Tensor, Tensor]:
    """`(B, I)` as int8 and the scale of each row `(B, 1)`."""
    rows = rows.float()
    scale = (rows.abs().amax(dim=1, keepdim=True) / _MOST).clamp(min=torch.finfo(torch.float32).tiny)
    return (rows / scale).round().to(torch.int8), scale
