"""Reasoning segmentation: questions that describe a use or a nature instead of naming the thing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.text.prompts import Task
from trainer.data.compose.conversation import Conversation, Part, conversation, listed
from trainer.data.compose.denial import surely_absent
from trainer.data.compose.kinds.objects import MAX_INSTANCES
from trainer.data.compose.nouns import capital
from trainer.data.compose.phrases import largest_members
from trainer.data.compose.segmentation import refusal
from trainer.data.compose.view import View


@dataclass(frozen=True, slots=True)
class Reason:
    """A question, the set where it is asked, the labels that answer it, and what is said of them."""

    asked: str
    labels: tuple[str, ...]
    question: str
    plural: str
    singular: str


def _reason(asked: str, labels: str, question: str, plural: str, singular: str) -> Reason:
    return Reason(asked, tuple(labels.split(",")), question, plural, singular)


_FOOTWEAR = "shoes,boots,sneakers,sandals,heels,pumps,flats,loafers,wedges"

REASONS: tuple[Reason, ...] = (
    _reason("ccp", _FOOTWEAR, "What protects the person's feet?", "protect the feet", "protects the feet"),
    _reason("ccp", "sunglasses", "What protects the eyes from the sun?", "protect the eyes from the sun", ""),
    _reason("ccp", "glasses", "What helps the person to see clearly?", "help the person to see", ""),
    _reason("ccp", "hat", "What keeps the sun off the person's head?", "", "covers the head"),
    _reason("ccp", "bag,purse", "Where could the person keep a phone and keys?", "", "can hold small things"),
    _reason("ccp", "wallet", "Where could the person keep money?", "", "can hold money"),
    _reason("ccp", "coat,jacket,cape", "What would keep the person warm in winter?", "", "keeps the body warm"),
    _reason("ccp", "scarf", "What keeps the person's neck warm?", "", "keeps the neck warm"),
    _reason("ccp", "gloves", "What keeps the person's hands warm?", "keep the hands warm", ""),
    _reason("ccp", "belt", "What holds the trousers or dress at the waist?", "", "is worn around the waist"),
    _reason("ccp", "watch", "What tells the person the time?", "", "tells the time"),
    _reason("ccp", "necklace", "Which jewellery is worn around the neck?", "", "is worn around the neck"),
    _reason("ccp", "bracelet", "Which jewellery is worn around the wrist?", "", "is worn around the wrist"),
    _reason("ccp", "pants,jeans", "What covers both legs of the person?", "cover the legs", "covers the legs"),
    _reason("ccp", "skirt,dress", "Which garment hangs loosely around the legs?", "", "hangs around the legs"),
    _reason("ccp", "hair", "What grows on the person's head?", "", "grows on the head"),
    _reason("ccp", "skin", "Which part of the person is not covered by clothes?", "", "is not covered by clothes"),
    _reason("ccp", "socks,stockings,tights", "What is worn inside the shoes?", "cover the legs and feet", ""),
    _reason("ccp", "tie", "What is knotted around the collar of a shirt?", "", "is knotted around the collar"),
    _reason("camvid", "road", "Where can vehicles drive?", "", "is made for vehicles"),
    _reason("camvid", "pavement", "Where is it safe to walk?", "", "is made for walking"),
    _reason("camvid", "car", "What could carry people along the road?", "can carry people along the road", ""),
    _reason("camvid", "sky", "Where could clouds be seen?", "", "is where clouds are seen"),
    _reason("camvid", "building", "Where do people live and work?", "are where people live and work", ""),
    _reason("camvid", "tree", "What gives shade and clean air?", "give shade and clean air", ""),
    _reason("camvid", "sign", "What tells drivers the rules?", "tell drivers the rules", ""),
    _reason("camvid", "pedestrian", "Who should a driver watch for when they cross?", "may cross the road", ""),
    _reason("camvid", "bicyclist", "Who moves along the street without an engine?", "ride without an engine", ""),
    _reason("camvid", "pole", "What holds up the street lights?", "hold up lights and signs", ""),
    _reason("camvid", "fence", "What keeps people out of a property?", "", "keeps people out"),
    _reason("coco", "bus,train", "What carries many passengers at once?", "carry many people", "carries many people"),
    _reason("coco", "bicycle", "What moves by pedalling?", "move by pedalling", "moves by pedalling"),
    _reason("coco", "airplane", "What can fly to another country?", "can fly far away", "can fly far away"),
    _reason("coco", "boat", "What floats on water?", "float on water", "floats on water"),
    _reason("coco", "umbrella", "What keeps the rain off?", "keep the rain off", "keeps the rain off"),
    _reason("coco", "chair,couch,bench", "Where can someone sit down?", "are made to sit on", "is made to sit on"),
    _reason("coco", "bed", "Where can someone sleep?", "are made to sleep in", "is made to sleep in"),
    _reason("coco", "dog", "Which animal barks?", "bark", "barks"),
    _reason("coco", "cat", "Which animal purrs?", "purr", "purrs"),
    _reason("coco", "zebra", "Which animal has black and white stripes?", "have stripes", "has stripes"),
    _reason("coco", "giraffe", "Which animal has a very long neck?", "have a long neck", "has a long neck"),
    _reason("coco", "elephant", "Which animal has a trunk?", "have a trunk", "has a trunk"),
    _reason("coco", "person", "Who could answer a question?", "can speak", "can speak"),
    _reason("coco", "pizza,cake,sandwich,donut,hot dog", "What could be eaten?", "can be eaten", "can be eaten"),
    _reason("coco", "cup,bottle,wine glass", "What could hold a drink?", "can hold a drink", "can hold a drink"),
    _reason("coco", "knife,scissors", "What could be used to cut?", "can cut", "can cut"),
    _reason("coco", "clock", "What tells the time?", "tell the time", "tells the time"),
    _reason("coco", "laptop,tv", "What has a screen to look at?", "have a screen", "has a screen"),
    _reason("coco", "refrigerator", "What keeps food cold?", "keep food cold", "keeps food cold"),
    _reason("coco", "oven,microwave,toaster", "What makes food hot?", "make food hot", "makes food hot"),
    _reason("coco", "traffic light,stop sign", "What tells drivers to stop?", "stop the traffic", "stops the traffic"),
    _reason("coco", "teddy bear", "Which toy would a child hug?", "are soft toys", "is a soft toy"),
    _reason("coco", "skateboard,surfboard,snowboard", "What does someone balance on for sport?",
            "are used to balance on", "is used to balance on"),
    _reason("coco", "backpack,handbag,suitcase", "What could hold clothes for a journey?",
            "can hold things", "can hold things"),
)  # fmt: skip


def reasoning(view: View, reason: Reason, wording: int = 0) -> Conversation | None:
    """The question's answer if something answers it, a refusal if surely nothing does, else None."""
    if view.kind.reasons != reason.asked:
        return None
    found = [label for label in view.labels if label in reason.labels]
    if not found:
        if not all(surely_absent(view, label) for label in reason.labels):
            return None
        name = view.kind.name(reason.labels[0]).removeprefix("the ")
        return conversation(Task.REASONING, [refusal(name)], label=reason.question, wording=wording)
    unclear = set(reason.labels) & (view.traces - set(found) | set(view.scene.crowds))
    counts = [len(view.members(label)) for label in found]
    if unclear or max(counts) > MAX_INSTANCES:
        return None
    parts = []
    for number, label in enumerate(found):
        phrase = view.kind.reason_name(view, label)
        masks = largest_members(view, label, MAX_INSTANCES)
        parts.append(Part(phrase if number else capital(phrase), masks))
    many = len(found) > 1 or counts[0] > 1 or view.kind.is_many(found[0])
    # Some entries have one form only: everything that answers them has that number.
    tail = (reason.plural or _to_plural(reason.singular)) if many else (reason.singular or reason.plural)
    return conversation(Task.REASONING, [*listed(parts), tail + "."], label=reason.question, wording=wording)


def reason_about(view: View, rng: np.random.Generator) -> Conversation | None:
    """A random question, answered about twice as often as refused."""
    usable = [reasoning(view, reason, int(rng.integers(99))) for reason in REASONS]
    answered = [entry for entry in usable if entry is not None and entry.masks]
    refused = [entry for entry in usable if entry is not None and not entry.masks]
    chosen = answered if answered and (not refused or rng.random() < 0.65) else refused
    return chosen[int(rng.integers(len(chosen)))] if chosen else None


def _to_plural(singular: str) -> str:
    """`covers the legs` -> `cover the legs`, `is worn` -> `are worn`."""
    verb, _, rest = singular.partition(" ")
    irregular = {"is": "are", "has": "have", "can": "can"}
    return f"{irregular.get(verb, verb.removesuffix('s'))} {rest}"
