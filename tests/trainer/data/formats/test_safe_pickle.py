"""Pickles of plain data are read; any other is refused before anything in it runs."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
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
        # Protocol 0 writes it as Python would.
        (tmp_path / "a.p").write_bytes(b"(lS" + repr(raw)[1:].encode() + b"\na.")
        assert read_pickle(tmp_path / "a.p") == [text]


def test_texts_of_one_pickle_may_be_in_both(tmp_path: Path) -> None:
    (tmp_path / "a.p").write_bytes(b"(lS'caf\\xc3\\xa9'\naS'na\\xefve'\na.")
    assert read_pickle(tmp_path / "a.p") == ["café", "naïve"]


NUMBERS = [
    np.int64(7),
    np.int32(-7),
    np.uint8(200),
    np.float32(0.5),
    np.float64(1e300),
    np.bool_(True),
    np.int64(2**62),
]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("package", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_numbers_of_numpy_are_numbers(tmp_path: Path, protocol: int, package: bytes) -> None:
    content = pickle.dumps({"ids": [*NUMBERS, np.dtype(">i2").type(3)]}, protocol)
    if protocol < 4:  # above, the length of a name is written in front of it
        content = content.replace(b"numpy._core.multiarray", package)
    (tmp_path / "a.p").write_bytes(content)
    ids = read_pickle(tmp_path / "a.p")["ids"]
    assert ids == [7, -7, 200, 0.5, 1e300, True, 2**62, 3]
    assert [type(value) for value in ids] == [int, int, int, float, float, bool, int, int]


def test_a_number_in_the_other_byte_order(tmp_path: Path) -> None:
    dtype = b"cnumpy\ndtype\n(S'i4'\nI0\nI1\ntR(I3\nS'>'\nNNNI-1\nI-1\nI0\ntb"
    number = b"S'\\x00\\x00\\x01\\x00'\n"
    (tmp_path / "a.p").write_bytes(b"cnumpy.core.multiarray\nscalar\n(" + dtype + number + b"tR.")
    assert read_pickle(tmp_path / "a.p") == 256


def test_ordered_dicts_are_dicts(tmp_path: Path) -> None:
    (tmp_path / "a.p").write_bytes(pickle.dumps(OrderedDict(a=1, b=[2]), 2))
    assert read_pickle(tmp_path / "a.p") == {"a": 1, "b": [2]}


@pytest.mark.parametrize(
    "value", [np.arange(3), np.datetime64("2020-01-01"), np.str_("a"), np.zeros((), [("a", "i4")])[()], Path("a")]
)
def test_other_objects_are_refused_with_what_to_do(tmp_path: Path, value: Any) -> None:
    (tmp_path / "a.p").write_bytes(pickle.dumps([value], 2))
    with pytest.raises(UsageError, match=r"a\.p: refused, .*asks for .*; save it again with plain lists") as caught:
        read_pickle(tmp_path / "a.p")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\nS'abc'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(I1\nI2\ntR.",
        b"cnumpy\ndtype\n(S'i4'\ntR(I3\nS'!'\ntbS'x'\n0.",
        b"c_codecs\nencode\n(Vabc\nVrot13\ntR.",
        b"cnumpy\ndtype\n)R.",
    ],
)
def test_what_numpy_would_not_write_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.p").write_bytes(content)
    try:
        found = read_pickle(tmp_path / "a.p")
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert not isinstance(found, np.dtype)


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x02]", pickle.dumps(PLAIN)[:-9], b"\x80\xff."])
def test_what_is_no_pickle_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.p").write_bytes(content)
    with pytest.raises(UsageError, match=r"a\.p: not a pickle, or damaged") as caught:
        read_pickle(tmp_path / "a.p")
    assert "\n" not in str(caught.value)


def test_a_missing_pickle_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.p: no such file"):
        read_pickle(tmp_path / "a.p")
