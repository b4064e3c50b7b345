"""Questions about a region of a photograph: four ways, by what a model was trained with.

A model with a region encoder reads a vector at the token `<bbox>` (GLaMM). One over tiles reads once more the image
tokens that the region covers (Sa2VA). The embedded model reads the box as text.
Any other public checkpoint is shown the region alone, cut out of the photograph, and asked for a description (MGLMM).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.model.config import ModelConfig, TilesConfig
from engine.model.tokenizers.qwen import IMAGE_TOKEN
from engine.text.prompts import FAMILIES, REGION, TEMPLATES, Box, Task, instruction


@dataclass(frozen=True, slots=True)
class RegionQuestion:
    """How one model is asked about a region.

    Attributes:
        text: the question.
        image: `(H, W, 3)` uint8, what the model is shown.
        boxes: the regions that stand at `<bbox>` tokens.
        left, top: where `image` lies in the photograph, in pixels.
    """

    text: str
    image: np.ndarray
    boxes: tuple[Box, ...] = ()
    left: int = 0
    top: int = 0


def about_region(config: ModelConfig, image: np.ndarray, box: Box, question: str | None) -> RegionQuestion:
    """Word a question about a region.

    Args:
        config: the model that is asked.
        image: `(H, W, 3)` uint8, upright RGB.
        box: the region.
        question: the user's own question; without it a description is asked for.
    """
    families = TEMPLATES[config.template].families
    if isinstance(config.global_encoder, TilesConfig) and config.global_encoder.repeats_regions:
        text = instruction(Task.REGION, families=families).replace(REGION, "region1") if question is None else question
        return RegionQuestion(f"There are 1 part regions in the picture: region1{REGION}.\n{text}", image, (box,))
    if config.region_encoder is not None:
        text = instruction(Task.REGION, families=families) if question is None else question
        return RegionQuestion(text if REGION in text else f"{text} {REGION}", image, (box,))
    if families is FAMILIES:
        text = instruction(Task.REGION, box=box) if question is None else f"{question} {box}"
        return RegionQuestion(text, image)
    height, width = image.shape[:2]
    left, top = int(box.left * width), int(box.top * height)
    right, bottom = max(left + 1, round(box.right * width)), max(top + 1, round(box.bottom * height))
    text = instruction(Task.CAPTION, families=families) if question is None else question
    return RegionQuestion(text, image[top:bottom, left:right], left=left, top=top)


def covered_cells(box: Box, height: int, width: int, side: int) -> list[int]:
    """The cells of a grid over a photograph whose first pixel lies in a region; if none does, the one in its middle.

    Args:
        box: the region.
        height, width: of the photograph, in pixels.
        side: cells along a side of the grid.

    Returns:
        their numbers, row by row.
    """
    rows = [row for row in range(side) if box.top * height <= row * height // side < box.bottom * height]
    columns = [column for column in range(side) if box.left * width <= column * width // side < box.right * width]
    if not rows or not columns:
        middle = int((box.top + box.bottom) / 2 * side), int((box.left + box.right) / 2 * side)
        rows, columns = [min(middle[0], side - 1)], [min(middle[1], side - 1)]
    return [row * side + column for row in rows for column in columns]


def repeated(cells: int) -> str:
    """What stands in a question for a region that is so many image tokens."""
    return f"<vp>{IMAGE_TOKEN * cells}</vp>"
