"""Where the answers of `mglmm segcap` go: a folder, or a stream of JSON lines."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from engine.atomic import discard_leftovers, replacing
from engine.errors import MglmmError, PhotographError
from engine.images.coco_list import CocoList
from engine.images.decode import MAX_PIXELS
from engine.images.sources import Source
from engine.journal import Index, Journal, Lock, Place, Start, dump, fingerprint, stamp, to_line, unchanged
from engine.memory import out_of_memory
from engine.records import Failure, PhotoRecord
from engine.text.names import to_text
from exporters.coco import write_dataset
from exporters.labels.dataset import Choice, Dataset
from exporters.labels.labelled import labelled
from exporters.labels.naming import Naming
from exporters.overlay import comment_of, overlay_path, read, write_overlay
from exporters.report.writer import check_folder as check_report
from mglmm_cli.coco_ids import check_ids, largest_id
from mglmm_cli.folder import COCO, FAILURES, JOURNAL, REPORT, say_outputs
from mglmm_cli.labels import say_unmapped
from mglmm_cli.report import write as write_report
from mglmm_cli.text import clean

_log = logging.getLogger(__name__)
_OVERLAY_THREADS = 2
_OVERLAYS_WAITING = 8


def _path(source: Source) -> str:
    return to_text(source.given or source.path)


class Results(Protocol):
    """A context manager that says what is to be done, in one thread, and takes it, in another, in whatever order."""

    @property
    def where(self) -> str:
        """For the closing line: what there is now, by its paths; empty where that has no place."""

    skipped: int
    """Photographs that were done before."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def todo(self, sources: Iterable[Source]) -> Iterator[Source]:
        """The photographs that are not done yet."""

    def begin(self) -> None:
        """A model is there: from here on photographs are added."""

    def add(self, source: Source, entry: PhotoRecord | Failure) -> None:
        """Take one photograph."""

    @property
    def settled(self) -> int:
        """How many of the photographs added can't be lost any more."""

    def settle(self) -> None:
        """See to it that none of them can."""

    def finish(self) -> None:
        """All photographs are added: write what is made of them together."""


