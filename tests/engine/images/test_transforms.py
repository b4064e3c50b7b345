"""A photograph that is read small has the views of the one that is read whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import PhotographError
from engine.images.decode import decode
from engine.images.transforms import CLIP_MEAN, CLIP_STD, Frame, Views, make_views, read_views
from engine.model.config import ClipConfig, ModelConfig
from tests.engine.tiny import TINY

WITH_CLIP = TINY.model_copy(update={"global_encoder": ClipConfig(image_size=56)})


def _photograph(path: Path, width: int, height: int, orientation: int = 1) -> Path:
    """Edges and slopes at every scale."""
    rows, columns = np.mgrid[:height, :width]
    waves = [127 + 120 * np.sin(rows / period + columns / (period * 3)) for period in (97, 31, 11)]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.stack(waves, axis=-1).astype(np.uint8)).save(path, quality=92, exif=exif)
    return path


def _both(path: Path, config: ModelConfig) -> tuple[Views, Views]:
    return read_views(path, config), make_views(decode(path), config)


def _levels(views: Views, config: ModelConfig) -> list[torch.Tensor]:
    """The views in the 256 levels of a photograph."""
    pixels = views.pixels * torch.tensor(config.pixel_encoder.std)[:, None, None]
    return [pixels] if views.clip is None else [pixels, views.clip * torch.tensor(CLIP_STD)[:, None, None] * 255]


@pytest.mark.parametrize("config", [TINY, WITH_CLIP], ids=["pyramid", "clip"])
@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_a_small_photograph_has_exactly_the_same_views(tmp_path: Path, kind: str, config: ModelConfig) -> None:
    for width, height in ((90, 40), (330, 190), (195, 335), (1, 700)):
        read, made = _both(_photograph(tmp_path / f"a.{kind}", width, height), config)
        assert torch.equal(read.pixels, made.pixels)
        assert (read.clip is None) == (made.clip is None) == (config is TINY)
        assert read.clip is None or made.clip is None or torch.equal(read.clip, made.clip)
        assert read.frame == made.frame == Frame.fit(height, width, 96)


@pytest.mark.parametrize("config", [TINY, WITH_CLIP], ids=["pyramid", "clip"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_jpeg_has_nearly_the_same_views(tmp_path: Path, orientation: int, config: ModelConfig) -> None:
    path = _photograph(tmp_path / "a.jpg", 1203, 805, orientation)
    read, made = _both(path, config)
    assert read.frame == made.frame == Frame.fit(*((805, 1203) if orientation < 5 else (1203, 805)), 96)
    for mine, theirs in zip(_levels(read, config), _levels(made, config), strict=True):
        assert 0 < (mine - theirs).abs().mean() < 0.5
        assert (mine - theirs).abs().max() < 12


def test_the_clip_view_has_the_last_word_on_how_small(tmp_path: Path) -> None:
    """Its shortest side would be too short long before the longest side is."""
    path = _photograph(tmp_path / "a.jpg", 1700, 99)
    read, made = _both(path, WITH_CLIP)
    assert read.clip is not None and made.clip is not None and torch.equal(read.clip, made.clip)
    read, made = _both(path, TINY)
    assert not torch.equal(read.pixels, made.pixels)


def test_views_are_normalised_and_padded(tmp_path: Path) -> None:
    grey = np.full((48, 96, 3), 200, np.uint8)
    views = make_views(grey, WITH_CLIP)
    encoder = WITH_CLIP.pixel_encoder
    wanted = (200 - torch.tensor(encoder.mean)) / torch.tensor(encoder.std)
    torch.testing.assert_close(views.pixels[:, :48], wanted[:, None, None].expand(3, 48, 96))
    assert not views.pixels[:, 48:].any()
    assert views.clip is not None and views.clip.shape == (3, 56, 56)
    wanted = (200 / 255 - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD)
    torch.testing.assert_close(views.clip, wanted[:, None, None].expand(3, 56, 56))


def test_a_broken_photograph_says_why(tmp_path: Path) -> None:
    path = _photograph(tmp_path / "a.jpg", 1203, 805)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(PhotographError, match="truncated"):
        read_views(path, TINY)
