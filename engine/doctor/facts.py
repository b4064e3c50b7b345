"""What an examination finds: plain values, for tables and for JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from engine.errors import MglmmError


class Status(StrEnum):
    """How a check went."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Skipped(Exception):
    """A check does not apply, or can't be made yet; its text says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: what was checked.
        status: how it went.
        line: what was seen; where it failed, what is wrong.
    """

    name: str
    status: Status
    line: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the network.

    Attributes:
        name: of the part in the network.
        kind: what it is.
        parameters: how many numbers.
        disk: bytes in the weight files; None where there are none.
    """

    name: str
    kind: str
    parameters: int
    disk: int | None


@dataclass(frozen=True, slots=True)
class Memory:
    """An estimate of the memory that a batch takes, in bytes.

    Attributes:
        precision: of the weights.
        batch: photographs that go through the model together.
        weights: of all parts.
        cache: keys and values of the longest prompt and answer.
        activations: of the stage that takes most.
        loading: weights while they are being loaded; quantised ones come in half precision first.
    """

    precision: str
    batch: int
    weights: int
    cache: int
    activations: int
    loading: int

    @property
    def total(self) -> int:
        """While the model runs."""
        return self.weights + self.cache + self.activations


@dataclass(frozen=True, slots=True)
class Device:
    """A memory that a model can lie in.

    Attributes:
        name: as `--device` takes it.
        kind: what it is.
        free: bytes; None where the system does not tell.
    """

    name: str
    kind: str
    free: int | None


@dataclass(frozen=True, slots=True)
class Fit:
    """What a device has room for.

    Attributes:
        device: its name.
        precision: of the weights.
        batch: the largest of the estimated batches that fits; None where none does.
    """

    device: str
    precision: str
    batch: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found about a model.

    Attributes:
        model: as it was named.
        parts, memory, fits: empty where the config can't be read.
        devices: of this machine.
        checks: in order.
        terms: of what the weights were made of, see `engine.model.manifest`.
    """

    model: str
    parts: tuple[Part, ...]
    memory: tuple[Memory, ...]
    devices: tuple[Device, ...]
    fits: tuple[Fit, ...]
    checks: tuple[Check, ...]
    terms: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(check.status is not Status.FAILED for check in self.checks)


def check(name: str, work: Callable[[], str]) -> Check:
    """Make one check.

    Args:
        name: what is checked.
        work: returns what it saw; raises `Skipped`, or any error with what is wrong.
    """
    try:
        return Check(name, Status.OK, work())
    except Skipped as reason:
        return Check(name, Status.SKIPPED, str(reason))
    except MglmmError as error:
        return Check(name, Status.FAILED, _line(str(error)))
    except Exception as error:  # whatever a broken model makes the code do is what is looked for here
        return Check(name, Status.FAILED, f"{type(error).__name__}: {_line(str(error))}")


def _line(text: str) -> str:
    return " ".join(text.split())
