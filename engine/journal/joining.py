"""Several journals into one: numbers and names stay where no two photographs have the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import IO, Any

from engine.errors import UsageError
from engine.journal.index import Index
from engine.journal.kinds import DONE, FAILED, PHOTO, Photograph
from engine.journal.lines import dump, load, seal
from engine.journal.numbers import Numbers, is_number
from engine.journal.run import Start, differences
from engine.text.names import from_text, to_text

_REPEATED = 100
"""Photographs after which it is said again what run it is."""


@dataclass(frozen=True, slots=True)
class Run:
    """A journal to join.

    Attributes:
        index: of it, which is whole.
        title: what messages call it.
        folder: what stands in front of its names where another run has them, too.
    """

    index: Index
    title: str
    folder: str


class Joining:
    """Joins runs; of a photograph that several have, the first one's answer is taken, or that of the one that has any.

    Two photographs are the same if they have one name, and one content as far as that is known.

    Args:
        runs: at least one.
        note: is told what has become of each photograph and each licence that could not keep its id or name.

    Attributes:
        repeated: photographs that an earlier run has, too.
        moved: photographs that got another id or name.

    Raises:
        UsageError: if runs differ in model or options, or have ids of two types.
        MglmmError: if a journal does not say what run it is of, or no number is left.
    """

    def __init__(self, runs: Sequence[Run], note: Callable[[Mapping[str, Any]], object]) -> None:
        self._runs = runs
        self._note = note
        self.repeated = self.moved = 0
        first = runs[0]
        for other in runs[1:]:
            if different := differences(first.index.info, other.index.info):
                raise UsageError(f"{other.title} is not of the run that {first.title} is of: {'; '.join(different)}")
        self._numbers = Numbers(max(run.index.largest for run in runs))
        self._taken: set[int] = set()
        self._ids: set[int | str] = set()  # those that are no numbers
        self._names: set[str] = set()  # new ones
        self._kinds: dict[bool, Run] = {}
        self._licenses: list[Mapping[str, Any]] = []
        self._new_licenses = [dict(self._take_licenses(run)) for run in runs]

    def write(self, file: IO[bytes]) -> None:
        """Write the new journal."""
        infos = [run.index.info for run in self._runs]
        started = min(info.started for info in infos)
        start = Start(replace(infos[0], started=started, finished=""), (), os.getcwd(), None, tuple(self._licenses))
        said, identity = start.to_json(), infos[0].identity
        file.write(seal(dump(said)))
        for at, (line, form) in enumerate(self._photographs()):
            head = {
                "name": line.name,
                "at": at,
                "content": line.known.content,
                "stamp": line.known.stamp,
                "state": DONE if line.done else FAILED,
                "of": identity,
                "time": line.time,
                "number": line.number,
            }
            file.write(seal(b"%b%b%b}" % (dump(head)[:-1], PHOTO, dump(form))))
            if at % _REPEATED == 0:
                file.write(seal(dump({**said, "again": 0})))
        if all(info.finished for info in infos):
            file.write(seal(dump({"finished": max(info.finished for info in infos)})))

    def _photographs(self) -> Iterator[tuple[Photograph, dict[str, Any]]]:
        """What is taken, with its public form."""
        for at, run in enumerate(self._runs):
            for line in run.index.lines():
                name = self._name(at, line)
                if name is not None:
                    yield self._placed(at, line, name)

    def _name(self, at: int, line: Photograph) -> str | None:
        """What a photograph of run number `at` is called from here on; None if it is not taken."""
        found = [run.index.find(line.name) for run in self._runs]
        done = [place for place in found if place and place.done]
        if not line.done:
            return line.name if not done and not any(found[:at]) else None
        before = [place for place in found[:at] if place and place.done]
        if any(place.known.content == line.known.content != "" for place in before):
            self.repeated += 1
            return None
        if not before:
            return line.name
        names = (f"{folder}/{line.name}" for folder in self._free(self._runs[at].folder))
        return next(name for name in names if self._is_new(name))

    def _is_new(self, name: str) -> bool:
        new = name not in self._names and not any(run.index.find(name) for run in self._runs)
        self._names |= {name} if new else set()
        return new

    def _placed(self, at: int, line: Photograph, name: str) -> tuple[Photograph, dict[str, Any]]:
        run, form = self._runs[at], load(line.text)
        old, image = line.number, form.get("image")
        number = old if old is not None and old not in self._taken else self._numbers.give()
        self._taken.add(number)
        old_id: int | str = number if old is None else old
        new_id: int | str = number
        if image is not None:
            old_id = image["id"]
            new_id = number if is_number(old_id) else self._other_id(old_id, number)
            form["image"] = self._image(at, image, new_id, line.name, name)
        self._require_one_kind(run, new_id)
        if line.done and (old != number or new_id != old_id or name != line.name):
            self.moved += 1
            names = {"new_file_name": name} if name != line.name else {}
            ids = {"id": old_id, "new_id": new_id, "number": old, "new_number": number}
            self._note({"run": run.title, "file_name": line.name, **names, **ids})
        form["file_name"] = name
        if isinstance(path := form.get("path"), str) and run.index.start:
            form["path"] = to_text(os.path.join(run.index.start.folder, from_text(path)))
        return replace(line, name=name, number=number), form

    def _image(
        self, at: int, image: Mapping[str, Any], new_id: int | str, old_name: str, name: str
    ) -> Mapping[str, Any]:
        new = {**image, "id": new_id}
        if name != old_name:
            new["file_name"] = name
        if "license" in image:
            new["license"] = self._new_licenses[at].get(repr(image["license"]), image["license"])
        return new

    def _other_id(self, wanted: int | str, number: int) -> int | str:
        """An id that is no number, or another of its kind if that is taken."""
        found = wanted
        if wanted in self._ids:
            free = (one for one in self._free(str(wanted)) if one not in self._ids)
            found = number if isinstance(wanted, int) else next(free)
        self._ids.add(found)
        return found

    def _free(self, text: str) -> Iterator[str]:
        yield text
        yield from (f"{text}-{number}" for number in count(2))

    def _require_one_kind(self, run: Run, number: int | str) -> None:
        text = isinstance(number, str)
        self._kinds.setdefault(text, run)
        if (other := self._kinds.get(not text, run)) is not run:
            words = ("text", "numbers") if text else ("numbers", "text")
            raise UsageError(f"{run.title} has ids that are {words[0]}, {other.title} ids that are {words[1]}")

    def _take_licenses(self, run: Run) -> Iterator[tuple[str, int]]:
        """Take its licences; the new ids of those whose id another has."""
        for entry in run.index.licenses:
            if entry in self._licenses:
                continue
            ids = [other.get("id") for other in self._licenses]
            if "id" in entry and entry["id"] in ids:
                same = next((one for one in self._licenses if {**one, "id": entry["id"]} == entry), None)
                new = max((one for one in ids if type(one) is int), default=0) + 1 if same is None else same["id"]
                self._note({"run": run.title, "license": entry["id"], "new_license": new})
                yield repr(entry["id"]), new
                if same is not None:
                    continue
                entry = {**entry, "id": new}
            self._licenses.append(entry)
