"""A photograph with its annotation, decoded: what augmentation and the composers work on.

Legend: `H x W` is the frame of this scene in pixels; every array of a scene has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal[
    "ccp", "camvid", "coco", "voc", "cocostuff", "carparts", "facade", "person", "captions", "records"
]  # fmt: skip
"""The sets by the way in which they are annotated."""

IGNORE = 255
"""Value of `Scene.semantic` where the class is unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """One annotated region: an object, or a whole class in the sets without objects.

    Attributes:
        label: its class, as the set names it.
        mask: `H x W` bool.
        stuff: it has no shape of its own (sky, road).
    """

    label: str
    mask: np.ndarray
    stuff: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A photograph and what is known about it.

    Attributes:
        name: the file's name.
        kind: the set, which decides what may be asked; of `records`, what is asked is written there.
        image: `H x W x 3` uint8 RGB.
        things: the annotated regions that are large enough to name.
        captions: what people wrote about the photograph.
        semantic: `H x W` class index for the set's auxiliary segmentation head, `IGNORE` where unknown; None
            for sets that are not fully annotated.
        classes: the name of every value of `semantic`.
        crowds: labels with a region of uncounted members; they are neither counted nor denied.
        slivers: labels of which only a trace is in the frame; they are neither named nor denied.
    """

    name: str
    kind: Kind
    image: np.ndarray
    things: tuple[Thing, ...]
    captions: tuple[str, ...] = ()
    semantic: np.ndarray | None = None
    crowds: tuple[str, ...] = ()
    slivers: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
