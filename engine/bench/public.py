"""The way the public code of this family of models runs.

At each new token the global encoder, the projector, the whole language model and the output layer run over the whole
sequence, and logits of all its positions are made; the pixel encoder runs once per question. Where a model takes its
image tokens from the backbone of the pixel encoder, as nano does, that backbone is its global encoder.

Legend: `S` side of the pixel view, `s` side of the global view.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from engine.bench.baseline import PlainLoop
from engine.images.transforms import Views
from engine.model.embedding import ImageEmbedding


@dataclass(frozen=True, slots=True)
class Inputs:
    """The encoders' inputs on the model's device: `(1, 3, S, S)`, and `(1, 3, s, s)` or None."""

    pixels: Tensor
    view: Tensor | None


class PublicLoop(PlainLoop[Inputs]):
    """Nothing is kept but the photograph itself."""

    def _look(self, views: Views) -> Inputs:
        return Inputs(self._pixels(views), self._view(views))

    def _image_tokens(self, seen: Inputs) -> Tensor:
        pixels = seen.pixels if seen.view is None else None
        return self._model.encode_images(pixels, seen.view).tokens

    def _embedding(self, seen: Inputs) -> ImageEmbedding:
        return self._model.pixel_encoder(seen.pixels).embedding

    def _last_logits(self, states: Tensor) -> Tensor:
        return self._logits(states)[0, -1]
