"""The model at work on a drawn picture: each fast way is compared with the plain one.

Legend: `K` tokens, `N` masks, `C` channels of the mask decoder.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.decoding.generator import Generator, whole_pass
from engine.decoding.row import Generated
from engine.decoding.sequence import PromptWriter
from engine.doctor.facts import Check, Skipped, check
from engine.errors import UsageError
from engine.images.transforms import Views, make_views
from engine.masks import rle
from engine.masks.decoder import OnnxMaskDecoder
from engine.masks.postprocess import to_masks, upscale
from engine.model.checkpoint import Checkpoint
from engine.model.embedding import ImageEmbedding
from engine.model.mask_head import LowResMasks
from engine.model.onnx_encoder import OnnxPixelEncoder, outputs_of
from engine.model.precision import Precision
from engine.text.grammar import parse
from engine.text.prompts import TEMPLATES, Task, instruction

_NEW_TOKENS = 64
_COMPARED = 16
_DRAWN = 8
_TIE = {Precision.FLOAT32: 1e-3}
"""How far the logit of a cached step may lie below the likeliest one of the plain pass."""
_STATES = {Precision.FLOAT32: 1e-4}
"""How far prompt vectors may lie apart, as a share of the largest number in them."""
_ROUGH_TIE, _ROUGH_STATES = 0.5, 0.1
_LOGITS, _PIXELS = 1e-2, 0.999
_MAPS = 1e-4


def photo() -> np.ndarray:
    """A gradient with a disc and a box on it: `(240, 320, 3)` uint8."""
    y, x = np.mgrid[:240, :320]
    picture = np.stack([x * 255 // 319, y * 255 // 239, 255 - x * 255 // 319], axis=2).astype(np.uint8)
    picture[(x - 90) ** 2 + (y - 120) ** 2 < 60**2] = (220, 30, 30)
    picture[70:190, 190:290] = (30, 60, 200)
    return picture


def self_test(checkpoint: Checkpoint) -> list[Check]:
    """Run the model and compare."""
    run = _Run(checkpoint)
    return [
        check("answers", run.answers),
        check("KV cache", run.cache),
        check("[SEG] capture", run.capture),
        check("pixel encoder", run.encoder),
        check("mask decoder", run.decoder),
        check("RLE", run.rle),
    ]


class _Run:
    """One picture, two questions, and what came of them."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._model = checkpoint.model
        self._writer = PromptWriter(checkpoint.config, checkpoint.tokenizer)
        self._generator = Generator(checkpoint.model, checkpoint.tokenizer)
        self._prefix = self._writer.prefix
        families = TEMPLATES[checkpoint.config.template].families
        texts = (
            instruction(Task.PANOPTIC_SEGCAP, families=families),
            instruction(Task.REFERRING, label="the red disc", families=families),
        )
        self._questions = [self._writer.question(text) for text in texts]
        self._views: Views = make_views(photo(), checkpoint.config)
        self._tokens = torch.empty(0)
        self._embedding = ImageEmbedding(torch.empty(0))
        self._generated: list[Generated] = []

    @torch.inference_mode()
    def answers(self) -> str:
        """Both questions in one batch."""
        device, dtype = self._checkpoint.device, self._checkpoint.precision.dtype
        clip = None if self._views.clip is None else self._views.clip[None].to(device, dtype)
        features = self._model.encode_images(self._views.pixels[None].to(device, dtype), clip)
        assert features.embedding is not None  # the pixel view was given
        self._tokens, self._embedding = features.tokens, features.embedding
        self._prefix = self._writer.prefix_of(self._tokens.shape[1], self._views.grid)
        limit = min(_NEW_TOKENS, self._checkpoint.config.max_new_tokens)
        both = self._tokens.expand(len(self._questions), -1, -1)
        generated = self._generator.generate(self._prefix, both, self._questions, limit)
        answers = [parse(self._checkpoint.tokenizer.decode(one.ids)) for one in generated]
        self._generated = generated
        counts = " and ".join(str(len(one.ids)) for one in generated)
        return f"answers of {counts} tokens with {sum(answer.seg_count for answer in answers)} [SEG]"

    @torch.inference_mode()
    def cache(self) -> str:
        """The ids of cached steps against those of one pass over the whole text."""
        equal = compared = 0
        gap = 0.0
        for question, answer in zip(self._questions, self._made(), strict=True):
            stop = () if answer.truncated else (self._checkpoint.tokenizer.eos,)
            ids = torch.tensor((*answer.ids, *stop)[:_COMPARED], device=self._tokens.device)
            logits = self._plain_logits(question, ids)
            below = logits.max(dim=-1).values - logits.gather(1, ids[:, None])[:, 0]
            equal += int((below == 0).sum())
            compared += len(ids)
            gap = max(gap, _worst(below))
        line = f"{equal} of {compared} tokens are those of a pass without a cache"
        # In low precision two tokens that are nearly as likely may change places.
        if equal < compared:
            line += f", the others' logits lie {gap:.2g} below"
        return _within(gap, _TIE.get(self._checkpoint.precision, _ROUGH_TIE), line)

    @torch.inference_mode()
    def capture(self) -> str:
        """Prompt vectors of the states that were kept in the step against those that are read from the text."""
        kept = torch.cat([answer.seg_states for answer in self._made()])
        if not len(kept):
            raise Skipped("no answer has a [SEG]")
        texts = [[*question, *answer.ids] for question, answer in zip(self._questions, self._made(), strict=True)]
        both = self._tokens.expand(len(texts), -1, -1)
        read = torch.cat(self._generator.read(self._prefix, both, texts))
        mine, theirs = self._model.prompt_vectors(kept), self._model.prompt_vectors(read)
        difference = _worst((mine - theirs).abs())
        bound = _STATES.get(self._checkpoint.precision, _ROUGH_STATES) * float(theirs.abs().max())
        return _within(difference, bound, f"{len(kept)} prompt vectors, at most {difference:.2g} apart")

    @torch.inference_mode()
    def encoder(self) -> str:
        """The exported pixel encoder against the network's own."""
        exported = self._checkpoint.pixel_encoder
        if not isinstance(exported, OnnxPixelEncoder):
            return "run by torch: none is exported, or not for this device and precision"
        pixels = self._views.pixels[None]
        mine, theirs = (outputs_of(encoder(pixels)) for encoder in (self._model.pixel_encoder, exported))
        apart = {name: _worst((mine[name] - theirs[name]).abs()) for name in mine}
        line = f"{len(mine)} maps by ONNX and torch, at most {max(apart.values()):.2g} apart"
        for name, difference in apart.items():
            _within(difference, _MAPS * max(1.0, float(mine[name].abs().max())), f"{name}: {line}")
        return line

    @torch.inference_mode()
    def decoder(self) -> str:
        """The exported mask decoder against the network's own."""
        prompts = self._prompts()
        if self._checkpoint.decoder is None:
            raise Skipped("there is no exported mask decoder")
        mine = self._low_res(prompts)
        index = torch.zeros(len(prompts), dtype=torch.long)
        theirs = OnnxMaskDecoder(self._checkpoint.decoder, self._checkpoint.device)(
            self._embedding, prompts, index
        ).logits
        difference, agree = _worst((mine - theirs).abs()), float(((mine > 0) == (theirs > 0)).float().mean())
        logits = f"logits at most {difference:.2g} apart, {agree:.2%} of pixels agree"
        line = f"{len(prompts)} masks by ONNX and torch, {logits}"
        if agree < _PIXELS:
            raise UsageError(line)
        return _within(difference, _LOGITS * max(1.0, float(mine.abs().max())), line)

    @torch.inference_mode()
    def rle(self) -> str:
        """Masks in the original frame against what their encoding gives back."""
        low_res = self._low_res(self._prompts())
        frame, side = self._views.frame, self._checkpoint.config.pixel_encoder.image_size
        masks = to_masks(LowResMasks(low_res), frame, side)
        pixels = (upscale(low_res, frame, side) > 0).numpy()
        if not all(np.array_equal(rle.decode(mask.rle), wanted) for mask, wanted in zip(masks, pixels, strict=True)):
            raise UsageError("a mask does not come back from its encoding")
        return f"{len(masks)} masks of {frame.width} x {frame.height} come back from their encoding"

    def _made(self) -> list[Generated]:
        if not self._generated:
            raise Skipped("there is no answer")
        return self._generated

    def _prompts(self) -> Tensor:
        """Prompt vectors `(N, C)` of the answers, or of drawn states where they have none."""
        states = torch.cat([answer.seg_states for answer in self._made()])
        if not len(states):
            draws = torch.Generator().manual_seed(0)
            states = torch.randn(_DRAWN, states.shape[1], generator=draws).to(states)
        return self._model.prompt_vectors(states)

    def _low_res(self, prompts: Tensor) -> Tensor:
        index = torch.zeros(len(prompts), dtype=torch.long, device=prompts.device)
        return self._model.mask_head(self._embedding, prompts, index).cpu()

    def _plain_logits(self, question: Sequence[int], ids: Tensor) -> Tensor:
        """Logits `(K, vocabulary)` of the steps that gave `ids`, from one pass over prompt and answer."""
        language, prefix = self._model.language_model, self._prefix
        text = torch.cat([torch.tensor(question, device=ids.device), ids])
        states = whole_pass(language, prefix, self._tokens, text[None])[0]
        start = len(prefix) + len(question) - 1
        return language.lm_head(states[start : start + len(ids)]).float()


def _worst(differences: Tensor) -> float:
    """The largest of them; infinite where one is no number."""
    worst = float(differences.max()) if differences.numel() else 0.0
    return worst if math.isfinite(worst) else math.inf


def _within(difference: float, bound: float, line: str) -> str:
    if not difference <= bound:
        raise UsageError(f"{line}; at most {bound:.2g} is right")
    return line
