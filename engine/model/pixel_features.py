"""What pixel encoders give.

Legend: `B` images, `C` channels of the embedding, `F` channels of a classifier's features, `s` side of a coarse grid.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from engine.model.embedding import ImageEmbedding


@dataclass(frozen=True, slots=True)
class ClassFeatures:
    """A backbone's own classifier, cell by cell: the mean of the logits over cells is that of the whole picture.

    Attributes:
        features: `(B, F, s, s)`, what its last layer reads.
        logits: `(B, classes, s, s)`.
        inside: `(B, 1, s, s)`, the share of a cell that is photograph and not padding.
    """

    features: Tensor
    logits: Tensor
    inside: Tensor


@dataclass(frozen=True, slots=True)
class PixelFeatures:
    """Output of a pixel encoder.

    Attributes:
        embedding: what the mask decoder reads.
        coarse: `(B, D, s, s)`, the last level of a pyramid, or None where there is no pyramid.
        classes: what the backbone's own classifier sees, where it was kept.
    """

    embedding: ImageEmbedding
    coarse: Tensor | None
    classes: ClassFeatures | None = None
