"""Where training examples come from: photographs with conversations about them, from folders or from records.

Legend: `H x W` frame of a photograph, `S` side of the pixel view, `G` examples of a source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from engine.decoding.sequence import Turn
from engine.errors import PhotographError, UsageError
from engine.images.decode import decode
from engine.images.transforms import Frame
from engine.masks.rle import decode as decode_mask
from engine.text.prompts import Task
from trainer.data.augment import augment
from trainer.data.compose import Conversation, conversations
from trainer.data.compose.kinds import KINDS
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
    """A photograph and what is said about it.

    Attributes:
        scene: the photograph.
        conversations: at least one; those that find no room in a row are left for another time, from the end.
        left_out: where the conversations come from for which the model has no room, now or ever.
    """

    scene: Scene
    conversations: Sequence[Conversation]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Room:
    """What a model can read of a conversation.

    Attributes:
        tokens: at most so many, for which it has positions behind the photograph.
        fits: whether a conversation has no more.
    """

    tokens: int
    fits: Callable[[Sequence[Turn]], bool]


class ExampleSource(Protocol):
    """Examples by number.

    Attributes:
        remark: what becomes of long conversations, in a line; empty if there are none.
    """

    remark: str

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
            UsageError: if its photograph can't be used, which it names, or the model has no room for any of many.
        """


class ComposedScenes:
    """Annotated photographs with conversations that are composed from the annotation.

    Args:
        folder: the photographs.
        side: `S`; a photograph's longest side is resized to it.
        room: of the model.
        train: vary them.
    """

    remark = ""

    def __init__(self, folder: Folder, side: int, room: Room, *, train: bool) -> None:
        self._folder, self._side, self._room, self._train = folder, side, room, train

    def __len__(self) -> int:
        return len(self._folder)

    def length(self, number: int) -> None:
        """See `ExampleSource`."""
        return None

    def draw(self, number: int, rng: np.random.Generator) -> Drawn:
        """See `ExampleSource`."""
        for _ in range(_ATTEMPTS):
            scene = self._scene(number, rng)
            if self._train and KINDS[scene.kind].pasted and rng.random() < PASTE_RATE:
                scene = paste(scene, self._scene(int(rng.integers(len(self))), rng), rng)
            found = [one for one in conversations(scene, rng) if self._room.fits(one.turns)]
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
        text_tokens: of a row; a conversation of more has a row of its own.
        room: of the model.
        side: `S` if photographs and masks are to be resized to the pixel view, None if they keep their own frame.

    Attributes:
        remark: see `ExampleSource`; lengths are known by words alone before a conversation is drawn.
    """

    def __init__(self, shards: Shards, task: Task, *, text_tokens: int, room: Room, side: int | None) -> None:
        self._shards, self._room, self._side = shards, room, side
        numbers, starts, short, before = [], [], [], 0
        longer = too_long = 0
        for entries in shards.entries(task):
            lengths = _tokens(entries)
            begins = _starts(entries, lengths, text_tokens)
            numbers.append(entries.numbers)
            starts.append(begins + np.uint32(before))
            # What stands together with others is short.
            short.append(lengths[begins] <= room.tokens)
            longer += int(np.count_nonzero(lengths > text_tokens))
            too_long += int(np.count_nonzero(lengths > room.tokens))
            before += len(entries.numbers)
        self._numbers, self._starts = np.concatenate(numbers), np.concatenate(starts)
        self._short = np.flatnonzero(np.concatenate(short)).astype(np.uint32) if too_long else None
        self.remark = ""
        if longer or too_long:
            self.remark = (
                f"by their words, {longer:,} of {before:,} conversations are longer than text_tokens "
                f"({text_tokens:,}): {max(0, longer - too_long):,} trained whole, each in a row of its own, "
                f"{too_long:,} left out, longer than the {room.tokens:,} tokens that the model has positions for"
            )

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
        records, left_out = self._fitting(number, rng)
        first = records[0]
        path = self._shards.images / first.image
        image = read_photograph(path, first)
        if self._side is not None:
            inner = Frame.fit(first.height, first.width, self._side)
            size = (inner.inner_width, inner.inner_height)
            image = np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        scene = Scene(first.image, "records", image, ())
        talks = [_conversation(record, image.shape[0], image.shape[1]) for record in records]
        return Drawn(scene, talks, tuple(left_out))

    def _fitting(self, number: int, rng: np.random.Generator) -> tuple[list[Record], list[str]]:
        """The records of an example, or of another in its place, that the model has room for; what it has none for."""
        left_out: list[str] = []
        for _ in range(_ATTEMPTS):
            # In any order, so that it is not always the same one that is left for another time.
            records = [self._shards[int(n)] for n in rng.permutation(self._together(number))]
            fitting = [record for record in records if self._fits(record)]
            left_out += [record.source for record in records if record not in fitting]
            if fitting:
                return fitting, left_out
            if self._short is None:
                number = int(rng.integers(len(self)))
            elif len(self._short):
                number = int(rng.choice(self._short))
            elif len(left_out) < self.records:  # all seem too long by their words, and some may still not be
                number = (number + 1) % len(self)
            else:
                break
        raise UsageError(
            f"{self._shards.folder}: {len(set(left_out)):,} conversations that were tried are all longer than the "
            f"{self._room.tokens:,} tokens that the model has positions for, such as {left_out[0][:200]}: leave the "
            "set out"
        )

    def _fits(self, record: Record) -> bool:
        try:
            return self._room.fits(record.turns)
        except ValueError as error:
            raise UsageError(f"{self._shards.folder}: {record.source}: {error}") from None

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


def _tokens(entries: Entries) -> np.ndarray:
    """About how many tokens each of the entries has, `(R,)` int64."""
    return np.ceil(entries.lengths * TOKENS_PER_WORD).astype(np.int64) + TEMPLATE_TOKENS


def _starts(entries: Entries, lengths: np.ndarray, room: int) -> np.ndarray:
    """Where each example begins among the entries, `(G,)` uint32: records of one photograph that fit together.

    Records whose ends lie in the same two thirds of `room` come together; none of them is longer than the other third.
    """
    third = max(1, room // 3)
    other = np.diff(entries.photographs, prepend=-1) != 0
    ends = np.cumsum(lengths)
    before = (ends - lengths)[other]
    bucket = (ends - np.repeat(before, np.diff(np.flatnonzero(other), append=len(lengths)))) // (2 * third)
    long = lengths > third
    begins = other | (np.diff(bucket, prepend=-1) != 0) | long | np.concatenate([[False], long[:-1]])
    starts: np.ndarray = np.flatnonzero(begins).astype(np.uint32)
    return starts
