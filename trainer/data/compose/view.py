"""A scene as the composers see it: things grouped by label, with measured colours and positions."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from trainer.data.colours import colour_name, hair_colour
from trainer.data.compose.nouns import CAMVID_ORDER, CCP_ORDER, COLOURED, UNCOLOURED
from trainer.data.scene import Scene

MIN_CLASS_SHARE = 0.003
"""A class of COCO under this share of the frame is too small for a description."""

MIN_COLOUR_SHARE = 0.01


class View:
    """Lazy measurements of one scene; nothing in it is random.

    `labels` are in canonical order: the set's own order, or the largest class first for COCO.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.height, self.width = scene.image.shape[:2]
        groups: dict[str, list[tuple[float, np.ndarray]]] = {}
        for thing in scene.things:
            if thing.mask.any():
                groups.setdefault(thing.label, []).append((_centre(thing.mask)[0], thing.mask))
        self._members = {
            label: tuple(mask for _, mask in sorted(group, key=lambda pair: pair[0])) for label, group in groups.items()
        }
        self._unions = {
            label: masks[0] if len(masks) == 1 else np.logical_or.reduce(masks)
            for label, masks in self._members.items()
        }
        self._shares = {label: self.share_of(mask) for label, mask in self._unions.items()}
        self._colours: dict[str, str] = {}
        self.labels = tuple(sorted(self._members, key=self._rank))

    @cached_property
    def traces(self) -> frozenset[str]:
        """Every label of which anything is, or may be, in the frame."""
        return frozenset(self._members) | set(self.scene.crowds) | set(self.scene.slivers)

    @cached_property
    def main_labels(self) -> tuple[str, ...]:
        """The labels that a description names."""
        if self.scene.kind != "coco":
            return self.labels
        return tuple(label for label in self.labels if self._shares[label] >= MIN_CLASS_SHARE)

    @cached_property
    def person(self) -> np.ndarray:
        """`H x W`: everything annotated; in the fashion set that is the person with all that is worn."""
        masks = list(self._unions.values())
        return np.logical_or.reduce(masks) if masks else np.zeros((self.height, self.width), bool)

    def members(self, label: str) -> tuple[np.ndarray, ...]:
        """The label's masks, left to right; one for a class-level set."""
        return self._members.get(label, ())

    def union(self, label: str) -> np.ndarray:
        """`H x W`: all of the label."""
        return self._unions[label]

    def share(self, label: str) -> float:
        """The label's share of the frame."""
        return self._shares[label]

    def share_of(self, mask: np.ndarray) -> float:
        return np.count_nonzero(mask) / mask.size

    def certain(self, label: str) -> bool:
        """Whether the members can be counted."""
        return label not in self.scene.crowds

    def colour(self, label: str) -> str:
        """The colour word of a label that has one region, or "" if none is worth saying."""
        if label not in self._colours:
            masks = self.members(label)
            self._colours[label] = self.colour_of(label, masks[0]) if len(masks) == 1 else ""
        return self._colours[label]

    def colour_of(self, label: str, mask: np.ndarray) -> str:
        """The colour word of one region of a label, or "" if none is worth saying."""
        if self.scene.kind == "ccp":
            if label == "hair":
                return hair_colour(self.scene.image, mask)
            if label == "skin":
                return "bare"
            return "" if label in UNCOLOURED else colour_name(self.scene.image, mask)
        if self.scene.kind == "coco" and label in COLOURED and self.share_of(mask) >= MIN_COLOUR_SHARE:
            return colour_name(self.scene.image, mask)
        return ""

    def place(self, mask: np.ndarray) -> str:
        """`on the left`, `in the centre` or `on the right`."""
        x = _centre(mask)[0]
        return "on the left" if x < 0.37 else "on the right" if x > 0.63 else "in the centre"

    def _rank(self, label: str) -> tuple[float, str]:
        order = {"ccp": CCP_ORDER, "camvid": CAMVID_ORDER}.get(self.scene.kind)
        if order is not None and label in order:
            return float(order.index(label)), label
        return -self._shares[label] if order is None else float(len(order)), label


def _centre(mask: np.ndarray) -> tuple[float, float]:
    """Centre of gravity `x, y` in fractions of the frame."""
    columns, rows = mask.sum(axis=0), mask.sum(axis=1)
    total = columns.sum()
    x = float(columns @ np.arange(len(columns))) / total
    y = float(rows @ np.arange(len(rows))) / total
    return (x + 0.5) / len(columns), (y + 0.5) / len(rows)
