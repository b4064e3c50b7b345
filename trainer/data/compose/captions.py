"""Free captions: as they are, and grounded where they name annotated classes."""

from __future__ import annotations

import re

import numpy as np

from engine.text.prompts import Task
from trainer.data.compose.conversation import Conversation, Part, conversation
from trainer.data.compose.nouns import capital, noun
from trainer.data.compose.view import View
from trainer.data.compose.words import Mention, mentions

MAX_WORDS = 20
MAX_GROUNDED = 5
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
        composed = view.kind.caption(view)
        texts = [composed] if composed else []
    if not texts:
        return None
    text = texts[int(rng.integers(len(texts)))]
    return conversation(Task.CAPTION, [text], wording=int(rng.integers(99)))


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
    texts = view.kind.groundable(view, usable_captions(view))
    return [text for text in texts if grounded(view, text) is not None]


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
