"""Small training records about made photographs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from engine.decoding.sequence import Turn
from engine.masks.rle import encode
from engine.records import RLE
from engine.text.prompts import Task
from trainer.data.record import Record
from trainer.data.shards import Shards, write_shards
from trainer.data.source import Room

HEIGHT, WIDTH = 20, 30


def words(turns: Sequence[Turn]) -> int:
    return sum(len(f"{turn.question} {turn.answer}".split()) for turn in turns)


ENDLESS = Room(10**9, lambda turns: True)
"""Of a model that has positions for everything."""


def mask(left: int, right: int, height: int = HEIGHT, width: int = WIDTH) -> RLE:
    """Columns `left` to `right - 1`."""
    pixels = np.zeros((1, height, width), bool)
    pixels[:, :, left:right] = True
    return encode(pixels)[0]


def referring(
    image: str, label: str = "the cup", *masks: RLE | None, height: int = HEIGHT, width: int = WIDTH
) -> Record:
    """A question with a mask; the left half unless masks are given."""
    found = masks or (mask(0, width // 2, height, width),)
    answer = f"<p> {label} </p>" + " [SEG]" * len(found)
    turns = (Turn(f"Segment {label}.", answer),)
    return Record(image, height, width, Task.REFERRING, turns, found, f"made: {label}")


def caption(image: str, text: str = "A cup.") -> Record:
    return Record(image, HEIGHT, WIDTH, Task.CAPTION, (Turn("Describe it.", text),), (), f"made: {text}")


def store(folder: Path, records: Iterable[Record], shard_bytes: int = 1000) -> Shards:
    """Records on disk, their photographs in `images` beside them."""
    write_shards(
        folder,
        records,
        format_name="made",
        template="nano",
        images="../images",
        tool="test",
        skips=list,
        shard_bytes=shard_bytes,
    )
    return Shards.open(folder)


def photographs(folder: Path, names: Sequence[str], size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """Grey pictures in `images`, each of another shade."""
    for number, name in enumerate(names):
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (number % 256,) * 3).save(path)
