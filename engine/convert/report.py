"""What a conversion did, for the one who asked for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.convert.inventory import Inventory, Piece
from engine.convert.writer import Planned


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the network.

    Attributes:
        name: as the network has it.
        tensors: how many.
        parameters: how many numbers they hold.
        dtypes: their types.
        sources: where they come from.
    """

    name: str
    tensors: int
    parameters: int
    dtypes: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What was read, made and left out.

    Attributes:
        folder: the written model.
        facts: what the model is: label and value.
        parts: of the network.
        made: how tensors without a source were made, and which.
        ignored: keys without a use, by the reason.
        notes: what may surprise.
    """

    folder: Path
    facts: Mapping[str, str]
    parts: tuple[Part, ...]
    made: Mapping[str, tuple[str, ...]]
    ignored: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """The report as text."""
        for label, value in self.facts.items():
            yield f"{label}: {value}"
        for part in self.parts:
            yield (
                f"{part.name}: {part.tensors} tensors, {_millions(part.parameters)} ({', '.join(part.dtypes)}), "
                f"from {'; '.join(part.sources)}"
            )
        for how, names in self.made.items():
            yield f"initialised: {_some(names)}: {how}"
        for reason, keys in self.ignored.items():
            yield f"ignored: {_some(keys)}: {reason}"
        for note in self.notes:
            yield f"note: {note}"


def parts_of(found: Inventory) -> tuple[Part, ...]:
    """The parts of a complete inventory."""
    by_part: dict[str, list[Piece]] = {}
    for name, piece in found.pieces.items():
        by_part.setdefault(name.partition(".")[0], []).append(piece)
    return tuple(
        Part(
            name,
            len(pieces),
            sum(piece.tensor.size // piece.tensor.dtype.itemsize for piece in pieces),
            tuple(sorted({str(piece.tensor.dtype).removeprefix("torch.") for piece in pieces})),
            _sources(pieces, found.where),
        )
        for name, pieces in by_part.items()
    )


def parts_of_planned(tensors: Iterable[Planned], where: Path) -> tuple[Part, ...]:
    """The parts of a network all of whose tensors come from one folder."""
    by_part: dict[str, list[Planned]] = {}
    for tensor in tensors:
        by_part.setdefault(tensor.name.partition(".")[0], []).append(tensor)
    return tuple(
        Part(
            name,
            len(planned),
            sum(tensor.size // tensor.dtype.itemsize for tensor in planned),
            tuple(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in planned})),
            (str(where),),
        )
        for name, planned in by_part.items()
    )


def _sources(pieces: list[Piece], checkpoint: Path) -> tuple[str, ...]:
    """For each folder its file, or how many of them, and what the keys begin with there."""
    files: dict[Path, set[Path]] = {}
    prefixes: dict[Path, set[str]] = {}
    for piece in pieces:
        if piece.file is not None:
            files.setdefault(piece.file.parent, set()).add(piece.file)
            prefixes.setdefault(piece.file.parent, set()).add(f"{piece.prefix}*")
    sources = []
    for folder, paths in files.items():
        place = f"{len(paths)} files" if folder == checkpoint else f"{len(paths)} files of {folder}"
        if len(paths) == 1:
            (path,) = paths
            place = path.name if folder == checkpoint else str(path)
        sources.append(f"{place} ({', '.join(sorted(prefixes[folder]))})")
    return tuple(sources) or ("no file",)


def made_of(found: Inventory) -> dict[str, tuple[str, ...]]:
    """The pieces that were made here, by how."""
    made: dict[str, tuple[str, ...]] = {}
    for name, piece in found.pieces.items():
        if piece.made is not None:
            made[piece.made] = (*made.get(piece.made, ()), name)
    return made


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} M parameters" if parameters >= 1e5 else f"{parameters} parameters"


def _some(names: tuple[str, ...]) -> str:
    """A few names in full, many by their number and the first."""
    if len(names) <= 2:
        return " and ".join(names)
    return f"{len(names)} tensors ({names[0]}, ...)"
