"""Weights that a checkpoint lacks: rows of added tokens, a fresh linear layer, zeros."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator

import torch
from torch import Tensor

from engine.convert.tensors import StoredTensor, TensorFiles, tensor_chunks

_ROWS = 4096


def with_mean_rows(files: TensorFiles, table: StoredTensor, kept: int, added: int) -> Iterator[memoryview]:
    """The first `kept` rows of a table of embeddings, and `added` rows that are their mean."""
    rows = files.read(table)[:kept]
    # In parts, and in float32: a half-precision sum over a vocabulary loses most digits.
    total = torch.stack([rows[i : i + _ROWS].float().sum(0) for i in range(0, kept, _ROWS)]).sum(0)
    yield from tensor_chunks(rows)
    yield from tensor_chunks((total / kept).to(table.dtype).expand(added, -1))


def linear(name: str, shape: tuple[int, ...], fan_in: int, dtype: torch.dtype) -> Tensor:
    """A weight or bias of a linear layer as torch draws it; the same for the same name, whatever else is drawn."""
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    bound = 1 / math.sqrt(fan_in)
    return torch.empty(shape).uniform_(-bound, bound, generator=generator).to(dtype)
