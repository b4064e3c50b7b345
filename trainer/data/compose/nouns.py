"""How the classes of the sets are spoken of: number, articles and canonical order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Noun:
    """A class as a noun: `count` (a bus, buses), `pair` (shoes, always plural) or `mass` (hair)."""

    singular: str
    plural: str
    form: Literal["count", "pair", "mass"] = "count"


_PAIRS = frozenset(
    "accessories boots clogs earrings flats glasses gloves heels jeans leggings loafers panties pants pumps sandals "
    "shoes shorts skis scissors sneakers socks stockings sunglasses tights wedges".split()
)
_MASS = {
    "hair": "hair", "skin": "skin", "swimwear": "swimwear", "intimate": "underwear",
    "broccoli": "broccoli", "sky": "sky", "pavement": "pavement",
    "street furniture": "street furniture",
}  # fmt: skip
_SPOKEN = {"hair drier": "hair dryer", "sports ball": "ball", "tv": "television"}
_PLURALS = {"person": "people", "sheep": "sheep", "knife": "knives", "mouse": "mice", "scarf": "scarves"}

CCP_ORDER: tuple[str, ...] = tuple(
    "hair skin hat glasses sunglasses coat jacket blazer suit cape cardigan vest sweater jumper sweatshirt hoodie "
    "shirt blouse t-shirt top bodysuit bra dress romper swimwear intimate skirt pants jeans shorts panties leggings "
    "tights stockings socks shoes boots sneakers sandals heels pumps flats loafers wedges clogs belt scarf tie gloves "
    "necklace earrings bracelet watch ring accessories bag purse wallet".split()
)
"""The order in which a person is described: from the head down, then what is worn on top, then what is carried."""

CAMVID_ORDER = (
    "sky", "building", "tree", "road", "pavement", "fence", "pole", "sign", "car", "pedestrian", "bicyclist",
)  # fmt: skip
"""The order in which a street is described: what surrounds, what stands, what moves."""

BODY = frozenset({"hair", "skin"})
CARRIED = frozenset({"bag", "purse", "wallet"})
LOWER = frozenset(
    "skirt pants jeans shorts leggings tights stockings socks shoes boots sneakers sandals heels pumps flats loafers "
    "wedges clogs".split()
)
UNCOLOURED = frozenset("skin glasses sunglasses necklace earrings bracelet watch ring accessories belt wallet".split())
"""Parts of a person that are too small or too shiny for a colour to be measured."""

COLOURED = frozenset(
    "bus car truck motorcycle bicycle train boat airplane bench bird cat dog horse cow bear backpack umbrella handbag "
    "suitcase tie kite chair couch vase cup surfboard refrigerator toilet skateboard snowboard frisbee".split()
) | {"teddy bear", "fire hydrant", "sports ball"}
"""Objects of which the colour is worth a word."""

_NUMBERS = ("no", "one", "two", "three", "four")


def noun(label: str) -> Noun:
    """The noun of a class of any set."""
    if label in _PAIRS:
        return Noun(label, label, "pair")
    if label in _MASS:
        return Noun(_MASS[label], _MASS[label], "mass")
    spoken = _SPOKEN.get(label, label)
    return Noun(spoken, _PLURALS.get(label) or _plural(spoken))


def is_plural(label: str) -> bool:
    """Whether the class takes a plural verb even for one region of it."""
    return noun(label).form == "pair"


def indefinite(label: str, colour: str = "") -> str:
    """`a red bus`, `black shoes`, `brown hair`."""
    word = noun(label)
    phrase = f"{colour} {word.singular}".strip()
    if word.form != "count":
        return phrase
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def definite(label: str, colour: str = "") -> str:
    """`the red bus`, `the black shoes`."""
    return " ".join(word for word in ("the", colour, noun(label).singular) if word)


def counted(label: str, count: int, colour: str = "") -> str:
    """`a dog`, `two people`, `several chairs` (five and more)."""
    if count == 1:
        return indefinite(label, colour)
    word = noun(label)
    if word.form == "pair":
        return word.plural if label in {"skis", "scissors"} else f"{number(count)} pairs of {word.plural}"
    return word.plural if word.form == "mass" else f"{number(count)} {word.plural}"


def number(count: int) -> str:
    """A count as it is spoken: words up to four, then `several`."""
    return _NUMBERS[count] if count < len(_NUMBERS) else "several"


def capital(text: str) -> str:
    """The first letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]


def _plural(word: str) -> str:
    return word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s")
