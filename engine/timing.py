"""Where the time goes: seconds, counts and measured blocks per stage, for `mglmm bench`."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stages:
    """Adds up the time of named stages; stages of several threads overlap.

    Args:
        device: a CUDA device is waited for at the end of each stage in the thread that made this, so that the time is
            that of its work. Threads beside it wait for their own copies anyway; to wait for the whole device would
            count the work of others, and break what is being recorded there.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self._device = device if device is not None and device.type == "cuda" else None
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.counts: Counter[str] = Counter()
        self.blocks: Counter[str] = Counter()

    @contextmanager
    def measure(self, stage: str, count: int = 1) -> Iterator[None]:
        """Time a block; `count` is what it worked on (images, tokens, masks)."""
        start = time.perf_counter()
        try:
            yield
        finally:
            if self._device is not None and threading.get_ident() == self._thread:
                torch.cuda.synchronize(self._device)
            elapsed = time.perf_counter() - start
            with self._lock:
                self.seconds[stage] += elapsed
                self.counts[stage] += count
                self.blocks[stage] += 1

    def forget(self) -> None:
        """Begin anew."""
        for numbers in (self.seconds, self.counts, self.blocks):
            numbers.clear()
