import json
import shutil
from pathlib import Path

import pytest
import torch

from engine.errors import UsageError
from engine.model.checkpoint import load, save


def test_loading_gives_the_weights_back(tiny_folder: Path, tmp_path: Path) -> None:
    first = load(str(tiny_folder))
    save(tmp_path / "copy", first.model, first.tokenizer, dtype=torch.float32)
    second = load(str(tmp_path / "copy"))
    for (name, mine), theirs in zip(first.model.state_dict().items(), second.model.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs), name
    assert second.decoder is None  # an exported decoder belongs to the weights that it came from
    assert not second.model.training


def test_half_precision_is_stored_and_widened(tiny_folder: Path, tmp_path: Path) -> None:
    first = load(str(tiny_folder))
    save(tmp_path / "half", first.model, first.tokenizer)
    second = load(str(tmp_path / "half"))
    mine, theirs = (model.get_parameter("text_hidden_fcs.0.weight") for model in (first.model, second.model))
    assert theirs.dtype == torch.float32
    assert torch.equal(theirs, mine.half().float())


def _damaged(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "damaged"))


def test_a_changed_file_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    folder = _damaged(tiny_folder, tmp_path)
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    with pytest.raises(UsageError, match=r"model\.safetensors does not match its SHA-256"):
        load(str(folder))


@pytest.mark.parametrize("name", ["manifest.json", "model.safetensors", "tokenizer.json", "config.json"])
def test_a_missing_file_is_named(tiny_folder: Path, tmp_path: Path, name: str) -> None:
    folder = _damaged(tiny_folder, tmp_path)
    (folder / name).unlink()
    with pytest.raises(UsageError, match=name.replace(".", r"\.")):
        load(str(folder))


def test_weights_of_another_config_are_refused(tiny_folder: Path, tmp_path: Path) -> None:
    from engine.model.manifest import write_manifest

    folder = _damaged(tiny_folder, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["language"]["options"]["num_hidden_layers"] = 3
    (folder / "config.json").write_text(json.dumps(config))
    write_manifest(folder)
    with pytest.raises(UsageError, match="missing tensors, the first is language_model"):
        load(str(folder))


def test_an_unknown_name_lists_the_embedded_models() -> None:
    with pytest.raises(UsageError, match="nano"):
        load("no-such-model")
