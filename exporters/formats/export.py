"""An export as each format sees it: photographs with their labels, one after the other, and a folder to write into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from engine.atomic import replacing
from engine.journal import dump
from exporters.formats import Format, Shapes
from exporters.formats.names import Names
from exporters.formats.photographs import Photographs
from exporters.labels.dataset import Dataset, Photo
from exporters.labels.select import Label

IMAGES = "images"


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported, and where to.

    Attributes:
        format: the format.
        dataset: the labels.
        folder: gets the files.
        names: where a photograph's files lie in it.
        photographs: puts photographs beside the labels.
        masks: the form of masks.
        written: gets the files of the folder that this export has, relative, with `/`.
        seen: gets the names of the photographs.
    """

    format: Format
    dataset: Dataset
    folder: Path
    names: Names
    photographs: Photographs
    masks: Shapes
    written: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    @property
    def categories(self) -> dict[int, str]:
        """Names by id, in the order of the ids."""
        return {entry["id"]: entry["name"] for entry in self.dataset.categories}

    def photos(self) -> Iterator[Photo]:
        """The photographs in the order of the inputs."""
        for photo in self.dataset.photographs():
            self.seen.add(photo.image["file_name"])
            yield photo

    def image(self, photo: Photo, place: str) -> str:
        """Put a photograph's file where the format wants it.

        Args:
            photo: the photograph.
            place: relative to the folder, with `/`, without ending.

        Returns:
            its place with its ending; that which it would have if there is no file.
        """
        size = (photo.image["height"], photo.image["width"])
        put = self.photographs.put(photo.image["file_name"], photo.path, size, self.folder / place, photo.known)
        if put is not None:
            name = put.relative_to(self.folder).as_posix()
            self.written.add(name)
            return name
        return place + (Path(photo.image["file_name"]).suffix or ".jpg")

    def shown_name(self, photo: Photo) -> str:
        """A photograph's name for formats whose readers find photographs by themselves: the run's own, or that below
        `images/` where photographs are put there."""
        name = self.image(photo, f"{IMAGES}/{self.names.stem(photo.image['file_name'])}")
        return name.removeprefix(f"{IMAGES}/") if self.photographs.placed else str(photo.image["file_name"])

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file of the folder."""
        self.write(name, dump(value) + b"\n")

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the folder, whole or not at all."""
        with self.file(name) as file:
            file.write(data)

    @contextmanager
    def file(self, name: str) -> Iterator[BinaryIO]:
        """Open a file of the folder to write, which is whole or not there."""
        self.written.add(name)
        with replacing(self.folder / name) as file:
            yield file


def labelled(photo: Photo) -> Iterator[tuple[Label, dict[str, Any]]]:
    """The labels of a photograph with COCO's entries of them."""
    return zip(photo.labels, photo.annotations, strict=True)
