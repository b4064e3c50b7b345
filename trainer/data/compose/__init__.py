"""Scenes -> training conversations of all eight task families.

`conversations` draws a random, balanced sample; `reference` writes the one canonical answer that evaluation
compares with. The answers are composed from the annotation: nothing in the sets links phrases to masks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.text.grammar import parse
from engine.text.prompts import Task
from trainer.data.compose.captions import caption, grounded, grounded_captions
from trainer.data.compose.conversation import Conversation
from trainer.data.compose.kinds.base import Question
from trainer.data.compose.reasoning import reason_about
from trainer.data.compose.segcap import fine_thing, fine_whole, gcg, panoptic
from trainer.data.compose.segmentation import deny, instance, multiple, refer, semantic
from trainer.data.compose.text import chat, random_region
from trainer.data.compose.unmasked import unmasked_chat, unmasked_grounded, unmasked_panoptic, unmasked_refer
from trainer.data.compose.view import View
from trainer.data.scene import Scene

__all__ = ["Conversation", "conversations", "reference", "reference_labels"]

_UNIQUE = frozenset({"sky", "road", "pavement", "street"})  # no one asks for all of these

_ANY_ORDER = 0.25
"""How often an answer about a scene without canonical order names things in any order, so that what it has named is
told from its words, and not from how far it has come."""

_Maker = Callable[[View, np.random.Generator], Conversation | None]


def conversations(scene: Scene, rng: np.random.Generator) -> list[Conversation]:
    """A random sample of what can be asked about a scene, each at most once; what is always asked comes first."""
    view = View(scene)
    plan = view.kind.plan
    chosen = list(plan.always) + [plan.some[int(i)] for i in rng.permutation(len(plan.some))[: plan.count]]
    made = [_MAKERS[question](view, rng) for question in chosen]
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
        Task.FINE_SEGCAP: fine_whole,
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
    if not view.kind.order and rng.random() < _ANY_ORDER:
        view = view.reordered(rng)
    return panoptic(view, _wording(rng))


def _fine_whole(view: View, rng: np.random.Generator) -> Conversation | None:
    return fine_whole(view, _wording(rng))


def _fine_thing(view: View, rng: np.random.Generator) -> Conversation | None:
    labels = view.kind.fine_labels(view)
    if not labels:
        return None
    label = labels[int(rng.integers(len(labels)))]
    # The phrases of a panoptic answer, from which such questions come, have colours where they can be told.
    return fine_thing(view, label, _wording(rng), coloured=rng.random() < 0.7)


def _gcg(view: View, rng: np.random.Generator) -> Conversation | None:
    texts = grounded_captions(view)
    composed = gcg(view, _wording(rng))
    if texts and (composed is None or rng.random() < 0.5):
        return grounded(view, texts[int(rng.integers(len(texts)))], _wording(rng))
    return composed


def _refer(view: View, rng: np.random.Generator) -> Conversation | None:
    present = rng.random() < view.kind.present_rate
    return (refer(view, rng) if present else deny(view, rng)) or refer(view, rng)


def _multiple(view: View, rng: np.random.Generator) -> Conversation | None:
    labels = [label for label in view.labels if view.certain(label) and label not in _UNIQUE]
    if not labels or rng.random() >= view.kind.present_rate:
        return deny(view, rng, Task.MULTIPLE)
    return multiple(view, labels[int(rng.integers(len(labels)))], _wording(rng))


def _semantic(view: View, rng: np.random.Generator) -> Conversation | None:
    return semantic(view, _wording(rng))


def _instance(view: View, rng: np.random.Generator) -> Conversation | None:
    return instance(view, _wording(rng))


_MAKERS: dict[Question, _Maker] = {
    "panoptic": _panoptic,
    "fine whole": _fine_whole,
    "fine thing": _fine_thing,
    "gcg": _gcg,
    "refer": _refer,
    "multiple": _multiple,
    "reasoning": reason_about,
    "semantic": _semantic,
    "instance": _instance,
    "caption": caption,
    "region": random_region,
    "chat": chat,
    "unmasked panoptic": unmasked_panoptic,
    "unmasked refer": unmasked_refer,
    "unmasked chat": unmasked_chat,
    "unmasked gcg": unmasked_grounded,
}
