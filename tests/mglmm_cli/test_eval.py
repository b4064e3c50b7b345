"""`mglmm eval` as a person runs it."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from engine.errors import UsageError
from mglmm_cli.main import cli
from tests.trainer.benchmarks import made


def run(*args: str | Path) -> Result:
    """`mglmm eval ARGS...` in this process; an error of the user is raised."""
    return CliRunner().invoke(cli, ["eval", *map(str, args)], catch_exceptions=False, standalone_mode=False)


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of two expressions, the second of which is missed."""
    items = [
        {"id": str(n), "text": f"bar {n}", "gt": [made.bar(0).to_coco()], "pred": [made.bar(left).to_coco()]}
        for n, left in ((1, 0), (2, 15))
    ]
    path = tmp_path_factory.mktemp("predicted") / "predictions.json"
    made.write_json(path, {"items": items})
    return path


@pytest.fixture
def photographed(tmp_path: Path) -> Path:
    """RefCOCO's layout with one photograph and three expressions."""
    return made.refcoco(tmp_path / "data")


def test_predictions_become_a_table_and_a_result(predicted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("refer", "--predictions", predicted, "-o", out)
    assert "cIoU" in result.output and "50.00" in result.output
    content = json.loads((out / "results.json").read_text())
    assert content["scores"]["gIoU"] == pytest.approx(0.5, abs=1e-5)
    scored = content["scored"]
    assert (scored["benchmark"], scored["protocol"], scored["questions"]) == ("refer", "official", 2)
    assert len(scored["data_hash"]) == len(scored["answers_hash"]) == 64
    assert scored["versions"]["pycocotools"] and scored["options"]["limit"] is None
    lines = [json.loads(line) for line in (out / "items.jsonl").read_text().splitlines()]
    assert [line["scores"]["gIoU"] for line in lines] == [[1.0, 1], [0.0, 1]]
    assert content["paper"] == {}  # the truth came with the predictions


def test_results_are_compared(predicted: Path, tmp_path: Path) -> None:
    run("refer", "--predictions", predicted, "-o", tmp_path / "a")
    result = run("refer", "--predictions", predicted, "--compare", tmp_path / "a" / "results.json")
    assert "+0.00 to +0.00" in result.output
    with pytest.raises(UsageError, match="the benchmark was refer, is grefer"):
        run("grefer", "--predictions", predicted, "--compare", tmp_path / "a" / "results.json")


def test_the_papers_numbers_stand_beside_those_of_its_sets(photographed: Path, tmp_path: Path) -> None:
    run("refer", "--data", photographed, "--predictions", _truth(photographed, tmp_path), "-o", tmp_path / "out")
    assert json.loads((tmp_path / "out/results.json").read_text())["paper"] == {"cIoU": 0.813}


def _truth(photographed: Path, tmp_path: Path) -> Path:
    from trainer.benchmarks.registry import Selection, open_benchmark

    found = open_benchmark(Selection("refer", "refcoco", "val", photographed))
    found.write(tmp_path / "truth", {one.id: found.benchmark.truth(one.id) for one in found.benchmark.questions})
    return tmp_path / "truth"


def test_a_model_is_asked_and_an_interrupted_run_goes_on(photographed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ("refer", "--data", photographed, "-o", out)
    run(*asked, "--worst", "1", "--write-predictions", tmp_path / "written")
    first = json.loads((out / "results.json").read_text())
    assert first["scored"]["model"] == "nano" and first["scored"]["questions"] == 3
    assert (out / "worst" / "index.html").is_file()
    said = (out / "worst" / "data" / "photographs-0.js").read_text(encoding="ascii")
    (worst,) = json.loads(said[said.index("[") : said.rindex("]") + 1])
    answer, truth = (one["answers"][0] for one in worst["runs"])  # beside each other
    assert answer["instruction"] == truth["instruction"] and len(truth["masks"]) == 1 and not worst["unseen"]
    overview = (out / "worst" / "data" / "overview-0.js").read_text(encoding="ascii")
    assert (
        '"title":"Answer"' in overview and '"title":"Truth"' in overview and '"refer refcoco val official"' in overview
    )
    # As if it had been killed after two answers.
    journal = out / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    _, second, *_ = (number for number, line in enumerate(lines) if b'"state":"done"' in line)
    journal.write_bytes(b"".join(lines[: second + 1]))
    assert "2 of 3 questions were answered before" in run(*asked).output
    again = json.loads((out / "results.json").read_text())
    assert again["scores"] == first["scores"]
    assert again["scored"]["answers_hash"] == first["scored"]["answers_hash"]
    next(photographed.rglob("a.jpg")).unlink()
    run(*asked)  # all answers are there
    # Other questions do not go on with these answers.
    with pytest.raises(UsageError, match="set was refcoco"):
        run("grefer", "--data", photographed, "-o", out)
    # What was written is scored to the same numbers.
    run("refer", "--data", photographed, "--predictions", tmp_path / "written", "-o", tmp_path / "files")
    assert json.loads((tmp_path / "files/results.json").read_text())["scores"] == first["scores"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--predictions", "{predicted}", "--model", "nano"), "leave out --model"),
        ((), "say with --data where the data set lies"),
        (("--predictions", "{predicted}", "--worst", "3"), "--worst needs an output folder"),
    ],
)
def test_options_that_do_not_fit_are_refused(args: tuple[str, ...], words: str, predicted: Path) -> None:
    done = CliRunner().invoke(cli, ["eval", "refer", *(one.format(predicted=predicted) for one in args)])
    assert done.exit_code == 2
    assert words in done.output


def test_what_is_left_out_stands_in_the_table_and_the_result(photographed: Path, tmp_path: Path) -> None:
    refs = photographed / "refcoco/refs(unc).p"
    content = pickle.loads(refs.read_bytes())
    content[0]["sentences"][1]["sent"] = " "
    refs.write_bytes(pickle.dumps(content, 2))
    result = run(
        "refer", "--data", photographed, "--predictions", _truth(photographed, tmp_path), "-o", tmp_path / "out"
    )
    assert "2 expressions, 0 without a target, 1 left out" in result.output
    assert "1 left out: a question without a word, such as refcoco/refs(unc).p: ref 1, sentence 2" in result.output
    stored = json.loads((tmp_path / "out/results.json").read_text())
    assert stored["counts"]["left out"] == 1 and stored["paper"] == {}


def test_an_answer_beside_nothing_is_in_strict_json(predicted: Path, tmp_path: Path) -> None:
    """Masks without a pixel on both sides, and no mask at all."""
    items = json.loads(predicted.read_text())["items"]
    nothing = made.rle.encode(np.zeros((1, made.HEIGHT, made.WIDTH), bool))[0].to_coco()
    items += [{"id": "3", "gt": [nothing], "pred": [nothing]}, {"id": "4", "gt": [], "pred": []}]
    made.write_json(tmp_path / "items.json", {"items": items})
    for command in ("refer", "grefer", "reason"):
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            result = run(command, "--predictions", tmp_path / "items.json", "-o", tmp_path / command)
        assert "nan" not in result.output.lower()
        for name in ("results.json", "items.jsonl"):
            for line in (tmp_path / command / name).read_text().split("\n{"):
                assert "NaN" not in line and "Infinity" not in line


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("-o", "itself"), "itself.*symbolic links; choose another folder"),
        (("-o", "itself/below"), "itself.*symbolic links; choose another folder"),
        (("--write-predictions", "itself"), "itself.*symbolic links; choose another folder"),
        (("--device", "nonsense"), "no device 'nonsense' here"),
        (("--model", "nosuch"), "no model 'nosuch'"),
        (("--compare", "{photographed}/refcoco/instances.json"), "not a result of mglmm eval: no 'scored'"),
    ],
)
def test_what_can_not_be_used_is_said_before_anything_is_done(
    options: tuple[str, ...], reason: str, photographed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("itself").symlink_to("itself")
    with pytest.raises(UsageError, match=reason):
        run("refer", "--data", photographed, *(one.format(photographed=photographed) for one in options))


@pytest.mark.parametrize("text", ["left bar " * 3000, "..."])
def test_a_question_that_can_not_be_asked_is_named(text: str, photographed: Path) -> None:
    refs = photographed / "refcoco/refs(unc).p"
    content = pickle.loads(refs.read_bytes())
    content[0]["sentences"][0]["sent"] = text
    refs.write_bytes(pickle.dumps(content, 2))
    if text == "...":
        assert "1 expressions" in run("refer", "--data", photographed, "--limit", "1").output
    else:
        with pytest.raises(UsageError, match="question '1': [0-9,]+ tokens with the photograph leave no room"):
            run("refer", "--data", photographed, "--limit", "1")


def test_a_folder_that_is_no_text_model_is_refused(tmp_path: Path) -> None:
    made.mgsc(tmp_path / "data")
    (tmp_path / "model").mkdir()
    for content in ("{", "[]", '{"model_type": "bert"}', '{"model_type": "bert", "hidden_size": "x"}'):
        (tmp_path / "model/config.json").write_text(content)
        with pytest.raises(UsageError, match="text model: can't load .*model: "):
            run("mgsc", "--data", tmp_path / "data", "--split", "all", "--text-model", tmp_path / "model")


def test_predictions_that_do_not_fit_are_named_with_their_file(photographed: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers.json"
    for items, reason in (
        ([], "3 of 3 questions have no prediction, such as '1'"),
        ([{"id": "1", "pred": []}], "2 of 3 questions have no prediction, such as '2'"),
        ([{"id": "9", "pred": []}], "there is one for '9', none for '1'"),
        ([{"id": "1", "pred": []}, {"id": 1, "pred": []}], "item '1': for the second time"),
        ([{"id": "1", "pred": {"size": [4, 4], "counts": [0, 15]}}], "item '1': pred: counts that end before"),
        ([{"id": "1", "pred": {"size": [4, 4], "counts": [0, 16]}}], r"item '1': pred\[0\]: a mask of 4 x 4 pixels"),
    ):
        made.write_json(answers, {"items": items})
        with pytest.raises(UsageError, match=rf"answers\.json: .*{reason}"):
            run("refer", "--data", photographed, "--predictions", answers)
