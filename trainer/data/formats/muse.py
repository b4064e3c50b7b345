"""`muse`: MUSE, questions over COCO photographs that need reasoning about several objects (PixelLM).

    MUSE_train.json (muse_train.json in some copies)
    train2014/, train2017/, val2017/    COCO's photographs

The file is a list with an entry per photograph:

    {"file_name": "COCO_train2014_1.jpg" or "coco_url": ".../train2017/1.jpg", "height", "width",
     "questions": ["..."], "text_answers": ["Use the ladder {seg} ..." or null, ...],
     "answers": [[{"category_name", "rephrased_name", "segmentation": polygons or run lengths}, ...], ...]}

A `{seg}` stands behind the name of its object; doubled braces and `</s>` are left-overs. Where a text is missing, the
answer is the list of the objects' names. `file_name` is of train2014. As in MGLMM, answers are left out in which a
`{seg}` has no name right before it, and questions about coordinates.

Source: https://github.com/MaverickRen/PixelLM
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from engine.records import RLE
from engine.text.prompts import Families, Task
from trainer.data.formats.asking import Questions, Target, left_to_right, listed
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import first_of
from trainer.data.formats.photographs import Photograph, Photographs
from trainer.data.formats.polygons import Note
from trainer.data.formats.reading import coco_to_rle, field, integer, json_list, skipping, texts, visible
from trainer.data.record import Record

_SEG = "{seg}"
_JOINER = re.compile(r"(?:\s|,|;|&|\band\b)*")
_COORDINATES = re.compile(r"\[[^\]]*\d")
_NEAR = 5
"""A name belongs to a `{seg}` with at most so many characters between: an ending, a bracket."""


@dataclass(frozen=True, slots=True)
class _Thing:
    """A target: what it may be called, the fullest name first and the name of its kind last."""

    names: tuple[str, ...]
    mask: RLE


def _read(source: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    file = first_of(source, "MUSE_train.json", "muse_train.json")
    questions, photographs = Questions(families, skipped), Photographs(source, skipped)
    for place, entry in enumerate(json_list(source / file)):
        where = f"{file}: entry {place}"
        with skipping(skipped, where):
            size = integer(entry, "height"), integer(entry, "width")
            photograph = photographs.find("", image_of(entry), where, size=size)
            if photograph:
                yield from _ask(photograph, entry, where, questions, skipped)


def image_of(entry: Any) -> str:
    """The photograph of an entry, below the folder that holds those of COCO.

    Raises:
        ValueError: if the entry names none.
    """
    if "file_name" in entry:
        return f"train2014/{field(entry, 'file_name', str)}"
    folder, _, name = field(entry, "coco_url", str).rpartition("/")
    return f"{'train2017' if folder.endswith('train2017') else 'val2017'}/{name}"


def _ask(photograph: Photograph, entry: Any, where: str, questions: Questions, skipped: Skipped) -> Iterator[Record]:
    asked, answers = texts(entry, "questions"), field(entry, "answers", list)
    told = field(entry, "text_answers", list) if entry.get("text_answers") else []
    for index, (question, answer, text) in enumerate(zip_longest(asked, answers, told)):
        at = f"{where}: question {index}"
        with skipping(skipped, at):
            if not question or not isinstance(answer, list) or not answer:
                raise ValueError("a question without an answer")
            if _COORDINATES.search(question):
                raise ValueError("a question with coordinates")
            things = [_thing(photograph, stored, partial(skipped.remark, at)) for stored in answer]
            parts = _explained(str(text), things) if text else _listed(things)
            yield from questions.ask(photograph, Task.REASONING, parts, source=at, label=question)


def _thing(photograph: Photograph, stored: Any, note: Note) -> _Thing:
    kind = field(stored, "category_name", str).replace("_", " ").partition("(")[0].strip()
    if not kind:
        raise ValueError("an object without a name")
    rephrased = str(stored.get("rephrased_name") or "").strip().strip(".")
    mask = visible(coco_to_rle(field(stored, "segmentation", object), photograph.height, photograph.width, note))
    return _Thing((rephrased, kind) if rephrased else (kind,), mask)


def _listed(things: Sequence[_Thing]) -> list[str | Target]:
    """An answer that names the targets; equal names are one phrase."""
    groups: dict[str, list[RLE]] = {}
    for thing in things:
        groups.setdefault(thing.names[0], []).append(thing.mask)
    return [*listed([Target(name, left_to_right(masks)) for name, masks in groups.items()], "and"), "."]


def _explained(text: str, things: Sequence[_Thing]) -> list[str | Target]:
    """A text answer: every `{seg}` goes to the name before it, neighbours to one name."""
    text = text.replace("{{", "{").replace("}}", "}").replace("</s>", "").strip()
    *pieces, rest = text.split(_SEG)
    if len(pieces) != len(things):
        raise ValueError("an answer whose {seg} count is not its mask count")
    groups: list[tuple[str, list[_Thing]]] = []
    for piece, thing in zip(pieces, things, strict=True):
        if groups and _JOINER.fullmatch(piece):
            groups[-1][1].append(thing)
        else:
            groups.append((piece, [thing]))
    parts: list[str | Target] = []
    closing = ""  # what closes a bracket around the last {seg}
    for piece, group in groups:
        before, phrase, behind = _split(piece.removeprefix(closing), group)
        parts += [before, Target(phrase, tuple(thing.mask for thing in group))]
        closing = ")" if "(" in behind else ""
    return [*parts, rest.removeprefix(closing)]


def _split(piece: str, group: Sequence[_Thing]) -> tuple[str, str, str]:
    """The text before the name, the name with its ending, and what is between it and the `{seg}`."""
    if len({thing.names[-1] for thing in group}) > 1:
        raise ValueError("several kinds of objects behind one name")
    for name in group[0].names:
        words = re.escape(name).replace(r"\ ", "[ _]")
        found = list(re.finditer(rf"(?<!\w){words}\w*", piece, re.IGNORECASE))
        if found and len(piece) - found[-1].start() - len(name) <= _NEAR:
            last = found[-1]
            return piece[: last.start()], last.group().replace("_", " "), piece[last.end() :]
    raise ValueError("a {seg} whose object is not named before it")


FORMATS: tuple[Format, ...] = (
    Format(
        name="muse",
        link="https://github.com/MaverickRen/PixelLM",
        layout="MUSE_train.json; train2014/, train2017/ and val2017/ of COCO",
        tasks=(Task.REASONING,),
        read=_read,
    ),
)
