"""Photographs of which captions are known, and perhaps the mask of the only person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.data.compose.kinds.base import Plan, SceneKind, Target
from trainer.data.compose.nouns import noun
from trainer.data.compose.words import mentions, one_person

if TYPE_CHECKING:
    from trainer.data.compose.view import View

MIN_PERSON_SHARE = 0.015


class Captioned(SceneKind):
    """Captions alone. A caption speaks of the whole picture, so little of it may be cropped."""

    plan = Plan(
        ("unmasked panoptic", "caption", *("unmasked refer",) * 4), ("caption", "unmasked chat", "unmasked gcg"), 2
    )
    least_crop = 0.85
    listed = False


class OnePerson(SceneKind):
    """Captions and the mask of one person; others may be there."""

    plan = Plan(("gcg", "refer", "caption"))
    least_crop = 0.85
    listed = False

    def targets(self, view: View) -> list[list[Target]]:
        """See `SceneKind`."""
        word = person_word(view)
        if word is None:
            return []
        return [[(f"the {name}", view.union("person"))] for name in (word, noun("person").singular)]

    def groundable(self, view: View, texts: list[str]) -> list[str]:
        """See `SceneKind`."""
        if person_word(view) is None:
            return []
        return [text for text in texts if len(mentions(text, {"person"})) == 1]


def person_word(view: View) -> str | None:
    """`man`: how the captions name the only person, if they speak of one and it is large enough."""
    if view.labels != ("person",) or len(view.members("person")) != 1:
        return None
    return one_person(view.scene.captions) if view.share("person") >= MIN_PERSON_SHARE else None
