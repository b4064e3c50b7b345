"""The page of answers: what is drawn, and that no photograph of a set is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.gallery import PAGE, PICTURES, WIDTH, Chosen, answer_text, drawn, write_page
from engine.masks import rle
from engine.model.checkpoint import load
from engine.records import Mask, SegCap
from engine.text.grammar import parse


def _photograph(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 40), (250, 251, 252)).save(path)
    return path


def _names(data: Path, count: int, seed: int = 0) -> list[str]:
    return [chosen.name for chosen in drawn(data, count, seed)]


def test_sets_have_their_turns(tmp_path: Path) -> None:
    for name, count in (("a", 1), ("b", 9), ("c", 9)):
        for number in range(count):
            _photograph(tmp_path / name / "val/images" / f"{number}.png")
    _photograph(tmp_path / "d/train/images/0.png")
    (tmp_path / "b/val/images/notes.txt").touch()
    assert [name.split("/")[0] for name in _names(tmp_path, 7)] == list("abbbccc")
    assert _names(tmp_path, 7) == _names(tmp_path, 7) != _names(tmp_path, 7, seed=1)
    assert len(set(_names(tmp_path, 100))) == 19
    assert not any(chosen.shown for chosen in drawn(tmp_path, 100, 0))


def test_numbers_and_scores_stand_behind_phrases() -> None:
    pixels = rle.encode(np.stack([np.ones((4, 5), bool), np.zeros((4, 5), bool)]))
    full, blank = (Mask(one, rle.area(one), rle.bbox(one), score) for one, score in zip(pixels, (0.91, 0), strict=True))
    # Of the words before, between and behind the tags.
    known = [[], [0.5], [], [], [], [0.25], [], [], [0.1], []]
    answer = parse("<p> A *cat* </p> [SEG] [SEG] near <p> a dog </p> [SEG], but <p> no cow </p>.", known)
    assert answer_text(SegCap("panoptic", "?", answer, (full, full, blank), truncated=True)) == (
        "panoptic: **A \\*cat\\*** (1: 0.91 0.91; 0.50) near **a dog** (no pixel: 0.00; 0.25), but no cow. (cut)"
    )


def test_a_page(tiny_folder: Path, tmp_path: Path) -> None:
    photographs = [
        Chosen("coco/val/a.b.png", _photograph(tmp_path / "a.b.png"), shown=False),
        Chosen("free/c.png", _photograph(tmp_path / "c.png"), shown=True),
        Chosen("free/gone.png", tmp_path / "gone.png", shown=True),
    ]
    (tmp_path / "gone.png").write_bytes(b"no picture")
    write_page(tmp_path / "out", photographs, load(str(tiny_folder)), "They are drawn.")
    page = (tmp_path / "out" / PAGE).read_text(encoding="utf-8")
    assert page.startswith("# What the model answers\n") and "They are drawn." in page
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == [one.name for one in photographs]
    assert "It could not be read." in page and page.count("- panoptic: ") == 2
    pictures = {path.name: Image.open(path).convert("RGB") for path in (tmp_path / "out" / PICTURES).iterdir()}
    assert {"coco-val-a.b.png", "free-c.jpg"} <= pictures.keys()
    for name, picture in pictures.items():
        assert picture.width == WIDTH and f"]({PICTURES}/{name})" in page
    assert pictures["free-c.jpg"].height == round(WIDTH * 40 / 60)
    hidden = np.asarray(pictures["coco-val-a.b.png"]).reshape(-1, 3)
    assert not (hidden == (250, 251, 252)).all(axis=1).any()
