"""Street scenes, class by class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from trainer.data.compose.conversation import Part, listed, listed_text
from trainer.data.compose.denial_tables import CAMVID
from trainer.data.compose.kinds.base import Plan, Target
from trainer.data.compose.kinds.by_class import ByClass
from trainer.data.compose.nouns import CAMVID_ORDER

if TYPE_CHECKING:
    from trainer.data.compose.view import View


class Street(ByClass):
    """See the module."""

    plan = Plan(
        ("panoptic", "refer", "refer", "refer"),
        ("refer", "fine thing", "multiple", "reasoning", "semantic", "caption", "chat"),
        3,
    )
    order = CAMVID_ORDER
    denied = CAMVID
    present_rate = 0.7  # a street lacks few classes
    foreign_rate = 0.4
    chat = ("existence",)
    reasons = "camvid"
    spoken: ClassVar[Mapping[str, str]] = {
        "sky": "the sky", "building": "buildings", "tree": "trees", "road": "the road", "pavement": "the pavement",
        "fence": "a fence", "pole": "poles", "sign": "signs", "car": "cars", "pedestrian": "pedestrians",
        "bicyclist": "bicyclists",
    }  # fmt: skip

    def panoptic(self, view: View) -> list[str | Part]:
        """See `SceneKind`."""
        parts = [Part(self.amount(view, label), (view.union(label),)) for label in view.labels]
        return ["The image shows a street scene with", *listed(parts), "."] if parts else []

    def targets(self, view: View) -> list[list[Target]]:
        """See `SceneKind`."""
        people = [view.union(label) for label in ("pedestrian", "bicyclist") if label in view.labels]
        found = super().targets(view)
        return [*found, [("the people", np.logical_or.reduce(people))]] if people else found

    def caption(self, view: View) -> str | None:
        """See `SceneKind`."""
        if not view.labels:
            return None
        moving = [x for x in ("car", "pedestrian", "bicyclist", "building", "tree") if x in view.labels]
        return f"A street scene with {listed_text(self.spoken[x] for x in moving)}." if moving else "A street scene."
