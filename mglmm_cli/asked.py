"""What `mglmm segcap` asks instead of its own questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from engine.text.prompts import Question
    from exporters.labels.dataset import Choice


def take_questions(asked: dict[str, Any], choice: Choice) -> tuple[Question, ...]:
    """The user's own questions, taken out of the options.

    Raises:
        click.UsageError: if options contradict each other, naming the one to leave out.
    """
    from engine.text.prompts import Question

    instructions, labels, each = (asked.pop(name) for name in ("instruction", "label", "ask_each"))
    for name, texts in (("instruction", instructions), ("label", labels)):
        if not all(text.strip() for text in texts):
            raise click.UsageError(f"--{name} is empty")
    if each:
        if choice.wanted.vocabulary is None:
            raise click.UsageError("--ask-each asks about the categories of a list: give it with --categories FILE")
        if labels:
            raise click.UsageError("--ask-each asks about each category; leave out --label")
        labels = [category.name for category in choice.wanted.vocabulary.categories]
    if instructions:
        for name, value in (("--ask-each", each), ("--label", labels)):
            if value:
                raise click.UsageError(f"--instruction is the whole question; leave out {name}")
        for name in ("granularity", "max_children"):
            if asked[name] is not None:
                raise click.UsageError(f"--instruction is the whole question; leave out --{name.replace('_', '-')}")
    if labels:
        given_as = "--ask-each" if each else "--label"
        if asked["granularity"] not in (None, "fine"):
            raise click.UsageError(f"{given_as} asks about one object; leave out --granularity, or say fine")
        if asked["max_children"] is not None:
            raise click.UsageError(f"{given_as} asks about one object; leave out --max-children")
    if asked["granularity"] == "panoptic" and asked["max_children"] is not None:
        raise click.UsageError("--granularity panoptic asks about no single object; leave out --max-children")
    kind: Literal["label", "ask_each"] = "ask_each" if each else "label"
    return tuple(Question(text) for text in instructions) + tuple(Question(text, kind) for text in labels)
