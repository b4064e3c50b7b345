"""A run as every output reads it: COCO's entries, photograph by photograph, whatever files are made of them.

Nothing is kept in memory but the categories, which are numbered by name. An image's id is the number that the journal
has for it, or what the COCO file that it was listed in calls it; `numbering` says what follows from the number.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from engine.errors import UsageError
from engine.journal import Index, RunInfo
from engine.journal.content import UNKNOWN, Fingerprint
from engine.masks.rle import run_lengths
from engine.text.names import from_text
from exporters.labels.filters import Filters
from exporters.labels.naming import Naming, Wanted
from exporters.labels.numbering import annotation_id, caption_id
from exporters.labels.polygons import outlines
from exporters.labels.reviewed import Reviewed
from exporters.labels.select import Label, Place, Selected, select

Shapes = Literal["rle", "polygon", "rle-uncompressed"]
Entry = dict[str, Any]

_INNER = frozenset({"forced", "seg_every"})
_NAMED = 3  # phrases of many


@dataclass(frozen=True, slots=True)
class Choice:
    """Attributes:
    filters: which masks are labels.
    masks: how COCO JSON holds them.
    simplify: pixels by which a polygon may be off, for fewer points.
    wanted: which categories there are.
    """

    filters: Filters = field(default_factory=Filters)
    masks: Shapes = "rle"
    simplify: float = 0.0
    wanted: Wanted = field(default_factory=Wanted)

    @property
    def about(self) -> Entry:
        """What outputs say of it."""
        filters = asdict(self.filters)
        return {"filters": filters, "masks": self.masks, "simplify": self.simplify, **self.wanted.about}


@dataclass(frozen=True, slots=True)
class Photo:
    """One photograph.

    Attributes:
        image: COCO's entry.
        path: of its file, as the run had it; empty where that is not known.
        labels: its masks, in the order of `annotations`.
        annotations: COCO's entries of them.
        captions: what was asked and answered, with all phrases.
        known: what its file held.
    """

    image: Entry
    path: str
    labels: tuple[Label, ...]
    annotations: list[Entry]
    captions: list[Entry]
    known: Fingerprint = UNKNOWN


class Dataset:
    """The photographs of a journal that were answered.

    Args:
        journal: is read once for the categories, and once each time the photographs are.
        info: the run.
        choice: which masks, in which form.
        reviewed: what people marked; what is wrong is left out.

    Attributes:
        categories: COCO's entries, of all masks: they stay whatever the filters are.
        unmapped: phrases of masks that the wanted vocabulary does not have, and how many masks each has.
        licenses: those of the COCO file that the photographs were listed in.

    Raises:
        MglmmError: if the journal has damaged lines.
        UsageError: if there are such phrases, and that is not wanted.
    """

    def __init__(
        self, journal: Index, info: RunInfo, choice: Choice | None = None, reviewed: Reviewed | None = None
    ) -> None:
        journal.require_whole()
        self.choice = choice or Choice()
        self._reviewed = reviewed or Reviewed({})
        self._journal, self._info = journal, info
        self._category = Naming(self.choice.wanted)
        names: set[str] = set()
        self.unmapped: Counter[str] = Counter()
        self._text = False  # ids of images are text
        for photograph in journal.photographs():
            self._text |= isinstance(photograph.get("image", {}).get("id"), str)
            for phrase in (phrase for segcap in photograph["segcaps"] for phrase in segcap["phrases"]):
                if phrase["segs"] and (name := self._category(phrase["text"])) is not None:
                    names.add(name)
                if phrase["segs"] and not self._category.is_mapped(phrase["text"]):
                    self.unmapped[phrase["text"]] += len(phrase["segs"])
        if self.unmapped and self.choice.wanted.unmapped == "fail":
            raise UsageError(
                f"{self.said_unmapped}: add them to it, or give --unmapped keep or drop (what was answered is kept)"
            )
        categories = self._category.categories(names)
        self._ids = {category.name: category.id for category in categories}
        self.licenses: list[Entry] = [dict(entry) for entry in journal.licenses]
        self.categories: list[Entry] = [category.entry for category in categories]

    @property
    def said_unmapped(self) -> str:
        """The phrases that the wanted vocabulary does not have, in words; empty where it has all."""
        vocabulary = self.choice.wanted.vocabulary
        if vocabulary is None or not self.unmapped:
            return ""
        often = sorted(self.unmapped.items(), key=lambda item: (-item[1], item[0]))
        named = ", ".join(f"{phrase!r} ({count})" for phrase, count in often[:_NAMED])
        rest = f" and {len(often) - _NAMED} more" if len(often) > _NAMED else ""
        total = self.unmapped.total()
        said = "1 mask means" if total == 1 else f"{total} masks mean"
        return f"{said} no category of {vocabulary.source}: {named}{rest}"

    @property
    def info(self) -> Entry:
        """What COCO's `info` says of the run and of what was chosen."""
        options = _chosen(self._info.options)
        about = {**asdict(self._info), "options": options, "labels": self.choice.about}
        return {"description": "Captions with masks at several granularities", **about}

    def photographs(self) -> Iterator[Photo]:
        """In the order of the inputs, but for those that are wrong as a whole."""
        for entry in self._journal.entries():
            wrong = self._reviewed.wrong(entry.form)
            if wrong is not None:
                selected = select(entry.form, self.choice.filters, self._category, wrong)
                yield replace(self._photo(entry.form, entry.number, selected), known=entry.known)

    def _photo(self, photograph: Mapping[str, Any], number: int, selected: Selected) -> Photo:
        image = _image(photograph, str(number) if self._text else number)
        ids: dict[Place, list[int]] = {}
        for label in selected.labels:
            ids.setdefault(label.place, []).append(annotation_id(number, label.number, label.part))
        captions = [
            _caption(segcap, at, ids, selected, {"id": caption_id(number, at), "image_id": image["id"]})
            for at, segcap in enumerate(photograph["segcaps"])
        ]
        annotations = []
        for label in selected.labels:
            entry = captions[label.place[0]]
            parent = ids[label.parent][0] if label.parent else None
            about = {
                "phrase": label.phrase,
                "caption_id": entry["id"],
                "granularity": entry["granularity"],
                "parent": parent,
            }
            annotations.append(
                {
                    "id": annotation_id(number, label.number, label.part),
                    "image_id": image["id"],
                    "category_id": self._ids[self._name(label)],
                    "segmentation": self._segmentation(label),
                    "area": label.area,
                    "bbox": list(label.bbox),
                    "iscrowd": int(label.group and self.choice.filters.groups == "crowd"),
                    "score": label.score,
                    **({} if label.name_score is None else {"name_score": label.name_score}),
                    **about,
                    "span": list(label.span),
                    **({"phrases": list(label.phrases)} if len(label.phrases) > 1 else {}),
                    **({"group": True} if label.group else {}),
                    "attributes": about,
                }
            )
        return Photo(image, self._path(photograph), selected.labels, annotations, captions)

    def _name(self, label: Label) -> str:
        name = self._category(label.phrase)
        assert name is not None  # else it would be no label
        return name

    def _path(self, photograph: Mapping[str, Any]) -> str:
        """Of its file; a relative one was given from the folder that the run was started in."""
        path = photograph.get("path")
        if not isinstance(path, str) or not path or "\0" in path:
            return ""
        return os.path.join(self._journal.start.folder if self._journal.start else "", from_text(path))

    def _segmentation(self, label: Label) -> Any:
        # COCO's crowds are run lengths.
        if self.choice.masks == "polygon" and not (label.group and self.choice.filters.groups == "crowd"):
            parts = outlines(label.rle, self.choice.simplify)
            return [part.joined.ravel().tolist() for part in parts]
        if self.choice.masks == "rle-uncompressed":
            return {"size": [label.rle.height, label.rle.width], "counts": run_lengths(label.rle).tolist()}
        return label.rle.to_coco()


