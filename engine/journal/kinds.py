"""What a line of a journal says, once its checksum is right; the one place that knows the kinds of lines.

A newer version may write kinds and shapes that are not known here. They are `Unknown`, and stay in the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from engine.journal.content import Fingerprint
from engine.journal.form import is_photograph
from engine.journal.lines import load
from engine.journal.numbers import is_number
from engine.journal.run import VERSION, Start
from engine.text.names import renewed

PHOTO = b',"photo":'
"""Between what the journal notes and the public form. No text of JSON holds it, as quotes in it are escaped."""
DONE, FAILED = "done", "failed"
_NAME = b'"name":'
_FIRST_KEY = re.compile(rb'"([^"\\]{1,40})')
_LARGEST = 1 << 62
_OTHER = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
"""Raised by what lacks a key, or is of another type or length."""


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph was done, or could not be.

    Attributes:
        name: to find it by.
        at: its place in the order of the inputs.
        known: what its file held.
        done: it was answered.
        identity: of the run (see `RunInfo.identity`); empty in lines that are older than that.
        time: when it was done, in milliseconds since 1970; 0 in lines that are older than that.
        text: its public form, as JSON.
        number: its own (see `engine.journal.numbers`); None in lines that are older than that.
    """

    name: str
    at: int
    known: Fingerprint
    done: bool
    identity: str
    time: int
    text: bytes
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A photograph was listed, and got its number."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A run begins, or goes on.

    Attributes:
        start: what it is.
        offset: for a line that repeats another one, where that begins.
    """

    start: Start
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """Damaged lines whose photographs were done again: by number from 1, and by where they begin.

    Attributes:
        numbers: of the lines.
        offsets: of the same lines; empty in lines that are older than that.
    """

    numbers: frozenset[int]
    offsets: frozenset[int]


@dataclass(frozen=True, slots=True)
class Finished:
    """All inputs were gone through."""

    at: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """A run of a version whose lines mean something else."""

    version: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A line that this version can't read; `kind` is its first key."""

    kind: str


Line = Photograph | Seen | Begun | Known | Finished | Foreign | Unknown


def read(rest: bytes) -> Line:
    """What a line says.

    Args:
        rest: as `lines.unseal` gives it.
    """
    try:
        if not rest.startswith(_NAME):
            return _note(load(b"{" + rest))
        if PHOTO not in rest:
            return _seen(load(b"{" + rest))
        if (found := photograph(rest)) and _is_answered(load(found.text), found.done):
            return found
    except _OTHER:
        pass
    first = _FIRST_KEY.match(rest)
    return Unknown(first[1].decode("ascii", "replace") if first else "")


def photograph(rest: bytes) -> Photograph | None:
    """What a photograph's line says, without a look at its public form; None if it is none."""
    head_text, _, text = rest.partition(PHOTO)
    try:
        head = load(b"{%b}" % head_text)
        name, at, state = renewed(head["name"]), head["at"], head["state"]
        content, stamp, identity = head["content"], head["stamp"], head.get("of", "")
        time, number = head.get("time", 0), head.get("number")
        right = type(name) is type(content) is type(stamp) is type(identity) is str and type(at) is type(time) is int
        right = right and (number is None or is_number(number))
        if not (right and abs(at) < _LARGEST and state in (DONE, FAILED)):
            return None
    except _OTHER:
        return None
    return Photograph(name, at, Fingerprint(content, stamp), state == DONE, identity, time, text[:-1], number)


def _is_answered(form: Any, done: bool) -> bool:
    return is_photograph(form) and ("failure" not in form) == done


def _seen(value: dict[str, Any]) -> Seen:
    if not (isinstance(value["name"], str) and is_number(value["number"])):
        raise TypeError("not a photograph's number")
    return Seen(renewed(value["name"]), value["number"])


def _note(value: dict[str, Any]) -> Line:
    """A line that is not a photograph's."""
    if "run" in value:
        version = value["run"]["version"]
        if type(version) is int and version != VERSION:
            return Foreign(version)
        offset = value.get("again")
        if type(version) is not int or not (offset is None or type(offset) is int):
            raise TypeError("not what a run is described by")
        return Begun(Start.from_json(value), offset)
    if "damaged" in value:
        return Known(_numbers(value["damaged"]), _numbers(value.get("offsets", [])))
    if not isinstance(value["finished"], str):
        raise TypeError("not a time")
    return Finished(value["finished"])


def _numbers(values: list[Any]) -> frozenset[int]:
    if not (isinstance(values, list) and all(type(value) is int for value in values)):
        raise TypeError("not a list of numbers")
    return frozenset(values)
