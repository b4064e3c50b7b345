"""How long the MGSC evaluation takes, and how it grows beside a plain reading of the official script.

    python -m benchmarks.evaluation [--images 5000] [--masks 8] [--plain 50 100 200]

Masks and captions are made; the files are those of the official evaluation. The text model is left out: labels are
compared by equality. The plain way is the official mIoU and recall as they are written down, read once: for each image
all annotations are looked through, masks become pixels, and each pair is compared by itself.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from engine.masks import rle
from engine.records import RLE
from trainer.benchmarks.official_files import read_ground_truth, read_predictions, write_prediction
from trainer.metrics.captions import unavailable
from trainer.metrics.matching import greedy_pairs, iou_matrix
from trainer.metrics.mgsc import IOU_THRESHOLD, GroundTruth, MgscScores, Prediction, evaluate, recall_pairs

_HEIGHT, _WIDTH = 480, 640
_POOL = 400
_WORDS = "red blue large small dog cat table cup person tree car road sky house window lamp".split()


class Equality:
    """Equal labels are alike, others are not."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """One row per text."""
        return np.eye(len(texts), dtype=np.float64)


def made_masks(rng: np.random.Generator) -> list[RLE]:
    """Discs anywhere in the frame."""
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    found = []
    for _ in range(_POOL):
        row, column, radius = rng.uniform(0, _HEIGHT), rng.uniform(0, _WIDTH), rng.uniform(20, 150)
        found += rle.encode(((rows - row) ** 2 + (columns - column) ** 2 < radius**2)[None])
    return found


def make(folder: Path, images: int, masks: int) -> None:
    """Write ground truth and predictions; half of the predicted masks are right."""
    rng = np.random.default_rng(0)
    pool = made_masks(rng)
    captions: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    (folder / "pred").mkdir(parents=True)
    for number in range(images):
        name = f"sa_{number}_0"
        labels = [str(label) for label in rng.choice(_WORDS, masks)]
        truth = rng.choice(len(pool), masks, replace=False)
        answer = np.where(rng.random(masks) < 0.5, truth, rng.choice(len(pool), masks))
        text = "The image shows " + ", ".join(f"a {label}" for label in labels) + "."
        captions.append({"id": number, "image_id": name, "caption": text, "labels": labels})
        for place in truth:
            one = {"id": len(annotations), "image_id": name, "category_id": 1, "area": rle.area(pool[place])}
            annotations.append(one | {"segmentation": pool[place].to_coco()})
        phrases = tuple(str(label) if rng.random() < 0.7 else "thing" for label in labels)
        said = "There is " + " and ".join(phrases) + "."
        write_prediction(folder / "pred", Prediction(name, said, phrases, tuple(pool[place] for place in answer)))
    files = [{"id": entry["image_id"], "type": "root", "file_name": "x.jpg"} for entry in captions]
    for kind, entries in (("caption", captions), ("mask", annotations)):
        content = {"images": files, "annotations": entries}
        (folder / f"all_mgsc_{kind}_gt.json").write_text(json.dumps(content), encoding="utf-8")


def ours(folder: Path) -> MgscScores:
    """The whole evaluation, from files to scores."""
    gts: tuple[GroundTruth, ...] = read_ground_truth(folder, "all")
    preds = read_predictions(folder / "pred", [gt.image_id for gt in gts])
    return evaluate(gts, preds, Equality(), "official")


def ours_without_ap_and_captions(folder: Path) -> float:
    """The part that the plain way does too: reading, mIoU and recall."""
    gts = read_ground_truth(folder, "all")
    preds = read_predictions(folder / "pred", [gt.image_id for gt in gts])
    tally = 0.0
    for gt, pred in zip(gts, preds, strict=True):
        iou = iou_matrix(gt.masks, pred.masks)
        pairs = greedy_pairs(iou.T)
        tally += float(np.mean([iou[column, row] for row, column in pairs])) if pairs else 0.0
        alike = np.array([[float(label == phrase) for phrase in pred.phrases] for label in gt.labels])
        recall_pairs(iou, alike, on_mismatch="stop", on_unnamed="drop")
    return tally / len(gts)


def plain(folder: Path) -> float:
    """Mean mIoU, the plain way."""
    captions = json.loads((folder / "all_mgsc_caption_gt.json").read_text())
    annotations = json.loads((folder / "all_mgsc_mask_gt.json").read_text())["annotations"]
    scores = []
    for image in captions["images"]:
        answer = json.loads((folder / "pred" / f"{image['id']}.json").read_text())
        for step in ("miou", "recall"):
            truth = [entry["segmentation"] for entry in annotations if entry["image_id"] == image["id"]]
            labels = next(entry["labels"] for entry in captions["annotations"] if entry["image_id"] == image["id"])
            rows = [coco_mask.decode(mask) for mask in answer["pred_masks"]]
            columns = [coco_mask.decode(mask) for mask in truth]
            iou = np.array([[_iou(row, column) for column in columns] for row in rows])
            if step == "miou":
                scores.append(_matched(iou))
            else:
                _recalled(iou.T, labels, answer["phrases"])
    return float(np.mean(scores))


def _iou(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.logical_and(one, other).sum() / np.logical_or(one, other).sum())


def _matched(iou: NDArray[np.float64]) -> float:
    taken = []
    while iou.size and iou.max() > 0:
        row, column = np.unravel_index(iou.argmax(), iou.shape)
        taken.append(iou[row, column])
        iou = np.delete(np.delete(iou, row, axis=0), column, axis=1)
    return float(np.mean(taken)) if taken else 0.0


def _recalled(iou: NDArray[np.float64], labels: Sequence[str], phrases: Sequence[str]) -> int:
    hits = 0
    while iou.max() >= IOU_THRESHOLD:
        row, column = (int(index) for index in np.unravel_index(iou.argmax(), iou.shape))
        if labels[row] != phrases[column]:
            break
        hits += 1
        iou[row], iou[:, column] = 0, 0
    return hits


def _of_children() -> float:
    """Seconds of CPU of the programs that were run."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run all and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--masks", type=int, default=8, help="in each image")
    parser.add_argument("--plain", type=int, nargs="*", default=[50, 100, 200], help="images for the plain way")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="mglmm-") as name:
        folder = Path(name) / "all"
        make(folder, options.images, options.masks)
        start, python, java = time.perf_counter(), time.process_time(), _of_children()
        scores = ours(folder)
        seconds = time.perf_counter() - start
        python, java = time.process_time() - python, _of_children() - java
        what = f"without captions: {reason}" if (reason := unavailable()) else "with captions"
        cpu = f"{python:.1f} s of CPU in Python, {java:.1f} s in Java"
        print(f"{options.images} x {options.masks}: {seconds:.1f} s ({cpu}; {what})", flush=True)
        print(f"mIoU {scores.miou:.4f}, AP50 {scores.detection.AP50:.4f}", flush=True)
        for count in options.plain:
            folder = Path(name) / str(count)
            make(folder, count, options.masks)
            # Seconds of CPU, both in one thread: whatever else runs on the machine matters little.
            start = time.process_time()
            slow = plain(folder)
            middle = time.process_time()
            fast = ours_without_ap_and_captions(folder)
            end = time.process_time()
            assert abs(slow - fast) < 1e-9, (slow, fast)
            ratio = (middle - start) / (end - middle)
            print(f"{count}: plain {middle - start:.2f} s, ours {end - middle:.2f} s, {ratio:.0f} times", flush=True)


if __name__ == "__main__":
    main()
