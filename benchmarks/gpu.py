"""Whether the CUDA path is right, and how fast it is: one command for a machine with a GPU and little else.

    python benchmarks/gpu.py [--out gpu.json] [--minutes 9]

It runs from the source tree, installs nothing and reaches for no network. What is missing on the machine is named in
the report: small packages have something that stands in for them (`benchmarks/standins/`), and what can't be done
without the others is skipped. Without a GPU it says so and is done.

    environment   the device, versions; what its memory and its products give at best
    recorded      CUDA graphs against plain decode steps, token by token
    agreement     the embedded model on the GPU and on the CPU; mask decoders, slots, prefixes, lower precisions
    scarcity      memory that runs out
    speed         random:7b in bfloat16: photographs per second, stages, shares of bandwidth and arithmetic, public loop
    sa2va         Sa2VA's two lines: answers, and speed beside the way their public code runs
    embedded      the embedded model's speed
    program       `mglmm segcap --devices cuda`

The parts run in this order, each in a process of its own, until the time is up. The exit code is 1 if anything is not
as it must be, and the last lines say what.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
if not __package__:
    # Python puts the folder of the file there; the packages lie beside it.
    sys.path[0] = str(_ROOT)

from benchmarks.gpu_parts.plan import Plan  # noqa: E402 (only now can it be found)
from benchmarks.gpu_parts.running import STAND_INS, Part, Report, run_parts, stood_in  # noqa: E402

_MODEL = (
    "torch", "torchvision", "transformers", "tokenizers", "safetensors", "accelerate", "timm", "segment_anything",
    "sentencepiece", "pydantic", "numpy", "PIL", "pycocotools", "onnxruntime",
)  # fmt: skip
_PROGRAM = (*_MODEL, "click", "rich", "orjson", "pluralizer")

PARTS = (
    Part("environment", "benchmarks.gpu_parts.environment:run", ("torch",), 60),
    Part("recorded", "benchmarks.gpu_parts.recorded:run", _MODEL, 100),
    Part("agreement", "benchmarks.gpu_parts.agreement:run", _MODEL, 120),
    Part("scarcity", "benchmarks.gpu_parts.scarcity:run", _MODEL, 60),
    Part("speed", "benchmarks.gpu_parts.speed:run", _MODEL, 260),
    Part("sa2va", "benchmarks.gpu_parts.sa2va:run", _MODEL, 200),
    Part("embedded", "benchmarks.gpu_parts.embedded:run", _MODEL, 100),
    Part("program", "benchmarks.gpu_parts.program:run", _PROGRAM, 80),
)
_SPARE = 10.0
"""Seconds of the time that are left for an end in good order."""


def main() -> int:
    """Run all parts and say what came of them."""
    begin = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="where the report goes, written as it grows")
    parser.add_argument("--minutes", type=float, default=9.0, help="all of it takes no longer (default: 9)")
    options = parser.parse_args()
    reason = _no_gpu()
    if reason:
        print(f"{reason}: nothing to check or measure")
        return 0
    if str(STAND_INS) not in sys.path:
        sys.path.append(str(STAND_INS))
    plan = Plan()
    instead = stood_in(_PROGRAM)
    report = Report(plan, {"started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "stood_in": instead}, options.out)
    _say(f"stand-ins for {', '.join(instead) or 'nothing'}")
    try:
        run_parts(PARTS, report, 60 * options.minutes - _SPARE - (time.monotonic() - begin), _say)
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    for line in report.wrong:
        print(f"WRONG: {line}")
    print(f"{len(report.wrong)} wrong, in {time.monotonic() - begin:.0f} s")
    return 1 if report.wrong else 0


def _no_gpu() -> str | None:
    try:
        import torch
    except ModuleNotFoundError as error:
        return f"no module {error.name}"
    return None if torch.cuda.is_available() else "no CUDA device here"


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
