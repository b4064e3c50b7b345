"""The exported decoder against torch: numbers of prompts, aspect ratios, several images in a call."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import MglmmError, UsageError
from engine.images.transforms import Frame
from engine.masks.decoder import OnnxMaskDecoder, TorchMaskDecoder, maps_of
from engine.masks.postprocess import upscale
from engine.model.checkpoint import Checkpoint, load, save
from engine.model.embedding import ImageEmbedding
from engine.model.mglmm import MGLMM
from engine.model.onnx_runtime import onnxruntime
from exporters.onnx import export
from tests.engine.tiny import FINE, tokenizer


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return load("nano")


def _inputs(model: Checkpoint, prompts: int, images: int) -> tuple[ImageEmbedding, torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(prompts)
    maps = [torch.randn(images, *shape, generator=draws) for shape in maps_of(model.config).values()]
    vectors = torch.randn(prompts, model.config.mask_decoder.dim, generator=draws)
    return ImageEmbedding.of(maps), vectors, torch.randint(0, images, (prompts,), generator=draws)


@pytest.mark.parametrize("prompts", [1, 2, 7, 32])
@pytest.mark.parametrize(("height", "width"), [(480, 640), (640, 480), (300, 300), (90, 800)])
def test_masks_equal_torch(nano: Checkpoint, prompts: int, height: int, width: int) -> None:
    assert nano.decoder is not None
    embedding, vectors, index = _inputs(nano, prompts, images=3)
    side = nano.config.pixel_encoder.image_size
    frame = Frame.fit(height, width, side)
    session = onnxruntime.InferenceSession(str(nano.decoder), providers=["CPUExecutionProvider"])
    low_res, masks = session.run(
        ["low_res_masks", "masks"],
        {
            **{name: maps.numpy() for name, maps in zip(maps_of(nano.config), embedding.tensors, strict=True)},
            "prompt_vectors": vectors.numpy(),
            "image_index": index.numpy(),
            "inner_size": np.array([frame.inner_height, frame.inner_width]),
            "output_size": np.array([height, width]),
        },
    )
    expected = TorchMaskDecoder(nano.model.mask_head)(embedding, vectors, index).logits
    np.testing.assert_allclose(low_res, expected.numpy(), atol=1e-3, rtol=1e-4)
    assert masks.shape == (prompts, 1, height, width)
    np.testing.assert_allclose(masks[:, 0], upscale(expected, frame, side).numpy(), atol=2e-3, rtol=1e-4)


def test_the_engine_session_runs_the_same_masks(nano: Checkpoint) -> None:
    assert nano.decoder is not None
    inputs = _inputs(nano, prompts=5, images=2)
    found = OnnxMaskDecoder(nano.decoder, nano.device)(*inputs).logits
    torch.testing.assert_close(found, nano.model.mask_head(*inputs), atol=1e-3, rtol=1e-4)


def test_a_decoder_that_reads_finer_maps_is_exported_with_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = tmp_path / "fine"
    save(folder, MGLMM(FINE), tokenizer(), dtype=torch.float32)
    export(folder)
    fine = load(str(folder))
    assert fine.decoder is not None
    session = OnnxMaskDecoder(fine.decoder, fine.device)
    for images in (1, 2, 3):
        inputs = _inputs(fine, prompts=9, images=images)
        found = session(*inputs).logits
        assert found.shape == (9, 48, 48)
        torch.testing.assert_close(found, fine.model.mask_head(*inputs), atol=1e-3, rtol=1e-4)


def test_a_pipe_is_not_replaced_and_nothing_is_left_of_a_file_that_can_not_be_written(
    nano: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, pipe = nano.folder or Path(), tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="is a pipe"):
        export(folder, pipe)
    assert pipe.is_fifo()

    def full(*rest: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MglmmError, match=r"decoder\.onnx: can't be written: No space left"):
        export(folder, tmp_path / "decoder.onnx")
    assert list(tmp_path.iterdir()) == [pipe]


def test_the_file_tells_nothing_of_the_machine(nano: Checkpoint, tmp_path: Path) -> None:
    content = export(nano.folder or Path(), tmp_path / "decoder.onnx").read_bytes()
    for trace in (str(Path.cwd()), "site-packages", ".py"):
        assert trace.encode() not in content
