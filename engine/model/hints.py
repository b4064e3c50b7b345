"""What the backbone's own classifier would call a photograph, as words that the language model reads.

A backbone that was trained to tell a thousand classes apart knows names that no annotation of ours has. Its likeliest
names stand behind the image tokens, written with the language model's own word embeddings, so that an answer can take
a word over.

Legend: `B` images, `s` side of the classifier's grid, `W` windows, `G` names, `K` of them that are given, `t` tokens of
a name, `D` hidden size of the language model.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.model.config import HintsConfig
from engine.model.pixel_features import ClassFeatures

_WINDOWS = ((2 / 3, 1 / 6), (1 / 2, 1 / 6), (1 / 3, 1 / 6), (1 / 4, 1 / 12))
"""Side and step of the windows, as shares of the grid: what fills none of the whole picture may fill one of them."""
_INSIDE = 0.6
"""The share of a window that must be photograph."""


class NameHints(nn.Module):
    """The likeliest names of a photograph as rows of word embeddings.

    Attributes:
        name_of_class: `(classes,)` int64, the name of each class; `G` for one without.
        name_ids: `(G, t)` int64, the tokens of each name, padded on the right.
    """

    name_of_class: Tensor
    name_ids: Tensor

    def __init__(self, config: HintsConfig, hidden: int) -> None:
        super().__init__()
        self._count = config.count
        self.register_buffer("name_of_class", torch.zeros(config.classes, dtype=torch.long))
        self.register_buffer("name_ids", torch.zeros(config.names, config.tokens, dtype=torch.long))
        self.certainty = nn.Linear(1, hidden)

    def forward(self, classes: ClassFeatures, table: nn.Module) -> Tensor:
        """The likeliest names, the likeliest first.

        Args:
            classes: what the classifier sees.
            table: the language model's word embeddings.

        Returns:
            `(B, K * t, D)`.
        """
        scores, names = self.scores(classes).topk(self._count)
        words = table(self.name_ids[names])  # (B, K, t, D)
        certain = self.certainty(scores.clamp(min=1e-4).log()[..., None].to(self.certainty.weight.dtype))
        return (words + certain[:, :, None]).flatten(1, 2)

    def scores(self, classes: ClassFeatures) -> Tensor:
        """The mean probability of each name over windows of the photograph, `(B, G)` float32."""
        logits, inside = classes.logits.float(), classes.inside.float()
        seen = [(logits * inside).sum((2, 3))[:, None] / inside.sum((2, 3)).clamp(min=1e-3)[:, None]]
        counts = [torch.ones_like(seen[0][..., 0])]
        side = logits.shape[-1]
        for share, step in _WINDOWS:
            kernel, stride = max(1, round(side * share)), max(1, round(side * step))
            covered = F.avg_pool2d(inside, kernel, stride)
            mean = F.avg_pool2d(logits * inside, kernel, stride) / covered.clamp(min=1e-3)
            seen.append(mean.flatten(2).transpose(1, 2))
            counts.append((covered.flatten(1) > _INSIDE).float())
        weights = torch.cat(counts, dim=1)  # (B, W)
        probabilities = torch.cat(seen, dim=1).softmax(dim=-1)  # (B, W, classes)
        means = (probabilities * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)
        names = means.new_zeros(len(means), len(self.name_ids) + 1)
        return names.index_add(1, self.name_of_class, means)[:, :-1]
