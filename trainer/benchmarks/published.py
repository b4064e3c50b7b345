"""What the MGLMM paper reports, to stand beside our numbers. Fractions, as all scores here.

Source: arXiv 2409.13407 (AAAI 2025). Its GCG row is that of the validation split.
"""

from __future__ import annotations

from collections.abc import Mapping


def _grounded(meteor: float, cider: float, ap50: float, miou: float, recall: float) -> dict[str, float]:
    return {"METEOR": meteor, "CIDEr": cider, "AP50": ap50, "miou": miou, "recall": recall}


def _ious(ciou: float, giou: float | None = None) -> dict[str, float]:
    return {"cIoU": ciou} | ({} if giou is None else {"gIoU": giou})


_ROWS: Mapping[tuple[str, str, str], Mapping[str, float]] = {
    ("mgsc", "", "all"): _grounded(0.178, 0.116, 0.074, 0.516, 0.232),
    ("gcg", "", "val"): _grounded(0.164, 0.501, 0.317, 0.663, 0.452),
    ("refer", "refcoco", "val"): _ious(0.813),
    ("refer", "refcoco", "testA"): _ious(0.835),
    ("refer", "refcoco", "testB"): _ious(0.773),
    ("refer", "refcoco+", "val"): _ious(0.739),
    ("refer", "refcoco+", "testA"): _ious(0.792),
    ("refer", "refcoco+", "testB"): _ious(0.672),
    ("refer", "refcocog", "val"): _ious(0.772),
    ("refer", "refcocog", "test"): _ious(0.774),
    ("grefer", "", "val"): _ious(0.528, 0.502),
    ("grefer", "", "testA"): _ious(0.612, 0.587),
    ("grefer", "", "testB"): _ious(0.560, 0.541),
    ("reason", "reasonseg", "val"): _ious(0.511, 0.486),
    ("caption", "flickr30k", "test"): {"CIDEr": 1.046, "SPICE": 0.227},
    ("caption", "nocaps", "val"): {"CIDEr": 1.126, "SPICE": 0.152},
}


def row(benchmark: str, dataset: str, split: str) -> Mapping[str, float]:
    """The paper's numbers by the names of our scores; empty where it has none."""
    return _ROWS.get((benchmark, dataset, split), {})
