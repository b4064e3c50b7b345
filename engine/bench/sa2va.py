"""The way the public code of Sa2VA runs: a KV cache, one answer at a time, and the pixel encoder again for each mask.

What that code does besides and throws away, such as running SAM 2's memory encoder on each mask, is left out here.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from engine.bench.baseline import Said
from engine.bench.public import Inputs, PublicLoop
from engine.decoding.generator import Generator
from engine.model.checkpoint import Checkpoint
from engine.model.mask_head import LowResMasks
from engine.pipeline.pipeline import Options


class Sa2vaLoop(PublicLoop):
    """Both encoders run anew for each question, the pixel encoder for each mask."""

    def __init__(self, checkpoint: Checkpoint, options: Options) -> None:
        super().__init__(checkpoint, options)
        stop = self._template.stop
        self._generator = Generator(self._model, self._tokenizer, slots=1, sampling=self._sampling, stop=stop)

    def _say(self, seen: Inputs, grid: tuple[int, int] | None, question: Sequence[int]) -> Said:
        tokens = self._image_tokens(seen)
        prefix = self._writer.prefix_of(tokens.shape[1], grid)
        (answer,) = self._generator.generate(prefix, tokens, [question], self._limit)
        count = len(answer.ids) + (not answer.truncated)
        return Said(answer.ids, answer.seg_states, count, answer.truncated)

    def _masks(self, seen: Inputs, states: Tensor) -> LowResMasks:
        """Each from a pixel encoder's run and a decoder's of its own."""
        alone = [super(Sa2vaLoop, self)._masks(seen, state[None]) for state in states]
        side = self._config.low_res_side
        return LowResMasks.join(alone) if alone else LowResMasks(states.new_zeros(0, side, side))
