"""One model on several devices of a machine: a process for each of them, photographs shared out, outcomes in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import torch

from engine.errors import MglmmError, UsageError
from engine.images.sources import Source
from engine.model.precision import Precision
from engine.pipeline.finishing import Outcome
from engine.pipeline.pipeline import Options
from engine.workers.dispatch import Dispatch, failure
from engine.workers.process import ADVICE, Failed, Job, Seat, Sign, listen

_WINDOW = 16
"""Batches on their way per process. A process may be several times as slow as the others before they wait for it."""
_BATCH = 32
"""Answers of one, where each process finds out by itself how many it writes together."""
_MOST = 1024
"""Processes on a CPU; nobody means more."""
_FORMS = "give cpu, cuda, cuda:1, several of them with commas, cpu:2 for two processes, or all for every CUDA device"


@dataclass(frozen=True, slots=True)
class Worker:
    """What one process is given.

    Attributes:
        device: `cpu`, `cuda:0`.
        threads: of torch on the CPU, and so of ONNX Runtime.
    """

    device: str
    threads: int


def parse_devices(text: str) -> tuple[Worker, ...]:
    """Which processes a list of devices means; they share the CPU's threads evenly.

    There are as many threads as torch would take: one per core, or what OMP_NUM_THREADS says.

    Args:
        text: devices with commas between them; `cpu:2` is two processes on the CPU, `all` every CUDA device.

    Raises:
        UsageError: if it is none of this. Whether a device is there shows when it is used.
    """
    if text.strip() == "all":
        devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        if not devices:
            raise UsageError("all: there is no CUDA device here; give cpu, or cpu:2 for two processes")
    else:
        devices = [device for part in text.split(",") for device in _devices(part.strip(), text)]
    threads = max(1, torch.get_num_threads() // len(devices))
    return tuple(Worker(device, threads) for device in devices)


def _devices(part: str, text: str) -> list[str]:
    kind, _, count = part.partition(":")
    if kind == "cpu" and count:
        if not (count.isdecimal() and len(count) < 10 and 1 <= int(count) <= _MOST):
            raise UsageError(f"{part[:40]}: behind cpu stands a number of processes, from 1 to {_MOST}")
        return ["cpu"] * int(count)
    try:
        torch.device(part)
    except RuntimeError as error:
        raise UsageError(f"no devices {text[:40]!r}: {_FORMS}") from error
    return [part]


class Fleet:
    """Runs one model in several processes over any number of photographs, like a `Pipeline` in one.

    The processes are ready once this is made, and last until `close`.

    Args:
        model: as `engine.model.checkpoint.load` takes it.
        precision: of the weights in memory.
        workers: a process for each; a device may come twice.
        options: as of a `Pipeline`.

    Raises:
        UsageError: if the model can't be loaded on one of the devices.
        MglmmError: if a process dies at it.
    """

    def __init__(self, model: str, precision: Precision, workers: Sequence[Worker], options: Options) -> None:
        self._seats = [Seat(Job(model, precision, worker.device, worker.threads, options)) for worker in workers]
        self._window = _WINDOW * (options.batch_size or _BATCH) * len(workers)
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, sources: Iterable[Source], *, in_order: bool = True) -> Generator[Outcome, None, None]:
        """One outcome per source; a photograph that can't be done gives a `Failure`.

        An outcome does not wait for `sources`, which may take any time to name the next photograph. Without `in_order`,
        it does not wait for those before it either, and none is lost with the program that could have been kept.

        A run that is not seen to its end closes the processes.

        Raises:
            MglmmError: if one process after the other dies.
            RuntimeError: for a bug in a process, with its traceback.
        """
        if not any(seat.alive for seat in self._seats):
            raise ValueError("the fleet is closed")
        try:
            yield from Dispatch(self._seats, iter(sources), self._window, in_order=in_order).outcomes()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the processes at once."""
        for seat in self._seats:
            seat.kill()
        # Together: a CUDA device takes its time to be let go.
        for seat in self._seats:
            seat.close()

    def _start(self) -> None:
        for seat in self._seats:
            seat.start()
        while not all(seat.ready for seat in self._seats):
            for seat, message in listen(self._seats):
                if isinstance(message, Failed):
                    raise failure(seat, message)
                if isinstance(message, Sign):
                    seat.heard(message)
                else:
                    raise MglmmError(
                        f"the process on {seat.job.device} died while it loaded the model ({seat.bury()}); {ADVICE}"
                    )


def describe(workers: Sequence[Worker]) -> str:
    """The processes in a few words: `2 on cpu (1 thread each)`; of one: `cpu (1 thread)`."""
    counts = Counter(workers)
    return ", ".join(
        (f"{count} on " if len(workers) > 1 else "")
        + f"{worker.device} ({worker.threads} {'thread' if worker.threads == 1 else 'threads'}"
        + f"{' each' if count > 1 else ''})"
        for worker, count in counts.items()
    )
