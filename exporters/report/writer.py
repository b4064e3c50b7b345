"""The page into a folder."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from engine.atomic import replacing, require_folder
from engine.errors import UsageError
from engine.journal import now
from exporters.panel import PALETTE
from exporters.report.entries import Entry
from exporters.report.forms import Categories, Looked, everything, frame_of, look, row, words
from exporters.report.pictures import write_pictures
from exporters.report.shards import Shards, write_shard

INDEX = "index.html"
DATA, PHOTOGRAPHS, THUMBNAILS, PAGE = "data", "photographs", "thumbnails", "page"
IN_FOLDER = 1000
"""Pictures to a folder."""
ROWS, WORDS, WHOLES = 1000, 500, 20
"""Photographs to a shard of each kind."""

_MARK = ".mglmm-report"
_SOURCE = Path(__file__).with_name("page")
_THREADS = 2
_WAITING = 8


@dataclass(frozen=True, slots=True)
class Run:
    """A column of the page.

    Attributes:
        title: what it is called.
        key: the same for the same run: what was marked in the browser is kept by it.
        facts: what the page says of it: name and value.
        notes: what a reader must know, such as that it is not finished.
        speed: minutes since its start, and photographs per second up to there since the point before.
    """

    title: str
    key: str
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    speed: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What came of it.

    Attributes:
        index: the page.
        photographs: how many it has.
        unseen: of them, how many are shown on grey.
    """

    index: Path
    photographs: int
    unseen: int


def check_folder(folder: Path) -> None:
    """Check that a folder can get the page: it is not there, is empty, or holds an older page.

    Raises:
        UsageError: saying what is in the way.
    """
    require_folder(folder)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        raise UsageError(f"{folder} is not empty and holds no report: choose another folder with -o")
    for name in (DATA, PHOTOGRAPHS, THUMBNAILS, PAGE):
        if (folder / name).is_symlink():
            raise UsageError(f"{folder / name} is a link: take it away, or choose another folder with -o")


def write_report(folder: Path, title: str, runs: Sequence[Run], entries: Iterator[Entry]) -> Written:
    """Write the page; an older one in the folder goes. `index.html` comes last, when all is there.

    Args:
        folder: see `check_folder`.
        title: of the page.
        runs: its columns; people mark what the first one says.
        entries: its photographs, with an outcome for each run.

    Raises:
        UsageError: see `check_folder`.
        MglmmError: if a mask is none.
        OSError: if the folder can't be written.
    """
    check_folder(folder)
    _make_room(folder)
    categories = Categories()
    data = folder / DATA
    rows, texts, wholes = Shards(data, "list", ROWS), Shards(data, "words", WORDS), Shards(data, "photographs", WHOLES)
    count = masks = unseen = 0
    for looked in _looked(folder, entries):
        count += 1
        unseen += bool(looked.unseen) and frame_of(looked.entry) is not None
        line = row(looked, categories)
        masks += len(line[-1])
        rows.add(line)
        texts.add(words(looked))
        wholes.add(everything(looked))
    for shards in (rows, texts, wholes):
        shards.flush()
    overview = {
        "title": title,
        "made": now(),
        "key": runs[0].key,
        "runs": [asdict(run) for run in runs],
        "photographs": count,
        "masks": masks,
        "unseen": unseen,
        "sizes": {"list": ROWS, "words": WORDS, "photographs": WHOLES, "folder": IN_FOLDER},
        "categories": list(categories.numbers),
        "palette": [list(colour) for colour in PALETTE],
    }
    write_shard(data, "overview", 0, overview)
    shutil.copytree(_SOURCE, folder / PAGE, ignore=shutil.ignore_patterns(INDEX))
    with replacing(folder / INDEX) as file:
        file.write((_SOURCE / INDEX).read_bytes())
    return Written(folder / INDEX, count, unseen)


def _make_room(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    (folder / _MARK).touch()
    for name in (DATA, PHOTOGRAPHS, THUMBNAILS, PAGE):
        if (folder / name).exists():
            shutil.rmtree(folder / name)
    (folder / DATA).mkdir()


def _looked(folder: Path, entries: Iterator[Entry]) -> Iterator[Looked]:
    """The entries in their order, looked at in threads; few wait at a time, so that memory stays bounded."""
    waiting: deque[Future[Looked]] = deque()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="report") as pool:
        try:
            for number, entry in enumerate(entries):
                if number % IN_FOLDER == 0:
                    for name in (PHOTOGRAPHS, THUMBNAILS):
                        (folder / name / str(number // IN_FOLDER)).mkdir(parents=True)
                if len(waiting) >= _WAITING:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(_look, folder, number, entry))
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _look(folder: Path, number: int, entry: Entry) -> Looked:
    name = f"{number // IN_FOLDER}/{number}.jpg"
    frame = frame_of(entry)
    unseen = write_pictures(entry.photograph, frame, folder / PHOTOGRAPHS / name, folder / THUMBNAILS / name)
    return look(entry, unseen)
