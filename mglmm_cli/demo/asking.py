"""The models of the demo, and what is put to them about one photograph.

Legend: `H x W` is the upright photograph, `h x w` the frame in which it is shown, in pixels.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from engine.errors import MglmmError, PhotographError
from engine.images.decode import decode, decode_at_least
from engine.masks import rle
from engine.memory import out_of_memory
from engine.pipeline.pipeline import Options, Pipeline
from engine.records import SegCap
from engine.text.granularity import bare_name
from engine.text.prompts import TEMPLATES, Question
from exporters.report.pictures import LARGE, Frame, in_frame
from mglmm_cli.options import open_model


class Kind(StrEnum):
    """What can be asked."""

    SCENE = "The whole scene"
    OBJECT = "One object"
    OWN = "My own instruction"


@dataclass(frozen=True, slots=True)
class Step:
    """A question and its answer.

    Attributes:
        title: of what it is about.
        segcap: the answer.
    """

    title: str
    segcap: SegCap


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody looks at.

    Attributes:
        path: of the photograph.
        steps: the way from the first answer into objects, of which there is at least one.
    """

    path: str
    steps: tuple[Step, ...]

    @property
    def trail(self) -> str:
        return " › ".join(step.title for step in self.steps)

    def back(self) -> Look:
        """One step less, but for the first one."""
        return Look(self.path, self.steps[:-1] or self.steps)


@dataclass(slots=True)
class Models:
    """Models by their names, each loaded when it is asked for the first time; one question at a time.

    Attributes:
        names: what may be asked.
        precision, device: of all of them.
    """

    names: Sequence[str]
    precision: str
    device: str
    _loaded: dict[str, tuple[str, Pipeline]] = field(default_factory=dict)
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, name: str, path: str, options: Options) -> SegCap:
        """Put a question about a photograph.

        Raises:
            MglmmError: in one line, if photograph or model can't be used.
        """
        if name not in self.names:
            raise MglmmError(f"there is no model {name!r} here")
        try:
            pixels = decode(path)
        except PhotographError as error:
            raise MglmmError(f"this can't be used as a photograph: {error}") from None
        with self._asking:
            try:
                template, pipeline = self._open(name)
                (segcap,) = pipeline.ask(pixels, [options.asked(TEMPLATES[template].families)[0].instruction])
            except Exception as error:
                if out_of_memory(error):
                    raise MglmmError("memory ran out: a smaller photograph, or a smaller model") from error
                raise
        return segcap

    def _open(self, name: str) -> tuple[str, Pipeline]:
        if name not in self._loaded:
            checkpoint = open_model(name, self.precision, self.device)
            self._loaded[name] = checkpoint.config.template, Pipeline(checkpoint, Options(batch_size=1))
        return self._loaded[name]


def options_of(kind: str, text: str) -> Options:
    """What is asked.

    Raises:
        MglmmError: if words are missing.
    """
    text = text.strip()
    if kind == Kind.SCENE:
        return Options(batch_size=1)
    if not text:
        raise MglmmError("say which object, or what to do")
    return Options(questions=(Question(text, "label" if kind == Kind.OBJECT else "instruction"),), batch_size=1)


def into(look: Look, number: int) -> Options | None:
    """The question about a phrase of the newest answer, by its number; None if it has none."""
    phrases = dict(numbered(look.steps[-1].segcap))
    name = bare_name(phrases.get(number, ""))
    return Options(questions=(Question(f"the {name}", "label"),), batch_size=1) if name else None


def numbered(segcap: SegCap) -> list[tuple[int, str]]:
    """The phrases that have a pixel, numbered from 1."""
    return [(number, text) for number, (_, text) in enumerate(_seen(segcap), start=1)]


def _seen(segcap: SegCap) -> list[tuple[tuple[int, ...], str]]:
    phrases = segcap.answer.phrases
    return [(one.segs, one.text) for one in phrases if any(segcap.masks[seg].area for seg in one.segs)]


def picture(look: Look) -> tuple[np.ndarray, list[tuple[np.ndarray, str]]]:
    """The photograph as uint8 `(h, w, 3)`, and for each phrase of the newest answer a mask `(h, w)` bool and a label.

    Raises:
        MglmmError: if it can't be read any more.
    """
    try:
        seen = decode_at_least(look.path, longest=LARGE, shortest=1)
    except PhotographError as error:
        raise MglmmError(f"the photograph is gone: upload it again ({error})") from None
    frame = Frame(seen.height, seen.width).within(LARGE)
    image = np.asarray(seen.image.resize((frame.width, frame.height), box=seen.box))
    segcap = look.steps[-1].segcap
    masks = []
    for number, (segs, text) in enumerate(_seen(segcap), start=1):
        union = np.logical_or.reduce([rle.decode(in_frame(segcap.masks[seg].rle, frame)) for seg in segs])
        masks.append((union, f"{number} {text}"))
    return image, masks


def pieces(segcap: SegCap) -> list[tuple[str, str | None]]:
    """The caption in pieces, each with the number of its phrase, or None."""
    caption, found, at, number = segcap.answer.caption, list[tuple[str, str | None]](), 0, 0
    for phrase in segcap.answer.phrases:
        start, end = max(at, phrase.span.start), max(at, phrase.span.end)
        if start > at:
            found.append((caption[at:start], None))
        seen = any(segcap.masks[seg].area for seg in phrase.segs)
        number += seen
        found.append((caption[start:end], str(number) if seen else None))
        at = end
    return [*found, (caption[at:], None)] if at < len(caption) else found
