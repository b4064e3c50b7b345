"""No two photographs of an export share a file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporters.formats.names import Names, share

NAME = st.text("ab_./ \u00e9", min_size=1, max_size=8).filter(lambda name: name.strip("./ ") != "")


@given(st.lists(NAME, unique=True, max_size=8), st.booleans())
def test_no_two_in_one_place(names: list[str], flat: bool) -> None:
    made = Names(names, flat=flat)
    stems = [made.stem(name).casefold() for name in names]
    assert len(set(stems)) == len(stems)
    for stem in stems:
        assert not stem.startswith("/") and ".." not in stem.split("/")
        assert not flat or "/" not in stem


def test_names_that_nothing_threatens_stay() -> None:
    made = Names(["a/b.jpg", "c.d.png"], flat=False)
    assert made.stem("a/b.jpg") == "a/b" and made.stem("c.d.png") == "c.d"
    assert Names(["a/b.jpg"], flat=True).stem("a/b.jpg") == "a__b"


def test_shares_are_spread() -> None:
    shares = [share(f"{number}.jpg") for number in range(2000)]
    assert all(0 <= number < 1 for number in shares)
    assert 0.07 < sum(number < 0.1 for number in shares) / len(shares) < 0.13
