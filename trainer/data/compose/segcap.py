"""Captions with interleaved masks: panoptic and fine-grained SegCap, and grounded conversation generation (GCG)."""

from __future__ import annotations

import numpy as np

from engine.text.prompts import Task
from trainer.data.compose.conversation import Conversation, Part, conversation, listed, listed_text
from trainer.data.compose.nouns import (
    BODY,
    CARRIED,
    LOWER,
    capital,
    counted,
    definite,
    indefinite,
    is_plural,
    noun,
)
from trainer.data.compose.view import View

MAX_CLASSES = 8
MAX_INSTANCES = 5

STREET = {
    "sky": "the sky", "building": "buildings", "tree": "trees", "road": "the road", "pavement": "the pavement",
    "fence": "a fence", "pole": "poles", "sign": "signs", "car": "cars", "pedestrian": "pedestrians",
    "bicyclist": "bicyclists",
}  # fmt: skip
"""How a class of a street, all of it in one mask, is named."""


def panoptic(view: View, wording: int = 0) -> Conversation | None:
    """The whole scene, one mask a phrase."""
    parts = {"ccp": _panoptic_person, "camvid": _street, "coco": _objects}.get(view.scene.kind, _nothing)(view)
    return conversation(Task.PANOPTIC_SEGCAP, parts, wording=wording) if parts else None


def fine_person(view: View, wording: int = 0) -> Conversation | None:
    """The person of a fashion photograph and everything that is worn, a mask each."""
    if view.scene.kind != "ccp" or not view.labels:
        return None
    clauses: list[list[str | Part]] = []
    worn = [label for label in view.labels if label not in BODY | CARRIED]
    for verb, labels in (
        ("has", [label for label in view.labels if label in BODY]),
        ("wears", worn),
        ("carries", [label for label in view.labels if label in CARRIED]),
    ):
        if labels:
            parts = (Part(indefinite(label, view.colour(label)), (view.union(label),)) for label in labels)
            clauses.append([verb, *listed(parts)])
    out: list[str | Part] = [Part("The person", (view.person,))]
    for number, clause in enumerate(clauses):
        if number:
            out.append(",")
            out.extend(["and"] if number == len(clauses) - 1 else [])
        out.extend(clause)
    return conversation(Task.FINE_SEGCAP, [*out, "."], label="the person", wording=wording)


def fine_thing(view: View, label: str, wording: int = 0, *, coloured: bool = False) -> Conversation | None:
    """One garment, class, object or all objects of a kind: what colour it has and where it is.

    If `coloured`, a single one is asked for by its colour, as questions do that come from a panoptic answer.
    """
    kind, masks = view.scene.kind, view.members(label)
    if kind not in ("ccp", "camvid", "coco") or not masks:
        return None
    colour, mask = view.colour(label), view.union(label)
    name = asked = definite(label)
    if kind == "camvid":
        name = asked = street_name(label)
        verb, said = "are" if name.endswith("s") else "is", [f"{spread(mask)} of the image"]
    elif len(masks) > 1:
        name = asked = f"the {noun(label).plural}"
        verb, said = "is" if noun(label).form == "mass" else "are", [f"{spread(mask)} of the image"]
    else:
        verb, said = "are" if is_plural(label) else "is", [colour] if colour and label != "skin" else []
        if kind == "coco":
            said.append(f"{view.place(mask)} of the image")
        else:
            worn = "part of" if label in BODY else "carried by" if label in CARRIED else "worn by"
            said.append(f"{worn} the person")
        if coloured and label not in BODY:
            asked = definite(label, colour)
    text = f"{verb} {' and '.join(said)}."
    return conversation(Task.FINE_SEGCAP, [Part(capital(name), (mask,)), text], label=asked, wording=wording)


def gcg(view: View, wording: int = 0) -> Conversation | None:
    """A short description with a mask per instance (COCO) or per large garment (fashion)."""
    kind = view.scene.kind
    if kind == "ccp" and view.labels:
        worn = [label for label in view.labels if label not in BODY | CARRIED]
        largest = set(sorted(worn, key=view.share, reverse=True)[:3])
        parts = [Part(indefinite(x, view.colour(x)), (view.union(x),)) for x in worn if x in largest]
        text: list[str | Part] = ["The image shows", Part("a person", (view.person,))]
        return conversation(Task.GCG, [*text, *(["wearing", *listed(parts)] if parts else []), "."], wording=wording)
    if kind != "coco" or not view.main_labels:
        return None
    parts = []
    for label in view.main_labels[:MAX_CLASSES]:
        members = largest_members(view, label, MAX_INSTANCES)
        parts.append(Part(amount(view, label), members))
    return conversation(Task.GCG, ["The image shows", *listed(parts), "."], wording=wording)


def amount(view: View, label: str) -> str:
    """`a red bus`, `two people`, `several chairs`."""
    count = len(view.members(label))
    if count > 1 and not view.certain(label):
        count = 99
    return counted(label, count, view.colour(label))


def largest_members(view: View, label: str, limit: int) -> tuple[np.ndarray, ...]:
    """At most `limit` of the label's masks, the largest ones, left to right."""
    members = view.members(label)
    kept = set(sorted(range(len(members)), key=lambda i: -np.count_nonzero(members[i]))[:limit])
    return tuple(mask for number, mask in enumerate(members) if number in kept)


def street_name(label: str) -> str:
    """`the road`, `the cars`."""
    return f"the {STREET.get(label, noun(label).plural).removeprefix('the ').removeprefix('a ')}"


def spread(mask: np.ndarray) -> str:
    """Where a class-level mask lies: at one side, or over the whole width."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    height, width = mask.shape
    middle = float(mask.sum(axis=1) @ np.arange(height)) / float(max(1, np.count_nonzero(mask)) * height)
    level = "at the top" if middle < 0.4 else "at the bottom" if middle > 0.6 else "in the middle"
    if not len(rows) or columns[-1] - columns[0] > 0.5 * width:
        return level
    centre = (columns[0] + columns[-1]) / 2 / width
    return "on the left" if centre < 0.37 else "on the right" if centre > 0.63 else level


def worn_text(view: View) -> str:
    """What the person wears, as text: at most the four largest, from the head down."""
    worn = [label for label in view.labels if label not in BODY | CARRIED]
    largest = set(sorted(worn, key=view.share, reverse=True)[:4])
    return listed_text(indefinite(label, view.colour(label)) for label in worn if label in largest)


def _panoptic_person(view: View) -> list[str | Part]:
    if not view.labels:
        return []
    verb = "stands" if LOWER & set(view.labels) else "is"
    worn = worn_text(view)
    tail = f"{verb} {view.place(view.person)} of the image" + (f", wearing {worn}." if worn else ".")
    return [Part("A person", (view.person,)), tail]


def _street(view: View) -> list[str | Part]:
    parts = [Part(STREET.get(x, noun(x).plural), (view.union(x),)) for x in view.labels]
    return ["The image shows a street scene with", *listed(parts), "."] if parts else []


def _objects(view: View) -> list[str | Part]:
    labels = view.main_labels[:MAX_CLASSES]
    out: list[str | Part] = []
    for number, label in enumerate(labels):
        if number:
            out.append("and" if number == len(labels) - 1 else ",")
        out.append(Part(amount(view, label), (view.union(label),)))
        if len(view.members(label)) == 1:
            out.append(view.place(view.union(label)))
    return ["The image shows", *out, "."] if out else []


def _nothing(view: View) -> list[str | Part]:
    return []
