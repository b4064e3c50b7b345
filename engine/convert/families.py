"""The public code bases whose checkpoints are read, and how each lays its weights out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.model.tokenizers.base import IM_END, IM_START
from engine.text.grammar import PHRASE_CLOSE, PHRASE_OPEN, SEG
from engine.text.prompts import REGION

AUTO = "auto"
ADDED_TOKENS = (IM_START, IM_END, REGION, "<point>", SEG, PHRASE_OPEN, PHRASE_CLOSE)
"""What MGLMM adds to LLaVA's vocabulary, in its order."""


@dataclass(frozen=True, slots=True)
class Family:
    """One code base.

    Attributes:
        name: as `--family` has it.
        architecture: in config.json.
        sam: what the keys of its SAM begin with.
        template: the chat template that its models were trained with.
        tokens: added tokens that its vocabulary must have.
    """

    name: str
    architecture: str
    sam: str
    template: str
    tokens: tuple[str, ...]


_TAGS = (IM_START, IM_END, SEG, PHRASE_OPEN, PHRASE_CLOSE)
FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family("mglmm", "MGLMMForCausalLM", "model.segment_encoder.", "llava_v1", _TAGS),
        Family("glamm", "GLaMMForCausalLM", "model.grounding_encoder.", "llava_v1", _TAGS),
        # LISA asks for no phrases.
        Family("lisa", "LISAForCausalLM", "model.visual_model.", "lisa", (SEG, IM_START, IM_END)),
    )
}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a checkpoint is.

    Attributes:
        family: whose layout it has.
        told_by: how that was found out.
        starting_point: whether it is a LLaVA, from which an MGLMM is to be trained.
    """

    family: Family
    told_by: str
    starting_point: bool


def recognise(folder: Path, keys: Iterable[str], config: Mapping[str, Any], asked: str) -> Kind:
    """Tell a checkpoint's family by its keys, else by its config.json.

    Args:
        folder: for messages.
        keys: of its tensors.
        config: its config.json.
        asked: a family's name, or `auto`.

    Raises:
        UsageError: if it can't be told, or is another than the one asked for.
    """
    keys = list(keys)
    if any(key.startswith("image_encoder.") for key in keys):
        raise UsageError(f"{folder}: holds a SAM; give its file with --sam, and a LLaVA directory as SRC")
    by_keys = [family for family in FAMILIES.values() if any(key.startswith(family.sam) for key in keys)]
    if len(by_keys) > 1:
        raise UsageError(f"{folder}: has keys of several families ({', '.join(f.name for f in by_keys)})")
    if by_keys:
        kind = Kind(by_keys[0], f"keys begin with {by_keys[0].sam}", starting_point=False)
    else:
        kind = _by_architecture(folder, keys, config, asked)
    if asked not in (AUTO, kind.family.name):
        raise UsageError(f"{folder}: --family {asked}, but it is {kind.family.name} ({kind.told_by})")
    return kind


def _by_architecture(folder: Path, keys: list[str], config: Mapping[str, Any], asked: str) -> Kind:
    """For checkpoints without a SAM."""
    named = [str(name) for name in config.get("architectures") or []]
    for family in FAMILIES.values():
        if family.architecture in named:
            return Kind(family, f"config.json names {family.architecture}", starting_point=False)
    is_plain = not any(key.startswith("model.text_hidden_fcs.") for key in keys)
    for name in named:
        if is_plain and name.lower().startswith("llava"):
            return Kind(FAMILIES["mglmm"], f"config.json names {name}", starting_point=True)
    if asked != AUTO:
        return Kind(FAMILIES[asked], "--family", starting_point=is_plain and asked == "mglmm")
    raise UsageError(
        f"{folder}: no key begins with {', '.join(f.sam for f in FAMILIES.values())}, and config.json names "
        f"{', '.join(named) or 'no architecture'}; say what it is with --family"
    )
