"""A training-only head that names every cell of the image embedding, one classifier per label set.

It gives the pixel encoder a dense gradient in every step, where masks of `[SEG]` tokens give a sparse one.
It is not part of the model and is not stored with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.data.scene import IGNORE


class SemanticHead(nn.Module):
    """A linear classifier per label set over the channels of the image embedding."""

    def __init__(self, channels: int, classes: Mapping[str, int]) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({name: nn.Conv2d(channels, count, kernel_size=1) for name, count in classes.items()})

    def forward(self, embedding: Tensor, kinds: Sequence[str], labels: Tensor) -> Tensor:
        """Mean cross-entropy over the labelled cells.

        Args:
            embedding: `(B, C, g, g)`.
            kinds: the label set of each image; images of unknown sets are left out.
            labels: `(B, k * g, k * g)` int64 class indices; `IGNORE` where nothing is known.
        """
        losses = []
        for kind, head in self.heads.items():
            rows = torch.tensor([i for i, name in enumerate(kinds) if name == kind], dtype=torch.long)
            if not len(rows):
                continue
            target = labels[rows]
            logits = F.interpolate(head(embedding[rows]).float(), size=target.shape[-2:], mode="bilinear")
            loss = F.cross_entropy(logits, target, ignore_index=IGNORE, reduction="sum")
            losses.append(loss / (target != IGNORE).sum().clamp(min=1) * len(rows))
        if not losses:
            return embedding.sum() * 0
        return torch.stack(losses).sum() / len(kinds)
