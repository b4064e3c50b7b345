"""What two choices of training data are worth: the unified format, and fine-grained answers.

    python -m benchmarks.ablations --data ../shared/data --out runs/ablations [--steps 400]

Three models are trained from the same start, and scored by `mglmm eval photos`:

    all      referring and multiple answers keep the phrase: `<p> the left cup </p> [SEG]`
    bare     they are only `[SEG]`, one for each mask; refusals and all other answers are as before
    coarse   as `all` without the questions for the parts of one thing

Nothing else differs: example `n` is the same photograph, varied alike, with the same conversations but for that. The
training is far smaller than that of the embedded model, photographs of 288 pixels and few steps, so the rows compare
with one another alone.

    OUT/start/      where all three begin: ImageNet weights in the backbone, everything else random
    OUT/recipe.yaml of all three
    OUT/NAME/       the run, with the scores in eval/
    OUT/ablations.json

What is done is not done again: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

import trainer
from engine.atomic import replacing
from engine.errors import MglmmError, UsageError
from engine.model.checkpoint import DECODER, identify, save
from engine.model.config import ModelConfig
from engine.model.manifest import read_manifest
from engine.model.mglmm import MGLMM
from engine.model.pixel_encoder import Pyramid
from engine.model.presets import NANO_PLAIN
from engine.model.sources import DEFAULT
from engine.model.tokenizers import open_tokenizer
from engine.text.grammar import SEG, parse
from engine.text.prompts import Task
from exporters.onnx import export
from mglmm_cli.tables import table_console, titled_table
from trainer.benchmarks.results import RESULTS
from trainer.data import source
from trainer.data.compose import Conversation, conversations
from trainer.data.scene import Scene
from trainer.learning.backbone import load_backbone
from trainer.recipe import BackboneRecipe
from trainer.run.durable import replace_folder
from trainer.run.loop import train

NAMED = (Task.REFERRING, Task.MULTIPLE)
"""Tasks whose answers repeat what was asked for."""

Change = Callable[[Conversation], Conversation | None]


def unchanged(entry: Conversation) -> Conversation:
    """Every answer as it is."""
    return entry


def without_phrase(entry: Conversation) -> Conversation:
    """A conversation whose answer is only its `[SEG]`, if it is of a named task and has any; others as they are."""
    segs = " ".join([SEG] * parse(entry.answer).seg_count)
    return replace(entry, answer=segs) if segs and entry.task in NAMED else entry


def without_parts(entry: Conversation) -> Conversation | None:
    """Nothing in the place of a fine-grained answer; others as they are."""
    return None if entry.task == Task.FINE_SEGCAP else entry


MODELS: Mapping[str, Change] = {"all": unchanged, "bare": without_phrase, "coarse": without_parts}

SIDE = 288
"""Pixels of a photograph; a pyramid takes multiples of 96."""
_CELL = 32  # pixels of its coarsest level
_SEED = 0

Evaluation = tuple[str, tuple[str, ...], Mapping[str, str]]
"""Name, options of `mglmm eval photos`, and which of its scores go into the table, with their headings."""


def _segcap(dataset: str, task: str) -> Evaluation:
    scores = {name: f"{dataset} {task} {heading}" for name, heading in _SEGCAP.items()}
    return f"{dataset}-{task}", ("--set", dataset, "--task", task), scores


_SEGCAP = {"miou": "mIoU", "AP50": "AP50", "recall": "recall"}
EVALUATIONS: tuple[Evaluation, ...] = (
    _segcap("ccp", "fine"),
    _segcap("camvid", "panoptic"),
    (
        "refer",
        ("--task", "refer"),
        {"cIoU, person": "person cIoU", "N-acc": "absent refused", "T-acc": "present answered"},
    ),
)


def main() -> None:
    """Do what is left to do and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the photograph sets")
    parser.add_argument("--out", type=Path, default=Path("runs/ablations"))
    parser.add_argument("--steps", type=int, default=400, help="of each training run")
    options = parser.parse_args()
    try:
        make_start(options.out)
        path = write_recipe(options.out, options.data, options.steps)
        scores = {}
        for name, change in MODELS.items():
            train_with(change, path, options.out / name)
            scores[name] = evaluate(options.out / name, options.data)
        report(options.out, options.steps, scores)
    except MglmmError as error:
        sys.exit(f"error: {error}")


