"""Reading a pickle of plain data without running what it says.

A pickle is a program: it may name any function and call it. Here it can name nothing, so all that it can make is
lists, tuples, dicts, sets, text, bytes, numbers, booleans and None.

Source: the `pickle` module, "Restricting Globals"; Python 2 wrote protocols 0 to 2, with text as bytes.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any, NoReturn

from engine.errors import UsageError
from trainer.data.formats.reading import read_bytes


class _Forbidden(Exception):
    pass


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise _Forbidden(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise _Forbidden("a persistent object")


def read_pickle(path: Path) -> Any:
    """The plain data in a pickle; text that Python 2 wrote is UTF-8, or Latin-1 where it is not that.

    Raises:
        UsageError: if the file is missing, is no pickle, or asks for anything else than plain data.
    """
    content = read_bytes(path)
    try:
        try:
            return _load(content, "utf-8")
        except UnicodeDecodeError:
            return _load(content, "latin-1")
    except _Forbidden as error:
        raise UsageError(f"{path}: refused, this pickle is not plain data: it asks for {error}") from None
    # A damaged pickle makes the unpickler raise nearly everything: EOFError, IndexError, ValueError, ...
    except Exception as error:
        raise UsageError(f"{path}: not a pickle, or damaged ({type(error).__name__})") from None


def _load(content: bytes, encoding: str) -> Any:
    return _PlainUnpickler(io.BytesIO(content), encoding=encoding).load()
