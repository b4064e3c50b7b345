"""What is checked and measured on a GPU, at tiny size on the CPU: that it finds what is right, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from benchmarks.gpu_parts import agreement, embedded, environment, program, recorded, sa2va, scarcity, speed
from benchmarks.gpu_parts.plan import Plan
from benchmarks.gpu_parts.running import LeftOut, Notes
from engine.bench import Baseline
from engine.bench import run as engine_bench
from engine.bench.public import Inputs
from engine.bench.sa2va import Sa2vaLoop
from engine.decoding.generator import Generator
from engine.decoding.row import Generated, Request
from engine.decoding.step import RecordedStep
from engine.model.checkpoint import Checkpoint, load
from engine.model.embedding import ImageEmbedding
from engine.model.mask_head import LowResMasks, MaskHead
from engine.model.precision import Precision
from engine.pipeline.answering import Answerer

Run = Callable[[Plan, Notes, Mapping[str, Any]], None]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """So small a model is slower with several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def plan(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("examples")
    for number in range(2):
        noise = np.random.default_rng(number).integers(0, 256, (60 + 20 * number, 90, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    tiny = str(tiny_folder)
    return Plan(
        device="cpu",
        examples=str(folder),
        drawn=tiny,
        embedded=tiny,
        large=tiny,
        rows=3,
        steps=12,
        matmul=64,
        copied=1 << 16,
        short=12,
        seg_every=4,
        scarce_batch=5,
        batches=(1, 2),
        embedded_batches=(2,),
        tokens=9,
        masks_every=4,
        rounds=1,
        least=2,
        public=1,
        sa2va_small=(tiny,),
        sa2va=(tiny,),
        sa2va_batch=2,
        sa2va_every=(9, 3),
        timed=3,
        kernels=3,
    )


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts change nothing in a model, and here they all have the same."""
    for part in (agreement, embedded, recorded, sa2va, scarcity, speed):
        monkeypatch.setattr(part, "load", _load)


@cache
def _load(model: str, *, precision: Precision | None = Precision.FLOAT32, device: str = "cpu") -> Checkpoint:
    return load(model, precision=precision, device=device)


@dataclass
class Said:
    """What a part said."""

    checks: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, Any] = field(default_factory=dict)

    @property
    def wrong(self) -> list[str]:
        return [name for name, check in self.checks.items() if not check["right"]]


def _run(run: Run, plan: Plan, earlier: Mapping[str, Any] | None = None, seconds: float = 1e6) -> Said:
    said = Said()
    notes = Notes(lambda kind, name, value: getattr(said, kind).__setitem__(name, value), seconds)
    run(plan, notes, earlier or {})
    return said


def test_the_device_at_its_best(plan: Plan) -> None:
    said = _run(environment.run, plan)
    assert not said.wrong and said.checks.keys() == {"bfloat16 product", "float32 product", "memory"}
    assert said.figures["versions"]["torch"] == torch.__version__.split("+")[0]
    for name in ("bfloat16_flops", "float32_flops", "bandwidth", "copy_bandwidth", "read_bandwidth"):
        assert said.figures[name] > 0


def test_recorded_steps(plan: Plan) -> None:
    said = _run(recorded.run, plan)
    assert not said.wrong and not said.left_out
    assert len(said.checks) == 4
    assert said.figures["recorded steps, float32"]["tokens"] == 4 * 3 + 4 * 2 + 4 * 1
    assert said.figures["recorded steps, float32"]["other_tokens"] == 0
    assert said.figures["recorded steps, float32"]["states_apart"] < 1e-5


def _recorded_wrong(plan: Plan) -> list[str]:
    checkpoint = recorded.load(plan.drawn)
    return _run(lambda plan, notes, earlier: recorded.compare(plan, notes, checkpoint, "steps"), plan).wrong


@pytest.mark.parametrize("scale", [(1, -1), (1.01, 1)], ids=["logits", "states"])
def test_recorded_steps_that_are_wrong(plan: Plan, monkeypatch: pytest.MonkeyPatch, scale: tuple[float, float]) -> None:
    class Spoilt(RecordedStep):
        def __call__(
            self, ids: Sequence[int], positions: Sequence[int], shifts: Sequence[int] | None = None
        ) -> tuple[Tensor, Tensor]:
            states, logits = super().__call__(ids, positions, shifts)
            return scale[0] * states, scale[1] * logits

    assert _recorded_wrong(plan) == []
    monkeypatch.setattr(recorded, "RecordedStep", Spoilt)
    assert _recorded_wrong(plan) == ["steps"]


def test_recorded_steps_that_lose_their_place(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    step = RecordedStep.__call__

    def late(self: RecordedStep, ids: Sequence[int], positions: Sequence[int]) -> tuple[Tensor, Tensor]:
        return step(self, ids, [position - 1 for position in positions])

    monkeypatch.setattr(RecordedStep, "__call__", late)
    assert _recorded_wrong(plan) == ["steps"]


def test_answers_agree(plan: Plan) -> None:
    said = _run(agreement.run, plan)
    assert not said.wrong
    assert said.checks.keys() == {
        "answers", "mask decoder", "slots, one at a time", "slots, the CPU", "bfloat16", "float16",
    }  # fmt: skip
    assert said.figures["answers"]["same"] == said.figures["answers"]["texts"] == 2
    assert said.figures["answers"]["masks"] >= 2 * 3
    assert "TF32 convolutions" in said.figures
    # Random weights name no object.
    assert said.left_out == {"shared prefix": "no answer names an object"}


def test_masks_of_another_decoder_that_are_wrong(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    head = MaskHead.judged

    def shifted(self: MaskHead, embedding: ImageEmbedding, prompts: Tensor, index: Tensor) -> LowResMasks:
        return LowResMasks(head(self, embedding, prompts, index).logits.roll(3, dims=-1))

    monkeypatch.setattr(MaskHead, "judged", shifted)
    assert _run(lambda plan, notes, _: agreement.Work(plan, notes).decoder(), plan).wrong == ["mask decoder"]


def test_slots_that_mix_up_their_answers(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Generator.step

    def mixed(self: Generator) -> list[tuple[int, Generated]]:
        done = step(self)
        return [(name, replace(one, ids=one.ids[::-1]) if self.free > 1 else one) for name, one in done]

    monkeypatch.setattr(Generator, "step", mixed)
    assert "slots, one at a time" in _run(lambda plan, notes, _: agreement.Work(plan, notes).slots(), plan).wrong


def _at_most(rows: int) -> Callable[[int, int], scarcity.Limit]:
    """Memory for so many answers at a time."""

    @contextmanager
    def limit(answerer: Answerer) -> Iterator[None]:
        generator = answerer.generator
        start = generator.start

        def scarce(requests: Sequence[Request]) -> list[int]:
            if generator.active + len(requests) > rows:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return start(requests)

        generator.start = scarce  # type: ignore[method-assign]
        yield

    return lambda one, whole: limit


def _halving(rows: int) -> Run:
    return lambda plan, notes, earlier: scarcity.halving(plan, notes, _at_most(rows))


def test_memory_that_runs_out_halves_the_batch(plan: Plan) -> None:
    said = _run(_halving(2), plan)
    assert not said.wrong
    assert said.figures["halving"] == {"batch": 5, "slots": 2, "same": 5, "failed": 0}


def test_a_batch_that_was_never_halved_shows_nothing(plan: Plan) -> None:
    assert _run(_halving(5), plan).wrong == ["halving"]


def test_photographs_that_memory_fails_are_named(plan: Plan) -> None:
    said = _run(_halving(0), plan)
    assert said.wrong == ["halving"]
    assert "5 failed: " in said.checks["halving"]["line"]


def test_a_cpus_memory_is_not_made_scarce(plan: Plan) -> None:
    with pytest.raises(LeftOut):
        _run(scarcity.run, plan)


def test_speed(plan: Plan) -> None:
    best = {"environment": {"bandwidth": 1e9, "bfloat16_flops": 2e9, "float32_flops": 1e9}}
    said = _run(speed.run, plan, best)
    assert not said.wrong and not said.left_out
    assert said.figures["loading"]["seconds"] > 0
    assert all(said.figures["operations"][name] > 0 for name in ("encode", "prefill", "masks"))
    for rows in plan.batches:
        steps = said.figures[f"decode steps of {rows}"]
        moved = steps["weights_bytes"] + steps["cache_bytes"]
        assert steps["bandwidth_share"] == pytest.approx(moved / 1e9 / (steps["recorded_ms"] / 1e3))
        assert steps["tokens_per_second"] == pytest.approx(rows / (steps["recorded_ms"] / 1e3))
    for batch in plan.batches:
        found = said.figures[f"batch {batch}"]
        assert (found["images"], found["failed"], found["tokens"]) == (2, 0, 2 * plan.tokens)
        assert found["masks"] >= 2 * 2 and found["rows_per_step"] == batch
        assert {"encode", "prefill", "decode_tokens", "masks", "finish"} <= found["stages"].keys()
        assert found["shares"].keys() == {"encode", "prefill", "masks"}
        assert found["decode_bandwidth_share"] > 0
    public = said.figures["batch 2"]["public"]["public"]
    assert (public["images"], public["tokens"], public["same_texts"]) == (1, plan.tokens, 1)
    assert not said.figures["batch 1"]["public"]
    for name in ("encoders", "decode step", "prompts"):
        total, *kernels = said.figures[f"kernels: {name}"]
        assert "ms in all" in total and len(kernels) == plan.kernels
    assert said.figures["batch that memory holds"] == 8 and "as many as memory holds" in said.figures


def test_shares_are_unknown_where_the_device_was_not_measured(plan: Plan) -> None:
    said = _run(speed.run, replace(plan, batches=(2,), public=0))
    assert not said.wrong
    assert said.figures["decode steps of 2"]["bandwidth_share"] is None
    assert set(said.figures["batch 2"]["shares"].values()) == {None}


def test_what_there_is_no_time_for_is_left_out(plan: Plan) -> None:
    said = _run(speed.run, plan, seconds=20.0)
    assert said.left_out.keys() >= {"batch 1", "batch 2"}
    assert all(reason.startswith("no time left") for reason in said.left_out.values())
    assert "decode steps of 2" in said.figures and not said.wrong


def test_the_embedded_model(plan: Plan) -> None:
    said = _run(embedded.run, plan)
    assert not said.wrong
    assert said.checks.keys() == {"float32, batch 2", "bfloat16, batch 2", "public loop"}
    assert said.figures["bfloat16, batch 2"]["images"] == 2


def test_the_program(plan: Plan) -> None:
    said = _run(program.run, plan)
    assert not said.wrong and len(said.checks) == 3
    assert all(figures["images"] == 2 for figures in said.figures.values() if isinstance(figures, dict))


def test_a_program_that_fails_is_told(plan: Plan) -> None:
    said = _run(program.run, replace(plan, embedded="no-such-model"))
    assert len(said.wrong) == 3
    assert "exit code 2" in said.checks["segcap"]["line"]


def test_sa2va_beside_its_loop(plan: Plan) -> None:
    said = _run(sa2va.run, plan)
    assert not said.wrong and not said.left_out
    assert said.figures[f"{plan.drawn}: precision"] == "float32"
    for every, masks in ((9, 1), (3, 3)):
        figures = said.figures[f"{plan.drawn}, a mask every {every} tokens"]
        assert figures["masks"] >= 2 * masks and figures["ratio"] > 0
        assert figures["images_per_second"] / figures["loop"] == pytest.approx(figures["ratio"])


def test_sa2va_whose_masks_are_wrong(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    class Spoilt(Sa2vaLoop):
        def _masks(self, seen: Inputs, states: Tensor) -> LowResMasks:
            return LowResMasks(-super()._masks(seen, states).logits)

    monkeypatch.setitem(engine_bench._LOOPS, Baseline.SA2VA, Spoilt)
    assert plan.sa2va_small[0] in _run(sa2va.run, plan).wrong
