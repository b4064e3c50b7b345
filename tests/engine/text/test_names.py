"""Names of files as text: nothing is lost, nothing is mixed up, and all of it is UTF-8."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.text.names import from_text, renewed, to_text

# Bytes that meet each other: pieces of the escapes, of UTF-8, and of neither.
PIECES = st.sampled_from(
    [b"\\", b"x", b"E9", b"5C", b"C", b"\\x", b"\\xE9", b"\xe9", b"\xc3", b"\xa9", b"a", b"/", b"\n"]
)
NAMES = st.binary(max_size=20) | st.lists(PIECES, max_size=12).map(b"".join)


@given(NAMES)
def test_a_name_leads_back_to_its_file(name: bytes) -> None:
    text = to_text(name)
    text.encode("utf-8")
    assert os.fsencode(from_text(text)) == name
    assert to_text(os.fsdecode(name)) == to_text(from_text(text)) == text


@given(NAMES)
def test_the_line_of_the_documentation_gives_the_bytes(name: bytes) -> None:
    found = re.sub(rb"\\x(5C|[89A-F][0-9A-F])", lambda m: bytes.fromhex(m[1].decode()), to_text(name).encode())
    assert found == name


@given(NAMES, NAMES)
def test_two_files_have_two_names_and_folders_keep_theirs(first: bytes, second: bytes) -> None:
    assert (to_text(first) == to_text(second)) == (first == second)
    assert to_text(first + b"/" + second) == f"{to_text(first)}/{to_text(second)}"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\\"), max_size=20))
def test_what_is_text_stays_as_it_is(name: str) -> None:
    assert to_text(name) == name and from_text(name) == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"caf\xe9.jpg", r"caf\xE9.jpg"),
        (b"\xff\xfe/\xc3", r"\xFF\xFE/\xC3"),
        (b"back\\slash \\x41 \\xe9 100%E9 %5C.jpg", r"back\slash \x41 \xe9 100%E9 %5C.jpg"),
        (rb"caf\xE9.jpg", r"caf\x5CxE9.jpg"),
        (rb"\x5C", r"\x5Cx5C"),
        ("cafe\u0301 caf\u00e9".encode(), "cafe\u0301 caf\u00e9"),
        (b"\xed\xa0\x80", r"\xED\xA0\x80"),  # half a character, as UTF-8 may not hold it
    ],
)
def test_the_form(name: bytes, text: str) -> None:
    assert to_text(name) == text


def test_names_of_older_journals() -> None:
    assert renewed("caf\udce9/x.jpg") == r"caf\xE9/x.jpg"
    assert renewed("café\\xE9.jpg") == "café\\xE9.jpg"
