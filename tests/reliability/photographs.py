"""Folders of small photographs, each of a width of its own, some of them broken."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def make(folder: Path, count: int, *, broken_every: int = 0) -> Path:
    """`count` PNG files of 41, 42, ... x 30 pixels; each `broken_every`-th is no picture."""
    folder.mkdir(parents=True)
    for number in range(count):
        path = folder / f"{number:05}.png"
        if broken_every and number % broken_every == broken_every - 1:
            path.write_bytes(b"\x89PNG\r\n\x1a\n no picture")
        else:
            Image.new("RGB", (41 + number, 30), (number * 7 % 256, number * 3 % 256, 90)).save(path)
    return folder
