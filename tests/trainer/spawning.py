"""Processes on this computer that accelerate connects over gloo."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

import torch.multiprocessing as mp

from tests.program import CONTEXT


def spawn(work: Callable[..., None], processes: int, *arguments: Any) -> None:
    """Call `work(rank, *arguments)` in each of so many new processes; fails if one of them does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    method = CONTEXT.get_start_method()
    mp.start_processes(_connected, (work, processes, port, arguments), nprocs=processes, start_method=method)


def _connected(rank: int, work: Callable[..., None], processes: int, port: int, arguments: tuple[Any, ...]) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "ACCELERATE_USE_CPU": "true",
    }
    work(rank, *arguments)
