"""What a measurement gave: plain values, for a table and for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from engine.bench.agreement import Agreement
from engine.pipeline.pipeline import Options

MODEL_STAGES = ("encode", "prefill", "decode_tokens", "masks")
"""What the network does; the rest of the wall time is the engine's own, or waiting."""
_RATIO = (
    "images per second: the engine's over all photographs, divided by the baseline's over the first ones; "
    "both in this process, each after one photograph to warm up"
)


@dataclass(frozen=True, slots=True)
class StageTime:
    """One stage of the engine.

    Attributes:
        seconds: in it; stages of several threads overlap each other and the rest.
        count: what it worked on, in its own unit.
    """

    seconds: float
    count: int

    @property
    def per_second(self) -> float | None:
        """Units per second of the stage."""
        return self.count / self.seconds if self.seconds else None


@dataclass(frozen=True, slots=True)
class BaselineRun:
    """A baseline over the first photographs.

    Attributes:
        images: photographs.
        seconds: wall time.
        tokens: chosen, stop tokens included.
        masks: made.
        agreement: with the engine's answers about the same photographs.
    """

    images: int
    seconds: float
    tokens: int
    masks: int
    agreement: Agreement

    @property
    def images_per_second(self) -> float:
        """Photographs per second."""
        return self.images / self.seconds


@dataclass(frozen=True, slots=True)
class Report:
    """A measurement of the engine, and of baselines beside it.

    Attributes:
        model, sha256: which one.
        precision: of its weights.
        device: as torch names it.
        hardware: what that is.
        threads: of torch on the CPU.
        versions: of Python and libraries.
        options: of the engine.
        load_seconds: from nothing to a model that is ready to be asked.
        images: photographs done.
        failed: photographs that could not be done; their time is in `seconds`.
        megapixels: of all photographs done.
        questions: answered.
        tokens: chosen, stop tokens included.
        masks: made.
        seconds: wall time from the first file to the last record.
        stages: by name.
        steps: decode steps, each a token for every answer in progress.
        peak_memory: bytes; on a card those of tensors, else of the process; None where it is not known.
        roofline_share: see `engine.bench.roofline`; None where it is not known.
        baselines: by name.
    """

    model: str
    sha256: str
    precision: str
    device: str
    hardware: str
    threads: int
    versions: Mapping[str, str]
    options: Options
    load_seconds: float
    images: int
    failed: int
    megapixels: float
    questions: int
    tokens: int
    masks: int
    seconds: float
    stages: Mapping[str, StageTime]
    steps: int
    peak_memory: int | None
    roofline_share: float | None
    baselines: Mapping[str, BaselineRun]

    @property
    def images_per_second(self) -> float:
        """Photographs per second, decoding of files and encoding of masks included."""
        return self.images / self.seconds

    @property
    def outside_share(self) -> float:
        """Share of the wall time in which the network did nothing."""
        return 1 - sum(self.stages[name].seconds for name in MODEL_STAGES if name in self.stages) / self.seconds

    @property
    def ratio(self) -> dict[str, float]:
        """How many times as many photographs per second as each baseline."""
        return {name: self.images_per_second / run.images_per_second for name, run in self.baselines.items()}

    def to_json(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "model": self.model,
            "sha256": self.sha256,
            "precision": self.precision,
            "device": self.device,
            "hardware": self.hardware,
            "threads": self.threads,
            "versions": dict(self.versions),
            "options": asdict(self.options),
            "load_seconds": self.load_seconds,
            "images": self.images,
            "failed": self.failed,
            "megapixels": self.megapixels,
            "questions": self.questions,
            "tokens": self.tokens,
            "masks": self.masks,
            "seconds": self.seconds,
            "images_per_second": self.images_per_second,
            "outside_share": self.outside_share,
            "decode_steps": self.steps,
            "roofline_share": self.roofline_share,
            "peak_memory_mb": None if self.peak_memory is None else self.peak_memory / 1e6,
            "stages": {name: self._stage(stage) for name, stage in self.stages.items()},
            "ratio": self.ratio,
            "ratio_of": _RATIO,
            "baselines": {name: _baseline(run) for name, run in self.baselines.items()},
        }

    def _stage(self, stage: StageTime) -> dict[str, Any]:
        return {
            "seconds": stage.seconds,
            "count": stage.count,
            "ms_per_image": 1000 * stage.seconds / self.images,
            "share": stage.seconds / self.seconds,
            "per_second": stage.per_second,
        }


def _baseline(run: BaselineRun) -> dict[str, Any]:
    return {
        "images": run.images,
        "seconds": run.seconds,
        "images_per_second": run.images_per_second,
        "tokens": run.tokens,
        "masks": run.masks,
        "same_text": run.agreement.same_text,
        "texts_compared": run.agreement.texts,
        "texts_equal": run.agreement.same_texts,
        "mask_agreement": run.agreement.mask_agreement,
        "masks_compared": run.agreement.masks,
    }
