"""A photograph that is read small has the views of the one that is read whole."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.errors import PhotographError
from engine.images import transforms
from engine.images.decode import decode
from engine.images.transforms import CLIP_MEAN, CLIP_STD, Frame, Views, make_views, read_views
from engine.masks import rle
from engine.masks.postprocess import to_masks
from engine.model.config import ClipConfig, ModelConfig
from engine.model.mask_head import LowResMasks
from tests.engine.tiny import TINY

# pycocotools asks numpy for its arrays in a way that numpy 2 remarks on.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

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


@pytest.mark.parametrize("size", [(1, 1), (2000, 1), (1, 2000), (3, 600), (600, 3), (3, 3), (8000, 20), (60_000, 1)])
def test_a_thin_photograph_has_views_of_the_same_shape_and_little_memory(size: tuple[int, int]) -> None:
    width, height = size
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    large = TINY.model_copy(update={"global_encoder": ClipConfig()})
    tracemalloc.start()
    try:
        views = make_views(image, large)
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()
    assert views.clip is not None and views.clip.shape == (3, 336, 336) and views.pixels.shape == (3, 96, 96)
    assert min(views.frame.inner_height, views.frame.inner_width) >= 1


def test_the_middle_of_a_thin_photograph_is_that_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for width, height in ((900, 9), (9, 900), (700, 3)):
        image = decode(_photograph(tmp_path / "a.png", width, height))
        cut = make_views(image, WITH_CLIP)
        with monkeypatch.context() as patch:
            patch.setattr(transforms, "_THIN", 10**6)
            whole = make_views(image, WITH_CLIP)
        assert cut.clip is not None and whole.clip is not None
        levels = ((cut.clip - whole.clip) * torch.tensor(CLIP_STD)[:, None, None] * 255).abs()
        assert levels.mean() < 0.5 and levels.max() < 2


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


sides = st.integers(1, 20_000)


@given(sides, sides, st.integers(1, 2048))
def test_a_frame_keeps_the_shape_and_leads_back(height: int, width: int, side: int) -> None:
    frame = Frame.fit(height, width, side)
    assert max(frame.inner_height, frame.inner_width) == side
    assert min(frame.inner_height, frame.inner_width) >= 1
    scale = side / max(height, width)
    assert abs(frame.inner_height - height * scale) <= 1 and abs(frame.inner_width - width * scale) <= 1
    # The middle of a pixel of the view lies in the photograph, and goes back to the pixel that it came from.
    for inner, whole in ((frame.inner_height, height), (frame.inner_width, width)):
        for cell in {0, inner // 2, inner - 1}:
            place = (cell + 0.5) * whole / inner
            assert 0 < place < whole
            assert int(place * inner / whole) == cell


@settings(max_examples=40)
@given(st.integers(1, 90), st.integers(1, 90), st.data())
def test_a_mask_lies_on_what_it_was_drawn_on(height: int, width: int, data: st.DataObject) -> None:
    """From the photograph into the view's low-res logits, and back."""
    frame = Frame.fit(height, width, 96)
    left, right = sorted(data.draw(st.tuples(st.integers(0, width), st.integers(0, width))))
    top, bottom = sorted(data.draw(st.tuples(st.integers(0, height), st.integers(0, height))))
    # Of 96 cells, each is one pixel of the view.
    rows = (np.arange(96) + 0.5) * height / frame.inner_height
    columns = (np.arange(96) + 0.5) * width / frame.inner_width
    inside = ((rows >= top) & (rows < bottom))[:, None] & ((columns >= left) & (columns < right))
    low_res = torch.from_numpy(np.where(inside, 8.0, -8.0).astype(np.float32))[None]
    (mask,) = to_masks(LowResMasks(low_res), frame, 96)
    found = rle.decode(mask.rle)
    assert found.shape == (height, width)
    slack = 2 + max(height, width) // 96
    assert not found[: max(0, top - slack)].any() and not found[bottom + slack :].any()
    assert not found[:, : max(0, left - slack)].any() and not found[:, right + slack :].any()
    assert found[top + slack : max(0, bottom - slack), left + slack : max(0, right - slack)].all()
