"""Grounded answers about photographs that have captions only: what is there is known, its masks are not.

Several captions by several people name what stands out. What two of them name is there; what none of them names is
not, if it is something that nobody would leave out. So the words are learned, whether to refuse among them, from many
more photographs than those with masks.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from engine.text.prompts import Task
from trainer.data.compose.captions import usable_captions
from trainer.data.compose.conversation import Conversation, Part, conversation, listed
from trainer.data.compose.denial import lookalikes
from trainer.data.compose.denial_tables import COCO
from trainer.data.compose.nouns import definite, indefinite, noun
from trainer.data.compose.segmentation import refusal
from trainer.data.compose.view import View
from trainer.data.compose.words import Mention, mentions, one_person, other_names

PRESENT_RATE = 0.6
"""How often a question is about something that is there, where anything is."""
_DENIED_RATE = 0.4
"""How often something is asked for where nothing is there to be asked for, so that refusals don't prevail."""
_AGREED = 2
"""Captions that must name a thing."""
_MOST = 4
"""Objects that a phrase may count."""
_MOST_NAMED = 6
"""Things that an answer about the whole scene names."""

# Percent of the captioned photographs where at least two captions name the class; of classes that no one leaves out.
_STANDS_OUT = {
    "skateboard": 4.2, "surfboard": 4.1, "tennis racket": 3.8, "bus": 3.7, "horse": 3.2, "umbrella": 3.1,
    "motorcycle": 3.0, "kite": 2.7, "skis": 2.7, "train": 2.7, "baseball bat": 2.5, "dog": 2.5, "pizza": 2.5,
    "frisbee": 2.3, "cake": 2.0, "laptop": 1.9, "boat": 1.8, "bed": 1.5, "airplane": 1.2, "elephant": 1.2,
    "snowboard": 1.1, "banana": 0.9, "bicycle": 0.9, "cow": 0.8, "teddy bear": 0.8, "cat": 0.7, "couch": 0.7,
    "donut": 0.7, "fire hydrant": 0.7, "hot dog": 0.7, "giraffe": 0.6, "toilet": 0.6, "sandwich": 0.4,
    "bear": 0.3, "sheep": 0.3, "zebra": 0.3,
}  # fmt: skip


def unmasked_refer(view: View, rng: np.random.Generator) -> Conversation | None:
    """One thing that is named as one thing, or a refusal."""
    present, absent = _present(view), _absent(view)
    if present and (rng.random() < PRESENT_RATE or not absent):
        name = definite(present[int(rng.integers(len(present)))])
        return conversation(Task.REFERRING, [Part(name, (None,))], label=name, wording=int(rng.integers(99)))
    if not absent or (not present and rng.random() >= _DENIED_RATE):
        return None
    name = noun(_drawn(absent, rng)).singular
    return conversation(Task.REFERRING, [refusal(name)], label=f"the {name}", wording=int(rng.integers(99)))


def unmasked_chat(view: View, rng: np.random.Generator) -> Conversation | None:
    """Whether something is in the image."""
    present, absent = _present(view), _absent(view)
    there = bool(present) and (rng.random() < PRESENT_RATE or not absent)
    if not there and (not absent or not present and rng.random() >= _DENIED_RATE):
        return None
    label = present[int(rng.integers(len(present)))] if there else _drawn(absent, rng)
    word = noun(label)
    verb, named = ("Are there", word.plural) if word.form == "pair" else ("Is there", indefinite(label))
    begin = f"Yes, {'there are' if word.form == 'pair' else 'there is'} {named}"
    if not there:
        begin = f"No, {'there are no' if word.form == 'pair' else 'there is no'} {word.singular}"
    return conversation(Task.CONVERSATION, [f"{begin} in the image."], label=f"{verb} {named} in the image?")


def unmasked_panoptic(view: View, rng: np.random.Generator) -> Conversation | None:
    """Everything that two captions name, what most of them name first; other names than those of COCO are known too."""
    counts: Counter[str] = Counter()
    for text in view.scene.captions:
        counts.update({mention.label for mention in mentions(text, COCO)} | other_names(text))
    agreed = [label for label, count in counts.most_common(_MOST_NAMED) if count >= _AGREED]
    if not agreed:
        return None
    plurals = Counter(
        mention.label for text in view.scene.captions for mention in mentions(text, COCO) if mention.plural
    )
    several = {label for label in agreed if 2 * plurals[label] > counts[label]}
    if one_person(view.scene.captions) is None:
        several.add("person")
    parts = [Part(noun(label).plural if label in several else indefinite(label), (None,)) for label in agreed]
    return conversation(Task.PANOPTIC_SEGCAP, ["The image shows", *listed(parts), "."], wording=int(rng.integers(99)))


def unmasked_grounded(view: View, rng: np.random.Generator) -> Conversation | None:
    """A caption with its noun phrases tagged, where it says how many of each there are."""
    texts = [text for text in usable_captions(view) if _tagged(text)]
    if not texts:
        return None
    text = texts[int(rng.integers(len(texts)))]
    parts: list[str | Part] = []
    at = 0
    for mention in _tagged(text):
        if before := text[at : mention.start].strip():
            parts.append(before)
        parts.append(Part(text[mention.start : mention.end], (None,) * (mention.count or 1)))
        at = mention.end
    parts.append(text[at:])
    return conversation(Task.GCG, parts, wording=int(rng.integers(99)))


def _tagged(text: str) -> list[Mention]:
    found = mentions(text, COCO)
    often = Counter(mention.label for mention in found)
    return [
        mention
        for mention in found
        if often[mention.label] == 1 and (not mention.plural or mention.count and mention.count <= _MOST)
    ]


def _present(view: View) -> list[str]:
    """Labels of which the captions name one object; `person` has sets of its own."""
    counts: Counter[str] = Counter()
    several: set[str] = set()
    for text in view.scene.captions:
        found = mentions(text, COCO)
        counts.update({mention.label for mention in found})
        several |= {mention.label for mention in found if mention.plural and noun(mention.label).form != "pair"}
    return [label for label in sorted(counts) if counts[label] >= _AGREED and label not in several | {"person"}]


def _absent(view: View) -> dict[str, float]:
    """Labels that are surely not there, with the weight of drawing each."""
    named = {label for text in view.scene.captions for label in _possible(text)}
    unsafe = lookalikes(named)
    # Two captions or more, or nothing is left out for certain.
    if len(view.scene.captions) <= _AGREED:
        return {}
    return {label: share / (105 - share) for label, share in _STANDS_OUT.items() if label not in unsafe}


def _possible(text: str) -> set[str]:
    """Every class that a word of the text may mean."""
    return {label for label in _STANDS_OUT if mentions(text, {label})}


def _drawn(weights: dict[str, float], rng: np.random.Generator) -> str:
    shares = np.array(list(weights.values()))
    return list(weights)[int(rng.choice(len(weights), p=shares / shares.sum()))]
