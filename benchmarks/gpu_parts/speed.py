"""Photographs and tokens per second, and which share that is of what the device gives at best.

The device at best is what `environment` measured. A decode step must read the weights of the language model once and
the keys and values of every token that its rows have seen; prompts, encoders and the mask decoder must do their
products. What that would take at best, over what it took, are the shares.

The answers of random weights mean nothing. Their length is given, and so is where a `[SEG]` stands; their masks are
noise, whose run lengths take longer than those of real masks.

Legend: `P` image tokens, `D` hidden size.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu_parts.agreement import example_sources
from benchmarks.gpu_parts.plan import Plan
from benchmarks.gpu_parts.running import Notes
from benchmarks.gpu_parts.tools import forget, share, wait_for
from engine.bench import Baseline, Report, bench
from engine.bench import Plan as BenchPlan
from engine.bench.roofline import bytes_per_step, cache_bytes
from engine.decoding.generator import Generator
from engine.decoding.row import Request, Sampling
from engine.decoding.sequence import PromptWriter
from engine.images.transforms import read_views
from engine.masks.decoder import TorchMaskDecoder
from engine.model.checkpoint import Checkpoint, load
from engine.model.pixel_encoder import TOGETHER
from engine.model.precision import Precision
from engine.pipeline.answering import Answerer, Asked, Encoded
from engine.pipeline.pipeline import Options, Pipeline
from engine.text.prompts import TEMPLATES

_FIRST = 30.0
"""Seconds without which no measurement is begun whose length is not known yet."""
_NAME = 100  # characters of a kernel's name
_WARM_UP = 4  # steps


@dataclass(frozen=True, slots=True)
class Best:
    """What the device gives at best; None where it was not measured.

    Attributes:
        bandwidth: bytes per second.
        flops: of products in half precision, per second.
        exact_flops: of products in float32 without TF32, per second.
    """

    bandwidth: float | None = None
    flops: float | None = None
    exact_flops: float | None = None

    @classmethod
    def of(cls, earlier: Mapping[str, Any]) -> Best:
        """As `environment` found it."""
        found = earlier.get("environment", {})
        return cls(found.get("bandwidth"), found.get("bfloat16_flops"), found.get("float32_flops"))


def run(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    """See `Part`."""
    begin = time.perf_counter()
    checkpoint = load(plan.large, precision=Precision(plan.large_precision), device=plan.device)
    device = checkpoint.device
    wait_for(device)
    notes.figure("loading", {"seconds": time.perf_counter() - begin, "bytes": _allocated(device)})
    speed = Speed(plan, notes, Best.of(earlier), checkpoint)
    with notes.step("operations"):
        speed.count_operations()
    for rows in plan.batches:
        with notes.step(f"decode steps of {rows}"):
            speed.decode_steps(rows)
    answers = Options(
        granularity="panoptic", max_new_tokens=plan.tokens, forced=True, seg_every=plan.masks_every, decoder="torch"
    )
    middle = plan.batches[len(plan.batches) // 2]
    for batch in plan.batches:
        with notes.step(f"batch {batch}"):
            options = replace(answers, batch_size=batch)
            speed.throughput(f"batch {batch}", options, public=plan.public if batch == middle else 0)
    with notes.step("kernels"):
        speed.kernels(middle)
    with notes.step("batch that memory holds"):
        speed.batch_by_memory(answers)


class Speed:
    """One model on one device.

    Args:
        plan: the sizes.
        notes: of the part.
        best: of the device.
        checkpoint: the model.
    """

    def __init__(self, plan: Plan, notes: Notes, best: Best, checkpoint: Checkpoint) -> None:
        self._plan, self._notes, self._best = plan, notes, best
        self._checkpoint, self._device = checkpoint, checkpoint.device
        self._language = checkpoint.model.language_model
        self._writer = PromptWriter(checkpoint.config, checkpoint.tokenizer)
        self._families = TEMPLATES[checkpoint.config.template].families
        self._flops: dict[str, float] = {}
        half = checkpoint.precision is not Precision.FLOAT32
        # The mask decoder is always float32.
        most = best.flops if half else best.exact_flops
        self._most = {"encode": most, "prefill": most, "masks": best.exact_flops}
        self._rate: float | None = None

    @torch.inference_mode()
    def count_operations(self) -> None:
        """Floating-point operations of products: of a photograph, a prompt, a mask."""
        answerer = self._answerer(1)
        (source,) = example_sources(self._plan, 1)
        view = read_views(source.path, self._checkpoint.config)
        found: list[Encoded] = []
        self._count("encode", lambda: found.extend(answerer.encode([view])))
        (photograph,) = found
        self._count("prefill", lambda: answerer.generator.start([answerer.request(photograph, self._asked)]))
        head = self._checkpoint.model.mask_head
        prompt = torch.zeros(1, self._checkpoint.config.mask_decoder.dim, device=self._device)
        index = torch.zeros(1, dtype=torch.long, device=self._device)
        self._count("masks", lambda: head(photograph.embedding, prompt, index))
        self._notes.figure("operations", self._flops)

    def decode_steps(self, rows: int) -> None:
        """Milliseconds of a step in the middle of so many answers, recorded and as it comes."""
        forget(self._device)
        times = {name: self._step_time(rows, recorded) for name, recorded in (("recorded", True), ("plain", False))}
        length = len(self._writer.prefix) + len(self._question) + _WARM_UP + self._plan.timed // 2
        weights, cache = bytes_per_step(self._language), rows * length * cache_bytes(self._language)
        rate = self._best.bandwidth
        figures = {
            "rows": rows,
            "tokens_seen": length,
            "recorded_ms": 1e3 * times["recorded"],
            "plain_ms": 1e3 * times["plain"],
            "weights_bytes": weights,
            "cache_bytes": cache,
            "bandwidth_share": share((weights + cache) / times["recorded"], rate),
            "weights_share": share(weights / times["recorded"], rate),
            "tokens_per_second": rows / times["recorded"],
        }
        self._notes.figure(f"decode steps of {rows}", figures)

    def throughput(self, name: str, options: Options, *, public: int = 0) -> Report:
        """The engine over photographs, from files to records, after a whole batch to warm up.

        Args:
            name: of the figures.
            options: of the engine.
            public: photographs that the public loop gets too.

        Raises:
            LeftOut: if there is not enough time.
        """
        batch = options.batch_size or 1
        count = -(-max(self._plan.least, batch * self._plan.rounds) // batch) * batch
        self._notes.enough(_FIRST if self._rate is None else (count + batch) / self._rate)
        forget(self._device)
        baselines = (Baseline.PUBLIC,) if public else ()
        plan = BenchPlan(options, baselines, baseline_limit=public, warm_up=batch)
        report = bench(lambda: self._checkpoint, example_sources(self._plan, count), plan, lambda line: None)
        self._rate = report.images_per_second
        self._notes.figure(name, self._figures(report, options))
        line = f"{report.images} of {count} photographs, {report.images_per_second:.2f} a second"
        if report.baselines:
            line += f", {report.ratio[Baseline.PUBLIC.value]:.1f} times the public loop's"
        self._notes.check(name, report.images == count and not report.failed, line)
        return report

    def batch_by_memory(self, answers: Options) -> None:
        """As many answers at a time as the engine finds to fit, and whether they do."""
        batch = Pipeline(self._checkpoint, answers).batch_size
        self._notes.figure("batch that memory holds", batch)
        if batch not in self._plan.batches:
            self.throughput("as many as memory holds", replace(answers, batch_size=batch))

    @torch.inference_mode()
    def kernels(self, rows: int) -> None:
        """What takes longest in one decode step, in the prompts' pass and in the encoders."""
        answerer = self._answerer(rows)
        sources = example_sources(self._plan, min(rows, TOGETHER))
        views = [read_views(source.path, self._checkpoint.config) for source in sources]
        self._notes.figure("kernels: encoders", self._profiled(lambda: answerer.encode(views), warm_up=1))
        generator = self._generator(rows, recorded=self._device.type == "cuda")
        requests = [self._request()] * rows
        generator.start(requests)
        self._notes.figure("kernels: decode step", self._profiled(generator.step, warm_up=_WARM_UP))
        generator.clear()
        self._notes.figure("kernels: prompts", self._profiled(lambda: generator.start(requests), warm_up=0))

    @property
    def _asked(self) -> Asked:
        return Options(granularity="panoptic").asked(self._families)[0]

    @property
    def _question(self) -> list[int]:
        return self._writer.question(self._asked.instruction)

    def _request(self) -> Request:
        """A question about drawn image tokens `(P, D)`, answered for as long as steps are timed."""
        hidden: int = self._language.config.hidden_size
        draws = torch.Generator(self._device).manual_seed(0)
        tokens = torch.randn(self._writer.prefix.image_tokens, hidden, device=self._device, generator=draws)
        limit = 2 * (_WARM_UP + self._plan.timed)
        return Request(self._writer.prefix, tokens.to(self._checkpoint.precision.dtype), self._question, limit)

    def _generator(self, rows: int, *, recorded: bool) -> Generator:
        model, tokenizer = self._checkpoint.model, self._checkpoint.tokenizer
        return Generator(model, tokenizer, Sampling(forced=True), rows, recorded=recorded)

    def _answerer(self, slots: int) -> Answerer:
        decoder = TorchMaskDecoder(self._checkpoint.model.mask_head)
        return Answerer(self._checkpoint, decoder, Sampling(forced=True), self._plan.tokens, slots)

    def _step_time(self, rows: int, recorded: bool) -> float:
        """The median of some steps' seconds."""
        generator = self._generator(rows, recorded=recorded)
        generator.start([self._request()] * rows)
        times = []
        for _ in range(_WARM_UP + self._plan.timed):
            wait_for(self._device)
            begin = time.perf_counter()
            generator.step()
            wait_for(self._device)
            times.append(time.perf_counter() - begin)
        return statistics.median(times[_WARM_UP:])

    def _count(self, name: str, call: Callable[[], object]) -> None:
        with FlopCounterMode(display=False) as counter:
            call()
        self._flops[name] = float(counter.get_total_flops())

    def _figures(self, report: Report, options: Options) -> dict[str, Any]:
        stages = report.stages
        decoding = stages["decode_tokens"]
        return {
            "images": report.images,
            "failed": report.failed,
            "seconds": report.seconds,
            "images_per_second": report.images_per_second,
            "tokens_per_second": report.tokens / report.seconds,
            "questions": report.questions,
            "tokens": report.tokens,
            "masks": report.masks,
            "steps": report.steps,
            # Less than the batch where memory has run out, or at the end.
            "rows_per_step": decoding.count / report.steps if report.steps else None,
            "outside_share": report.outside_share,
            "peak_bytes": report.peak_memory,
            "stages": {
                name: {"seconds": stage.seconds, "count": stage.count, "share_of_wall": stage.seconds / report.seconds}
                for name, stage in stages.items()
            },
            "shares": {
                name: share(self._flops[name] * stages[name].count / stages[name].seconds, most)
                for name, most in self._most.items()
                if name in self._flops and name in stages and stages[name].seconds
            },
            "decode_bandwidth_share": self._decode_share(report, options) if decoding.seconds else None,
            "public": {
                name: {
                    "images": run.images,
                    "images_per_second": run.images_per_second,
                    "tokens": run.tokens,
                    "same_texts": run.agreement.same_texts,
                    "texts": run.agreement.texts,
                    "mask_agreement": run.agreement.mask_agreement,
                    "engine_is_faster_by": report.ratio[name],
                }
                for name, run in report.baselines.items()
            },
        }

    def _decode_share(self, report: Report, options: Options) -> float | None:
        """Of answers that all have the same length: weights of each step, keys and values of each token's step."""
        if not options.forced or options.max_new_tokens is None:
            return None
        steps = options.max_new_tokens - 1  # the first token is the prompt's
        prompt = len(self._writer.prefix) + len(self._question)
        seen = report.questions * (steps * prompt + steps * (steps + 1) // 2)
        read = report.steps * bytes_per_step(self._language) + seen * cache_bytes(self._language)
        return share(read / report.stages["decode_tokens"].seconds, self._best.bandwidth)

    def _profiled(self, call: Callable[[], object], *, warm_up: int) -> list[str]:
        """The longest kernels of a call: milliseconds, calls, name."""
        for _ in range(warm_up):
            call()
        wait_for(self._device)
        on_card = self._device.type == "cuda"
        activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_card
        with profile(activities=activities) as found:
            call()
            wait_for(self._device)
        times: list[tuple[float, int, str]] = []
        for event in found.key_averages():
            if on_card and event.device_type == torch.autograd.DeviceType.CUDA:
                times.append((event.self_device_time_total / 1e3, event.count, event.key))
            elif not on_card:
                times.append((event.self_cpu_time_total / 1e3, event.count, event.key))
        times.sort(reverse=True)
        total = sum(entry[0] for entry in times)
        lines = [f"{ms:9.3f} ms {count:6d} x {name[:_NAME]}" for ms, count, name in times[: self._plan.kernels]]
        return [f"{total:9.3f} ms in all, {len(times)} kinds", *lines]


def _allocated(device: torch.device) -> int | None:
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else None
