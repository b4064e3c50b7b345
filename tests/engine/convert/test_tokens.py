"""The tokenizer of a checkpoint, and its agreement with config.json and the embeddings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.convert.convert import convert
from engine.errors import UsageError
from engine.model.checkpoint import load
from tests.engine.convert.making import ADDED, PIECES, Made, edit_json, make, write_json

SEG = PIECES + 4


def test_the_files_are_taken_over(made: Made, tmp_path: Path) -> None:
    convert(str(made.folder), tmp_path / "out")
    for name in ("tokenizer.model", "added_tokens.json"):
        mine, theirs = (tmp_path / "out" / name).read_bytes(), (made.folder / name).read_bytes()
        assert mine == theirs if name == "tokenizer.model" else json.loads(mine) == json.loads(theirs)
    assert load(str(tmp_path / "out")).tokenizer.seg == SEG


@pytest.mark.parametrize("name", ["tokenizer.model", "added_tokens.json"])
def test_a_missing_file_is_named_and_where_to_get_it(made: Made, tmp_path: Path, name: str) -> None:
    (made.folder / name).unlink()
    with pytest.raises(UsageError, match=rf"{name}: missing; copy it from the release that"):
        convert(str(made.folder), tmp_path / "out")


def test_a_file_that_is_no_tokenizer_is_refused(made: Made, tmp_path: Path) -> None:
    (made.folder / "tokenizer.model").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UsageError, match=r"tokenizer\.model: not a SentencePiece model"):
        convert(str(made.folder), tmp_path / "out")


@pytest.mark.parametrize(("family", "token"), [("mglmm", "<p>"), ("glamm", "</p>"), ("lisa", "[SEG]")])
def test_a_token_of_the_family_must_be_there(tmp_path: Path, family: str, token: str) -> None:
    made = make(tmp_path, family)
    edit_json(made.folder / "added_tokens.json", **{token: None})
    with pytest.raises(
        UsageError, match=rf"added_tokens\.json: lacks {token}, which models of {family} have".replace("[", r"\[")
    ):
        convert(str(made.folder), tmp_path / "out")


def test_a_region_encoder_needs_its_token(tmp_path: Path) -> None:
    made = make(tmp_path, "glamm", regions=True)
    edit_json(made.folder / "added_tokens.json", **{"<bbox>": None})
    with pytest.raises(UsageError, match=r"added_tokens\.json: lacks <bbox>"):
        convert(str(made.folder), tmp_path / "out")


def test_ids_are_those_of_the_file_in_any_order(made: Made, tmp_path: Path) -> None:
    ids = {token: PIECES + i for i, token in enumerate(reversed(ADDED["mglmm"]))}
    write_json(made.folder / "added_tokens.json", ids)
    edit_json(made.folder / "config.json", seg_token_idx=ids["[SEG]"])
    convert(str(made.folder), tmp_path / "out")
    assert load(str(tmp_path / "out")).tokenizer.encode("<im_start>[SEG]") == [ids["<im_start>"], ids["[SEG]"]]


def test_an_id_beyond_the_embeddings_is_refused(made: Made, tmp_path: Path) -> None:
    edit_json(made.folder / "added_tokens.json", **{"</p>": 67})
    with pytest.raises(UsageError, match=r"added_tokens\.json: has the id 67, the embeddings have 67 rows"):
        convert(str(made.folder), tmp_path / "out")


def test_an_id_for_two_tokens_is_refused(made: Made, tmp_path: Path) -> None:
    edit_json(made.folder / "added_tokens.json", **{"</p>": SEG})
    with pytest.raises(UsageError, match=r"added_tokens\.json: gives an id to two tokens"):
        convert(str(made.folder), tmp_path / "out")


def test_an_id_that_is_no_number_is_refused(made: Made, tmp_path: Path) -> None:
    edit_json(made.folder / "added_tokens.json", **{"</p>": "66"})
    with pytest.raises(UsageError, match=r"added_tokens\.json: the id of </p> is '66'"):
        convert(str(made.folder), tmp_path / "out")


def test_another_seg_id_in_config_json_is_refused(made: Made, tmp_path: Path) -> None:
    edit_json(made.folder / "config.json", seg_token_idx=SEG + 1)
    message = rf"seg_token_idx is {SEG + 1} in config\.json, \[SEG\] is {SEG} in added_tokens\.json"
    with pytest.raises(UsageError, match=message):
        convert(str(made.folder), tmp_path / "out")


def test_stale_ids_in_config_json_are_reported(made: Made, tmp_path: Path) -> None:
    edit_json(made.folder / "config.json", seg_token_idx=32004, bbox_token_idx=32002)
    report = convert(str(made.folder), tmp_path / "out")
    assert report.notes == (
        f"seg_token_idx is 32004 in config.json, outside the vocabulary; [SEG] is {SEG}",
        "bbox_token_idx is 32002 in config.json, not used; <bbox> is 62 in added_tokens.json",
    )


def test_pieces_that_are_listed_again_are_left_out(made: Made, tmp_path: Path) -> None:
    edit_json(made.folder / "added_tokens.json", **{"<unk>": 0, "<s>": 1, "</s>": 2})
    convert(str(made.folder), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "added_tokens.json").read_text()) == {
        token: PIECES + i for i, token in enumerate(ADDED["mglmm"])
    }
