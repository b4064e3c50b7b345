"""Keys of training checkpoints, and LoRA factors merged into the weights they belong to.

Legend: `W` `(out, in)` the weight, `A` `(r, in)` and `B` `(out, r)` its factors; merged it is `W + alpha / r * B A`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from engine.convert.tensors import StoredTensor, TensorFiles, tensor_chunks
from engine.errors import UsageError
from engine.model.limits import read_table, read_text

ALPHA = 16.0
"""What the public recipes train with."""
_WRAPPERS = ("module.", "base_model.model.")
_FACTOR = re.compile(r"(?P<base>.+)\.lora_(?P<side>[AB])(\.(?P<adapter>[^.]+))?\.weight")
_ALPHA_LINE = re.compile(r"^\s*lora_alpha:\s*([0-9.]+)\s*$", re.MULTILINE)
_ROWS = 1024
"""Rows that are merged at once."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The factors of one weight."""

    a: StoredTensor
    b: StoredTensor

    @property
    def rank(self) -> int:
        """`r`."""
        return self.a.shape[0]


@dataclass(frozen=True, slots=True)
class Parts:
    """A checkpoint's tensors under the names that a merged one has.

    Attributes:
        weights: by their plain names.
        pairs: LoRA factors by the plain name of their weight.
    """

    weights: Mapping[str, StoredTensor]
    pairs: Mapping[str, Pair]


def take_apart(files: TensorFiles) -> Parts:
    """Undo what training wrappers add to the keys, and pair up the factors.

    Raises:
        UsageError: if two keys mean the same weight, or factors lack their other half or their weight.
    """
    weights: dict[str, StoredTensor] = {}
    factors: dict[tuple[str, str], StoredTensor] = {}
    for key, tensor in files.tensors.items():
        name = plain(key)
        if match := _FACTOR.fullmatch(name):
            place = (f"{match['base']}.weight", match["side"])
            if place in factors:
                raise UsageError(f"{tensor.file}: {key} and {factors[place].key} are LoRA factors of one weight")
            factors[place] = tensor
            continue
        if name in weights:
            raise UsageError(f"{tensor.file}: {key} and {weights[name].key} are the same weight")
        weights[name] = tensor
    pairs = {}
    for (base, side), tensor in factors.items():
        if (base, "B" if side == "A" else "A") not in factors:
            raise UsageError(f"{tensor.file}: {tensor.key} lacks its other half")
        if base not in weights:
            raise UsageError(f"{tensor.file}: {tensor.key} has no weight {base} to go to")
        if side == "A":
            pairs[base] = Pair(tensor, factors[base, "B"])
    for base, pair in pairs.items():
        wanted = (pair.b.shape[0], pair.a.shape[1]) if len(pair.a.shape) == len(pair.b.shape) == 2 else ()
        if weights[base].shape != wanted or pair.b.shape[1] != pair.rank:
            raise UsageError(
                f"{pair.a.file}: LoRA factors {pair.a.shape} and {pair.b.shape} don't fit {base} {weights[base].shape}"
            )
    return Parts(weights, pairs)


def scale(folder: Path, rank: int) -> float:
    """What `B A` is multiplied with: alpha / r.

    Args:
        folder: of the checkpoint; alpha is looked up in its adapter_config.json or config.yaml.
        rank: `r`.

    Raises:
        UsageError: if a file can't be read, or alpha is no number.
    """
    adapter, arguments = folder / "adapter_config.json", folder / "config.yaml"
    if adapter.is_file():
        options = read_table(adapter)
        alpha = options.get("lora_alpha", ALPHA)
        if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not math.isfinite(alpha):
            raise UsageError(f"{adapter}: lora_alpha is {alpha!r}, not a number")
        return alpha / (math.sqrt(rank) if options.get("use_rslora") else rank)
    if arguments.is_file() and (match := _ALPHA_LINE.search(read_text(arguments))):
        return float(match[1]) / rank
    return ALPHA / rank


def merged(weight: Tensor, a: Tensor, b: Tensor, factor: float) -> Tensor:
    """`W + factor * B A`, computed in float32, in the type of `W`."""
    return (weight.float() + factor * (b.float() @ a.float())).to(weight.dtype)


def merged_chunks(files: TensorFiles, weight: StoredTensor, pair: Pair, factor: float) -> Iterator[memoryview]:
    """The bytes of a merged weight, some rows at a time."""
    whole, a, b = files.read(weight), files.read(pair.a), files.read(pair.b)
    for rows in range(0, weight.shape[0], _ROWS):
        part = slice(rows, rows + _ROWS)
        yield from tensor_chunks(merged(whole[part], a, b[part], factor))


def plain(key: str) -> str:
    """A key without what wrappers put around it."""
    while prefix := next((p for p in _WRAPPERS if key.startswith(p)), None):
        key = key.removeprefix(prefix)
    return key.replace(".base_layer.", ".")
