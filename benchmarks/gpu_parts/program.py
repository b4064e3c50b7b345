"""The program itself, as a user runs it on a GPU."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.gpu_parts.plan import Plan
from benchmarks.gpu_parts.running import Notes
from benchmarks.gpu_parts.tools import ROOT
from mglmm_cli.main import main


def run(plan: Plan, notes: Notes, earlier: Mapping[str, Any]) -> None:
    """See `Part`."""
    for name, options in {
        "segcap": [],
        "segcap --decoder torch --batch-size 2": ["--decoder", "torch", "--batch-size", "2"],
        "segcap --precision bfloat16": ["--precision", "bfloat16"],
    }.items():
        with notes.step(name), TemporaryDirectory(prefix="mglmm-gpu-") as folder:
            _segcap(plan, notes, name, Path(folder) / "out", options)


def _segcap(plan: Plan, notes: Notes, name: str, out: Path, options: list[str]) -> None:
    examples = ROOT / plan.examples
    length = [] if plan.short is None else ["--max-new-tokens", str(plan.short)]
    arguments = ["--model", plan.embedded, "--devices", plan.device, *length, *options]
    code: object = None
    try:
        main(["segcap", str(examples), "-o", str(out), *arguments])
    except SystemExit as end:
        code = end.code or 0
    coco = json.loads((out / "segcap.json").read_bytes()) if code == 0 else {}
    counts = {key: len(coco.get(key, ())) for key in ("images", "captions", "annotations")}
    notes.figure(name, {"code": code, **counts})
    wanted = sum(path.suffix in (".jpg", ".png") for path in examples.iterdir())
    right = code == 0 and counts["images"] == wanted and counts["captions"] >= wanted
    notes.check(name, right, f"exit code {code}; {', '.join(f'{count} {key}' for key, count in counts.items())}")
