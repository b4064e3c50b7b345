"""`llava-instruct`: talks about photographs of COCO.

    llava_instruct_150k.json    [{"id": "000000033471", "image": "000000033471.jpg", "conversations":
                                  [{"from": "human", "value": "...\\n<image>"}, {"from": "gpt", "value": "..."}]}]
    train2017/ or images/       the photographs

`<image>` says where the photograph stands; a prompt has it in front of everything, so it is taken out.

Link: https://huggingface.co/datasets/liuhaotian/LLaVA-Instruct-150K
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.text.prompts import IMAGE, Families, Task
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import first_of
from trainer.data.formats.photographs import Photographs
from trainer.data.formats.reading import field, json_list
from trainer.data.formats.talk import Talks
from trainer.data.record import Record

_FILES = ("llava_instruct_150k.json", "llava_instruct_80k.json")


def _read(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    file = first_of(root, *_FILES)
    folder = first_of(root, "train2017", "images", "coco/train2017")
    talks, photographs = Talks(families, skipped), Photographs(root, skipped)
    for number, entry in enumerate(json_list(root / file)):
        source = f"{file}: entry {number}"
        try:
            name, texts = entry["image"], [_text(turn, n) for n, turn in enumerate(entry["conversations"])]
        except (KeyError, TypeError, ValueError):
            skipped.add(source, "not an image and a talk of human and gpt in turn")
            continue
        photograph = photographs.find(folder, name, source, size=(None, None), drawn=False)
        if photograph:
            yield from talks.talk(photograph, texts, source)


def _text(turn: Any, number: int) -> str:
    if turn["from"] != ("gpt" if number % 2 else "human"):
        raise ValueError(turn["from"])
    return field(turn, "value", str).replace(IMAGE, "").strip()


FORMATS: tuple[Format, ...] = (
    Format(
        name="llava-instruct",
        link="https://huggingface.co/datasets/liuhaotian/LLaVA-Instruct-150K",
        layout="llava_instruct_150k.json and train2017/ (of COCO)",
        tasks=(Task.CONVERSATION,),
        read=_read,
    ),
)
