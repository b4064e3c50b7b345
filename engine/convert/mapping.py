"""Which key of a checkpoint is which tensor of the network, and which keys need no home."""

from __future__ import annotations

from dataclasses import dataclass

from engine.convert.families import Family


@dataclass(frozen=True, slots=True)
class Rule:
    """Keys that begin with `theirs` are tensors that begin with `ours`; of several rules the first that fits counts."""

    theirs: str
    ours: str

    def name(self, key: str) -> str:
        """The tensor that a fitting key is."""
        return self.ours + key.removeprefix(self.theirs)


_TOWER = "global_encoder.tower."


def sam_rules(prefix: str = "") -> tuple[Rule, ...]:
    """A SAM whose keys begin with `prefix`."""
    return (
        Rule(f"{prefix}image_encoder.", "pixel_encoder.vit."),
        Rule(f"{prefix}prompt_encoder.", "mask_head.prompt_encoder."),
        Rule(f"{prefix}mask_decoder.", "mask_head.mask_decoder."),
    )


def checkpoint_rules(family: Family) -> tuple[Rule, ...]:
    """A whole checkpoint of `family`."""
    return (
        *sam_rules(family.sam),
        Rule("model.vision_tower.vision_tower.vision_model.", _TOWER),
        Rule("model.mm_projector.", "projector."),
        Rule("model.text_hidden_fcs.0.", "text_hidden_fcs."),
        Rule("model.region_encoder.", "region_encoder."),
        Rule("lm_head.", "language_model.lm_head."),
        Rule("model.", "language_model.model."),
    )


def tower_rules(keys: frozenset[str]) -> tuple[Rule, ...]:
    """A CLIP directory, whole or the vision half alone, of older or newer transformers."""
    prefixed = any(key.startswith("vision_model.") for key in keys)
    return (Rule("vision_model." if prefixed else "", _TOWER),)


_OTHER_HALF = ("text_model.", "text_projection.", "visual_projection.", "logit_scale")
_COMPUTED = (".rotary_emb.inv_freq", "embeddings.position_ids")
_CONSTANTS = ("pixel_mean", "pixel_std")


def reason_to_ignore(key: str) -> str | None:
    """Why a key is not needed by any network, or None."""
    if key.endswith(_COMPUTED):
        return "computed from the config"
    if key.startswith(_OTHER_HALF):
        return "CLIP beyond its vision tower"
    if key.rpartition(".")[2] in _CONSTANTS:
        return "constants of the preprocessing"
    return None


def rule_of(key: str, rules: tuple[Rule, ...]) -> Rule | None:
    """The rule that fits a key, if any."""
    return next((rule for rule in rules if key.startswith(rule.theirs)), None)


def theirs(name: str, rules: tuple[Rule, ...]) -> str:
    """The key that a tensor has in a checkpoint, for messages."""
    for rule in rules:
        if name.startswith(rule.ours):
            return rule.theirs + name.removeprefix(rule.ours)
    return name
