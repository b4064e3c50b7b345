"""What this machine has, and what it has room for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch

from engine.doctor.facts import Device, Fit, Memory
from engine.errors import UsageError
from engine.model.onnx_runtime import conflict, onnxruntime
from engine.model.precision import Precision

_ROUNDING = 1.5
"""Activations as measured, over the estimate: allocators round up, libraries keep workspaces."""


def list_devices() -> tuple[Device, ...]:
    """The memory of the CPU and of each CUDA device."""
    found = [Device("cpu", f"{os.cpu_count()} CPUs", _free_ram())]
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free, _ = torch.cuda.mem_get_info(number)
            found.append(Device(f"cuda:{number}", torch.cuda.get_device_name(number), free))
    return tuple(found)


def runtime() -> str:
    """Whether ONNX Runtime is installed once."""
    if line := conflict():
        raise UsageError(line)
    backends = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    return f"{onnxruntime.__version__}, built for {', '.join(backends)}"


def what_fits(memory: Sequence[Memory], devices: Sequence[Device]) -> tuple[Fit, ...]:
    """The largest estimated batch that fits, for each device and precision; a device of unknown size is left out."""
    return tuple(
        Fit(
            device.name,
            precision,
            max(
                (one.batch for one in memory if one.precision == precision and fits(one, device, devices)), default=None
            ),
        )
        for device in devices
        if device.free is not None
        for precision in dict.fromkeys(one.precision for one in memory)
    )


def fits(need: Memory, device: Device, devices: Sequence[Device]) -> bool:
    """Whether a device has room; what is quantised comes through the CPU's memory. True where a size is unknown."""
    running = need.weights + need.cache + _ROUNDING * need.activations
    if device.free is not None and running > device.free:
        return False
    if device.name != "cpu" and not Precision(need.precision).quantised:
        return True
    return all(need.loading <= one.free for one in devices if one.name == "cpu" and one.free is not None)


def _free_ram() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # only Linux has it
    names = getattr(os, "sysconf_names", {})
    for name in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES"):
        if name in names:
            return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")
    return None
