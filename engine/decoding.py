"""Batched, KV-cached generation that keeps, in the step itself, the state behind each `[SEG]`.

The engine knows rows and steps; the model knows tensors. A row leaves the batch when its answer ends.

Legend: `B` rows, `P` image tokens, `D` hidden size, `L` length of the longest row, `R` regions of a question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from engine.model.mglmm import MGLMM
from engine.model.tokenizers import TextTokenizer
from engine.sequence import Prefix, embed_text


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen: greedy at temperature 0, else drawn from the softmax."""

    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Generated:
    """One generated answer.

    Attributes:
        ids: the new tokens, without the stop token.
        seg_states: `(n, D)`, the state behind each `[SEG]` of `ids`, in order.
        truncated: the length limit came before the stop token.
    """

    ids: tuple[int, ...]
    seg_states: Tensor
    truncated: bool


class Generator:
    """Generates answers with one model.

    Args:
        model: in eval mode.
        tokenizer: for the ids of `[SEG]` and the stop token.
        sampling: how tokens are chosen; a seed gives the same draws for the same batches.
    """

    def __init__(self, model: MGLMM, tokenizer: TextTokenizer, sampling: Sampling | None = None) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._sampling = sampling or Sampling()
        self._draws = torch.Generator().manual_seed(self._sampling.seed)
        # 0 keeps the state that the [SEG] token itself gives, one step after it was chosen.
        self._delay = 1 + model.config.seg_state_offset

    @torch.inference_mode()
    def generate(
        self,
        prefix: Prefix,
        tokens: Tensor,
        questions: Sequence[Sequence[int]],
        limit: int,
        regions: Sequence[Tensor | None] | None = None,
    ) -> list[Generated]:
        """Answer one question per row.

        Args:
            prefix: the prompt prefix of the model.
            tokens: `(B, P, D)` image tokens, a row per question.
            questions: `B` lists of ids, without the prefix.
            limit: most new tokens per answer; cut so that prompt and answer fit the model's positions.
            regions: for each question `(R, D)`, the vectors of its region tokens, or None.
        """
        if not questions:
            return []
        language = self._model.language_model
        rows = [_Row() for _ in questions]
        embedded, mask, positions = self._prompts(prefix, tokens, questions, regions)
        limit = min(limit, language.config.max_position_embeddings - embedded.shape[1])
        if limit < 1:
            raise ValueError(f"a prompt of {embedded.shape[1]} tokens leaves no room for an answer")
        cache = DynamicCache(config=language.config)
        active = rows
        for _ in range(limit):
            states = language.model(
                inputs_embeds=embedded, attention_mask=mask, position_ids=positions, past_key_values=cache
            ).last_hidden_state[:, -1]
            chosen = self._choose(language.lm_head(states))
            for row, state, token in zip(active, states, chosen.tolist(), strict=True):
                row.take(state, token, self._tokenizer, self._delay)
            keep = [i for i, row in enumerate(active) if not row.finished]
            if not keep:
                break
            if len(keep) < len(active):
                active = [active[i] for i in keep]
                cache.batch_select_indices(torch.tensor(keep, device=mask.device))
                mask, positions, chosen = mask[keep], positions[keep], chosen[keep]
            embedded = language.get_input_embeddings()(chosen[:, None])
            mask = torch.cat([mask, mask.new_ones(len(active), 1)], dim=1)
            positions = positions[:, -1:] + 1
        if self._delay:
            self._last_states(active, embedded, mask, positions, cache)
        return [row.result(tokens) for row in rows]

    @torch.inference_mode()
    def read(self, prefix: Prefix, tokens: Tensor, texts: Sequence[Sequence[int]]) -> list[Tensor]:
        """States behind each `[SEG]` that already stands in a text: teacher forcing, and the turns before a question.

        Args:
            prefix: the prompt prefix of the model.
            tokens: `(B, P, D)` image tokens, a row per text.
            texts: `B` lists of ids, without the prefix.

        Returns:
            for each text `(n, D)`.
        """
        table = self._model.language_model.get_input_embeddings()
        longest = max(map(len, texts), default=0)
        # Padding stands on the right here: nothing in front of it can see it.
        padded = [[*text, *[self._tokenizer.pad] * (longest - len(text))] for text in texts]
        ids = torch.tensor(padded, dtype=torch.long, device=tokens.device).reshape(len(texts), longest)
        embedded = torch.cat([prefix.embed(table, tokens), table(ids).to(tokens.dtype)], dim=1)
        states = self._model.language_model.model(inputs_embeds=embedded, use_cache=False).last_hidden_state
        offset = len(prefix) + self._model.config.seg_state_offset
        return [
            row[[offset + place for place, token in enumerate(text) if token == self._tokenizer.seg]]
            for row, text in zip(states, texts, strict=True)
        ]

    def _prompts(
        self,
        prefix: Prefix,
        tokens: Tensor,
        questions: Sequence[Sequence[int]],
        regions: Sequence[Tensor | None] | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Left-padded prompts: embeddings `(B, L, D)`, mask `(B, L)`, positions `(B, L)`."""
        table = self._model.language_model.get_input_embeddings()
        shared = prefix.embed(table, tokens)
        length = len(prefix) + max(map(len, questions))
        embedded = shared.new_zeros(len(questions), length, shared.shape[-1])
        pads = torch.tensor([length - len(prefix) - len(question) for question in questions], device=tokens.device)
        for row, question in enumerate(questions):
            text = embed_text(table, question, regions[row] if regions else None, self._tokenizer.region, like=tokens)
            embedded[row, length - len(text) :] = text
            embedded[row, length - len(text) - len(prefix) : length - len(text)] = shared[row]
        positions = torch.arange(length, device=tokens.device)[None] - pads[:, None]
        return embedded, (positions >= 0).long(), positions.clamp(min=0)

    def _choose(self, logits: Tensor) -> Tensor:
        if not self._sampling.temperature:
            return logits.argmax(dim=-1)
        # Drawn on the CPU, so that a seed gives the same answers on every device.
        share = torch.softmax(logits.float() / self._sampling.temperature, dim=-1).cpu()
        return torch.multinomial(share, 1, generator=self._draws)[:, 0].to(logits.device)

    def _last_states(
        self, active: Sequence[_Row], embedded: Tensor, mask: Tensor, positions: Tensor, cache: DynamicCache
    ) -> None:
        """A `[SEG]` that came last still needs the state that it gives itself."""
        if any(row.waiting for row in active):
            states = self._model.language_model.model(
                inputs_embeds=embedded, attention_mask=mask, position_ids=positions, past_key_values=cache
            ).last_hidden_state[:, -1]
            for row, state in zip(active, states, strict=True):
                row.deliver(state)


class _Row:
    """The answer of one row while it grows."""

    def __init__(self) -> None:
        self.finished = False
        self.waiting = False
        self._ids: list[int] = []
        self._states: list[Tensor] = []

    def take(self, state: Tensor, token: int, tokenizer: TextTokenizer, delay: int) -> None:
        """A step has chosen `token` from `state`."""
        self.deliver(state)
        if token == tokenizer.eos:
            self.finished = True
            return
        self._ids.append(token)
        if token == tokenizer.seg:
            self.waiting = True
            if not delay:
                self.deliver(state)

    def deliver(self, state: Tensor) -> None:
        """Give a waiting `[SEG]` its state."""
        if self.waiting:
            self._states.append(state)
            self.waiting = False

    def result(self, like: Tensor) -> Generated:
        states = torch.stack(self._states) if self._states else like.new_zeros(0, like.shape[-1])
        return Generated(tuple(self._ids), states, truncated=not self.finished)
