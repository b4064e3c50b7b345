"""A scene as the composers see it: things grouped by label, with measured colours and positions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import numpy as np

from trainer.data.compose.kinds import KINDS
from trainer.data.scene import Scene


class View:
    """Lazy measurements of one scene; nothing in it is random.

    Args:
        scene: what is looked at.
        labels: their order, if not the canonical one.

    Attributes:
        scene: what is looked at.
        kind: how such photographs are spoken of.
        labels: in canonical order, that of the kind, or the largest first.
        stuff: those that have no shape of their own.
    """

    def __init__(self, scene: Scene, labels: Sequence[str] | None = None) -> None:
        self.scene, self.kind = scene, KINDS[scene.kind]
        self.stuff = frozenset(thing.label for thing in scene.things if thing.stuff)
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
        self.labels = tuple(sorted(self._members, key=self._rank)) if labels is None else tuple(labels)

    @cached_property
    def traces(self) -> frozenset[str]:
        """Every label of which anything is, or may be, in the frame."""
        return frozenset(self._members) | set(self.scene.crowds) | set(self.scene.slivers)

    @cached_property
    def main_labels(self) -> tuple[str, ...]:
        """The labels that a description names."""
        return tuple(label for label in self.labels if self._shares[label] >= self.kind.smallest)

    @cached_property
    def everything(self) -> np.ndarray:
        """`H x W`: all that is annotated; in the fashion set that is the person with all that is worn."""
        masks = list(self._unions.values())
        return np.logical_or.reduce(masks) if masks else np.zeros((self.height, self.width), bool)

    def reordered(self, rng: np.random.Generator) -> Self:
        """The same scene with its labels in any order."""
        return type(self)(self.scene, rng.permutation(np.array(self.labels, dtype=object)).tolist())

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
        return self.kind.colour_of(self, label, mask)

    def place(self, mask: np.ndarray) -> str:
        """`on the left`, `in the centre` or `on the right`."""
        x = _centre(mask)[0]
        return "on the left" if x < 0.37 else "on the right" if x > 0.63 else "in the centre"

    def _rank(self, label: str) -> tuple[float, str]:
        order = self.kind.order
        if label in order:
            return float(order.index(label)), label
        return float(len(order)) if order else -self._shares[label], label


def _centre(mask: np.ndarray) -> tuple[float, float]:
    """Centre of gravity `x, y` in fractions of the frame."""
    columns, rows = mask.sum(axis=0), mask.sum(axis=1)
    total = columns.sum()
    x = float(columns @ np.arange(len(columns))) / total
    y = float(rows @ np.arange(len(rows))) / total
    return (x + 0.5) / len(columns), (y + 0.5) / len(rows)
