"""The door: photographs in each of their forms, answers, failures among them, and what is refused at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

import mglmm
from engine.images.formats.kinds import READABLE
from mglmm import Failure, Model, PhotographError, Result, UsageError

EXAMPLES = Path(__file__).parents[2] / "examples"
ONE_QUESTION: dict[str, Any] = {"granularity": "panoptic", "max_new_tokens": 8}


def _texts(outcome: Result | Failure) -> list[tuple[str, list[str]]]:
    """What was answered, masks as run lengths."""
    assert isinstance(outcome, Result), outcome
    return [
        (answer.raw, [rle.counts for phrase in answer.phrases for rle in phrase.rles]) for answer in outcome.answers
    ]


def _only(model: Model, photos: Any) -> Result:
    (outcome,) = model.segcap(photos, **ONE_QUESTION)
    assert isinstance(outcome, Result), outcome
    return outcome


@pytest.fixture
def folder(tmp_path: Path, pixels: np.ndarray) -> Path:
    """Three photographs, the second of them broken."""
    photos = tmp_path / "photos"
    (photos / "below").mkdir(parents=True)
    Image.fromarray(pixels).save(photos / "a.png")
    (photos / "b.png").write_bytes(b"no picture")
    Image.fromarray(255 - pixels).save(photos / "below" / "c.png")
    return photos


def test_a_folder_gives_results_and_failures_in_order(model: Model, folder: Path) -> None:
    first, second, third = model.segcap(folder, **ONE_QUESTION)
    assert isinstance(first, Result) and isinstance(third, Result)
    assert second == Failure(1, "b.png", "open", f"not a {READABLE} picture, or damaged")
    assert [(one.index, one.name) for one in (first, third)] == [(0, "a.png"), (2, "below/c.png")]
    assert (first.height, first.width) == (30, 40)


def test_masks_are_arrays_and_spans_point_into_the_caption(model: Model, folder: Path) -> None:
    (answer,) = _only(model, folder / "a.png").answers
    assert answer.granularity == "panoptic" and answer.question.startswith("Describe all the objects")
    masks = [mask for phrase in answer.phrases for mask in phrase.masks]
    assert masks and all(mask.dtype == np.bool_ and mask.shape == (30, 40) for mask in masks)
    for phrase in answer.phrases:
        start, end = phrase.span
        assert answer.caption[start:end] == phrase.text
        assert len(phrase.masks) == len(phrase.scores) == len(phrase.boxes)
        for mask, score, (x, y, width, height) in zip(phrase.masks, phrase.scores, phrase.boxes, strict=True):
            assert 0 <= score <= 1 and (score > 0) == mask.any()
            assert mask[int(y) : int(y + height), int(x) : int(x + width)].sum() == mask.sum()
    with pytest.raises(FrozenInstanceError):
        answer.caption = ""  # type: ignore[misc]


@pytest.mark.parametrize(
    "form",
    [
        lambda path, pixels: path,
        lambda path, pixels: str(path),
        lambda path, pixels: [path],
        lambda path, pixels: str(path.parent / "a*.png"),
        lambda path, pixels: iter([path]),
        lambda path, pixels: Image.open(path),
        lambda path, pixels: Image.fromarray(pixels),
        lambda path, pixels: pixels,
        lambda path, pixels: (pixels,),
        lambda path, pixels: np.ascontiguousarray(pixels[..., ::-1])[..., ::-1],
        lambda path, pixels: np.dstack([pixels, np.full((30, 40), 255, np.uint8)]),
        lambda path, pixels: (image for image in [pixels]),
    ],
)
def test_one_photograph_in_whatever_form_gets_the_same_answer(
    model: Model, folder: Path, pixels: np.ndarray, form: Callable[[Path, np.ndarray], Any]
) -> None:
    assert _texts(_only(model, form(folder / "a.png", pixels))) == _texts(_only(model, folder / "a.png"))


def test_grey_arrays_and_transparent_images_are_read_as_files_are(model: Model, tmp_path: Path) -> None:
    grey = np.random.default_rng(1).integers(0, 256, (30, 40), np.uint8)
    clear = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(255 - grey)])
    clear.save(tmp_path / "clear.png")
    Image.fromarray(grey).save(tmp_path / "grey.png")
    for image, name in ((grey, "grey.png"), (clear, "clear.png"), (np.asarray(clear.convert("RGBA")), "clear.png")):
        assert _texts(_only(model, image)) == _texts(_only(model, tmp_path / name))


def test_an_image_is_turned_upright_as_its_file_is(model: Model, tmp_path: Path, pixels: np.ndarray) -> None:
    lying = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    lying.save(tmp_path / "lying.png", exif=exif)
    with Image.open(tmp_path / "lying.png") as image:
        result = _only(model, image)
    assert (result.height, result.width) == (40, 30)
    assert _texts(result) == _texts(_only(model, tmp_path / "lying.png"))
    assert _texts(result) == _texts(_only(model, np.rot90(pixels, -1)))
    assert result.draw().size == _only(model, tmp_path / "lying.png").draw().size


def test_a_mixed_list_keeps_its_order_and_names(model: Model, folder: Path, pixels: np.ndarray) -> None:
    outcomes = list(model.segcap([pixels, folder / "a.png", folder / "nowhere.png", folder], **ONE_QUESTION))
    assert [outcome.index for outcome in outcomes] == [0, 1, 2, 3]
    assert [outcome.name for outcome in outcomes[:2]] == ["0", (folder / "a.png").as_posix()]
    assert [outcome.reason for outcome in outcomes[2:] if isinstance(outcome, Failure)] == [
        "no such file",
        "a folder, not a photograph",
    ]


def test_what_an_iterator_gives_is_taken_when_it_comes(model: Model, pixels: np.ndarray) -> None:
    """A film's reader fills one buffer again and again, and not everything that it gives need be a photograph."""
    frames = [pixels, 255 - pixels, pixels // 2]

    def film() -> Iterator[Any]:
        buffer, image = pixels.copy(), Image.new("RGB", (40, 30))
        for frame in frames:
            buffer[:] = frame
            yield buffer
            image.paste(Image.fromarray(frame))
            yield image
        yield frames[0].astype(np.float32)
        yield None

    outcomes = list(model.segcap(film(), batch_size=1, **ONE_QUESTION))
    expected = [_texts(_only(model, frame)) for frame in frames]
    assert [_texts(outcome) for outcome in outcomes[:6]] == [texts for texts in expected for _ in range(2)]
    for outcome, what in zip(outcomes[6:], ("ndarray of float32 (30, 40, 3)", "None (NoneType)"), strict=True):
        assert isinstance(outcome, Failure) and outcome.reason.endswith(f"not {what}")


def test_nothing_is_done_about_no_photographs(model: Model) -> None:
    assert list(model.segcap([])) == [] == list(model.segcap(iter(())))


def test_a_result_draws_its_photograph(model: Model, folder: Path, pixels: np.ndarray) -> None:
    result = _only(model, folder / "a.png")
    drawn = result.draw()
    assert drawn.mode == "RGB" and drawn.height > 30
    assert drawn.tobytes() == _only(model, pixels).draw().tobytes()
    Image.new("RGB", (5, 5)).save(folder / "a.png")
    with pytest.raises(PhotographError, match=r"a\.png: was 40 x 30 pixels"):
        result.draw()
    (folder / "a.png").unlink()
    with pytest.raises(PhotographError, match=r"a\.png: no such file"):
        result.draw()


def test_questions_are_one_or_a_conversation(model: Model, folder: Path, pixels: np.ndarray) -> None:
    (alone,) = model.ask(folder / "a.png", "Segment the dog.", max_new_tokens=8).answers
    first, second = model.ask(pixels, ["Segment the dog.", "And the cat?"], max_new_tokens=8).answers
    assert first == alone and alone.granularity == "custom"
    assert second.question == "And the cat?"
    assert first.phrases and first.phrases[0].masks[0].shape == (30, 40)


def test_a_box_is_asked_about_in_pixels(model: Model, pixels: np.ndarray) -> None:
    described = model.ask(pixels, box=(10, 15, 20, 15), max_new_tokens=4)
    (answer,) = described.answers
    assert answer.question == "Describe the region [25, 50, 75, 100]."
    assert described.draw().mode == "RGB"
    (asked,) = model.ask(pixels, "What is this?", box=np.array([10, 15, 20, 15]), max_new_tokens=4).answers
    assert asked.question == "What is this? [25, 50, 75, 100]"


def test_a_photograph_that_cannot_be_read_is_named(model: Model, folder: Path) -> None:
    for name, reason in (("b.png", "not a JPEG"), ("nowhere.png", "no such file")):
        with pytest.raises(PhotographError, match=f"{name}: {reason}"):
            model.ask(folder / name, "Why?")
    with Image.open(folder / "a.png") as closed:
        pass
    with pytest.raises(PhotographError, match="decode: 0: "):
        model.ask(closed, "Why?")
    with pytest.raises(PhotographError, match="too large: 40 x 30"):
        model.ask(folder / "a.png", "Why?", max_pixels=1199)


def test_threads_may_ask_at_once(model: Model) -> None:
    photos = np.random.default_rng(2).integers(0, 256, (6, 30, 40, 3), np.uint8)

    def ask(image: np.ndarray) -> Any:
        return _texts(model.ask(image, "Segment the dog.", max_new_tokens=6))

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, photos)) == [ask(image) for image in photos]


