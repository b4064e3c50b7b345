"""Attention of training rows against what transformers computes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from trainer.learning.attention import STRETCH, in_stretches


class _Attention(nn.Module):
    num_key_value_groups = 2
    is_causal = True
    training = True


def _row(length: int, prefix: int) -> Tensor:
    """Two segments behind a prefix, as an additive mask `(1, 1, L, L)`."""
    segment = torch.zeros(length, dtype=torch.long)
    segment[prefix:] = 1 + (torch.arange(length - prefix) > (length - prefix) // 2).long()
    seen = (segment[:, None] == segment[None]) | (segment[None] == 0)
    allowed = seen & torch.ones(length, length, dtype=torch.bool).tril()
    return torch.zeros(1, 1, length, length).masked_fill(~allowed, torch.finfo(torch.float32).min)


@pytest.mark.parametrize("length", [STRETCH // 2, STRETCH, 2 * STRETCH + 17])
def test_outputs_and_gradients_are_those_of_the_whole_mask(length: int) -> None:
    torch.manual_seed(length)
    query = torch.randn(2, 4, length, 8, requires_grad=True)
    key, value = (torch.randn(2, 2, length, 8, requires_grad=True) for _ in range(2))
    mask, weight = _row(length, length // 3), torch.randn(2, length, 4, 8)
    found = []
    for attention in (in_stretches, sdpa_attention_forward):
        out, _ = attention(_Attention(), query, key, value, mask, scaling=0.3)
        found.append((out, *torch.autograd.grad((out * weight).sum(), (query, key, value))))
    for own, whole in zip(*found, strict=True):
        torch.testing.assert_close(own, whole, atol=1e-5, rtol=1e-4)


def test_half_precision_goes_in_and_comes_out_and_is_computed_in_full() -> None:
    query = torch.randn(1, 2, 40, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, _ = in_stretches(_Attention(), query, query, query, _row(40, 10), scaling=0.3)
    exact, _ = in_stretches(_Attention(), query.float(), query.float(), query.float(), _row(40, 10), scaling=0.3)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out, exact.bfloat16())


def test_steps_with_a_cache_are_left_to_transformers() -> None:
    query, cached = torch.randn(1, 2, 1, 8), torch.randn(1, 2, 9, 8)
    out, _ = in_stretches(_Attention(), query, cached, cached, None, scaling=0.3)
    weights = (query @ cached.transpose(-1, -2) * 0.3).softmax(-1)
    torch.testing.assert_close(out, (weights @ cached).transpose(1, 2), atol=1e-5, rtol=1e-4)
