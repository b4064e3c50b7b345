"""The commands of `mglmm eval`: one for each benchmark; what they do is the same."""

from __future__ import annotations

from typing import Any

import click

from mglmm_cli.eval.options import caption_options, common, dataset, mask_captions, split
from mglmm_cli.eval.run import run
from mglmm_cli.kinds import TEXT


@click.command()
@split("root", "subtree", "all")
@common()
@mask_captions
def mgsc(**given: Any) -> None:
    """Multi-granularity SegCap, by the official files of ground truth: AP, mIoU, mask recall, caption scores.

    DATA holds SPLIT_mgsc_caption_gt.json and SPLIT_mgsc_mask_gt.json; predictions are a folder with ID.json for each
    image.
    """
    run("mgsc", given)


@click.command()
@split("val", "test")
@common()
@mask_captions
def gcg(**given: Any) -> None:
    """Grounded caption generation, by the official files of ground truth: AP, mIoU, mask recall, caption scores.

    DATA holds SPLIT_gcg_coco_caption_gt.json and SPLIT_gcg_coco_mask_gt.json; predictions are a folder with ID.json
    for each image.
    """
    run("gcg", given)


@click.command()
@dataset("refcoco", "refcoco+", "refcocog", default="refcoco")
@split("val", "testA", "testB", "test", default="val")
@common(data_required=False)
def refer(**given: Any) -> None:
    """Referring segmentation: cIoU, gIoU, Pr@x.

    DATA is laid out as by REFER. Predictions are a JSON file of items; without DATA, the truth is taken from them too.
    """
    run("refer", given)


@click.command()
@split("val", "testA", "testB", default="val")
@common(data_required=False)
def grefer(**given: Any) -> None:
    """Referring segmentation with several targets or none: cIoU, gIoU, N-acc, T-acc, Pr@x.

    DATA holds grefcoco/. Predictions are a JSON file of items; without DATA, the truth is taken from them too.
    """
    run("grefer", given)


@click.command()
@dataset("reasonseg", "muse", default="reasonseg")
@split("val", "test", default="val")
@common(data_required=False)
def reason(**given: Any) -> None:
    """Reasoning segmentation: cIoU, gIoU, Pr@x; of ReasonSeg, short and long questions apart too.

    DATA holds val/ and test/, or MUSE_val.json and MUSE_test.json. Predictions are a JSON file of items; without DATA,
    the truth is taken from them too.
    """
    run("reason", given)


@click.command()
@dataset("flickr30k", "nocaps", "coco")
@split("val", "test", default="test", note="nocaps and coco: val")
@common()
@caption_options
def caption(**given: Any) -> None:
    """Captions: CIDEr, METEOR, Bleu, ROUGE-L; of NoCaps, each domain apart too.

    Predictions are COCO results, a list of image_id and caption.
    """
    if given["dataset"] != "flickr30k":
        given["split"] = "val"
    run("caption", given)


@click.command()
@dataset("refcocog", "visual-genome")
@split("val", "test", default="val")
@common()
@caption_options
def region(**given: Any) -> None:
    """Captions of regions: METEOR, CIDEr, Bleu, ROUGE-L.

    DATA is the folder of the set, or a COCO file of captions itself. Predictions are COCO results.
    """
    run("region", given)


@click.command()
@split("val", "train", default="val")
@common()
def panoptic(**given: Any) -> None:
    """PQ, SQ, RQ of all, things and stuff; and of semantic maps, with mIoU.

    DATA is the folder of the set, or its annotation file itself. Predictions are a COCO panoptic file with its folder
    of pictures, or a list of semantic masks.
    """
    run("panoptic", given)


@click.command()
@click.option(
    "--set", "dataset", default="coco", show_default=True, type=TEXT, help="Which set: ccp, camvid, coco, or another."
)
@click.option(
    "--task",
    default="panoptic",
    show_default=True,
    type=click.Choice(["panoptic", "fine", "refer"]),
    help="Which question; refer takes all sets.",
)
@split("val", "train", default="val")
@common(images=False)
@mask_captions
def photos(**given: Any) -> None:
    """The tasks on folders of annotated photographs, beside a baseline that does not look.

    panoptic and fine: multi-granularity SegCap, with names and repeated masks scored too; refer: "the person", and what
    is there or is not.
    """
    if given["task"] == "refer":
        given["dataset"] = ""
    run("photos", given)
