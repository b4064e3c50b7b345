"""Photographs of which whole classes are annotated, all of one in one mask: streets and facades."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from trainer.data.compose.kinds.base import SceneKind, Target
from trainer.data.compose.nouns import noun
from trainer.data.compose.phrases import spread

if TYPE_CHECKING:
    from trainer.data.compose.view import View


class ByClass(SceneKind):
    """Kinds that name classes, not things.

    Attributes:
        spoken: how a class, all of it in one mask, is named: `the sky`, `cars`, `a fence`.
    """

    spoken: ClassVar[Mapping[str, str]] = {}

    def name(self, label: str, count: int = 1) -> str:
        """See `SceneKind`."""
        return f"the {self.spoken.get(label, noun(label).plural).removeprefix('the ').removeprefix('a ')}"

    def is_many(self, label: str) -> bool:
        """See `SceneKind`."""
        return self.name(label).endswith("s")

    def amount(self, view: View, label: str) -> str:
        """See `SceneKind`."""
        return self.spoken.get(label, noun(label).plural)

    def absent_name(self, label: str, rng: np.random.Generator) -> str:
        """See `SceneKind`."""
        # Present and absent classes must be asked for in the same words.
        if label in self.spoken or rng.random() < 0.5:
            return self.name(label).removeprefix("the ")
        return noun(label).singular

    def told(self, view: View, label: str) -> str:
        """See `SceneKind`."""
        return f"{spread(view.union(label))} of the image"

    def targets(self, view: View) -> list[list[Target]]:
        """See `SceneKind`."""
        return [[(self.name(label), view.union(label))] for label in view.labels]
