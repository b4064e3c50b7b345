"""Sa2VA's two lines, scaled down, beside the way their public code runs, at one, three and eight masks an answer.

    OMP_NUM_THREADS=1 python -m benchmarks.sa2va DATA/coco/val/images --limit 4

Weights are random, so what is said is imposed: 24 tokens, each 24th, 8th or 3rd of them a `[SEG]`. The engine and the
baseline run one after the other in one process over the same photographs; what counts is the ratio.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.bench import Baseline, Plan, bench
from engine.images.sources import find_sources
from engine.model.checkpoint import load
from engine.pipeline.pipeline import Options

_TOKENS = 24
_EVERY = {1: 24, 3: 8, 8: 3}
_PRESETS = ("bench-sa2va", "bench-sa2va-qwen3vl")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=4)
    parser.add_argument("--preset", choices=_PRESETS, action="append")
    args = parser.parse_args()
    sources = list(find_sources([str(args.folder)], None))[: args.limit]
    print("| model | masks an answer | photographs/s | as the public code | ratio | outside the network | same masks |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for preset in args.preset or _PRESETS:
        for masks, every in _EVERY.items():
            options = Options(granularity="panoptic", max_new_tokens=_TOKENS, forced=True, seg_every=every)
            plan = Plan(options, (Baseline.SA2VA,), len(sources))
            report = bench(lambda preset=preset: load(f"random:{preset}"), sources, plan, lambda line: None)
            run = report.baselines["sa2va"]
            ratio = report.images / report.seconds * run.seconds / run.images
            print(
                f"| `{preset}` | {masks} | {report.images / report.seconds:.3f} | {run.images / run.seconds:.3f} "
                f"| {ratio:.2f} | {report.outside_share:.1%} | {run.agreement.mask_agreement:.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
