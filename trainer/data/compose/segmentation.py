"""Referring, multiple, empty and generic segmentation."""

from __future__ import annotations

import numpy as np

from engine.text.prompts import Task
from trainer.data.compose.conversation import Conversation, Part, conversation, listed
from trainer.data.compose.denial import draw_absent
from trainer.data.compose.nouns import noun
from trainer.data.compose.phrases import largest_members
from trainer.data.compose.view import View

MAX_MEMBERS = 10
MIN_INSTANCE_SHARE = 0.001

_PLACES = ("left {}", "{} on the left", "right {}", "{} on the right", "largest {}")
_COLOURS = (
    *("black",) * 6, *("white",) * 3, *("brown",) * 3, "grey", "grey", "blue", "blue", "green", "red", "beige", "pink",
)  # fmt: skip


def refusal(name: str) -> str:
    """The sentence of an empty target."""
    return f"Sorry, I don't see any {name} in this image."


def refer(view: View, rng: np.random.Generator) -> Conversation | None:
    """One expression that the scene answers; every label is as likely as another."""
    groups = view.kind.targets(view)
    if not groups:
        return None
    found = groups[int(rng.integers(len(groups)))]
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
    if task == Task.MULTIPLE:
        name = noun(label).plural
        return _denied(task, name, name, rng)
    name = view.kind.absent_name(label, rng)
    coloured, placed = view.kind.qualified
    if rng.random() < placed:
        return _denied(task, name, f"the {_PLACES[int(rng.integers(len(_PLACES)))].format(name)}", rng)
    if label not in view.kind.uncoloured and rng.random() < coloured:
        name = f"{_COLOURS[int(rng.integers(len(_COLOURS)))]} {name}"
    return _denied(task, name, f"the {name}", rng)


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
    if not view.kind.listed or not view.main_labels:
        return None
    parts = [Part(noun(label).singular, (view.union(label),)) for label in view.main_labels[:12]]
    return conversation(Task.SEMANTIC, listed(parts, last=","), wording=wording)


def instance(view: View, wording: int = 0) -> Conversation | None:
    """Every object with a mask of its own: class by class, left to right, the ten largest."""
    if not view.kind.apart:
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
