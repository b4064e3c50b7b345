"""What an adapter of a data set is: a function from its files to training records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.text.prompts import Families, Task
from trainer.data.record import Record, written

_EXAMPLES = 3
_MOST, _LONGEST = 100, 400
_OTHER = "other reasons"


class _Tally:
    """Entries counted by reason, the first of each named."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}

    def add(self, where: str, reason: str) -> None:
        # A reason that quotes a file is another one for every entry, and there may be millions.
        if reason not in self._counts and len(self._counts) >= _MOST:
            reason = _OTHER
        reason = written(reason)
        self._counts[reason] += 1
        examples = self._examples.setdefault(reason, [])
        if len(examples) < _EXAMPLES:
            examples.append(written(where[:_LONGEST]))

    def total(self) -> int:
        return self._counts.total()

    def reasons(self) -> list[tuple[str, int, tuple[str, ...]]]:
        return [(reason, count, tuple(self._examples[reason])) for reason, count in self._counts.most_common()]


class Skipped:
    """What could not be used, and what was used though it may not be as it should."""

    def __init__(self) -> None:
        self._skipped, self._remarks = _Tally(), _Tally()

    def add(self, where: str, reason: str) -> None:
        """Note an entry that is left out.

        Args:
            where: file and entry, `refs(unc).p: ref 17`.
            reason: without anything of this entry alone, so that equal ones are counted together.
        """
        self._skipped.add(where, reason)

    def remark(self, where: str, what: str) -> None:
        """Note an entry that is used, with what its user must know of it; the arguments are those of `add`."""
        self._remarks.add(where, what)

    @property
    def total(self) -> int:
        """Entries left out."""
        return self._skipped.total()

    def reasons(self) -> list[tuple[str, int, tuple[str, ...]]]:
        """Reason, how many, and the first of them; the most frequent first."""
        return self._skipped.reasons()

    def remarks(self) -> list[tuple[str, int, tuple[str, ...]]]:
        """The same of what was used."""
        return self._remarks.reasons()


Reader = Callable[[Path, Families, Skipped], Iterator[Record]]
"""Source folder, wordings of the model that will be trained, what is skipped -> records.

Records of one photograph follow each other where the source allows it. A file that is missing or not of its format is
a `UsageError` that names it; an entry that can't be used goes to `Skipped`.
"""


@dataclass(frozen=True, slots=True)
class Format:
    """An adapter.

    Attributes:
        name: as the command line takes it.
        link: where the format is described.
        layout: what the source folder holds, in a line or two.
        tasks: what its records ask.
        read: reads it; images of records are relative to the source folder.
    """

    name: str
    link: str
    layout: str
    tasks: tuple[Task, ...]
    read: Reader
