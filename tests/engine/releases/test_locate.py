"""Official releases by name, from a cache of the hub: converted once, or one line and nothing left."""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.convert.convert import convert
from engine.errors import MglmmError, UsageError
from engine.model.checkpoint import identify, load
from engine.releases import cache
from engine.releases.locate import locate
from tests.engine.convert.making import edit_json
from tests.engine.releases.conftest import PLACES, Seen, lay_tower
from tests.hub_cache import COMMIT, lay

Copy = Callable[[str], Path]
OTHER = COMMIT[::-1]


def left(caches: Path) -> list[str]:
    """What lies in the cache of converted releases, but for locks, which are empty."""
    folder = caches / "mglmm" / "models"
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock") if folder.is_dir() else []


@pytest.mark.parametrize("kind", PLACES)
def test_a_release_is_converted_once(kind: str, caches: Path, release: Copy, seen: Seen) -> None:
    folder = release(kind)
    lay(caches / "hub", "org/Large-1B", folder)
    lay_tower(caches, kind)
    first = Path(locate("org/Large-1B", seen.watch))
    assert seen.notes[0].startswith("org/Large-1B: converted once, about ")
    told = list(seen.notes)
    assert seen.finished == 1 and seen.written > 100_000
    assert load(str(first)).name == "Large-1B"
    assert locate("org/Large-1B@main", seen.watch) == locate(f"org/Large-1B@{COMMIT}", seen.watch) == str(first)
    assert seen.finished == 1 and seen.notes == told
    # The same as by hand.
    convert(str(folder), caches / "by hand", name="Large-1B")
    assert identify(str(first)) == identify(str(caches / "by hand"))


def test_a_folder_is_converted_once_while_it_stays_as_it_is(caches: Path, release: Copy, seen: Seen) -> None:
    folder = release("sa2va")
    first = locate(str(folder), seen.watch)
    assert load(first).name == "sa2va"
    assert locate(os.path.relpath(folder), seen.watch) == first and seen.finished == 1
    weights = folder / "model.safetensors"
    os.utime(weights, ns=(0, weights.stat().st_mtime_ns + 1))
    second = locate(str(folder), seen.watch)
    assert second != first and seen.finished == 2
    edit_json(folder / "config.json", note="other")
    assert locate(str(folder), seen.watch) not in (first, second)
    assert [entry.release.name for entry in cache.named(str(folder))] == [str(folder.resolve())] * 3


def test_another_revision_is_another_entry(caches: Path, release: Copy, seen: Seen) -> None:
    folder = release("sa2va")
    lay(caches / "hub", "org/big", folder)
    first = locate("org/big", seen.watch)
    lay(caches / "hub", "org/big", folder, commit=OTHER)
    assert locate("org/big", seen.watch) != first
    assert locate(f"org/big@{COMMIT}", seen.watch) == first
    assert {entry.release.revision for entry in cache.named("org/big")} == {COMMIT, OTHER}


def test_the_converted_one_outlives_the_hub_s_cache(caches: Path, release: Copy, seen: Seen) -> None:
    lay(caches / "hub", "org/big", release("sa2va"), refs=("main", "v1"))
    first = locate("org/big", seen.watch)
    shutil.rmtree(caches / "hub")
    assert locate("org/big", seen.watch) == locate(f"org/big@{COMMIT}", seen.watch) == first
    assert "can't be reached" in seen.notes[-1] and "the converted org/big" in seen.notes[-1]
    with pytest.raises(UsageError, match=r"org/big@v1: not in the local cache"):
        locate("org/big@v1", seen.watch)


@pytest.mark.parametrize("model", ["nano", "random:7b", "no-such-model", "", "/no/such/folder", "."])
def test_what_is_no_release_stays_as_it_is(model: str, caches: Path, seen: Seen) -> None:
    assert locate(model, seen.watch) == model
    assert not seen.notes and not left(caches)


def test_a_model_folder_on_the_hub_needs_no_conversion(caches: Path, tiny_folder: Path, seen: Seen) -> None:
    snapshot = lay(caches / "hub", "org/tiny", tiny_folder)
    assert locate("org/tiny", seen.watch) == str(snapshot)
    assert not seen.notes and not left(caches)


def _without_a_shard(folder: Path) -> None:
    (folder / "pytorch_model-00003-of-00006.bin").unlink()


def _without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _edit(**changes: object) -> Callable[[Path], None]:
    return lambda folder: edit_json(folder / "config.json", **changes)


def _internlm2(folder: Path) -> None:
    inner = json.loads((folder / "config.json").read_text())["llm_config"]
    edit_json(folder / "config.json", llm_config=inner | {"architectures": ["UnheardOfForCausalLM"]})


def _more_layers(folder: Path) -> None:
    vision = json.loads((folder / "config.json").read_text())["vision_config"]
    edit_json(folder / "config.json", vision_config=vision | {"num_hidden_layers": 5})


