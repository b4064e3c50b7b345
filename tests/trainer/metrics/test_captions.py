from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainer.metrics.captions import METRICS, score_captions, score_tokens, tokenize
from trainer.metrics.java import JavaError, package_folder

LoadJson = Callable[[str], Any]
REFERENCES = {"a": ["a dog runs"], "b": ["two red cups on a table"]}


@pytest.mark.usefixtures("caption_metrics")
class TestWithJava:
    def test_nlgeval_numbers(self, metrics_root: Path, load_json: LoadJson) -> None:
        folder = metrics_root / "caption" / "nlgeval"
        lines = {name: (folder / f"{name}.txt").read_text().splitlines() for name in ("hyp", "ref1", "ref2")}
        references = {str(row): list(pair) for row, pair in enumerate(zip(lines["ref1"], lines["ref2"], strict=True))}
        scores = score_captions(references, {str(row): line for row, line in enumerate(lines["hyp"])})
        assert scores.missing == {}
        expected = load_json("caption/expected.json")["nlgeval"]["computed"]
        assert scores.corpus == pytest.approx({name: expected[name] for name in METRICS}, abs=1e-6)

    @pytest.mark.usefixtures("one_meteor")
    def test_one_sentence_with_two_references(self, load_json: LoadJson) -> None:
        single = load_json("caption/expected.json")["nlgeval_single"]
        scores = score_captions({"x": single["references"]}, {"x": single["hypothesis"]})
        assert scores.corpus == pytest.approx({name: single["computed"][name] for name in METRICS}, abs=1e-6)

    @pytest.mark.usefixtures("one_meteor")
    def test_several_references(self, load_json: LoadJson) -> None:
        results = {str(item["image_id"]): item["caption"] for item in load_json("caption/region/results.json")}
        references: defaultdict[str, list[str]] = defaultdict(list)
        for item in load_json("caption/region/gt.json")["annotations"]:
            if str(item["image_id"]) in results:
                references[str(item["image_id"])].append(item["caption"])
        scores = score_captions(references, {key: results[key] for key in references})
        expected = load_json("caption/expected.json")["region"]
        assert len(scores.per_image) == expected["n_scored"]
        assert scores.corpus == pytest.approx({name: expected["official"][name] for name in METRICS}, abs=1e-6)
        for image_id, tokens in expected["tokens"].items():
            assert list(scores.references[image_id]) == tokens["gt"]
            assert scores.candidates[image_id] == tokens["pred"]
        for image_id, numbers in expected["per_image"].items():
            assert scores.per_image[image_id] == pytest.approx({name: numbers[name] for name in METRICS}, abs=1e-6)

    def test_tokens(self) -> None:
        tokens = tokenize({"x": ["It's (really) a dog: “two” - cups!", ""], "y": ["One\u2028line\r\nonly."]})
        assert tokens["x"] == ["it 's -lrb- really -rrb- a dog two cups", ""]
        assert tokens["y"] == ["one line only"]

    @pytest.mark.usefixtures("one_meteor")
    def test_empty_captions_score_zero(self) -> None:
        scores = score_captions(REFERENCES, {"a": "", "b": ""})
        assert scores.missing == {}
        assert scores.corpus == pytest.approx(dict.fromkeys(METRICS, 0.0), abs=1e-12)

    @pytest.mark.usefixtures("one_meteor")
    def test_odd_text_for_meteor(self) -> None:
        references = {
            "plain": ["a dog"],
            "separator": ["a ||| dog"],
            "lines": ["a\ndog"],
            "nothing": [""],
            "é": ["un café"],
        }
        scores = score_tokens(references, {key: sentences[0] for key, sentences in references.items()})
        plain = scores.per_image["plain"]["METEOR"]
        assert plain > 0.9
        assert scores.per_image["separator"]["METEOR"] == scores.per_image["lines"]["METEOR"] == plain
        assert scores.per_image["nothing"]["METEOR"] == 0.0
        assert scores.per_image["é"]["METEOR"] == plain


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pycocoevalcap")
    monkeypatch.setattr(shutil, "which", lambda name: None)


@pytest.mark.usefixtures("no_java")
def test_by_hand() -> None:
    scores = score_tokens({"a": ["a dog runs"]}, {"a": "a cat runs"})
    assert scores.corpus["Bleu_1"] == pytest.approx(2 / 3)
    # Longest common subsequence 2 of 3 on both sides.
    assert scores.corpus["ROUGE_L"] == pytest.approx(2 / 3)
    assert scores.corpus["CIDEr"] == 0.0  # one image: every n-gram is in every document
    assert score_tokens({"a": [""]}, {"a": ""}).corpus["CIDEr"] == 0.0


@pytest.mark.usefixtures("no_java")
def test_without_java() -> None:
    answers = {key: texts[0] for key, texts in REFERENCES.items()}
    scores = score_captions(REFERENCES, answers)
    assert scores.corpus == {} and set(scores.missing) == set(METRICS)
    assert all("install a Java runtime" in reason and "\n" not in reason for reason in scores.missing.values())
    # Text that is tokenised already needs Java for METEOR only.
    scores = score_tokens(REFERENCES, answers)
    assert set(scores.missing) == {"METEOR"} and scores.corpus["Bleu_1"] == pytest.approx(1.0)


@pytest.mark.usefixtures("no_java")
def test_spice_that_fails_takes_nothing_else_down() -> None:
    scores = score_tokens({"a": ["a dog runs"]}, {"a": "a cat runs"}, with_spice=True)
    assert set(scores.missing) == {"METEOR", "SPICE"}
    assert set(scores.corpus) == {*METRICS, "SPICE"} - set(scores.missing)


def test_spice_says_which_models_it_needs() -> None:
    pytest.importorskip("pycocoevalcap")
    from trainer.metrics.spice import spice

    if (package_folder() / "spice" / "lib" / "stanford-corenlp-3.6.0-models.jar").is_file():
        pytest.skip("the models are installed")
    with pytest.raises(JavaError, match="python -m pycocoevalcap.spice.get_stanford_models"):
        spice({"a": ["a dog"]}, {"a": "a dog"})


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    scores = score_captions(REFERENCES, {"a": "x", "b": "y"})
    assert scores.missing == dict.fromkeys(METRICS, "pycocoevalcap is not installed: pip install pycocoevalcap")


def test_a_java_that_fails_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pycocoevalcap")
    broken = tmp_path / "java"
    broken.write_text("#!/bin/sh\necho 'no memory' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(broken))
    assert "no memory" in score_captions(REFERENCES, {"a": "x", "b": "y"}).missing["Bleu_1"]
    assert "no memory" in score_tokens(REFERENCES, {"a": "x", "b": "y"}).missing["METEOR"]


def test_images_must_agree() -> None:
    with pytest.raises(ValueError, match="differ in 1 images, such as 'b'"):
        score_captions(REFERENCES, {"a": "x"})
    with pytest.raises(ValueError, match="no reference"):
        score_captions({"a": []}, {"a": "x"})
    with pytest.raises(ValueError, match="no captions"):
        score_captions({}, {})
