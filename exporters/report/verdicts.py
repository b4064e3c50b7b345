"""What people marked in the page, read back: JSON-lines, one for each mask or photograph that was marked.

    {"file_name":"b.jpg","annotation_id":17,"segcap":0,"seg":2,"phrase":"a cup","verdict":"wrong","note":""}
    {"file_name":"c.jpg","annotation_id":null,"segcap":null,"seg":null,"phrase":null,"verdict":"right","note":"x"}

`annotation_id` is that of `segcap.json` when the page was made. Mask `seg` of answer `segcap` is the same one in the
journal, whatever is added to that, and is what a verdict goes by; `phrase` says whether it still means the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.json_file import parse_json, read_bytes

Place = tuple[str, int | None, int | None]
"""File name, number of the answer and number of its mask; the numbers are None for the whole photograph."""

_SAVED = "it should be a file that the page of mglmm report saved"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody marked.

    Attributes:
        right: whether it is right; None where there is only a note.
        note: what they wrote.
        phrase: of the mask; None for a photograph.
        annotation_id: of the mask, when the page was made; None for a photograph.
    """

    right: bool | None
    note: str
    phrase: str | None
    annotation_id: int | None


def read_verdicts(path: Path) -> dict[Place, Verdict]:
    """The verdicts of a file; of several lines about one place the last counts.

    Raises:
        UsageError: if it can't be read, or a line is no verdict, naming it.
    """
    found: dict[Place, Verdict] = {}
    for number, line in enumerate(read_bytes(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
            place = _place(value)
            verdict = _verdict(value)
        except ValueError as error:
            raise UsageError(f"{path}: line {number}: {error}: {_SAVED}") from None
        found[place] = verdict
    return found


def _place(value: Any) -> Place:
    if not isinstance(value, Mapping) or not isinstance(value.get("file_name"), str):
        raise ValueError("not an object with a file_name")
    segcap, seg = value.get("segcap"), value.get("seg")
    if not ((segcap is None and seg is None) or (_is_number(segcap) and _is_number(seg))):
        raise ValueError("segcap and seg are neither both numbers from 0 on nor both null")
    return value["file_name"], segcap, seg


def _verdict(value: Mapping[str, Any]) -> Verdict:
    said, note = value.get("verdict"), value.get("note", "")
    phrase, annotation = value.get("phrase"), value.get("annotation_id")
    if said not in ("right", "wrong", None):
        raise ValueError(f"the verdict {str(said)[:40]!r} is none of right, wrong, null")
    if not isinstance(note, str) or not isinstance(phrase, str | None):
        raise ValueError("note or phrase is no text")
    if not (annotation is None or _is_number(annotation)):
        raise ValueError("annotation_id is no number from 0 on")
    return Verdict(None if said is None else said == "right", note, phrase, annotation)


def _is_number(value: Any) -> bool:
    return type(value) is int and value >= 0
