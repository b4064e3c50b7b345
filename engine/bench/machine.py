"""What a measurement was made with and on."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from pathlib import Path

import torch

_LIBRARIES = ("torch", "transformers", "onnxruntime-gpu", "onnxruntime", "numpy", "pillow")


def versions() -> dict[str, str]:
    """Of Python and of the libraries that do the work, as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except ModuleNotFoundError:  # one of the two ONNX Runtimes
            continue
    return found


def device_name(device: torch.device) -> str:
    """What the model runs on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # only Linux has it
    return platform.processor() or platform.machine()


def forget_peak(device: torch.device) -> None:
    """Begin to look for the peak of a card's memory; that of a process can't be forgotten."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int | None:
    """Bytes held at the peak: on a card those of tensors, else the process as a whole since it began.

    None where the system does not tell.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
