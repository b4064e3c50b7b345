"""A data set of training records on disk: JSON lines in shards, and for each shard an index to seek by.

    OUT/uscdf.json         what it is: `Info`
    OUT/part-00000.jsonl   records, one a line
    OUT/part-00000.index   for each record eight bytes, little-endian: bits 0-39 the place of its line in the shard,
                           40-55 the length of its questions and answers, 56-62 the task (its place in `Info.records`),
                           63 set where its photograph is another than that of the record before

A length is the number of words, punctuation marks and tags, which is about that of tokens whatever the tokenizer.

An index is mapped, not read, so a data set costs no memory before it is used, and its size does not matter.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np

from engine.errors import MglmmError, UsageError
from engine.text.names import from_text
from engine.text.prompts import Task
from trainer.data.record import Record, from_json, to_json

INFO = "uscdf.json"
SHARD_BYTES = 100_000_000

_VERSION = 1
_TOLD = 5  # reasons in a line
_LENGTH, _TASK, _BEGINS = 40, 56, 63
_PLACE_MASK, _LENGTH_MASK, _TASK_MASK = (1 << _LENGTH) - 1, (1 << 16) - 1, (1 << 7) - 1
_TASKS = tuple(Task)
_PIECE = re.compile(r"</?p>|\[SEG\]|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Skip:
    """Entries that could not be used, or are odd: why, how many, and the first of them."""

    reason: str
    count: int
    examples: tuple[str, ...]


def fold(skips: Sequence[Skip], most: int) -> tuple[Sequence[Skip], tuple[int, int] | None]:
    """The most frequent reasons, and how many others there are with how many entries; None if there are none."""
    rest = skips[most:]
    return skips[:most], (len(rest), sum(skip.count for skip in rest)) if rest else None


@dataclass(frozen=True, slots=True)
class Info:
    """What a data set holds and where it comes from.

    Attributes:
        format: the adapter that read it.
        template: the chat template whose wordings its questions have.
        images: root of the photographs, as `engine.text.names` writes it; a relative one is relative to the data set's
            folder.
        records: how many of each task.
        masks: of all records; unknown ones are not counted.
        photographs: runs of records about the same one.
        skipped: what could not be used.
        remarks: what was used, though its user must know something of it.
        tool: name and version of the program that wrote it.
    """

    format: str
    template: str
    images: str
    records: Mapping[Task, int]
    masks: int
    photographs: int
    skipped: tuple[Skip, ...]
    remarks: tuple[Skip, ...]
    tool: str


@dataclass(frozen=True, slots=True)
class Entries:
    """What the index knows about `R` records of a shard, without their lines being read.

    Attributes:
        numbers: `(R,)` uint32, rising.
        photographs: `(R,)` uint32, equal where records that stand next to each other show the same photograph.
        lengths: `(R,)` uint16, words, marks and tags of questions and answers, at most 65535.
    """

    numbers: np.ndarray
    photographs: np.ndarray
    lengths: np.ndarray


class Shards:
    """The records of a data set by number; every process may have it open.

    Args:
        folder: of the data set.
        info: what it holds.
        parts: shards with their mapped indices, in order.
    """

    def __init__(self, folder: Path, info: Info, parts: list[tuple[Path, np.ndarray]]) -> None:
        self.folder, self.info = folder, info
        self.images = folder / from_text(info.images)
        self.tasks = tuple(task for task, count in info.records.items() if count)
        self._codes = tuple(info.records)
        self._parts = parts
        self._starts = [0, *accumulate(len(words) for _, words in parts)]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a data set.

        Raises:
            UsageError: if there is none, or it is damaged.
        """
        path = folder / INFO
        try:
            value = json.loads(path.read_bytes())
            info, sizes = _info(value), value["shards"]
        except FileNotFoundError:
            raise UsageError(f"{folder}: no training records there ({INFO} is missing); see 'mglmm data'") from None
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path}: damaged, convert again ({error!r})") from None
        return cls(folder, info, [_part(folder, number, size) for number, size in enumerate(sizes)])

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, number: int) -> Record:
        """Read one record.

        Raises:
            IndexError: if there are fewer.
            UsageError: if its line is no record; names file and record.
        """
        path, word = self._find(number)
        # Opened anew each time: processes that come from one another would share the place in the file.
        with path.open("rb") as file:
            file.seek(word & _PLACE_MASK)
            line = file.readline()
        try:
            return from_json(json.loads(line))
        except ValueError as error:
            raise UsageError(f"{path}: record {number}: {error}") from None

    def __reduce__(self) -> tuple[Callable[[Path], Shards], tuple[Path]]:
        return Shards.open, (self.folder,)

    def length(self, number: int) -> int:
        """Words, marks and tags of a record's questions and answers, at most 65535."""
        return self._find(number)[1] >> _LENGTH & _LENGTH_MASK

    def of_task(self, task: Task) -> np.ndarray:
        """Numbers of the task's records, rising: `(R,)` uint32."""
        return np.concatenate([entries.numbers for entries in self.entries(task)])

    def entries(self, task: Task) -> Iterator[Entries]:
        """What the index knows about the task's records, shard by shard."""
        code = self._codes.index(task) if task in self._codes else -1
        for start, (_, words) in zip(self._starts, self._parts, strict=False):
            here = np.flatnonzero(((words >> np.uint64(_TASK)) & np.uint64(_TASK_MASK)) == code)
            photographs = np.cumsum(words >> np.uint64(_BEGINS), dtype=np.uint32)[here]
            lengths = (words[here] >> np.uint64(_LENGTH)) & np.uint64(_LENGTH_MASK)
            yield Entries((here + start).astype(np.uint32), photographs, lengths.astype(np.uint16))

    def _find(self, number: int) -> tuple[Path, int]:
        """The shard of a record, and its word in the index."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        shard = bisect_right(self._starts, number) - 1
        path, words = self._parts[shard]
        return path, int(words[number - self._starts[shard]])


def write_shards(
    out: Path,
    records: Iterable[Record],
    *,
    format_name: str,
    template: str,
    images: str,
    tool: str,
    skips: Callable[[], Iterable[Skip]],
    remarks: Callable[[], Iterable[Skip]] = tuple,
    shard_bytes: int = SHARD_BYTES,
) -> Info:
    """Write a data set beside its place and move it there once it is whole.

    Args:
        out: its folder, which must not be there or be empty.
        records: in the order in which they are stored; read once, none is kept.
        format_name, template, images, tool: see `Info`.
        skips, remarks: what was skipped and what is odd, asked after the last record.
        shard_bytes: a shard ends with the record that reaches it.

    Raises:
        UsageError: if `out` holds something.
        MglmmError: if there is no record.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: exists and is not an empty folder; choose another")
    out = Path(os.path.abspath(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    part.mkdir()
    try:
        counts: Counter[Task] = Counter()
        masks = photographs = 0
        shards: list[_Shard] = []
        last = ""
        for record in records:
            if not shards or shards[-1].place >= shard_bytes:
                _close(shards)
                shards.append(_Shard(part, len(shards)))
            shards[-1].add(record, begins=record.image != last)
            counts[record.task] += 1
            masks += sum(mask is not None for mask in record.masks)
            photographs += record.image != last
            last = record.image
        _close(shards)
        skipped = tuple(skips())
        if not shards:
            raise MglmmError(f"no record can be used: {_reasons(skipped) or 'the source is empty'}")
        by_task = {task: counts[task] for task in _TASKS}
        info = Info(format_name, template, images, by_task, masks, photographs, skipped, tuple(remarks()), tool)
        content = {"uscdf": _VERSION, **asdict(info), "shards": [shard.count for shard in shards]}
        (part / INFO).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        with suppress(FileNotFoundError):
            out.rmdir()
        part.rename(out)
    except BaseException:
        shutil.rmtree(part)
        raise
    return info


def _reasons(skipped: Sequence[Skip]) -> str:
    first, others = fold(skipped, _TOLD)
    told = [f"{skip.reason}: {skip.count}, as {skip.examples[0]}" for skip in first]
    return "; ".join([*told, f"{others[0]} other reasons: {others[1]}"] if others else told)


class _Shard:
    """A shard that is being written."""

    def __init__(self, folder: Path, number: int) -> None:
        path = _path(folder, number)
        self._lines, self._index = path.open("xb"), path.with_suffix(".index").open("xb")
        self.place = self.count = 0

    def add(self, record: Record, *, begins: bool) -> None:
        length = sum(len(_PIECE.findall(text)) for turn in record.turns for text in (turn.question, turn.answer))
        word = self.place | min(length, _LENGTH_MASK) << _LENGTH
        word |= _TASKS.index(record.task) << _TASK | begins << _BEGINS
        line = json.dumps(to_json(record), separators=(",", ":")).encode("ascii") + b"\n"
        self._lines.write(line)
        self._index.write(word.to_bytes(8, "little"))
        self.place += len(line)
        self.count += 1

    def close(self) -> None:
        for file in (self._lines, self._index):
            _close_durably(file)


def _close(shards: list[_Shard]) -> None:
    if shards:
        shards[-1].close()


def _close_durably(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _path(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05}.jsonl"


def _part(folder: Path, number: int, size: int) -> tuple[Path, np.ndarray]:
    path = _path(folder, number)
    index = path.with_suffix(".index")
    for file in (path, index):
        if not file.is_file():
            raise UsageError(f"{file}: missing, convert again")
    if not size or index.stat().st_size != 8 * size:
        raise UsageError(f"{index}: not of {size} records, convert again")
    return path, np.memmap(index, "<u8", "r")


def _info(value: dict[str, Any]) -> Info:
    if value["uscdf"] != _VERSION:
        raise ValueError(f"version {value['uscdf']}, this program reads {_VERSION}")
    # Older records have no remarks.
    skipped, remarks = (
        tuple(Skip(skip["reason"], int(skip["count"]), tuple(skip["examples"])) for skip in skips)
        for skips in (value["skipped"], value.get("remarks", ()))
    )
    records = {Task(task): int(count) for task, count in value["records"].items()}
    return Info(
        format=value["format"],
        template=value["template"],
        images=value["images"],
        records=records,
        masks=int(value["masks"]),
        photographs=int(value["photographs"]),
        skipped=skipped,
        remarks=remarks,
        tool=value["tool"],
    )
