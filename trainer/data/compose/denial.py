"""What may be asked for though it is not there, and how often; see `denial_tables`."""

from __future__ import annotations

from collections.abc import Set
from functools import lru_cache

import numpy as np

from trainer.data.compose.denial_tables import COCO
from trainer.data.compose.kinds import KINDS
from trainer.data.compose.view import View
from trainer.data.scene import Kind

# One of a group may pass for another, so none is denied while another is there.
_LOOKALIKES = tuple(
    frozenset(group.split(","))
    for group in (
        "shirt,blouse,t-shirt,top,bodysuit,bra,vest",
        "sweater,jumper,sweatshirt,hoodie,cardigan,top",
        "coat,jacket,blazer,cape,suit,cardigan,vest",
        "pants,jeans,leggings,tights,stockings,suit",
        "socks,stockings,tights,leggings",
        "dress,romper,swimwear,bodysuit,skirt,blouse",
        "bag,purse,wallet",
        "glasses,sunglasses",
        "accessories,necklace,bracelet,watch,ring,earrings,belt,wallet",
        "shoes,boots,clogs,flats,heels,loafers,pumps,sandals,sneakers,wedges",
        "chair,couch,bench,bed",
        "cup,bowl,wine glass,bottle,vase",
        "car,truck,bus",
        "motorcycle,bicycle",
        "handbag,backpack,suitcase",
        "cow,sheep,horse",
        "tv,laptop",
        "oven,microwave,toaster",
        "cake,donut,sandwich,pizza,hot dog",
        "knife,fork,spoon",
        "mouse,remote,cell phone",
        "pedestrian,bicyclist",
        "fence,balcony railing",
        "traffic sign,street furniture",
        "trunk,tailgate",
    )
)

# Never in a street or before a facade, never behind a person of the fashion set; all are only partly annotated.
_FOREIGN = (
    "zebra", "giraffe", "elephant", "bear", "sheep", "cow", "cat", "pizza", "cake", "broccoli", "sandwich", "donut",
    "hot dog", "toilet", "microwave", "oven", "refrigerator", "bed", "laptop", "keyboard", "airplane", "teddy bear",
    "surfboard", "snowboard", "skis", "kite", "tennis racket", "baseball bat", "sink", "carrot", "toothbrush",
)  # fmt: skip


def deniable(view: View) -> dict[str, float]:
    """Labels of the scene's own set that are surely absent, with the weight of drawing each."""
    return dict(_deniable(view.scene.kind, view.traces))


@lru_cache(maxsize=64)
def _deniable(kind: Kind, seen: frozenset[str]) -> dict[str, float]:
    unsafe = lookalikes(seen)
    # Affirmed in `p` of the photographs and deniable in at most `1 - p`: the quotient evens that out.
    return {label: p / (105 - p) for label, p in KINDS[kind].denied.items() if label not in unsafe}


def lookalikes(seen: Set[str]) -> Set[str]:
    """These labels, and all that may pass for one of them."""
    return frozenset(seen).union(*(group for group in _LOOKALIKES if group & seen))


def surely_absent(view: View, label: str) -> bool:
    """Whether an honest answer about this label is that it is not there."""
    return label in _deniable(view.scene.kind, view.traces)


def draw_absent(view: View, rng: np.random.Generator) -> str | None:
    """A label to deny, or None where nothing may be denied (partly annotated photographs)."""
    rate = view.kind.foreign_rate
    own = deniable(view)
    if rate and (rng.random() < rate or not own):
        own = {label: COCO[label] for label in _FOREIGN}
    people = {"person", "pedestrian", "bicyclist"}
    if "pedestrian" in view.kind.denied and not people & view.traces:
        own["person"] = max(own.values(), default=1.0)
    if not own:
        return None
    weights = np.array(list(own.values()))
    return list(own)[int(rng.choice(len(own), p=weights / weights.sum()))]
