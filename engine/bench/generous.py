"""The public way without its plainest waste: encoders once per photograph, logits of the last position only."""

from __future__ import annotations

from torch import Tensor

from engine.bench.baseline import PlainLoop
from engine.images.transforms import Views
from engine.model.embedding import ImageEmbedding
from engine.model.mglmm import ImageFeatures


class GenerousLoop(PlainLoop[ImageFeatures]):
    """Keeps what both encoders and the projector gave."""

    def _look(self, views: Views) -> ImageFeatures:
        return self._model.encode_images(self._pixels(views), self._view(views))

    def _image_tokens(self, seen: ImageFeatures) -> Tensor:
        return seen.tokens

    def _embedding(self, seen: ImageFeatures) -> ImageEmbedding:
        assert seen.embedding is not None  # `_look` gave the pixel view
        return seen.embedding

    def _last_logits(self, states: Tensor) -> Tensor:
        return self._logits(states[:, -1])[0]
