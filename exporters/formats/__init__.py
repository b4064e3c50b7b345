"""The formats of `mglmm export`: what they are called, and what they can't hold.

Nothing heavy is imported here, as help pages are made from it. A format's module has `write(export: Export) -> None`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from exporters.formats.export import Export

Shapes = Literal["rle", "polygon", "rle-uncompressed"]


@dataclass(frozen=True, slots=True)
class Format:
    """A format that labels can be written in.

    Attributes:
        name: what the command line calls it.
        short: who reads it and what is written, in a line.
        loses: what it can't hold, in words that end "... are left out"; empty if it holds all.
        masks: forms of masks among which one can choose, the usual one first; a single one is no choice.
        photographs: it is of no use without the photographs beside it, so they are linked or copied there.
    """

    name: str
    short: str
    loses: str = ""
    masks: tuple[Shapes, ...] = ("polygon",)
    photographs: bool = False

    @property
    def write(self) -> Callable[[Export], None]:
        """What writes it."""
        module = import_module(f"exporters.formats.{self.name.replace('-', '_')}")
        function: Callable[[Export], None] = module.write
        return function


FORMATS = (
    Format(
        "coco",
        "COCO's instances, captions and results.",
        masks=("rle", "polygon", "rle-uncompressed"),
    ),
    Format(
        "coco-panoptic",
        "COCO panoptic, with a PNG for each photograph.",
        loses="parts of things, captions, scores, and what smaller masks cover",
        masks=("rle",),
    ),
    Format(
        "yolo",
        "Segmentation by Ultralytics YOLO.",
        loses="phrases, captions, scores and what belongs to what",
        photographs=True,
    ),
    Format(
        "labelme",
        "LabelMe, a JSON beside each photograph.",
        loses="captions and what belongs to what",
        photographs=True,
    ),
    Format(
        "label-studio",
        "Tasks with predictions for Label Studio.",
        loses="what belongs to what",
        masks=("polygon", "rle"),
    ),
    Format(
        "cvat",
        "CVAT for images 1.1, and the task's labels.",
        loses="captions",
        masks=("rle", "polygon"),
    ),
    Format(
        "imagefolder",
        "Hugging Face's datasets, photographs inside.",
        masks=("rle", "polygon"),
        photographs=True,
    ),
)
