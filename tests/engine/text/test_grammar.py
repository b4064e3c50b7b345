"""USCDF: what is composed is parsed back, and nothing that a model can write breaks the parser."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.records import Answer
from engine.text.grammar import Grounded, compose, parse

TAGS = ("<p>", "</p>", "[SEG]")
fragments = st.one_of(
    st.sampled_from([*TAGS, " ", ",", " and ", ", and ", ".", "and", "&", "\n", "\u00a0", "(", ")", "’s", "a", "cat "]),
    st.text(st.characters(codec=None), max_size=6),
)
model_texts = st.lists(fragments, max_size=30).map("".join)

# "[SEG" and "]" as two pieces of plain text would grow together to a tag.
plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<>[]"), max_size=12)
grounded = st.builds(Grounded, plain.filter(str.strip), st.integers(0, 4))
parts = st.lists(plain | grounded, max_size=8)


def shape(answer: Answer) -> list[tuple[str, tuple[int, ...]]]:
    return [(phrase.text, phrase.segs) for phrase in answer.phrases]


@settings(max_examples=500, deadline=None)
@given(model_texts)
def test_any_text_parses(raw: str) -> None:
    answer = parse(raw)
    assert answer.raw == raw
    assert answer.seg_count == raw.count("[SEG]")
    assert [seg for phrase in answer.phrases for seg in phrase.segs] == list(range(answer.seg_count))
    for phrase in answer.phrases:
        assert 0 <= phrase.span.start <= phrase.span.end <= len(answer.caption)
        assert answer.caption[phrase.span.start : phrase.span.end] == phrase.text
        assert phrase.text or phrase.segs


@settings(max_examples=300, deadline=None)
@given(model_texts)
def test_phrases_stand_in_order_and_do_not_overlap(raw: str) -> None:
    end = 0
    for phrase in parse(raw).phrases:
        assert phrase.span.start >= end
        end = phrase.span.end


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_text_without_tags_is_its_own_caption(text: str) -> None:
    answer = parse(text)
    if not any(tag in text for tag in TAGS):
        assert answer.caption == " ".join(text.split())
        assert answer.phrases == ()


@settings(max_examples=500, deadline=None)
@given(parts)
def test_what_is_composed_is_parsed_back(pieces: list[str | Grounded]) -> None:
    answer = parse(compose(pieces))
    expected = [(" ".join(piece.phrase.split()), piece.targets) for piece in pieces if isinstance(piece, Grounded)]
    assert [(phrase.text, len(phrase.segs)) for phrase in answer.phrases] == expected
    # The same pieces with every phrase as plain words: the words of the caption, whatever the spaces.
    words = "".join(piece if isinstance(piece, str) else piece.phrase for piece in pieces)
    assert "".join(answer.caption.split()) == "".join(words.split())


@settings(max_examples=200, deadline=None)
@given(parts)
def test_composing_is_stable(pieces: list[str | Grounded]) -> None:
    raw = compose(pieces)
    assert raw == compose(pieces)
    assert "  " not in raw
    assert raw.count("[SEG]") == sum(piece.targets for piece in pieces if isinstance(piece, Grounded))


def test_an_ordinary_answer() -> None:
    raw = compose([Grounded("A man"), "rides", Grounded("two horses", 2), ", near", Grounded("a zebra", 0), "."])
    assert raw == "<p> A man </p> [SEG] rides <p> two horses </p> [SEG] [SEG], near <p> a zebra </p>."
    answer = parse(raw)
    assert answer.caption == "A man rides two horses, near a zebra."
    assert shape(answer) == [("A man", (0,)), ("two horses", (1, 2)), ("a zebra", ())]
    assert [phrase.text for phrase in answer.phrases if phrase.segs] == ["A man", "two horses"]


@pytest.mark.parametrize(
    ("raw", "caption", "phrases"),
    [
        ("", "", []),
        ("No zebra here.", "No zebra here.", []),
        # [SEG] behind a phrase, whatever a writer puts between two nouns
        ("<p> cups </p> [SEG], [SEG] and [SEG].", "cups.", [("cups", (0, 1, 2))]),
        ("<p> cups </p>[SEG][SEG]", "cups", [("cups", (0, 1))]),
        ("<p> cups </p> and [SEG]", "cups", [("cups", (0,))]),
        ("<p> cups </p> [SEG] on [SEG]", "cups on", [("cups", (0,)), ("", (1,))]),
        # the joiner is text after all
        ("<p> a cat </p> [SEG] and a dog", "a cat and a dog", [("a cat", (0,))]),
        ("<p> a cat </p> [SEG] and <p> a dog </p> [SEG]", "a cat and a dog", [("a cat", (0,)), ("a dog", (1,))]),
        ("<p> a cat </p> [SEG] android", "a cat android", [("a cat", (0,))]),
        # tags that do not match
        ("<p> a <p> b </p> [SEG]", "a b", [("a", ()), ("b", (0,))]),
        ("a </p> b [SEG]", "a b", [("", (0,))]),
        ("<p> a cat [SEG]", "a cat", [("a cat", (0,))]),
        ("<p> a [SEG] cat </p>", "a cat", [("a cat", (0,))]),
        ("<p> a [SEG] cat </p> [SEG]", "a cat", [("a cat", (0, 1))]),
        ("<p></p>", "", []),
        ("<p> </p> [SEG]", "", [("", (0,))]),
        # no phrase
        ("[SEG]", "", [("", (0,))]),
        ("[SEG] [SEG]", "", [("", (0, 1))]),
        ("Here it is [SEG].", "Here it is.", [("", (0,))]),
        # spaces
        ("<p>a\n cat</p>[SEG] is   here", "a cat is here", [("a cat", (0,))]),
        ("(<p> a </p> [SEG])", "(a)", [("a", (0,))]),
        ("<p> the man </p> [SEG]'s hat", "the man's hat", [("the man", (0,))]),
        # what only looks like a tag
        ("<P> a </P> [seg] <p", "<P> a </P> [seg] <p", []),
    ],
)
def test_recovery(raw: str, caption: str, phrases: list[tuple[str, tuple[int, ...]]]) -> None:
    answer = parse(raw)
    assert answer.caption == caption
    assert shape(answer) == phrases


@pytest.mark.parametrize(
    "piece",
    ["a [SEG]", "<p>", "</p>", Grounded("a </p>"), Grounded(""), Grounded(" \n"), Grounded("a", -1)],
    ids=repr,
)
def test_what_cannot_be_written_is_refused(piece: str | Grounded) -> None:
    with pytest.raises(ValueError):
        compose(["fine", piece])


def test_parts_that_spell_a_tag_between_them_are_refused() -> None:
    with pytest.raises(ValueError, match="between them"):
        compose(["[SEG", "]"])


def test_a_word_right_behind_a_phrase_stays_a_word() -> None:
    assert parse("a<p>cat</p>[SEG]is").caption == "a cat is"
