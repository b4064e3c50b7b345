"""What is found, under which name, in which order, and what is said when nothing is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PhotographError, UsageError
from engine.images.decode import decode
from engine.images.sources import count_sources, find_sources, inside
from engine.text.names import from_text, to_text
from tests.engine.images.made import make, names


def test_a_folder_is_walked_sorted_and_named_from_its_root(tmp_path: Path) -> None:
    make(tmp_path, "b.JPG", "a.png", "sub/deep/c.WebP", "notes.txt", "d.jpg.part")
    assert names(tmp_path) == ["a.png", "b.JPG", "sub/deep/c.WebP"]
    sources = list(find_sources([str(tmp_path)], None))
    assert sources[2].path == tmp_path / "sub/deep/c.WebP"


@pytest.mark.parametrize(
    "suffix",
    [
        "jpg",
        "jpeg",
        "png",
        "webp",
        "bmp",
        "tif",
        "tiff",
        "gif",
        "jfif",
        "jpe",
        "jif",
        "mpo",
        "avif",
        "TIFF",
        "Jpeg",
        "MPO",
    ],
)
def test_every_supported_extension_is_found(tmp_path: Path, suffix: str) -> None:
    make(tmp_path, f"x.{suffix}")
    assert names(tmp_path) == [f"x.{suffix}"]


def test_hidden_files_and_folders_are_skipped_but_a_named_hidden_folder_is_not(tmp_path: Path) -> None:
    make(tmp_path, ".h.jpg", ".cache/a.jpg", "a.jpg")
    assert names(tmp_path) == ["a.jpg"]
    assert names(tmp_path / ".cache") == ["a.jpg"]


def test_a_named_file_is_taken_whatever_its_extension(tmp_path: Path) -> None:
    make(tmp_path, "scan.dat", "brackets[1].jpg")
    assert names(tmp_path / "scan.dat") == ["scan.dat"]
    assert names(tmp_path / "brackets[1].jpg") == ["brackets[1].jpg"]


def test_two_folders_never_collide(tmp_path: Path) -> None:
    make(tmp_path, "one/x.jpg", "two/x.jpg", "two/y/x.jpg")
    assert names(tmp_path / "one", tmp_path / "two") == ["one/x.jpg", "two/x.jpg", "two/y/x.jpg"]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (["", ""], ["a.jpg", "s/b.jpg", "s/t/c.jpg"]),
        (["", "s"], ["a.jpg", "s/b.jpg", "s/t/c.jpg"]),
        (["s", ""], ["s/b.jpg", "s/t/c.jpg", "a.jpg"]),
        (["s/b.jpg", "", "s/b.jpg"], ["s/b.jpg", "a.jpg", "s/t/c.jpg"]),
        (["", "s/b.jpg", "s/notes.txt"], ["a.jpg", "s/b.jpg", "s/t/c.jpg", "s/notes.txt"]),
        (["s/*.jpg", ""], ["s/b.jpg", "a.jpg", "s/t/c.jpg"]),
        (["", "**/*.jpg"], ["a.jpg", "s/b.jpg", "s/t/c.jpg"]),
        (["s/t", "s"], ["t/c.jpg", "b.jpg"]),
    ],
)
def test_overlapping_inputs_give_a_file_once(tmp_path: Path, inputs: list[str], expected: list[str]) -> None:
    make(tmp_path, "a.jpg", "s/b.jpg", "s/t/c.jpg", "s/notes.txt")
    assert names(*(os.path.join(tmp_path, given) for given in inputs)) == expected


def test_a_folder_given_by_a_link_overlaps_with_the_folder(tmp_path: Path) -> None:
    make(tmp_path, "real/a.jpg")
    (tmp_path / "link").symlink_to("real")
    assert names(tmp_path / "real", tmp_path / "link") == ["real/a.jpg"]
    assert names(tmp_path / "link") == ["a.jpg"]


def test_hidden_photographs_are_not_lost_to_an_overlap(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", ".hidden/b.jpg")
    assert names(tmp_path, tmp_path / ".hidden", tmp_path / ".hidden/b.jpg") == ["a.jpg", ".hidden/b.jpg"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["a.jpg"]),
        ("**/*.jpg", ["a.jpg", "s/b.jpg", "s/t/c.jpg"]),
        ("**", ["a.jpg", "s/b.jpg", "s/d.png", "s/t/c.jpg"]),
        ("s/?.jpg", ["b.jpg"]),
        ("s/[cd].*", ["d.png"]),
        ("*/t/*", ["s/t/c.jpg"]),
        ("**/t/**/*.jpg", ["s/t/c.jpg"]),
        ("s/**/**/c.jpg", ["t/c.jpg"]),
        ("s*", ["s/b.jpg", "s/d.png", "s/t/c.jpg"]),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    make(tmp_path, "a.jpg", "s/b.jpg", "s/d.png", "s/t/c.jpg", "s/x.txt")
    assert names(os.path.join(tmp_path, pattern)) == expected


def test_a_folder_with_brackets_in_its_name_is_no_pattern(tmp_path: Path) -> None:
    make(tmp_path, "trip[1]/a.jpg", "trip1/b.jpg")
    assert names(tmp_path / "trip[1]") == ["a.jpg"]
    assert names(tmp_path / "trip[1]" / "*.jpg") == ["a.jpg"]


def test_a_folder_deeper_down_that_is_called_like_a_pattern_is_found(tmp_path: Path) -> None:
    make(tmp_path, "x/trip [1-3]/a.jpg", "x/trip 2/b.jpg", "x/trip 7/c.jpg")
    assert names(tmp_path / "x/trip [1-3]/*.jpg") == ["a.jpg"]
    assert names(tmp_path / "*/trip [1-3]/*.jpg") == ["x/trip 2/b.jpg", "x/trip [1-3]/a.jpg"]
    assert names(tmp_path / "**/trip [1-3]") == ["x/trip 2/b.jpg", "x/trip [1-3]/a.jpg"]


def test_names_that_differ_little_stay_apart(tmp_path: Path) -> None:
    found = ["A.JPG", "a.JPG", "a.jpg", "a.jpg.jpg", "a.png", "cafe\u0301.jpg", "caf\u00e9.jpg"]
    make(tmp_path, *found)
    assert names(tmp_path) == found


def test_names_that_are_not_utf8_pass_through(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    open(raw, "wb").close()
    [source] = find_sources([str(tmp_path)], None)
    assert os.fsencode(source.path) == raw
    assert source.file_name == r"caf\xE9.jpg"


@pytest.mark.parametrize(
    "data",
    [b"a.jpg\ns/b.jpg\n", b"a.jpg\ns/b.jpg", b"a.jpg\0s/b.jpg\0", b"a.jpg\0s/b.jpg", b"a.jpg\r\n\r\ns/b.jpg\r\n"],
)
def test_a_list_on_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    assert names("-", stdin=data) == ["a.jpg", "s/b.jpg"]


def test_listed_names_are_relative_to_the_working_directory_or_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    inside, outside = tmp_path / "work/x/../a.jpg", tmp_path / "b.jpg"
    listed = names("-", stdin=f"{inside}\n../b.jpg\n{outside}\ncaf".encode() + b"\xe9.jpg")
    assert listed == ["a.jpg", str(outside)[1:], str(outside)[1:], r"caf\xE9.jpg"]


def test_a_list_with_newlines_in_names_needs_nul(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert names("-", stdin=b"two\nlines.jpg\0b.jpg\0") == ["two\nlines.jpg", "b.jpg"]


def test_a_list_longer_than_one_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = [f"folder/{number:06}.jpg" for number in range(20_000)]
    assert names("-", stdin="\n".join(expected).encode()) == expected
    assert names("-", stdin="\0".join(expected).encode()) == expected


def test_a_list_beside_a_folder_names_both_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "photos/x.jpg")
    monkeypatch.chdir(tmp_path)
    assert names("photos", "-", stdin=b"x.jpg\n") == ["photos/x.jpg", "x.jpg"]


def test_finding_is_lazy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, *(f"{number:02}/a.jpg" for number in range(20)))
    listed: list[str] = []
    scan = os.scandir

    def counting(folder: str) -> object:
        listed.append(folder)
        return scan(folder)

    found: Iterator[object] = find_sources([str(tmp_path)], None)
    monkeypatch.setattr(os, "scandir", counting)
    next(found)
    assert len(listed) == 2


def test_stdin_is_read_as_it_comes() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin, os.fdopen(writing, "wb", buffering=0) as feed:
        found = find_sources(["-"], stdin)
        feed.write(b"a.jpg\nb.jp")
        assert next(found).path == Path("a.jpg")
        feed.write(b"g\n")
        assert next(found).path == Path("b.jpg")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("missing", "no such file or folder"),
        ("missing.jpg", "no such file or folder"),
        ("missing/*.jpg", "no such folder"),
        ("*.jpg", "no photograph matches"),
        ("empty", "jpg, jpeg, png, webp, bmp, tif, tiff, gif"),
    ],
)
def test_an_input_that_yields_nothing_is_an_error_at_once(tmp_path: Path, given: str, words: str) -> None:
    make(tmp_path, "empty/readme.txt", "full/a.jpg")
    with pytest.raises(UsageError, match=words) as caught:
        find_sources([str(tmp_path / "full"), str(tmp_path / given)], None)
    assert given in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_given_and_nothing_listed_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no photographs given"):
        find_sources([], None)
    with pytest.raises(UsageError, match="no such file"):
        find_sources([""], None)
    with pytest.raises(UsageError, match="stdin"):
        find_sources(["-"], None)
    with pytest.raises(UsageError, match="empty"):
        names("-", stdin=b"\n\n")


def _too_deep(folder: Path) -> str:
    """A folder below `folder` whose path is longer than the system takes, so that nobody can list it; its path."""
    here, below = os.getcwd(), ""
    os.chdir(folder)
    try:
        for _ in range(17):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)
            below = os.path.join(below, "d" * 250)
            if len(os.path.join(folder, below)) > 4096:
                break
    finally:
        os.chdir(here)
    return below


def test_a_folder_that_cannot_be_listed_fails_like_a_photograph(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "z.jpg")
    deep = _too_deep(tmp_path)
    sources = list(find_sources([str(tmp_path)], None))
    assert [source.file_name for source in sources] == ["a.jpg", deep, "z.jpg"]
    assert count_sources([str(tmp_path)]) == 3
    with pytest.raises(PhotographError, match="name too long"):
        decode(sources[1].path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_locked_folder_fails_like_a_photograph_and_at_the_top_at_once(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "locked/b.jpg")
    (tmp_path / "locked").chmod(0)
    assert names(tmp_path) == ["a.jpg", "locked"]
    with pytest.raises(PhotographError, match="can't list this folder: permission denied"):
        decode(tmp_path / "locked")
    with pytest.raises(UsageError, match="locked"):
        names(tmp_path / "locked")


HOSTILE = (
    "new\nline.jpg",
    "quote'\".jpg",
    "a\x1b[31mred.jpg",
    "[red]a.jpg",
    "A.jpg",
    "a.jpg",
    "\udcff\udce9.jpg",
    "back\\slash.jpg",
    r"caf\xE9.jpg",
    "caf\udce9.jpg",
)


def test_hostile_names_pass_through_folders_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, *HOSTILE)
    assert [from_text(name) for name in names(tmp_path)] == sorted(HOSTILE)
    monkeypatch.chdir(tmp_path)
    assert names("-", stdin=b"\0".join(map(os.fsencode, HOSTILE))) == list(map(to_text, HOSTILE))


@given(st.lists(st.sampled_from(["..", ".", "a", "b c", "", "...", "x.jpg"]), max_size=8).map("/".join))
def test_a_listed_name_never_leads_out_of_the_root(name: str) -> None:
    for given_name in (name, "/" + name):
        for found in names("-", stdin=given_name.encode() + b"\0x.jpg\0"):
            assert not found.startswith("/") and ".." not in found.split("/")


@given(
    st.text(st.characters(codec=None), max_size=20)
    | st.lists(st.sampled_from(["..", ".", "a", "/", "\0"])).map("/".join)
)
def test_what_is_inside_is_inside(name: str) -> None:
    try:
        path = inside(Path("/root/of/it"), name)
    except UsageError:
        return
    assert os.path.normpath(path).startswith("/root/of/it/")


def test_a_stream_without_names_is_no_list() -> None:
    with pytest.raises(UsageError, match="no list of photographs"):
        names("-", stdin=b"\xff" * 1_000_000)


def test_counting_agrees_with_finding(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "s/b.jpg", "s/c.txt")
    inputs = [str(tmp_path), str(tmp_path / "s")]
    assert count_sources(inputs) == len(names(*inputs)) == 2
    assert count_sources([*inputs, "-"]) is None
