"""Attention of the language model while it is trained on a CPU.

A row of several conversations is long and its mask mostly empty, and torch's fused attention reads all of the mask; its
bfloat16 gradient takes twice as long as that of float32. So queries are taken in stretches, each with the keys up to
its end, since none comes later, in float32.

Legend: `B` rows, `H` heads, `L` length of a row, `D` channels of a head.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

STRETCH = 128
NAME = "mglmm_stretches"


def in_stretches(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **other: Any,
) -> tuple[Tensor, None]:
    """Causal attention, as transformers calls it; what is no training row is left to transformers.

    Args:
        module: the layer's attention.
        query: `(B, H, L, D)`.
        key: `(B, H', L, D)`; heads in groups share one.
        value: as `key`.
        attention_mask: `(B, 1, L, L)`, added to the logits; it must hide what comes later.
        scaling: of the logits.
        other: what transformers hands over besides.

    Returns:
        `(B, L, H, D)` in the type of `query`.
    """
    length = query.shape[2]
    row = attention_mask is not None and attention_mask.is_floating_point() and key.shape[2] == length
    if not row or other.get("dropout"):
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **other)
    assert attention_mask is not None
    ends = [min(start + STRETCH, length) for start in range(0, length, STRETCH)]
    with torch.autocast(query.device.type, enabled=False):
        q, k, v, mask = query.float(), key.float(), value.float(), attention_mask.float()
        parts = [
            F.scaled_dot_product_attention(
                q[:, :, start:end],
                k[:, :, :end],
                v[:, :, :end],
                attn_mask=mask[:, :, start:end, :end],
                scale=scaling,
                enable_gqa=key.shape[1] != query.shape[1],
            )
            for start, end in zip([0, *ends], ends, strict=False)
        ]
    return torch.cat(parts, dim=2).transpose(1, 2).to(query.dtype), None


AttentionInterface.register(NAME, in_stretches)
AttentionMaskInterface.register(NAME, sdpa_mask)
