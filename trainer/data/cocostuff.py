"""COCO-Stuff: things one by one, and the stuff around them, for every pixel of a photograph."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from engine.errors import UsageError
from trainer.data.folders import MIN_SHARE, Folder, Item, index_map, labelled_items, named_regions
from trainer.data.scene import IGNORE, Scene, Thing

FIRST_STUFF = 91
UNLABELLED = 182


def cocostuff(root: Path, split: str) -> Folder:
    """The samples of COCO-Stuff; too few for a semantic head of their own."""
    folder = root / "cocostuff"
    items, names = labelled_items(folder, split)
    if len(names) < UNLABELLED:
        raise UsageError(f"{folder / 'classes.txt'}: has {len(names)} names, expected {UNLABELLED}")
    whole = tuple(
        replace(item, instances=folder / split / "instances" / f"{Path(item.name).stem}.png") for item in items
    )
    spoken = tuple(_spoken(name) for name in names[:UNLABELLED])
    return Folder("cocostuff", whole, scene=partial(_scene, spoken))


def _scene(names: tuple[str, ...], folder: Folder, item: Item, image: np.ndarray) -> Scene:
    assert item.labels is not None and item.instances is not None
    index = index_map(item.labels, item, image, range(UNLABELLED + 1))
    numbers = index_map(item.instances, item, image, range(IGNORE))
    things, slivers = [], []
    for number in np.unique(numbers[index < FIRST_STUFF]).tolist():
        mask = (numbers == number) & (index < FIRST_STUFF)
        label = names[int(np.bincount(index[mask]).argmax())]
        if np.count_nonzero(mask) < MIN_SHARE * mask.size:
            slivers.append(label)
        else:
            things.append(Thing(label, mask))
    # Several classes may share a name: brick walls and stone walls are walls.
    shared: dict[str, np.ndarray] = {}
    for value in np.unique(index[(index >= FIRST_STUFF) & (index < UNLABELLED)]).tolist():
        shared[names[value]] = shared.get(names[value], np.zeros(index.shape, bool)) | (index == value)
    table = dict(enumerate(shared))
    merged = np.full(index.shape, IGNORE, np.uint8)
    for value, name in table.items():
        merged[shared[name]] = value
    stuff, traces = named_regions(merged, table, shared)
    return Scene(item.name, folder.kind, image, (*things, *stuff), slivers=(*slivers, *traces))


def _spoken(name: str) -> str:
    """`floor-wood` -> `floor`, `sky-other` -> `sky`."""
    return name.partition("-")[0]
