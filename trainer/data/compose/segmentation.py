"""Referring, multiple, empty and generic segmentation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from engine.text.prompts import Task
from trainer.data.compose.conversation import Conversation, Part, conversation, listed
from trainer.data.compose.denial import COCO, draw_absent
from trainer.data.compose.nouns import BODY, COLOURED, UNCOLOURED, definite, noun
from trainer.data.compose.segcap import STREET, largest_members, street_name
from trainer.data.compose.view import View
from trainer.data.scene import Kind

MAX_MEMBERS = 10
MIN_INSTANCE_SHARE = 0.001

# About how often what is there is asked for by its colour, if it is of a class that has one, and by its place; what is
# not there is asked for alike, or else such a word alone would tell that there is something.
_QUALIFIED: dict[Kind, tuple[float, float]] = {"coco": (0.5, 0.22), "ccp": (0.45, 0.0)}
_PLACES = ("left {}", "{} on the left", "right {}", "{} on the right", "largest {}")
_COLOURS = (
    *("black",) * 6, *("white",) * 3, *("brown",) * 3, "grey", "grey", "blue", "blue", "green", "red", "beige", "pink",
)  # fmt: skip


def refusal(name: str) -> str:
    """The sentence of an empty target."""
    return f"Sorry, I don't see any {name} in this image."


def targets(view: View) -> list[tuple[str, np.ndarray]]:
    """Every expression that names exactly one region of the scene, with it, grouped by nothing, in order."""
    if view.scene.kind == "ccp":
        return _person_targets(view)
    if view.scene.kind == "camvid":
        found = [(street_name(label), view.union(label)) for label in view.labels]
        people = [view.union(label) for label in ("pedestrian", "bicyclist") if label in view.labels]
        return [*found, ("the people", np.logical_or.reduce(people))] if people else found
    if view.scene.kind == "coco":
        return [target for label in view.labels for target in object_targets(view, label)]
    return []


def object_targets(view: View, label: str) -> list[tuple[str, np.ndarray]]:
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
    out: list[tuple[str, np.ndarray]] = []
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


def refer(view: View, rng: np.random.Generator) -> Conversation | None:
    """One expression that the scene answers; every label is as likely as another."""
    found = targets(view)
    if view.scene.kind == "coco":
        groups = [group for group in (object_targets(view, label) for label in view.labels) if group]
        found = groups[int(rng.integers(len(groups)))] if groups else []
    if not found:
        return None
    name, mask = found[int(rng.integers(len(found)))]
    return referring(name, mask, int(rng.integers(99)))


def referring(name: str, mask: np.ndarray, wording: int = 0) -> Conversation:
    """`<p> the left cup </p> [SEG]`."""
    return conversation(Task.REFERRING, [Part(name, (mask,))], label=name, wording=wording)


def deny(view: View, rng: np.random.Generator, task: Task = Task.REFERRING) -> Conversation | None:
    """The same questions about something that is not there, in the words in which one asks for what is."""
    label = draw_absent(view, rng)
    if label is None:
        return None
    word = noun(label)
    name = word.plural if task == Task.MULTIPLE else word.singular
    if task == Task.REFERRING and view.scene.kind in _QUALIFIED:
        coloured, placed = _QUALIFIED[view.scene.kind]
        if rng.random() < placed:
            return _denied(task, name, f"the {_PLACES[int(rng.integers(len(_PLACES)))].format(name)}", rng)
        plain = UNCOLOURED | BODY if view.scene.kind == "ccp" else COCO.keys() - COLOURED
        if label not in plain and rng.random() < coloured:
            name = f"{_COLOURS[int(rng.integers(len(_COLOURS)))]} {name}"
    if task != Task.MULTIPLE and view.scene.kind == "camvid":
        # Present and absent classes of a street must be asked for in the same words.
        name = street_name(label).removeprefix("the ") if label in STREET or rng.random() < 0.5 else name
    return _denied(task, name, name if task == Task.MULTIPLE else f"the {name}", rng)


def _denied(task: Task, name: str, asked: str, rng: np.random.Generator) -> Conversation:
    return conversation(task, [refusal(name)], label=asked, wording=int(rng.integers(99)))


def multiple(view: View, label: str, wording: int = 0) -> Conversation | None:
    """`<p> people </p> [SEG] [SEG]`: every object of a class, left to right."""
    masks = largest_members(view, label, MAX_MEMBERS)
    if not masks or not view.certain(label):
        return None
    name = noun(label).plural
    return conversation(Task.MULTIPLE, [Part(name, masks)], label=name, wording=wording)


def semantic(view: View, wording: int = 0) -> Conversation | None:
    """Every class with one mask each."""
    if view.scene.kind not in ("ccp", "camvid", "coco") or not view.main_labels:
        return None
    parts = [Part(noun(label).singular, (view.union(label),)) for label in view.main_labels[:12]]
    return conversation(Task.SEMANTIC, listed(parts, last=","), wording=wording)


def instance(view: View, wording: int = 0) -> Conversation | None:
    """Every object with a mask of its own: class by class, left to right, the ten largest."""
    if view.scene.kind != "coco":
        return None
    objects = [
        (number, place, mask)
        for number, label in enumerate(view.labels)
        for place, mask in enumerate(view.members(label))
        if view.share_of(mask) >= MIN_INSTANCE_SHARE
    ]
    kept = sorted(sorted(objects, key=lambda entry: -np.count_nonzero(entry[2]))[:MAX_MEMBERS], key=lambda e: e[:2])
    if not kept:
        return None
    parts = [Part(noun(view.labels[number]).singular, (mask,)) for number, _, mask in kept]
    return conversation(Task.INSTANCE, listed(parts, last=","), wording=wording)


def _person_targets(view: View) -> list[tuple[str, np.ndarray]]:
    if not view.labels:
        return []
    out = [("the person", view.person)]
    for label in view.labels:
        out.append((definite(label), view.union(label)))
        colour = view.colour(label)
        if colour and label not in BODY:
            out.append((definite(label, colour), view.union(label)))
    return out
