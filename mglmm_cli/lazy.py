"""A click group that imports a command's module only when that command is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import click


class Entry(Protocol):
    """A command of a `LazyGroup`: its line in the group's help, and how to get it."""

    @property
    def short_help(self) -> str: ...

    def load(self) -> click.Command: ...


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command lies (`module:attribute`), and its line in the group's help."""

    target: str
    short_help: str

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self.target.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.target} is no command")
        return command


class LazyGroup(click.Group):
    """A group of commands that are loaded when they are used; its help page imports none of them.

    Args:
        lazy: the commands by name, in the order of the help page.
        kwargs: those of `click.Group`.
    """

    def __init__(self, *, lazy: Mapping[str, Entry], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self._lazy.get(cmd_name)
        return entry.load() if entry else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.short_help) for name, entry in self._lazy.items()])
