"""Processes that begin at once: `mglmm` as a person runs it, or a function that is to have a process of its own.

Importing takes a process five seconds of a core, most runs in these tests less than one. So each is forked from a
server that has imported everything; there is one such server for each process that runs tests.
"""

from __future__ import annotations

import faulthandler
import json
import multiprocessing
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver, reduction
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryFile
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
"""Starts processes from the server."""
# What commands import once they run, and what these import once there is a model.
CONTEXT.set_forkserver_preload(
    [
        "engine.bench",
        "engine.convert.convert",
        "engine.doctor",
        "engine.model.merging",
        "engine.pipeline.pipeline",
        "exporters.onnx",
        "exporters.overlay",
        "mglmm_cli.bench_table",
        "mglmm_cli.console",
        "mglmm_cli.doctor_table",
        "mglmm_cli.results",
        "mglmm_cli.segcap",
        "mglmm_cli.stats_table",
        "peft",
        "trainer.run.dry_run",
        "trainer.run.loop",
        "transformers.models.llama.modeling_llama",
    ]
)
_PATIENCE = 600.0  # seconds that a process may take
_CLIENT = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
socket.send_fds(server, [json.dumps([os.getcwd(), dict(os.environ), sys.argv[1:]]).encode()], [0, 1, 2])
server.shutdown(socket.SHUT_WR)
sys.exit(int(server.recv(9)))
"""


class Forked:
    """A process that goes on beside the test.

    Args:
        folder: where it runs.
        work: called in it with `arguments`; pickled, so a function of a module.
        streams: descriptors of its stdin, stdout and stderr; otherwise it reads nothing, and writes (on) `stdout.log`
            and `stderr.log` in `folder`.
        environment: all its variables; those of this process by default.
    """

    def __init__(
        self,
        folder: Path,
        work: Callable[..., None],
        *arguments: Any,
        streams: Sequence[int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder
        own = [] if streams else _logs(folder)
        variables = dict(os.environ if environment is None else environment)
        settings = (folder, variables, _Streams(streams or own), work, arguments)
        self.process: ForkServerProcess = CONTEXT.Process(target=_begin, args=settings)
        self.process.start()
        for descriptor in own:
            os.close(descriptor)

    def wait(self) -> int:
        """The exit code."""
        self.process.join(_PATIENCE)
        if self.process.exitcode is None:
            self.kill()
            raise AssertionError(f"still running; {self.errors}")
        return self.process.exitcode

    def wait_until(self, reached: Callable[[], bool]) -> bool:
        """Wait for something; False if the process ended before."""
        limit = time.monotonic() + _PATIENCE
        while self.process.is_alive() and not reached():
            assert time.monotonic() < limit, self.errors
            time.sleep(0.002)
        return self.process.is_alive()

    def kill(self) -> None:
        """As `kill -9`."""
        self.process.kill()
        self.process.join()

    @property
    def errors(self) -> str:
        """What was written on `stderr.log`."""
        path = self._folder / "stderr.log"
        return path.read_text(errors="replace") if path.exists() else ""


class Run(Forked):
    """`mglmm ARGS...` beside the test; `prepare` is called in its process before the program begins."""

    def __init__(self, folder: Path, args: Sequence[str | Path], prepare: Callable[[], None] | None = None) -> None:
        super().__init__(folder, _program, [str(word) for word in args], prepare)


def call(work: Callable[..., None], *arguments: Any, cwd: Path, stdin: bytes = b"") -> CompletedProcess[bytes]:
    """Run a function to its end in a process of its own, as `subprocess.run` runs a program."""
    with TemporaryFile() as given, TemporaryFile() as output, TemporaryFile() as errors:
        given.write(stdin)
        given.seek(0)
        code = Forked(cwd, work, *arguments, streams=[given.fileno(), output.fileno(), errors.fileno()]).wait()
        output.seek(0)
        errors.seek(0)
        return CompletedProcess(arguments, code, output.read(), errors.read())


def run_bytes(*args: str | Path, cwd: Path, stdin: bytes = b"") -> CompletedProcess[bytes]:
    """`mglmm ARGS...` in the folder `cwd`."""
    return call(_program, [str(word) for word in args], cwd=cwd, stdin=stdin)


def run_text(*args: str | Path, cwd: Path, stdin: str = "") -> CompletedProcess[str]:
    """`mglmm ARGS...` in the folder `cwd`."""
    done = run_bytes(*args, cwd=cwd, stdin=stdin.encode())
    return CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@contextmanager
def command(path: Path) -> Iterator[None]:
    """Have a program at `path`, for shells, that is `mglmm`, but begins at once."""
    with socket.socket(socket.AF_UNIX) as listener:
        address = str(path.with_suffix(".socket"))
        listener.bind(address)
        listener.listen()
        path.write_text(_CLIENT.format(python=sys.executable, address=address), encoding="utf-8")
        path.chmod(0o755)
        thread = threading.Thread(target=_answer, args=(listener,))
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def stop() -> None:
    """End the server, so that the lines which it ran are known when coverage is added up."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]  # has no public name


def _answer(listener: socket.socket) -> None:
    """Run what is asked for, one at a time."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # no more is asked for
            return
        with client:
            text, streams, _, _ = socket.recv_fds(client, 1 << 16, 3)
            while part := client.recv(1 << 16):
                text += part
            folder, environment, args = json.loads(text)
            forked = Forked(Path(folder), _program, args, streams=streams, environment=environment)
            for descriptor in streams:
                os.close(descriptor)
            client.sendall(str(forked.wait()).encode())


class _Streams:
    """Descriptors that go along to another process."""

    def __init__(self, descriptors: Sequence[int]) -> None:
        self.descriptors = list(descriptors)

    def __getstate__(self) -> list[Any]:
        return [reduction.DupFd(descriptor) for descriptor in self.descriptors]

    def __setstate__(self, state: list[Any]) -> None:
        self.descriptors = [sent.detach() for sent in state]


def _logs(folder: Path) -> list[int]:
    written = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return [
        os.open(os.devnull, os.O_RDONLY),
        os.open(folder / "stdout.log", written),
        os.open(folder / "stderr.log", written),
    ]


def _begin(
    folder: Path,
    environment: dict[str, str],
    streams: _Streams,
    work: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    os.environ.clear()
    os.environ |= environment
    os.chdir(folder)
    for number, descriptor in enumerate(streams.descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout = os.fdopen(0, encoding="utf-8"), os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    faulthandler.enable()
    work(*arguments)


def _program(args: list[str], prepare: Callable[[], None] | None = None) -> None:
    sys.argv = ["mglmm", *args]
    if prepare:
        prepare()
    from mglmm_cli.main import main

    main(args)
