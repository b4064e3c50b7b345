"""Flip, crop, resize and mild jitter of a scene, image and masks alike.

The output's longest side is `size`; nothing is padded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from trainer.data.compose.kinds import KINDS
from trainer.data.scene import Scene, Thing

MIN_FRAME_SHARE = 0.0005
MIN_OWN_SHARE = 0.15

_SIDES = re.compile(r"\b(left|right)\b", re.IGNORECASE)
_Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


def augment(scene: Scene, rng: np.random.Generator, size: int, train: bool) -> Scene:
    """A scene resized to `size` along its longest side, and varied if `train`.

    Things of which too little is left to be named are dropped and noted in `slivers`; `semantic` keeps them.
    """
    height, width = scene.image.shape[:2]
    box: _Box = (0.0, 0.0, float(width), float(height))
    flip = False
    if train:
        box = _crop(scene, rng)
        flip = bool(rng.random() < 0.5)
    scale = size / max(box[2] - box[0], box[3] - box[1])
    out_w = max(1, round((box[2] - box[0]) * scale))
    out_h = max(1, round((box[3] - box[1]) * scale))

    resized = Image.fromarray(scene.image).resize((out_w, out_h), Image.Resampling.BILINEAR, box=box)
    image = np.array(resized)
    columns = _nearest(box[0], box[2], out_w, width)
    rows = _nearest(box[1], box[3], out_h, height)
    if flip:
        image = np.ascontiguousarray(image[:, ::-1])
        columns = columns[::-1]
    if train:
        image = _jitter(image, rng)

    found = []
    for thing in scene.things:
        own = np.count_nonzero(thing.mask) * scale * scale
        label = _mirrored(thing.label) if flip else thing.label
        found.append((Thing(label, thing.mask[rows][:, columns], thing.stuff), own))
    things, slivers = nameable(found)
    captions = tuple(text for text in scene.captions if not _SIDES.search(text)) if flip else scene.captions
    semantic = None if scene.semantic is None else scene.semantic[rows][:, columns]
    if semantic is not None and flip:
        semantic = _mirrored_classes(scene.classes)[semantic]
    before = (_mirrored(label) if flip else label for label in scene.slivers)
    traces = tuple(sorted({*before, *slivers}))
    return replace(scene, image=image, things=things, captions=captions, semantic=semantic, slivers=traces)


def _mirrored(label: str) -> str:
    """The label of the same region in a mirrored photograph: `left door` is `right door` there."""
    return _SIDES.sub(lambda side: "right" if side.group().lower() == "left" else "left", label)


def _mirrored_classes(classes: Sequence[str]) -> np.ndarray:
    """The class of each value in a mirrored photograph, `(256,)` uint8."""
    table = np.arange(256, dtype=np.uint8)
    for number, label in enumerate(classes):
        if _mirrored(label) in classes:
            table[number] = classes.index(_mirrored(label))
    return table


def nameable(found: Iterable[tuple[Thing, float]]) -> tuple[tuple[Thing, ...], set[str]]:
    """The things of which enough is left to be named, and the labels of which only a trace is.

    What is wholly gone is neither: it may be denied, what left a trace may not.

    Args:
        found: what is left of each thing, and the area in pixels that it would have whole.
    """
    kept, slivers = [], set()
    for thing, own in found:
        area = np.count_nonzero(thing.mask)
        if area >= MIN_FRAME_SHARE * thing.mask.size and area >= MIN_OWN_SHARE * own:
            kept.append(thing)
        elif area:
            slivers.add(thing.label)
    return tuple(kept), slivers


def _crop(scene: Scene, rng: np.random.Generator) -> _Box:
    height, width = scene.image.shape[:2]
    whole = (0.0, 0.0, float(width), float(height))
    if KINDS[scene.kind].portraits and scene.things and rng.random() < 0.2:
        return _upper_body(scene, rng)
    if rng.random() < 0.4:
        return whole
    side = rng.uniform(KINDS[scene.kind].least_crop, 1.0)
    crop_w = width * min(1.0, side * rng.uniform(0.93, 1.07))
    crop_h = height * min(1.0, side * rng.uniform(0.93, 1.07))
    left, top = rng.uniform(0, width - crop_w), rng.uniform(0, height - crop_h)
    return left, top, min(left + crop_w, width), min(top + crop_h, height)


def _upper_body(scene: Scene, rng: np.random.Generator) -> _Box:
    """From above the head to the hips or so: portraits are rare in the set and common in the world."""
    height, width = scene.image.shape[:2]
    person = np.logical_or.reduce([thing.mask for thing in scene.things])
    ys, xs = np.flatnonzero(person.any(axis=1)), np.flatnonzero(person.any(axis=0))
    if not len(ys):
        return 0.0, 0.0, float(width), float(height)
    tall = ys[-1] + 1 - ys[0]
    top = max(0.0, ys[0] - tall * rng.uniform(0.02, 0.12))
    bottom = min(float(height), max(ys[0] + tall * rng.uniform(0.35, 0.65), top + 16))
    half = max((xs[-1] + 1 - xs[0]) * 0.55, (bottom - top) * rng.uniform(0.35, 0.6))
    middle = (xs[0] + xs[-1] + 1) / 2
    left, right = max(0.0, middle - half), min(float(width), middle + half)
    return left, min(top, bottom - 1), max(right, left + 1), bottom


def _nearest(start: float, stop: float, count: int, limit: int) -> np.ndarray:
    """Source index of each of `count` output pixels over `[start, stop)`."""
    where = start + (np.arange(count) + 0.5) * (stop - start) / count
    return np.clip(where.astype(np.intp), 0, limit - 1)


def _jitter(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Brightness and contrast only: colour names are measured and must stay true."""
    contrast, brightness = rng.uniform(0.85, 1.15), rng.uniform(-18, 18)
    table = np.clip((np.arange(256) - 128) * contrast + 128 + brightness, 0, 255).astype(np.uint8)
    return table[image]
