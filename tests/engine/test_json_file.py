"""Faults of JSON files: each is one line that names the file."""

from __future__ import annotations

import gzip
import math
import os
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.json_file import parse_json, read_bytes, read_json, whole


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"{", "Expecting property name"),
        (b'{"a": 1} x', "Extra data"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b'{"a": "caf\xe9"}', r"byte 10 \(line 1\) is not utf-8: save it as UTF-8"),
        (b'{"a": 1,\n"b": "\xe9"}', r"byte 15 \(line 2\) is not utf-8"),
        (b'\xff\xfe{\0"', "is not utf-16"),
        (b'{"images": [], "images": [1]}', "the key 'images' stands twice in one object"),
        (b'[{"a": {"b": 1, "b": 2}}]', "the key 'b' stands twice"),
        (gzip.compress(b"{}", mtime=0), "packed with gzip: unpack it first"),
        (b"PK\x03\x04", "a zip archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"[" + b"9" * 5_000 + b"]", "4300 digits"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not"),
    ],
)
def test_what_is_no_json_is_said_in_a_line(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "answers.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=reason) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}: not JSON: ")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_fault(encoding: str) -> None:
    assert parse_json('{"a": "café"}'.encode(encoding)) == {"a": "café"}


def test_another_encoding_is_taken_where_it_is_known() -> None:
    assert parse_json(b'["\x93a\x94"]', encoding="cp1252") == ["“a”"]
    with pytest.raises(ValueError, match=r"byte 2 \(line 1\) is not (cp1252|charmap)"):
        parse_json(b'["\x81"]', encoding="cp1252")


def test_a_key_that_says_the_same_twice_is_no_fault() -> None:
    assert parse_json(b'{"a": [1], "b": 2, "a": [1]}') == {"a": [1], "b": 2}


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1), (1.0, 1), (-3.0, -3), (10**400, 10**400), (1e300, int(1e300))]
    + [(value, None) for value in (True, 1.5, "1", None, [1], math.nan, math.inf)],
)
def test_whole_numbers_may_be_written_with_a_point(value: Any, number: int | None) -> None:
    assert whole(value) == number


def test_numbers_that_are_not_finite_pass() -> None:
    nan, infinite = parse_json(b"[NaN, 1e999]")
    assert math.isnan(nan) and math.isinf(infinite)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "itself").symlink_to("itself")
    for name, reason in (
        ("nothing.json", "no such file"),
        (".", "a folder, not a file"),
        ("itself", "can't be read"),
        ("n" * 300, "can't be read"),
        ("nul\0.json", "can't be the name of a file"),
        ("half \ud800.json", "can't be the name of a file"),
    ):
        with pytest.raises(UsageError, match=reason) as caught:
            read_bytes(tmp_path / name)
        assert "\0" not in str(caught.value)
    with pytest.raises(UsageError, match="/dev/zero: a device, not a file"):
        read_bytes(Path("/dev/zero"))


def test_a_pipe_is_read(tmp_path: Path) -> None:
    source, sink = os.pipe()
    with os.fdopen(sink, "wb") as writing:
        writing.write(b"[1]")
    try:
        assert read_json(Path(f"/dev/fd/{source}")) == [1]
    finally:
        os.close(source)
