"""Safetensors written as a stream: what a tensor needs is known before its bytes are.

A file is the length of its header (8 bytes, little-endian), the header (JSON, padded with spaces to 8 bytes) and the
bytes of the tensors in the header's order. Several files have an index that says which holds what.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.convert.tensors import DTYPES
from engine.model.checkpoint import INDEX, WEIGHTS

SHARD = 5 * 10**9
"""Bytes of weights in one file, where it can be."""
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


@dataclass(frozen=True, slots=True)
class Planned:
    """A tensor to be written.

    Attributes:
        name: in the written file.
        dtype: type of its numbers.
        shape: its shape.
        chunks: makes its bytes when their turn comes.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    chunks: Callable[[], Iterable[memoryview]]

    @property
    def size(self) -> int:
        """In bytes."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


def write(
    folder: Path,
    tensors: Sequence[Planned],
    *,
    shard: int = SHARD,
    advance: Callable[[int, int], None] = lambda more, total: None,
) -> list[Path]:
    """Write tensors as `model.safetensors`, or as several files and their index.

    Args:
        folder: where to.
        tensors: in the order in which they are written.
        shard: bytes of tensors in one file; a larger tensor has a file of its own.
        advance: called for each tensor with its bytes, and those of all.

    Returns:
        the files with tensors.
    """
    shards = list(_split(tensors, shard))
    total = sum(tensor.size for tensor in tensors)
    if len(shards) == 1:
        paths = [folder / WEIGHTS]
    else:
        weights = folder / WEIGHTS
        paths = [
            weights.with_stem(f"{weights.stem}-{number:05}-of-{len(shards):05}") for number in range(1, len(shards) + 1)
        ]
        index = {
            "metadata": {"total_size": total},
            "weight_map": {t.name: path.name for path, part in zip(paths, shards, strict=True) for t in part},
        }
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    for path, part in zip(paths, shards, strict=True):
        _write_file(path, part, lambda more: advance(more, total))
    return paths


def _split(tensors: Sequence[Planned], shard: int) -> Iterator[list[Planned]]:
    part: list[Planned] = []
    size = 0
    for tensor in tensors:
        if part and size + tensor.size > shard:
            yield _aligned(part)
            part, size = [], 0
        part.append(tensor)
        size += tensor.size
    yield _aligned(part)


def _aligned(part: list[Planned]) -> list[Planned]:
    """Wide types first: readers view the bytes in place, which needs offsets that are multiples of the type's size."""
    return sorted(part, key=lambda tensor: -tensor.dtype.itemsize)


def _write_file(path: Path, tensors: Sequence[Planned], advance: Callable[[int], None]) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        start, end = end, end + tensor.size
        header[tensor.name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for tensor in tensors:
            written = sum(file.write(chunk) for chunk in tensor.chunks())
            if written != tensor.size:
                raise RuntimeError(f"{tensor.name}: {written} bytes were made, {tensor.size} were planned")
            advance(written)
        file.flush()
        os.fsync(file.fileno())
