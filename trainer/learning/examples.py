"""The photographs that a recipe trains and validates on, found before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from engine.errors import UsageError
from engine.model.config import ModelConfig
from engine.text.prompts import TEMPLATES, Task
from trainer.data.folders import Folder
from trainer.data.mixture import Mixture
from trainer.data.sets import open_sets
from trainer.data.shards import Shards
from trainer.data.source import Room
from trainer.recipe import Recipe, RecordsRecipe, SetName

_Records = Sequence[tuple[Shards, float]]


@dataclass(frozen=True, slots=True)
class Examples:
    """Sets and records, opened.

    Attributes:
        recipe: that names them.
        sets: composed sets to train on, by name.
        records: to train on, with their rates.
        held_out_sets: composed sets to validate on, by name.
        held_out_records: to validate on, with their rates.
    """

    recipe: Recipe
    sets: Mapping[str, Folder]
    records: _Records
    held_out_sets: Mapping[str, Folder]
    held_out_records: _Records

    @property
    def classes(self) -> dict[str, int]:
        """Number of classes of each kind of set that is labelled whole."""
        return {folder.kind: len(folder.classes) for folder in self.sets.values() if folder.classes}

    def mixture(self, config: ModelConfig, room: Room) -> Mixture:
        """What a model is trained on.

        Args:
            config: of the model.
            room: what it can read of a conversation.
        """
        rates = {str(name): rate for name, rate in self.recipe.sets.items()}
        return self._mixture(config, room, self.sets, rates, self.records, self.recipe.tasks, train=True)

    def held_out(self, config: ModelConfig, room: Room) -> Mixture:
        """What a model is validated on; the arguments are those of `mixture`."""
        assert self.recipe.validation is not None
        rates = {str(name): rate for name, rate in self.recipe.validation.sets.items()}
        return self._mixture(config, room, self.held_out_sets, rates, self.held_out_records, {}, train=False)

    def _mixture(
        self,
        config: ModelConfig,
        room: Room,
        folders: Mapping[str, Folder],
        sets: Mapping[str, float],
        records: _Records,
        tasks: Mapping[Task, float],
        *,
        train: bool,
    ) -> Mixture:
        for shards, _ in records:
            if TEMPLATES[shards.info.template].families is not TEMPLATES[config.template].families:
                raise UsageError(
                    f"{shards.folder}: its questions are worded for the template {shards.info.template}, the model has "
                    f"{config.template}: convert the data set again with --template {config.template}"
                )
        return Mixture.of(
            folders,
            sets,
            records,
            tasks,
            side=config.pixel_encoder.image_size,
            mask_frame=self.recipe.loss.mask_frame,
            text_tokens=self.recipe.text_tokens,
            room=room,
            seed=self.recipe.seed,
            train=train,
        )


def open_examples(recipe: Recipe) -> Examples:
    """Find what a recipe names.

    Raises:
        UsageError: naming what is missing.
    """
    validation = recipe.validation
    return Examples(
        recipe,
        _sets(recipe, recipe.sets, "train"),
        _opened(recipe.records),
        _sets(recipe, validation.sets, "val") if validation else {},
        _opened(validation.records) if validation else [],
    )


def _sets(recipe: Recipe, names: Collection[SetName], split: str) -> dict[str, Folder]:
    if not names:
        return {}
    assert recipe.data is not None  # the recipe has checked it
    return open_sets(recipe.data, split, names)


def _opened(records: Sequence[RecordsRecipe]) -> _Records:
    return [(Shards.open(entry.path), entry.rate) for entry in records]
