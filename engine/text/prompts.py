"""Instructions: the eight task families, in several wordings each, and the chat templates around them.

The first wording of a family is the one that the tool itself asks; training draws from all of them.
`{label}` is a phrase that names something ("the man riding a bike"), `{box}` a region.

Source: the task table of MGLMM (arXiv 2409.13407); the `llava_v1` template is that of LLaVA-1.5, and the wordings of
`PUBLIC` are those that the public checkpoints of MGLMM, GLaMM and LISA were trained with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

IMAGE = "<image>"
"""Placeholder for the image tokens. It is never a vocabulary token."""


REGION = "<bbox>"
"""Placeholder for the vector of a region, for models with a region encoder."""


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


Families = Mapping[Task, tuple[str, ...]]

FAMILIES: Families = {
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


_WITH_MASKS = "Please respond with interleaved segmentation masks for the corresponding parts of the answer."

PUBLIC: Families = {
    Task.PANOPTIC_SEGCAP: (
        "Please provide a detailed description of all the objects present in this image in a comprehensive format. "
        + _WITH_MASKS,
    ),
    Task.FINE_SEGCAP: (
        f"Can you provide a detailed description in a comprehensive format for {{label}} in the image. {_WITH_MASKS}",
    ),
    Task.GCG: (f"Could you please give me a detailed description of the image? {_WITH_MASKS}",),
    Task.REFERRING: ("Can you segment {label} in this image?", "Please segment {label} in this image."),
    Task.MULTIPLE: ("Can you segment all {label} in this image?",),
    Task.REASONING: (f"{{label}} {_WITH_MASKS}",),
    Task.SEMANTIC: ("Can you segment all the objects in the image?",),
    Task.INSTANCE: ("Can you segment all the objects in the image?",),
    Task.CAPTION: ("Please describe the image.",),
    Task.REGION: (
        f"Can you provide me with a detailed description of the region in the picture marked by {REGION}?",
        f"What can you tell me about the region indicated by {REGION} in the image?",
    ),
    Task.CONVERSATION: FAMILIES[Task.CONVERSATION],
}


SA2VA: Families = {
    **PUBLIC,
    # It was trained on grounded captions of the whole, and on expressions; not on one object and its parts. The nearest
    # to that is its grounded caption, of the object alone.
    Task.PANOPTIC_SEGCAP: (f"Could you please give me a detailed description of the image? {_WITH_MASKS}",),
    Task.FINE_SEGCAP: (f"Could you please give me a detailed description of {{label}} in the image? {_WITH_MASKS}",),
    Task.GCG: (f"Could you please give me a brief description of the image? {_WITH_MASKS}",),
    Task.REFERRING: ("Can you segment {label} in this image?", "Please segment {label} in this image."),
}
"""Those that Sa2VA (arXiv 2501.04001) was trained with, or that are nearest to them."""


@dataclass(frozen=True, slots=True)
class Box:
    """A region in fractions of the image: `0 <= left < right <= 1`, `0 <= top < bottom <= 1`."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise ValueError(f"not a box inside the image: {self!r}")

    @classmethod
    def of_pixels(cls, corner_and_size: Sequence[float], height: int, width: int) -> Box:
        """A region `x, y, width, height` in pixels of an image of `height x width`.

        Raises:
            ValueError: if it is none inside the image.
        """
        x, y, box_width, box_height = corner_and_size
        return cls(x / width, y / height, (x + box_width) / width, (y + box_height) / height)

    def __str__(self) -> str:
        """The box as an instruction writes it: left, top, right, bottom in percent of the image."""
        return "[{}, {}, {}, {}]".format(*(round(100 * v) for v in (self.left, self.top, self.right, self.bottom)))


def instruction(
    task: Task, *, label: str = "", box: Box | None = None, wording: int = 0, families: Families = FAMILIES
) -> str:
    """Word an instruction.

    Args:
        task: which family.
        label: what is asked about, for the families that name something.
        box: the region, for `Task.REGION`.
        wording: which wording; taken modulo their number.
        families: the wordings that the model knows.

    Raises:
        ValueError: if the family needs a label or box and none was given.
    """
    wordings = families[task]
    text = wordings[wording % len(wordings)]
    if "{label}" in text and not label:
        raise ValueError(f"{task} needs a label")
    if "{box}" in text and box is None:
        raise ValueError(f"{task} needs a box")
    return text.format(label=label, box=box)


