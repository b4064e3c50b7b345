"""All kinds of training text, for fitting the tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from trainer.data.augment import augment
from trainer.data.compose import conversations
from trainer.data.folders import Folder

TEXT_SIZE = 224
"""Frame size at which scenes are composed when only their text matters."""


def corpus(folders: Iterable[Folder], scenes: int = 600, seed: int = 0) -> Iterator[str]:
    """Instructions and answers of `scenes` random scenes of each annotated set, and all training captions."""
    rng = np.random.default_rng(seed)
    for folder in folders:
        for item in folder.items:
            yield from item.captions
        if folder.kind == "captions":
            continue
        for number in rng.permutation(len(folder))[:scenes]:
            scene = augment(folder.load(folder.items[int(number)]), rng, TEXT_SIZE, train=True)
            for entry in conversations(scene, rng):
                yield entry.instruction
                yield entry.answer
