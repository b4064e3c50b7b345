"""What a recipe would do, without doing it: what learns, how much memory, which examples, how they are written.

Legend: `B` photographs of a part of a batch, `L` length of a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from accelerate import Accelerator
from torch import Tensor

from engine.model.tokenizers import TextTokenizer
from trainer.data.mixture import Mixture, Pool
from trainer.learning.batches import Batch, collate
from trainer.learning.forward import Weights
from trainer.learning.parts import PartSize, sizes
from trainer.learning.sampling import batches, example
from trainer.recipe import Recipe, read_recipe
from trainer.run.checkpoints import Run
from trainer.run.parallel import part_size, processes
from trainer.run.prepared import Prepared, prepare

DRAWS = 200
"""Examples that are looked at."""
_FLOAT = 4
_ADAM = 2
"""Moments that AdamW keeps of each weight."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Text of a row that is learned, or that is only read."""

    text: str
    learned: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a recipe would do.

    Attributes:
        parts: parameters of each part.
        memory: bytes of a process, by what they are for.
        pools: where examples come from, each with its share.
        tasks: conversations of each task among the first examples.
        rows: the texts of the first batch.
        remarks: what becomes of long conversations, a line each.
    """

    parts: Sequence[PartSize]
    memory: Mapping[str, int]
    pools: Sequence[tuple[Pool, float]]
    tasks: Mapping[str, int]
    rows: Sequence[Sequence[Passage]]
    remarks: Sequence[str]


def plan(recipe_path: Path) -> Plan:
    """Prepare a run as `trainer.run.loop.train` does, and look at it.

    Raises:
        UsageError: as `train` would.
    """
    recipe = read_recipe(recipe_path)
    with TemporaryDirectory() as folder, processes(recipe) as accelerator:
        prepared = prepare(recipe, Path(folder), accelerator)
        mixture, writer, tokenizer = prepared.mixture, prepared.writer, prepared.start.tokenizer
        size = part_size(recipe, accelerator)
        stream = batches(mixture, writer, pad=tokenizer.pad, batch_size=size, first=0, last=1, workers=0)
        return Plan(
            parts=sizes(prepared.run.model),
            memory=_memory(prepared, recipe, accelerator),
            pools=list(zip(mixture.pools, mixture.shares, strict=True)),
            tasks=_tasks(mixture),
            rows=_rows(next(stream), tokenizer, writer.prefix_length),
            remarks=mixture.remarks,
        )


def _memory(prepared: Prepared, recipe: Recipe, accelerator: Accelerator) -> dict[str, int]:
    """Bytes; activations are those that the first example keeps for its backward pass, times `B`."""
    run, writer = prepared.run, prepared.writer
    parameters = list(run.plain.parameters())
    trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    batch = collate([example(prepared.mixture, writer, 0)], writer.prefix_length, prepared.start.tokenizer.pad)
    size = part_size(recipe, accelerator)
    found = {
        "weights": _FLOAT * sum(parameter.numel() for parameter in parameters),
        "gradients": _FLOAT * trained,
        "optimiser": _ADAM * _FLOAT * trained,
        "average": _FLOAT * trained if recipe.ema is not None else 0,
        "activations": size * _kept(run, recipe, batch.to(accelerator.device)),
    }
    return found | {"together": sum(found.values())}


def _kept(run: Run, recipe: Recipe, batch: Batch) -> int:
    """Bytes that a forward pass keeps for the backward pass, weights left aside."""
    own = {parameter.untyped_storage().data_ptr() for parameter in run.plain.parameters()}
    seen: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    masks = torch.arange(len(batch.targets), device=batch.ids.device)[: recipe.masks_per_step]
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        losses = run.module(batch, masks, Weights())
    del losses
    return sum(seen.values())


def _tasks(mixture: Mixture) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for number in range(DRAWS):
        counts.update(str(conversation.task) for conversation in mixture.draw(number).conversations)
    return dict(counts.most_common())


def _rows(batch: Batch, tokenizer: TextTokenizer, prefix: int) -> list[list[Passage]]:
    length = prefix + batch.ids.shape[1]
    # A position predicts the token behind it.
    learned = torch.zeros(batch.ids.shape[0] * length, dtype=torch.bool)
    learned[batch.label_index + 1] = True
    marks = learned.reshape(-1, length)[:, prefix:].tolist()
    rows = []
    for ids, row in zip(batch.ids.tolist(), marks, strict=True):
        ends = [0, *(place for place, (a, b) in enumerate(pairwise(row), start=1) if a != b), len(row)]
        runs = [Passage(tokenizer.decode(ids[a:b]), row[a]) for a, b in pairwise(ends)]
        rows.append([run for run in runs if run.text])
    return rows
