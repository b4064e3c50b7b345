"""Which probabilities go to which phrase."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from engine.decoding.words import Words
from engine.model.tokenizers import SentencePieceTokenizer, TextTokenizer
from engine.text.grammar import parse
from tests.engine.tiny import tokenizer

PARITY = Path(__file__).parents[4] / "shared" / "parity"
ANSWER = "Here, <p> a dog </p> [SEG] and <p> two cats </p> [SEG] [SEG]."


def _scores(of: TextTokenizer, text: str, missing: int | None = None) -> dict[str, float | None]:
    """Phrases and their scores, where the token at place n has the probability n / 100."""
    ids = of.encode(text)
    probabilities = [None if place == missing else place / 100 for place in range(len(ids))]
    answer = parse(of.decode(ids), Words(of).between_tags(ids, probabilities))
    return {phrase.text: phrase.name_score for phrase in answer.phrases}


def _places(of: TextTokenizer, text: str, words: str) -> list[int]:
    """Where the tokens of words that stand between tags are, those of white space left out."""
    ids, wanted = of.encode(text), of.encode(f"<p> {words} </p>")[1:-1]
    (start,) = (at for at in range(len(ids)) if ids[at : at + len(wanted)] == wanted)
    return [start + at for at, token in enumerate(wanted) if of.decode([token]).strip()]


def test_a_phrase_is_as_likely_as_all_of_its_words() -> None:
    bpe = tokenizer()
    found = _scores(bpe, ANSWER)
    assert list(found) == ["a dog", "two cats"]
    for words, score in found.items():
        places = _places(bpe, ANSWER, words)
        assert len(places) > 1 and score == pytest.approx(math.prod(place / 100 for place in places), abs=1e-4)


def test_a_token_without_a_probability_is_left_out() -> None:
    bpe = tokenizer()
    first, *others = _places(bpe, ANSWER, "two cats")
    assert _scores(bpe, ANSWER, first)["two cats"] == pytest.approx(
        math.prod(place / 100 for place in others), abs=1e-4
    )
    assert _scores(bpe, ANSWER, first)["a dog"] == _scores(bpe, ANSWER)["a dog"]


def test_masks_without_words_have_no_score() -> None:
    assert _scores(tokenizer(), "It is [SEG], <p> </p> [SEG].") == {"": None}


@pytest.mark.skipif(not PARITY.is_dir(), reason="needs ../shared/parity")
def test_sentencepiece_and_a_model_without_phrase_tags() -> None:
    mglmm = SentencePieceTokenizer.load(PARITY / "mglmm" / "micro" / "ckpt")
    found = _scores(mglmm, ANSWER)
    for words in ("a dog", "two cats"):
        places = _places(mglmm, ANSWER, words)
        assert found[words] == pytest.approx(math.prod(place / 100 for place in places), abs=1e-4)
    lisa = SentencePieceTokenizer.load(PARITY / "lisa" / "ckpt")
    assert _scores(lisa, "Sure, it is [SEG].") == {"": None}
    # These spell the tags of phrases with ordinary tokens, and decoding makes none of them.
    assert set(_scores(lisa, ANSWER).values()) == {None}
