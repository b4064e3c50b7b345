"""Fashion photographs: one person, whose clothes and other parts are annotated class by class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainer.data.colours import colour_name, hair_colour
from trainer.data.compose.conversation import Part, listed, listed_text
from trainer.data.compose.denial_tables import CCP
from trainer.data.compose.kinds.base import Plan, SceneKind, Target, placed, plain_region
from trainer.data.compose.nouns import BODY, CARRIED, CCP_ORDER, LOWER, UNCOLOURED, definite, indefinite
from trainer.data.compose.phrases import worn_text

if TYPE_CHECKING:
    from trainer.data.compose.view import View


class Fashion(SceneKind):
    """See the module."""

    subject = "the person"
    plan = Plan(
        ("panoptic", "fine whole", "refer", "refer", "refer"),
        ("refer", "fine thing", "gcg", "multiple", "reasoning", "semantic", "caption", "region", "chat"),
        4,
    )
    order = CCP_ORDER
    portraits = True
    denied = CCP
    present_rate = 0.55
    foreign_rate = 0.12
    qualified = (0.45, 0.0)
    uncoloured = UNCOLOURED | BODY
    chat = ("worn", "colour", "existence", "existence")
    reasons = "ccp"

    def colour_of(self, view: View, label: str, mask: np.ndarray) -> str:
        """See `SceneKind`."""
        if label == "hair":
            return hair_colour(view.scene.image, mask)
        if label == "skin":
            return "bare"
        return "" if label in UNCOLOURED else colour_name(view.scene.image, mask)

    def panoptic(self, view: View) -> list[str | Part]:
        """See `SceneKind`."""
        if not view.labels:
            return []
        verb = "stands" if LOWER & set(view.labels) else "is"
        worn = worn_text(view)
        tail = f"{verb} {placed(view, view.everything)}" + (f", wearing {worn}." if worn else ".")
        return [Part("A person", (view.everything,)), tail]

    def whole(self, view: View) -> list[str | Part]:
        """See `SceneKind`."""
        if not view.labels:
            return []
        clauses: list[list[str | Part]] = []
        for verb, labels in (
            ("has", [label for label in view.labels if label in BODY]),
            ("wears", _worn(view)),
            ("carries", [label for label in view.labels if label in CARRIED]),
        ):
            if labels:
                parts = (Part(indefinite(label, view.colour(label)), (view.union(label),)) for label in labels)
                clauses.append([verb, *listed(parts)])
        out: list[str | Part] = [Part("The person", (view.everything,))]
        for number, clause in enumerate(clauses):
            if number:
                out.append(",")
                out.extend(["and"] if number == len(clauses) - 1 else [])
            out.extend(clause)
        return [*out, "."]

    def told(self, view: View, label: str) -> str:
        """See `SceneKind`."""
        colour = view.colour(label)
        worn = "part of" if label in BODY else "carried by" if label in CARRIED else "worn by"
        return " and ".join([*([colour] if colour and label != "skin" else []), f"{worn} the person"])

    def gcg(self, view: View) -> list[str | Part]:
        """See `SceneKind`."""
        if not view.labels:
            return []
        worn = _worn(view)
        largest = set(sorted(worn, key=view.share, reverse=True)[:3])
        parts = [Part(indefinite(x, view.colour(x)), (view.union(x),)) for x in worn if x in largest]
        text: list[str | Part] = ["The image shows", Part("a person", (view.everything,))]
        return [*text, *(["wearing", *listed(parts)] if parts else []), "."]

    def targets(self, view: View) -> list[list[Target]]:
        """See `SceneKind`."""
        if not view.labels:
            return []
        out = [("the person", view.everything)]
        for label in view.labels:
            out.append((definite(label), view.union(label)))
            colour = view.colour(label)
            if colour and label not in BODY:
                out.append((definite(label, colour), view.union(label)))
        return [[target] for target in out]

    def caption(self, view: View) -> str | None:
        """See `SceneKind`."""
        if not view.labels:
            return None
        worn = worn_text(view)
        held = [indefinite(label, view.colour(label)) for label in view.labels if label in CARRIED]
        text = f"A person wearing {worn}" if worn else "A person"
        return text + (f" and carrying {listed_text(held)}." if held and worn else ".")

    def region(self, view: View, label: str, mask: np.ndarray) -> str:
        """See `SceneKind`."""
        return plain_region(view, label, mask)

    def reason_name(self, view: View, label: str) -> str:
        """See `SceneKind`."""
        return definite(label, "" if label == "skin" else view.colour(label))


def _worn(view: View) -> list[str]:
    return [label for label in view.labels if label not in BODY | CARRIED]
