"""The public form of a photograph's answers: what stands in a journal's line and what goes to stdout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from engine.journal.lines import dump
from engine.names import renewed
from engine.records import RLE, Answer, Failure, GroundedPhrase, Mask, Parent, PhotoRecord, SegCap, Span


def to_json(entry: PhotoRecord | Failure) -> dict[str, Any]:
    """The public form of one photograph, JSON values only.

    Raises:
        ValueError: if a number is not finite.
    """
    file_name = renewed(entry.file_name)
    if isinstance(entry, Failure):
        return {"file_name": file_name, "failure": {"stage": entry.stage, "reason": entry.reason}}
    return {
        "file_name": file_name,
        "width": entry.width,
        "height": entry.height,
        "segcaps": [_segcap_to_json(segcap) for segcap in entry.segcaps],
    }


def from_json(value: Mapping[str, Any]) -> PhotoRecord | Failure:
    """The inverse of `to_json`; keys that it does not know are left aside.

    Raises:
        KeyError, TypeError, ValueError: if this is not the form of a photograph.
    """
    if "failure" in value:
        return Failure(value["file_name"], value["failure"]["stage"], value["failure"]["reason"])
    segcaps = tuple(_segcap_from_json(segcap) for segcap in value["segcaps"])
    return PhotoRecord(value["file_name"], value["width"], value["height"], segcaps)


def to_line(entry: PhotoRecord | Failure) -> str:
    """One photograph as one line of ASCII, newline included, so that it survives any encoding.

    Raises:
        ValueError: if a number is not finite.
    """
    return dump(to_json(entry)).decode("ascii") + "\n"


def _segcap_to_json(segcap: SegCap) -> dict[str, Any]:
    return {
        "granularity": segcap.granularity,
        "instruction": segcap.instruction,
        "caption": segcap.answer.caption,
        "answer": segcap.answer.raw,
        "phrases": [
            {"text": phrase.text, "span": [phrase.span.start, phrase.span.end], "segs": list(phrase.segs)}
            for phrase in segcap.answer.phrases
        ],
        "masks": [_mask_to_json(mask) for mask in segcap.masks],
        "parent": segcap.parent and {"segcap": segcap.parent.segcap, "seg": segcap.parent.seg},
        "truncated": segcap.truncated,
    }


def _mask_to_json(mask: Mask) -> dict[str, Any]:
    # NumPy's numbers become Python's.
    x, y, width, height = map(float, mask.bbox)
    score = float(mask.score)
    # The sum is finite only if all are, but for a sum beyond all pixels.
    if not math.isfinite(x + y + width + height + score):
        raise ValueError(f"a mask's box {mask.bbox} or score {mask.score} is not finite")
    return {
        "segmentation": mask.rle.to_coco(),
        "area": int(mask.area),
        "bbox": [x, y, width, height],
        "score": score,
    }


def _segcap_from_json(value: Mapping[str, Any]) -> SegCap:
    phrases = tuple(
        GroundedPhrase(phrase["text"], Span(*phrase["span"]), tuple(phrase["segs"])) for phrase in value["phrases"]
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
