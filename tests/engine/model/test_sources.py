"""What `--model` may name: embedded models, folders, hub names, presets with random weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import UsageError
from engine.images.sources import Source
from engine.model.checkpoint import Checkpoint, load
from engine.model.precision import Precision
from engine.model.presets import NANO, PRESETS
from engine.model.sources import EMBEDDED, RandomModel, find
from engine.pipeline.pipeline import Options, Pipeline
from engine.records import PhotoRecord
from engine.text.prompts import Question

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_an_embedded_name_is_its_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert find("nano") == EMBEDDED / "nano"
    assert load("nano").config == NANO


def test_an_embedded_name_wins_over_a_folder_that_is_called_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "nano").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find("nano") == EMBEDDED / "nano"
    assert find("./nano") == Path("nano")


def test_a_folder_is_taken_as_it_is(tiny_folder: Path) -> None:
    assert find(str(tiny_folder)) == tiny_folder


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_random_model_is_a_preset(name: str) -> None:
    source = find(f"random:{name}")
    assert isinstance(source, RandomModel)
    assert source.config == PRESETS[name]


def test_random_weights_run_and_are_the_same_each_time(tmp_path: Path) -> None:
    photo = _photo(tmp_path)
    first, second = (load("random:nano") for _ in range(2))
    assert first.name == "random:nano" and first.folder is None and first.decoder is None
    assert first.sha256 == second.sha256 != load("nano").sha256
    assert not any(parameter.is_meta for parameter in first.model.parameters())
    for (name, mine), theirs in zip(first.model.state_dict().items(), second.model.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs), name
    answers = [_record(checkpoint, photo) for checkpoint in (first, second)]
    assert answers[0] == answers[1]
    assert answers[0].segcaps[0].truncated


def test_random_weights_lie_in_the_types_of_loaded_ones() -> None:
    drawn, loaded = (load(name, precision=Precision.BFLOAT16).model.state_dict() for name in ("random:nano", "nano"))
    assert {name: tensor.dtype for name, tensor in drawn.items()} == {
        name: tensor.dtype for name, tensor in loaded.items()
    }


def _photo(folder: Path) -> Path:
    path = folder / "photo.png"
    Image.fromarray(np.arange(60 * 80 * 3, dtype=np.uint32).reshape(60, 80, 3).astype(np.uint8)).save(path)
    return path


def _record(checkpoint: Checkpoint, photo: Path) -> PhotoRecord:
    options = Options(questions=(Question("Segment the dog."),), decoder="torch", max_new_tokens=6)
    ((_, record),) = Pipeline(checkpoint, options).run([Source(photo, "photo.png")])
    assert isinstance(record, PhotoRecord)
    return record


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("random:nope", "no preset 'nope': there are nano, nano-plain, 7b, 13b"),
        ("random:", "no preset ''"),
        ("7b", "'7b' is an architecture without weights: .*mglmm convert.*random:7b"),
        ("no-such-model", r"no model 'no-such-model': .*\(nano\)"),
        ("", "no model ''"),
        ("a b/c d", "no model 'a b/c d'"),
        ("/no/such/folder", "no model '/no/such/folder'"),
        ("org/name/too/deep", "no model"),
        ("\0", "no model"),
        ("nano.json", "no model"),
    ],
)
def test_anything_else_gets_one_line(model: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint) as caught:
        load(model)
    assert "\n" not in str(caught.value)


@pytest.fixture
def hub(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the hub that holds the tiny model as `org/tiny`, its branch `main` and its tag `v1`; no network."""
    repository = tmp_path / "hub" / "models--org--tiny"
    shutil.copytree(tiny_folder, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    for name in ("main", "v1"):
        (repository / "refs" / name).write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(repository.parent))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return repository


@pytest.mark.parametrize("revision", ["", "@main", "@v1", f"@{COMMIT}"])
def test_a_cached_model_of_the_hub_loads_offline(hub: Path, tiny: Checkpoint, revision: str) -> None:
    checkpoint = load(f"org/tiny{revision}")
    assert checkpoint.folder == hub / "snapshots" / COMMIT
    assert checkpoint.sha256 == tiny.sha256
    assert checkpoint.decoder


@pytest.mark.parametrize("model", ["org/other", "org/tiny@v2"])
def test_a_model_that_is_not_cached_gets_one_line(hub: Path, model: str) -> None:
    with pytest.raises(
        UsageError, match=f"^no folder '{model}'; as a hub name: {model}: not in the local cache"
    ) as caught:
        load(model)
    assert "\n" not in str(caught.value)


def test_a_cached_repository_that_is_no_model_is_told(hub: Path) -> None:
    (hub / "snapshots" / COMMIT / "manifest.json").unlink()
    with pytest.raises(UsageError, match=r"manifest\.json is missing: not a model folder"):
        load("org/tiny")


def test_a_folder_wins_over_a_hub_name(
    hub: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_folder, tmp_path / "here" / "org" / "tiny")
    monkeypatch.chdir(tmp_path / "here")
    assert load("org/tiny").folder == Path("org/tiny")
