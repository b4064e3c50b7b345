"""How masks are compared for validation, in both frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.images.transforms import Frame
from tests.engine.tiny import TINY
from trainer.learning.iou import ious
from trainer.learning.targets import FullTargets, LowResTargets, MaskTargets

LOW = 4 * TINY.pixel_encoder.grid
LEFT = np.zeros((48, 96), bool)
LEFT[:, :48] = True


@pytest.mark.parametrize("kind", [LowResTargets, FullTargets])
def test_only_what_lies_in_the_photograph_counts(kind: type[MaskTargets]) -> None:
    frame = Frame.fit(48, 96, 96)
    targets = kind.join([kind.write([LEFT, ~LEFT], frame, TINY), kind.write([np.zeros_like(LEFT)], frame, TINY)])
    logits = torch.full((3, LOW, LOW), -5.0)
    logits[:, :, : LOW // 2] = 5.0  # the left half, padding below included
    found = ious(targets, logits)
    assert found.tolist() == pytest.approx([1.0, 0.0, 0.0], abs=0.05)
    assert ious(targets.pick(torch.tensor([2])), torch.full((1, LOW, LOW), -5.0)).tolist() == [1.0]
    assert ious(targets.pick(torch.tensor([], dtype=torch.long)), logits[:0]).tolist() == []
