"""What may be asked for though it is not there, and how often.

A label's name alone must never tell the answer, so a label is denied about as often as it is affirmed.
"""

from __future__ import annotations

from collections.abc import Set
from functools import lru_cache

import numpy as np

from trainer.data.compose.view import View
from trainer.data.scene import Kind

# Percent of the training photographs of each set that show the class.
CCP: dict[str, float] = {
    "skin": 99.9, "hair": 94.9, "shoes": 76.4, "bag": 44.2, "pants": 30.7, "sunglasses": 28.7, "dress": 26.2,
    "coat": 23.4, "purse": 23.4, "blouse": 22.6, "accessories": 20.7, "belt": 19.1, "shirt": 17.6, "skirt": 16.7,
    "jeans": 15.1, "sweater": 12.6, "hat": 11.1, "blazer": 9.8, "t-shirt": 9.8, "stockings": 8.6, "suit": 8.4,
    "sandals": 7.2, "scarf": 7.2, "jacket": 7.2, "bracelet": 6.8, "shorts": 5.9, "boots": 5.6, "socks": 5.5,
    "vest": 5.5, "top": 5.4, "leggings": 4.7, "sweatshirt": 4.0, "necklace": 3.2, "cape": 2.8, "watch": 2.7,
    "romper": 2.5, "wallet": 2.2, "jumper": 2.2, "loafers": 2.1, "tie": 2.0, "glasses": 2.0, "heels": 2.0,
    "gloves": 1.5, "pumps": 1.4, "sneakers": 1.4, "cardigan": 1.3, "flats": 1.2, "tights": 0.9, "bodysuit": 0.8,
    "hoodie": 0.2, "ring": 0.1, "earrings": 0.1, "bra": 0.1, "wedges": 0.1,
}  # fmt: skip
COCO: dict[str, float] = {
    "person": 48.3, "dining table": 12.9, "cup": 12.6, "bottle": 11.6, "bowl": 11.2, "chair": 10.9, "car": 10.5,
    "handbag": 7.8, "potted plant": 6.8, "book": 6.8, "dog": 6.5, "wine glass": 6.1, "knife": 6.1, "truck": 5.4,
    "sink": 5.1, "fork": 5.1, "backpack": 4.8, "clock": 4.8, "sports ball": 4.8, "oven": 4.8, "cell phone": 4.4,
    "refrigerator": 4.4, "bench": 4.4, "teddy bear": 4.1, "traffic light": 4.1, "laptop": 4.1, "tv": 4.1,
    "spoon": 4.1, "baseball glove": 3.4, "carrot": 3.4, "vase": 3.4, "remote": 3.4, "bed": 3.4, "toilet": 3.1,
    "cake": 3.1, "cat": 3.1, "couch": 3.1, "umbrella": 3.1, "bus": 3.1, "broccoli": 3.1, "baseball bat": 3.1,
    "keyboard": 3.1, "motorcycle": 2.7, "suitcase": 2.7, "airplane": 2.7, "pizza": 2.7, "microwave": 2.7,
    "tie": 2.7, "bicycle": 2.7, "tennis racket": 2.4, "skateboard": 2.4, "donut": 2.4, "mouse": 2.4,
    "sandwich": 2.4, "frisbee": 2.4, "giraffe": 2.0, "stop sign": 2.0, "boat": 2.0, "elephant": 2.0,
    "toothbrush": 2.0, "banana": 2.0, "train": 2.0, "scissors": 1.7, "orange": 1.7, "snowboard": 1.7, "skis": 1.7,
    "parking meter": 1.7, "bird": 1.7, "zebra": 1.4, "kite": 1.4, "apple": 1.4, "bear": 1.4, "hot dog": 1.0,
    "horse": 1.0, "fire hydrant": 1.0, "surfboard": 1.0, "hair drier": 0.7, "cow": 0.7, "sheep": 0.7,
    "toaster": 0.7,
}  # fmt: skip
CAMVID: dict[str, float] = {
    "tree": 87, "pavement": 95, "fence": 47, "sign": 95, "pole": 99, "car": 98, "pedestrian": 86, "bicyclist": 55,
}  # fmt: skip

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
    )
)

# Never in a street of CamVid, never behind a person of the fashion set; both are only partly annotated.
_FOREIGN = (
    "zebra", "giraffe", "elephant", "bear", "sheep", "cow", "cat", "pizza", "cake", "broccoli", "sandwich", "donut",
    "hot dog", "toilet", "microwave", "oven", "refrigerator", "bed", "laptop", "keyboard", "airplane", "teddy bear",
    "surfboard", "snowboard", "skis", "kite", "tennis racket", "baseball bat", "sink", "carrot", "toothbrush",
)  # fmt: skip
_FOREIGN_RATE: dict[Kind, float] = {"ccp": 0.12, "camvid": 0.4}


def deniable(view: View) -> dict[str, float]:
    """Labels of the scene's own set that are surely absent, with the weight of drawing each."""
    return dict(_deniable(view.scene.kind, view.traces))


@lru_cache(maxsize=64)
def _deniable(kind: Kind, seen: frozenset[str]) -> dict[str, float]:
    tables: dict[Kind, dict[str, float]] = {"ccp": CCP, "coco": COCO, "camvid": CAMVID}
    table = tables.get(kind, {})
    unsafe = lookalikes(seen)
    # Affirmed in `p` of the photographs and deniable in at most `1 - p`: the quotient evens that out.
    return {label: p / (105 - p) for label, p in table.items() if label not in unsafe}


def lookalikes(seen: Set[str]) -> Set[str]:
    """These labels, and all that may pass for one of them."""
    return frozenset(seen).union(*(group for group in _LOOKALIKES if group & seen))


def surely_absent(view: View, label: str) -> bool:
    """Whether an honest answer about this label is that it is not there."""
    return label in _deniable(view.scene.kind, view.traces)


def draw_absent(view: View, rng: np.random.Generator) -> str | None:
    """A label to deny, or None where nothing may be denied (partly annotated photographs)."""
    rate = _FOREIGN_RATE.get(view.scene.kind, 0.0)
    own = deniable(view)
    if rate and (rng.random() < rate or not own):
        own = {label: COCO[label] for label in _FOREIGN}
    if view.scene.kind == "camvid" and "person" not in view.traces and not {"pedestrian", "bicyclist"} & view.traces:
        own["person"] = max(own.values(), default=1.0)
    if not own:
        return None
    weights = np.array(list(own.values()))
    return list(own)[int(rng.choice(len(own), p=weights / weights.sum()))]
