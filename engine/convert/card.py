"""The licence of a release, as the card beside its weights names it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from engine.model.limits import read_text

CARD = "README.md"
_HEAD = re.compile(r"\A---\n(.*?)^---$", re.DOTALL | re.MULTILINE)
_LICENCE = re.compile(r"^license(?:_name)?:[ \t]*([\w.+-]+)[ \t]*$", re.MULTILINE)
"""One word; cards with a licence of their own name it by `license_name`."""


def terms_of(folder: Path, name: str) -> Mapping[str, str]:
    """On what terms the weights of a release were given, for a model's manifest; empty where no card says it.

    Args:
        folder: of the release.
        name: of the model.

    Raises:
        UsageError: if the card can't be read.
    """
    if not (folder / CARD).is_file():
        return {}
    head = _HEAD.match(read_text(folder / CARD).replace("\r\n", "\n"))
    named = _LICENCE.findall(head[1]) if head else []
    return {name: f"{', '.join(named)}, as its card says"} if named else {}
