"""What the composers ask a kind of photographs; a kind that has no answer to something keeps the one that is here.

Legend: `H x W` frame of the scene.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from trainer.data.compose.conversation import Part
from trainer.data.compose.nouns import counted, definite, indefinite, noun

if TYPE_CHECKING:
    from trainer.data.compose.view import View

Question = Literal[
    "panoptic", "fine whole", "fine thing", "gcg", "refer", "multiple", "reasoning", "semantic", "instance", "caption",
    "region", "chat", "unmasked panoptic", "unmasked refer", "unmasked chat", "unmasked gcg",
]  # fmt: skip
Chat = Literal["worn", "colour", "count", "existence"]
Target = tuple[str, np.ndarray]
"""An expression that names exactly one region, and the region, `H x W`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked about a photograph.

    Questions for one thing come several times: whether to answer or to refuse is one word an answer, so it takes many
    of them to learn.

    Attributes:
        always: every time, in this order.
        some: drawn from these.
        count: so many of them.
    """

    always: tuple[Question, ...] = ()
    some: tuple[Question, ...] = ()
    count: int = 0


class SceneKind:
    """How the photographs of one kind of annotation are spoken of.

    Attributes:
        plan: what is asked.
        subject: what all the parts belong to, as one asks for it; "" where parts are not annotated.
        order: canonical order of the labels; the largest comes first where there is none.
        smallest: the share of the frame under which a description leaves a label out.
        least_crop: the share of a side that a crop leaves at least.
        portraits: crops to the upper body are worth having.
        pasted: objects of one photograph may be laid over another.
        denied: labels that may be denied where they are absent, with the percentage of photographs that show them.
        present_rate: how often a question for one thing is about something that is there.
        foreign_rate: how often what is denied is of another kind of photograph.
        qualified: about how often what is there is asked for by its colour, if it is of a class that has one, and by
            its place; what is not there is asked for alike, or else such a word alone would tell that there is
            something.
        uncoloured: labels that are not asked for by a colour.
        chat: the short questions.
        reasons: which of the questions that need reasoning are asked: those of this set; "" for none.
        listed: all labels may be listed.
        apart: all objects may be, since each has a mask of its own.
    """

    plan: ClassVar[Plan] = Plan()
    subject: ClassVar[str] = ""
    order: ClassVar[tuple[str, ...]] = ()
    smallest: ClassVar[float] = 0.0
    least_crop: ClassVar[float] = 0.6
    portraits: ClassVar[bool] = False
    pasted: ClassVar[bool] = False
    denied: ClassVar[Mapping[str, float]] = {}
    present_rate: ClassVar[float] = 1.0
    foreign_rate: ClassVar[float] = 0.0
    qualified: ClassVar[tuple[float, float]] = (0.0, 0.0)
    uncoloured: ClassVar[frozenset[str]] = frozenset()
    chat: ClassVar[tuple[Chat, ...]] = ()
    reasons: ClassVar[str] = ""
    listed: ClassVar[bool] = True
    apart: ClassVar[bool] = False

    def colour_of(self, view: View, label: str, mask: np.ndarray) -> str:
        """The colour word of a region, or "" if none is worth saying."""
        return ""

    def name(self, label: str, count: int = 1) -> str:
        """`the bus`, `the cars`: how one asks for all of a label that has so many regions."""
        return definite(label) if count == 1 else f"the {noun(label).plural}"

    def is_many(self, label: str) -> bool:
        """Whether one region of the label takes a plural verb."""
        return noun(label).form == "pair"

    def amount(self, view: View, label: str) -> str:
        """`a red bus`, `two people`, `several chairs`."""
        count = len(view.members(label))
        if count > 1 and not view.certain(label):
            count = 99
        return counted(label, count, view.colour(label))

    def absent_name(self, label: str, rng: np.random.Generator) -> str:
        """How one asks for a single thing that is not there, without the article."""
        return noun(label).singular

    def panoptic(self, view: View) -> list[str | Part]:
        """The answer about the whole scene, one mask a phrase; empty if there is none."""
        return []

    def whole(self, view: View) -> list[str | Part]:
        """The fine-grained answer about the subject: its parts, a mask each; empty if there are none."""
        return []

    def told(self, view: View, label: str) -> str:
        """What is said of all of a label: `red and on the left of the image`; empty if it can't be asked for."""
        return ""

    def fine_labels(self, view: View) -> list[str]:
        """The labels that a fine-grained question may be about."""
        return [label for label in view.main_labels if view.certain(label)]

    def gcg(self, view: View) -> list[str | Part]:
        """A short description with a mask for each thing; empty if there is none."""
        return []

    def targets(self, view: View) -> list[list[Target]]:
        """Every expression that names exactly one region of the scene, by groups that are as likely as each other."""
        return []

    def caption(self, view: View) -> str | None:
        """A caption without masks for photographs that have none."""
        return None

    def groundable(self, view: View, texts: list[str]) -> list[str]:
        """Those of the captions whose nouns may be grounded."""
        return []

    def region(self, view: View, label: str, mask: np.ndarray) -> str:
        """What is in the box of one region; empty if that can't be said."""
        return ""

    def reason_name(self, view: View, label: str) -> str:
        """How a label is named in an answer that needs reasoning."""
        return self.name(label, len(view.members(label)))


def placed(view: View, mask: np.ndarray) -> str:
    """`on the left of the image`."""
    return f"{view.place(mask)} of the image"


def plain_region(view: View, label: str, mask: np.ndarray) -> str:
    """`a red bus`."""
    return indefinite(label, view.colour_of(label, mask))
