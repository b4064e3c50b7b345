"""What is measured between steps: losses and masks with the true text given, and some answers of the model's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator

from engine.decoding.row import Sampling
from engine.images.transforms import make_views
from engine.masks.decoder import TorchMaskDecoder
from engine.model.checkpoint import Checkpoint
from engine.model.tokenizers import TextTokenizer
from engine.pipeline.answering import Answerer
from trainer.data.mixture import Mixture
from trainer.learning.batches import Batch, ExampleWriter, collate
from trainer.learning.forward import Weights
from trainer.learning.parts import set_modes
from trainer.learning.sampling import example
from trainer.recipe import Recipe, ValidationRecipe
from trainer.run.checkpoints import Run
from trainer.run.parallel import SHARDED, part_size

SAMPLES = "samples.jsonl"
_ROOM = 16
"""Tokens that an answer may be longer than the true one; untrained models don't stop."""
_LOSSES = ("text", "bce", "dice", "semantic", "align", "repetition")


@dataclass(frozen=True, slots=True)
class Measured:
    """Means over the held-out photographs: losses over their tokens and masks, and the masks' IoU."""

    loss: float
    iou: float
    losses: dict[str, float]

    def score(self, by: str) -> float:
        """What decides which weights are the best; higher is better."""
        return self.iou if by == "iou" else -self.loss

    def numbers(self) -> dict[str, float]:
        """For the log."""
        return {"total": round(self.loss, 5), "iou": round(self.iou, 5), **self.losses}


class Validation:
    """Validates a run, the same way each time.

    Args:
        recipe: of the run.
        validation: its section.
        mixture: the held-out examples.
        writer: makes them tensors.
        tokenizer: of the model.
        accelerator: knows the processes.
    """

    def __init__(
        self,
        recipe: Recipe,
        validation: ValidationRecipe,
        mixture: Mixture,
        writer: ExampleWriter,
        tokenizer: TextTokenizer,
        accelerator: Accelerator,
    ) -> None:
        self._recipe, self._validation, self._mixture = recipe, validation, mixture
        self._writer, self._tokenizer, self._accelerator = writer, tokenizer, accelerator

    @torch.no_grad()
    def measure(self, run: Run) -> Measured:
        """Losses and mask IoU; each process takes its share of the photographs."""
        run.model.eval()
        device = self._accelerator.device
        sums = torch.zeros(len(_LOSSES) + 1, device=device)
        counts = torch.zeros_like(sums)
        for numbers in self._shares():
            batch = self._batch(numbers).to(device)
            masks = torch.arange(len(batch.targets), device=device)[: self._recipe.masks_per_step]
            found = run.module(batch, masks, Weights(), measure=True)
            count, photographs = len(masks), len(batch.kinds)
            each_of = [len(batch.label_ids), count, count, photographs, count, len(batch.used_ids), count]
            held = torch.tensor(each_of, device=device)
            ious = found.get("ious", torch.zeros(1, device=device))
            means = [found[name].float() for name in _LOSSES] + [ious.mean() if len(masks) else ious.new_zeros(())]
            sums += torch.stack(means) * held
            counts += held
        set_modes(run.model)
        sums, counts = (self._accelerator.reduce(both, "sum") for both in (sums, counts))
        *losses, iou = (sums / counts.clamp(min=1)).tolist()
        each = dict(zip(_LOSSES, losses, strict=True))
        weights = self._recipe.loss
        total = sum(getattr(weights, name) * value for name, value in each.items())
        return Measured(total, iou, {name: round(value, 5) for name, value in each.items()})

    def write_answers(self, run: Run, out: Path) -> None:
        """Append answers to the first questions about some photographs to OUT/samples.jsonl."""
        if not self._accelerator.is_main_process or self._accelerator.distributed_type in SHARDED:
            return
        run.model.eval()
        checkpoint = Checkpoint(run.model.config.name, None, run.model.config, run.model, self._tokenizer, "")
        decoder = TorchMaskDecoder(run.model.mask_head)
        with (out / SAMPLES).open("a", encoding="utf-8") as file:
            for number in range(self._validation.answers):
                drawn = self._mixture.draw(number)
                asked = drawn.conversations[0].turns[0]
                limit = len(self._tokenizer.encode(asked.answer)) + _ROOM
                answerer = Answerer(checkpoint, decoder, Sampling(), limit, slots=1)
                (found,) = answerer.converse(make_views(drawn.scene.image, checkpoint.config), [asked.question])
                entry = {
                    "step": run.step,
                    "photograph": drawn.scene.name,
                    "question": asked.question,
                    "expected": asked.answer,
                    "answer": found.answer.raw,
                    "truncated": found.truncated,
                }
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        set_modes(run.model)

    def _shares(self) -> list[range]:
        """Numbers of the examples of each batch of this process; all processes have as many batches."""
        processes, size = self._accelerator.num_processes, part_size(self._recipe, self._accelerator)
        rounds = -(-self._validation.photographs // (size * processes))
        places = [processes * number + self._accelerator.process_index for number in range(rounds)]
        return [range(place * size, (place + 1) * size) for place in places]

    def _batch(self, numbers: Sequence[int]) -> Batch:
        examples = [example(self._mixture, self._writer, number) for number in numbers]
        return collate(examples, self._writer.prefix_length, self._tokenizer.pad)
