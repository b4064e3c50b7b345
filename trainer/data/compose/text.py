"""Answers without masks: region captions and short questions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.text.prompts import Box, Task
from trainer.data.compose.conversation import Conversation, conversation
from trainer.data.compose.denial import draw_absent
from trainer.data.compose.kinds.base import Chat
from trainer.data.compose.nouns import BODY, UNCOLOURED, capital, counted, definite, indefinite, is_plural, noun
from trainer.data.compose.phrases import worn_text
from trainer.data.compose.view import View

MIN_REGION_SHARE = 0.004


def region(view: View, label: str, mask: np.ndarray, wording: int = 0) -> Conversation | None:
    """What is in the box of one region."""
    name = view.kind.region(view, label, mask)
    box = _box(mask)
    if not name or box is None:
        return None
    return conversation(Task.REGION, [capital(name) + "."], box=box, wording=wording)


def random_region(view: View, rng: np.random.Generator) -> Conversation | None:
    """The region caption of one object or garment."""
    found = [
        (label, mask)
        for label in view.labels
        for mask in view.members(label)
        if view.share_of(mask) >= MIN_REGION_SHARE
    ]
    if not found:
        return None
    label, mask = found[int(rng.integers(len(found)))]
    return region(view, label, mask, int(rng.integers(99)))


def chat(view: View, rng: np.random.Generator) -> Conversation | None:
    """One short question and its answer."""
    kinds = view.kind.chat
    if not kinds:
        return None
    pair = _MAKERS[kinds[int(rng.integers(len(kinds)))]](view, rng)
    return conversation(Task.CONVERSATION, [pair[1]], label=pair[0]) if pair else None


def _worn(view: View, rng: np.random.Generator) -> tuple[str, str] | None:
    worn = worn_text(view)
    return ("What is the person wearing?", f"The person is wearing {worn}.") if worn else None


def _colour(view: View, rng: np.random.Generator) -> tuple[str, str] | None:
    found = [label for label in view.labels if view.colour(label) and label not in UNCOLOURED]
    if not found:
        return None
    label = found[int(rng.integers(len(found)))]
    verb = "are" if is_plural(label) else "is"
    name = definite(label)
    return f"What colour {verb} {name}?", f"{capital(name)} {verb} {view.colour(label)}."


def _count(view: View, rng: np.random.Generator) -> tuple[str, str] | None:
    if "person" in view.traces and (not view.certain("person") or "person" in view.scene.slivers):
        return None
    found = [label for label in view.main_labels if view.certain(label) and noun(label).form == "count"]
    label = found[int(rng.integers(len(found)))] if found and rng.random() < 0.5 else "person"
    if label in view.scene.slivers:
        return None
    members = len(view.members(label))
    question = f"How many {noun(label).plural} are in the image?"
    if members == 0:
        return question, f"There are no {noun(label).plural} in the image."
    if members == 1:
        return question, f"There is one {noun(label).singular} in the image."
    return question, f"There are {counted(label, members)} in the image."


def _existence(view: View, rng: np.random.Generator) -> tuple[str, str] | None:
    """Yes and no are equally likely where both can be said."""
    absent = draw_absent(view, rng) if rng.random() < 0.5 else None
    labels = [label for label in view.labels if label not in BODY]
    if absent is None and not labels:
        return None
    label = absent or labels[int(rng.integers(len(labels)))]
    word = noun(label)
    many = view.kind.is_many(label)
    if many and word.form != "mass":
        thing, question = word.plural, f"Are there {word.plural} in the image?"
    else:
        many = False
        article = "any " if word.form == "mass" else ""
        named = word.singular if word.form == "mass" else indefinite(label)
        thing, question = word.singular, f"Is there {article}{named} in the image?"
    verb = "are" if many else "is"
    if absent:
        return question, f"No, there {verb} no {thing} in the image."
    named = thing if many or word.form == "mass" else indefinite(label)
    return question, f"Yes, there {verb} {named} in the image."


_MAKERS: dict[Chat, Callable[[View, np.random.Generator], tuple[str, str] | None]] = {
    "worn": _worn,
    "colour": _colour,
    "count": _count,
    "existence": _existence,
}


def _box(mask: np.ndarray) -> Box | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    height, width = mask.shape
    return Box(
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )
