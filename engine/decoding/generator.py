"""Continuous batching: KV-cached generation in slots, the state behind each `[SEG]` kept in the step that makes it.

A slot that is freed by a finished answer takes the next question at once; prompts of all lengths share a batch. A row
sees its own slot only, so an answer does not depend on the others. The model knows tensors; rows and slots live here.

Legend: `B` rows, `P` image tokens, `T` tokens of a text, `D` hidden size, `R` regions of a question, `S` slots.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from engine.decoding.row import Generated, Request, Row, Sampling
from engine.decoding.sequence import Prefix, as_wide, embed_text
from engine.decoding.step import DecodeStep, PlainStep, RecordedStep
from engine.errors import UsageError
from engine.model.llama import SlotCache, check_supported, forward, logits_of
from engine.model.mglmm import MGLMM
from engine.model.tokenizers import TextTokenizer
from engine.timing import Stages


class Generator:
    """Generates answers with one model.

    Attributes:
        slots: answers that may be in progress at a time.
        alone: held while a decode step is recorded on a CUDA device, which no other thread may use then; so threads
            that do hold it meanwhile.

    Args:
        model: in eval mode.
        tokenizer: for the ids of `[SEG]` and the stop token.
        sampling: how tokens are chosen.
        slots: answers in progress at a time.
        stages: where time is noted.
        recorded: decode in a few fixed shapes; on a CUDA device they are recorded.
        stop: text that ends an answer, where no token of its own does.

    Raises:
        UsageError: if the language model is of a kind that can't be run.
    """

    def __init__(
        self,
        model: MGLMM,
        tokenizer: TextTokenizer,
        sampling: Sampling | None = None,
        slots: int = 8,
        stages: Stages | None = None,
        *,
        recorded: bool = False,
        stop: str | None = None,
    ) -> None:
        check_supported(model.language_model)
        self._model = model
        self._language = model.language_model
        self._table: Any = model.language_model.get_input_embeddings()
        self._tokenizer = tokenizer
        self._sampling = sampling or Sampling()
        self._stages = stages or Stages()
        # 0 keeps the state that the [SEG] token itself gives, one step after it was chosen.
        self._delay = 1 + model.config.seg_state_offset
        self._normed = model.config.seg_state_normed
        self._recorded, self._stop = recorded, stop
        self.alone = threading.Lock()
        self._started = 0
        self.resize(slots)

    @property
    def free(self) -> int:
        """Slots without an answer in progress."""
        return self._rows.count(None)

    @property
    def active(self) -> int:
        """Answers in progress."""
        return self.slots - self.free

    def resize(self, slots: int) -> None:
        """Forget all answers in progress, and go on with so many slots."""
        self.slots = slots
        self._cache = SlotCache(self._language, slots)
        self._rows: list[Row | None] = [None] * slots
        self._step: DecodeStep = (
            RecordedStep(self._language, self._cache, slots, self.alone, normed=self._normed)
            if self._recorded
            else PlainStep(self._language, self._cache, normed=self._normed)
        )

    def clear(self) -> None:
        """Forget all answers in progress."""
        self._rows = [None] * self.slots

    @torch.inference_mode()
    def start(self, requests: Sequence[Request]) -> list[int]:
        """Give free slots to questions, no more than are free; their prompts are read now, several in a call.

        Returns:
            a name for each request, which `step` gives back with its answer.

        Raises:
            UsageError: if a question leaves no room for an answer.
        """
        slots = [slot for slot, row in enumerate(self._rows) if row is None][: len(requests)]
        width = self._language.config.hidden_size
        new = [
            Row(name, request, self._limit(request), width, self._tokenizer, self._delay, self._sampling, self._stop)
            for name, request in enumerate(requests, start=self._started)
        ]
        self._started += len(new)
        self._cache.reserve(max((row.length + row.limit for row in new), default=0))
        groups: dict[tuple[bool, int], list[tuple[int, Row]]] = {}
        for slot, row in zip(slots, new, strict=True):
            # Prompts are padded to the longest of a call, and photographs may have more or fewer tokens.
            kind = row.request.cached is None, len(row.request.prefix)
            groups.setdefault(kind, []).append((slot, row))
        for _, group in sorted(groups.items()):
            with self._stages.measure("prefill", len(group)):
                self._prefill(group)
        for slot, row in zip(slots, new, strict=True):
            self._rows[slot] = row
        return [row.name for row in new]

    @torch.inference_mode()
    def step(self) -> list[tuple[int, Generated]]:
        """One token for every answer in progress.

        Returns:
            the answers that are finished, by their names; their slots are free.
        """
        finished = self._collect()
        self._compact()
        rows = [row for row in self._rows if row is not None]
        if rows:
            with self._stages.measure("decode_tokens", len(rows)):
                states, logits = self._step(
                    [row.last for row in rows],
                    [row.length - 1 for row in rows],
                    [row.request.prefix.shift for row in rows],
                )
                self._take(rows, states, logits)
        return finished + self._collect()

    def generate(
        self,
        prefix: Prefix,
        tokens: Tensor,
        questions: Sequence[Sequence[int]],
        limit: int,
        regions: Sequence[Tensor | None] | None = None,
    ) -> list[Generated]:
        """Answer any number of questions; slots are refilled as answers end.

        Args:
            prefix: the prompt prefix of the model.
            tokens: `(B, P, D)` image tokens, a row per question.
            questions: `B` lists of ids, without the prefix.
            limit: most new tokens per answer.
            regions: for each question `(R, D)`, the vectors of its region tokens, or None.
        """
        waiting = deque(
            Request(prefix, tokens[row], question, limit, regions[row] if regions else None, draw=row)
            for row, question in enumerate(questions)
        )
        order: list[int] = []
        answers: dict[int, Generated] = {}
        while waiting or self.active:
            order += self.start([waiting.popleft() for _ in range(min(self.free, len(waiting)))])
            answers |= dict(self.step())
        return [answers[name] for name in order]

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
        longest = max(map(len, texts), default=0)
        # Padding stands on the right here: nothing in front of it can see it.
        padded = [[*text, *[self._tokenizer.pad] * (longest - len(text))] for text in texts]
        ids = torch.tensor(padded, dtype=torch.long, device=tokens.device).reshape(len(texts), longest)
        states = whole_pass(self._language, prefix, tokens, ids, normed=self._normed)
        offset = len(prefix) + self._model.config.seg_state_offset
        return [
            row[[offset + place for place, token in enumerate(text) if token == self._tokenizer.seg]]
            for row, text in zip(states, texts, strict=True)
        ]

    def _limit(self, request: Request) -> int:
        room = self._language.config.max_position_embeddings - len(request.prefix) - len(request.question)
        if room < 1:
            length = len(request.prefix) + len(request.question)
            raise UsageError(
                f"a prompt of {length} tokens leaves no room for an answer in the "
                f"{self._language.config.max_position_embeddings} positions of the model: ask a shorter question"
            )
        return min(request.limit, room)

    def _prefill(self, group: Sequence[tuple[int, Row]]) -> None:
        """Read the prompts of rows that all have their prefix cached, or all have not."""
        slots = torch.tensor([slot for slot, _ in group], device=self._table.weight.device)
        texts = []
        for slot, row in group:
            request = row.request
            text = embed_text(
                self._table, request.question, request.regions, self._tokenizer.region, like=request.tokens
            )
            if request.cached is None:
                read = request.prefix.embed(self._table, request.tokens[None])[0]
                text = torch.cat([read, as_wide(text, read)])
            else:
                self._cache.put(slot, request.cached)
            texts.append(text)
        start = 0 if group[0][1].request.cached is None else len(group[0][1].request.prefix)
        lengths = torch.tensor([len(text) for text in texts], device=slots.device)
        embedded = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
        stop = start + embedded.shape[1]
        positions = torch.arange(start, stop, device=slots.device).expand(len(group), -1)
        rotary = None
        if any(row.request.prefix.grid for _, row in group):
            each = [row.request.prefix.positions(start, stop) for _, row in group]
            rotary = torch.stack(each, dim=1).to(slots.device)
        states = forward(
            self._language,
            self._cache,
            slots,
            embedded,
            positions,
            stop,
            rotary=rotary,
            normed=self._normed,
            first=start == 0,
        )
        last = states[torch.arange(len(group), device=slots.device), lengths - 1]
        self._take([row for _, row in group], last, logits_of(self._language, last, normed=self._normed))

    def _take(self, rows: Sequence[Row], states: Tensor, logits: Tensor) -> None:
        """Choose the next token of each row from its last state `(B, D)` and logits `(B, V)`."""
        shares = torch.softmax(logits, dim=-1, dtype=torch.float32)  # before anything is ruled out
        if self._sampling.forced:
            logits[:, self._tokenizer.eos] = -torch.inf
        if self._sampling.temperature:
            # Drawn on the CPU, so that a seed gives the same answers on every device.
            weights = torch.softmax(logits.float() / self._sampling.temperature, dim=-1).cpu()
            drawn = [torch.multinomial(one, 1, generator=row.draws) for row, one in zip(rows, weights, strict=True)]
            chosen = torch.stack(drawn).to(logits.device)
        else:
            chosen = logits.argmax(dim=-1, keepdim=True)
        probabilities = shares.gather(1, chosen)  # (B, 1)
        for row, state, (token,), (share,) in zip(rows, states, chosen.tolist(), probabilities.tolist(), strict=True):
            row.take(state, token, share)

    def _collect(self) -> list[tuple[int, Generated]]:
        """Take finished answers out of their slots."""
        finished = []
        for slot, row in enumerate(self._rows):
            if row is not None and row.finished:
                request = row.request
                prefix = self._cache.take(slot, len(request.prefix)) if request.keep_prefix else None
                finished.append((row.name, row.result(prefix)))
                self._rows[slot] = None
        return finished

    def _compact(self) -> None:
        """Move rows down into free slots, so that the busy ones are the first."""
        busy = [slot for slot, row in enumerate(self._rows) if row is not None]
        for target in range(len(busy)):
            if self._rows[target] is None:
                source = busy.pop()
                row = self._rows[source]
                assert row is not None
                self._cache.move(source, target, row.length)
                self._rows[target], self._rows[source] = row, None


def whole_pass(
    language: PreTrainedModel, prefix: Prefix, tokens: Tensor, ids: Tensor, *, normed: bool = True
) -> Tensor:
    """States of prefix and text in one pass, without a cache.

    Args:
        language: the causal LM.
        prefix: the prompt prefix of the model.
        tokens: `(B, P, D)` image tokens, or `(B, P, (1 + K) * D)` with their deep features.
        ids: `(B, T)` behind the prefix.
        normed: whether the final norm is taken.

    Returns:
        `(B, len(prefix) + T, D)`, of the last layer.
    """
    table = language.get_input_embeddings()
    text = table(ids).to(tokens.dtype)
    embedded = torch.cat([prefix.embed(table, tokens), as_wide(text, tokens)], dim=1)
    inputs, *deep = embedded.split(text.shape[-1], dim=-1)
    where: dict[str, Any] = {}
    if prefix.grid is not None:
        positions = prefix.positions(0, inputs.shape[1])[:, None].expand(-1, len(ids), -1)
        where["position_ids"] = positions.to(tokens.device)
    if deep:
        # Everywhere: those of text are zeros.
        where["visual_pos_masks"] = torch.ones(inputs.shape[:2], dtype=torch.bool, device=tokens.device)
        where["deepstack_visual_embeds"] = [features.flatten(0, 1) for features in deep]
    entered: list[Tensor] = []
    hook = language.model.norm.register_forward_pre_hook(lambda _, given: entered.append(given[0]))
    try:
        states: Tensor = language.model(inputs_embeds=inputs, use_cache=False, **where).last_hidden_state
    finally:
        hook.remove()
    return states if normed else entered[0]
