"""The sets of photographs by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from trainer.data.cocostuff import cocostuff
from trainer.data.folders import Folder, camvid, captioned, carparts, ccp, coco, facade, one_person
from trainer.data.voc import voc, voc2
from trainer.recipe import SetName

SPLIT: Mapping[SetName, Callable[[Path, str], Folder]] = {
    "ccp": ccp,
    "camvid": camvid,
    "coco": coco,
    "voc": voc,
    "voc2": voc2,
    "carparts": carparts,
    "facade": facade,
    "cocostuff": cocostuff,
}
"""Those that have a part for training and one for validation."""

WHOLE: Mapping[SetName, Callable[[Path], Folder]] = {"person": one_person, "captions": captioned}
"""Those that are for training only."""


def open_sets(root: Path, split: str = "train", names: Collection[SetName] = (*SPLIT, *WHOLE)) -> dict[str, Folder]:
    """The photographs of sets, by name.

    Args:
        root: holds the sets.
        split: the part of those that have several.
        names: of the sets.

    Raises:
        UsageError: if one is not there.
    """
    found: dict[str, Folder] = {name: read(root, split) for name, read in SPLIT.items() if name in names}
    return found | {name: read(root) for name, read in WHOLE.items() if name in names}
