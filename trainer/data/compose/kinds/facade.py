"""Buildings and their facades, class by class; windows, balconies and shops are parts of the building."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from trainer.data.compose.conversation import Part, listed
from trainer.data.compose.denial_tables import FACADE
from trainer.data.compose.kinds.base import Plan, Target
from trainer.data.compose.kinds.by_class import ByClass

if TYPE_CHECKING:
    from trainer.data.compose.view import View

PARTS = ("facade", "window", "balcony railing", "shop")


class Facade(ByClass):
    """See the module."""

    subject = "the building"
    plan = Plan(
        ("panoptic", "fine whole", "refer", "refer"),
        ("refer", "fine thing", "multiple", "semantic", "chat"),
        2,
    )
    order = (
        *PARTS, "plant", "street", "fence", "car", "traffic sign", "street furniture",
    )  # fmt: skip
    denied = FACADE
    present_rate = 0.7
    foreign_rate = 0.4
    chat = ("existence",)
    spoken: ClassVar[Mapping[str, str]] = {
        "facade": "a facade", "window": "windows", "balcony railing": "balcony railings", "shop": "shops",
        "plant": "plants", "street": "the street", "fence": "fences", "car": "cars",
        "traffic sign": "traffic signs", "street furniture": "street furniture",
    }  # fmt: skip

    def panoptic(self, view: View) -> list[str | Part]:
        """See `SceneKind`."""
        building = _building(view)
        parts = [] if building is None else [Part("a building", (building,))]
        parts += [Part(self.amount(view, label), (view.union(label),)) for label in view.labels if label not in PARTS]
        return ["The image shows", *listed(parts), "."] if parts else []

    def whole(self, view: View) -> list[str | Part]:
        """See `SceneKind`."""
        building = _building(view)
        if building is None:
            return []
        parts = [Part(self.amount(view, label), (view.union(label),)) for label in view.labels if label in PARTS]
        return [Part("The building", (building,)), "has", *listed(parts), "."]

    def targets(self, view: View) -> list[list[Target]]:
        """See `SceneKind`."""
        building = _building(view)
        found = super().targets(view)
        return found if building is None else [[("the building", building)], *found]


def _building(view: View) -> np.ndarray | None:
    """`H x W`: the parts together, or None without a facade."""
    if "facade" not in view.labels:
        return None
    return np.logical_or.reduce([view.union(label) for label in view.labels if label in PARTS])
