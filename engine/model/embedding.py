"""What the mask decoder reads of photographs.

Legend: `B` photographs, `C` channels and `g` side of the grid, `c_i` channels and `s_i` side of a finer map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class ImageEmbedding:
    """Image embeddings, and the finer maps of an encoder that has them (SAM 2, arXiv 2408.00714, section 4).

    Attributes:
        grid: `(B, C, g, g)`.
        high_res: `(B, c_i, s_i, s_i)`, coarse to fine: what the mask decoder adds at each step in which it enlarges.
    """

    grid: Tensor
    high_res: tuple[Tensor, ...] = ()

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All maps, the grid first."""
        return (self.grid, *self.high_res)

    @classmethod
    def of(cls, tensors: Sequence[Tensor]) -> ImageEmbedding:
        """The inverse of `tensors`."""
        return cls(tensors[0], tuple(tensors[1:]))

    def split(self) -> list[ImageEmbedding]:
        """One for each photograph, `B = 1`; nothing is copied."""
        return [ImageEmbedding.of(parts) for parts in zip(*(maps.split(1) for maps in self.tensors), strict=True)]

    def pick(self, photographs: Tensor) -> ImageEmbedding:
        """Those of some photographs: `(b,)` int64."""
        return ImageEmbedding.of([maps[photographs] for maps in self.tensors])

    @classmethod
    def join(cls, parts: Sequence[ImageEmbedding]) -> ImageEmbedding:
        """The inverse of `split`."""
        return cls.of([torch.cat(maps) for maps in zip(*(part.tensors for part in parts), strict=True)])
