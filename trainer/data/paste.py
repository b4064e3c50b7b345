"""Objects of one photograph laid over another, so that few annotated photographs make many scenes.

Source: Simple Copy-Paste, arXiv 2012.07177. Legend: `H x W` frame of the scene that is pasted into.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from trainer.data.augment import nameable
from trainer.data.scene import IGNORE, Scene, Thing

MAX_PASTED = 3
SMALLEST, LARGEST = 0.006, 0.3
"""Shares of its own frame between which an object is taken."""

_SCALES = (0.5, 1.25)


def paste(scene: Scene, donor: Scene, rng: np.random.Generator) -> Scene:
    """A scene with one to three objects of another, each at a random place and size, in front of what was there.

    Captions are dropped, for they don't know what was added. Things of which too little is left to be named are
    dropped and noted in `slivers`.

    Args:
        scene: annotated object by object.
        donor: likewise; objects that its frame cuts are not taken.
        rng: everything random comes from it.
    """
    whole = [thing for thing in donor.things if _is_whole(thing.mask)]
    if not whole:
        return scene
    count = 1 + int(rng.integers(min(MAX_PASTED, len(whole))))
    for number in rng.permutation(len(whole))[:count]:
        scene = _lay_over(scene, donor, whole[int(number)], rng)
    return scene


def _is_whole(mask: np.ndarray) -> bool:
    cut = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
    return not cut and bool(SMALLEST <= np.count_nonzero(mask) / mask.size <= LARGEST)


def _lay_over(scene: Scene, donor: Scene, thing: Thing, rng: np.random.Generator) -> Scene:
    height, width = scene.image.shape[:2]
    rows, columns = np.flatnonzero(thing.mask.any(axis=1)), np.flatnonzero(thing.mask.any(axis=0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    tall, wide = thing.mask[box].shape
    scale = min(rng.uniform(*_SCALES), height / tall, width / wide)
    size = (max(1, int(wide * scale)), max(1, int(tall * scale)))
    patch = np.asarray(Image.fromarray(donor.image[box]).resize(size, Image.Resampling.BILINEAR), np.float32)
    cover = Image.fromarray(thing.mask[box].astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
    alpha = np.asarray(cover, np.float32)[..., None] / 255
    top, left = int(rng.integers(height - size[1] + 1)), int(rng.integers(width - size[0] + 1))
    there = (slice(top, top + size[1]), slice(left, left + size[0]))

    image = scene.image.copy()
    image[there] = (image[there] * (1 - alpha) + patch * alpha).round().astype(np.uint8)
    pasted = np.zeros((height, width), bool)
    pasted[there] = alpha[..., 0] > 0.5
    semantic = scene.semantic
    if semantic is not None and donor.semantic is not None:
        semantic = np.where(pasted, _class(donor.semantic[thing.mask]), semantic)
    behind = [
        (Thing(other.label, other.mask & ~pasted, other.stuff), float(np.count_nonzero(other.mask)))
        for other in scene.things
    ]
    kept, slivers = nameable(behind)
    return replace(
        scene,
        image=image,
        things=(*kept, Thing(thing.label, pasted, thing.stuff)) if pasted.any() else kept,
        captions=(),
        semantic=semantic,
        slivers=tuple(sorted({*scene.slivers, *slivers})),
    )


def _class(values: np.ndarray) -> np.uint8:
    """The class of most of a thing's pixels: others lie in front of the rest."""
    counts = np.bincount(values, minlength=IGNORE + 1)
    return np.uint8(counts[:IGNORE].argmax() if counts[:IGNORE].any() else IGNORE)
