"""What of a journal becomes a label. No part of what a run is: outputs are made anew with other filters at any time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Groups = Literal["keep", "crowd", "split", "drop"]

NMS = 0.7
"""From this IoU on two masks of a photograph are one thing.

Measured on nano's answers about the 106 COCO photographs of `val`: of 565 masks 352 stay, and the annotated objects
that a mask meets (IoU .5) are 96 of 97; at .5 they are 94. Of the 19,401 pairs of different objects that COCO's
annotators outlined in `train` (294 photographs) 12 overlap as much.
"""

BOX = 0.9
"""From this IoU of their boxes on two masks of one category are one thing, drawn twice and differently.

Of the 5,840 pairs of different objects of one class that COCO's annotators outlined in `train` none overlap so much.
"""

SUBJECT = 0.5
"""From this IoU on the mask of a fine-grained answer is the thing that it is about, if both have one category.

Of the 216 such masks on those photographs 206 are; two things of one kind do not overlap so much (20 of the 19,401
pairs, of all kinds).
"""


@dataclass(frozen=True, slots=True)
class Filters:
    """Attributes:
    min_area: masks of fewer pixels are left out; those without any always are.
    min_score: so are masks of a lower score.
    min_part: connected parts of fewer pixels are taken from a mask.
    nms: IoU from which on two masks of a photograph are one thing; None keeps all.
    groups: what becomes of one mask over several things, as its phrase is a plural: it stays, is marked as COCO's
        crowd, is split into its connected parts, or is left out.
    """

    min_area: int = 0
    min_score: float = 0.0
    min_part: int = 0
    nms: float | None = NMS
    groups: Groups = "keep"
