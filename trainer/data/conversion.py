"""`mglmm data convert`: the files of a data set become training records on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from engine.text.names import to_text
from engine.text.prompts import TEMPLATES
from trainer.data.formats import open_format
from trainer.data.formats.base import Skipped
from trainer.data.record import Record
from trainer.data.shards import Info, Skip, write_shards


def convert(
    name: str, source: Path, out: Path, *, template: str, tool: str, advance: Callable[[], None] = lambda: None
) -> Info:
    """Read a data set through its adapter and write it as training records.

    Args:
        name: of the adapter.
        source: its folder, photographs included.
        out: where the records go; must not be there or be empty.
        template: whose wordings the questions get.
        tool: name and version of this program.
        advance: called for each photograph.

    Raises:
        UsageError: if the source is not of this format, or `out` holds something.
        MglmmError: if nothing of it can be used.
    """
    form = open_format(name)
    skipped = Skipped()
    records = form.read(source, TEMPLATES[template].families, skipped)
    # As the user means it: a folder named from the root stays where it is when the records move.
    images = os.fspath(source) if source.is_absolute() else os.path.relpath(source, out)
    return write_shards(
        out,
        _counted(records, advance),
        format_name=name,
        template=template,
        images=to_text(images),
        tool=tool,
        skips=lambda: [Skip(*reason) for reason in skipped.reasons()],
        remarks=lambda: [Skip(*remark) for remark in skipped.remarks()],
    )


def _counted(records: Iterable[Record], advance: Callable[[], None]) -> Iterator[Record]:
    image = ""
    for record in records:
        if record.image != image:
            image = record.image
            advance()
        yield record
