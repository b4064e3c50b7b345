"""How fast the engine is on this machine, where its time goes, and how that compares with plain loops."""

from __future__ import annotations

from engine.bench.baseline import Baseline
from engine.bench.report import BaselineRun, Report, StageTime
from engine.bench.run import Plan, bench
from engine.bench.synthetic import make_photographs

__all__ = ["Baseline", "BaselineRun", "Plan", "Report", "StageTime", "bench", "make_photographs"]
