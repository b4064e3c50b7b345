"""The embedded model on the device against the same on the CPU, and each fast way against the plain one.

Legend: `N` masks, `m` side of the low-res masks, `H x W` a photograph's frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu_parts.plan import Plan
from benchmarks.gpu_parts.running import LeftOut, Notes
from benchmarks.gpu_parts.tools import ROOT, exact, forget, overlap
from engine.bench.agreement import compare
from engine.images.decode import decode
from engine.images.sources import Source, find_sources
from engine.images.transforms import Views, make_views
from engine.masks import rle
from engine.masks.decoder import Backend, open_mask_decoder
from engine.masks.postprocess import to_masks
from engine.model.checkpoint import Checkpoint, load
from engine.model.mask_head import LowResMasks
from engine.model.precision import Precision
from engine.pipeline.answering import Answered, Answerer
from engine.pipeline.pipeline import Options, Pipeline
from engine.records import PhotoRecord
from engine.text.prompts import TEMPLATES

_LOGITS = 1e-2
"""How far low-res logits may lie apart, as a share of the largest."""
_PIXELS, _IOU = 0.999, 0.98
_SMALL = 100
"""Pixels of a mask under which one at its edge is too much of it."""


def run(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    """See `Part`."""
    exact()
    work = Work(plan, notes)
    with notes.step("answers"):
        work.answers()
    with notes.step("mask decoder"):
        work.decoder()
    with notes.step("slots"):
        work.slots()
    with notes.step("shared prefix"):
        work.prefix()
    for precision in (Precision.BFLOAT16, Precision.FLOAT16):
        with notes.step(precision.value):
            work.half(precision)
    with notes.step("TF32"):
        work.tf32()


@dataclass(frozen=True, slots=True)
class _Likeness:
    """How like two sets of answers are; masks are compared where the texts are the same."""

    texts: int
    same: int
    masks: int
    logits: float
    pixels: float
    iou: float | None

    def line(self) -> str:
        iou = "-" if self.iou is None else f"{self.iou:.4f}"
        return (
            f"{self.same} of {self.texts} texts are the same; of {self.masks} masks the logits are {self.logits:.1g} "
            f"apart, {self.pixels:.3%} of the pixels agree, the smallest IoU is {iou}"
        )

    def right(self) -> bool:
        return (
            self.same == self.texts
            and self.masks > 0
            and self.logits <= _LOGITS
            and self.pixels >= _PIXELS
            and (self.iou is None or self.iou >= _IOU)
        )


class Work:
    """The model in two places, and its answers about the examples."""

    def __init__(self, plan: Plan, notes: Notes) -> None:
        self._plan, self._notes = plan, notes
        self._here = load(plan.embedded, device=plan.device)
        self._options = Options(max_new_tokens=plan.short, seg_every=plan.seg_every, decoder="torch")
        self._sources = list(find_sources([str(ROOT / plan.examples)], None))
        self._views = [make_views(decode(source.path), self._here.config) for source in self._sources]
        self._side = self._here.config.pixel_encoder.image_size
        self._families = TEMPLATES[self._here.config.template].families

    def answers(self) -> None:
        """The whole scene of each example, on the device and on the CPU."""
        there = self._asked(load(self._plan.embedded))
        likeness = self._compare(self._asked(self._here), there)
        self._say("answers", likeness, likeness.right())

    def decoder(self) -> None:
        """ONNX Runtime, wherever it runs, against torch."""
        if self._here.decoder is None:
            raise LeftOut("the model has no exported mask decoder")
        likeness = self._compare(self._asked(self._here, "onnx"), self._asked(self._here))
        self._say("mask decoder", likeness, likeness.right())

    def slots(self) -> None:
        """Three answers at a time, whose slots are refilled, against one at a time; and both against the CPU."""
        records = {
            name: self._run(checkpoint, batch)
            for name, checkpoint, batch in (
                ("three at a time", self._here, 3),
                ("one at a time", self._here, 1),
                ("the CPU", load(self._plan.embedded), 3),
            )
        }
        first = records.pop("three at a time")
        for name, others in records.items():
            found = compare(zip(first, others, strict=True))
            masks = found.mask_agreement
            pixels = "no masks" if masks is None else f"{masks:.3%} of the pixels of the worst of {found.masks} masks"
            line = f"three at a time and {name}: {found.same_texts} of {found.texts} texts are the same; {pixels}"
            right = found.same_text and masks is not None and masks >= _PIXELS
            self._notes.check(f"slots, {name}", right, line)

    def prefix(self) -> None:
        """Questions about the objects of a photograph, on top of the prefix of the first question or without it."""
        texts = same = 0
        pipeline = Pipeline(self._here, replace(self._options, batch_size=3))
        for source, record in zip(self._sources, self._run(self._here, 3), strict=True):
            image = decode(source.path)
            for asked in (segcap for segcap in record.segcaps if segcap.granularity == "fine"):
                (alone,) = pipeline.ask(image, [asked.instruction])
                texts += 1
                same += alone.answer == asked.answer
        if not texts:
            raise LeftOut("no answer names an object")
        self._notes.check("shared prefix", same == texts, f"{same} of {texts} answers are those without it")

    def half(self, precision: Precision) -> None:
        """Half precision against float32: another word may win, but answers and masks must be some."""
        checkpoint = load(self._plan.embedded, precision=precision, device=self._plan.device)
        found, exactly = self._asked(checkpoint), self._asked(self._here)
        finite = all(bool(one.low_res.logits.isfinite().all()) for one in found)
        masks = sum(len(one.low_res.logits) for one in found)
        likeness = self._compare(found, exactly)
        self._say(precision.value, likeness, finite and masks > 0 and all(one.answer.raw for one in found))
        del checkpoint
        forget(self._here.device)

    def tf32(self) -> None:
        """What torch does by default, in which convolutions use TF32, against float32 as it is written."""
        exactly = self._asked(self._here)
        torch.backends.cudnn.allow_tf32 = True
        try:
            self._figure("TF32 convolutions", self._compare(self._asked(self._here), exactly))
        finally:
            exact()

    def _asked(self, checkpoint: Checkpoint, backend: Backend = "torch") -> list[Answered]:
        """Answers about the whole scene, one photograph after the other."""
        limit = self._options.max_new_tokens or checkpoint.config.max_new_tokens
        decoder = open_mask_decoder(checkpoint, backend)
        answerer = Answerer(checkpoint, decoder, self._options.sampling, limit, 1)
        question = self._options.asked(self._families)[0].instruction
        return [answerer.converse(view, [question])[0] for view in self._views]

    def _run(self, checkpoint: Checkpoint, batch: int) -> list[PhotoRecord]:
        """All answers about the examples, as the program gives them."""
        records = []
        for source, outcome in Pipeline(checkpoint, replace(self._options, batch_size=batch)).run(self._sources):
            assert isinstance(outcome, PhotoRecord), f"{source.file_name}: {outcome}"
            records.append(outcome)
        return records

    def _compare(self, mine: Sequence[Answered], theirs: Sequence[Answered]) -> _Likeness:
        same, logits, pixels, masks = 0, 0.0, 1.0, 0
        pairs: list[tuple[Tensor, Tensor]] = []
        for view, one, other in zip(self._views, mine, theirs, strict=True):
            if one.answer.raw != other.answer.raw:
                continue
            same += 1
            for low, right in zip(one.low_res.logits, other.low_res.logits, strict=True):
                masks += 1
                logits = max(logits, float((low - right).abs().max() / right.abs().max().clamp(min=1e-9)))
                full = self._pixels(low, view), self._pixels(right, view)
                pixels = min(pixels, float((full[0] == full[1]).float().mean()))
                if int(full[1].sum()) >= _SMALL:
                    pairs.append(full)
        iou = overlap([one for one, _ in pairs], [other for _, other in pairs])
        return _Likeness(len(mine), same, masks, logits, pixels, iou)

    def _pixels(self, low_res: Tensor, view: Views) -> Tensor:
        """`(H, W)` of logits `(m, m)`, through the encoding of masks and back."""
        (mask,) = to_masks(LowResMasks(low_res[None]), view.frame, self._side)
        return torch.from_numpy(np.ascontiguousarray(rle.decode(mask.rle)))

    def _figure(self, name: str, likeness: _Likeness) -> None:
        names = _Likeness.__dataclass_fields__
        self._notes.figure(name, {field: getattr(likeness, field) for field in names})

    def _say(self, name: str, likeness: _Likeness, right: bool) -> None:
        self._figure(name, likeness)
        self._notes.check(name, right, likeness.line())


def example_sources(plan: Plan, count: int) -> list[Source]:
    """So many photographs: the examples over and over, each time under another name."""
    found = list(find_sources([str(ROOT / plan.examples)], None))
    return [Source(found[n % len(found)].path, f"{n:04d}-{found[n % len(found)].file_name}") for n in range(count)]
