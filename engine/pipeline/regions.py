"""Questions about a region of a photograph: three ways, by what a model was trained with.

A model with a region encoder reads a vector at the token `<bbox>` (GLaMM). The embedded model reads the box as text.
Any other public checkpoint is shown the region alone, cut out of the photograph, and asked for a description (MGLMM).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.model.config import ModelConfig
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
