"""What other people's tools read of an export, by running them.

    python -m tests.exporters.formats.tools OUT      # prints the table of docs/formats.md

OUT is an output folder of `mglmm segcap` whose photographs are where the run found them. The tools need packages that
the project does not; `.ci/run` has an environment for them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

EXPORTS = {
    "coco": ("coco", "--save-images"),
    "polygon": ("coco", "--save-images", "--masks", "polygon"),
    "panoptic": ("coco-panoptic", "--save-images"),
    "yolo": ("yolo",),
    "brush": ("label-studio", "--masks", "rle"),
    "label-studio": ("label-studio",),
    "cvat": ("cvat", "--save-images"),
    "imagefolder": ("imagefolder",),
}


@dataclass(frozen=True, slots=True)
class Exports:
    """An output folder, and what was exported from it.

    Attributes:
        out: the output folder.
        folder: has an export below each name of `EXPORTS`.
    """

    out: Path
    folder: Path

    @classmethod
    def make(cls, out: Path, folder: Path) -> Exports:
        """Export all."""
        for name, (form, *options) in EXPORTS.items():
            command = [sys.executable, "-m", "mglmm_cli", "export", form, str(out), "-o", str(folder / name), *options]
            subprocess.run(command, check=True, capture_output=True)
        return cls(out, folder)

    @property
    def segcap(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.out / "segcap.json").read_bytes())
        return value

    def annotations(self, name: str, file: str) -> Path:
        """A file of a COCO export."""
        return self.folder / name / "annotations" / file


@dataclass(frozen=True, slots=True)
class Read:
    """Attributes:
    shapes: masks that the tool has.
    kept, lost: of what we have, in words.
    """

    shapes: int
    kept: str
    lost: str


def pycocotools(exports: Exports) -> Read:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = COCO(str(exports.annotations("coco", "instances.json")))
    found = truth.loadRes(str(exports.annotations("coco", "results.json")))
    scores = COCOeval(truth, found, "segm")
    scores.params.maxDets = [1, 10, 1000]
    scores.evaluate()
    scores.accumulate()
    precision = scores.eval["precision"][:, :, :, 0, 2]
    assert precision[precision > -1].min() > 1 - 1e-9
    return Read(len(found.anns), "masks, scores, all our keys; COCOeval of a run with itself is 1.0", "")


def hotcoco(exports: Exports) -> Read:
    from hotcoco import COCO

    truth = COCO(str(exports.annotations("coco", "instances.json")))
    health = truth.healthcheck()
    assert health["errors"] == []
    assert "near_duplicate" not in {warning["code"] for warning in health["warnings"]}
    return Read(len(truth.get_ann_ids()), "masks; healthcheck names no error and no near-duplicate", "")


def supervision(exports: Exports) -> Read:
    import supervision

    made = supervision.DetectionDataset.from_coco(
        images_directory_path=str(exports.folder / "coco" / "images"),
        annotations_path=str(exports.annotations("coco", "instances.json")),
        force_masks=True,
    )
    yolo, count = exports.folder / "yolo", 0
    for split in ("train", "val"):
        part = supervision.DetectionDataset.from_yolo(
            images_directory_path=str(yolo / "images" / split),
            annotations_directory_path=str(yolo / "labels" / split),
            data_yaml_path=str(yolo / "data.yaml"),
            force_masks=True,
        )
        count += sum(map(len, part.annotations.values()))
    shapes = sum(map(len, made.annotations.values()))
    assert count == shapes
    return Read(shapes, "masks and categories, from `coco` and `yolo`", "phrases, scores")


def datumaro(exports: Exports) -> Read:
    import datumaro

    counts = []
    for form, path in (
        ("coco_instances", exports.annotations("coco", "instances.json")),
        ("cvat", exports.folder / "cvat"),
    ):
        made = datumaro.Dataset.import_from(str(path), form)
        masks = [mask for item in made for mask in item.annotations if mask.type.name == "mask"]
        assert all("phrase" in mask.attributes for mask in masks)
        counts.append(len(masks))
    captions = datumaro.Dataset.import_from(str(exports.annotations("coco", "captions.json")), "coco_captions")
    assert sum(len(item.annotations) for item in captions) == len(exports.segcap["captions"])
    panoptic = datumaro.Dataset.import_from(str(exports.annotations("panoptic", "panoptic.json")), "coco_panoptic")
    assert len(panoptic) == len(exports.segcap["images"])
    assert counts[0] == counts[1]
    return Read(
        counts[0],
        "masks, phrases as attributes, captions; from `coco`, `coco-panoptic`, `cvat`",
        "its LabelMe is an older format; its YOLO has no masks",
    )


def torchvision(exports: Exports) -> Read:
    import torch
    from torchvision.datasets import CocoCaptions, CocoDetection
    from torchvision.models.detection import maskrcnn_resnet50_fpn
    from torchvision.transforms.functional import to_tensor

    images = str(exports.folder / "polygon" / "images")
    made = CocoDetection(images, str(exports.annotations("polygon", "instances.json")))
    texts = CocoCaptions(images, str(exports.annotations("coco", "captions.json")))
    assert sum(len(texts[at][1]) for at in range(len(texts))) == len(exports.segcap["captions"])
    pictures, targets = [], []
    for at in [at for at in range(len(made)) if made[at][1]][:2]:
        picture, annotations = made[at]
        boxes = torch.tensor([entry["bbox"] for entry in annotations], dtype=torch.float)
        boxes[:, 2:] += boxes[:, :2]
        masks = torch.stack([torch.tensor(made.coco.annToMask(entry)) for entry in annotations])
        labels = torch.tensor([entry["category_id"] for entry in annotations])
        pictures.append(to_tensor(picture))
        targets.append({"boxes": boxes, "labels": labels, "masks": masks})
    classes = len(exports.segcap["categories"]) + 1
    model = maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=classes, min_size=160, max_size=240
    ).train()
    loss = sum(model(pictures, targets).values())
    loss.backward()
    assert torch.isfinite(loss)
    shapes = sum(len(made[at][1]) for at in range(len(made)))
    return Read(shapes, "masks, boxes, captions; a step of Mask R-CNN has a finite loss", "")


def transformers(exports: Exports) -> Read:
    from transformers import DetrImageProcessor

    made = json.loads(exports.annotations("polygon", "instances.json").read_bytes())
    read = DetrImageProcessor()
    shapes = 0
    for image in made["images"]:
        target = [entry for entry in made["annotations"] if entry["image_id"] == image["id"]]
        with Image.open(exports.folder / "polygon" / "images" / image["file_name"]) as picture:
            features = read(
                images=picture.convert("RGB"),
                annotations={"image_id": image["id"], "annotations": target},
                return_segmentation_masks=True,
                return_tensors="pt",
            )
        assert len(features["labels"][0]["masks"]) == len(target)
        shapes += len(target)
    return Read(shapes, "masks and categories (DetrImageProcessor, `coco --masks polygon`)", "phrases, scores")


def label_studio_sdk(exports: Exports) -> Read:
    from label_studio_sdk.converter.brush import decode_rle
    from label_studio_sdk.label_interface import LabelInterface
    from pycocotools import mask as coco_mask

    entries = {entry["id"]: entry for entry in exports.segcap["annotations"]}
    found: dict[str, set[str]] = {}
    for name in ("label-studio", "brush"):
        interface = LabelInterface((exports.folder / name / "config.xml").read_text(encoding="utf-8"))
        interface.validate()
        for task in json.loads((exports.folder / name / "tasks.json").read_bytes()):
            for prediction in task["predictions"]:
                assert interface.validate_prediction(prediction)
                for region in prediction["result"]:
                    if region["type"] != "textarea":
                        found.setdefault(name, set()).add(region["id"].split("-")[0])
                    if region["type"] == "brushlabels":
                        mask = coco_mask.decode(entries[int(region["id"])]["segmentation"])
                        channels = np.array(decode_rle(region["value"]["rle"])).reshape(*mask.shape, 4)
                        assert np.array_equal(channels[..., 3] > 0, mask > 0)
    assert found["label-studio"] == found["brush"]
    return Read(len(found["brush"]), "masks as brush (to the pixel) or polygons, phrases, captions, scores", "parents")


def pylabel(exports: Exports) -> Read:
    from pylabel import importer

    made = importer.ImportCoco(str(exports.annotations("polygon", "instances.json")))
    return Read(int(made.df.cat_id.ne("").sum()), "polygons and categories", "phrases, scores")


def ultralytics(exports: Exports) -> Read:
    from ultralytics import YOLO

    with TemporaryDirectory() as folder:
        model = YOLO("yolo11n-seg.yaml")
        data = str(exports.folder / "yolo" / "data.yaml")
        model.train(data=data, epochs=1, imgsz=96, batch=8, device="cpu", workers=0, plots=False, project=folder)
        shapes = sum(len(label["cls"]) for label in model.trainer.train_loader.dataset.labels)
        shapes += sum(len(label["cls"]) for label in model.trainer.test_loader.dataset.labels)
    return Read(shapes, "masks and categories; an epoch of `yolo segment train` runs", "phrases, captions, scores")


def datasets(exports: Exports) -> Read:
    from datasets import load_dataset

    with TemporaryDirectory() as cache:
        made = load_dataset("imagefolder", data_dir=str(exports.folder / "imagefolder"), split="train", cache_dir=cache)
        shapes = sum(len(row["bbox"]) for row in made["objects"])
        assert sum(map(len, made["captions"])) == len(exports.segcap["captions"])
    return Read(shapes, "masks, phrases, captions, scores, parents", "")


TOOLS: dict[str, Callable[[Exports], Read]] = {
    "pycocotools": pycocotools,
    "hotcoco": hotcoco,
    "supervision": supervision,
    "datumaro": datumaro,
    "torchvision": torchvision,
    "transformers": transformers,
    "label-studio-sdk": label_studio_sdk,
    "pylabel": pylabel,
    "ultralytics": ultralytics,
    "datasets": datasets,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    rows = ["| tool | version | masks | what is kept | what is lost |", "|---|---|---|---|---|"]
    with TemporaryDirectory() as folder:
        exports = Exports.make(out, Path(folder))
        for name, check in TOOLS.items():
            read = check(exports)
            rows.append(f"| {name} | {version(name)} | {read.shapes} | {read.kept} | {read.lost} |")
        rows.append(f"\nsegcap.json has {len(exports.segcap['annotations'])} masks.")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
