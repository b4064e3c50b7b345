from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.model.tokenizers import BpeTokenizer
from engine.text.grammar import parse

TOKENIZER = BpeTokenizer.train(["a dog and <p> two cats </p> [SEG] [SEG] on the mat."] * 3, 300)


@pytest.mark.parametrize(
    "text",
    [
        "<p> two cats </p> [SEG] [SEG] on the mat.",
        "a dog",
        "<p> a dog </p> [SEG], <p> x </p> [SEG] and [SEG].",
        "naïve 日本 😀",
    ],
)
def test_decode_gives_canonical_text_back(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_the_token_before_seg_closes_the_phrase() -> None:
    ids = TOKENIZER.encode("<p> two cats </p> [SEG] [SEG]")
    first = ids.index(TOKENIZER.seg)
    assert TOKENIZER.decode(ids[first - 1 : first]) == "</p>"
    assert ids[first + 1] == TOKENIZER.seg


@given(st.lists(st.integers(0, TOKENIZER.size - 1), max_size=40))
def test_masks_and_parsed_segs_agree_for_any_ids(ids: list[int]) -> None:
    assert parse(TOKENIZER.decode(ids)).seg_count == ids.count(TOKENIZER.seg)


def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UsageError, match=r"tokenizer\.json: not a tokenizer"):
        BpeTokenizer.load(tmp_path)


def test_ordinary_tokens_can_not_spell_a_tag() -> None:
    ids = [i for letter in "[SEG]" for i in TOKENIZER.encode(letter)]
    assert TOKENIZER.decode(ids) == ""
