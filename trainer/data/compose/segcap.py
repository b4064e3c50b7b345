"""Captions with interleaved masks: panoptic and fine-grained SegCap, and grounded conversation generation (GCG)."""

from __future__ import annotations

from engine.text.prompts import Task
from trainer.data.compose.conversation import Conversation, Part, conversation
from trainer.data.compose.nouns import BODY, capital, definite, noun
from trainer.data.compose.view import View


def panoptic(view: View, wording: int = 0) -> Conversation | None:
    """The whole scene, one mask a phrase."""
    parts = view.kind.panoptic(view)
    return conversation(Task.PANOPTIC_SEGCAP, parts, wording=wording) if parts else None


def fine_whole(view: View, wording: int = 0) -> Conversation | None:
    """What all the parts belong to, and the parts: a person and all that is worn, a building, a car."""
    found = view.kind.whole(view)
    return conversation(Task.FINE_SEGCAP, found, label=view.kind.subject, wording=wording) if found else None


def fine_thing(view: View, label: str, wording: int = 0, *, coloured: bool = False) -> Conversation | None:
    """One garment, class, object or all objects of a kind: what colour it has and where it is.

    If `coloured`, a single one is asked for by its colour, as questions do that come from a panoptic answer.
    """
    count, told = len(view.members(label)), view.kind.told(view, label) if view.members(label) else ""
    if not told:
        return None
    name = asked = view.kind.name(label, count)
    if coloured and label not in BODY and (colour := view.colour(label)):
        asked = definite(label, colour)
    many = view.kind.is_many(label) or count > 1 and noun(label).form != "mass"
    text = f"{'are' if many else 'is'} {told}."
    return conversation(
        Task.FINE_SEGCAP, [Part(capital(name), (view.union(label),)), text], label=asked, wording=wording
    )


def gcg(view: View, wording: int = 0) -> Conversation | None:
    """A short description with a mask for each thing."""
    parts = view.kind.gcg(view)
    return conversation(Task.GCG, parts, wording=wording) if parts else None
