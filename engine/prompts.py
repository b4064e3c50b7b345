"""Instructions: the eight task families, in several wordings each, and the chat templates around them.

The first wording of a family is the one that the tool itself asks; training draws from all of them.
`{label}` is a phrase that names something ("the man riding a bike"), `{box}` a region.

Source: the task table of MGLMM (arXiv 2409.13407); the `llava_v1` template is that of LLaVA-1.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

IMAGE = "<image>"
"""Placeholder for the image tokens. It is never a vocabulary token."""


class Task(StrEnum):
    """What an instruction asks for."""

    PANOPTIC_SEGCAP = "panoptic_segcap"
    FINE_SEGCAP = "fine_segcap"
    GCG = "gcg"
    REFERRING = "referring"
    MULTIPLE = "multiple"
    REASONING = "reasoning"
    SEMANTIC = "semantic"
    INSTANCE = "instance"
    CAPTION = "caption"
    REGION = "region"
    CONVERSATION = "conversation"


FAMILIES: dict[Task, tuple[str, ...]] = {
    Task.PANOPTIC_SEGCAP: (
        "Describe all the objects in the image comprehensively, with interleaved masks.",
        "Give a comprehensive description of everything in the image and segment each part.",
        "Caption the whole scene and mask every object that you name.",
    ),
    Task.FINE_SEGCAP: (
        "Describe {label} in the image comprehensively, with interleaved masks.",
        "Give a comprehensive description of {label} and segment each part.",
        "What does {label} consist of? Mask every part that you name.",
    ),
    Task.GCG: (
        "Describe the image, with interleaved masks.",
        "Give a short caption of the image and segment each instance in it.",
        "What is in the image? Answer with masks.",
    ),
    Task.REFERRING: (
        "Segment {label}.",
        "Please segment {label} in the image.",
        "Where is {label}? Answer with a mask.",
    ),
    Task.MULTIPLE: (
        "Segment all {label}.",
        "Please segment every one of the {label} in the image.",
        "Find all {label} and mask each.",
    ),
    # Reasoning questions are written out whole; the wordings say how to answer.
    Task.REASONING: (
        "{label} Explain with masks.",
        "{label} Answer with an explanation and masks.",
    ),
    Task.SEMANTIC: (
        "Segment all classes in the image.",
        "Give a semantic segmentation of the image.",
    ),
    Task.INSTANCE: (
        "Segment all objects in the image one by one.",
        "Give an instance segmentation of the image.",
    ),
    Task.CAPTION: (
        "Describe the image in one sentence.",
        "Write a short caption.",
        "What does the image show?",
    ),
    Task.REGION: (
        "Describe the region {box}.",
        "What is in the box {box}?",
    ),
    Task.CONVERSATION: ("{label}",),
}


@dataclass(frozen=True, slots=True)
class Box:
    """A region in fractions of the image: `0 <= left < right <= 1`, `0 <= top < bottom <= 1`."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise ValueError(f"not a box inside the image: {self}")

    def __str__(self) -> str:
        """The box as an instruction writes it: left, top, right, bottom in percent of the image."""
        return "[{}, {}, {}, {}]".format(*(round(100 * v) for v in (self.left, self.top, self.right, self.bottom)))


def instruction(task: Task, *, label: str = "", box: Box | None = None, wording: int = 0) -> str:
    """Word an instruction.

    Args:
        task: which family.
        label: what is asked about, for the families that name something.
        box: the region, for `Task.REGION`.
        wording: which wording; taken modulo their number.

    Raises:
        ValueError: if the family needs a label or box and none was given.
    """
    family = FAMILIES[task]
    text = family[wording % len(family)]
    if "{label}" in text and not label:
        raise ValueError(f"{task} needs a label")
    if "{box}" in text and box is None:
        raise ValueError(f"{task} needs a box")
    return text.format(label=label, box=box)


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """How a question is put to a language model.

    Attributes:
        prefix: everything up to and including the image; the same for every question about a photograph.
        question: the rest of the prompt, with `{question}`.
        stop: the text that ends an answer.
    """

    prefix: str
    question: str
    stop: str

    def rest(self, question: str) -> str:
        """The prompt after the prefix, up to where the answer begins."""
        return self.question.replace("{question}", question)


TEMPLATES: dict[str, ChatTemplate] = {
    "nano": ChatTemplate(
        prefix=f"<im_start>{IMAGE}<im_end>",
        question=" USER: {question} ASSISTANT:",
        stop="</s>",
    ),
    "llava_v1": ChatTemplate(
        prefix=(
            "A chat between a curious human and an artificial intelligence assistant. The assistant gives "
            f"helpful, detailed, and polite answers to the human's questions. USER: The <im_start>{IMAGE}"
        ),
        question="<im_end> provides an overview of the picture.\n{question} ASSISTANT:",
        stop="</s>",
    ),
}
