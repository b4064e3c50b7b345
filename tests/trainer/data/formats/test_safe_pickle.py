"""Pickles of plain data are read; any other is refused before anything in it runs."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from trainer.data.formats.safe_pickle import read_pickle

PLAIN = [{"ref_id": 1, "sents": ("a", "b"), "box": [1.5, -2, 10**20], "none": None, "yes": True, "set": {1}, "b": b"x"}]


class _Runs:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_of_every_protocol_comes_back(tmp_path: Path, protocol: int) -> None:
    # Up to protocol 3, sets and (below 3) bytes are written as calls of functions.
    plain = PLAIN if protocol > 3 else [{k: v for k, v in PLAIN[0].items() if k not in ("set", "b")}]
    (tmp_path / "a.p").write_bytes(pickle.dumps(plain, protocol))
    assert read_pickle(tmp_path / "a.p") == plain


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_call_is_refused_and_not_made(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "it-ran"
    content = pickle.dumps([{"ref_id": _Runs(os.system, f"touch {trace}")}], protocol)
    (tmp_path / "refs(unc).p").write_bytes(content)
    with pytest.raises(UsageError, match=r"refs\(unc\)\.p: refused, .*asks for (posix|nt)\.system") as caught:
        read_pickle(tmp_path / "refs(unc).p")
    assert "\n" not in str(caught.value) and not trace.exists()
    pickle.loads(content)  # the same bytes do run where nothing refuses
    assert trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",  # GLOBAL and REDUCE
        b"(S'1'\nibuiltins\neval\n.",  # INST
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.",  # STACK_GLOBAL
        b"\x80\x02\x82\x01.",  # EXT1, a registered extension
        b"Pname\n.",  # PERSID
    ],
)
def test_every_way_to_name_something_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.p").write_bytes(content)
    with pytest.raises(UsageError, match=r"a\.p: (refused|not a pickle)"):
        read_pickle(tmp_path / "a.p")


def test_text_of_python_2_is_utf_8_or_else_latin_1(tmp_path: Path) -> None:
    for text, said in (("café", "utf-8"), ("naïve", "latin-1")):
        raw = text.encode(said)
        (tmp_path / "a.p").write_bytes(b"\x80\x02]U" + bytes([len(raw)]) + raw + b"a.")
        assert read_pickle(tmp_path / "a.p") == [text]


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x02]", pickle.dumps(PLAIN)[:-9], b"\x80\xff."])
def test_what_is_no_pickle_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.p").write_bytes(content)
    with pytest.raises(UsageError, match=r"a\.p: not a pickle, or damaged") as caught:
        read_pickle(tmp_path / "a.p")
    assert "\n" not in str(caught.value)


def test_a_missing_pickle_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.p: no such file"):
        read_pickle(tmp_path / "a.p")
