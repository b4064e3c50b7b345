"""The public form of a photograph's answers: what stands in a journal's line and what goes to stdout."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from engine.journal.lines import dump
from engine.records import RLE, Answer, Failure, Granularity, GroundedPhrase, Mask, Parent, PhotoRecord, SegCap, Span
from engine.text.names import renewed

_GRANULARITIES = get_args(Granularity)


def to_json(
    entry: PhotoRecord | Failure, path: str | None = None, image: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The public form of one photograph, JSON values only.

    One that could not be done has the keys of the others, with nothing in them, and `failure` beside them.

    Args:
        entry: its answers.
        path: of its file, as the user gave it; left out where there is none.
        image: what the list that it was taken from says of it, its `id` among it; left out likewise.

    Raises:
        ValueError: if a number is not finite.
    """
    where: dict[str, Any] = {"file_name": renewed(entry.file_name)} | ({} if path is None else {"path": path})
    where |= {} if image is None else {"image": image}
    if isinstance(entry, Failure):
        failure = {"stage": entry.stage, "reason": entry.reason}
        return where | {"width": 0, "height": 0, "segcaps": [], "failure": failure}
    segcaps = [_segcap_to_json(segcap) for segcap in entry.segcaps]
    return where | {"width": entry.width, "height": entry.height, "segcaps": segcaps}


def from_json(value: Mapping[str, Any]) -> PhotoRecord | Failure:
    """The inverse of `to_json`; keys that it does not know are left aside.

    Raises:
        KeyError, TypeError, ValueError: if this is not the form of a photograph.
    """
    if "failure" in value:
        return Failure(value["file_name"], value["failure"]["stage"], value["failure"]["reason"])
    segcaps = tuple(_segcap_from_json(segcap) for segcap in value["segcaps"])
    return PhotoRecord(value["file_name"], value["width"], value["height"], segcaps)


def is_photograph(value: Any) -> bool:
    """Whether `value` has the form of a photograph, so that `from_json` and whatever reads the form can take it.

    It is the form that is checked, not what the texts and numbers say.
    """
    try:
        if "image" in value and "id" not in value["image"].keys():  # noqa: SIM118  (it may be no object)
            return False
        if "failure" in value:
            texts = (value["file_name"], value["failure"]["stage"], value["failure"]["reason"])
            return all(type(text) is str for text in texts)
        segcaps = value["segcaps"]
        sizes = [len(segcap["masks"]) for segcap in segcaps]
        return (
            type(value["file_name"]) is str
            and type(value["width"]) is type(value["height"]) is int
            and type(segcaps) is list
            and all(_is_segcap(segcap, sizes) for segcap in segcaps)
        )
    # Whatever is missing, of another type or another length.
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False


def to_line(entry: PhotoRecord | Failure, path: str | None = None, image: Mapping[str, Any] | None = None) -> str:
    """One photograph as one line of ASCII, newline included, so that it survives any encoding.

    Raises:
        ValueError: if a number is not finite.
    """
    return dump(to_json(entry, path, image)).decode("ascii") + "\n"


def _segcap_to_json(segcap: SegCap) -> dict[str, Any]:
    return {
        "granularity": segcap.granularity,
        "instruction": segcap.instruction,
        "caption": segcap.answer.caption,
        "answer": segcap.answer.raw,
        "phrases": [_phrase_to_json(phrase) for phrase in segcap.answer.phrases],
        "masks": [_mask_to_json(mask) for mask in segcap.masks],
        "parent": segcap.parent and {"segcap": segcap.parent.segcap, "seg": segcap.parent.seg},
        "truncated": segcap.truncated,
    }


def _phrase_to_json(phrase: GroundedPhrase) -> dict[str, Any]:
    form = {"text": phrase.text, "span": [phrase.span.start, phrase.span.end], "segs": list(phrase.segs)}
    if phrase.name_score is None:
        return form
    if not math.isfinite(phrase.name_score):
        raise ValueError(f"a phrase's name score {phrase.name_score} is not finite")
    return form | {"name_score": phrase.name_score}


def _mask_to_json(mask: Mask) -> dict[str, Any]:
    # NumPy's numbers become Python's.
    x, y, width, height = map(float, mask.bbox)
    score = float(mask.score)
    if not all(map(math.isfinite, (x, y, width, height, score))):
        raise ValueError(f"a mask's box {mask.bbox} or score {mask.score} is not finite")
    return {
        "segmentation": mask.rle.to_coco(),
        "area": int(mask.area),
        "bbox": [x, y, width, height],
        "score": score,
    }


def _segcap_from_json(value: Mapping[str, Any]) -> SegCap:
    phrases = tuple(
        GroundedPhrase(phrase["text"], Span(*phrase["span"]), tuple(phrase["segs"]), phrase.get("name_score"))
        for phrase in value["phrases"]
    )
    masks = tuple(_mask_from_json(mask) for mask in value["masks"])
    return SegCap(
        granularity=value["granularity"],
        instruction=value["instruction"],
        answer=Answer(value["answer"], value["caption"], phrases, len(masks)),
        masks=masks,
        parent=value["parent"] and Parent(value["parent"]["segcap"], value["parent"]["seg"]),
        truncated=value["truncated"],
    )


def _mask_from_json(value: Mapping[str, Any]) -> Mask:
    height, width = value["segmentation"]["size"]
    x, y, box_width, box_height = value["bbox"]
    rle = RLE(height, width, value["segmentation"]["counts"])
    return Mask(rle, value["area"], (x, y, box_width, box_height), value["score"])


def _is_segcap(value: Mapping[str, Any], sizes: Sequence[int]) -> bool:
    """Args: a segcap; how many masks each segcap of the photograph has."""
    segs = []
    for phrase in value["phrases"]:
        start, end = phrase["span"]
        # Older versions don't give it.
        score = phrase.get("name_score")
        if not (type(phrase["text"]) is str and type(start) is type(end) is int):
            return False
        if score is not None and not math.isfinite(score):
            return False
        segs += phrase["segs"]
    masks, parent = value["masks"], value["parent"]
    return (
        value["granularity"] in _GRANULARITIES
        and type(value["instruction"]) is type(value["caption"]) is type(value["answer"]) is str
        and type(value["truncated"]) is bool
        and type(masks) is list
        and all(map(_is_mask, masks))
        # A phrase for each mask.
        and sorted(segs) == list(range(len(masks)))
        and (parent is None or (parent["segcap"] >= 0 and 0 <= parent["seg"] < sizes[parent["segcap"]]))
    )


def _is_mask(value: Mapping[str, Any]) -> bool:
    height, width = value["segmentation"]["size"]
    x, y, box_width, box_height = value["bbox"]
    return (
        type(value["segmentation"]["counts"]) is str
        and type(height) is type(width) is type(value["area"]) is int
        and all(map(math.isfinite, (x, y, box_width, box_height, value["score"])))
    )