def test_two_streams_may_run_beside_each_other(model: Model, pixels: np.ndarray) -> None:
    photos = [pixels, 255 - pixels, pixels // 2]
    alone = [_texts(outcome) for outcome in model.segcap(photos, **ONE_QUESTION)]
    beside = []
    for one, other in zip(*(model.segcap(photos, batch_size=2, **ONE_QUESTION) for _ in range(2)), strict=True):
        assert _texts(one) == _texts(other)
        beside.append(_texts(one))
    assert beside == alone


PICTURE = np.zeros((4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"photos": 3}, r"photos must be a path, a Pillow image, .* not 3 \(int\)"),
        ({"photos": None}, "photos must be .* not None"),
        ({"photos": b"a.png"}, "photos must be .* not b'a.png'"),
        ({"photos": {"a.png": 1}}, "photos must be"),
        ({"photos": ["a.png", 3]}, r"photos\[1\] must be .* not 3 \(int\)"),
        ({"photos": PICTURE[None]}, r"photos must be .* not ndarray of uint8 \(1, 4, 4, 3\)"),
        ({"photos": PICTURE / 255}, r"photos must be .* not ndarray of float64 \(4, 4, 3\)"),
        ({"photos": [PICTURE[:, :0]]}, r"photos\[0\] must be .* \(4, 0, 3\)"),
        ({"photos": PICTURE[..., :2]}, r"photos must be .* \(4, 4, 2\)"),
        ({"photos": "nowhere"}, "nowhere: no such file or folder"),
        ({"photos": [Path("nowhere.png")]}, "nowhere.png: no such file or folder"),
        ({"granularity": "coarse"}, r"granularity must be one of 'panoptic', 'fine', 'both', not 'coarse' \(str\)"),
        ({"max_children": -1}, "max_children must be a whole number of at least 0, not -1"),
        ({"max_children": "4"}, r"max_children must be .* not '4' \(str\)"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, not 0"),
        ({"batch_size": 2.0}, r"batch_size must be .* not 2.0 \(float\)"),
        ({"batch_size": True}, "batch_size must be"),
        ({"max_new_tokens": 0}, "max_new_tokens must be"),
        ({"max_pixels": 0}, "max_pixels must be"),
        ({"temperature": 0}, "temperature must be a number above 0, not 0"),
        ({"temperature": float("nan")}, "temperature must be"),
        ({"temperature": "1"}, "temperature must be"),
        ({"temperature": 1, "seed": -1}, "seed must be"),
        ({"seed": 1}, "seed does nothing without temperature"),
        ({"label": " "}, "label must be a text that is not empty"),
        ({"instruction": 3}, r"instruction must be .* not 3 \(int\)"),
        ({"instruction": "Why?", "label": "cat"}, "instruction and label exclude each other"),
        ({"instruction": "Why?", "granularity": "both"}, "instruction and granularity exclude each other"),
        ({"label": "cat", "max_children": 2}, "label and max_children exclude each other"),
        ({"granularity": "panoptic", "max_children": 2}, "leave out max_children"),
    ],
)
def test_wrong_arguments_of_segcap_are_refused_at_the_call(model: Model, arguments: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        model.segcap(**({"photos": PICTURE} | arguments))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": None}, "image must be a path"),
        ({"image": [PICTURE]}, "image must be a path"),
        ({"question": None}, "question is missing"),
        ({"question": ""}, "question must be a text that is not empty"),
        ({"question": 3}, r"question must be a text, or a list of texts, not 3 \(int\)"),
        ({"question": []}, "question must be a text, or a list"),
        ({"question": ["Why?", None]}, r"question\[1\] must be"),
        ({"box": 3}, r"box must be four numbers: x, y, width, height, not 3 \(int\)"),
        ({"box": (1, 2, 3)}, "box must be four numbers"),
        ({"box": "abcd"}, "box must be four numbers"),
        ({"box": (0, 0, 5, 4)}, "box must be x, y, width, height inside the image of 4 x 4 pixels"),
        ({"box": (0, 0, 0, 4)}, "inside the image"),
        ({"box": (float("inf"), 0, 1, 1)}, "inside the image"),
        ({"box": (float("nan"), 0, 1, 1)}, "inside the image"),
        ({"seed": 1}, "seed does nothing"),
    ],
)
def test_wrong_arguments_of_ask_are_refused(model: Model, arguments: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        model.ask(**({"image": PICTURE, "question": "Why?"} | arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": 3}, r"model must be a name or a folder, not 3 \(int\)"),
        ({"model": ""}, "model must be a name or a folder"),
        ({"model": "no-such-model"}, "no model 'no-such-model'"),
        ({"device": 0}, r"device must be a text that is not empty, not 0 \(int\)"),
        ({"device": "gpu"}, "no device 'gpu' here"),
        (
            {"precision": "fp16"},
            "precision must be one of 'auto', 'float32', 'bfloat16', 'float16', 'int8', 'int4', not 'fp16'",
        ),
        ({"decoder": "tensorrt"}, "decoder must be one of 'onnx', 'torch', not 'tensorrt'"),
    ],
)
def test_wrong_arguments_of_load_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        mglmm.load(**arguments)


def test_a_model_says_what_it_is_and_what_it_lacks(folder_without_decoder: Path) -> None:
    model = mglmm.load(folder_without_decoder, precision="bfloat16", decoder="torch")
    assert repr(model) == "Model('tiny', device='cpu', precision='bfloat16')"
    with pytest.raises(UsageError, match="no exported mask decoder"):
        mglmm.load(folder_without_decoder)


def test_the_embedded_model_finds_the_astronaut() -> None:
    model = mglmm.load()
    (answer,) = model.ask(EXAMPLES / "astronaut.jpg", "Segment the person.").answers
    (phrase,) = answer.phrases
    assert phrase.text == "the person" and phrase.masks[0][200:500, 150:350].mean() > 0.7
