"""The table of releases in docs/models.md says what their sizes come to."""

from __future__ import annotations

from tests.release_table import table, written


def test_the_table_is_what_is_computed() -> None:
    assert written() == table(), "write it anew: python -m tests.release_table"