def _more_tokens(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    last = max(token["id"] for token in tokenizer["added_tokens"])
    more = [{**tokenizer["added_tokens"][-1], "id": last + i, "content": f"<extra {i}>"} for i in range(1, 600)]
    edit_json(folder / "tokenizer.json", added_tokens=tokenizer["added_tokens"] + more)


WRONG: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a missing shard": ("mglmm in torch's shards", _without_a_shard, "files of weights are missing"),
    "no weights": ("sa2va", _without_weights, "weights"),
    "an unknown architecture": (
        "sa2va",
        _edit(architectures=["Florence2ForConditionalGeneration"]),
        "its architecture is Florence2ForConditionalGeneration; known are releases of MGLMM, GLaMM, LISA and Sa2VA",
    ),
    "a Sa2VA of another kind": ("sa2va", _edit(architectures=["Sa2VAChatModelPhi"]), "Sa2VAChatModelPhi can't be run"),
    "an unknown language model": ("sa2va", _internlm2, "its language model is UnheardOfForCausalLM"),
    "a config that contradicts the shapes": ("sa2va", _more_layers, "tensors are missing"),
    "more tokens than embeddings": ("sa2va", _more_tokens, "the embeddings have 512 rows"),
}


@pytest.mark.parametrize("by_name", [True, False], ids=["by name", "as a folder"])
@pytest.mark.parametrize("case", WRONG)
def test_what_can_t_be_run_gets_one_line_and_leaves_nothing(
    case: str, by_name: bool, caches: Path, release: Copy, seen: Seen
) -> None:
    kind, spoil, line = WRONG[case]
    folder = release(kind)
    spoil(folder)
    lay(caches / "hub", "org/wrong", folder)
    lay_tower(caches, kind)
    with pytest.raises(UsageError) as error:
        locate("org/wrong" if by_name else str(folder), seen.watch)
    assert line in str(error.value) and "\n" not in str(error.value)
    assert not left(caches) and not seen.finished


def test_a_llava_is_told_from_a_lisa_that_is_called_one(caches: Path, release: Copy, seen: Seen) -> None:
    kind = "mglmm in torch's shards"
    folder = release(kind)
    edit_json(folder / "config.json", architectures=["LlavaLlamaForCausalLM"])
    lay_tower(caches, kind)
    locate(str(folder), seen.watch)  # its keys tell
    index = folder / "pytorch_model.bin.index.json"
    table = json.loads(index.read_text())["weight_map"]
    edit_json(index, weight_map={key: file for key, file in table.items() if "segment_encoder" not in key})
    with pytest.raises(UsageError, match="is a LLaVA, which can't make masks yet: 'mglmm convert' with --sam"):
        locate(str(folder), seen.watch)


def test_a_tower_that_is_not_here_is_named(caches: Path, release: Copy, seen: Seen) -> None:
    lay(caches / "hub", "org/glamm", release("glamm"))
    with pytest.raises(UsageError, match=r"vision tower of config\.json can't be had: openai/clip-tiny: not in the"):
        locate("org/glamm", seen.watch)
    assert not left(caches)


def test_damage_is_found(caches: Path, release: Copy, seen: Seen) -> None:
    snapshot = lay(caches / "hub", "org/big", release("sa2va"))
    blob = (snapshot / "model.safetensors").resolve()
    with blob.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x55")
    with pytest.raises(MglmmError, match=rf"model\.safetensors was damaged .*remove {blob} and start again"):
        locate("org/big", seen.watch)
    assert not left(caches)


def test_a_full_disk_leaves_nothing_and_the_next_start_goes_on(caches: Path, release: Copy, seen: Seen) -> None:
    lay(caches / "hub", "org/big", release("sa2va"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(MglmmError, match=r"org/big: the disk of .*/models is full: .*MGLMM_CACHE") as error:
            locate("org/big", seen.watch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(error.value)
    assert not left(caches) and seen.written > 0
    load(locate("org/big", seen.watch))


def test_too_small_a_disk_is_told_before(
    caches: Path, release: Copy, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(caches / "hub", "org/big", release("sa2va"))
    usage = shutil.disk_usage(caches)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    with pytest.raises(MglmmError, match=r"org/big: needs 8\.4 MB in .*/models, 1\.0 MB are free"):
        locate("org/big", seen.watch)
    assert not seen.written and not left(caches)


def test_what_a_killed_process_left_is_taken_away(caches: Path, release: Copy, seen: Seen) -> None:
    lay(caches / "hub", "org/big", release("sa2va"))
    first = Path(locate("org/big", seen.watch)).parent
    halves = [first.with_name(f".{first.name}.part"), first.with_name(".org--other-0123.part")]
    first.rename(halves[0])
    halves[1].mkdir()
    assert locate("org/big", seen.watch) == str(first / "model")
    assert left(caches) == [first.name] and seen.finished == 2


def test_of_two_starts_one_converts(caches: Path, release: Copy) -> None:
    lay(caches / "hub", "org/big", release("sa2va"))
    both = [Seen(), Seen()]
    with ThreadPoolExecutor(2) as threads:
        places = list(threads.map(lambda seen: locate("org/big", seen.watch), both))
    assert places[0] == places[1]
    assert sorted(seen.finished for seen in both) == [0, 1]
    (waited,) = (seen for seen in both if not seen.finished)
    assert waited.notes in ([], ["org/big: another process converts it; waiting"])


def test_a_cache_that_can_t_be_written(
    caches: Path, release: Copy, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    (caches / "file").touch()
    monkeypatch.setenv("MGLMM_CACHE", str(caches / "file"))
    with pytest.raises(UsageError, match="can't be written .*set MGLMM_CACHE"):
        locate(str(release("sa2va")), seen.watch)
