"""What was found for the network: a piece per tensor, what is left over, and the check that all of it fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from engine.convert.mapping import Rule, reason_to_ignore, rule_of, theirs
from engine.convert.tensors import StoredTensor, TensorFiles, tensor_chunks
from engine.convert.writer import Planned
from engine.errors import UsageError

Shapes = Mapping[str, tuple[int, ...]]

_UNUSED = tuple(
    f"mask_head.prompt_encoder.{part}." for part in ("mask_downscaling", "point_embeddings", "not_a_point_embed")
)
"""Weights for points, boxes and drawn masks: in SAM's prompt encoder, though no `[SEG]` prompt meets them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One tensor of the network.

    Attributes:
        tensor: name, type, shape, and how its bytes are made.
        key: what it is called where it comes from.
        prefix: what the keys of its part begin with there.
        file: where it comes from, or None if it was made here.
        made: how it was made, if it (or some of it) comes from nowhere.
    """

    tensor: Planned
    key: str
    prefix: str
    file: Path | None
    made: str | None = None


@dataclass(slots=True)
class Inventory:
    """Pieces by their name in the network.

    Attributes:
        where: the checkpoint, for messages.
        rules: how its keys are named, for messages.
        pieces: what was found.
        ignored: keys without a use, by the reason.
    """

    where: Path
    rules: tuple[Rule, ...]
    pieces: dict[str, Piece] = field(default_factory=dict)
    ignored: dict[str, list[str]] = field(default_factory=dict)

    def add(
        self,
        files: TensorFiles,
        tensors: Mapping[str, StoredTensor],
        rules: tuple[Rule, ...],
        *,
        unwanted: Mapping[str, str] | None = None,
    ) -> None:
        """Take stock of a source.

        Args:
            files: what reads it.
            tensors: by their plain keys.
            rules: how the keys become names.
            unwanted: beginnings of names that are not taken from this source, with the reason.

        Raises:
            UsageError: if a key is unknown, or a tensor does not hold floating-point numbers.
        """
        unknown: list[tuple[str, Path]] = []
        for key, tensor in tensors.items():
            rule = rule_of(key, rules)
            name = rule.name(key) if rule else ""
            reason = reason_to_ignore(key)
            if reason is None:
                reason = next((why for start, why in (unwanted or {}).items() if name.startswith(start)), None)
            if reason is not None:
                self.ignored.setdefault(reason, []).append(tensor.key)
            elif rule is None:
                unknown.append((tensor.key, tensor.file))
            elif not tensor.dtype.is_floating_point or tensor.dtype.itemsize == 1:
                raise UsageError(f"{tensor.file}: {tensor.key} is {tensor.dtype}: quantised weights are not converted")
            else:
                planned = Planned(name, tensor.dtype, tensor.shape, _bytes_of(files, tensor))
                self.pieces[name] = Piece(planned, tensor.key, rule.theirs, tensor.file)
        if unknown:
            raise _unknown(unknown)

    def put(self, name: str, content: Tensor, how: str) -> None:
        """Add a tensor that no source has."""
        planned = Planned(name, content.dtype, tuple(content.shape), lambda: tensor_chunks(content))
        self.pieces[name] = Piece(planned, theirs(name, self.rules), "", None, made=how)

    def change(
        self,
        name: str,
        chunks: Callable[[], Iterable[memoryview]],
        *,
        shape: tuple[int, ...] | None = None,
        made: str | None = None,
    ) -> None:
        """Make the bytes of a piece in another way."""
        piece = self.pieces[name]
        tensor = replace(piece.tensor, chunks=chunks, shape=shape or piece.tensor.shape)
        self.pieces[name] = replace(piece, tensor=tensor, made=made)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor that the network can't do without.

        Raises:
            UsageError: if it was not found.
        """
        if name not in self.pieces:
            raise UsageError(f"{self.where}: {theirs(name, self.rules)} is missing")
        return self.pieces[name].tensor.shape

    def count(self, start: str) -> int:
        """How many numbers follow `start` in the names, as in `layers.0.`, `layers.1.`."""
        return len({name.removeprefix(start).partition(".")[0] for name in self.pieces if name.startswith(start)})

    def has(self, start: str) -> bool:
        """Whether a name begins with `start`."""
        return any(name.startswith(start) for name in self.pieces)

    def fill_unused(self, needed: Shapes) -> None:
        """Put zeros for weights that the network has and never uses."""
        for name, shape in needed.items():
            if name not in self.pieces and name.startswith(_UNUSED):
                dtype = self.pieces["mask_head.mask_decoder.iou_token.weight"].tensor.dtype
                self.put(name, torch.zeros(shape, dtype=dtype), "zeros, since [SEG] prompts don't use them")

    def check(self, needed: Shapes) -> None:
        """Compare with the network.

        Args:
            needed: its tensors and their shapes.

        Raises:
            UsageError: if a tensor is missing or of no use, or a shape differs.
        """
        missing = [name for name in needed if name not in self.pieces]
        if missing:
            keys = "1 key is" if len(missing) == 1 else f"{len(missing)} keys are"
            raise UsageError(f"{self.where}: {keys} missing, the first is {theirs(missing[0], self.rules)}")
        unknown = [(p.key, p.file or self.where) for name, p in self.pieces.items() if name not in needed]
        if unknown:
            raise _unknown(unknown)
        for name, shape in needed.items():
            piece = self.pieces[name]
            if piece.tensor.shape != shape:
                raise UsageError(
                    f"{piece.file or self.where}: {piece.key} is {piece.tensor.shape}, the other parts ask for {shape}"
                )


def _bytes_of(files: TensorFiles, tensor: StoredTensor) -> Callable[[], Iterable[memoryview]]:
    return lambda: files.chunks(tensor)


def _unknown(found: list[tuple[str, Path]]) -> UsageError:
    (key, file), *rest = found
    keys = "1 unknown key" if not rest else f"{len(found)} unknown keys, the first is"
    return UsageError(f"{file}: {keys} {key}: not in the layout that its family, config.json and shapes tell of")
