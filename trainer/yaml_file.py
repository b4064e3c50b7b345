"""YAML that people write by hand: every fault is one line that names the file and, where it can, the line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from engine.errors import UsageError
from engine.json_file import read_bytes

_LARGEST = 1 << 20
"""Bytes."""
_MOST_VALUES = 10_000
"""With what aliases repeat: a few lines of them can stand for more values than any memory holds."""
_TAG = "tag:yaml.org,2002:"
_SCALARS = {f"{_TAG}{kind}" for kind in ("null", "bool", "int", "float", "str")}
_KNOWN = _SCALARS | {f"{_TAG}{kind}" for kind in ("seq", "map", "merge")}

_NUMBERS = {f"{_TAG}int", f"{_TAG}float"}
_OTHER_BASE = re.compile(r"[-+]?(0[0-7_]+$|[0-9_]+:)")
"""Of base 8 and 60, which nobody means: `010` and `1:30`."""


class _Loader(yaml.SafeLoader):
    """Without dates: what looks like one is text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (an instance's in the stubs)
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _KNOWN]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_yaml(path: Path) -> Any:
    """The content of a YAML file: tables, lists, texts, numbers, true, false and null.

    Raises:
        UsageError: if it can't be read or is not YAML, or a key stands twice in a table.
    """
    content = read_bytes(path)
    if len(content) > _LARGEST:
        raise UsageError(f"{path}: {len(content) / 1e6:.1f} MB: too large for YAML that is written by hand")
    try:
        loader = _Loader(content)
        node = loader.get_single_node()
        if node is None:
            return None
        _check(node, loader)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise UsageError(f"{path}: {_place(error)}not YAML: {error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        raise UsageError(f"{path}: not YAML: at position {error.position}: {error.reason} ({error.encoding})") from None
    except RecursionError:
        raise UsageError(f"{path}: not YAML that can be read: it is nested too deep") from None
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def _check(root: Node, loader: _Loader) -> None:
    """Look at every value as often as it will stand in what is read.

    Raises:
        ValueError: at the first fault.
    """
    left, seen = [root], 0
    while left:
        node, seen = left.pop(), seen + 1
        if seen > _MOST_VALUES:
            raise ValueError(f"more than {_MOST_VALUES:,} values, with those that aliases (*) repeat")
        line = node.start_mark.line + 1
        if node.tag not in _KNOWN:
            raise ValueError(f"line {line}: a value of the type {node.tag}, which is not read here")
        if isinstance(node, ScalarNode):
            _check_scalar(node, loader, line)
        elif isinstance(node, MappingNode):
            keys = [key.value for key, _ in node.value if isinstance(key, ScalarNode)]
            if twice := [key for number, key in enumerate(keys) if key in keys[:number]]:
                raise ValueError(f"the table that begins in line {line} has the key {twice[0]!r} twice")
            left += [part for pair in node.value for part in pair]
        else:
            left += node.value


def _check_scalar(node: ScalarNode, loader: _Loader, line: int) -> None:
    try:
        if node.tag in _SCALARS:
            loader.construct_object(node)
    except (ValueError, LookupError, ArithmeticError):
        text = node.value if len(node.value) <= 40 else f"{node.value[:40]}..."
        raise ValueError(f"line {line}: {text!r} is no {node.tag.removeprefix(_TAG)} that can be read") from None
    if node.tag in _NUMBERS and _OTHER_BASE.match(node.value):
        raise ValueError(f"line {line}: {node.value} is {loader.construct_object(node)} in YAML: write that")


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}: " if mark else ""