def _image(photograph: Mapping[str, Any], own_id: int | str) -> Entry:
    listed = {"id": own_id, "file_name": photograph["file_name"]} | photograph.get("image", {})
    own = ("id", "file_name", "width", "height")
    size = {"width": photograph["width"], "height": photograph["height"]}
    others = {key: value for key, value in listed.items() if key not in own}
    return {"id": listed["id"], "file_name": listed["file_name"], **size, **others}


def _caption(
    segcap: Mapping[str, Any], at: int, ids: Mapping[Place, list[int]], selected: Selected, head: Entry
) -> Entry:
    about = segcap["parent"]
    target = selected.instead.get((about["segcap"], about["seg"])) if about else None
    entry = {
        **head,
        "granularity": segcap["granularity"],
        "instruction": segcap["instruction"],
        "caption": segcap["caption"],
        "answer": segcap["answer"],
        "parent": ids[target][0] if target else None,
        "phrases": [_grounded(phrase, at, ids, selected) for phrase in segcap["phrases"]],
    }
    return entry | ({"truncated": True} if segcap["truncated"] else {})


def _grounded(phrase: Mapping[str, Any], at: int, ids: Mapping[Place, list[int]], selected: Selected) -> Entry:
    """A phrase of a caption with the annotations that it means, and why masks of it are none."""
    places = [(at, seg) for seg in phrase["segs"]]
    meant = dict.fromkeys(number for place in places for number in ids.get(selected.instead.get(place, place), ()))
    why = sorted({selected.left_out[place] for place in places if place in selected.left_out})
    return {
        "phrase": phrase["text"],
        "span": list(phrase["span"]),
        "annotation_ids": list(meant),
        **({"left_out": why} if why else {}),
    }


def _chosen(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that say something of the answers: not those to measure with, nor the seed where nothing is drawn."""
    dropped = _INNER if options.get("temperature") else _INNER | {"seed"}
    return {name: value for name, value in options.items() if name not in dropped}
