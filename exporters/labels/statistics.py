"""What a run holds, in numbers: one reading of its journal; memory grows with the words, not with the photographs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.journal import Index
from exporters.labels.filters import Filters
from exporters.labels.naming import Naming
from exporters.labels.quantiles import Quantiles, Spread
from exporters.labels.select import Selected, select

SMALL, MEDIUM = 32**2, 96**2
"""Pixels from which on a mask is medium, and large. Source: COCO's detection evaluation."""


@dataclass(frozen=True, slots=True)
class Photographs:
    """Attributes:
    done: were answered.
    failed: could not be done.
    failed_at: of these, how many at which stage.
    unlabelled: of those done, how many have no label.
    """

    done: int
    failed: int
    failed_at: Mapping[str, int]
    unlabelled: int


@dataclass(slots=True)
class Captions:
    """What was answered at one granularity.

    Attributes:
        captions: answers.
        truncated: of these, how many ran into the length limit.
        phrases: in the captions.
        ungrounded: of these, how many mean no label.
        masks: of all phrases.
        labels: of the masks, how many are labels; parts of a group that was split count apart.
    """

    captions: int = 0
    truncated: int = 0
    phrases: int = 0
    ungrounded: int = 0
    masks: int = 0
    labels: int = 0


@dataclass(frozen=True, slots=True)
class Masks:
    """`made + parts` are `labels + duplicates` and all that were left out.

    Attributes:
        made: by the model.
        labels: what became of them, parts among it.
        duplicates: of another label's thing, which has their phrases.
        left_out: how many for which reason (see `select.Selected`).
        parts: that a group was split into, but for the first.
        groups: labels that cover several things.
    """

    made: int
    labels: int
    duplicates: int
    left_out: Mapping[str, int]
    parts: int
    groups: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """Areas of labels: how many are small, medium and large as COCO has it, and pixels."""

    small: int
    medium: int
    large: int
    pixels: Quantiles | None


@dataclass(slots=True)
class CategoryCount:
    """How many labels are of a category, and photographs that have one."""

    labels: int = 0
    photographs: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """Attributes:
    captions: by granularity.
    sizes, scores, name_scores: of the labels; those of older versions have no name scores.
    categories: of the labels, the frequent ones first.
    phrases: how many labels each means, as it stands in the captions, the frequent ones first.
    filters: which masks are labels.
    """

    photographs: Photographs
    captions: Mapping[str, Captions]
    masks: Masks
    sizes: Sizes
    scores: Quantiles | None
    name_scores: Quantiles | None
    categories: Mapping[str, CategoryCount]
    phrases: Mapping[str, int]
    filters: Filters


def count(journal: Index, filters: Filters, naming: Naming | None = None) -> Statistics:
    """Count what a journal holds.

    Args:
        journal: is read once.
        filters: which masks are labels.
        naming: says the category of a phrase.

    Raises:
        MglmmError: if the journal has damaged lines.
    """
    journal.require_whole()
    category = naming or Naming()
    tally = _Tally(category)
    for photograph in journal.photographs():
        tally.add(photograph, select(photograph, filters, category))
    failed_at = Counter(value["failure"]["stage"] for value in journal.failures())
    return tally.statistics(journal, failed_at, filters)


@dataclass(slots=True)
class _Tally:
    """The counting itself, photograph by photograph."""

    category: Naming
    unlabelled: int = 0
    captions: dict[str, Captions] = field(default_factory=dict)
    masks: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    pixels: Spread = field(default_factory=Spread)
    scores: Spread = field(default_factory=Spread)
    name_scores: Spread = field(default_factory=Spread)
    categories: dict[str, CategoryCount] = field(default_factory=dict)
    phrases: Counter[str] = field(default_factory=Counter)

    def add(self, photograph: Mapping[str, Any], selected: Selected) -> None:
        """Count one photograph with its labels."""
        self.unlabelled += not selected.labels
        self.masks["made"] += selected.masks
        self.masks["duplicates"] += sum(place != label for place, label in selected.instead.items())
        self.left_out.update(selected.left_out.values())
        for at, segcap in enumerate(photograph["segcaps"]):
            self._add_caption(at, segcap, selected)
        here = set()
        for label in selected.labels:
            self.masks["labels"] += 1
            self.masks["parts"] += label.part > 0
            self.masks["groups"] += label.group
            self.captions[photograph["segcaps"][label.place[0]]["granularity"]].labels += 1
            self.sizes["small" if label.area < SMALL else "medium" if label.area < MEDIUM else "large"] += 1
            self.pixels.add(label.area)
            self.scores.add(label.score)
            if label.name_score is not None:
                self.name_scores.add(label.name_score)
            self.phrases.update(label.phrases)
            name = self.category(label.phrase)
            assert name is not None  # else it would be no label
            self.categories.setdefault(name, CategoryCount()).labels += 1
            here.add(name)
        for name in here:
            self.categories[name].photographs += 1

    def _add_caption(self, at: int, segcap: Mapping[str, Any], selected: Selected) -> None:
        counts = self.captions.setdefault(segcap["granularity"], Captions())
        counts.captions += 1
        counts.truncated += segcap["truncated"]
        for phrase in segcap["phrases"]:
            counts.phrases += 1
            counts.masks += len(phrase["segs"])
            counts.ungrounded += not any((at, seg) in selected.instead for seg in phrase["segs"])

    def statistics(self, journal: Index, failed_at: Mapping[str, int], filters: Filters) -> Statistics:
        """What was counted."""
        masks, sizes = self.masks, self.sizes
        categories = sorted(self.categories.items(), key=lambda item: (-item[1].labels, item[0]))
        return Statistics(
            Photographs(journal.done, journal.failed, dict(failed_at), self.unlabelled),
            self.captions,
            Masks(
                made=masks["made"],
                labels=masks["labels"],
                duplicates=masks["duplicates"],
                left_out=dict(self.left_out),
                parts=masks["parts"],
                groups=masks["groups"],
            ),
            Sizes(sizes["small"], sizes["medium"], sizes["large"], self.pixels.quantiles()),
            self.scores.quantiles(),
            self.name_scores.quantiles(),
            dict(categories),
            dict(sorted(self.phrases.items(), key=lambda item: (-item[1], item[0]))),
            filters,
        )
