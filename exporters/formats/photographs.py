"""The photographs beside exported labels: the files themselves where any reader sees them upright, else copies."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from engine.atomic import replacing
from engine.errors import PhotographError
from engine.images.decode import decode
from engine.images.header import Header, read_header
from engine.journal.content import UNKNOWN, Fingerprint, unchanged
from engine.text.names import from_text

_READ_ANYWHERE = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
_JPEG = frozenset({".jpg", ".jpeg"})
_QUALITY = 95


@dataclass(slots=True)
class Found:
    """How the photographs of an export were found.

    Attributes:
        missing: those that are not there or are others by now, and why the first is.
        turned: those that must be turned to be seen as the masks are, and were left as they are.
        copied: those that were written upright.
    """

    missing: int = 0
    why: str = ""
    turned: int = 0
    copied: int = 0


@dataclass(frozen=True, slots=True)
class Photographs:
    """Finds the photographs of a run, and puts them beside its labels.

    Args:
        root: where they lie by their names; None for where the run found them.
        placed: whether they are put beside the labels.
        copies: as upright copies, all of them.
        max_pixels: of one that is decoded.
    """

    root: Path | None
    placed: bool
    copies: bool
    max_pixels: int
    found: Found = field(default_factory=Found)

    def put(
        self, file_name: str, path: str, size: tuple[int, int], place: Path, known: Fingerprint = UNKNOWN
    ) -> Path | None:
        """Put a photograph where it belongs, if photographs are put anywhere.

        What stands there of an export before is kept if it is a link to the same file, or a copy of it as it is now.

        Args:
            file_name: its name in the run.
            path: where the run found it; empty where that is not known.
            size: height and width that the run saw.
            place: where it goes, without ending.
            known: what the run read; where the run found it, the file must be the same. One that is looked for in
                `root` may be another with the same pixels.

        Returns:
            the file; None if it is not placed, or was not found.

        Raises:
            OSError: if the folder can't be written.
        """
        source = self.root / from_text(file_name) if self.root else Path(path) if path else None
        try:
            if source is None:
                raise PhotographError("open", "the run does not say where it lay")
            header = read_header(source, max_pixels=self.max_pixels)
            if (header.height, header.width) != size:
                raise PhotographError(
                    "open", f"it had {size[1]} x {size[0]} pixels, now {header.width} x {header.height}"
                )
            if self.root is None and known.content and not unchanged(source, known):
                raise PhotographError("open", "its file has changed since the run: run mglmm segcap again")
            if not self.placed:
                self.found.turned += header.turned
                return None
            return self._place(source, header, place)
        except PhotographError as error:
            self.found.missing += 1
            self.found.why = self.found.why or f"{file_name}: {error.reason}"
            return None

    def _place(self, source: Path, header: Header, place: Path) -> Path:
        suffix = source.suffix.lower()
        place.parent.mkdir(parents=True, exist_ok=True)
        if suffix in _READ_ANYWHERE and not header.turned and not self.copies:
            target = place.with_name(place.name + suffix)
            _link(source.resolve(), target)
            return target
        target = place.with_name(place.name + (".jpg" if suffix in _JPEG else ".png"))
        self.found.copied += 1
        stamp = source.stat().st_mtime_ns
        if not self._has(target, header, stamp):
            image = Image.fromarray(decode(source, max_pixels=self.max_pixels))
            with replacing(target) as file:
                if suffix in _JPEG:
                    image.save(file, "JPEG", quality=_QUALITY)
                else:
                    image.save(file, "PNG")
            os.utime(target, ns=(stamp, stamp))
        return target

    def _has(self, target: Path, header: Header, stamp: int) -> bool:
        """Whether a copy is there that was made of the photograph with this time of its last change."""
        if target.is_symlink() or not target.exists() or target.stat().st_mtime_ns != stamp:
            return False
        try:
            there = read_header(target, max_pixels=self.max_pixels)
        except PhotographError:
            return False
        return (there.height, there.width, there.turned) == (header.height, header.width, False)


def _link(source: Path, target: Path) -> None:
    if target.is_symlink() and os.readlink(target) == str(source):
        return
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")  # as those of `engine.atomic`
    temporary.symlink_to(source)
    temporary.replace(target)
