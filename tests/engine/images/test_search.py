"""What a search takes for a photograph, what it passes over and says so, and where it does not look."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.images.formats import kinds
from engine.images.sources import count_sources, find_sources, say_left_out
from tests.engine.images.made import encoded, make, names, scene


@pytest.fixture(autouse=True)
def without_heic(monkeypatch: pytest.MonkeyPatch) -> None:
    """HEIC is read where the extra is installed; here it is not."""
    monkeypatch.setattr(kinds, "HEIF", False)
    plain = tuple(suffix for suffix in kinds.SUFFIXES if suffix not in (".heic", ".heif"))
    monkeypatch.setattr(kinds, "SUFFIXES", plain)


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


def left_out(*inputs: object, out: Path | None = None) -> dict[str, int]:
    sources = find_sources([str(given) for given in inputs], None, out)
    for _ in sources:
        pass
    return dict(sources.left_out)


def test_a_photograph_of_another_name_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    for kind, name in (
        ("JPEG", "IMG_1.HEIC"),
        ("JPEG", "IMG_2"),
        ("PNG", "IMG_3.dat"),
        ("TIFF", "IMG_4"),
        ("WEBP", "2024.05.31"),
        ("BMP", "e.photo"),
    ):
        put(tmp_path / name, encoded(scene(), kind))
    assert names(tmp_path) == ["2024.05.31", "IMG_1.HEIC", "IMG_2", "IMG_3.dat", "IMG_4", "e.photo"]
    assert names(tmp_path / "*") == names(tmp_path)
    assert names(tmp_path / "*.HEIC") == ["IMG_1.HEIC"]
    assert names(tmp_path, tmp_path / "IMG_2", tmp_path / "*.dat") == names(tmp_path)
    assert left_out(tmp_path) == {}


def test_what_is_passed_over_is_counted_by_its_kind(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", b"whatever it holds")
    put(tmp_path / "s/b.jpg", b"")
    for name, content in (
        ("b.heic", HEIC),
        ("s/c.HEIC", HEIC),
        ("d.mp4", encoded(scene(), "JPEG")),
        ("e.NEF", encoded(scene(), "TIFF")),
        ("f", b"words"),
        ("g.jpg~", encoded(scene(), "JPEG")),
        ("empty.dat", b""),
    ):
        put(tmp_path / name, content)
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to("nowhere")
    found = {"heic": 2, "mp4": 1, "nef": 1, "without ending": 1, "of another ending": 1, "dat": 1, "special file": 1}
    assert names(tmp_path) == ["a.jpg", "s/b.jpg"] and left_out(tmp_path) == found
    # Once, however often it is met; and not at all if it is taken.
    assert left_out(tmp_path, tmp_path / "s", tmp_path / "**", tmp_path / "s/c.HEIC") == found | {"heic": 1}
    assert left_out(tmp_path / "*.jpg") == {"special file": 1}
    assert say_left_out(left_out(tmp_path)) == (
        "8 files left out: 2 heic, 1 mp4, 1 nef, 1 dat, 1 without ending, 1 of another ending, 1 of other kinds"
    )


def test_left_out_files_in_words() -> None:
    assert say_left_out({}) == ""
    assert say_left_out({"heic": 1}) == "1 file left out: 1 heic"
    assert say_left_out({"mp4": 1, "heic": 2}) == "3 files left out: 2 heic, 1 mp4"
    many = {f"a{number}": 1 for number in range(9)}
    assert say_left_out(many).endswith("a5, 3 of other kinds") and say_left_out(many).startswith("9 files")


def test_what_systems_keep_beside_photographs_is_left_alone(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "._a.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", ".thumbnails/a.jpg")
    make(tmp_path, "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", "__MACOSX/b.jpg", "$RECYCLE.BIN/c.jpg", "#recycle/d.jpg")
    assert names(tmp_path) == ["a.jpg"] and left_out(tmp_path) == {}
    assert names(tmp_path / "#recycle") == ["d.jpg"]
    assert names(tmp_path, tmp_path / "#recycle/d.jpg", tmp_path / "._a.jpg") == ["a.jpg", "#recycle/d.jpg", "._a.jpg"]


def test_special_files_are_never_opened(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    for name in ("pipe.jpg", "pipe", "pipe.heic"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "tty").symlink_to("/dev/tty")
    assert names(tmp_path) == ["a.jpg"] and left_out(tmp_path) == {"special file": 2}
    assert names(tmp_path, tmp_path / "pipe", tmp_path / "pipe.jpg") == ["a.jpg", "pipe", "pipe.jpg"]


def test_nothing_is_taken_from_the_output_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "p/a.jpg", "p/s/b.jpg", "p/out/overlays/a.jpg.jpg", "p/out/segcap.json", "p/output/c.jpg")
    out = tmp_path / "p/out"
    (tmp_path / "p/link").symlink_to("out/overlays")
    (tmp_path / "p/one.jpg").symlink_to("out/overlays/a.jpg.jpg")
    (tmp_path / "shown").symlink_to("p/out")
    found = ["a.jpg", "output/c.jpg", "s/b.jpg"]
    for folder in (out, tmp_path / "shown", Path("p/../p/out")):
        assert [source.file_name for source in find_sources(["p"], None, folder)] == found
        assert [source.file_name for source in find_sources(["p/**/*.jpg"], None, folder)] == found
        assert count_sources(["p"], folder) == 3
        assert left_out("p", out=folder) == {}
        for one in ("p/out", "p/out/overlays", "p/out/overlays/a.jpg.jpg", "p/one.jpg", "shown/*", "p/link"):
            with pytest.raises(UsageError, match="in the output folder") as caught:
                find_sources(["p", one], None, folder)
            assert one in str(caught.value)
        listed = find_sources(["-"], io.BytesIO(b"p/a.jpg\np/out/overlays/a.jpg.jpg\np/one.jpg\n"), folder)
        assert [source.file_name for source in listed] == ["p/a.jpg"]
        assert say_left_out(listed.left_out) == "2 files left out: 2 in the output folder"
    with pytest.raises(UsageError, match="no photograph matches"):
        find_sources(["p/out*/o*/*"], None, out)
    # It need not be there yet.
    assert [source.file_name for source in find_sources(["p/s"], None, tmp_path / "p/s/later")] == ["b.jpg"]


def test_a_folder_without_photographs_says_what_it_holds(tmp_path: Path) -> None:
    put(tmp_path / "a.heic", HEIC)
    put(tmp_path / "b.mp4", b"")
    with pytest.raises(UsageError, match=r"no photographs in this folder \(2 files left out: 1 heic, 1 mp4\)"):
        find_sources([str(tmp_path)], None)


def test_link_loops_end_and_bring_nothing_twice(tmp_path: Path) -> None:
    make(tmp_path, "p/a.jpg", "p/s/b.jpg", "outside/c.jpg", "outside/.store/e.jpg")
    (tmp_path / "p/s/up").symlink_to("..")
    (tmp_path / "p/s/self").symlink_to("self")
    (tmp_path / "p/across").symlink_to("s")
    (tmp_path / "p/out").symlink_to(tmp_path / "outside")
    (tmp_path / "p/out2").symlink_to(tmp_path / "outside")
    (tmp_path / "outside/back").symlink_to(tmp_path / "p")
    assert names(tmp_path / "p") == ["a.jpg", "out/c.jpg", "s/b.jpg"]
    assert set(names(tmp_path / "p" / "**" / "*.jpg")) == {"a.jpg", "out/c.jpg", "s/b.jpg"}


def test_a_link_that_a_pattern_names_is_followed(tmp_path: Path) -> None:
    make(tmp_path, "p/a.jpg", "p/s/b.jpg")
    (tmp_path / "p/shown").symlink_to("s")
    assert names(tmp_path / "p/shown/*.jpg") == ["b.jpg"]
    assert names(tmp_path / "p/sh*/*.jpg") == ["shown/b.jpg"]
    assert names(tmp_path / "p/**/shown/*.jpg") == ["shown/b.jpg"]


def test_a_link_to_a_hidden_folder_of_the_same_tree_is_followed(tmp_path: Path) -> None:
    make(tmp_path, ".store/a.jpg")
    (tmp_path / "shown").symlink_to(".store")
    assert names(tmp_path) == ["shown/a.jpg"]


def test_a_dangling_link_is_reported_not_skipped_and_a_pipe_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert names(tmp_path) == ["gone.jpg"]
