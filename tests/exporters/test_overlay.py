"""Masks are tinted, everything else of the photograph stays, and the caption has the masks' colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import UsageError
from engine.masks import rle
from engine.records import Mask, Parent, PhotoRecord, SegCap
from engine.text.grammar import parse
from exporters.overlay import comment_of, draw, overlay_path, write_overlay
from exporters.panel import PALETTE, PANEL, TEXT, Style, draw_panel, phrase_numbers

HEIGHT, WIDTH = 300, 500
GREY = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
# pycocotools asks numpy for its arrays in a way that numpy 2 remarks on.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def mask(top: int, left: int, height: int, width: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Mask:
    pixels = np.zeros(size, bool)
    pixels[top : top + height, left : left + width] = True
    [encoded] = rle.encode(pixels[None])
    return Mask(encoded, rle.area(encoded), rle.bbox(encoded), 0.9)


def answer(raw: str, *masks: Mask, **options: object) -> SegCap:
    return SegCap("panoptic", "Describe all.", parse(raw), masks, **options)  # type: ignore[arg-type]


def record(*segcaps: SegCap) -> PhotoRecord:
    return PhotoRecord("a.jpg", WIDTH, HEIGHT, segcaps)


def has(pixels: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((pixels == np.array(colour)).all(axis=-1).any())


MAN, DOG = mask(20, 20, 200, 120), mask(100, 300, 100, 100)
BOTH = "<p> A man </p> [SEG] walks <p> a dog </p> [SEG]."


def test_masks_are_tinted_and_the_rest_is_as_it_was() -> None:
    picture = np.asarray(draw(GREY, record(answer(BOTH, MAN, DOG))))
    assert picture.shape[1] == WIDTH and picture.shape[0] > HEIGHT
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[20:220, 20:140] = outside[100:200, 300:400] = False
    assert (picture[:HEIGHT][outside] == 100).all()
    for (y, x), colour in (((40, 30), PALETTE[0]), ((110, 310), PALETTE[1])):
        tint = picture[y, x].astype(float)
        assert np.abs(tint - (100 + (np.array(colour) - 100) * 0.45)).max() <= 1
    assert picture[20, 80].tolist() == list(PALETTE[0])  # outline
    assert picture[199, 350].tolist() == list(PALETTE[1])


def test_the_caption_has_the_colours_of_the_masks() -> None:
    panel = np.asarray(draw(GREY, record(answer(BOTH, MAN, DOG))))[HEIGHT:]
    assert has(panel, PALETTE[0]) and has(panel, PALETTE[1]) and has(panel, PANEL)
    assert not has(panel, PALETTE[2])


def test_a_phrase_whose_mask_is_empty_takes_no_colour() -> None:
    picture = np.asarray(draw(GREY, record(answer(BOTH, mask(0, 0, 0, 0), DOG))))
    assert has(picture[HEIGHT:], PALETTE[0]) and not has(picture[HEIGHT:], PALETTE[1])
    assert picture[110, 310, 2] > picture[110, 310, 0]  # the dog is number 1


def test_phrases_of_one_mask_share_its_number() -> None:
    raw = "<p> A man </p> [SEG] and <p> the person </p> [SEG] with <p> a dog </p> [SEG], <p> both </p> [SEG] [SEG]."
    segcap = answer(raw, MAN, MAN, DOG, MAN, DOG)
    assert phrase_numbers(segcap) == {0: 1, 1: 1, 2: 2, 3: 1}
    picture = np.asarray(draw(GREY, record(segcap)))
    assert picture[20, 80].tolist() == list(PALETTE[0]) and picture[100, 350].tolist() == list(PALETTE[1])
    assert not has(picture, PALETTE[2])


def test_a_phrase_with_a_mask_of_its_own_has_a_number_of_its_own() -> None:
    segcap = answer("<p> A man </p> [SEG], <p> all that live </p> [SEG] [SEG].", MAN, MAN, DOG)
    assert phrase_numbers(segcap) == {0: 1, 1: 2}
    picture = np.asarray(draw(GREY, record(segcap)))
    assert picture[20, 80].tolist() == list(PALETTE[0]) and picture[100, 350].tolist() == list(PALETTE[1])


def test_a_part_shows_on_its_whole() -> None:
    segcap = answer("<p> A hat </p> [SEG] on <p> a man </p> [SEG]", mask(20, 20, 50, 50), MAN)
    picture = np.asarray(draw(GREY, record(segcap)))
    assert picture[25, 25].tolist() == pytest.approx(np.array(100 + (np.array(PALETTE[0]) - 100) * 0.45), abs=1)
    assert picture[150, 40].tolist() == pytest.approx(np.array(100 + (np.array(PALETTE[1]) - 100) * 0.45), abs=1)


def test_a_mask_has_a_tag() -> None:
    picture = np.asarray(draw(GREY, record(answer("<p> A man </p> [SEG]", MAN))))
    middle = picture[100:140, 60:100]
    assert has(middle, PALETTE[0]) and has(picture[20:220, 20:140], PANEL)


def test_answers_stand_beside_each_other() -> None:
    fine = SegCap("fine", "Describe a man.", parse("<p> A hat </p> [SEG]"), (mask(20, 20, 30, 60),), Parent(0, 0))
    one = draw(GREY, record(answer(BOTH, MAN, DOG)))
    two = draw(GREY, record(answer(BOTH, MAN, DOG), fine))
    three = draw(GREY, record(answer(BOTH, MAN, DOG), fine, fine))
    assert two.width > 2 * one.width and two.height <= one.height + 10
    assert three.width == two.width and three.height > 2 * HEIGHT
    right = np.asarray(two)[:HEIGHT, -WIDTH:]
    assert right[150, 40].tolist() == [100, 100, 100]


def test_a_photograph_without_answers_is_left_alone() -> None:
    assert np.array_equal(np.asarray(draw(GREY, record())), GREY)


def test_large_photographs_are_drawn_smaller_and_small_ones_larger() -> None:
    for height, width, expected in ((1500, 3200, 1600), (60, 80, 480), (4000, 10, 480)):
        segcap = answer("<p> It </p> [SEG]", mask(0, 0, height // 2, width, (height, width)))
        picture = draw(np.full((height, width, 3), 100, np.uint8), PhotoRecord("a.jpg", width, height, (segcap,)))
        assert picture.width == expected


def test_the_photograph_must_be_the_recorded_one() -> None:
    with pytest.raises(ValueError, match="500 x 300"):
        draw(GREY[:-1], record())


@pytest.mark.parametrize("text", ["word " * 2000, "x" * 5000, "长" * 3000], ids=["words", "one word", "no spaces"])
def test_text_wraps_and_ends(text: str) -> None:
    style = Style.for_width(WIDTH)
    panel = draw_panel("Panoptic", parse(text), {}, style, WIDTH)
    assert panel.width == WIDTH
    assert 11 * style.line < panel.height < 15 * style.line
    assert not has(np.asarray(panel)[:, -style.margin // 2 :], TEXT)


@pytest.mark.parametrize("raw", ["", "[SEG]", "<p> </p> [SEG] [SEG]", "caf\udce9 <p> \x00 </p> [SEG]", "  a  "])
def test_any_answer_can_be_drawn(raw: str) -> None:
    parsed = parse(raw)
    segcap = SegCap("custom", "caf\udce9\nline", parsed, (MAN,) * parsed.seg_count)
    assert draw(GREY, record(segcap)).height > HEIGHT


def test_more_phrases_than_colours_and_masks_of_one_pixel() -> None:
    count = 3 * len(PALETTE)
    segcap = answer("<p> dot </p> [SEG] then " * count, *(mask(150, 5 * number, 1, 1) for number in range(count)))
    assert draw(GREY, record(segcap)).height > HEIGHT


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png"])
def test_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "overlays" / "sub" / f"a{suffix}"
    write_overlay(path, GREY, record(answer(BOTH, MAN, DOG)))
    with Image.open(path) as image:
        assert image.format == ("PNG" if suffix == ".png" else "JPEG")
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    with pytest.raises(ValueError, match=r"\.jpg or \.png"):
        write_overlay(tmp_path / "a.bmp", GREY, record())


def test_paths_keep_folders_and_suffixes_apart() -> None:
    out = Path("out")
    assert overlay_path(out, "s/a.jpg") == Path("out/overlays/s/a.jpg.jpg")
    assert overlay_path(out, "s/a.png") == Path("out/overlays/s/a.png.jpg")
    for name in ("../a.jpg", "/a.jpg", "s/../../a.jpg", "", "..", "a\0b"):
        with pytest.raises(UsageError):
            overlay_path(out, name)


def test_no_name_of_a_photograph_stands_in_the_way_of_another(tmp_path: Path) -> None:
    """`x` and a folder `x.jpg` would be both a file and a folder of that name; some names have no room for a suffix."""
    long = "é" * 125 + "a.jpg"
    names = [
        "x",
        "x.jpg/a",
        "x.jpg_/a",
        "x.JPG/a",
        "A.jpg",
        "a.jpg",
        long,
        "b" + long[1:],
        f"{'f' * 251}.jpg/a",
        "n\n'\"",
        "\udcff",
    ]
    paths = [overlay_path(tmp_path, name) for name in names]
    assert len({str(path) for path in paths}) == len(names)
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        assert path.is_relative_to(tmp_path / "overlays")


def test_a_jpeg_says_what_it_was_drawn_with(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    assert comment_of(path) is None
    write_overlay(path, GREY, record(answer(BOTH, MAN, DOG)), comment='labels {"nms": 0.7}')
    assert comment_of(path) == 'labels {"nms": 0.7}'
    write_overlay(path, GREY, record(answer(BOTH, MAN, DOG)))
    assert comment_of(path) == ""
    path.write_bytes(b"no picture")
    assert comment_of(path) is None
