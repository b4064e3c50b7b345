"""`OUT/journal.jsonl`: what is done, durably; every other output can be made from it again.

The first line says what run this is; each line after it is one photograph, answered or failed. Lines are only
ever appended, and a line counts once its newline is there. The line of a photograph is also what goes to stdout.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from engine.errors import MglmmError, UsageError
from engine.records import RLE, Answer, Failure, GroundedPhrase, Mask, Parent, PhotoRecord, SegCap, Span

VERSION = 1
_HEADER = "journal"

# One encoder for all lines: to make one takes as long as a line. What it gets is never circular.
_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, check_circular=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What made a journal.

    Attributes:
        tool: name and version, `mglmm 1.0.0`.
        model, model_hash: which weights.
        options: what the user chose, JSON values only.
        started, finished: ISO 8601 with time zone; `finished` is empty while the run goes on.
    """

    tool: str
    model: str
    model_hash: str
    options: Mapping[str, Any] = field(default_factory=dict)
    started: str = ""
    finished: str = ""


def to_json(entry: PhotoRecord | Failure) -> dict[str, Any]:
    """The public form of one photograph, JSON values only."""
    if isinstance(entry, Failure):
        return {"file_name": entry.file_name, "failure": {"stage": entry.stage, "reason": entry.reason}}
    return {
        "file_name": entry.file_name,
        "width": entry.width,
        "height": entry.height,
        "segcaps": [_segcap_to_json(segcap) for segcap in entry.segcaps],
    }


def from_json(value: Mapping[str, Any]) -> PhotoRecord | Failure:
    """The inverse of `to_json`; keys that it does not know are left aside.

    Raises:
        KeyError, TypeError, ValueError: if this is not the form of a photograph.
    """
    if "failure" in value:
        return Failure(value["file_name"], value["failure"]["stage"], value["failure"]["reason"])
    segcaps = tuple(_segcap_from_json(segcap) for segcap in value["segcaps"])
    return PhotoRecord(value["file_name"], value["width"], value["height"], segcaps)


def to_line(entry: PhotoRecord | Failure) -> str:
    """One photograph as one line of ASCII, newline included, so that any file name survives any encoding.

    Raises:
        ValueError: if a number is not finite.
    """
    return _line(to_json(entry))


class JournalWriter:
    """Writes a new journal; a context manager.

    Args:
        path: must not exist, so that no answer is ever overwritten.
        info: goes to the first line.

    Raises:
        UsageError: if there is a journal at `path`.
    """

    def __init__(self, path: Path, info: RunInfo) -> None:
        try:
            self._file: BinaryIO = path.open("xb")
        except FileExistsError:
            raise UsageError(f"{path} exists: choose another output folder or move it away") from None
        self._write(_line({_HEADER: VERSION, "info": asdict(info)}))

    def append(self, entry: PhotoRecord | Failure) -> None:
        """Add one photograph and hand it to the operating system."""
        self._write(to_line(entry))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _write(self, line: str) -> None:
        self._file.write(line.encode("ascii"))
        self._file.flush()


def read_journal(path: Path) -> Iterator[PhotoRecord | Failure]:
    """The photographs of a journal in order, one in memory at a time. A torn last line is dropped.

    Raises:
        MglmmError: if another line is not one of a journal.
    """
    for number, value in _values(path):
        if _HEADER in value:
            continue
        try:
            yield from_json(value)
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, number) from error


def read_values(path: Path) -> Iterator[dict[str, Any]]:
    """The same in the form of `to_json`, for who has read the journal before: what it holds is not checked.

    Raises:
        MglmmError: if a line is not JSON.
    """
    return (value for _, value in _values(path) if _HEADER not in value)


def read_info(path: Path) -> RunInfo:
    """What the first line of a journal says.

    Raises:
        MglmmError: if the file does not begin as a journal of this version.
    """
    number, value = next(_values(path), (1, {}))
    if value.get(_HEADER) != VERSION:
        raise MglmmError(f"{path} is not a journal of version {VERSION}")
    try:
        return RunInfo(**value["info"])
    except (KeyError, TypeError) as error:
        raise _damaged(path, number) from error


def _values(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                value = json.loads(line)
            except ValueError as error:
                raise _damaged(path, number) from error
            if not isinstance(value, dict):
                raise _damaged(path, number)
            yield number, value


def _damaged(path: Path, number: int) -> MglmmError:
    return MglmmError(f"{path}: line {number} is damaged: remove the line to leave that photograph out")


def _line(value: Mapping[str, Any]) -> str:
    return _encode(value) + "\n"


def _segcap_to_json(segcap: SegCap) -> dict[str, Any]:
    return {
        "granularity": segcap.granularity,
        "instruction": segcap.instruction,
        "caption": segcap.answer.caption,
        "answer": segcap.answer.raw,
        "phrases": [
            {"text": phrase.text, "span": [phrase.span.start, phrase.span.end], "segs": list(phrase.segs)}
            for phrase in segcap.answer.phrases
        ],
        "masks": [
            {
                "segmentation": mask.rle.to_coco(),
                "area": int(mask.area),
                "bbox": [float(side) for side in mask.bbox],
                "score": float(mask.score),
            }
            for mask in segcap.masks
        ],
        "parent": segcap.parent and {"segcap": segcap.parent.segcap, "seg": segcap.parent.seg},
        "truncated": segcap.truncated,
    }


def _segcap_from_json(value: Mapping[str, Any]) -> SegCap:
    phrases = tuple(
        GroundedPhrase(phrase["text"], Span(*phrase["span"]), tuple(phrase["segs"])) for phrase in value["phrases"]
    )
    masks = tuple(_mask_from_json(mask) for mask in value["masks"])
    return SegCap(
        granularity=value["granularity"],
        instruction=value["instruction"],
        answer=Answer(value["answer"], value["caption"], phrases, len(masks)),
        masks=masks,
        parent=value["parent"] and Parent(value["parent"]["segcap"], value["parent"]["seg"]),
        truncated=value["truncated"],
    )


def _mask_from_json(value: Mapping[str, Any]) -> Mask:
    height, width = value["segmentation"]["size"]
    x, y, box_width, box_height = value["bbox"]
    rle = RLE(height, width, value["segmentation"]["counts"])
    return Mask(rle, value["area"], (x, y, box_width, box_height), value["score"])
