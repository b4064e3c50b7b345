"""The pixel encoder of a small model as an ONNX graph without weights.

Input:
    pixels            `(B, 3, S, S)` float32, normalised and zero-padded
Outputs:
    image_embeddings  `(B, C, g, g)` float32
    high_res_0, _1    `(B, c_i, s_i, s_i)` float32, where the mask decoder reads finer maps: coarse to fine
    coarse            `(B, D, s, s)` float32, the last level of the pyramid
    class_features, class_logits, inside   of the kept classifier, where there is one

The weights are the network's, batch norms folded: `engine.model.onnx_encoder` hands them over by name.
"""

from __future__ import annotations

from pathlib import Path

import torch
from onnx import ModelProto, TensorProto
from torch import Tensor, nn

from engine.model.checkpoint import CONFIG, ENCODER, PIXEL_ENCODER, load_part, read_config
from engine.model.config import PyramidConfig
from engine.model.manifest import add_to_manifest
from engine.model.onnx_encoder import PIXELS, WEIGHTS, outputs_of
from engine.model.pixel_encoder import PixelEncoder, build_pixel_encoder, for_inference
from exporters.graph import graph_of, write_graph


def export_encoder(folder: Path) -> Path | None:
    """Export a model's pixel encoder into its folder, whose manifest then lists it.

    Returns:
        the file, or None for an encoder that is no pyramid: a large one gains nothing by it.

    Raises:
        MglmmError: if the file can't be written.
        UsageError: if the folder holds no model.
    """
    config = read_config(folder / CONFIG)
    if not isinstance(config.pixel_encoder, PyramidConfig):
        return None
    encoder = load_part(folder, PIXEL_ENCODER, lambda config: build_pixel_encoder(config.pixel_encoder))
    side = config.pixel_encoder.image_size
    graph = _without_weights(encoder, torch.zeros(2, 3, side, side))
    graph.doc_string = f"pixel encoder of the mglmm model {config.name}, without weights"
    target = folder / ENCODER
    write_graph(graph, target)
    add_to_manifest(folder, target)
    return target


class _Flat(nn.Module):
    """A pixel encoder that gives tensors alone, under the names that its weights have."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        for name, child in encoder.named_children():
            self.add_module(name, child)
        self._run = (encoder,)  # a tuple keeps it from being registered a second time

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return tuple(outputs_of(self._run[0](pixels)).values())


def _without_weights(encoder: PixelEncoder, pixels: Tensor) -> ModelProto:
    fused = for_inference(encoder).to(memory_format=torch.contiguous_format)
    with torch.no_grad():
        outputs = list(outputs_of(fused(pixels)))
    images = torch.export.Dim("images")
    graph = graph_of(_Flat(fused), {PIXELS: pixels}, outputs, {"pixels": {0: images}}, folded=False)
    weights = fused.state_dict()
    for initializer in graph.graph.initializer:
        if initializer.name in weights:
            initializer.ClearField("raw_data")
            initializer.data_location = TensorProto.EXTERNAL
            place = initializer.external_data.add()
            place.key, place.value = "location", WEIGHTS
    return graph
