"""What made a journal, and whether another run may go on with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from engine.journal.lines import dump, load
from engine.text.names import from_text, to_text

VERSION = 2

_FREE = frozenset({"batch_size", "max_pixels"})
"""Options that no answer depends on."""
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What made a journal.

    Attributes:
        tool: name and version, `mglmm 1.0.0`.
        model, model_hash: which weights.
        options: what the user chose, JSON values only. One that an older version did not know counts as None, so a new
            one must be None where it was not chosen.
        started, finished: ISO 8601 with time zone; `finished` is empty while the run goes on.
        mask_score: what the score of a mask is: the mean probability of its pixels, or the IoU that the model predicts.
    """

    tool: str
    model: str
    model_hash: str
    options: Mapping[str, Any] = field(default_factory=dict)
    started: str = ""
    finished: str = ""
    mask_score: str = "mean_probability"

    @property
    def identity(self) -> str:
        """A hash of what answers depend on: that of two runs is equal where one may go on with the other."""
        options = load(dump(self.options))
        chosen = sorted((name, value) for name, value in options.items() if name not in _FREE and value is not None)
        return hashlib.sha256(dump([self.model_hash, chosen])).hexdigest()[:_DIGITS]


@dataclass(frozen=True, slots=True)
class Start:
    """The line that a run begins with, and each that goes on with it.

    Attributes:
        info: what is about to run.
        inputs: as they were given.
        folder: the working folder that they are relative to.
        root: where the photographs of a COCO JSON lie; None where that was not said.
        licenses: entries of that.
    """

    info: RunInfo
    inputs: tuple[str, ...] = ()
    folder: str = ""
    root: str | None = None
    licenses: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        inputs, folder = [to_text(given) for given in self.inputs], to_text(self.folder)
        run = {"version": VERSION, "info": asdict(self.info), "inputs": inputs, "folder": folder}
        root = {} if self.root is None else {"root": to_text(self.root)}
        return {"run": run | root | ({"licenses": list(self.licenses)} if self.licenses else {})}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Start:
        """The inverse of `to_json`; keys that it does not know are left aside.

        Raises:
            KeyError, TypeError, ValueError: if it has another shape.
        """
        run = value["run"]
        texts = {name: run["info"][name] for name in ("tool", "model", "model_hash", "started", "finished")}
        if "mask_score" in run["info"]:  # the journals of older versions have none
            texts["mask_score"] = run["info"]["mask_score"]
        options, inputs, folder = run["info"]["options"], tuple(run["inputs"]), run["folder"]
        root, licenses = run.get("root"), tuple(run.get("licenses", ()))
        objects = (options, *licenses)
        if not (
            all(isinstance(value, dict) for value in objects)
            and all(isinstance(text, str) for text in (*texts.values(), *inputs, folder, root or ""))
        ):
            raise TypeError("not what a run is described by")
        if texts["started"]:
            datetime.fromisoformat(texts["started"])
        info, root = RunInfo(options=options, **texts), None if root is None else from_text(root)
        return cls(info, tuple(map(from_text, inputs)), from_text(folder), root, licenses)


def differences(before: RunInfo, after: RunInfo) -> list[str]:
    """What keeps one run from going on with the answers of another, in words; nothing if it may."""
    words = []
    if before.model_hash != after.model_hash:
        words.append(f"model was {before.model} ({before.model_hash[:12]}), is {after.model} ({after.model_hash[:12]})")
    # Through JSON, as those of the other came.
    old, new = before.options, load(dump(after.options))
    for name in sorted((old.keys() | new.keys()) - _FREE):
        if old.get(name) != new.get(name):
            words.append(f"{name.replace('_', '-')} was {_said(old.get(name))}, is {_said(new.get(name))}")
    return words


def now() -> str:
    """The time, as a run's info has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _said(value: object) -> str:
    return "not given" if value is None else str(value)
