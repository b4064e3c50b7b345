"""Mask decoder sessions: the same masks by ONNX Runtime or by torch.

Legend: `B` images, `N` masks, `C` channels, `g` side of the grid, `m` side of the low-res masks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from engine.errors import UsageError
from engine.model.checkpoint import Checkpoint
from engine.model.config import ModelConfig
from engine.model.embedding import ImageEmbedding
from engine.model.mask_head import LowResMasks, MaskHead
from engine.model.onnx_runtime import onnxruntime, session_options

Backend = Literal["onnx", "torch"]

EMBEDDINGS, PROMPTS, IMAGE_INDEX = "image_embeddings", "prompt_vectors", "image_index"
HIGH_RES = ("high_res_0", "high_res_1")
LOW_RES, PREDICTED_IOU = "low_res_masks", "predicted_iou"
TOGETHER = {"cpu": 8, "cuda": 32}
"""Masks in a call on a kind of device: more are no faster each, and take more memory."""


def maps_of(config: ModelConfig) -> dict[str, tuple[int, int, int]]:
    """The maps that a model's exported decoder reads, by name: channels, height and width of each."""
    grid, (first, second) = config.pixel_encoder.grid, config.mask_decoder.upscaling
    maps = {EMBEDDINGS: (config.mask_decoder.dim, grid, grid)}
    if config.mask_decoder.high_res:
        for name, share, side in zip(HIGH_RES, (4, 8), (grid * first, grid * first * second), strict=True):
            maps[name] = (config.mask_decoder.dim // share, side, side)
    return maps


def outputs_of(config: ModelConfig) -> list[str]:
    """What a model's exported decoder gives before it resizes, by name."""
    return [LOW_RES, PREDICTED_IOU] if config.mask_score == "predicted_iou" else [LOW_RES]


class MaskDecoder(Protocol):
    """Decodes all masks of a batch in one call."""

    def __call__(self, embedding: ImageEmbedding, prompts: Tensor, image_index: Tensor) -> LowResMasks:
        """`B` images, `(N, C)` prompt vectors, `(N,)` int64 the image of each, to low-res masks."""
        ...


def _parts(
    embedding: ImageEmbedding, prompts: Tensor, image_index: Tensor, step: int
) -> Iterator[tuple[ImageEmbedding, Tensor, Tensor]]:
    """At most `step` masks at a time; where finer maps have to be put in order, with those of their own photographs."""
    several = len(prompts) > step
    for vectors, index in zip(prompts.split(step), image_index.split(step), strict=True):
        if several and embedding.high_res:
            photographs, places = index.unique(return_inverse=True)
            yield embedding.pick(photographs), vectors, places
        else:
            yield embedding, vectors, index


class TorchMaskDecoder:
    """Runs the network's own mask head."""

    def __init__(self, head: MaskHead) -> None:
        self._head = head

    @torch.inference_mode()
    def __call__(self, embedding: ImageEmbedding, prompts: Tensor, image_index: Tensor) -> LowResMasks:
        """See `MaskDecoder`."""
        step = TOGETHER.get(prompts.device.type, TOGETHER["cpu"])
        parts = _parts(embedding, prompts, image_index, step)
        return LowResMasks.join([self._head.judged(*part) for part in parts])


class OnnxMaskDecoder:
    """Runs an exported mask decoder, on the model's own device where ONNX Runtime has it, else on the CPU.

    On the device it reads the tensors and writes the masks in place (IO binding): nothing passes through the CPU.

    Args:
        path: the file.
        device: the model's.

    Raises:
        UsageError: if ONNX Runtime can't load the file.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        options = session_options()
        self._device = torch.device("cpu")
        providers: list[Any] = ["CPUExecutionProvider"]
        if device.type == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            self._device = torch.device("cuda", device.index or 0)
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": self._device.index}))
        else:
            # A plan of the memory would be made, and kept, for each new number of masks.
            options.enable_mem_pattern = False
        self._together = TOGETHER[self._device.type]
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # ONNX Runtime's exceptions have no public base class
            raise UsageError(f"{path}: ONNX Runtime can't load it: {error}") from error
        # The file also resizes to a photograph's size; the engine does that elsewhere, so only low-res is run.
        self._run = onnxruntime.RunOptions()
        self._run.only_execute_path_to_fetches = True
        self._run.log_severity_level = options.log_severity_level
        names = {entry.name for entry in self._session.get_inputs()}
        self._maps = [name for name in (EMBEDDINGS, *HIGH_RES) if name in names]
        self._unused = sorted(names - {*self._maps, PROMPTS, IMAGE_INDEX})
        given = {entry.name: entry for entry in self._session.get_outputs()}
        self._side = given[LOW_RES].shape[-1]
        self._judges = PREDICTED_IOU in given

    def __call__(self, embedding: ImageEmbedding, prompts: Tensor, image_index: Tensor) -> LowResMasks:
        """See `MaskDecoder`."""
        n = len(prompts)
        low_res = torch.empty(n, self._side, self._side, device=self._device)
        found = LowResMasks(low_res, torch.empty(n, device=self._device) if self._judges else None)
        if not n:
            return found  # ONNX Runtime binds no empty tensor
        whole = ImageEmbedding.of([maps.to(self._device, torch.float32).contiguous() for maps in embedding.tensors])
        vectors, index = prompts.to(self._device, torch.float32), image_index.to(self._device)
        parts = _parts(whole, vectors.contiguous(), index.contiguous(), self._together)
        steps = [min(self._together, n - start) for start in range(0, n, self._together)]
        for (some, part, places), masks in zip(parts, found.split(steps), strict=True):
            self._call(some.tensors, part, places, masks)
        return found

    def _call(self, images: Sequence[Tensor], vectors: Tensor, index: Tensor, found: LowResMasks) -> None:
        """Tensors are read and written where they lie."""
        binding = self._session.io_binding()
        for name, tensor, kind in (
            *((name, maps, np.float32) for name, maps in zip(self._maps, images, strict=True)),
            (PROMPTS, vectors, np.float32),
            (IMAGE_INDEX, index, np.int64),
        ):
            binding.bind_input(
                name, tensor.device.type, tensor.device.index or 0, kind, tuple(tensor.shape), tensor.data_ptr()
            )
        for name in self._unused:
            binding.bind_cpu_input(name, np.ones(2, np.int64))
        for name, made in ((LOW_RES, found.logits), (PREDICTED_IOU, found.predicted_iou)):
            if made is not None:
                place = made.device.type, made.device.index or 0
                binding.bind_output(name, *place, np.float32, tuple(made.shape), made.data_ptr())
        if self._device.type == "cuda":
            # ONNX Runtime has a stream of its own.
            torch.cuda.current_stream(self._device).synchronize()
        self._session.run_with_iobinding(binding, self._run)
        binding.synchronize_outputs()


def open_mask_decoder(checkpoint: Checkpoint, backend: Backend) -> MaskDecoder:
    """The session of a model's mask decoder; random weights have no exported one and always run in torch.

    Raises:
        UsageError: if `onnx` is asked for and the model folder has no exported decoder.
    """
    if backend == "torch" or checkpoint.folder is None:
        return TorchMaskDecoder(checkpoint.model.mask_head)
    if checkpoint.decoder is None:
        raise UsageError(
            f"{checkpoint.folder} has no exported mask decoder: run `mglmm export onnx {checkpoint.folder}`, "
            "or use --decoder torch"
        )
    return OnnxMaskDecoder(checkpoint.decoder, checkpoint.device)
