"""`mglmm eval`: scores of a model, or of predictions, as the papers report them."""

from __future__ import annotations

from mglmm_cli.lazy import LazyCommand, LazyGroup

_COMMANDS = "mglmm_cli.eval.commands"

evaluate = LazyGroup(
    name="eval",
    help="Score a model, or predictions, as the papers do.",
    lazy={
        "mgsc": LazyCommand(f"{_COMMANDS}:mgsc", "Multi-granularity captions with masks (MGSCData)."),
        "gcg": LazyCommand(f"{_COMMANDS}:gcg", "Grounded captions (GranD-f)."),
        "refer": LazyCommand(f"{_COMMANDS}:refer", "Referring expressions (RefCOCO, RefCOCO+, RefCOCOg)."),
        "grefer": LazyCommand(f"{_COMMANDS}:grefer", "Expressions for several objects or none (gRefCOCO)."),
        "reason": LazyCommand(f"{_COMMANDS}:reason", "Reasoning segmentation (ReasonSeg, MUSE)."),
        "caption": LazyCommand(f"{_COMMANDS}:caption", "Captions (Flickr30k, NoCaps, COCO)."),
        "region": LazyCommand(f"{_COMMANDS}:region", "Captions of regions (RefCOCOg, Visual Genome)."),
        "panoptic": LazyCommand(f"{_COMMANDS}:panoptic", "Panoptic and semantic segmentation (COCO)."),
        "photos": LazyCommand(f"{_COMMANDS}:photos", "The tasks on folders of annotated photographs."),
    },
)
