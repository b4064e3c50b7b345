"""Qwen3-VL's language model by itself: transformers has it only together with the vision tower."""

from __future__ import annotations

from torch import nn
from transformers import Qwen3VLPreTrainedModel, Qwen3VLTextConfig, Qwen3VLTextModel


class Qwen3VLForCausalLM(Qwen3VLPreTrainedModel):
    """The layers of transformers and the output layer, under the names that causal LMs have."""

    config_class = Qwen3VLTextConfig

    def __init__(self, config: Qwen3VLTextConfig) -> None:
        super().__init__(config)
        self.model = Qwen3VLTextModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()
