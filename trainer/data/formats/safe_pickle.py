"""Reading a pickle of plain data without running what it says.

A pickle is a program: it may name any function and call it. Here it can name nothing but the numbers of numpy, which
are made here, so all that it can make is lists, tuples, dicts, sets, text, bytes, numbers, booleans and None.

Source: the `pickle` module, "Restricting Globals"; Python 2 wrote protocols 0 to 2, with text as bytes.
"""

from __future__ import annotations

import codecs
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UsageError
from engine.json_file import read_bytes

_PYTHON_2 = "mglmm-python-2-text"
_NUMBERS = frozenset("biuf")


class _Forbidden(Exception):
    pass


class _Dtype:
    """What numpy pickles for the type of a number: its code, and then its byte order."""

    def __init__(self, code: Any, *_: Any) -> None:
        self._code, self._order = str(code), "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._order = str(state[1])

    def number(self, content: bytes | str) -> Any:
        """The plain number that bytes are."""
        dtype = np.dtype(self._order + self._code)
        if dtype.kind not in _NUMBERS:
            raise _Forbidden(f"numpy values of type {dtype}")
        raw = content.encode("latin-1") if isinstance(content, str) else content
        (value,) = np.frombuffer(raw, dtype).tolist()
        return value


def _scalar(dtype: _Dtype, content: bytes | str) -> Any:
    return dtype.number(content)


def _bytes(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes for Python 2."""
    if encoding != "latin1":
        raise _Forbidden(f"the encoding {encoding}")
    return text.encode("latin-1")


_KNOWN = {
    ("_codecs", "encode"): _bytes,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("collections", "OrderedDict"): dict,
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise _Forbidden(f"{module}.{name}")
        return _KNOWN[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise _Forbidden("a persistent object")


def read_pickle(path: Path) -> Any:
    """The plain data in a pickle; text that Python 2 wrote is UTF-8, or Latin-1 where it is not that.

    Raises:
        UsageError: if the file is missing, is no pickle, or asks for anything else than plain data.
    """
    content = read_bytes(path)
    try:
        return _PlainUnpickler(io.BytesIO(content), encoding="utf-8", errors=_PYTHON_2).load()
    except _Forbidden as error:
        way = "save it again with plain lists, dicts, numbers and text"
        raise UsageError(f"{path}: refused, this pickle is not plain data: it asks for {error}; {way}") from None
    # A damaged pickle makes the unpickler raise nearly everything: EOFError, IndexError, ValueError, ...
    except Exception as error:
        raise UsageError(f"{path}: not a pickle, or damaged ({type(error).__name__})") from None


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error(_PYTHON_2, _as_latin_1)
