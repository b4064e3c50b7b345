"""A loaded model, and what can be asked of it."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from engine.errors import PhotographError, UsageError
from engine.images.decode import MAX_PIXELS
from engine.images.sources import InMemory, Source
from engine.masks.decoder import Backend
from engine.model import checkpoint
from engine.model.checkpoint import Checkpoint
from engine.model.onnx_runtime import conflict
from engine.model.precision import named
from engine.pipeline.pipeline import Options, Pipeline, Wanted
from engine.records import Failure as FailureRecord
from engine.records import PhotoRecord
from engine.releases.locate import Watch, locate
from engine.text.prompts import Box, Question
from mglmm import photographs
from mglmm.arguments import expected, one_of, positive, text, texts, whole
from mglmm.photographs import Photograph
from mglmm.results import Failure, Result, result_of

_LOGGER = logging.getLogger("mglmm")
Granularity = Wanted
"""What `segcap` asks about: `panoptic`, `fine` or `both`."""
PrecisionName = Literal["auto", "float32", "bfloat16", "float16", "int8", "int4"]


def load(
    model: str | os.PathLike[str] = "nano",
    *,
    device: str = "cpu",
    precision: PrecisionName = "auto",
    decoder: Backend = "onnx",
) -> Model:
    """Load a model.

    Args:
        model: an embedded model (`nano`), a model's folder, an official release of MGLMM, GLaMM, LISA or
            Sa2VA (its folder or hub name; it is fetched and converted once), or `random:PRESET`.
        device: where it runs: `cpu`, `cuda`, `cuda:1`.
        precision: of the weights in memory; `auto` is bfloat16 for a large model on a GPU, else float32.
        decoder: what runs the mask decoder, ONNX Runtime or torch.

    Raises:
        UsageError: if an argument is of a wrong type or value, or there is no such model, or it is damaged, or this
            machine can't hold it so.
    """
    if not isinstance(model, str | os.PathLike) or not os.fspath(model):
        raise expected("model", "a name or a folder", model)
    text("device", device)
    one_of("precision", precision, get_args(PrecisionName))
    one_of("decoder", decoder, get_args(Backend))
    loaded = checkpoint.load(_located(os.fspath(model)), precision=named(precision), device=device)
    if loaded.device.type == "cuda" and decoder == "onnx" and (line := conflict()):
        warnings.warn(line, RuntimeWarning, stacklevel=2)
    return Model(loaded, decoder)


def _located(model: str) -> str:
    return locate(model, Watch(_LOGGER.info, lambda: nullcontext(lambda more, total: None), _finish))


def _finish(folder: Path) -> None:
    from exporters.parts import export_parts  # takes seconds, for what happens once

    export_parts(folder)


class Model:
    """A model that answers questions about photographs with captions and masks; `mglmm.load` makes it.

    Attributes:
        name: as its config names it.
        device: where it runs.
        precision: of its weights in memory.
    """

    def __init__(self, loaded: Checkpoint, decoder: Backend) -> None:
        self.name = loaded.name
        self.device = str(loaded.device)
        self.precision = loaded.precision.value
        self._checkpoint, self._decoder = loaded, decoder
        self._asking = threading.Lock()
        self._asked: tuple[Options, Pipeline] | None = None
        # So that a model without a decoder is refused where it is loaded.
        self._pipeline(Options(batch_size=1, decoder=decoder))

    def __repr__(self) -> str:
        return f"Model({self.name!r}, device={self.device!r}, precision={self.precision!r})"

    def ask(
        self,
        image: Photograph,
        question: str | Sequence[str] | None = None,
        *,
        box: Iterable[float] | None = None,
        temperature: float | None = None,
        seed: int | None = None,
        max_new_tokens: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> Result:
        """Put a question about one photograph, or several as a conversation.

        Args:
            image: a path, a Pillow image or an array: see `segcap`.
            question: one, or several in a list: each is put with the questions and answers before it. It may be left
                out with a box, whose description is asked for then.
            box: `x, y, width, height` in pixels of the upright photograph: the region that the first question is about.
            temperature: samples the answer; by default it is the likeliest one.
            seed: of sampling.
            max_new_tokens: longest answer.
            max_pixels: a larger file or Pillow image is refused.

        Returns:
            an answer for each question.

        Raises:
            UsageError: if an argument is of a wrong type or value.
            PhotographError: if the photograph can't be read.
        """
        photographs.check("image", image)
        questions = _questions(question, box)
        options = self._options(
            batch_size=1, temperature=temperature, seed=seed, max_new_tokens=max_new_tokens, max_pixels=max_pixels
        )
        corners = None if box is None else _numbers(box)
        name = os.fspath(image) if isinstance(image, str | os.PathLike) else "0"
        try:
            pixels = photographs.read(image, options.max_pixels)
        except PhotographError as error:
            raise PhotographError(error.stage, f"{name}: {error.reason}") from None
        region = None if corners is None else _region(corners, pixels.shape[0], pixels.shape[1])
        # The cache of keys and values is one, and web servers answer in threads.
        with self._asking:
            segcaps = self._pipeline(options).ask(pixels, questions, region)
        record = PhotoRecord(name, pixels.shape[1], pixels.shape[0], segcaps)
        return result_of(record, 0, pixels, options.max_pixels)

    def segcap(
        self,
        photos: Photograph | Iterable[Photograph],
        *,
        granularity: Granularity | None = None,
        max_children: int | None = None,
        instruction: str | Sequence[str] | None = None,
        label: str | Sequence[str] | None = None,
        batch_size: int | None = None,
        temperature: float | None = None,
        seed: int | None = None,
        max_new_tokens: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> Iterator[Result | Failure]:
        """Caption and segment photographs, in their order, each as soon as it is done.

        Args:
            photos: a file, folder or pattern; a Pillow image (turned upright by its EXIF orientation); an array of
                uint8, `(H, W, 3)` RGB, `(H, W, 4)` RGBA on white or `(H, W)` grey; or any number of them, in a list
                or from an iterator, which is read a little ahead. A list of paths may hold folders and patterns, and
                what it names must be there; what can't be read among the photographs of an iterator is a `Failure`.
            granularity: the whole scene (`panoptic`), its objects one by one (`fine`), or `both`, the default.
            max_children: at most so many objects are asked about, 4 by default.
            instruction: a question of your own instead, or several.
            label: only this object is asked about, like "the man riding a bike", or each of several.
            batch_size: answers that are written together; by default 8 on a CPU, and what the memory of a CUDA device
                holds.
            temperature: samples the answers; by default they are the likeliest ones.
            seed: of sampling.
            max_new_tokens: longest answer.
            max_pixels: larger files and Pillow images fail.

        Returns:
            an iterator with one outcome per photograph: a photograph that can't be done gives a `Failure`.

        Raises:
            UsageError: at once, if an argument is of a wrong type or value, or names no photograph.
        """
        options = self._options(
            granularity=granularity,
            max_children=max_children,
            instruction=instruction,
            label=label,
            batch_size=batch_size,
            temperature=temperature,
            seed=seed,
            max_new_tokens=max_new_tokens,
            max_pixels=max_pixels,
        )
        found = photographs.sources(photos, options.max_pixels)
        return _outcomes(Pipeline(self._checkpoint, options), found, options.max_pixels)

    def _options(self, **asked: object) -> Options:
        """What was asked for, where it is not None.

        Raises:
            UsageError: if it is of a wrong type or value, or contradicts itself.
        """
        given: dict[str, Any] = {name: _CHECKS[name](name, value) for name, value in asked.items() if value is not None}
        for one, others in _EXCLUDED.items():
            for other in others:
                if one in given and other in given:
                    raise UsageError(f"{one} and {other} exclude each other: give one of them")
        if given.get("granularity") == "panoptic" and "max_children" in given:
            raise UsageError("granularity='panoptic' asks about no single object: leave out max_children")
        if "seed" in given and "temperature" not in given:
            raise UsageError("seed does nothing without temperature")
        kinds: tuple[Literal["instruction", "label"], ...] = ("instruction", "label")
        questions = tuple(Question(one, kind) for kind in kinds for one in given.pop(kind, ()))
        return Options(**given, questions=questions, decoder=self._decoder)

    def _pipeline(self, options: Options) -> Pipeline:
        """The one of the question before, if it was put in the same way: to open the mask decoder takes a while."""
        if self._asked is None or self._asked[0] != options:
            self._asked = options, Pipeline(self._checkpoint, options)
        return self._asked[1]


_CHECKS: Mapping[str, Callable[[str, object], object]] = {
    "granularity": partial(one_of, choices=get_args(Granularity)),
    "max_children": partial(whole, least=0),
    "instruction": texts,
    "label": texts,
    "batch_size": partial(whole, least=1),
    "temperature": positive,
    "seed": partial(whole, least=0),
    "max_new_tokens": partial(whole, least=1),
    "max_pixels": partial(whole, least=1),
}
_EXCLUDED = {"instruction": ("label", "granularity", "max_children"), "label": ("granularity", "max_children")}


def _outcomes(pipeline: Pipeline, sources: Iterator[Source | InMemory], max_pixels: int) -> Iterator[Result | Failure]:
    for index, (source, outcome) in enumerate(pipeline.run(sources)):
        if isinstance(outcome, FailureRecord):
            yield Failure(index, outcome.file_name, outcome.stage, outcome.reason)
            continue
        photograph = source.path if isinstance(source, Source) else source.pixels
        assert not isinstance(photograph, PhotographError)  # that gives a failure
        yield result_of(outcome, index, photograph, max_pixels)


def _questions(question: object, box: object) -> tuple[str, ...]:
    if question is None and box is None:
        raise UsageError("question is missing: it may be left out only with a box")
    if question is None or (question in ([], ()) and box is not None):
        return ()
    return texts("question", question)


def _numbers(box: object) -> tuple[float, float, float, float]:
    try:
        x, y, width, height = (float(number) for number in box)  # type: ignore[attr-defined]  # or it is refused
    except (TypeError, ValueError):
        raise expected("box", "four numbers: x, y, width, height", box) from None
    return x, y, width, height


def _region(box: tuple[float, float, float, float], height: int, width: int) -> Box:
    try:
        return Box.of_pixels(box, height, width)
    except ValueError:
        raise expected("box", f"x, y, width, height inside the image of {width} x {height} pixels", box) from None
