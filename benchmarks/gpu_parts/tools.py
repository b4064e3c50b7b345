"""What several parts share.

Legend: `N` masks, `m` side of the low-res masks.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.gpu_parts.plan import Plan

ROOT = Path(__file__).resolve().parents[2]


def place_of(plan: Plan) -> torch.device:
    """The device, by its number."""
    device = torch.device(plan.device)
    return torch.device("cuda", device.index or 0) if device.type == "cuda" else device


def exact() -> None:
    """float32 as it is written: products and convolutions without TF32."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def wait_for(device: torch.device) -> None:
    """Until a CUDA device has done all it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def forget(device: torch.device) -> None:
    """Let go of the memory that is no longer used."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()


def seconds(device: torch.device, call: Callable[[], object], times: int, *, warm_up: int = 3) -> float:
    """Of one call, on average over `times`, its work on the device included."""
    for _ in range(warm_up):
        call()
    wait_for(device)
    begin = time.perf_counter()
    for _ in range(times):
        call()
    wait_for(device)
    return (time.perf_counter() - begin) / times


def apart(mine: Tensor, theirs: Tensor) -> float:
    """Length of the difference as a share of the length of `theirs`; infinite where a number is none."""
    mine, theirs = mine.detach().double().cpu(), theirs.detach().double().cpu()
    found = float((mine - theirs).norm() / theirs.norm().clamp(min=1e-30))
    return found if found == found else float("inf")


def overlap(mine: Sequence[Tensor], theirs: Sequence[Tensor]) -> float | None:
    """The smallest IoU of pairs of binary masks; of two empty ones it is 1. None without pairs."""
    shares = []
    for one, other in zip(mine, theirs, strict=True):
        union = int((one | other).sum())
        shares.append(float((one & other).sum()) / union if union else 1.0)
    return min(shares, default=None)


def share(part: float, whole: float | None) -> float | None:
    """`part / whole`, where the whole is known."""
    return part / whole if whole else None
