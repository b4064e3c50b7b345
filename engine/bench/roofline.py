"""How near a decode step comes to what the card's memory allows.

A step can't be faster than its weights can be read: the layers of the language model and its output layer, once for
all rows of the batch. `roofline_share` counts no more than that; keys and values of every token that a row has seen
come on top, and in large batches they are the larger part.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel

_BANDWIDTH = {
    "NVIDIA A10G": 600e9,
    "NVIDIA A100-PCIE-40GB": 1555e9,
    "NVIDIA A100-SXM4-40GB": 1555e9,
    "NVIDIA A100 80GB PCIe": 1935e9,
    "NVIDIA A100-SXM4-80GB": 2039e9,
    "NVIDIA GeForce RTX 3090": 936e9,
    "NVIDIA GeForce RTX 4090": 1008e9,
    "NVIDIA H100 PCIe": 2000e9,
    "NVIDIA H100 80GB HBM3": 3350e9,
    "NVIDIA H200": 4800e9,
    "NVIDIA L4": 300e9,
    "NVIDIA L40S": 864e9,
    "Tesla T4": 320e9,
    "Tesla V100-SXM2-32GB": 900e9,
}
"""Bytes per second by the vendor's data sheet, for whole cards."""


def bandwidth(device: torch.device) -> float | None:
    """Bytes per second that a device's memory gives; None where it is not known."""
    return _BANDWIDTH.get(torch.cuda.get_device_name(device)) if device.type == "cuda" else None


def bytes_per_step(language: PreTrainedModel) -> int:
    """Bytes of weights that a decode step reads, as they lie in memory."""
    read = (*language.model.layers.parameters(), *language.model.norm.parameters(), *language.lm_head.parameters())
    return sum(tensor.numel() * tensor.element_size() for tensor in read)


def cache_bytes(language: PreTrainedModel) -> int:
    """Bytes of keys and values that a decode step reads for each token that one of its rows has seen."""
    attention: Any = language.model.layers[0].self_attn
    heads: int = language.config.num_key_value_heads
    channels: int = attention.head_dim
    table: Any = language.get_input_embeddings()
    return 2 * len(language.model.layers) * heads * channels * int(table.weight.element_size())


def roofline_share(language: PreTrainedModel, device: torch.device, steps: int, seconds: float) -> float | None:
    """The least time that `steps` decode steps can take, as a share of what they took; None where it is not known."""
    rate = bandwidth(device)
    if rate is None or not seconds:
        return None
    return steps * bytes_per_step(language) / rate / seconds
