"""MGSC and GCG as their official evaluations lay them out.

    {split}_mgsc_caption_gt.json, {split}_mgsc_mask_gt.json            splits root, subtree, all
    {split}_gcg_coco_caption_gt.json, {split}_gcg_coco_mask_gt.json    splits val, test

They lie in the data folder, in `gt/` or in `annotations/` below it. An image of a subtree says which object it is about
(`"type": "subtree:<name>"`), and all of MGSC which photograph it shows (`sam_file_name`).
"""

from __future__ import annotations

from pathlib import Path

from engine.errors import UsageError
from engine.images.sources import inside
from engine.text.prompts import Task
from trainer.benchmarks.benchmark import Question
from trainer.benchmarks.grounded import GroundedCaptions
from trainer.benchmarks.official_files import TrueImage, read_ground_truth, read_images
from trainer.benchmarks.predictions import check_sizes

_BELOW = ("", "gt", "annotations")
_SUBTREE = "subtree"


def open_grounded(data: Path, split: str, images: Path | None, limit: int | None) -> GroundedCaptions:
    """A split of MGSC or GCG.

    Args:
        data: holds the two files of the split.
        split: which.
        images: folder of the photographs; without it they lie in the data folder or in `images/` there.
        limit: only the first so many.

    Raises:
        UsageError: if a file is missing or malformed.
    """
    folder = next((data / name for name in _BELOW if list((data / name).glob(f"{split}_*_caption_gt.json"))), data)
    gts = read_ground_truth(folder, split)[:limit]
    if not gts:
        raise UsageError(f"{folder}: the split {split} has no image")
    if bare := [gt.image_id for gt in gts if not gt.masks]:
        raise UsageError(f"{folder}: {len(bare)} images have no true mask, such as {bare[0]!r}")
    root = images or (data / "images" if (data / "images").is_dir() else data)
    for gt in gts:
        try:
            check_sizes("true masks", gt.masks)
        except ValueError as error:
            raise UsageError(f"{folder}: image {gt.image_id!r}: {error}") from None
    asked = [_question(image, root) for image in read_images(folder, split)[:limit]]
    return GroundedCaptions(asked, gts)


def _question(image: TrueImage, root: Path) -> Question:
    path = inside(root, image.file_name)
    kind, _, name = image.kind.partition(":")
    if kind == _SUBTREE:
        return Question(image.id, path, Task.FINE_SEGCAP, f"the {name.strip()}")
    task = Task.PANOPTIC_SEGCAP if kind else Task.GCG
    return Question(image.id, path, task)
