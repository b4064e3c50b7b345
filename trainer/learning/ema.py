"""What a run has learned, and its running average, which is steadier than where the last step happened to end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from engine.errors import UsageError


def learned(module: nn.Module) -> dict[str, Tensor]:
    """All that frozen weights don't say: trained parameters, and buffers."""
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    trained = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    return trained | {name: tensor for name, tensor in module.state_dict().items() if name not in parameters}


def put_back(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """The inverse of `learned`.

    Raises:
        UsageError: if the module has not learned these.
    """
    odd = state.keys() ^ learned(module).keys()
    if odd:
        raise UsageError(f"the checkpoint is of another model: {len(odd)} tensors differ, the first is {min(odd)}")
    module.load_state_dict(state, strict=False)


class Average:
    """The running average of what a model has learned.

    Args:
        model: at its start.
        decay: how much of the average stays in a step.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model, self._decay = model, decay
        self.tensors = {name: tensor.clone() for name, tensor in learned(model).items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights after `step` steps in."""
        # The average would remember the random start for long; it follows fast at first.
        decay = min(self._decay, (1 + step) / (10 + step))
        for name, tensor in learned(self._model).items():
            if tensor.is_floating_point():
                self.tensors[name].lerp_(tensor, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the average's weights for a while."""
        own = {name: tensor.clone() for name, tensor in learned(self._model).items()}
        put_back(self._model, self.tensors)
        try:
            yield
        finally:
            put_back(self._model, own)
