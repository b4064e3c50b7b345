"""Scenes -> training conversations of all eight task families.

`conversations` draws a random, balanced sample; `reference` writes the one canonical answer that evaluation
compares with. The answers are composed from the annotation: nothing in the sets links phrases to masks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.text.grammar import parse
from engine.text.prompts import Task
from trainer.data.compose.captions import caption, grounded, grounded_captions, refer_person
from trainer.data.compose.conversation import Conversation
from trainer.data.compose.reasoning import reason_about
from trainer.data.compose.segcap import fine_person, fine_thing, gcg, panoptic
from trainer.data.compose.segmentation import deny, instance, multiple, refer, semantic
from trainer.data.compose.text import chat, random_region
from trainer.data.compose.unmasked import unmasked_chat, unmasked_grounded, unmasked_refer
from trainer.data.compose.view import View
from trainer.data.scene import Kind, Scene

__all__ = ["Conversation", "conversations", "reference", "reference_labels"]

PRESENT_RATE: dict[Kind, float] = {"ccp": 0.55, "coco": 0.55, "camvid": 0.7}
"""How often a question for one thing is about something that is there; a street lacks few classes."""

_UNIQUE = frozenset({"sky", "road", "pavement"})  # no one asks for all of these

_Maker = Callable[[View, np.random.Generator], Conversation | None]


def conversations(scene: Scene, rng: np.random.Generator) -> list[Conversation]:
    """A random sample of what can be asked about a scene, each at most once; what is always asked comes first."""
    view = View(scene)
    always, some, count = _PLANS[scene.kind]
    chosen = list(always) + [some[int(i)] for i in rng.permutation(len(some))[:count]]
    made = [maker(view, rng) for maker in chosen]
    out: dict[tuple[str, str], Conversation] = {}
    for entry in made:
        if entry is not None:
            out.setdefault((entry.task, entry.instruction), entry)
    return list(out.values())


def reference(scene: Scene, task: Task) -> Conversation | None:
    """The canonical conversation of a task, or None if the scene has none; nothing in it is random."""
    view = View(scene)
    makers: dict[Task, Callable[[View], Conversation | None]] = {
        Task.PANOPTIC_SEGCAP: panoptic,
        Task.FINE_SEGCAP: fine_person,
        Task.GCG: gcg,
        Task.SEMANTIC: semantic,
        Task.INSTANCE: instance,
    }
    return makers[task](view) if task in makers else None


def reference_labels(entry: Conversation) -> tuple[str, ...]:
    """The phrase of every mask, in order."""
    names = [""] * len(entry.masks)
    for phrase in parse(entry.answer).phrases:
        for seg in phrase.segs:
            names[seg] = phrase.text
    return tuple(names)


def _wording(rng: np.random.Generator) -> int:
    return int(rng.integers(99))


def _panoptic(view: View, rng: np.random.Generator) -> Conversation | None:
    return panoptic(view, _wording(rng))


def _fine_person(view: View, rng: np.random.Generator) -> Conversation | None:
    return fine_person(view, _wording(rng))


def _fine_thing(view: View, rng: np.random.Generator) -> Conversation | None:
    labels = [label for label in view.main_labels if view.certain(label)]
    if view.scene.kind == "coco":
        # What a person wears is not annotated there; "in the centre of the image" would unlearn the answer of ccp.
        labels = [label for label in labels if label != "person" or len(view.members(label)) > 1]
    if not labels:
        return None
    label = labels[int(rng.integers(len(labels)))]
    # The phrases of a panoptic answer, from which such questions come, have colours where they can be told.
    return fine_thing(view, label, _wording(rng), coloured=rng.random() < 0.7)


def _gcg(view: View, rng: np.random.Generator) -> Conversation | None:
    texts = grounded_captions(view)
    if texts and (view.scene.kind == "person" or rng.random() < 0.5):
        return grounded(view, texts[int(rng.integers(len(texts)))], _wording(rng))
    return gcg(view, _wording(rng))


def _refer(view: View, rng: np.random.Generator) -> Conversation | None:
    if view.scene.kind == "person":
        return refer_person(view, rng)
    present = rng.random() < PRESENT_RATE.get(view.scene.kind, 1.0)
    return (refer(view, rng) if present else deny(view, rng)) or refer(view, rng)


def _multiple(view: View, rng: np.random.Generator) -> Conversation | None:
    labels = [label for label in view.labels if view.certain(label) and label not in _UNIQUE]
    if not labels or rng.random() >= PRESENT_RATE.get(view.scene.kind, 1.0):
        return deny(view, rng, Task.MULTIPLE)
    return multiple(view, labels[int(rng.integers(len(labels)))], _wording(rng))


def _semantic(view: View, rng: np.random.Generator) -> Conversation | None:
    return semantic(view, _wording(rng))


def _instance(view: View, rng: np.random.Generator) -> Conversation | None:
    return instance(view, _wording(rng))


# Per set: what is always asked, what may be asked, and how many of the latter. Questions for one thing come several
# times: whether to answer or to refuse is one word an answer, so it takes many of them to learn.
_PLANS: dict[Kind, tuple[tuple[_Maker, ...], tuple[_Maker, ...], int]] = {
    "ccp": (
        (_panoptic, _fine_person, *(_refer,) * 3),
        (_refer, _fine_thing, _gcg, _multiple, reason_about, _semantic, caption, random_region, chat),
        4,
    ),
    "camvid": (
        (_panoptic, *(_refer,) * 3),
        (_refer, _fine_thing, _multiple, reason_about, _semantic, caption, chat),
        3,
    ),
    "coco": (
        (_panoptic, _gcg, *(_refer,) * 6),
        (_multiple, _fine_thing, _multiple, reason_about, _semantic, _instance, caption, random_region, chat),
        5,
    ),
    "person": ((_gcg, _refer, caption), (), 0),
    "captions": (
        (caption, caption, *(unmasked_refer,) * 5),
        (unmasked_chat, unmasked_chat, unmasked_grounded),
        2,
    ),
}
