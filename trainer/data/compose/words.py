"""The words of free captions that name annotated classes, and finding them in a sentence."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from trainer.data.compose.denial_tables import COCO
from trainer.data.compose.nouns import noun
from trainer.data.imagenet import spoken_names

_PERSON = (
    "man woman boy girl person child kid lady guy baby toddler player surfer skier snowboarder skateboarder rider "
    "cyclist bicyclist batter pitcher catcher umpire chef male female gentleman pedestrian officer skater athlete "
    "swimmer biker motorcyclist policeman worker farmer cowboy bride groom student teenager infant adult"
).split()
_PEOPLE_IRREGULAR = {
    "man": "men", "woman": "women", "child": "children", "lady": "ladies", "baby": "babies", "person": "people",
    "gentleman": "gentlemen", "policeman": "policemen",
}  # fmt: skip
_PERSON_PLURAL = [_PEOPLE_IRREGULAR.get(word, word + "s") for word in _PERSON] + ["persons", "teens"]
_SEVERAL_PEOPLE = frozenset(
    "another others other crowd group couple family team friends audience spectators two three four five six several "
    "many some pair each someone everyone anyone crowds groups couples families players fans bunch both people's "
    "mother father mom dad parent parents son daughter brother sister husband wife friend twins class band army "
    "tourists soldiers passengers shoppers workers members bystanders onlookers".split()
)
_MORE = {
    "bike": "bicycle,motorcycle", "bicycle": "bicycle", "motorbike": "motorcycle", "van": "car,truck",
    "taxi": "car", "pickup": "truck", "plane": "airplane", "jet": "airplane", "airliner": "airplane",
    "aeroplane": "airplane", "ship": "boat", "sailboat": "boat", "canoe": "boat", "hydrant": "fire hydrant",
    "kitten": "cat", "kitty": "cat", "puppy": "dog", "calf": "cow", "bull": "cow", "lamb": "sheep",
    "pony": "horse", "seagull": "bird", "parrot": "bird", "purse": "handbag", "bag": "handbag,backpack,suitcase",
    "board": "skateboard,surfboard,snowboard", "bat": "baseball bat", "glove": "baseball glove",
    "mitt": "baseball glove", "racket": "tennis racket", "racquet": "tennis racket", "tennis racquet": "tennis racket",
    "surf board": "surfboard", "skate board": "skateboard", "snow board": "snowboard", "ball": "sports ball",
    "tennis ball": "sports ball", "soccer ball": "sports ball", "table": "dining table", "sofa": "couch",
    "plant": "potted plant", "fridge": "refrigerator", "phone": "cell phone", "cellphone": "cell phone",
    "television": "tv", "stove": "oven", "doughnut": "donut", "mug": "cup", "teddy": "teddy bear",
    "stuffed bear": "teddy bear", "computer mouse": "mouse", "frisbee": "frisbee", "stoplight": "traffic light",
    "suit case": "suitcase", "hair dryer": "hair drier", "hotdog": "hot dog",
}  # fmt: skip
# Words that also mean something else in captions.
_AMBIGUOUS = frozenset({"orange", "mouse", "remote", "sheep", "tie", "sink", "clock", "cup"})

_DETERMINERS = frozenset("a an the his her their its this that two three four several some many".split())
_BREAKS = frozenset(
    "of with in on at and or is are was to from by for as while next near over under into onto who that which holding "
    "riding wearing sitting standing eating playing walking looking has have having up down off out through".split()
)
_COLLECTIVE = frozenset("group couple crowd bunch pair herd number row flock".split())
_COLOURS = frozenset("black white red green blue yellow brown grey gray orange pink purple tan silver gold".split())
# A class's word before one of these is an attribute: a train station, a car seat.
_COMPOUNDS = frozenset(
    "station stop stops tracks track house park lot court field door window seat seats driver food show wheel top "
    "shop light lights room frame bed board rack tree box boxes stand cover cloth book books collar racket racquet "
    "bat ball match game player players rider riders path lane shelter terminal depot trailer tire tires "
    "bottle bottles holder case cup cups pen exhibit enclosure hydrant sign tray dish slice slices crust pole poles "
    "cushion pad controller remote suit suits hat print statue toy toys costume head cage bowl cart mirror".split()
)
# Names of ImageNet that are more often another word in captions, or nothing that one could draw around.
_NO_THINGS = frozenset(
    "ball baseball basketball bow box bubble chain chest cliff compass corn crane dish dock fan fly football hook iron "
    "jersey knot match mask muzzle nail organ pen pick pitcher pole safe scale screw shell shield spotlight stage "
    "swing switch tank tick tie torch valley vault volleyball watch worm".split()
) | {"baseball player"}
_NUMBERS = {"two": 2, "three": 3, "four": 4}
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")


@dataclass(frozen=True, slots=True)
class Mention:
    """A noun phrase `[start, end)` of a text and the class that it names."""

    label: str
    plural: bool
    start: int
    end: int
    head: str
    count: int | None = None


def _lexicon() -> dict[str, tuple[tuple[str, ...], bool]]:
    """Word or two words -> classes that it may mean, plural or not."""
    out: dict[str, tuple[tuple[str, ...], bool]] = {}
    for label in COCO:
        if label != "person" and label not in _AMBIGUOUS:
            word = noun(label)
            out[label] = ((label,), word.form == "pair")
            if word.form == "count":
                out[word.plural] = ((label,), True)
    for text, labels in _MORE.items():
        out[text] = (tuple(labels.split(",")), False)
        out[text + "s"] = (tuple(labels.split(",")), True)
    out.update({"puppies": (("dog",), True), "calves": (("cow",), True), "cattle": (("cow",), True)})
    out.update({word: (("person",), False) for word in _PERSON})
    out.update({word: (("person",), True) for word in _PERSON_PLURAL})
    return out


_LEXICON = _lexicon()
_OTHERS = {
    form: name
    for name, _ in spoken_names()
    if name not in _LEXICON and name not in _NO_THINGS and name not in _AMBIGUOUS
    for form in (name, noun(name).plural)
}
"""Names of ImageNet, in the singular and the plural, and what they are called."""


def mentions(text: str, labels: Collection[str]) -> list[Mention]:
    """The noun phrases of a text that name one of `labels`, in order.

    A word that may mean several classes counts if exactly one of them is among `labels`.
    """
    words = list(_WORD.finditer(text))
    lower = [word.group().lower() for word in words]
    out: list[Mention] = []
    number = 0
    while number < len(words):
        length = 2 if number + 1 < len(words) and " ".join(lower[number : number + 2]) in _LEXICON else 1
        entry = _LEXICON.get(" ".join(lower[number : number + length]))
        last = number + length - 1
        following = lower[last + 1] if last + 1 < len(words) else ""
        adjacent = following and text[words[last].end() : words[last + 1].start()] == " "
        compound = adjacent and (following in _COMPOUNDS or following in _LEXICON)
        if entry is not None and not (compound and "person" not in entry[0]) and not lower[last].endswith("'s"):
            meant = [label for label in entry[0] if label in labels]
            # "A tennis player": the person is the last of several words in a row that are in the lexicon.
            if len(meant) == 1 and not (compound and following in _LEXICON):
                first, count = _phrase_start(text, words, lower, number, out[-1].end if out else 0)
                head = " ".join(lower[number : last + 1])
                out.append(Mention(meant[0], entry[1], words[first].start(), words[last].end(), head, count))
        number += length
    return out


def other_names(text: str) -> set[str]:
    """Things that a text names with a name of ImageNet, and that have none among the classes of COCO."""
    words = [word.group().lower() for word in _WORD.finditer(text)]
    found: set[str] = set()
    number = 0
    while number < len(words):
        length = next((n for n in (3, 2, 1) if " ".join(words[number : number + n]) in _OTHERS), 0)
        following = words[number + length] if number + length < len(words) else ""
        if length and following not in _COMPOUNDS and following not in _LEXICON and following not in _OTHERS:
            found.add(_OTHERS[" ".join(words[number : number + length])])
        number += length or 1
    return found


def one_person(captions: Collection[str]) -> str | None:
    """The word for the only person that all the captions speak of, or None if there may be more or none."""
    heads: list[str] = []
    for caption in captions:
        words = [word.group().lower() for word in _WORD.finditer(caption)]
        if _SEVERAL_PEOPLE & set(words) or set(_PERSON_PLURAL) & set(words):
            return None
        people = [mention for mention in mentions(caption, {"person"})]
        if len(people) > 1:
            return None
        heads += [mention.head for mention in people]
    if len(heads) < max(1, 0.6 * len(captions)):
        return None
    return max(sorted(set(heads)), key=heads.count)


def _phrase_start(
    text: str, words: list[re.Match[str]], lower: list[str], number: int, floor: int
) -> tuple[int, int | None]:
    """Where the noun phrase around word `number` begins, and the count it states."""
    for first in range(number - 1, max(-1, number - 5), -1):
        word = lower[first]
        gap = text[words[first].end() : words[first + 1].start()]
        if words[first].start() < floor or gap not in (" ", ", "):
            break
        if word in _DETERMINERS:
            return first, _NUMBERS.get(word)
        if word == "of" and first >= 2 and lower[first - 1] in _COLLECTIVE and lower[first - 2] in ("a", "the"):
            return first - 2, 2 if lower[first - 1] in ("couple", "pair") else None
        colours = word == "and" and first and lower[first - 1] in _COLOURS and lower[first + 1] in _COLOURS
        if word in _BREAKS and not colours:
            break
    return number, None
