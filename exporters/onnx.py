"""The mask decoder as an ONNX file: any number of prompts and images, any output size.

Inputs:
    image_embeddings  `(B, C, g, g)` float32
    high_res_0, _1    `(B, c_i, s_i, s_i)` float32, for a decoder that reads finer maps: coarse to fine
    prompt_vectors    `(N, C)` float32
    image_index       `(N,)` int64, the image of each prompt
    inner_size        `(2,)` int64, height and width of the photograph inside the padded view
    output_size       `(2,)` int64, height and width `H, W` of the wanted masks
Outputs:
    low_res_masks     `(N, m, m)` float32 logits
    predicted_iou     `(N,)` float32, for a decoder that chooses each mask by it
    masks             `(N, 1, H, W)` float32 logits, padding undone and resized
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from engine.masks.decoder import IMAGE_INDEX, LOW_RES, PROMPTS, maps_of, outputs_of
from engine.model.checkpoint import CONFIG, DECODER, HEAD, load_part, read_config
from engine.model.config import ModelConfig
from engine.model.embedding import ImageEmbedding
from engine.model.manifest import add_to_manifest
from engine.model.mask_head import MaskHead
from engine.model.mglmm import build_mask_head
from exporters.graph import graph_of, write_graph

INNER_SIZE, OUTPUT_SIZE, MASKS = "inner_size", "output_size", "masks"


def export(folder: Path, path: Path | None = None) -> Path:
    """Export a model's mask decoder; the rest of the model is not loaded.

    Args:
        folder: of the model.
        path: where to write; by default into the model's own folder, whose manifest then lists it.

    Returns:
        the file.

    Raises:
        MglmmError: if the file can't be written.
        UsageError: if the folder holds no model, or `path` is a device, a pipe or the like.
    """
    target = path or folder / DECODER
    config = read_config(folder / CONFIG)
    head = load_part(folder, HEAD, build_mask_head)
    graph = _with_resize(_decoder_graph(config, head), config.pixel_encoder.image_size)
    graph.doc_string = f"mask decoder of the mglmm model {config.name}"
    onnx.checker.check_model(graph, full_check=True)
    write_graph(graph, target)
    if path is None:
        add_to_manifest(folder, target)
    return target


class _Flat(nn.Module):
    """A mask head that takes tensors alone."""

    def __init__(self, head: MaskHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, prompts: Tensor, image_index: Tensor, *maps: Tensor) -> tuple[Tensor, ...]:
        found = self.head.judged(ImageEmbedding.of(maps), prompts, image_index)
        return (found.logits,) if found.predicted_iou is None else (found.logits, found.predicted_iou)


def _decoder_graph(config: ModelConfig, head: MaskHead) -> ModelProto:
    images, masks = torch.export.Dim("images"), torch.export.Dim("masks")
    maps = maps_of(config)
    inputs = {
        PROMPTS: torch.zeros(3, config.mask_decoder.dim),
        IMAGE_INDEX: torch.tensor([0, 1, 1]),
        **{name: torch.zeros(2, *shape) for name, shape in maps.items()},
    }
    dynamic = {"prompts": {0: masks}, "image_index": {0: masks}, "maps": tuple({0: images} for _ in maps)}
    return graph_of(_Flat(head), inputs, outputs_of(config), dynamic)


def _with_resize(model: ModelProto, side: int) -> ModelProto:
    """Append what leads from low-res logits to the original frame."""
    graph = model.graph
    for name in (INNER_SIZE, OUTPUT_SIZE):
        graph.input.append(helper.make_tensor_value_info(name, TensorProto.INT64, [2]))
    graph.output.append(helper.make_tensor_value_info(MASKS, TensorProto.FLOAT, ["masks", 1, "height", "width"]))
    constants = {"tail_side": [side, side], "tail_axis": [1], "tail_start": [0, 0], "tail_axes": [2, 3]}
    graph.initializer.extend(
        numpy_helper.from_array(np.array(values, np.int64), name) for name, values in constants.items()
    )
    graph.node.extend(
        [
            helper.make_node("Unsqueeze", [LOW_RES, "tail_axis"], ["tail_low"]),
            *_resize("tail_low", "tail_side", "tail_view"),
            helper.make_node("Slice", ["tail_view", "tail_start", INNER_SIZE, "tail_axes"], ["tail_inner"]),
            *_resize("tail_inner", OUTPUT_SIZE, MASKS),
        ]
    )
    return model


def _resize(source: str, size: str, result: str) -> list[NodeProto]:
    shape, sizes = f"{result}_shape", f"{result}_sizes"
    return [
        helper.make_node("Shape", [source], [shape], end=2),
        helper.make_node("Concat", [shape, size], [sizes], axis=0),
        helper.make_node(
            "Resize",
            [source, "", "", sizes],
            [result],
            mode="linear",
            coordinate_transformation_mode="pytorch_half_pixel",
        ),
    ]
