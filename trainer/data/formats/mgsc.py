r"""`mgsc`: MGSCData, SA-1B photographs described as a whole (root) and object by object (subtrees).

    images/NAME.jpg
    annotations/NAME.json   a list of nodes of one photograph
    MGLMM_train_split.txt   the files of the training split, one a line; may lie in annotations/

A node:

    {"file_name": "sa_1.jpg", "type": "root" | "subtree", "label": "root" or "<prefix>:<name>",
     "gcg_caption": "<key1>A man</key1> beside <key2>a dog</key2>.", "gcg_labels": ["key1", "key2"],
     "key1": {"label": "man", "mask": "{\"size\": [height, width], \"counts\": \"base64 of compressed counts\"}"}, ...}

Without the list of the split all files are read. The converter that comes with the data set writes width and height
exchanged, so sizes are those of the masks. A mask may be missing (null or "None"): its phrase is text.

Source: https://github.com/lizhou-cs/mglmm
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.images.sources import inside
from engine.json_file import parse_json
from engine.masks.rle import from_coco
from engine.records import RLE
from engine.text.prompts import Families, Task
from trainer.data.formats.asking import Questions
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.photographs import Photographs
from trainer.data.formats.reading import field, json_list, read_lines, skipping, texts, visible
from trainer.data.formats.spans import Grounding, parts_of
from trainer.data.record import Record

_SPLIT = "MGLMM_train_split.txt"
_TAG = re.compile(r"<(/?)([^<>/]+)>")


def _read(source: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    questions, photographs = Questions(families, skipped), Photographs(source, skipped)
    for path in _files(source):
        for index, node in enumerate(json_list(path)):
            where = f"{path.name}: node {index}"
            with skipping(skipped, where):
                yield from _ask(node, where, photographs, questions, skipped)


def _files(source: Path) -> list[Path]:
    folder = source / "annotations"
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    for split in (source / _SPLIT, folder / _SPLIT):
        if split.is_file():
            return [inside(folder, line.strip()) for line in read_lines(split) if line.strip()]
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise UsageError(f"{folder}: no *.json in it")
    return paths


def _ask(node: Any, where: str, photographs: Photographs, questions: Questions, skipped: Skipped) -> Iterator[Record]:
    task, label = _question(node)
    masks = dict(_masks(node, where, skipped))
    sizes = {(mask.height, mask.width) for mask in masks.values()}
    if len(sizes) != 1:
        raise ValueError("masks of different sizes" if sizes else "no mask")
    caption, spans = _plain(field(node, "gcg_caption", str).strip().strip('"'), {key: node[key] for key in masks})
    for key in masks.keys() - {key for key, _, _ in spans}:
        skipped.add(f"{where}: {key}", "a mask whose key is not in the caption")
    photograph = photographs.find("images", field(node, "file_name", str), where, size=sizes.pop())
    if photograph:
        groundings = [Grounding(start, end, masks[key]) for key, start, end in spans]
        parts = parts_of(caption, groundings, where, skipped)
        yield from questions.ask(photograph, task, parts, source=where, label=label)


def _question(node: Any) -> tuple[Task, str]:
    kind = field(node, "type", str)
    if kind == "root":
        return Task.PANOPTIC_SEGCAP, ""
    if kind != "subtree":
        raise ValueError("a type that is neither root nor subtree")
    _, _, name = field(node, "label", str).partition(":")
    if not name.strip():
        raise ValueError("a label without a name behind the colon")
    return Task.FINE_SEGCAP, name


def _masks(node: Any, where: str, skipped: Skipped) -> Iterator[tuple[str, RLE]]:
    for key in texts(node, "gcg_labels"):
        stored = field(field(node, key, dict), "mask", object)
        if stored in (None, "None"):
            skipped.add(f"{where}: {key}", "a phrase without a mask")
        else:
            yield key, _mask(stored)


def _mask(stored: Any) -> RLE:
    try:
        coco = parse_json(stored.encode())
        counts = base64.b64decode(coco["counts"], validate=True)
    except (AttributeError, TypeError, KeyError, ValueError):
        raise ValueError("a mask that is not JSON of run lengths in base64") from None
    return visible(from_coco({**coco, "counts": counts}))


def _plain(tagged: str, nodes: dict[str, Any]) -> tuple[str, list[tuple[str, int, int]]]:
    """The caption without tags, and key, start and end of what stood between those of `nodes`."""
    text = ""
    spans = []
    begun: dict[str, int] = {}
    at = 0
    for found in _TAG.finditer(tagged):
        text += tagged[at : found.start()]
        at = found.end()
        closing, key = found.group(1), found.group(2).strip()
        if key not in nodes:
            continue
        if not closing:
            begun[key] = len(text)
        elif key in begun:
            start = begun.pop(key)
            if not text[start:].strip():
                text += field(nodes[key], "label", str)
            spans.append((key, start, len(text)))
    return text + tagged[at:], spans


FORMATS: tuple[Format, ...] = (
    Format(
        name="mgsc",
        link="https://github.com/lizhou-cs/mglmm",
        layout=f"annotations/*.json, images/*.jpg of SA-1B, {_SPLIT} if only that split is wanted",
        tasks=(Task.PANOPTIC_SEGCAP, Task.FINE_SEGCAP),
        read=_read,
    ),
)
