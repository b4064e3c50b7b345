"""The tokenisation rule of the public checkpoints, against what their own tokenizer gave."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.model.tokenizers import SentencePieceTokenizer, open_tokenizer
from engine.text.grammar import parse

PARITY = Path(__file__).parents[5] / "shared" / "parity"
FOLDERS = {"mglmm": PARITY / "mglmm" / "micro" / "ckpt", "lisa": PARITY / "lisa" / "ckpt"}

pytestmark = pytest.mark.skipif(not PARITY.is_dir(), reason="needs ../shared/parity")


def _cases() -> list[Any]:
    path = PARITY / "tokenizer_cases.json"
    if not path.is_file():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    return [
        pytest.param(family, row, id=f"{family}-{number}")
        for family, table in content.items()
        for number, row in enumerate(table["rows"])
    ]


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, SentencePieceTokenizer]:
    return {family: SentencePieceTokenizer.load(folder) for family, folder in FOLDERS.items()}


@pytest.mark.parametrize(("family", "row"), _cases())
def test_ids_and_text_are_those_of_the_public_tokenizer(
    tokenizers: dict[str, SentencePieceTokenizer], family: str, row: dict[str, Any]
) -> None:
    tokenizer = tokenizers[family]
    assert tokenizer.bos is not None
    ids = [tokenizer.bos]
    for number, chunk in enumerate(row["text"].split("<image>")):
        ids += [-200] * (number > 0) + tokenizer.encode(chunk)
    assert ids == row["ids"]
    assert tokenizer.plain(ids) == row["decoded"]
    assert tokenizer.plain(ids, skip_special=True) == row["decoded_skip_special"]


@pytest.mark.parametrize("text", ["<p> a cat </p> [SEG], [SEG] and <p> x </p> [SEG].", "It is [SEG].", "a [SEG] (b)"])
def test_decode_gives_canonical_text_back(tokenizers: dict[str, SentencePieceTokenizer], text: str) -> None:
    tokenizer = tokenizers["mglmm"]
    assert tokenizer.decode([*tokenizer.encode(text), tokenizer.eos, tokenizer.pad]) == text


@pytest.mark.parametrize("family", FOLDERS)
@given(data=st.data())
def test_masks_and_parsed_segs_agree_for_any_ids(
    tokenizers: dict[str, SentencePieceTokenizer], family: str, data: st.DataObject
) -> None:
    tokenizer = tokenizers[family]
    # A model may have a few more rows than its tokenizer has tokens.
    ids = data.draw(st.lists(st.integers(0, tokenizer.size + 3), max_size=40))
    assert parse(tokenizer.decode(ids)).seg_count == ids.count(tokenizer.seg)


def test_an_answer_without_phrase_tags_goes_through_the_same_grammar(
    tokenizers: dict[str, SentencePieceTokenizer],
) -> None:
    tokenizer = tokenizers["lisa"]
    answer = parse(tokenizer.decode(tokenizer.encode("Sure, it is [SEG] and [SEG].</s>")))
    assert answer.seg_count == 2
    # Both masks belong to what the sentence says, which is not named.
    assert [(phrase.text, phrase.segs) for phrase in answer.phrases] == [("", (0, 1))]
    assert answer.caption == "Sure, it is."


def test_a_folder_tells_its_kind_and_files_round_trip(
    tokenizers: dict[str, SentencePieceTokenizer], tmp_path: Path
) -> None:
    tokenizers["lisa"].save(tmp_path)
    again = open_tokenizer(tmp_path)
    assert isinstance(again, SentencePieceTokenizer)
    assert (again.seg, again.size, again.region) == (400, 403, None)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("added_tokens.json", '{"[SEG]": 400}', "lacks <im_start>, <im_end>"),
        ("added_tokens.json", '{"[SEG]": 400, "<im_start>": 400, "<im_end>": 402}', "gives an id to two tokens"),
        ("added_tokens.json", "[1]", "not a table of ids"),
        ("tokenizer.model", "not a model", "not a SentencePiece model"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    for source in FOLDERS["lisa"].glob("*token*"):
        shutil.copyfile(source, tmp_path / source.name)
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=f"{name}: .*{message}"):
        open_tokenizer(tmp_path)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no tokenizer"):
        open_tokenizer(tmp_path)
