"""Which errors say that memory ran out: raised by the libraries themselves where that is cheap, else in their words."""

from __future__ import annotations

import errno
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import MglmmError, PhotographError, UsageError
from engine.memory import out_of_memory

ROOT = Path(__file__).parents[2]
HUGE = 1 << 60
"""Bytes that no machine has."""


class Fail(Exception):
    """Stands for ONNX Runtime's, which derives from `Exception` too."""


@pytest.mark.parametrize(
    "allocate",
    [
        lambda: torch.empty(HUGE, dtype=torch.uint8),
        lambda: np.empty(HUGE, np.uint8),
        lambda: bytearray(HUGE),
    ],
    ids=["torch", "numpy", "python"],
)
def test_what_is_raised_here(allocate: Callable[[], object]) -> None:
    with pytest.raises(Exception) as caught:
        allocate()
    assert out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("no room"),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: ..."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:75] . DefaultCPUAllocator: not enough memory: you tried ..."),
        RuntimeError("std::bad_alloc"),
        RuntimeError("could not create a primitive"),
        Fail("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code ... Status Message: std::bad_alloc"),
        Fail("[ONNXRuntimeError] : 1 : FAIL : ... Failed to allocate memory for requested buffer of size 2621440000"),
        RuntimeError("pthread_create failed, error code: 12 error msg: Cannot allocate memory"),
        RuntimeError("can't start new thread"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        OSError("out of memory when reading image file"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
    ids=str,
)
def test_what_libraries_say(error: Exception) -> None:
    assert out_of_memory(error)


def test_what_follows_from_it() -> None:
    with pytest.raises(PhotographError) as told:
        try:
            raise MemoryError
        except MemoryError:
            raise PhotographError("decode", "no room") from None
    assert out_of_memory(told.value)
    with pytest.raises(MglmmError) as raised:
        raise MglmmError("the model does not fit") from RuntimeError("std::bad_alloc")
    assert out_of_memory(raised.value)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (8x64 and 128x64)"),
        OSError(errno.ENOSPC, "No space left on device"),
        FileNotFoundError(errno.ENOENT, "No such file", "out of memory.jpg"),
        UsageError("out of memory.jpg: no such file or folder"),
        ImportError("x.so: cannot allocate memory in static TLS block"),
        KeyboardInterrupt("out of memory"),
    ],
    ids=str,
)
def test_other_errors(error: BaseException) -> None:
    assert not out_of_memory(error)


def test_a_circle_of_errors_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__context__, two.__context__ = two, one
    assert not out_of_memory(one)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other systems' threads have no heaps of their own")
def test_threads_share_heaps() -> None:
    code = """
import threading
from engine.memory import share_heaps
share_heaps()
together = threading.Barrier(9)
def take():
    taken = bytes(100_000)
    together.wait()
    together.wait()
threads = [threading.Thread(target=take) for _ in range(8)]
for thread in threads: thread.start()
together.wait()
with open("/proc/self/maps") as maps:
    sizes = [int(end, 16) - int(start, 16) for start, end in (line.split()[0].split("-") for line in maps)]
together.wait()
print(sum(size >= 60 << 20 for size in sizes))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 1
