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

from engine.errors import UsageError
from engine.json_file import read_json
from engine.records import RLE
from trainer.benchmarks.entries import each, identity, listed, masks_in, masks_of, number, text, texts, whole
from trainer.data.formats.reading import field
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
    return tuple(each(path, "images", listed(path, read_json(path), "images"), _true_image))


def read_ground_truth(folder: str | Path, split: str) -> tuple[GroundTruth, ...]:
    """Read one split, in the order of the caption file's `images`.

    Integer image ids become strings; AP then ranks them by code point, as it does all ids.

    Args:
        folder: holds the two files of the split.
        split: `root`, `subtree` or `all` for MGSC, `val` or `test` for GCG.

    Raises:
        UsageError: if a file is missing or malformed; names the entry.
    """
    captions_path, masks_path = _ground_truth_paths(Path(folder), split)
    captions_file, masks_file = read_json(captions_path), read_json(masks_path)
    captions: dict[str, _Caption] = {}
    masks: defaultdict[str, list[_TrueMask]] = defaultdict(list)
    ids: set[int] = set()

    def add_caption(annotation: Any) -> None:
        found = _Caption(text(annotation, "caption"), texts(annotation, "labels"))
        if captions.setdefault(image_id := identity(annotation, "image_id"), found) is not found:
            raise ValueError(f"image {image_id!r} has two captions")

    def add_mask(annotation: Any) -> None:
        found = _TrueMask(next(drawn), whole(annotation, "id"), number(annotation, "area"))
        if found.id in ids:
            raise ValueError(f"the id {found.id} for the second time")
        ids.add(found.id)
        masks[identity(annotation, "image_id")].append(found)

    truths: dict[str, GroundTruth] = {}

    def add_image(image: Any) -> None:
        image_id = identity(image, "id")
        if image_id in truths:
            raise ValueError(f"image {image_id!r} for the second time")
        if image_id not in captions:
            raise ValueError(f"image {image_id!r} has no caption")
        said, known = captions[image_id], masks[image_id]
        truths[image_id] = GroundTruth(
            image_id=image_id,
            caption=said.text,
            labels=said.labels,
            masks=tuple(one.rle for one in known),
            mask_ids=tuple(one.id for one in known),
            mask_areas=tuple(one.area for one in known),
        )

    each(captions_path, "annotations", listed(captions_path, captions_file, "annotations"), add_caption)
    annotations = listed(masks_path, masks_file, "annotations")
    drawn = iter(masks_of(masks_path, "annotations", annotations, "segmentation"))
    each(masks_path, "annotations", annotations, add_mask)
    each(captions_path, "images", listed(captions_path, captions_file, "images"), add_image)
    return tuple(truths.values())


def read_predictions(
    folder: str | Path, image_ids: Iterable[str], *, missing_ok: bool = False
) -> tuple[Prediction, ...]:
    """Read the prediction of each image.

    Args:
        folder: holds `{image_id}.json` files.
        image_ids: which; other files are not looked at.
        missing_ok: leave out an image without a file.

    Raises:
        UsageError: if a file is missing (and must not be) or malformed; names it and the mask.
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
    if Path(pred.image_id).name != pred.image_id or "\0" in pred.image_id:
        raise UsageError(f"the id {pred.image_id!r} can't be the name of a prediction's file")
    path = folder / f"{pred.image_id}.json"
    path.write_text(json.dumps({"image_id": pred.image_id} | content), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Caption:
    text: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _TrueMask:
    rle: RLE
    id: int
    area: float


def _ground_truth_paths(folder: Path, split: str) -> tuple[Path, Path]:
    for family in _FAMILIES:
        captions, masks = (folder / f"{split}_{family}_{kind}_gt.json" for kind in ("caption", "mask"))
        if captions.is_file():
            return captions, masks
    tried = " or ".join(f"{split}_{family}_caption_gt.json" for family in _FAMILIES)
    raise UsageError(f"{folder}: no {tried}")


def _true_image(image: Any) -> TrueImage:
    image_id = identity(image, "id")
    file_name = text(image, "sam_file_name" if image.get("sam_file_name") else "file_name")
    return TrueImage(image_id, file_name, text(image, "type") if "type" in image else "")


def _prediction(image_id: str, path: Path) -> Prediction:
    content = read_json(path)
    first = next(iter(content.values()), None) if isinstance(content, dict) else None
    if isinstance(first, dict) and "caption" in first:
        content = first
    try:
        return Prediction(
            image_id=image_id,
            caption=None if field(content, "caption", object) is None else text(content, "caption"),
            phrases=texts(content, "phrases"),
            masks=masks_in(content, "pred_masks"),
        )
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
