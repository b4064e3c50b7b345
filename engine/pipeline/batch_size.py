"""How many answers are written together, where nobody says it.

On the CPU that is a fixed number. A CUDA device gets as many as its memory holds: one photograph and then two are
taken as far as a token, and what the second one adds is what each further one will. Only the encoders never get more
than a few photographs at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from engine.images.transforms import make_views
from engine.memory import out_of_memory
from engine.model.config import ModelConfig
from engine.model.pixel_encoder import TOGETHER
from engine.pipeline.answering import Answerer, Asked, Encoded

ON_CPU = 8
"""More together are hardly faster there, and take more memory."""
MOST = 128
"""A step takes longer with more; the first answers should not wait for ever."""
_SHARE = 0.85
"""Of the free memory; the mask decoder and what libraries take besides need the rest."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """Bytes held at the most for some photographs: while they are encoded, and while they are answered."""

    encoding: int
    answering: int


def batch_size(config: ModelConfig, device: torch.device, answerer: Callable[[int], Answerer]) -> int:
    """Answers that are written together.

    Args:
        config: of the model.
        device: where it lies.
        answerer: makes an answerer with so many slots.
    """
    if device.type != "cuda":
        return ON_CPU

    def peaks(rows: int) -> Peaks:
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated(device)
        asked = answerer(rows)
        torch.cuda.reset_peak_memory_stats(device)
        photographs = encode_blank(asked, config, rows)
        encoding = torch.cuda.max_memory_allocated(device) - before
        torch.cuda.reset_peak_memory_stats(device)
        take_a_token(asked, photographs)
        return Peaks(encoding, torch.cuda.max_memory_allocated(device) - before)

    try:
        one, two = peaks(1), peaks(2)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        return 1
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    return largest(int(_SHARE * free), one, two)


def encode_blank(answerer: Answerer, config: ModelConfig, rows: int) -> list[Encoded]:
    """Encode so many blank photographs, of the usual shape, which is also the one that makes the most tiles."""
    side = config.pixel_encoder.image_size
    return answerer.encode([make_views(np.zeros((3 * side // 4, side, 3), np.uint8), config)] * rows)


def take_a_token(answerer: Answerer, photographs: Sequence[Encoded]) -> None:
    """Take photographs, all at once, as far as the first token of their answers."""
    asked = Asked("custom", "Describe all the objects in the image.")
    answerer.generator.start([answerer.request(photograph, asked) for photograph in photographs])
    answerer.generator.step()


def largest(budget: int, one: Peaks, two: Peaks) -> int:
    """The most photographs whose memory fits; those that come are encoded while all others are answered.

    Args:
        budget: bytes.
        one, two: what one photograph takes, and two together.
    """

    def needed(rows: int) -> int:
        encoding = _line(one.encoding, two.encoding, min(rows, TOGETHER))
        return encoding + _line(one.answering, two.answering, rows)

    return max((rows for rows in range(1, MOST + 1) if needed(rows) <= budget), default=1)


def _line(one: int, two: int, rows: int) -> int:
    return one + (rows - 1) * max(0, two - one)
