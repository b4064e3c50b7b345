"""The photographs of `examples/` and of scikit-image are in none of the sets that training reads.

The sets were resized, so files differ where photographs are the same: a difference hash of 8 x 8 is compared too. What
scikit-image ships is known by its hashes (`skimage_photographs.json`), and looked at where the package is installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[3] / "examples"
KNOWN = Path(__file__).with_name("skimage_photographs.json")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
SAME = 6
"""Bits of 64. Resized and compressed again, a photograph differs in 2; others differ in 9 and more here."""


@dataclass(frozen=True, slots=True)
class Prints:
    """What a photograph is known by: SHA-256 of its file, and bits `(64,)` of its grey slopes."""

    content: str
    slopes: np.ndarray


def _prints(path: Path) -> Prints:
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    with Image.open(path) as picture:
        picture.draft("L", (128, 128))
        small = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BOX), np.int16)
    return Prints(content, (small[:, 1:] > small[:, :-1]).ravel())


def _pictures(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES)


def _known() -> dict[str, Prints]:
    table = json.loads(KNOWN.read_text(encoding="utf-8"))
    return {name: Prints(content, _bits(slopes)) for name, (content, slopes) in table.items()}


def _bits(slopes: str) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bytes.fromhex(slopes), np.uint8)).astype(bool)


def _distance(slopes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Bits that differ from each of others `(N, 64)`, as they are or mirrored, whatever is fewer."""
    mirrored = ~slopes.reshape(8, 8)[:, ::-1].ravel()
    return np.minimum((others != slopes).sum(axis=1), (others != mirrored).sum(axis=1))


@pytest.fixture(scope="module")
def training(data_root: Path) -> dict[str, Prints]:
    """Every photograph that a recipe may train with, by set and name."""
    folders = [*sorted(data_root.glob("*/train/images")), data_root / "coco/captioned/images"]
    return {str(path.relative_to(data_root)): _prints(path) for folder in folders for path in _pictures(folder)}


def test_none_of_them_is_trained_with(training: dict[str, Prints]) -> None:
    assert len(training) > 5000
    asked = {path.name: _prints(path) for path in _pictures(EXAMPLES)} | _known()
    assert len(asked) == 4 + len(_known()) - 2  # two of the examples have the names that they have there
    contents = {one.content: name for name, one in training.items()}
    slopes = np.stack([one.slopes for one in training.values()])
    found = {name: contents[one.content] for name, one in asked.items() if one.content in contents}
    near = {name: list(training)[int(_distance(one.slopes, slopes).argmin())] for name, one in asked.items()}
    found |= {name: near[name] for name, one in asked.items() if _distance(one.slopes, slopes).min() <= SAME}
    assert not found


def test_a_photograph_that_is_in_two_sets_is_found(training: dict[str, Prints]) -> None:
    """The same comparison, where the answer is known: some samples of COCO-Stuff are captioned photographs too."""
    captioned = {Path(name).name: one for name, one in training.items() if name.startswith("coco/captioned")}
    samples = {Path(name).name: one for name, one in training.items() if name.startswith("cocostuff")}
    twice = {name for name in samples if name in captioned}
    assert twice
    slopes = np.stack([one.slopes for one in captioned.values()])
    for name in twice:
        assert list(captioned)[int(_distance(samples[name].slopes, slopes).argmin())] == name
        assert _distance(samples[name].slopes, slopes).min() <= SAME


@pytest.mark.parametrize("name", ["astronaut.jpg", "coffee.jpg", "rocket.jpg", "chelsea.png"])
def test_a_copy_is_found(name: str, tmp_path: Path) -> None:
    with Image.open(EXAMPLES / name) as picture:
        small = picture.convert("RGB")
    small.thumbnail((352, 352))
    small.save(tmp_path / "small.jpg", quality=75)
    small.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirrored.jpg", quality=75)
    original = _prints(EXAMPLES / name)
    for copy in (_prints(tmp_path / "small.jpg"), _prints(tmp_path / "mirrored.jpg")):
        assert copy.content != original.content
        assert _distance(original.slopes, copy.slopes[None])[0] <= SAME


def test_the_hashes_are_those_of_the_package() -> None:
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("scikit-image is not installed")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    there = {name: one for name, one in _known().items() if (folder / name).is_file()}
    assert there
    for name, one in there.items():
        found = _prints(folder / name)
        assert found.content == one.content
        assert _distance(one.slopes, found.slopes[None])[0] <= 2  # JPEG decoders round differently
