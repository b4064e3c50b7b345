"""Tensors that lie together in one of a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from engine.convert.tensors import StoredTensor, TensorFiles, tensor_chunks
from engine.convert.writer import Planned
from engine.errors import UsageError


def taken_apart(
    files: TensorFiles, tensor: StoredTensor, shares: Mapping[str, int], groups: int = 1
) -> Iterator[Planned]:
    """The tensors whose rows stand one below the other, in each of some groups of rows.

    Args:
        files: hold the tensor.
        tensor: its first axis is divided by `groups` and the sum of the shares.
        shares: names of the parts in their order in a group, and how many shares of it each has.
        groups: that follow each other.

    Raises:
        UsageError: if the first axis can't be divided so.
    """
    whole = sum(shares.values())
    rows, *rest = tensor.shape
    each, over = divmod(rows, groups * whole)
    if over:
        raise UsageError(f"{tensor.file}: {rows} rows can't be {groups} times {whole} parts of one size")

    def chunks(start: int, stop: int) -> Iterator[memoryview]:
        grouped = files.read(tensor).reshape(groups, whole, each, *rest)
        return tensor_chunks(grouped[:, start:stop].reshape(-1, *rest))

    start = 0
    for name, share in shares.items():
        make: Callable[[], Iterable[memoryview]] = partial(chunks, start, start + share)
        yield Planned(name, tensor.dtype, (groups * share * each, *rest), make)
        start += share
