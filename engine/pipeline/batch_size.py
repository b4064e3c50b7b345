"""How many answers are written together, where nobody says it.

On the CPU that is a fixed number. A CUDA device gets as many as its memory holds: one photograph and then two are
taken as far as a token, and what the second one adds is what each further one will.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from engine.images.transforms import make_views
from engine.memory import out_of_memory
from engine.model.config import ModelConfig
from engine.pipeline.answering import Answerer, Asked

ON_CPU = 8
"""More together are hardly faster there, and take more memory."""
MOST = 128
"""A step takes longer with more; the first answers should not wait for ever."""
_SHARE = 0.85
"""Of the free memory; the mask decoder and what libraries take besides need the rest."""


def batch_size(config: ModelConfig, device: torch.device, answerer: Callable[[int], Answerer]) -> int:
    """Answers that are written together.

    Args:
        config: of the model.
        device: where it lies.
        answerer: makes an answerer with so many slots.
    """
    if device.type != "cuda":
        return ON_CPU

    def peak(rows: int) -> int:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        take_a_token(answerer(rows), config, rows)
        return torch.cuda.max_memory_allocated(device) - before

    try:
        one, two = peak(1), peak(2)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        return 1
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    return largest(int(_SHARE * free), one, two)


def take_a_token(answerer: Answerer, config: ModelConfig, rows: int) -> None:
    """Take so many blank photographs, all at once, as far as the first token of their answers."""
    side = config.pixel_encoder.image_size
    views = make_views(np.zeros((side, side, 3), np.uint8), config)
    asked = Asked("custom", "Describe all the objects in the image.")
    encoded = answerer.encode([views] * rows)
    answerer.generator.start([answerer.request(photograph, asked) for photograph in encoded])
    answerer.generator.step()


def largest(budget: int, one: int, two: int) -> int:
    """The most photographs whose memory fits.

    Args:
        budget: bytes.
        one, two: bytes that one photograph takes, and two together.
    """
    each = max(1, two - one)
    return max(1, min(MOST, 1 + (budget - one) // each))
