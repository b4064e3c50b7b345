"""The streamed safetensors files, read by the safetensors library."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from engine.convert.tensors import tensor_chunks
from engine.convert.writer import Planned, write

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.uint8, torch.bool)


def planned(name: str, tensor: Tensor) -> Planned:
    """A tensor in memory."""
    return Planned(name, tensor.dtype, tuple(tensor.shape), lambda: tensor_chunks(tensor))


@given(
    specs=st.lists(st.tuples(st.lists(st.integers(0, 5), max_size=3), st.sampled_from(DTYPES)), min_size=1, max_size=8),
    shard=st.integers(1, 400),
)
def test_the_library_reads_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, specs: list[tuple[list[int], torch.dtype]], shard: int
) -> None:
    folder = tmp_path_factory.mktemp("written")
    tensors = {f"part.{i}": (torch.rand(shape) * 4).to(dtype) for i, (shape, dtype) in enumerate(specs)}
    paths = write(folder, [planned(name, tensor) for name, tensor in tensors.items()], shard=shard)
    read = {name: tensor for path in paths for name, tensor in load_file(path).items()}
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)
    for path in paths:
        content = sum(tensors[name].nbytes for name in load_file(path))
        assert content <= shard or len(load_file(path).keys()) == 1 or len(paths) == 1
    if len(paths) > 1:
        index = json.loads((folder / "model.safetensors.index.json").read_text())
        assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in tensors.values())
        assert {name: folder / place for name, place in index["weight_map"].items()} == {
            name: path for path in paths for name in load_file(path)
        }


def test_one_shard_has_no_index(tmp_path: Path) -> None:
    assert write(tmp_path, [planned("a", torch.ones(2))]) == [tmp_path / "model.safetensors"]
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_shards_are_named_as_on_the_hub(tmp_path: Path) -> None:
    paths = write(tmp_path, [planned(name, torch.ones(10)) for name in "abc"], shard=80)
    assert [path.name for path in paths] == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]


def test_bytes_that_were_not_planned_are_a_bug(tmp_path: Path) -> None:
    wrong = Planned("a", torch.float32, (3,), lambda: tensor_chunks(torch.ones(2)))
    with pytest.raises(RuntimeError, match="a: 8 bytes were made, 12 were planned"):
        write(tmp_path, [wrong])
