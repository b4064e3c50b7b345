"""A torch module as an ONNX graph that tells nothing of the machine on which it was made."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import ModelProto
from torch import Tensor, nn

from engine.atomic import replacing
from engine.errors import MglmmError

_OPSET = 20
"""The first with GELU as one operator."""


def graph_of(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    dynamic: Any,
    *,
    folded: bool = True,
) -> ModelProto:
    """Trace a module.

    Args:
        module: takes and gives tensors alone.
        inputs: example of each, by the names that the graph has for them.
        outputs: names.
        dynamic: what varies, as `torch.export` takes it.
        folded: compute once what is the same at each run; else each weight keeps its name and shape.
    """
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module,
            tuple(inputs.values()),
            dynamo=True,
            opset_version=_OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=dynamic,
            optimize=folded,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    # The exporter notes source lines of the machine that it ran on.
    for entry in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        del entry.metadata_props[:]
        entry.doc_string = ""
    for initializer in model.graph.initializer:
        del initializer.metadata_props[:]
        initializer.doc_string = ""
    del model.graph.value_info[:]
    return model


def write_graph(model: ModelProto, target: Path) -> None:
    """Write it, whole or not at all.

    Raises:
        MglmmError: if the file can't be written.
    """
    try:
        with replacing(target) as file:
            onnx.save_model(model, file)
    except OSError as error:
        raise MglmmError(f"{target}: can't be written: {error.strerror}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns about torch's own internals."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
