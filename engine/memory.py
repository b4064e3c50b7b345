"""Memory that runs out: which errors say so, as the libraries have no common one for it; and what saves some."""

from __future__ import annotations

import ctypes
import errno
from contextlib import suppress

from engine.errors import MglmmError

_TEXTS = (
    "out of memory",  # CUDA, whoever reports it, and Pillow's decoders
    "alloc_failed",  # cuBLAS, cuDNN
    "allocation_failed",  # cuDNN since 9
    "can't allocate memory",  # torch on the CPU
    "not enough memory",  # the same on Windows
    "cannot allocate memory",  # what the system says, in whatever wrapping
    "bad_alloc",  # C++, and so ONNX Runtime
    "bad allocation",  # the same on Windows
    "failed to allocate",  # ONNX Runtime's arena
    "could not create a primitive",  # oneDNN gives no reason; its memory is what can fail once the same has worked
    "could not execute a primitive",
    "can't start new thread",  # nor does Python, which found no room for a stack
)
_LINKER = ("failed to map segment", "cannot map zero-fill pages")

_M_ARENA_MAX, _HEAPS = -8, 2


def share_heaps() -> None:
    """Let the threads of this process share two heaps; to be called before there are others.

    glibc gives each thread one of 64 MB of address space, ten of them in a run, which counts where that is limited
    (`ulimit -v`, batch systems). Other systems don't, and nothing is done there.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)


def out_of_memory(error: BaseException) -> bool:
    """Whether this error, or one that it follows from, is memory that ran out: a device's or the machine's."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        if _says_so(following):
            return True
        seen.add(id(following))
        following = following.__cause__ or following.__context__
    return False


def _says_so(error: BaseException) -> bool:
    # By name: torch must not be imported to ask, and ONNX Runtime's errors have no public class.
    if isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno == errno.ENOMEM
    if isinstance(error, MglmmError) or not isinstance(error, Exception):
        return False  # words of this project may quote a file's name
    text = " ".join(str(error).lower().split())
    return any(part in text for part in (_LINKER if isinstance(error, ImportError) else _TEXTS))


def size_text(size: float) -> str:
    """Bytes as `1.2 GB`, `34.0 MB` or `5.6 kB`."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size / 1e3:.1f} kB"
