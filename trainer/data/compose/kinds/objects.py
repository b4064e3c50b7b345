"""Photographs that are annotated object by object, or nearly so: COCO, VOC and COCO-Stuff."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from trainer.data.colours import colour_name
from trainer.data.compose.conversation import Part, listed, listed_text
from trainer.data.compose.denial_tables import COCO, VOC
from trainer.data.compose.kinds.base import Chat, Plan, SceneKind, Target, placed, plain_region
from trainer.data.compose.nouns import COLOURED, definite, indefinite, noun
from trainer.data.compose.phrases import largest_members, spread

if TYPE_CHECKING:
    from trainer.data.compose.view import View

MAX_CLASSES = 8
MAX_INSTANCES = 5
MIN_COLOUR_SHARE = 0.01
MIN_CLASS_SHARE = 0.003
"""A class under this share of the frame is too small for a description."""

_NEAR = 0.05
"""Boxes that are so close, in frame widths, are next to each other."""


class Objects(SceneKind):
    """COCO: every object of its classes."""

    plan = Plan(
        ("panoptic", "gcg", *("refer",) * 6),
        ("multiple", "fine thing", "multiple", "reasoning", "semantic", "instance", "caption", "region", "chat"),
        5,
    )
    smallest = MIN_CLASS_SHARE
    least_crop = 0.5
    pasted = True
    apart = True
    denied: ClassVar[Mapping[str, float]] = COCO
    present_rate = 0.55
    qualified = (0.5, 0.22)
    uncoloured = frozenset(COCO.keys() - COLOURED)
    chat: ClassVar[tuple[Chat, ...]] = ("count", "count", "colour", "existence", "existence")
    reasons = "coco"

    def colour_of(self, view: View, label: str, mask: np.ndarray) -> str:
        """See `SceneKind`."""
        worth = label in COLOURED and view.share_of(mask) >= MIN_COLOUR_SHARE
        return colour_name(view.scene.image, mask) if worth else ""

    def panoptic(self, view: View) -> list[str | Part]:
        """See `SceneKind`."""
        labels = view.main_labels[:MAX_CLASSES]
        out: list[str | Part] = []
        for number, label in enumerate(labels):
            if number:
                out.append("and" if number == len(labels) - 1 else ",")
            out.append(Part(self.amount(view, label), (view.union(label),)))
            if len(view.members(label)) == 1 and label not in view.stuff:
                out.append(view.place(view.union(label)))
        return ["The image shows", *out, "."] if out else []

    def told(self, view: View, label: str) -> str:
        """See `SceneKind`."""
        masks = view.members(label)
        if len(masks) > 1 or label in view.stuff or not view.certain(label):
            return f"{spread(view.union(label))} of the image"
        colour, near = view.colour(label), _relation(view, label)
        return listed_text([*([colour] if colour else []), placed(view, masks[0]), *([near] if near else [])])

    def fine_labels(self, view: View) -> list[str]:
        """See `SceneKind`."""
        # What a person wears is not annotated here; "in the centre of the image" would unlearn what is said of that.
        labels = super().fine_labels(view)
        return [label for label in labels if label != "person" or len(view.members(label)) > 1]

    def gcg(self, view: View) -> list[str | Part]:
        """See `SceneKind`."""
        parts = [
            Part(self.amount(view, label), largest_members(view, label, MAX_INSTANCES))
            for label in view.main_labels[:MAX_CLASSES]
        ]
        return ["The image shows", *listed(parts), "."] if parts else []

    def targets(self, view: View) -> list[list[Target]]:
        """See `SceneKind`."""
        return [group for group in (object_targets(view, label) for label in view.labels) if group]

    def groundable(self, view: View, texts: list[str]) -> list[str]:
        """See `SceneKind`."""
        return texts

    def region(self, view: View, label: str, mask: np.ndarray) -> str:
        """See `SceneKind`."""
        return plain_region(view, label, mask)

    def reason_name(self, view: View, label: str) -> str:
        """See `SceneKind`."""
        many = len(view.members(label)) > 1
        return f"the {noun(label).plural}" if many else definite(label, view.colour(label))


class ClassesAndAnimals(Objects):
    """VOC: 20 classes, of which some have one mask for several things; animals mostly have one each."""

    plan = Plan(
        ("panoptic", *("refer",) * 3),
        ("refer", "fine thing", "multiple", "gcg", "reasoning", "semantic", "chat", "region"),
        3,
    )
    apart = False
    denied = VOC
    chat = ("colour", "existence", "existence")

    def amount(self, view: View, label: str) -> str:
        """See `SceneKind`."""
        return super().amount(view, label) if view.certain(label) else noun(label).plural


class ThingsAndStuff(Objects):
    """COCO-Stuff: objects, and what they stand on and before."""

    plan = Plan(("panoptic", "refer", "refer"), ("refer", "fine thing", "semantic"), 1)
    pasted = apart = False
    denied: ClassVar[Mapping[str, float]] = {}
    present_rate = 1.0
    chat = ()
    reasons = ""

    def amount(self, view: View, label: str) -> str:
        """See `SceneKind`."""
        return noun(label).singular if label in view.stuff else super().amount(view, label)


def object_targets(view: View, label: str) -> list[Target]:
    """Expressions for the objects of one label: by name, place, size or colour, whichever is unique."""
    masks = view.members(label)
    if not view.certain(label) or label in view.scene.slivers:
        return []
    if len(masks) == 1:
        colour = view.colour(label)
        return [(definite(label), masks[0])] + ([(definite(label, colour), masks[0])] if colour else [])
    if len(masks) > 3 or noun(label).form != "count":
        return []
    name = noun(label).singular
    out: list[Target] = []
    xs = [float(np.flatnonzero(mask.any(axis=0)).mean()) / view.width for mask in masks]
    if all(right - left > 0.08 for left, right in pairwise(xs)):
        out += [(f"the left {name}", masks[0]), (f"the {name} on the left", masks[0])]
        out += [(f"the right {name}", masks[-1]), (f"the {name} on the right", masks[-1])]
        if len(masks) == 3:
            out.append((f"the {name} in the middle", masks[1]))
    areas = sorted(((np.count_nonzero(mask), number) for number, mask in enumerate(masks)), reverse=True)
    if areas[0][0] > 1.5 * areas[1][0]:
        out.append((f"the largest {name}", masks[areas[0][1]]))
    colours = [view.colour_of(label, mask) for mask in masks]
    for mask, colour in zip(masks, colours, strict=True):
        if colour and all(colours) and colours.count(colour) == 1:
            out.append((f"the {colour} {name}", mask))
    return out


def _relation(view: View, label: str) -> str:
    """`next to a dog`, `to the left of a car`: where the nearest other thing is; empty if it is alone."""
    others = [
        other
        for other in view.main_labels
        if other != label and len(view.members(other)) == 1 and view.certain(other) and other not in view.stuff
    ]
    if not others:
        return ""
    own = _box(view, label)
    gap, right, nearest = min((*_apart(own, _box(view, other)), other) for other in others)
    words = "next to" if gap < _NEAR else "to the left of" if right else "to the right of"
    return f"{words} {indefinite(nearest)}"


def _apart(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, bool]:
    """The gap between two things from side to side, and whether the second one is on the right."""
    return max(other[0] - one[1], one[0] - other[1]), sum(other) > sum(one)


def _box(view: View, label: str) -> tuple[float, float]:
    """Left and right end in frame widths."""
    columns = np.flatnonzero(view.union(label).any(axis=0))
    return float(columns[0]) / view.width, float(columns[-1] + 1) / view.width
