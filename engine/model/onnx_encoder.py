"""An exported pixel encoder: its graph from a file, its weights from the network, run by ONNX Runtime on a CPU.

The file holds no weights: they are handed over as they lie in the network, so a model has them once on the disk, and a
graph fits all weights of its architecture.

Legend: `B` images, `S` side of the pixel view.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import UsageError
from engine.model.embedding import ImageEmbedding
from engine.model.onnx_runtime import onnxruntime, session_options
from engine.model.pixel_features import ClassFeatures, PixelFeatures

PIXELS, GRID, COARSE = "pixels", "image_embeddings", "coarse"
CLASSES = ("class_features", "class_logits", "inside")
WEIGHTS = "weights of the network"
"""Where the graph says that its weights lie: there is no such file, so one that is not handed over is missed."""


def outputs_of(features: PixelFeatures) -> dict[str, Tensor]:
    """What a graph gives, by name, in its order."""
    grid, *finer = features.embedding.tensors
    named = {GRID: grid} | {f"high_res_{number}": maps for number, maps in enumerate(finer)}
    if features.coarse is not None:
        named[COARSE] = features.coarse
    if features.classes is not None:
        classes = features.classes
        named |= dict(zip(CLASSES, (classes.features, classes.logits, classes.inside), strict=True))
    return named


class OnnxPixelEncoder:
    """Runs the graph.

    Args:
        path: of the file.
        encoder: as `engine.model.pixel_encoder.for_inference` gives it, float32 on the CPU.

    Raises:
        UsageError: if ONNX Runtime can't load the file, or it is of another network.
    """

    def __init__(self, path: Path, encoder: nn.Module) -> None:
        options = session_options()
        # ONNX Runtime reads them where they lie, so they have to stay.
        self._weights = {name: weight.detach().contiguous() for name, weight in encoder.state_dict().items()}
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(weight.numpy()) for weight in self._weights.values()]
        options.add_external_initializers(list(self._weights), values)
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions have no public base class
            raise UsageError(f"{path}: ONNX Runtime can't load it: {error}; export it again") from error
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, pixels: Tensor) -> PixelFeatures:
        """`pixels` `(B, 3, S, S)` float32, normalised and zero-padded."""
        # What lies between the layers of one photograph finds room in the processor's caches.
        runs: list[list[Any]] = [self._session.run(None, {PIXELS: one.numpy()}) for one in pixels.split(1)]
        outputs = (torch.cat([torch.from_numpy(output) for output in each]) for each in zip(*runs, strict=True))
        found = dict(zip(self._names, outputs, strict=True))
        finer = [maps for name, maps in found.items() if name.startswith("high_res_")]
        classes = ClassFeatures(*(found[name] for name in CLASSES)) if CLASSES[0] in found else None
        return PixelFeatures(ImageEmbedding(found[GRID], tuple(finer)), found.get(COARSE), classes)
