"""Readers for the files of the official MGSC and GCG evaluations.

Ground truth, in COCO form: `{split}_mgsc_caption_gt.json` and `{split}_mgsc_mask_gt.json`, or the same two with
`gcg_coco` in the middle. Predictions: one `{image_id}.json` per image with `caption`, `phrases` and `pred_masks`,
either at the top or inside the dictionary under the file's first key.
Sizes come from the masks: the official converter writes width and height of an image the wrong way round.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask

from engine.errors import UsageError
from engine.records import RLE
from trainer.metrics.mgsc import GroundTruth, Prediction

_FAMILIES = ("mgsc", "gcg_coco")


@dataclass(frozen=True, slots=True)
class TrueImage:
    """An image of the caption file.

    Attributes:
        id: integers become strings.
        file_name: of the photograph; several images of MGSC are about one.
        kind: of MGSC: `root`, or `subtree:<name>` for one object; empty in GCG.
    """

    id: str
    file_name: str
    kind: str


def read_images(folder: str | Path, split: str) -> tuple[TrueImage, ...]:
    """The images of one split, in the order of the caption file.

    Raises:
        UsageError: if the file is missing or malformed.
    """
    path, _ = _ground_truth_paths(Path(folder), split)
    try:
        return tuple(
            TrueImage(str(image["id"]), image.get("sam_file_name") or image["file_name"], image.get("type", ""))
            for image in _object(path)["images"]
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: {_reason(error)}") from error


def read_ground_truth(folder: str | Path, split: str) -> tuple[GroundTruth, ...]:
    """Read one split, in the order of the caption file's `images`.

    Integer image ids become strings; AP then ranks them by code point, as it does all ids.

    Args:
        folder: holds the two files of the split.
        split: `root`, `subtree` or `all` for MGSC, `val` or `test` for GCG.

    Raises:
        UsageError: if a file is missing or malformed.
    """
    captions_path, masks_path = _ground_truth_paths(Path(folder), split)
    captions_file, masks_file = _object(captions_path), _object(masks_path)
    try:
        captions: dict[str, dict[str, Any]] = {}
        for annotation in captions_file["annotations"]:
            if captions.setdefault(str(annotation["image_id"]), annotation) is not annotation:
                raise UsageError(f"{captions_path}: image {annotation['image_id']!r} has two captions")
        masks: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for annotation in masks_file["annotations"]:
            masks[str(annotation["image_id"])].append(annotation)
        return tuple(
            _ground_truth(image_id, captions[image_id], masks[image_id])
            for image_id in (str(image["id"]) for image in captions_file["images"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{captions_path} and {masks_path.name}: {_reason(error)}") from error


def read_predictions(
    folder: str | Path, image_ids: Iterable[str], *, missing_ok: bool = False
) -> tuple[Prediction, ...]:
    """Read the prediction of each image.

    Args:
        folder: holds `{image_id}.json` files.
        image_ids: which; other files are not looked at.
        missing_ok: leave out an image without a file.

    Raises:
        UsageError: if a file is missing (and must not be) or malformed.
    """
    paths = {image_id: Path(folder, f"{image_id}.json") for image_id in image_ids}
    return tuple(_prediction(image_id, path) for image_id, path in paths.items() if not missing_ok or path.is_file())


def write_prediction(folder: Path, pred: Prediction) -> None:
    """Write the file of one image.

    Raises:
        UsageError: if its id is no name of a file.
        OSError: if it can't be written.
    """
    content = {
        "caption": pred.caption,
        "phrases": list(pred.phrases),
        "pred_masks": [mask.to_coco() for mask in pred.masks],
    }
    if Path(pred.image_id).name != pred.image_id:
        raise UsageError(f"the id {pred.image_id!r} can't be the name of a prediction's file")
    path = folder / f"{pred.image_id}.json"
    path.write_text(json.dumps({"image_id": pred.image_id} | content), encoding="utf-8")


def parse_rle(segmentation: object) -> RLE:
    """A COCO run-length mask, compressed or not.

    Raises:
        ValueError: if it is anything else.
    """
    if not isinstance(segmentation, dict) or "counts" not in segmentation:
        raise ValueError("a mask is not a run-length encoding")
    size, counts = segmentation.get("size"), segmentation["counts"]
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) and side >= 0 for side in size)):
        raise ValueError("a mask has no size of two whole numbers")
    if isinstance(counts, list):
        counts = coco_mask.frPyObjects({"size": size, "counts": counts}, *size)["counts"]
    if isinstance(counts, bytes):
        counts = counts.decode("ascii")
    if not isinstance(counts, str):
        raise ValueError("the counts of a mask are neither a string nor a list")
    return RLE(size[0], size[1], counts)


def _ground_truth_paths(folder: Path, split: str) -> tuple[Path, Path]:
    for family in _FAMILIES:
        captions, masks = (folder / f"{split}_{family}_{kind}_gt.json" for kind in ("caption", "mask"))
        if captions.is_file():
            return captions, masks
    tried = " or ".join(f"{split}_{family}_caption_gt.json" for family in _FAMILIES)
    raise UsageError(f"{folder}: no {tried}")


def _ground_truth(image_id: str, caption: dict[str, Any], masks: list[dict[str, Any]]) -> GroundTruth:
    return GroundTruth(
        image_id=image_id,
        caption=str(caption["caption"]),
        labels=tuple(str(label) for label in caption["labels"]),
        masks=tuple(parse_rle(mask["segmentation"]) for mask in masks),
        mask_ids=tuple(int(mask["id"]) for mask in masks),
        mask_areas=tuple(float(mask["area"]) for mask in masks),
    )


def _prediction(image_id: str, path: Path) -> Prediction:
    content = _object(path)
    first = next(iter(content.values()), None)
    if isinstance(first, dict) and "caption" in first:
        content = first
    try:
        caption = content["caption"]
        return Prediction(
            image_id=image_id,
            caption=None if caption is None else str(caption),
            phrases=tuple(str(phrase) for phrase in content["phrases"]),
            masks=tuple(parse_rle(mask) for mask in content["pred_masks"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: {_reason(error)}") from error


def _object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path}: not a JSON object")
    return content


def _reason(error: Exception) -> str:
    return f"no {error.args[0]!r}" if isinstance(error, KeyError) else str(error)
