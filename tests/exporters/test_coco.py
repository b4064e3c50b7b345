"""The file is COCO to pycocotools, complete, deterministic and never half written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from engine.errors import MglmmError
from engine.journal import Index, Journal, RunInfo, Start
from engine.masks import rle
from engine.records import Failure, Mask, Parent, PhotoRecord, SegCap
from engine.text.grammar import parse
from engine.text.names import to_text
from exporters.coco import write_coco

INFO = RunInfo("mglmm 1.0", "nano", "ab12", {"batch": 4}, "2026-01-01T00:00:00+00:00", "2026-01-01T00:01:00+00:00")
HEIGHT, WIDTH = 40, 60
# pycocotools asks numpy for its arrays in a way that numpy 2 remarks on.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def block(top: int, left: int, height: int, width: int) -> np.ndarray:
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    pixels[top : top + height, left : left + width] = True
    return pixels


def mask(pixels: np.ndarray, score: float = 0.9) -> Mask:
    [encoded] = rle.encode(pixels[None])
    return Mask(encoded, rle.area(encoded), rle.bbox(encoded), score if pixels.any() else 0.0)


MAN, DOG, OTHER_DOG, HAT = block(2, 2, 30, 12), block(20, 20, 10, 14), block(20, 40, 10, 14), block(2, 4, 6, 8)
# Of the words before, between and behind the tags.
TWO_NAMED = [[], [], [0.125], [0.5], [0.25, 0.5], [], [], []]
NOTHING = block(0, 0, 0, 0)


def scene(file_name: str) -> PhotoRecord:
    panoptic = SegCap(
        "panoptic",
        "Describe all.",
        parse("<p> The man </p> [SEG] walks <p> two dogs </p> [SEG] [SEG].", TWO_NAMED),
        (mask(MAN), mask(DOG, 0.8), mask(OTHER_DOG, 0.7)),
    )
    fine = SegCap("fine", "Describe the man.", parse("He wears <p> a red hat </p> [SEG]."), (mask(HAT),), Parent(0, 0))
    return PhotoRecord(file_name, WIDTH, HEIGHT, (panoptic, fine))


def questions(file_name: str) -> PhotoRecord:
    empty = SegCap("custom", "Segment it.", parse("It is [SEG]"), (mask(NOTHING),), truncated=True)
    fine = SegCap("fine", "Describe it.", parse("<p> A dog </p> [SEG]"), (mask(DOG),), Parent(0, 0))
    return PhotoRecord(file_name, WIDTH, HEIGHT, (empty, fine))


def _write(journal: Path, out: Path, info: RunInfo = INFO) -> None:
    index = Index(journal)
    try:
        write_coco(index, out, info)
    finally:
        index.close()


Exported = Callable[..., tuple[Path, dict[str, Any]]]


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    def export(*entries: PhotoRecord | Failure) -> tuple[Path, dict[str, Any]]:
        journal, out = tmp_path / "journal.jsonl", tmp_path / "segcap.json"
        journal.unlink(missing_ok=True)
        with Journal(journal, Start(INFO)) as writer:
            writer.begin()
            for entry in entries:
                writer.append(entry)
        _write(journal, out)
        return out, json.loads(out.read_bytes())

    return export


@pytest.mark.parametrize(("temperature", "seed"), [(0.0, {}), (0.7, {"seed": 3})])
def test_options_that_answers_do_not_depend_on_are_left_out(
    tmp_path: Path, temperature: float, seed: dict[str, int]
) -> None:
    journal, out = tmp_path / "journal.jsonl", tmp_path / "segcap.json"
    options = {"granularity": "both", "temperature": temperature, "seed": 3, "forced": False, "seg_every": None}
    info = RunInfo("mglmm 1.0", "nano", "0" * 64, options)
    with Journal(journal, Start(info)) as writer:
        writer.begin()
        writer.append(questions("c.jpg"))
    _write(journal, out, info)
    written = json.loads(out.read_bytes())["info"]["options"]
    assert written == {"granularity": "both", "temperature": temperature, **seed}


def test_every_section(exported: Exported) -> None:
    _, data = exported(scene("a/x.jpg"), Failure("b.jpg", "open", "the file is empty"), questions("c.jpg"))
    assert list(data) == ["info", "licenses", "categories", "annotations", "images", "captions"]
    assert data["info"]["tool"] == "mglmm 1.0" and data["info"]["options"] == {"batch": 4}
    assert data["licenses"] == []
    assert data["images"] == [
        {"id": 1, "file_name": "a/x.jpg", "width": WIDTH, "height": HEIGHT},
        {"id": 3, "file_name": "c.jpg", "width": WIDTH, "height": HEIGHT},
    ]
    names = ["dog", "hat", "man", "object"]
    assert data["categories"] == [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    assert data["annotations"][1] == {
        "id": 1_000_200,
        "image_id": 1,
        "category_id": 1,
        "segmentation": rle.encode(DOG[None])[0].to_coco(),
        "area": 140,
        "bbox": [20.0, 20.0, 14.0, 10.0],
        "iscrowd": 0,
        "score": 0.8,
        "name_score": 0.125,
        "phrase": "two dogs",
        "caption_id": 1_000_001,
        "span": [14, 22],
        "granularity": "panoptic",
        "parent": None,
        "attributes": {"phrase": "two dogs", "caption_id": 1_000_001, "granularity": "panoptic", "parent": None},
    }
    # Neither the man's words have probabilities, nor does a journal of an older version have any.
    assert [entry.get("name_score") for entry in data["annotations"]] == [None, 0.125, 0.125, None, None]
    assert "name_score" not in data["annotations"][0]
    assert data["captions"][1] == {
        "id": 1_000_002,
        "image_id": 1,
        "granularity": "fine",
        "instruction": "Describe the man.",
        "caption": "He wears a red hat.",
        "answer": "He wears <p> a red hat </p> [SEG].",
        "parent": 1_000_100,
        "phrases": [{"phrase": "a red hat", "span": [9, 18], "annotation_ids": [1_000_400]}],
    }


def test_ids_and_references(exported: Exported) -> None:
    _, data = exported(scene("a.jpg"), questions("b.jpg"), scene("c.jpg"))
    annotations, captions = data["annotations"], data["captions"]
    # The mask without a pixel keeps its number.
    assert [entry["id"] % 1_000_000 for entry in annotations] == [100, 200, 300, 400, 200, 100, 200, 300, 400]
    assert [entry["id"] // 1_000_000 for entry in annotations] == [entry["image_id"] for entry in annotations]
    assert [entry["id"] for entry in captions] == [1_000_001, 1_000_002, 2_000_001, 2_000_002, 3_000_001, 3_000_002]
    assert [entry["image_id"] for entry in annotations] == [1, 1, 1, 1, 2, 3, 3, 3, 3]
    assert [entry["parent"] for entry in annotations] == [
        *(None, None, None, 1_000_100),
        *(None, None, None, None, 3_000_100),
    ]
    assert [entry["parent"] for entry in captions] == [None, 1_000_100, None, None, None, 3_000_100]
    by_id = {entry["id"]: entry for entry in captions}
    for entry in annotations:
        caption = by_id[entry["caption_id"]]
        assert caption["image_id"] == entry["image_id"]
        assert caption["granularity"] == entry["granularity"]
        start, end = entry["span"]
        assert caption["caption"][start:end] == entry["phrase"]


def test_captions_say_which_masks_are_empty_and_that_they_are_truncated(
    exported: Exported,
) -> None:
    _, data = exported(questions("a.jpg"))
    assert [entry["id"] for entry in data["annotations"]] == [1_000_200]
    phrases = [entry["phrases"] for entry in data["captions"]]
    assert phrases[0] == [{"phrase": "", "span": [5, 5], "annotation_ids": [], "left_out": ["empty"]}]
    assert phrases[1] == [{"phrase": "A dog", "span": [0, 5], "annotation_ids": [1_000_200]}]
    assert [entry.get("truncated") for entry in data["captions"]] == [True, None]


def test_pycocotools_loads_it(exported: Exported, capsys: pytest.CaptureFixture[str]) -> None:
    out, data = exported(scene("a.jpg"), questions("b.jpg"))
    coco = COCO(str(out))
    assert coco.getImgIds() == [1, 2]
    assert coco.getAnnIds(imgIds=[1]) == [1_000_100, 1_000_200, 1_000_300, 1_000_400]
    assert coco.loadCats(coco.getCatIds()) == data["categories"]
    for number, pixels in {1_0001: MAN, 1_0002: DOG, 1_0003: OTHER_DOG, 1_0004: HAT, 2_0002: DOG}.items():
        assert np.array_equal(coco.annToMask(coco.anns[100 * number]), pixels)


@pytest.mark.parametrize("kind", ["segm", "bbox"])
def test_against_itself_it_scores_one(exported: Exported, kind: str) -> None:
    out, data = exported(scene("a.jpg"), scene("b.jpg"))
    coco = COCO(str(out))
    keys = ("image_id", "category_id", "score") + (("segmentation",) if kind == "segm" else ("bbox",))
    results = coco.loadRes([{key: entry[key] for key in keys} for entry in data["annotations"]])
    evaluation = COCOeval(coco, results, kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_writing_again_gives_the_same_bytes(exported: Exported) -> None:
    entries = (scene("a.jpg"), questions("b.jpg"))
    first = exported(*entries)[0].read_bytes()
    assert exported(*entries)[0].read_bytes() == first


def test_a_journal_without_answers(exported: Exported) -> None:
    out, data = exported(Failure("a.jpg", "open", "no such file"))
    assert data["images"] == data["annotations"] == data["captions"] == data["categories"] == []
    assert COCO(str(out)).getImgIds() == []


def test_names_that_are_not_utf8_are_written_as_text(exported: Exported) -> None:
    for name in ("caf\udce9.jpg", to_text(b"caf\xe9.jpg")):
        out, data = exported(replace(scene("x"), file_name=name))
        assert data["images"][0]["file_name"] == r"caf\xE9.jpg"
        orjson.loads(out.read_bytes())  # which takes no half characters


def test_a_failed_write_leaves_the_old_file_and_no_other(exported: Exported, tmp_path: Path) -> None:
    out, _ = exported(scene("a.jpg"))
    before = out.read_bytes()
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + b"damaged\n")
    with pytest.raises(MglmmError):
        _write(journal, out)
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal.jsonl", "segcap.json"]
