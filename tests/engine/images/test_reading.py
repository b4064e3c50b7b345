"""Parts of a file are a file of their own."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import PhotographError
from engine.images import reading
from engine.images.reading import Excerpt, Part, PictureFile, Stretch

CONTENT = bytes(range(256)) * 40


@st.composite
def parts(draw: st.DrawFn) -> list[Part]:
    found: list[Part] = []
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(CONTENT)))
        stop = draw(st.sampled_from([start, min(start + 7, len(CONTENT)), len(CONTENT)]))
        found.append(draw(st.binary(max_size=5) | st.just(Stretch(start, stop))))
    return found


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts(), st.lists(st.tuples(st.integers(-5, 12_000), st.sampled_from([0, 1, 7, 300, 20_000, -1])), max_size=8))
def test_an_excerpt_is_read_as_what_it_is_made_of(
    tmp_path: Path, made_of: list[Part], reads: list[tuple[int, int]]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    whole = b"".join(part if isinstance(part, bytes) else CONTENT[part.start : part.stop] for part in made_of)
    with PictureFile(path) as file:
        excerpt, expected = Excerpt(file, made_of), io.BytesIO(whole)
        assert excerpt.read() == whole
        for at, size in reads:
            excerpt.seek(max(0, at))
            expected.seek(max(0, at))
            assert excerpt.read(size) == expected.read(size)
            assert excerpt.tell() == max(at, expected.tell()) or excerpt.tell() == expected.tell()
        assert excerpt.seek(0, io.SEEK_END) == len(whole)
        assert excerpt.seek(-1, io.SEEK_CUR) == max(0, len(whole) - 1)


def test_what_a_file_does_not_have_is_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abcdef")
    with PictureFile(tmp_path / "file") as file:
        excerpt = Excerpt(file, [b"<", Stretch(4, 1 << 60), b">"])
        assert excerpt.read(100) == b"<ef"
        assert excerpt.read(100) == b""


def test_an_excerpt_is_read_no_more_often_than_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_READS", 100)
    (tmp_path / "file").write_bytes(CONTENT)
    with PictureFile(tmp_path / "file") as file:
        excerpt = Excerpt(file, [Stretch(0, len(CONTENT))])
        with pytest.raises(PhotographError, match="too small"):
            while excerpt.read(1):
                pass
