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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from engine.errors import UsageError
from engine.json_file import read_json
from engine.masks.rle import from_coco
from engine.text.prompts import Families, Task
from trainer.data.formats.asking import Questions
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.ids import ById, identity
from trainer.data.formats.photographs import Photograph, Photographs
from trainer.data.formats.reading import coco_to_rle, field, flag, json_list, skipping, union, visible
from trainer.data.formats.spans import Grounding, parts_of, place
from trainer.data.record import Record

_ANNOTATIONS = "GranDf/annotations/train"
_HUMAN = "GranDf_HA_images/train"
_COCO_2017 = "coco_2017/train2017"
_COCO_2014 = "coco_2014/train2014"
_FLICKR = "flikcr_30k/train"
_FLICKR_FILE = "flickr_mergedGT_GCG_train.json"
_LEAST_WORDS = 3


@dataclass(frozen=True, slots=True)
class _Reader:
    """Makes the records of one of the files."""

    questions: Questions
    photographs: Photographs
    skipped: Skipped

    @classmethod
    def of(cls, source: Path, families: Families, skipped: Skipped) -> Self:
        return cls(Questions(families, skipped), Photographs(source, skipped), skipped)

    def described(
        self, folder: str, name: str, caption: str, groundings: list[Grounding], where: str
    ) -> Iterator[Record]:
        """A caption whose masks say how large its photograph is."""
        sizes = {(one.mask.height, one.mask.width) for one in groundings}
        if len(sizes) != 1:
            raise ValueError("masks of different sizes" if sizes else "no phrase with a mask")
        photograph = self.photographs.find(folder, name, where, size=sizes.pop())
        if photograph:
            yield from self.ask(photograph, caption, groundings, where)

    def ask(self, photograph: Photograph, caption: str, groundings: list[Grounding], where: str) -> Iterator[Record]:
        parts = parts_of(caption, groundings, where, self.skipped)
        yield from self.questions.ask(photograph, Task.GCG, parts, source=where)


Parse = Callable[[_Reader, str, Any, str], Iterator[Record]]
"""Reader, folder of the photographs, entry, where it is."""


def _read(file: str, folder: str, parse: Parse, source: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    reader = _Reader.of(source, families, skipped)
    for number, entry in enumerate(json_list(source / _ANNOTATIONS / file)):
        where = f"{file}: entry {number}"
        with skipping(skipped, where):
            yield from parse(reader, folder, entry, where)


def _parse_groundings(reader: _Reader, folder: str, entry: Any, where: str) -> Iterator[Record]:
    caption = _caption(entry)
    groundings = []
    for phrase, stored in field(entry, "groundings", dict).items():
        with skipping(reader.skipped, f"{where}: {phrase!r}"):
            span = place(caption, phrase.strip('"'), field(stored, "token_positives", object))
            pieces = [from_coco(piece) for piece in field(stored, "rle_masks", list)]
            groundings.append(Grounding(*span, visible(union(pieces))))
    name = field(entry, "file_name", str)
    # Some copies of OpenPSG name the folder of COCO as well: train2017/1.jpg.
    folder = folder.rpartition("/")[0] if "/" in name else folder
    yield from reader.described(folder, name, caption, groundings, where)


def _parse_refs(reader: _Reader, folder: str, entry: Any, where: str) -> Iterator[Record]:
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ValueError("an entry that is not an object of one image")
    (content,) = entry.values()
    photograph = reader.photographs.find(folder, field(content, "img_file_name", str), where, size=(None, None))
    if photograph is None:
        return
    caption = _caption(content)
    groundings = []
    for index, ref in enumerate(field(content, "refs", list)):
        at = f"{where}: ref {index}"
        with skipping(reader.skipped, at):
            span = place(caption, field(ref, "sentence", str), None)
            note = partial(reader.skipped.remark, at)
            mask = coco_to_rle(field(ref, "segmentation", object), photograph.height, photograph.width, note)
            groundings.append(Grounding(*span, visible(mask)))
    if not groundings:
        raise ValueError("no phrase with a mask")
    yield from reader.ask(photograph, caption, groundings, where)


def _caption(entry: Any) -> str:
    return field(entry, "caption", str).strip('"').strip()


def _read_flickr(source: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    path = source / _ANNOTATIONS / _FLICKR_FILE
    content = read_json(path)
    try:
        images, annotations = field(content, "images", list), field(content, "annotations", list)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    keys = [identity(image.get("id")) if isinstance(image, Mapping) else None for image in images]
    places = ById((key, place) for place, key in enumerate(keys) if key is not None)
    objects: dict[int, list[Any]] = defaultdict(list)
    for number, annotation in enumerate(annotations):
        with skipping(skipped, f"{path.name}: annotation {number}"):
            place = places.get(field(annotation, "image_id", object))
            if place is None:
                raise ValueError("its image is not among the images")
            objects[place].append(annotation)
    reader = _Reader.of(source, families, skipped)
    for number, image in enumerate(images):
        where = f"{path.name}: image {number}"
        with skipping(skipped, where):
            caption = field(image, "caption", str)
            if len(caption.split()) < _LEAST_WORDS:
                raise ValueError(f"a caption of fewer than {_LEAST_WORDS} words")
            groundings = []
            for index, annotation in enumerate(objects[number]):
                with skipping(skipped, f"{where}: object {index}"):
                    groundings.append(_flickr_object(annotation, caption))
            yield from reader.described(_FLICKR, field(image, "file_name", str), caption, groundings, where)


def _flickr_object(annotation: Any, caption: str) -> Grounding:
    if flag(annotation, "ignore"):
        raise ValueError("an object marked to be ignored")
    spans = field(annotation, "tokens_positive", list)
    if not spans:
        raise ValueError("an object without a phrase")
    return Grounding(*_range(spans[0], caption), visible(from_coco(field(annotation, "sam_mask", object))))


def _range(span: Any, caption: str) -> tuple[int, int]:
    if not isinstance(span, list) or [type(end) for end in span] != [int, int]:
        raise ValueError("a range that is not two numbers")
    start, end = span
    if not 0 <= start < end <= len(caption):
        raise ValueError("a range outside its caption")
    return start, end


def _format(name: str, file: str, images: str, parse: Parse) -> Format:
    layout = f"{_ANNOTATIONS}/{file}, {images}/*.jpg"
    return Format(name, _LINK, layout, (Task.GCG,), partial(_read, file, images, parse))


_LINK = "https://github.com/mbzuai-oryx/groundingLMM/blob/main/docs/datasets.md"

FORMATS: tuple[Format, ...] = (
    _format("grandf-human", "GranDf_HA_GCG_train.json", _HUMAN, _parse_groundings),
    _format("grandf-openpsg", "OpenPsgGCG_train.json", _COCO_2017, _parse_groundings),
    _format("grandf-refcocog", "RefCOCOg_GCG_train.json", _COCO_2014, _parse_refs),
    Format("grandf-flickr", _LINK, f"{_ANNOTATIONS}/{_FLICKR_FILE}, {_FLICKR}/*.jpg", (Task.GCG,), _read_flickr),
)
