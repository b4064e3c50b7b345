"""The numbers in a picture, not its colours."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import PhotographError
from engine.images.samples import read_samples

INDEX = np.arange(12, dtype=np.uint8).reshape(3, 4)


def png(image: Image.Image, orientation: int = 1) -> bytes:
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    image.save(out, "PNG", exif=exif)
    return out.getvalue()


def test_a_palette_is_its_indices_or_its_colours() -> None:
    image = Image.fromarray(INDEX)
    image.putpalette([255 - n // 3 for n in range(768)])
    assert np.array_equal(read_samples(png(image)).values, INDEX)
    colours = read_samples(png(image), colours=True).values
    assert np.array_equal(colours, np.stack([255 - INDEX] * 3, -1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_lies_as_a_photograph_of_this_orientation(tmp_path: Path, orientation: int) -> None:
    """Which way that is, test_decode holds."""
    content = png(Image.fromarray(INDEX), orientation)
    (tmp_path / "a.png").write_bytes(content)
    turns = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.T,
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].T,
        8: lambda a: np.rot90(a, 1),
    }
    for source in (content, tmp_path / "a.png"):
        samples = read_samples(source)
        assert np.array_equal(samples.values, turns[orientation](INDEX))
        assert samples.turned is (orientation > 1)


def test_one_that_is_too_large_is_not_decoded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(Image.fromarray(INDEX)))
    for source in ((tmp_path / "a.png").read_bytes(), tmp_path / "a.png"):
        with pytest.raises(PhotographError, match="too large"):
            read_samples(source, max_pixels=11)
        assert read_samples(source, max_pixels=12).values.shape == (3, 4)
