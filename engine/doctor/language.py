"""Checks of tokenizer, template and lengths against the config."""

from __future__ import annotations

from engine.decoding.sequence import PromptWriter
from engine.errors import UsageError
from engine.model.config import ModelConfig
from engine.model.tokenizers import TextTokenizer
from engine.text.grammar import PHRASE_CLOSE, PHRASE_OPEN, SEG
from engine.text.prompts import TEMPLATES, Box, Task, instruction

_LABEL = "the man riding a bike"
_SENTENCES = {
    (PHRASE_OPEN, PHRASE_CLOSE, SEG): "The image shows <p> a cup </p> [SEG] and <p> two dogs </p> [SEG] [SEG]",
    (SEG,): "It is [SEG]",
}
_PHRASELESS = "lisa"
"""Template of models that were trained without `<p>` and `</p>`."""


def vocabulary(tokenizer: TextTokenizer, rows: int) -> str:
    """Whether every token has a row in the embeddings."""
    if tokenizer.size > rows:
        raise UsageError(f"the tokenizer has {tokenizer.size} tokens, the embeddings have {rows} rows")
    spare = rows - tokenizer.size
    return f"{tokenizer.size} tokens, {rows} rows" + (f" ({spare} unused)" if spare else "")


def tags(tokenizer: TextTokenizer, config: ModelConfig, rows: int) -> str:
    """Whether the tags are single tokens, and survive a round trip."""
    wanted = (SEG,) if config.template == _PHRASELESS else (PHRASE_OPEN, PHRASE_CLOSE, SEG)
    ids = [_single(tokenizer, tag, rows) for tag in wanted]
    text = _SENTENCES[wanted]
    back = tokenizer.decode(tokenizer.encode(text))
    if back != text:
        raise UsageError(f"{text!r} comes back as {back!r}")
    return ", ".join(f"{tag} is {number}" for tag, number in zip(wanted, ids, strict=True)) + "; text comes back"


def template(tokenizer: TextTokenizer, config: ModelConfig, rows: int) -> str:
    """Whether the template's own tokens are in the vocabulary."""
    for token in TEMPLATES[config.template].tokens:
        _single(tokenizer, token, rows)
    prefix = PromptWriter(config, tokenizer).prefix
    return f"{config.template}: a prefix of {len(prefix)} tokens, {prefix.image_tokens} of the image"


def prompt_length(tokenizer: TextTokenizer, config: ModelConfig) -> int:
    """Tokens of the prefix and the longest of the program's own questions."""
    writer = PromptWriter(config, tokenizer)
    families = TEMPLATES[config.template].families
    box = Box(0.1, 0.2, 0.3, 0.4)
    questions = [instruction(task, label=_LABEL, box=box, families=families) for task in Task]
    return len(writer.prefix) + max(len(writer.question(text)) for text in questions)


def positions(tokenizer: TextTokenizer, config: ModelConfig, limit: int) -> str:
    """Whether the longest prompt and answer fit the model's positions."""
    prompt = prompt_length(tokenizer, config)
    length = prompt + config.max_new_tokens
    if length > limit:
        raise UsageError(
            f"{prompt} tokens of prompt and {config.max_new_tokens} of answer are {length}, more than "
            f"max_position_embeddings ({limit})"
        )
    return f"{prompt} tokens of prompt and {config.max_new_tokens} of answer fit {limit}"


def _single(tokenizer: TextTokenizer, token: str, rows: int) -> int:
    ids = tokenizer.encode(token)
    if len(ids) != 1:
        raise UsageError(f"the tokenizer cuts {token} into {len(ids)} tokens; it must be one")
    if ids[0] >= rows:
        raise UsageError(f"{token} is {ids[0]}, but the embeddings have {rows} rows")
    return ids[0]
