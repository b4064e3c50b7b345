"""What training begins with: a preset with random weights, a model, or a language model behind visual parts."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from accelerate import PartialState

from engine.errors import UsageError
from engine.model.checkpoint import CONFIG, Checkpoint, load, read_config
from engine.model.config import GridConfig, ModelConfig, PyramidConfig, TilesConfig
from engine.model.mglmm import MGLMM
from engine.model.pixel_encoder import Pyramid
from engine.model.presets import PRESETS
from engine.model.sources import RandomModel, find
from engine.model.tokenizers import BpeTokenizer, TextTokenizer
from trainer.data.corpus import corpus
from trainer.data.sets import open_sets
from trainer.data.terms import terms_of_package
from trainer.learning.backbone import load_backbone
from trainer.learning.growing import grow
from trainer.learning.language_model import find_language_model, with_language_model
from trainer.learning.names import load_classifier, write_names
from trainer.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Start:
    """The beginning of a run.

    Attributes:
        model: the network, its weights float32 on the CPU.
        tokenizer: its tokenizer.
        identity: hash of the files that it was made of; frozen weights are read from them again when a run goes on.
        terms: of what its weights were made of, see `engine.model.manifest`.
    """

    model: MGLMM
    tokenizer: TextTokenizer
    identity: str
    terms: Mapping[str, str]


def begin(recipe: Recipe, out: Path) -> Start:
    """Make the model that a recipe starts with; the global seed decides what is drawn.

    Args:
        recipe: of the run.
        out: the run's folder; a tokenizer that is trained for a preset is kept there.

    Raises:
        UsageError: if a file or package is missing, or parts don't fit together.
    """
    start = recipe.start
    if start.preset is not None:
        return _preset(recipe, start.preset, out)
    if start.model is not None:
        checkpoint = _load(start.model)
        return Start(checkpoint.model, checkpoint.tokenizer, checkpoint.sha256, checkpoint.terms)
    assert start.language_model is not None and start.visual is not None  # StartRecipe has checked it
    files, visual = find_language_model(start.language_model), _load(start.visual)
    model, tokenizer = with_language_model(visual, files)
    identity = hashlib.sha256(f"{visual.sha256} {files.identity()}".encode()).hexdigest()
    return Start(model, tokenizer, identity, visual.terms)


def _load(model: str) -> Checkpoint:
    # Those that are refused are large.
    source = find(model)
    _check_trainable(model, source.config if isinstance(source, RandomModel) else read_config(source / CONFIG))
    return load(model)


def _check_trainable(name: str, config: ModelConfig) -> None:
    if isinstance(config.global_encoder, TilesConfig | GridConfig):
        raise UsageError(f"{name}: models of Sa2VA are not trained yet; they answer, and that is all")


def _preset(recipe: Recipe, preset: str, out: Path) -> Start:
    _check_trainable(preset, PRESETS[preset])
    smaller = None if recipe.start.grown_from is None else load(recipe.start.grown_from)
    if smaller is None:
        with PartialState().main_process_first():
            tokenizer = _tokenizer(recipe, out)
    else:
        tokenizer = smaller.tokenizer
    size = PRESETS[preset].language.options["vocab_size"]
    if tokenizer.size > size:
        raise UsageError(f"{out}: the tokenizer has {tokenizer.size} tokens, the model {size}")
    model = MGLMM(PRESETS[preset])
    _start_backbone(model, recipe)
    if model.hints is not None:
        write_names(model.hints, tokenizer)
    package = recipe.start.backbone
    terms = {} if package is None else terms_of_package(package.package)
    if smaller is None:
        return Start(model, tokenizer, f"preset {preset}", terms)
    grow(model, smaller.model.state_dict())
    return Start(model, tokenizer, f"preset {preset} {smaller.sha256}", {**smaller.terms, **terms})


def _start_backbone(model: MGLMM, recipe: Recipe) -> None:
    package, pyramid = recipe.start.backbone, model.pixel_encoder
    if package is None:
        if isinstance(pyramid, Pyramid) and pyramid.classifier is not None:
            raise UsageError(f"model {model.config.name!r} keeps the classifier of its backbone: name its package")
        return
    if not isinstance(pyramid, Pyramid):
        raise UsageError(f"model {model.config.name!r} has no backbone to start from a package")
    load_backbone(pyramid.backbone, package)
    if pyramid.classifier is not None:
        assert isinstance(model.config.pixel_encoder, PyramidConfig)
        load_classifier(pyramid.classifier, model.config.pixel_encoder.backbone, package)


def _tokenizer(recipe: Recipe, out: Path) -> TextTokenizer:
    made = recipe.start.tokenizer
    assert made is not None and recipe.data is not None  # the recipe has checked it
    if not (out / BpeTokenizer.FILE).is_file():
        print(f"training a tokenizer on {made.scenes} photographs' texts", file=sys.stderr)
        texts = corpus(open_sets(recipe.data, names=recipe.sets).values(), scenes=made.scenes, seed=recipe.seed)
        BpeTokenizer.train(texts, made.vocabulary).save(out)
    return BpeTokenizer.load(out)
