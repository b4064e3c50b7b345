"""GranD-f: captions with masks for their phrases, in the four files that GLaMM trains on.

    GranDf/annotations/train/GranDf_HA_GCG_train.json         GranDf_HA_images/train/    `grandf-human`
    GranDf/annotations/train/OpenPsgGCG_train.json            coco_2017/train2017/       `grandf-openpsg`
    GranDf/annotations/train/RefCOCOg_GCG_train.json          coco_2014/train2014/       `grandf-refcocog`
    GranDf/annotations/train/flickr_mergedGT_GCG_train.json   flikcr_30k/train/          `grandf-flickr`

The first two are lists of entries, the third has one more level, the last is a COCO file:

    {"file_name", "caption", "groundings": {phrase: {"token_positives": [start, end], "rle_masks": [RLE, ...]}}}
    {id: {"img_file_name", "caption", "refs": [{"sentence": phrase, "segmentation": polygons}]}}
    images {"id", "file_name", "caption"}, annotations {"image_id", "tokens_positive": [[start, end]], "sam_mask": RLE}

Ranges are characters of the caption, -1 where a phrase was not found. The masks of a phrase in the first two files are
pieces of one region and are united, as GLaMM does; the annotations of one range in the last file are objects, and get a
`[SEG]` each.

Source: https://github.com/mbzuai-oryx/groundingLMM/blob/main/docs/datasets.md
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.text.prompts import Families, Task
from trainer.data.formats.asking import Photograph, Questions
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import is_usable
from trainer.data.formats.reading import (
    coco_to_rle,
    field,
    json_list,
    read_json,
    run_lengths,
    size_below,
    skipping,
    union,
    visible,
)
from trainer.data.formats.spans import Grounding, parts_of, place
from trainer.data.record import Record

_ANNOTATIONS = "GranDf/annotations/train"
_HUMAN = "GranDf_HA_images/train"
_COCO_2017 = "coco_2017/train2017"
_COCO_2014 = "coco_2014/train2014"
_FLICKR = "flikcr_30k/train"
_FLICKR_FILE = "flickr_mergedGT_GCG_train.json"
_LEAST_WORDS = 3

Parse = Callable[[Path, Any, str, Skipped], tuple[str, str, list[Grounding]]]
"""Source, entry, where it is, what is skipped -> photograph below the source, caption, its phrases."""


def _read(file: str, parse: Parse, source: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    questions = Questions(families, skipped)
    for number, entry in enumerate(json_list(source / _ANNOTATIONS / file)):
        where = f"{file}: entry {number}"
        with skipping(skipped, where):
            image, caption, groundings = parse(source, entry, where, skipped)
            yield from _ask(source, image, caption, groundings, where, questions, skipped)


def _ask(
    source: Path,
    image: str,
    caption: str,
    groundings: list[Grounding],
    where: str,
    questions: Questions,
    skipped: Skipped,
) -> Iterator[Record]:
    sizes = {(one.mask.height, one.mask.width) for one in groundings}
    if len(sizes) != 1:
        raise ValueError("masks of different sizes" if sizes else "no phrase with a mask")
    photograph = Photograph(image, *sizes.pop())
    if is_usable(source, image, photograph.height, photograph.width, where, skipped):
        parts = parts_of(caption, groundings, where, skipped)
        yield from questions.ask(photograph, Task.GCG, parts, source=where)


def _parse_groundings(
    folder: str, _: Path, entry: Any, where: str, skipped: Skipped
) -> tuple[str, str, list[Grounding]]:
    caption = _caption(entry)
    groundings = []
    for phrase, stored in field(entry, "groundings", dict).items():
        with skipping(skipped, f"{where}: {phrase!r}"):
            span = place(caption, phrase.strip('"'), field(stored, "token_positives", object))
            pieces = [run_lengths(piece) for piece in field(stored, "rle_masks", list)]
            groundings.append(Grounding(*span, visible(union(pieces))))
    name = field(entry, "file_name", str)
    # Some copies of OpenPSG name the folder of COCO as well: train2017/1.jpg.
    return f"{folder.rpartition('/')[0] if '/' in name else folder}/{name}", caption, groundings


def _parse_refs(
    folder: str, source: Path, entry: Any, where: str, skipped: Skipped
) -> tuple[str, str, list[Grounding]]:
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ValueError("an entry that is not an object of one image")
    (content,) = entry.values()
    image = f"{folder}/{field(content, 'img_file_name', str)}"
    height, width = size_below(source, image)
    caption = _caption(content)
    groundings = []
    for index, ref in enumerate(field(content, "refs", list)):
        with skipping(skipped, f"{where}: ref {index}"):
            span = place(caption, field(ref, "sentence", str), None)
            mask = visible(coco_to_rle(field(ref, "segmentation", object), height, width))
            groundings.append(Grounding(*span, mask))
    return image, caption, groundings


def _caption(entry: Any) -> str:
    return field(entry, "caption", str).strip('"').strip()


def _read_flickr(source: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    path = source / _ANNOTATIONS / _FLICKR_FILE
    content = read_json(path)
    try:
        images, annotations = field(content, "images", list), field(content, "annotations", list)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    objects: dict[int, list[Any]] = defaultdict(list)
    for number, annotation in enumerate(annotations):
        with skipping(skipped, f"{path.name}: annotation {number}"):
            objects[field(annotation, "image_id", int)].append(annotation)
    questions = Questions(families, skipped)
    for number, image in enumerate(images):
        where = f"{path.name}: image {number}"
        with skipping(skipped, where):
            caption = field(image, "caption", str)
            if len(caption.split()) < _LEAST_WORDS:
                raise ValueError(f"a caption of fewer than {_LEAST_WORDS} words")
            groundings = []
            for index, annotation in enumerate(objects[field(image, "id", int)]):
                with skipping(skipped, f"{where}: object {index}"):
                    groundings.append(_flickr_object(annotation, caption))
            name = f"{_FLICKR}/{field(image, 'file_name', str)}"
            yield from _ask(source, name, caption, groundings, where, questions, skipped)


def _flickr_object(annotation: Any, caption: str) -> Grounding:
    if annotation.get("ignore"):
        raise ValueError("an object marked to be ignored")
    spans = field(annotation, "tokens_positive", list)
    if not spans:
        raise ValueError("an object without a phrase")
    return Grounding(*_range(spans[0], caption), visible(run_lengths(field(annotation, "sam_mask", dict))))


def _range(span: Any, caption: str) -> tuple[int, int]:
    if not isinstance(span, list) or [type(end) for end in span] != [int, int]:
        raise ValueError("a range that is not two numbers")
    start, end = span
    if not 0 <= start < end <= len(caption):
        raise ValueError("a range outside its caption")
    return start, end


def _format(name: str, file: str, images: str, parse: Callable[..., tuple[str, str, list[Grounding]]]) -> Format:
    layout = f"{_ANNOTATIONS}/{file}, {images}/*.jpg"
    return Format(name, _LINK, layout, (Task.GCG,), partial(_read, file, partial(parse, images)))


_LINK = "https://github.com/mbzuai-oryx/groundingLMM/blob/main/docs/datasets.md"

FORMATS: tuple[Format, ...] = (
    _format("grandf-human", "GranDf_HA_GCG_train.json", _HUMAN, _parse_groundings),
    _format("grandf-openpsg", "OpenPsgGCG_train.json", _COCO_2017, _parse_groundings),
    _format("grandf-refcocog", "RefCOCOg_GCG_train.json", _COCO_2014, _parse_refs),
    Format("grandf-flickr", _LINK, f"{_ANNOTATIONS}/{_FLICKR_FILE}, {_FLICKR}/*.jpg", (Task.GCG,), _read_flickr),
)
