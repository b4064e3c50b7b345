"""Mask decoder sessions."""

from __future__ import annotations

import pytest
import torch

from engine.masks.decoder import TOGETHER, Backend, open_mask_decoder
from engine.model.checkpoint import Checkpoint
from engine.model.embedding import ImageEmbedding


@pytest.mark.parametrize("backend", ["torch", "onnx"])
@pytest.mark.parametrize("count", [0, 1, TOGETHER["cpu"], 2 * TOGETHER["cpu"] + 3])
def test_masks_are_those_of_one_call_however_many_there_are(tiny: Checkpoint, backend: Backend, count: int) -> None:
    draws = torch.Generator().manual_seed(0)
    head, dim = tiny.model.mask_head, tiny.config.mask_decoder.dim
    embedding = ImageEmbedding(torch.randn(2, dim, 8, 8, generator=draws))
    prompts = torch.randn(count, dim, generator=draws)
    index = torch.randint(0, 2, (count,), generator=draws)
    with torch.inference_mode():
        expected = head(embedding, prompts, index)
        got = open_mask_decoder(tiny, backend)(embedding, prompts, index)
    assert got.logits.shape == (count, 32, 32) and got.predicted_iou is None
    torch.testing.assert_close(got.logits, expected, atol=1e-4, rtol=1e-4)
