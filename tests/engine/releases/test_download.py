"""What is asked of the hub: what a conversion reads, the rest of a file that was cut, nothing large in vain."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.errors import MglmmError, UsageError
from engine.model.checkpoint import load
from engine.releases.locate import locate
from tests.engine.convert.making import edit_json
from tests.engine.releases.conftest import TOWER, Seen, tower
from tests.hub_server import Hub, serving

Copy = Callable[[str], Path]
SHARDED = "mglmm in torch's shards"


@pytest.fixture
def hub(caches: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(monkeypatch) as hub:
        yield hub


def names(hub: Hub) -> set[str]:
    return {name for name, _ in hub.fetched}


def large(hub: Hub) -> set[str]:
    return {name for name in names(hub) if name.endswith((".safetensors", ".bin", ".h5"))}


def test_code_and_second_formats_are_left_where_they_are(hub: Hub, release: Copy, seen: Seen) -> None:
    folder = release("glamm")
    for name in ("modeling.py", "pytorch_model.bin", "tf_model.h5", "picture.png"):
        (folder / name).write_text("raise SystemExit('run')")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\ntags: [a]\n---\n# GLaMM\n")
    hub.folders |= {"org/glamm": folder, TOWER: tower("glamm")}
    place = locate("org/glamm", seen.watch)
    assert load(place).name == "glamm"
    assert large(hub) == {"model.safetensors"} and not names(hub) & {"modeling.py", "picture.png"}
    assert load(place).terms == {"glamm": "apache-2.0, as its card says"}
    said = [line for line in seen.notes if "are downloaded into" in line]
    assert [line.partition(":")[0] for line in said] == ["org/glamm", TOWER]
    assert said[0].startswith("org/glamm: 1.0 MB are downloaded into ") and said[0].endswith("/hub")
    # Again: one question, what the newest revision is.
    hub.fetched.clear()
    assert locate("org/glamm", seen.watch) == place
    assert not hub.fetched


def test_a_download_that_was_cut_goes_on(hub: Hub, release: Copy, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1 << 16)
    hub.folders["org/big"] = release("sa2va")
    hub.cut.add("model.safetensors")
    load(locate("org/big", seen.watch))
    first, second = (asked for name, asked in hub.fetched if name == "model.safetensors")
    assert first in (None, "bytes=0-") and second is not None and int(second[len("bytes=") :].rstrip("-")) > 1000


@pytest.mark.parametrize(
    ("status", "code", "line"),
    [
        (403, "GatedRepo", "grants access on request: .*hf auth login"),
        (404, "RepoNotFound", "not found on the Hugging Face Hub"),
        (404, "RevisionNotFound", "has no revision"),
        (403, "DisabledRepo", "shut the repository"),
    ],
)
def test_what_can_t_be_had_gets_one_line(hub: Hub, seen: Seen, status: int, code: str, line: str) -> None:
    hub.refused["org/big"] = status, code
    with pytest.raises(UsageError, match=rf"^no folder 'org/big'; as a hub name: org/big: .*{line}") as error:
        locate("org/big", seen.watch)
    assert "\n" not in str(error.value)


def test_a_gated_repository_is_listed_and_its_files_are_not_given(hub: Hub, release: Copy, seen: Seen) -> None:
    hub.folders["org/big"] = release("sa2va")
    hub.closed.add("org/big")
    with pytest.raises(UsageError, match=r"org/big.*: its owner grants access on request") as error:
        locate("org/big", seen.watch)
    assert "\n" not in str(error.value)


def test_a_full_disk_in_the_middle_and_the_next_start_goes_on(
    hub: Hub, release: Copy, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1 << 16)
    hub.folders["org/big"] = release("sa2va")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(MglmmError, match=r"org/big.*: the disk of .*/hub is full: .*HF_HOME.*goes on with it"):
            locate("org/big", seen.watch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    load(locate("org/big", seen.watch))
    assert hub.fetched[-1] == ("model.safetensors", f"bytes={1 << 20}-")


def test_the_converted_one_outlives_the_repository(hub: Hub, release: Copy, seen: Seen) -> None:
    hub.folders["org/big"] = release("sa2va")
    place = locate("org/big", seen.watch)
    hub.refused["org/big"] = 404, "RepoNotFound"
    assert locate("org/big", seen.watch) == place
    assert "the converted org/big of this machine is used" in seen.notes[-1]


def _shard(folder: Path) -> None:
    (folder / "pytorch_model-00003-of-00006.bin").unlink()


def _unknown(folder: Path) -> None:
    edit_json(folder / "config.json", architectures=["Florence2ForConditionalGeneration"])
    (folder / "pytorch_model.bin.index.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "line"),
    [(_shard, "1 of 6 files of weights are missing, the first is pytorch_model-00003"), (_unknown, "known are")],
)
def test_nothing_large_is_downloaded_in_vain(
    hub: Hub, release: Copy, seen: Seen, spoil: Callable[[Path], object], line: str
) -> None:
    folder = release(SHARDED)
    spoil(folder)
    hub.folders["org/big"] = folder
    with pytest.raises(UsageError, match=line):
        locate("org/big", seen.watch)
    assert names(hub) and not large(hub) and not seen.notes


def test_too_small_a_disk_is_told_before(
    hub: Hub, release: Copy, seen: Seen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.folders["org/big"] = release("sa2va")
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    with pytest.raises(MglmmError, match=r"org/big: needs 8\.4 MB in .*/hub, 1\.0 MB are free: .*HF_HOME"):
        locate("org/big", seen.watch)
    assert not large(hub)