QuestionKind = Literal["instruction", "label", "ask_each"]


@dataclass(frozen=True, slots=True)
class Question:
    """What a user asks about a photograph.

    Attributes:
        text: words of their own, or the name of an object.
        kind: `instruction`: the words are put as they are; `label`: the object is described with its parts; `ask_each`:
            it is looked for.
    """

    text: str
    kind: QuestionKind = "instruction"


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """How a conversation is put to a language model.

    Attributes:
        prefix: everything up to and including the image; the same for every question about a photograph.
        question: the rest of the prompt, with `{question}`.
        turn: a later question, behind the stop text of the answer before it.
        stop: the text that ends an answer.
        families: the wordings that models of this template know.
        gap: what stands between a prompt and its answer.
        spelt: whether the stop text is spelt with ordinary tokens, so that it is looked for in the text.
        tokens: what must be a single token.
    """

    prefix: str
    question: str
    turn: str
    stop: str
    families: Families
    gap: str = " "
    spelt: bool = False
    tokens: tuple[str, ...] = ("<im_start>", "<im_end>")

    def first(self, question: str) -> str:
        """The prompt after the prefix, up to where the answer begins."""
        return self.question.replace("{question}", question)

    def later(self, question: str) -> str:
        """What follows an answer's stop text when the conversation goes on."""
        return self.turn.replace("{question}", question)


_SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the human's questions."
)

TEMPLATES: dict[str, ChatTemplate] = {
    "nano": ChatTemplate(
        prefix=f"<im_start>{IMAGE}<im_end>",
        question=" USER: {question} ASSISTANT:",
        turn=" USER: {question} ASSISTANT:",
        stop="</s>",
        families=FAMILIES,
    ),
    # MGLMM and GLaMM.
    "llava_v1": ChatTemplate(
        prefix=f"{_SYSTEM} USER: The <im_start>{IMAGE}",
        question="<im_end> provides an overview of the picture.\n{question} ASSISTANT:",
        turn="USER: {question} ASSISTANT:",
        stop="</s>",
        families=PUBLIC,
    ),
    "lisa": ChatTemplate(
        prefix=f"{_SYSTEM} USER: <im_start>{IMAGE}",
        question="<im_end>\n{question} ASSISTANT:",
        turn="USER: {question} ASSISTANT:",
        stop="</s>",
        families=PUBLIC,
    ),
    # Sa2VA over InternVL. Of what its language models say between turns, the line break is part of the later turn.
    "qwen_chat": ChatTemplate(
        prefix=f"<|im_start|>user\n<img>{IMAGE}</img>",
        question="\n{question}<|im_end|>\n<|im_start|>assistant\n",
        turn="\n<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n",
        stop="<|im_end|>",
        families=SA2VA,
        gap="",
        tokens=("<|im_start|>", "<|im_end|>", "<img>", "</img>"),
    ),
    # Sa2VA over Qwen3-VL: no system turn, and the image first.
    "qwen3_vl": ChatTemplate(
        prefix=f"<|im_start|>user\n<|vision_start|>{IMAGE}<|vision_end|>",
        question="\n{question}<|im_end|>\n<|im_start|>assistant\n",
        turn="\n<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n",
        stop="<|im_end|>",
        families=SA2VA,
        gap="",
        tokens=("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"),
    ),
    "phi3_chat": ChatTemplate(
        prefix=f"<|user|>\n<img>{IMAGE}</img>",
        question="\n{question}<|end|>\n<|assistant|>\n",
        turn="\n<|user|>\n{question}<|end|>\n<|assistant|>\n",
        stop="<|end|>",
        families=SA2VA,
        gap="",
        spelt=True,
        tokens=("<img>", "</img>"),
    ),
}
