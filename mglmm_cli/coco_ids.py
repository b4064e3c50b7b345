"""Whether the ids of a COCO JSON go together with those that an output folder has given."""

from __future__ import annotations

from pathlib import Path

from engine.errors import UsageError
from engine.images.coco_list import CocoList
from engine.journal import Index, is_number
from engine.text.names import to_text

_ELSE = "another output folder, or --fresh, which starts over"


def largest_id(listed: CocoList) -> int:
    """The largest id of a list that can be a photograph's number, so that others get larger ones; 0 without any."""
    return max((image["id"] for image in listed.images if is_number(image["id"])), default=0)


def check_ids(listed: CocoList, index: Index, folder: Path) -> None:
    """Check that no photograph gets another id, and no id another photograph.

    Raises:
        UsageError: naming the first one.
    """
    ids = {to_text(image["file_name"]): image["id"] for image in listed.images}
    names = {number: name for name, number in ids.items()}
    text = isinstance(listed.images[0]["id"], str)
    for name, number, known in index.known():
        wanted = ids.get(name, known)
        # One that is not done yet has no id but its number.
        has = known if known is not None else number if is_number(wanted) else wanted
        if has != wanted and wanted is not None:
            raise UsageError(f"{folder}: {name} has id {has!r} there, and {wanted!r} in {listed.path}: {_ELSE}")
        if known is not None and isinstance(known, str) != text:
            one = next(iter(names))
            raise UsageError(f"{folder} has ids such as {known!r}, {listed.path} such as {one!r}: {_ELSE}")
        for taken in (number, known):
            if names.get(taken, name) != name:
                raise UsageError(
                    f"{folder}: {taken!r} is the id of {name} there, and of {names[taken]} in {listed.path}: {_ELSE}"
                )
    for entry in listed.licenses:
        if any(entry.get("id") == other.get("id") and entry != other for other in index.licenses):
            raise UsageError(f"{folder} has another licence {entry.get('id')!r} than {listed.path}: {_ELSE}")
