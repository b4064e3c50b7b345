"""Whether a release is one that can be converted, told by its small files before anything large is downloaded."""

from __future__ import annotations

from pathlib import Path

from engine.convert import sa2va
from engine.convert.download import keys_of
from engine.convert.families import FAMILIES
from engine.errors import UsageError
from engine.model.limits import read_table

_CONFIG = "config.json"


def require_known(name: str, folder: Path) -> None:
    """Look at config.json, and at the keys where an index lists them.

    Args:
        name: of the release, for messages.
        folder: with its small files.

    Raises:
        UsageError: if it is of none of the families that are known.
    """
    if not (folder / _CONFIG).is_file():
        raise UsageError(f"{name}: has no {_CONFIG}: not a model")
    config = read_table(folder / _CONFIG)
    if sa2va.is_one(Path(name), config):
        sa2va.require_language(Path(name), config)
        return
    named = [str(one) for one in config.get("architectures") or ()]
    keys = keys_of(folder)
    families = FAMILIES.values()
    if any(family.architecture in named for family in families):
        return
    if keys and any(key.startswith(family.sam) for family in families for key in keys):
        return
    if any(one.lower().startswith("llava") for one in named):
        if keys is None:  # its weights may be those of a LISA, which some name so
            return
        raise UsageError(
            f"{name}: is a LLaVA, which can't make masks yet: 'mglmm convert' with --sam makes a model of it to train"
        )
    known = ", ".join(family.architecture for family in families)
    raise UsageError(
        f"{name}: its architecture is {', '.join(named) or 'not named'}; known are releases of MGLMM, GLaMM, LISA and "
        f"Sa2VA ({known}, Sa2VAChatModel...)"
    )
