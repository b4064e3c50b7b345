"""The exported decoder against torch: numbers of prompts, aspect ratios, several images in a call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.images.transforms import Frame
from engine.masks.decoder import OnnxMaskDecoder, TorchMaskDecoder
from engine.masks.onnx_runtime import onnxruntime
from engine.masks.postprocess import upscale
from engine.model.checkpoint import Checkpoint, load
from exporters.onnx import export


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return load("nano")


def _inputs(model: Checkpoint, prompts: int, images: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(prompts)
    channels, grid = model.config.mask_decoder.dim, model.config.pixel_encoder.grid
    return (
        torch.randn(images, channels, grid, grid, generator=draws),
        torch.randn(prompts, channels, generator=draws),
        torch.randint(0, images, (prompts,), generator=draws),
    )


@pytest.mark.parametrize("prompts", [1, 2, 7, 32])
@pytest.mark.parametrize(("height", "width"), [(480, 640), (640, 480), (300, 300), (90, 800)])
def test_masks_equal_torch(nano: Checkpoint, prompts: int, height: int, width: int) -> None:
    assert nano.decoder is not None
    embeddings, vectors, index = _inputs(nano, prompts, images=3)
    side = nano.config.pixel_encoder.image_size
    frame = Frame.fit(height, width, side)
    session = onnxruntime.InferenceSession(str(nano.decoder), providers=["CPUExecutionProvider"])
    low_res, masks = session.run(
        ["low_res_masks", "masks"],
        {
            "image_embeddings": embeddings.numpy(),
            "prompt_vectors": vectors.numpy(),
            "image_index": index.numpy(),
            "inner_size": np.array([frame.inner_height, frame.inner_width]),
            "output_size": np.array([height, width]),
        },
    )
    expected = TorchMaskDecoder(nano.model.mask_head)(embeddings, vectors, index)
    np.testing.assert_allclose(low_res, expected.numpy(), atol=1e-3, rtol=1e-4)
    assert masks.shape == (prompts, 1, height, width)
    np.testing.assert_allclose(masks[:, 0], upscale(expected, frame, side).numpy(), atol=2e-3, rtol=1e-4)


def test_the_engine_session_runs_the_same_masks(nano: Checkpoint) -> None:
    assert nano.decoder is not None
    inputs = _inputs(nano, prompts=5, images=2)
    found = OnnxMaskDecoder(nano.decoder, nano.device)(*inputs)
    torch.testing.assert_close(found, TorchMaskDecoder(nano.model.mask_head)(*inputs), atol=1e-3, rtol=1e-4)


def test_the_file_tells_nothing_of_the_machine(nano: Checkpoint, tmp_path: Path) -> None:
    content = export(nano.folder or Path(), tmp_path / "decoder.onnx").read_bytes()
    for trace in (str(Path.cwd()), "site-packages", ".py"):
        assert trace.encode() not in content
