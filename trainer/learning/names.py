"""What a model needs to say what its backbone's own classifier sees: its weights, and names for its classes."""

from __future__ import annotations

from typing import Any

import timm
import torch

from engine.model.hints import NameHints
from engine.model.pixel_encoder import Classifier
from engine.model.tokenizers import TextTokenizer
from trainer.data.imagenet import spoken_names
from trainer.learning.backbone import load_backbone
from trainer.recipe import BackboneRecipe


def load_classifier(classifier: Classifier, backbone: str, recipe: BackboneRecipe) -> None:
    """Copy the last stages of a backbone and its classifier out of the package.

    Args:
        classifier: gets them.
        backbone: timm's name of the whole.
        recipe: the package.

    Raises:
        UsageError: as `load_backbone`.
    """
    whole: Any = timm.create_model(backbone, pretrained=False)
    load_backbone(whole, recipe)
    classifier.blocks.load_state_dict(whole.blocks[Classifier.SHARED :].state_dict())
    classifier.conv_head.load_state_dict(whole.conv_head.state_dict())
    classifier.bn2.load_state_dict(whole.bn2.state_dict())
    classifier.classifier.load_state_dict(whole.classifier.state_dict())


def names_that_fit(tokenizer: TextTokenizer, tokens: int) -> list[tuple[list[int], tuple[int, ...]]]:
    """Ids and classes of every name of at most `tokens` tokens, as it is written inside a sentence."""
    named = ((tokenizer.encode(f" {name}"), classes) for name, classes in spoken_names())
    return [(list(ids), classes) for ids, classes in named if len(ids) <= tokens]


def write_names(hints: NameHints, tokenizer: TextTokenizer) -> None:
    """Give the classes their names; one whose name takes too many tokens has none."""
    found = names_that_fit(tokenizer, hints.name_ids.shape[1])
    hints.name_of_class.fill_(len(found))
    hints.name_ids.fill_(tokenizer.pad)
    for number, (ids, classes) in enumerate(found):
        hints.name_of_class[list(classes)] = number
        hints.name_ids[number, : len(ids)] = torch.tensor(ids)
