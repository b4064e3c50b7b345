"""The parts of one car. Of the whole car there is no mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.data.compose.conversation import Part, listed
from trainer.data.compose.denial_tables import CAR
from trainer.data.compose.kinds.base import Plan, SceneKind, Target, placed
from trainer.data.compose.nouns import indefinite

if TYPE_CHECKING:
    from trainer.data.compose.view import View


class CarParts(SceneKind):
    """See the module; left and right are the car's own."""

    subject = "the car"
    plan = Plan(("fine whole", "fine whole", "refer", "refer", "refer"), ("refer", "semantic", "fine thing", "chat"), 2)
    order = (
        "hood", "front bumper", "front glass", "front left light", "front right light", "front left door",
        "front right door", "left mirror", "right mirror", "back left door", "back right door", "wheel", "back glass",
        "back left light", "back right light", "back bumper", "trunk", "tailgate",
    )  # fmt: skip
    least_crop = 0.75
    denied = CAR
    present_rate = 0.6
    foreign_rate = 0.15
    chat = ("existence",)

    def name(self, label: str, count: int = 1) -> str:
        """See `SceneKind`."""
        return "the wheels" if label == "wheel" else super().name(label, count)

    def is_many(self, label: str) -> bool:
        """See `SceneKind`."""
        return label == "wheel"

    def amount(self, view: View, label: str) -> str:
        """See `SceneKind`."""
        return "wheels" if label == "wheel" else indefinite(label)

    def whole(self, view: View) -> list[str | Part]:
        """See `SceneKind`."""
        if not view.labels:
            return []
        parts = [Part(self.amount(view, label), (view.union(label),)) for label in view.labels]
        return ["The car has", *listed(parts), "."]

    def told(self, view: View, label: str) -> str:
        """See `SceneKind`."""
        return f"part of the car and {placed(view, view.union(label))}"

    def targets(self, view: View) -> list[list[Target]]:
        """See `SceneKind`."""
        return [[(self.name(label), view.union(label))] for label in view.labels]
