"""What the machine is, and what its memory and its arithmetic give at best."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from benchmarks.gpu_parts.plan import Plan
from benchmarks.gpu_parts.running import Notes
from benchmarks.gpu_parts.tools import apart, exact, place_of, seconds

_PACKAGES = (
    "torch", "torchvision", "transformers", "tokenizers", "safetensors", "accelerate", "timm", "numpy", "pillow",
    "onnxruntime", "onnxruntime-gpu", "segment-anything", "pycocotools", "pydantic", "orjson", "sentencepiece",
)  # fmt: skip
_WRONG = 0.02
"""Relative error of a bfloat16 product that is no rounding any more."""


def run(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    """See `Part`."""
    device = place_of(plan)
    notes.figure("versions", _versions())
    notes.figure("device", _device(device))
    exact()
    with notes.step("bfloat16 product"):
        _products(plan, notes, device, torch.bfloat16, "bfloat16")
    with notes.step("float32 product"):
        _products(plan, notes, device, torch.float32, "float32")
    with notes.step("memory"):
        _memory(plan, notes, device)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _device(device: torch.device) -> dict[str, Any]:
    if device.type != "cuda":
        return {"name": platform.processor() or platform.machine()}
    card = torch.cuda.get_device_properties(device)
    return {
        "name": card.name,
        "bytes": card.total_memory,
        "free_bytes": torch.cuda.mem_get_info(device)[0],
        "capability": f"{card.major}.{card.minor}",
        "multiprocessors": card.multi_processor_count,
        "count": torch.cuda.device_count(),
        "driver": _driver(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def _driver() -> str | None:
    """As nvidia-smi tells it, where there is one."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout.split("\n")[0].strip() or None


def _products(plan: Plan, notes: Notes, device: torch.device, dtype: torch.dtype, name: str) -> None:
    side = plan.matmul
    draws = torch.Generator(device).manual_seed(0)
    a, b = (torch.randn(side, side, device=device, generator=draws).to(dtype) for _ in range(2))
    took = seconds(device, lambda: a @ b, plan.timed)
    notes.figure(f"{name}_flops", 2 * side**3 / took)
    rows = min(side, 64)
    error = apart((a @ b)[:rows], a[:rows].double() @ b.double())
    notes.check(f"{name} product", error < _WRONG, f"{2e-12 * side**3 / took:.1f} TFLOP/s, relative error {error:.1g}")


def _memory(plan: Plan, notes: Notes, device: torch.device) -> None:
    """Bytes read and written by a copy, and bytes read by a sum, per second."""
    numbers = torch.randn(plan.copied // 4, device=device)
    target = torch.empty_like(numbers)
    copy = 2 * numbers.nbytes / seconds(device, lambda: target.copy_(numbers), plan.timed)
    read = numbers.nbytes / seconds(device, lambda: numbers.sum(), plan.timed)
    notes.figure("copy_bandwidth", copy)
    notes.figure("read_bandwidth", read)
    # The most that was seen is what others are measured by.
    notes.figure("bandwidth", max(copy, read))
    notes.check("memory", bool(torch.equal(target, numbers)), f"{copy / 1e9:.0f} GB/s copied, {read / 1e9:.0f} read")
