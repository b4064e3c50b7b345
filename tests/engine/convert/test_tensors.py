"""Tensors read where they lie in a file, against what torch and safetensors read."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.convert.tensors import TensorFiles
from engine.errors import UsageError


def _tensors() -> dict[str, Tensor]:
    torch.manual_seed(0)
    whole = torch.randn(20, 30)
    return {
        "whole": whole,
        "transposed": whole.t(),
        "rows": whole[3:7],
        "columns": whole[:, 5:9],
        "repeated": torch.randn(6).expand(4, 6),
        "bfloat16": torch.randn(3, 5, 2).bfloat16(),
        "half": torch.randn(7).half(),
        "integers": torch.arange(5),
        "truth": torch.tensor([True, False]),
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 4),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }


def _bytes(files: TensorFiles, key: str) -> bytes:
    return b"".join(bytes(chunk) for chunk in files.chunks(files.tensors[key]))


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_a_torch_file_gives_every_tensor_back(tmp_path: Path, zipped: bool) -> None:
    tensors = _tensors()
    torch.save(tensors, tmp_path / "a.bin", _use_new_zipfile_serialization=zipped)
    files = TensorFiles((tmp_path / "a.bin",))
    assert list(files.tensors) == list(tensors)
    for key, expected in tensors.items():
        stored = files.tensors[key]
        assert (stored.dtype, stored.shape, stored.parameters) == (expected.dtype, expected.shape, expected.numel())
        assert torch.equal(files.read(stored), expected), key
        flat = expected.detach().contiguous().reshape(-1).view(torch.uint8)
        assert _bytes(files, key) == bytes(flat.numpy().tobytes()), key


def test_a_file_that_was_packed_anew_is_loaded_whole(tmp_path: Path) -> None:
    tensors = {"a": torch.zeros(100, 100), "b": torch.arange(5.0), "c": torch.ones(3)}
    torch.save(tensors, tmp_path / "a.bin")
    with zipfile.ZipFile(tmp_path / "a.bin") as old, zipfile.ZipFile(tmp_path / "b.bin", "w") as new:
        for record in old.infolist():
            packed = zipfile.ZIP_DEFLATED if record.filename.endswith("data/0") else zipfile.ZIP_STORED
            new.writestr(record.filename, old.read(record), packed)
    files = TensorFiles((tmp_path / "b.bin",))
    assert files.tensors["a"].offset is None
    for key, expected in tensors.items():
        assert torch.equal(files.read(files.tensors[key]), expected), key


def test_only_the_format_before_torch_1_6_is_loaded_whole(tmp_path: Path) -> None:
    for name, zipped in (("new.bin", True), ("old.bin", False)):
        torch.save({name: torch.ones(3)}, tmp_path / name, _use_new_zipfile_serialization=zipped)
    files = TensorFiles((tmp_path / "new.bin", tmp_path / "old.bin"))
    assert files.tensors["new.bin"].offset is not None
    assert files.tensors["old.bin"].offset is None


def test_a_safetensors_file_gives_every_tensor_back(tmp_path: Path) -> None:
    tensors = {key: tensor.detach().contiguous() for key, tensor in _tensors().items() if key != "rows"}
    save_file({key: tensor.clone() for key, tensor in tensors.items()}, tmp_path / "a.safetensors")
    files = TensorFiles((tmp_path / "a.safetensors",))
    assert set(files.tensors) == set(tensors)
    for key, expected in tensors.items():
        assert torch.equal(files.read(files.tensors[key]), expected), key
        assert _bytes(files, key) == bytes(expected.reshape(-1).view(torch.uint8).numpy().tobytes()), key


def test_a_large_tensor_goes_by_in_pieces(tmp_path: Path) -> None:
    tensor = torch.arange(10 * 2**20, dtype=torch.int32)
    torch.save({"a": tensor}, tmp_path / "a.bin")
    files = TensorFiles((tmp_path / "a.bin",))
    pieces = [bytes(chunk) for chunk in files.chunks(files.tensors["a"])]
    assert len(pieces) == 3
    assert b"".join(pieces) == tensor.numpy().tobytes()


def test_a_small_file_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "a.bin")
    with zipfile.ZipFile(tmp_path / "a.bin", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/1", bytes(80 * 2**20))
    with pytest.raises(UsageError, match=r"a\.bin: 0\.1 MB that would be 84 unpacked: not a checkpoint"):
        TensorFiles((tmp_path / "a.bin",))


class _Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("harm",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": torch.ones(2), "b": _Harmful()}, "a pickle of more than tensors"),
        ({"step": 3, "a": torch.ones(2)}, "step is a int, not a tensor"),
        ([torch.ones(2)], "holds a list, not a table of tensors"),
        ({"a": torch.ones(3, dtype=torch.complex64)}, "a is torch.strided, torch.complex64"),
    ],
)
def test_other_pickles_are_refused_and_not_run(
    tmp_path: Path, content: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / "a.bin")
    with pytest.raises(UsageError, match=message):
        TensorFiles((tmp_path / "a.bin",))
    assert not Path("harm").exists()


@pytest.mark.parametrize("suffix", [".bin", ".safetensors"])
@pytest.mark.parametrize("kept", [0, 5, 300, 0.5, 0.99])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"a{suffix}"
    tensors = {"a": torch.ones(1000), "b": torch.ones(1000)}
    save_file(tensors, path) if suffix == ".safetensors" else torch.save(tensors, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept if kept > 1 else kept * len(content))])
    with pytest.raises(UsageError, match=r"a\.(bin: can't be read|safetensors: can't be read as safetensors)"):
        TensorFiles((path,))


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UsageError, match=r"a\.bin: can't be read: it is damaged"):
        TensorFiles((tmp_path / "a.bin",))


def test_a_file_that_shrinks_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1000)}, tmp_path / "a.safetensors")
    files = TensorFiles((tmp_path / "a.safetensors",))
    os.truncate(tmp_path / "a.safetensors", 500)
    with pytest.raises(UsageError, match="cut short"):
        files.read(files.tensors["a"])
    with pytest.raises(UsageError, match="cut short"):
        _bytes(files, "a")


def test_a_key_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("1.bin", "2.bin"):
        torch.save({"a": torch.ones(2)}, tmp_path / name)
    with pytest.raises(UsageError, match=r"2\.bin: a is in 1\.bin too"):
        TensorFiles((tmp_path / "1.bin", tmp_path / "2.bin"))
