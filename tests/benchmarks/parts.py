"""Parts of a measurement that end in all ways; nothing heavy is imported, so that their processes begin at once."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from benchmarks.gpu_parts.plan import Plan
from benchmarks.gpu_parts.running import LeftOut, Notes


def right(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    notes.figure("rate", 2.5)
    notes.figure("lost", float("nan"))
    notes.check("sums", True, "all add up")


def wrong(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    notes.figure("seen", earlier["right"]["rate"])
    notes.check("sums", False, "2 + 2 is 5")


def steps(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    with notes.step("breaks"):
        raise RuntimeError("CUDA error:\nno kernel image")
    with notes.step("lacks"):
        import_module("no_such_module")
    with notes.step("lacks ours"):
        import_module("engine.no_such_module")
    with notes.step("is late"):
        notes.enough(1e6)
    with notes.step("goes on"):
        notes.figure("rows", plan.rows)


def raises(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    notes.figure("before", 1)
    raise ValueError("not this shape")


def lacks(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    import_module("no_such_module.deep")


def lacks_in_other_words(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    try:
        import_module("no_such_module")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("Could not import module 'Model'.") from error


def refuses(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    raise LeftOut("only where it rains")


def dies(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    notes.figure("before", 1)
    os._exit(3)


def hangs(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    notes.figure("before", 1)
    time.sleep(600)