class StreamResults:
    """A JSON line per photograph, handed on at once."""

    where = ""
    skipped = 0

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._added = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def todo(self, sources: Iterable[Source]) -> Iterator[Source]:
        yield from sources

    def begin(self) -> None:
        return None

    def add(self, source: Source, entry: PhotoRecord | Failure) -> None:
        self._stream.write(to_line(entry, _path(source), source.image).encode("ascii"))
        self._stream.flush()
        self._added += 1

    @property
    def settled(self) -> int:
        return self._added

    def settle(self) -> None:
        return None

    def finish(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class _Flight:
    """A photograph that was handed out: its place in the inputs, and its file's stamp then."""

    at: int
    stamp: str


class FolderResults:
    """A folder with the journal and overlays if asked for; at the end the COCO file and the failures.

    Args:
        folder: made if it is not there. If it holds the journal of such a run, that is continued.
        start: what is about to run.
        overlay: draw a picture per photograph.
        report: write a page of all of them at the end.
        fresh: begin anew; what is of an older run goes, and nothing else.
        max_pixels: of a photograph that is drawn.
        lock: of the folder, where the caller holds it already.
        choice: which masks the COCO file has, in which form; the pictures have the same.
        listed: the list in COCO's form that the photographs are on.
        asks: the instructions of a photograph that has questions of its own.

    Raises:
        UsageError: if the folder holds something else, or another run, or ids that are not those of the list.
        MglmmError: if another process works on the folder.
    """

    def __init__(
        self,
        folder: Path,
        start: Start,
        *,
        overlay: bool,
        report: bool = False,
        fresh: bool = False,
        max_pixels: int = MAX_PIXELS,
        lock: Lock | None = None,
        choice: Choice | None = None,
        listed: CocoList | None = None,
        asks: Callable[[Source], list[str]] = lambda source: [],
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.skipped = 0
        self._folder = folder
        self._report, self._asks = report, asks
        if report:
            check_report(folder / REPORT)
        self._fresh = fresh
        self._choice = choice or Choice()
        self._flying: dict[str, _Flight] = {}
        with ExitStack() as stack:
            above = largest_id(listed) if listed else 0
            self._journal = stack.enter_context(Journal(folder / JOURNAL, start, fresh=fresh, lock=lock, above=above))
            if listed and self._journal.index:
                check_ids(listed, self._journal.index, folder)
            # Before the first overlay is drawn, which begins as such a file.
            discard_leftovers(folder)
            self._overlays = stack.enter_context(_Overlays(folder, max_pixels, self._choice)) if overlay else None
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def where(self) -> str:
        return say_outputs(self._folder, overlays=self._overlays is not None, report=self._report)

    @property
    def before(self) -> Index | None:
        """What the folder's journal held when it was opened."""
        return self._journal.index

    def todo(self, sources: Iterable[Source]) -> Iterator[Source]:
        for at, source in enumerate(sources):
            if source.file_name in self._flying:  # a list may name a file twice
                self.skipped += 1
                continue
            place = self._journal.find(source.file_name)
            if place and place.done and unchanged(source.path, place.known) and self._is_answered(source, place):
                self.skipped += 1
                self._journal.renew(source.file_name, place, source.image)
                self._draw_missing(source, place)
                continue
            if self._overlays:  # that of another photograph, or of another run
                overlay_path(self._folder, source.file_name).unlink(missing_ok=True)
            self._flying[source.file_name] = _Flight(at, stamp(source.path))
            self._journal.see(source.file_name, source.image)
            yield source

    def begin(self) -> None:
        if self._fresh:
            for name in (COCO, FAILURES):
                (self._folder / name).unlink(missing_ok=True)
        self._journal.begin()

    def add(self, source: Source, entry: PhotoRecord | Failure) -> None:
        flight = self._flying.pop(source.file_name)
        # Its file was read a moment ago, and comes from memory.
        held = fingerprint(source.path, flight.stamp)
        self._journal.append(entry, at=flight.at, held=held, path=_path(source), image=source.image)
        if self._overlays and isinstance(entry, PhotoRecord):
            self._overlays.add(source, entry)

    @property
    def settled(self) -> int:
        return self._journal.durable

    def settle(self) -> None:
        self._journal.sync()

    def finish(self) -> None:
        self._journal.finish()
        if self._overlays:
            self._overlays.wait()
        write_outputs(self._folder, self._choice)
        if self._report:
            with closing(Index(self._folder / JOURNAL)) as index:
                write_report([index], [self._folder], self._folder / REPORT)

    def _is_answered(self, source: Source, place: Place) -> bool:
        """Whether what the journal has of a photograph is about its questions."""
        if not source.questions:
            return True
        record = self._journal.read(place)
        assert isinstance(record, PhotoRecord)  # it is done
        return [segcap.instruction for segcap in record.segcaps] == self._asks(source)

    def _draw_missing(self, source: Source, place: Place) -> None:
        if self._overlays and not self._overlays.has(source.file_name):
            record = self._journal.read(place)
            assert isinstance(record, PhotoRecord)  # it is done
            self._overlays.add(source, record)


def write_outputs(folder: Path, choice: Choice | None = None) -> Index:
    """Make the outputs of a folder from its journal, and say what that holds.

    Each takes the place of the one before only when it is complete.

    Raises:
        UsageError, MglmmError: if the journal can't be read.
        MglmmError: if it is gone, or an output can't be written.
    """
    try:
        index = Index(folder / JOURNAL)
    except FileNotFoundError as error:
        raise MglmmError(
            f"{folder / JOURNAL} is not there any more: if the folder was moved, mglmm rebuild makes the outputs in it"
        ) from error
    try:
        dataset = Dataset(index, index.info, choice)
        write_dataset(dataset, folder / COCO)
        failures = folder / FAILURES
        if index.failed:
            with replacing(failures) as file:
                file.writelines(dump(value) + b"\n" for value in index.failures())
        else:
            failures.unlink(missing_ok=True)
    except OSError as error:
        raise MglmmError(
            f"{folder}: the outputs can't be written ({(error.strerror or str(error)).lower()}). "
            f"The journal is complete: mend that, and run mglmm rebuild {folder}"
        ) from error
    finally:
        index.close()
    say_unmapped(dataset)
    return index


class _Overlays:
    """Draws labels in threads; waits when too many pictures are pending, so that memory stays bounded.

    Args:
        folder: that of the run.
        max_pixels: of a photograph.
        choice: which masks are labels; each picture says with which it was drawn.
    """

    def __init__(self, folder: Path, max_pixels: int, choice: Choice) -> None:
        self._folder, self._max_pixels = folder, max_pixels
        self._filters, self._category = choice.filters, Naming(choice.wanted)
        self._comment = f"labels {json.dumps(asdict(choice.filters) | choice.wanted.about)}"
        self._pool = ThreadPoolExecutor(_OVERLAY_THREADS, thread_name_prefix="overlay")
        self._pending: deque[Future[None]] = deque()
        self._adding = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is dropped here is drawn by the next run.
        self._pool.shutdown(cancel_futures=True)

    def add(self, source: Source, record: PhotoRecord) -> None:
        # The thread that looks for what is to be done adds what was done before.
        with self._adding:
            while len(self._pending) >= _OVERLAYS_WAITING:
                self._pending.popleft().result()
            self._pending.append(self._pool.submit(self._draw, source, record))

    def has(self, file_name: str) -> bool:
        """Whether there is a picture of a photograph with these labels."""
        return comment_of(overlay_path(self._folder, file_name)) == self._comment

    def wait(self) -> None:
        """Wait for the last pictures."""
        while self._pending:
            self._pending.popleft().result()

    def _draw(self, source: Source, record: PhotoRecord) -> None:
        """Draw one; what can't be drawn is said, and tried again by the next run. The photograph's answer stands.

        Raises:
            OSError: if the folder can't be written to: no further picture could be.
        """
        try:
            photograph = read(source.path, max_pixels=self._max_pixels)
            height, width = photograph.height, photograph.width
            if (height, width) != (record.height, record.width):
                raise PhotographError("open", f"it had {record.width} x {record.height} pixels, now {width} x {height}")
            path = overlay_path(self._folder, record.file_name)
            write_overlay(path, photograph, labelled(record, self._filters, self._category), comment=self._comment)
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None and not out_of_memory(error):
                raise  # the disk's, not the picture's
            _log.debug("no overlay", exc_info=error)
            reason = "not enough memory" if out_of_memory(error) else error
            _log.warning("mglmm: no overlay of %s: %s", clean(record.file_name), clean(str(reason)))
