"""One worker process, both ends: what runs in it, and how the parent holds it.

The two talk over a pipe of their own. A queue that several processes read is locked by whoever reads it, so that one
that is killed there would take the lock with it. Only names of photographs and records travel.

    parent -> worker   Job, then Source ...
    worker -> parent   READY once the model is loaded; WANT per source it asks for; a PhotoRecord or Failure per source,
                       in the order in which it was given them; Failed at the end of everything

Nothing heavy is imported at the top: a worker must ignore Ctrl-C before it spends seconds on imports.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from engine.errors import MglmmError
from engine.memory import out_of_memory, share_heaps
from engine.records import Failure, PhotoRecord

if TYPE_CHECKING:
    from engine.images.sources import Source
    from engine.model.precision import Precision
    from engine.pipeline.pipeline import Options

ADVICE = "each process holds a model of its own: give fewer devices, or a smaller precision"
"""Where memory is too small for the processes."""
_OF_MEMORY = ("SIGKILL", "SIGABRT")
"""What the system does to a process when memory is short, and what C++ does where nobody takes its `bad_alloc`."""
_AHEAD = 2
"""Sources that lie ready in a worker before it asks for them, so that it need not wait for the parent."""
_PATIENCE = 5.0  # seconds for a dead process to be gone
_HANG_UP: set[signal.Signals] = set() if sys.platform == "win32" else {signal.SIGHUP}
_PARENTS = {signal.SIGINT, signal.SIGTERM} | _HANG_UP


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker loads and asks; see `engine.workers.fleet.Worker` for the device and its threads."""

    model: str
    precision: Precision
    device: str
    threads: int
    options: Options


class Sign(Enum):
    """What a worker says apart from its results."""

    READY = "ready"
    WANT = "want"


@dataclass(frozen=True, slots=True)
class Failed:
    """A worker's last word.

    Attributes:
        error: what a user can act on; None for a bug.
        trace: the traceback as text.
    """

    error: MglmmError | OSError | None
    trace: str


Message = Sign | PhotoRecord | Failure | Failed | None
"""What the parent hears; None: the process died."""


@dataclass(slots=True)
class Task:
    """A photograph on its way: its place in the order, and how many processes died while they had it."""

    index: int
    source: Source
    deaths: int = 0


def work(connection: Connection) -> None:
    """The life of a worker process; it ends when the parent ends it, or with the parent."""
    # They reach all processes of a terminal or a job; the parent alone decides what follows.
    for number in _PARENTS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, name="parent", daemon=True).start()
    try:
        _serve(connection)
    except Exception as error:
        # Without a parent there is nobody to tell.
        with suppress(OSError):
            connection.send(_failed(error))


def _failed(error: Exception) -> Failed:
    known = error if isinstance(error, MglmmError | OSError) else None
    if known is None and out_of_memory(error):
        known = MglmmError(f"not enough memory for a process ({' '.join(str(error).split())}); {ADVICE}")
    return Failed(known, "".join(traceback.format_exception(error)))


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a child
    wait([parent.sentinel])
    os._exit(1)


def _serve(connection: Connection) -> None:
    job: Job = connection.recv()
    import torch

    torch.set_num_threads(job.threads)
    from engine.model.checkpoint import load
    from engine.pipeline.pipeline import Pipeline

    share_heaps()
    pipeline = Pipeline(load(job.model, precision=job.precision, device=job.device), job.options)
    connection.send(Sign.READY)
    sending = threading.Lock()
    for _, outcome in pipeline.run(_given(connection, sending)):
        with sending:
            connection.send(outcome)


def _given(connection: Connection, sending: threading.Lock) -> Iterator[Source]:
    """The sources that the parent gives; a thread of the pipeline is the one that asks."""
    while True:
        with sending:
            connection.send(Sign.WANT)
        source: Source = connection.recv()
        yield source


class Seat:
    """The parent's hold on one worker process; a process that died can be replaced by another.

    Attributes:
        job: what runs here.
        connection: to the process, once it is started.
        tasks: what the process has in hand, in the order in which its results will come.
        alive: whether there is a process.
        ready: whether its model is loaded.
        losses: processes that died here since the last result.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.tasks: deque[Task] = deque()
        self.alive = self.ready = False
        self.losses = 0

    def start(self) -> None:
        """Start a process; it says `READY` later."""
        context = multiprocessing.get_context("spawn")
        self._asked = self._given = 0
        self.ready = False
        self.connection, theirs = context.Pipe()
        with theirs:
            # A daemon: it goes with the parent, should nobody close the seat.
            self._process = context.Process(target=work, args=(theirs,), name=f"mglmm {self.job.device}", daemon=True)
            with _no_interrupt():
                self._process.start()
        self.alive = True
        # A process that is gone already is found out by listening.
        with suppress(OSError):
            self.connection.send(self.job)

    @property
    def wants(self) -> bool:
        """Whether to give it another photograph; one that may be the death of it stays alone."""
        suspected = any(task.deaths for task in self.tasks)
        return self.alive and self.ready and not suspected and self._given < self._asked + _AHEAD

    def give(self, task: Task) -> None:
        """Hand over a photograph."""
        self.tasks.append(task)
        self._given += 1
        # To a dead process: found out by listening.
        with suppress(OSError):
            self.connection.send(task.source)

    def heard(self, message: Sign) -> None:
        """Take note of what it says."""
        if message is Sign.READY:
            self.ready = True
        else:
            self._asked += 1

    def finished(self) -> Task:
        """Take note of a result, and say of what."""
        self.losses = 0
        return self.tasks.popleft()

    def bury(self) -> str:
        """Let go of a process that died, and say how it did."""
        self._process.join(_PATIENCE)
        code = self._process.exitcode
        self.close()
        if code is None or code >= 0:
            return f"exit code {code}"
        name = signal.Signals(-code).name
        if name not in _OF_MEMORY:
            return f"killed by {name}"
        self._shrink()
        return f"killed by {name}: memory may have run out"

    def _shrink(self) -> None:
        """Have the next process on the CPU write half as many answers together."""
        from engine.pipeline.batch_size import ON_CPU

        options = self.job.options
        if self.job.device == "cpu":
            fewer = max(1, (options.batch_size or ON_CPU) // 2)
            self.job = replace(self.job, options=replace(options, batch_size=fewer))

    def kill(self) -> None:
        """End the process at once, whatever it does: it holds nothing that must be put away."""
        if self.alive:
            self._process.kill()

    def close(self) -> None:
        """End the process, and wait until it is gone."""
        if self.alive:
            self.kill()
            self.alive = False
            self.connection.close()
            self._process.join(_PATIENCE)

    def receive(self) -> Message:
        """The next message; waits for it."""
        try:
            message: Message = self.connection.recv()
        except (EOFError, OSError):
            return None
        return message


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Processes started here hear no Ctrl-C, SIGTERM or SIGHUP, not even before `work` begins; this one hears it
    afterwards."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANG_UP)
    try:
        # Started with the first process otherwise; it lifts the block of the two signals that it knows how to ignore.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, _PARENTS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def listen(seats: Iterable[Seat], beside: Sequence[Connection] = ()) -> Iterator[tuple[Seat, Message]]:
    """Wait until there is a message or more, or something to read beside them; at least one seat must be alive."""
    waiting = {seat.connection: seat for seat in seats if seat.alive}
    for connection in wait([*waiting, *beside]):
        assert isinstance(connection, Connection)
        if connection in waiting:
            yield waiting[connection], waiting[connection].receive()
