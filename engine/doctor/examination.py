"""The whole examination of a model, from its files to a first answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from engine.doctor import files, language
from engine.doctor.facts import Check, Device, Memory, Part, Report, Skipped, Status, check
from engine.doctor.machine import fits, list_devices, runtime, what_fits
from engine.doctor.memory import estimate
from engine.doctor.parts import list_parts, outline
from engine.doctor.selftest import self_test
from engine.errors import UsageError
from engine.model.checkpoint import CONFIG, load, read_config
from engine.model.config import ModelConfig
from engine.model.manifest import read_manifest
from engine.model.precision import Precision, fitting, require
from engine.model.sources import RandomModel, find
from engine.model.tokenizers import TextTokenizer, open_tokenizer

_SMALL = 100_000_000
"""Parameters up to which random weights are worth a self-test."""
_SELF_TEST = "self-test"
_RUNTIME = "ONNX Runtime"
_HARMLESS = ("exported mask decoder", "positions", _RUNTIME)
"""Checks that a model may fail and still answer."""
_Value = TypeVar("_Value")


def examine(model: str, *, precision: Precision | None = Precision.FLOAT32, device: str = "cpu") -> Report:
    """Examine a model; what is broken becomes a failed check.

    Args:
        model: see `engine.model.sources.find`.
        precision: of the self-test; None for the one that fits the model and the device.
        device: of the self-test.

    Raises:
        UsageError: if `model` names nothing, or this machine lacks the device or what the precision needs.
    """
    require(precision or Precision.FLOAT32, device)
    source = find(model)
    if isinstance(source, RandomModel):
        examination = _Examination(source.tokenizer, source.config)
    else:
        examination = _Examination(source)
        examination.check_files()
    examination.check_language()
    examination.check_machine()
    memory, devices = examination.memory(), list_devices()
    examination.try_out(model, precision, device, memory, devices)
    fits_ = what_fits(memory, devices)
    checks = tuple(examination.checks)
    return Report(model, examination.parts(), memory, devices, fits_, checks, examination.terms())


class _Examination:
    """What is known so far. A check that needs what is not known is skipped.

    Args:
        folder: with the tokenizer, and where no config is given with all else.
        config: of a model with random weights.
    """

    def __init__(self, folder: Path, config: ModelConfig | None = None) -> None:
        self.checks: list[Check] = []
        self._folder = folder
        self._random = config is not None
        self._config = config
        self._network = outline(config) if config else None
        self._stored: files.Stored | None = None
        self._tokenizer: TextTokenizer | None = None

    def terms(self) -> Mapping[str, str]:
        """Of what the weights were made of; empty where the manifest can't be read, which its check tells."""
        if self._random:
            return {}
        try:
            return read_manifest(self._folder).terms
        except UsageError:
            return {}

    def check_files(self) -> None:
        """Check what lies in the folder."""
        self._check("manifest", lambda: files.manifest(self._folder))
        self._check("config", self._configure)
        self._check("weights", self._weigh)
        self._check("finite weights", lambda: files.weights_are_finite(_known(self._stored, "the weights")))
        self._check("exported mask decoder", lambda: files.decoder(self._folder, self._known_config()))

    def check_language(self) -> None:
        """Check the tokenizer, and that it, the template and the config agree."""
        self._check("tokenizer", self._open_tokenizer)
        self._check("vocabulary", lambda: language.vocabulary(self._known_tokenizer(), self._option("vocab_size")))
        self._check("tags", partial(self._check_tokens, language.tags))
        self._check("template", self._check_template)
        self._check(
            "positions",
            lambda: language.positions(
                self._known_tokenizer(), self._known_config(), self._option("max_position_embeddings")
            ),
        )

    def check_machine(self) -> None:
        """Check what is installed here."""
        self._check(_RUNTIME, runtime)

    def parts(self) -> tuple[Part, ...]:
        """The parts of the network, if its config is known."""
        if self._network is None:
            return ()
        return list_parts(self._network, self._stored.disk if self._stored else None)

    def memory(self) -> tuple[Memory, ...]:
        """Estimates, if config and tokenizer are known."""
        if self._network is None or self._config is None or self._tokenizer is None:
            return ()
        return estimate(self._network, language.prompt_length(self._tokenizer, self._config))

    def try_out(
        self, model: str, precision: Precision | None, device: str, memory: Sequence[Memory], devices: Sequence[Device]
    ) -> None:
        """Load the model and let it answer, if nothing failed so far and there is room."""
        if precision is None:
            precision = fitting(self._config, device) if self._config else Precision.FLOAT32
        reason = self._not_to_be_tried(precision, device, memory, devices)
        if reason:
            self.checks.append(Check(_SELF_TEST, Status.SKIPPED, reason))
            return
        try:
            checkpoint = load(model, precision=precision, device=device)
        except UsageError as error:
            self.checks.append(Check(_SELF_TEST, Status.FAILED, str(error)))
            return
        self.checks += self_test(checkpoint)

    def _not_to_be_tried(
        self, precision: Precision, device: str, memory: Sequence[Memory], devices: Sequence[Device]
    ) -> str | None:
        if any(one.status is Status.FAILED and one.name not in _HARMLESS for one in self.checks):
            return "what failed above comes first"
        if self._random and self._network and sum(one.numel() for one in self._network.parameters()) > _SMALL:
            return "random weights of this size are not worth the time"
        need = next(one for one in memory if one.precision == precision and one.batch == 1)
        name = "cuda:0" if device == "cuda" else device
        place = next((one for one in devices if one.name == name), None)
        if place and not fits(need, place, devices):
            return (
                f"{precision} needs about {need.total / 1e9:.1f} GB, {(place.free or 0) / 1e9:.1f} GB are free on "
                f"{name}: see --precision and --device"
            )
        return None

    def _check(self, name: str, work: Callable[[], str]) -> None:
        self.checks.append(check(name, work))

    def _configure(self) -> str:
        config = read_config(self._folder / CONFIG)
        self._network = outline(config)
        self._config = config
        return f"{config.name}: valid, and its parts can be built"

    def _weigh(self) -> str:
        self._stored = files.read_weights(self._folder)
        return files.weights_fit(self._stored, _known(self._network, "the config"))

    def _open_tokenizer(self) -> str:
        self._tokenizer = open_tokenizer(self._folder)
        borrowed = f", borrowed of {self._folder.name}" if self._random else ""
        return f"{type(self._tokenizer).__name__}, {self._tokenizer.size} tokens{borrowed}"

    def _check_tokens(self, work: Callable[[TextTokenizer, ModelConfig, int], str]) -> str:
        return work(self._known_tokenizer(), self._known_config(), self._option("vocab_size"))

    def _check_template(self) -> str:
        try:
            return self._check_tokens(language.template)
        except UsageError as error:
            if self._random:
                raise Skipped(f"the borrowed tokenizer is of another template: {error}") from error
            raise

    def _known_config(self) -> ModelConfig:
        return _known(self._config, "the config")

    def _known_tokenizer(self) -> TextTokenizer:
        return _known(self._tokenizer, "the tokenizer")

    def _option(self, name: str) -> int:
        return int(getattr(_known(self._network, "the config").language_model.config, name))


def _known(value: _Value | None, what: str) -> _Value:
    if value is None:
        raise Skipped(f"{what} can't be read")
    return value
