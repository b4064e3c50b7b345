"""How much of what is checked and measured: the sizes for a GPU; tests have smaller ones for a CPU."""

from __future__ import annotations

from dataclasses import dataclass

_GIGABYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of all parts.

    Attributes:
        device: as torch names it.
        examples: folder of photographs.
        drawn: a model with random weights, for steps token by token.
        embedded: a model that has learned to answer.
        large: a model with random weights, to measure.
        large_precision: of its weights.
        rows: answers in progress at most, where steps are compared.
        steps: tokens of each.
        matmul: side of the matrices of the measured product.
        copied: bytes of the measured copy.
        short: tokens of the embedded model's answers; None is what it was made for.
        seg_every: of the embedded model's answers, see `engine.decoding.generator.Sampling`.
        scarce_batch: answers written together where memory runs out.
        batches: answers written together, of the large model.
        embedded_batches: of the embedded model.
        tokens: of each answer of the large model.
        masks_every: so many of them for a `[SEG]`.
        rounds: photographs of a measurement, as batches; at least one.
        least: photographs of a measurement at least.
        public: photographs that the public loop gets.
        sa2va_small: Sa2VA's two lines, scaled down, whose answers must be those of the loop in float32.
        sa2va: members of full size, to measure.
        sa2va_batch: answers of theirs written together.
        sa2va_every: so many tokens for a `[SEG]`, one figure each.
        timed: steps timed for one figure.
        kernels: rows of a profiler's table.
    """

    device: str = "cuda"
    examples: str = "examples"
    drawn: str = "random:bench-768"
    embedded: str = "nano"
    large: str = "random:7b"
    large_precision: str = "bfloat16"
    rows: int = 6
    steps: int = 150
    matmul: int = 8192
    copied: int = 2 * _GIGABYTE
    short: int | None = None
    seg_every: int | None = None
    scarce_batch: int = 48
    batches: tuple[int, ...] = (8, 32, 64)
    embedded_batches: tuple[int, ...] = (8, 32, 128)
    tokens: int = 100
    masks_every: int = 20
    rounds: int = 2
    least: int = 32
    public: int = 2
    sa2va_small: tuple[str, ...] = ("random:bench-sa2va", "random:bench-sa2va-qwen3vl")
    sa2va: tuple[str, ...] = ("random:sa2va-1b", "random:sa2va-qwen3vl-2b")
    sa2va_batch: int = 16
    sa2va_every: tuple[int, ...] = (100, 33, 12)
    timed: int = 20
    kernels: int = 14
