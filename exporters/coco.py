"""COCO JSON: images, masks as annotations, and the captions that their phrases stand in."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO

from engine.atomic import replacing
from engine.journal import Index, RunInfo, dump
from exporters.labels.dataset import Choice, Dataset

Entries = list[dict[str, Any]]


def write_coco(journal: Index, out: Path, info: RunInfo, choice: Choice | None = None) -> None:
    """Write the photographs of a journal as COCO JSON; see `write_dataset`.

    Raises:
        MglmmError: if the journal has damaged lines.
        OSError: if `out` can't be written.
    """
    write_dataset(Dataset(journal, info, choice), out)


def write_dataset(dataset: Dataset, out: Path) -> None:
    """Write COCO JSON; `out` is replaced only when all is written.

    Beyond COCO's own keys, an annotation has `score` (of the mask), `name_score` (of the phrase, if it has words; not
    in journals of older versions), `phrase`, `span` in the caption, `caption_id`, `granularity`, `parent` (for a mask
    of a fine-grained answer, the annotation that it is about), `phrases` if it stands for several masks, `group` if
    it covers several things, and `attributes`, where tools look for what COCO has no key for. A caption has its
    `phrases` with the annotations that they mean. Failures are left out.

    Raises:
        OSError: if `out` can't be written.
    """
    with replacing(out) as file, TemporaryFile(dir=out.parent) as images, TemporaryFile(dir=out.parent) as captions:
        # All come from one reading; sections stand one behind the other.
        file.write(b'{"info":%b,\n"licenses":%b' % (dump(dataset.info), dump(dataset.licenses)))
        _write_section(file, "categories", ([entry] for entry in dataset.categories))
        _write_section(file, "annotations", _annotations(dataset, images, captions))
        for name, entries in (("images", images), ("captions", captions)):
            file.write(b',\n"%b":[' % name.encode())
            entries.seek(0)
            shutil.copyfileobj(entries, file)
            file.write(b"]")
        file.write(b"}\n")


def _write_section(file: BinaryIO, name: str, groups: Iterable[Entries]) -> None:
    """The entries of each group on a line of their own."""
    file.write(b',\n"%b":[' % name.encode())
    _write_lines(file, groups)
    file.write(b"]")


def _write_lines(file: BinaryIO | IO[bytes], groups: Iterable[Entries]) -> None:
    before = b"\n"
    for entries in groups:
        if entries:
            file.write(before + dump(entries)[1:-1])
            before = b",\n"


def _annotations(dataset: Dataset, images: IO[bytes], captions: IO[bytes]) -> Iterator[Entries]:
    """The masks of each photograph; its own entry and its captions are written aside."""
    for photo in dataset.photographs():
        for file, entries in ((images, [photo.image]), (captions, photo.captions)):
            if entries:
                file.write((b",\n" if file.tell() else b"\n") + dump(entries)[1:-1])
        yield photo.annotations