def start_config() -> ModelConfig:
    """The architecture of `nano` for smaller photographs."""
    content = NANO_PLAIN.model_dump()
    content["name"] = "ablation"
    content["pixel_encoder"]["image_size"] = SIDE
    content["global_encoder"]["tokens_per_side"] = SIDE // _CELL
    return ModelConfig.model_validate(content)


def make_start(out: Path) -> None:
    """Write the model that all runs begin with, with the tokenizer of `nano`."""
    folder = out / "start"
    if folder.is_dir():
        return
    _say(f"writing {folder}")
    torch.manual_seed(_SEED)
    model = MGLMM(start_config())
    assert isinstance(model.pixel_encoder, Pyramid)
    load_backbone(model.pixel_encoder.backbone, BackboneRecipe(**_shipped()["start"]["backbone"]))
    tokenizer = open_tokenizer(DEFAULT)
    replace_folder(folder, lambda part: save(part, model, tokenizer, dtype=torch.float32))


def recipe(out: Path, data: Path, steps: int) -> dict[str, Any]:
    """That of `nano` with another start."""
    return _shipped() | {"start": {"model": str(out / "start")}, "data": str(data), "steps": steps}


def write_recipe(out: Path, data: Path, steps: int) -> Path:
    """Write `recipe.yaml`.

    Raises:
        UsageError: if another one is there.
    """
    path = out / "recipe.yaml"
    text = yaml.safe_dump(recipe(out, data, steps), sort_keys=False)
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise UsageError(f"{path}: there are runs by another recipe; give another --out")
    with replacing(path) as file:
        file.write(text.encode())
    return path


def _shipped() -> dict[str, Any]:
    path = Path(trainer.__path__[0]) / "recipes" / "nano.yaml"
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def train_with(change: Change, path: Path, folder: Path) -> None:
    """Train a model on changed conversations; a run that was stopped goes on."""
    model = folder / "model"
    # The decoder is listed there last.
    if not model.is_dir() or DECODER not in read_manifest(model).files:
        _say(f"training {folder}")
        with composing(change):
            train(path, folder)
        export(model)


@contextmanager
def composing(change: Change) -> Iterator[None]:
    """Conversations about composed scenes are changed meanwhile, in loader processes that begin meanwhile too.

    There is no such choice in a recipe: nobody would train this way but to know what it costs.
    """

    def changed(scene: Scene, rng: np.random.Generator) -> list[Conversation]:
        return [entry for entry in map(change, conversations(scene, rng)) if entry is not None]

    source.conversations = changed
    try:
        yield
    finally:
        source.conversations = conversations


def evaluate(folder: Path, data: Path) -> dict[str, float | None]:
    """The scores of a run's model by their headings."""
    model = folder / "model"
    identity = identify(str(model)).sha256
    scores: dict[str, float | None] = {}
    for name, which, headings in EVALUATIONS:
        out = folder / "eval" / name
        if _stored(out).get("scored", {}).get("model_hash") != identity:
            _mglmm("eval", "photos", *which, "--data", str(data), "--model", str(model), "-o", str(out))
        found = _stored(out)["scores"]
        scores |= {heading: found[score] for score, heading in headings.items()}
    return scores


def _stored(folder: Path) -> dict[str, Any]:
    path = folder / RESULTS
    content: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
    return content


def report(out: Path, steps: int, scores: Mapping[str, Mapping[str, float | None]]) -> None:
    """Write ablations.json and print its table, in percent."""
    headings = list(scores["all"])
    with replacing(out / "ablations.json") as file:
        file.write(json.dumps({"steps": steps, "scores": scores}, indent=2).encode() + b"\n")
    table = titled_table(f"after {steps} steps, in percent", "answers", numbers=headings)
    for name, row in scores.items():
        table.add_row(name, *("" if value is None else f"{100 * value:.1f}" for value in row.values()))
    table_console(160).print(table)


def _mglmm(*arguments: str) -> None:
    """Run the program as one would; what is wrong it says itself."""
    _say("mglmm " + " ".join(arguments))
    code = subprocess.run([sys.executable, "-m", "mglmm_cli", *arguments], check=False).returncode
    if code:
        sys.exit(code)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
