"""`osprey`: talks about marked regions of photographs of COCO, and descriptions of them.

    osprey_detail_description.json      [{"file_name": "000000010000.jpg", "height", "width",
                                          "annotation": [{"bbox": [x, y, w, h], "segmentation": ...}],
                                          "description": ["<region1>: A white dog that ..."]}]
    osprey_conversation.json            the same with "conversations": [{"from": "human", "value": "Where is
                                        <region1>?"}, {"from": "gpt", "value": "..."}] instead of descriptions
    osprey_short_form.json, osprey_part_level.json   the same; answers of a word or a phrase
    osprey_lvis_positive_negative.json  the same; questions say themselves how to answer
    train2017/ or images/               photographs of COCO

Every file that is there is read. A region is told to the model by its box: the first question of a talk says where
each one is, and both sides call it `region1` from then on.

Link: https://huggingface.co/datasets/AntGroup-MI/Osprey-724K
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.text.prompts import Families, Task
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import first_of
from trainer.data.formats.photographs import Photograph, Photographs
from trainer.data.formats.reading import field, integer, json_list, texts
from trainer.data.formats.talk import Talks, box_of
from trainer.data.record import Record

_DETAIL = "osprey_detail_description.json"
_SHORT = frozenset({"osprey_short_form.json", "osprey_part_level.json"})
_FILES = (_DETAIL, "osprey_conversation.json", *sorted(_SHORT), "osprey_lvis_positive_negative.json")
_BRIEFLY = " Answer in a word or a phrase."

_NAME = re.compile(r"<(region\d+)>")
_HEAD = re.compile(r"^\s*<region\d+>\s*:\s*")


def _read(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    files = [file for file in _FILES if (root / file).is_file()]
    if not files:
        raise UsageError(f"{root}: none of {', '.join(_FILES)} in it")
    folder = first_of(root, "train2017", "images", "imgs")
    talks, photographs = Talks(families, skipped), Photographs(root, skipped)
    for file in files:
        for place, entry in enumerate(json_list(root / file)):
            source = f"{file}: entry {place}"
            try:
                # Names of the 2014 release have the split in front, those of 2017 have not.
                name = field(entry, "file_name", str).rpartition("_")[2]
                size = integer(entry, "height"), integer(entry, "width")
                corners = [region["bbox"] for region in entry["annotation"]]
                said = texts(entry, "description") if file == _DETAIL else _texts(entry["conversations"])
            except (KeyError, TypeError, ValueError):
                skipped.add(source, "not a file name, a size, regions and texts")
                continue
            photograph = photographs.find(folder, name, source, size=size)
            if photograph is None:
                continue
            if file == _DETAIL:
                yield from _descriptions(talks, photograph, corners, said, source, skipped)
            else:
                ending = _BRIEFLY if file in _SHORT else ""
                yield from _talk(talks, photograph, corners, said, ending, source, skipped)


def _descriptions(
    talks: Talks, photograph: Photograph, corners: Sequence[Any], said: Sequence[str], source: str, skipped: Skipped
) -> Iterator[Record]:
    if len(said) != len(corners):
        skipped.add(source, "not a description for each region")
        return
    for number, (box, text) in enumerate(zip(corners, said, strict=True), start=1):
        plain = _NAME.sub(r"\1", _HEAD.sub("", text))
        yield from talks.region(photograph, box, plain, f"{source}: region {number}")


def _talk(
    talks: Talks,
    photograph: Photograph,
    corners: Sequence[Any],
    said: Sequence[str],
    ending: str,
    source: str,
    skipped: Skipped,
) -> Iterator[Record]:
    try:
        boxes = [box_of(box, photograph) for box in corners]
    except ValueError as error:
        skipped.add(source, str(error))
        return
    plain = [_NAME.sub(r"\1", text).strip() for text in said]
    known = {f"region{number}" for number in range(1, len(boxes) + 1)}
    if not set(_NAME.findall(" ".join(said))) <= known:
        skipped.add(source, "a region that is named but not given")
        return
    where = ", ".join(f"region{number} {box}" for number, box in enumerate(boxes, start=1))
    asked = [f"{text}{ending}" if number % 2 == 0 else text for number, text in enumerate(plain)]
    if asked and boxes:
        asked[0] = f"Given {where}. {asked[0]}"
    yield from talks.talk(photograph, asked, source)


def _texts(turns: Any) -> list[str]:
    return [field(turn, "value", str) for turn in turns]


FORMATS: tuple[Format, ...] = (
    Format(
        name="osprey",
        link="https://huggingface.co/datasets/AntGroup-MI/Osprey-724K",
        layout="any of osprey_conversation.json, osprey_detail_description.json, osprey_short_form.json, "
        "osprey_part_level.json, osprey_lvis_positive_negative.json, and train2017/ (of COCO)",
        tasks=(Task.REGION, Task.CONVERSATION),
        read=_read,
    ),
)
