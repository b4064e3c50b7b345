"""Free captions: as they are, and grounded where they name annotated classes."""

from __future__ import annotations

import re

import numpy as np

from engine.text.prompts import Task
from trainer.data.compose.conversation import Conversation, Part, conversation, listed_text
from trainer.data.compose.nouns import CARRIED, capital, indefinite, noun
from trainer.data.compose.segcap import STREET, worn_text
from trainer.data.compose.segmentation import referring
from trainer.data.compose.view import View
from trainer.data.compose.words import Mention, mentions, one_person

MAX_WORDS = 20
MAX_GROUNDED = 5
MIN_PERSON_SHARE = 0.015
_SPACE = re.compile(r"\s+")


def tidy(caption: str) -> str | None:
    """One sentence with a capital and a full stop; None for what is too long or more than one sentence."""
    text = _SPACE.sub(" ", caption).strip().strip('"').rstrip(" .!")
    if not text or len(text.split()) > MAX_WORDS or re.search(r"[.!?;:\"()<>\[\]/#*]", text):
        return None
    if text.isupper():
        text = text.lower()
    return capital(text) + "."


def usable_captions(view: View) -> list[str]:
    """The scene's captions in tidy form, in order."""
    return [text for text in (tidy(caption) for caption in view.scene.captions) if text]


def caption(view: View, rng: np.random.Generator) -> Conversation | None:
    """One of the captions that people wrote, or one composed from the annotation."""
    texts = usable_captions(view)
    if not texts:
        composed = composed_caption(view)
        texts = [composed] if composed else []
    if not texts:
        return None
    text = texts[int(rng.integers(len(texts)))]
    return conversation(Task.CAPTION, [text], wording=int(rng.integers(99)))


def composed_caption(view: View) -> str | None:
    """A caption without masks for the sets that have none."""
    if view.scene.kind == "ccp" and view.labels:
        worn = worn_text(view)
        held = [indefinite(label, view.colour(label)) for label in view.labels if label in CARRIED]
        text = f"A person wearing {worn}" if worn else "A person"
        return text + (f" and carrying {listed_text(held)}." if held and worn else ".")
    if view.scene.kind == "camvid" and view.labels:
        moving = [x for x in ("car", "pedestrian", "bicyclist", "building", "tree") if x in view.labels]
        return f"A street scene with {listed_text(STREET[x] for x in moving)}." if moving else "A street scene."
    return None


def grounded(view: View, text: str, wording: int = 0) -> Conversation | None:
    """A tidy caption with its annotated noun phrases tagged; None if nothing in it can be grounded surely."""
    found = mentions(text, view.labels)
    parts: list[str | Part] = []
    at = 0
    for mention in found:
        masks = view.members(mention.label)
        if not _agrees(view, mention, found, len(masks)):
            continue
        if before := text[at : mention.start].strip():
            parts.append(before)
        parts.append(Part(text[mention.start : mention.end], masks))
        at = mention.end
    if not parts:
        return None
    parts.append(text[at:])
    return conversation(Task.GCG, parts, wording=wording)


def grounded_captions(view: View) -> list[str]:
    """The captions that can be grounded."""
    texts = usable_captions(view)
    if view.scene.kind == "person":
        if person_word(view) is None:
            return []
        texts = [text for text in texts if len(mentions(text, {"person"})) == 1]
    elif view.scene.kind != "coco":
        return []
    return [text for text in texts if grounded(view, text) is not None]


def person_word(view: View) -> str | None:
    """`man`: how the captions name the only person, if they speak of one and it is large enough."""
    if view.scene.kind != "person" or view.labels != ("person",) or len(view.members("person")) != 1:
        return None
    return one_person(view.scene.captions) if view.share("person") >= MIN_PERSON_SHARE else None


def refer_person(view: View, rng: np.random.Generator) -> Conversation | None:
    """`the person` or `the man` where the captions leave no doubt that there is one only."""
    word = person_word(view)
    if word is None:
        return None
    name = f"the {word if rng.random() < 0.5 else noun('person').singular}"
    return referring(name, view.union("person"), int(rng.integers(99)))


def _agrees(view: View, mention: Mention, found: list[Mention], count: int) -> bool:
    """Whether the words and the annotation speak of the same number of things."""
    alone = sum(other.label == mention.label for other in found) == 1
    if not alone or not view.certain(mention.label) or mention.label in view.scene.slivers:
        return False
    if mention.plural:
        return 2 <= count <= MAX_GROUNDED and mention.count in (None, count) or count == 1 and _pair(mention.label)
    return count == 1


def _pair(label: str) -> bool:
    return noun(label).form == "pair"
