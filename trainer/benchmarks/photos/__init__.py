"""The tasks on folders of annotated photographs, the layout that training of the embedded model reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trainer.benchmarks.grounded import GroundedCaptions
from trainer.benchmarks.masks import Expressions
from trainer.benchmarks.photos.referring import open_referring
from trainer.benchmarks.photos.segcap import open_segcap
from trainer.metrics.mgsc import Prediction


def open_photos(
    data: Path, task: str, dataset: str, split: str, limit: int | None
) -> tuple[GroundedCaptions | Expressions, Mapping[str, Prediction]]:
    """Questions about photographs, and the answers of a baseline that does not look.

    Args:
        data: holds the sets.
        task: `panoptic`, `fine` or `refer`.
        dataset: `ccp`, `camvid` or `coco`; not used for `refer`, which takes all.
        split: which part of each set.
        limit: only the first so many photographs of each.

    Raises:
        UsageError: if the set is not there or has no truth for the task.
    """
    if task == "refer":
        return open_referring(data, split, limit)
    return open_segcap(data, dataset, split, task, limit)
