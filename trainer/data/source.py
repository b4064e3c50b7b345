"""Where training examples come from: photographs with conversations about them, from folders or from records.

Legend: `H x W` frame of a photograph, `S` side of the pixel view, `G` examples of a source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from engine.errors import PhotographError, UsageError
from engine.images.decode import decode
from engine.images.transforms import Frame
from engine.masks.rle import decode as decode_mask
from engine.text.prompts import Task
from trainer.data.augment import augment
from trainer.data.compose import Conversation, conversations
from trainer.data.folders import Folder
from trainer.data.paste import paste
from trainer.data.record import Record
from trainer.data.scene import Scene
from trainer.data.shards import Entries, Shards

TEMPLATE_TOKENS = 15
"""About what a chat template writes around a question and its answer."""

TOKENS_PER_WORD = 1.25
"""Few tokenizers cut English finer; where one does, some conversations are left for another time."""

PASTE_RATE = 0.5
"""How often objects of another photograph are added to one of the set that is annotated object by object."""

_ATTEMPTS = 200


@dataclass(frozen=True, slots=True)
class Drawn:
    """A photograph and what is said about it; conversations that find no room in a row are left out from the end."""

    scene: Scene
    conversations: Sequence[Conversation]


class ExampleSource(Protocol):
    """Examples by number."""

    def __len__(self) -> int:
        """How many there are before one comes twice."""

    def length(self, number: int) -> int | None:
        """About how many tokens an example has, if that is known before it is drawn."""

    def draw(self, number: int, rng: np.random.Generator) -> Drawn:
        """An example.

        Args:
            number: from 0 to the length.
            rng: everything random comes from it.

        Raises:
            UsageError: if its photograph can't be used; names it.
        """


class ComposedScenes:
    """Annotated photographs with conversations that are composed from the annotation.

    Args:
        folder: the photographs.
        side: `S`; a photograph's longest side is resized to it.
        train: vary them.
    """

    def __init__(self, folder: Folder, side: int, *, train: bool) -> None:
        self._folder, self._side, self._train = folder, side, train

    def __len__(self) -> int:
        return len(self._folder)

    def length(self, number: int) -> None:
        """See `ExampleSource`."""
        return None

    def draw(self, number: int, rng: np.random.Generator) -> Drawn:
        """See `ExampleSource`."""
        for _ in range(_ATTEMPTS):
            scene = self._scene(number, rng)
            if self._train and scene.kind == "coco" and rng.random() < PASTE_RATE:
                scene = paste(scene, self._scene(int(rng.integers(len(self))), rng), rng)
            found = conversations(scene, rng)
            if found:
                return Drawn(scene, found)
            # There may be nothing to talk about, or a crop has left nothing.
            number = int(rng.integers(len(self)))
        raise UsageError(f"{self._folder.kind}: nothing can be said about {_ATTEMPTS} photographs, as {scene.name}")

    def _scene(self, number: int, rng: np.random.Generator) -> Scene:
        return augment(self._folder.load(self._folder.items[number]), rng, self._side, train=self._train)


class RecordedConversations:
    """The records of one task of a data set; those of a photograph that stand next to each other come together.

    Args:
        shards: the data set.
        task: which of its records.
        text_tokens: room for the conversations of an example.
        side: `S` if photographs and masks are to be resized to the pixel view, None if they keep their own frame.
    """

    def __init__(self, shards: Shards, task: Task, *, text_tokens: int, side: int | None) -> None:
        self._shards, self._side = shards, side
        numbers, starts, before = [], [], 0
        for entries in shards.entries(task):
            numbers.append(entries.numbers)
            starts.append(_starts(entries, text_tokens) + np.uint32(before))
            before += len(entries.numbers)
        self._numbers, self._starts = np.concatenate(numbers), np.concatenate(starts)

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def records(self) -> int:
        """How many there are in all examples together."""
        return len(self._numbers)

    def length(self, number: int) -> int:
        """See `ExampleSource`."""
        return sum(self._shards.length(int(n)) + TEMPLATE_TOKENS for n in self._together(number))

    def draw(self, number: int, rng: np.random.Generator) -> Drawn:
        """See `ExampleSource`."""
        # In any order, so that it is not always the same one that does not fit.
        records = [self._shards[int(n)] for n in rng.permutation(self._together(number))]
        first = records[0]
        path = self._shards.images / first.image
        image = read_photograph(path, first)
        if self._side is not None:
            inner = Frame.fit(first.height, first.width, self._side)
            size = (inner.inner_width, inner.inner_height)
            image = np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        scene = Scene(first.image, "records", image, ())
        return Drawn(scene, [_conversation(record, image.shape[0], image.shape[1]) for record in records])

    def _together(self, number: int) -> np.ndarray:
        """The numbers of an example's records."""
        stop = int(self._starts[number + 1]) if number + 1 < len(self) else self.records
        return self._numbers[int(self._starts[number]) : stop]


def read_photograph(path: Path, record: Record) -> np.ndarray:
    """The photograph of a record, `(H, W, 3)` uint8, upright.

    Raises:
        UsageError: if it is missing, damaged or of another size than the record's.
    """
    try:
        image = decode(path)
    except PhotographError as error:
        raise UsageError(f"{path}: {error.reason} (photograph of {record.source})") from None
    height, width = image.shape[:2]
    if (height, width) != (record.height, record.width):
        stored = f"{record.width} x {record.height} in its record ({record.source})"
        raise UsageError(f"{path}: has {width} x {height} pixels, but {stored}")
    return image


def _conversation(record: Record, height: int, width: int) -> Conversation:
    """The record's turns with its masks in a frame of `height x width`."""
    rows, columns = _nearest(record.height, height), _nearest(record.width, width)
    same = (height, width) == (record.height, record.width)
    masks = []
    for rle in record.masks:
        mask = None if rle is None else decode_mask(rle)
        masks.append(mask if mask is None or same else mask[rows][:, columns])
    *history, last = record.turns
    return Conversation(record.task, last.question, last.answer, tuple(masks), tuple(history))


def _nearest(length: int, count: int) -> np.ndarray:
    """The pixel under the middle of each of `count` cells over `length` pixels."""
    return ((np.arange(count) + 0.5) * length / count).astype(np.intp)


def _starts(entries: Entries, room: int) -> np.ndarray:
    """Where each example begins among the entries, `(G,)` uint32: records of one photograph that fit together.

    Records whose ends lie in the same two thirds of `room` come together; none of them is longer than the other third.
    """
    lengths = np.ceil(entries.lengths * TOKENS_PER_WORD).astype(np.int64) + TEMPLATE_TOKENS
    third = max(1, room // 3)
    other = np.diff(entries.photographs, prepend=-1) != 0
    ends = np.cumsum(lengths)
    before = (ends - lengths)[other]
    bucket = (ends - np.repeat(before, np.diff(np.flatnonzero(other), append=len(lengths)))) // (2 * third)
    long = lengths > third
    begins = other | (np.diff(bucket, prepend=-1) != 0) | long | np.concatenate([[False], long[:-1]])
    starts: np.ndarray = np.flatnonzero(begins).astype(np.uint32)
    return starts
