"""Adapters: one file for each layout in which data sets are published. Each has `FORMATS`, a tuple of `Format`."""

from __future__ import annotations

from importlib import import_module

from engine.errors import UsageError
from trainer.data.formats.base import Format

_MODULES = {
    "mgsc": "mgsc",
    "grandf-human": "grand_f",
    "grandf-flickr": "grand_f",
    "grandf-refcocog": "grand_f",
    "grandf-openpsg": "grand_f",
    "grand": "grand",
    "dci": "dci",
    "muse": "muse",
    "reasonseg": "reason_seg",
    "refcoco": "refer",
    "refcoco+": "refer",
    "refcocog": "refer",
    "refclef": "refer",
    "grefcoco": "grefer",
    "ade20k": "ade20k",
    "coco-stuff": "coco_stuff",
    "paco-lvis": "paco_lvis",
    "pascal-part": "pascal_part",
    "coco-panoptic": "coco_panoptic",
    "coco-captions": "captions",
    "flickr30k": "captions",
    "nocaps": "captions",
    "llava-instruct": "llava_instruct",
    "visual-genome": "visual_genome",
    "refcocog-regions": "refcocog_regions",
    "osprey": "osprey",
    "coco-instances": "coco_instances",
    "index-png": "index_png",
}

NAMES = tuple(_MODULES)


def open_format(name: str) -> Format:
    """The adapter of this name.

    Raises:
        UsageError: if there is none.
    """
    if name not in _MODULES:
        raise UsageError(f"no data format {name!r}; known: {', '.join(NAMES)}")
    module = import_module(f"{__name__}.{_MODULES[name]}")
    return next(found for found in module.FORMATS if found.name == name)
