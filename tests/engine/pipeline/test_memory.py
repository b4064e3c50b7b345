"""Memory that runs out anywhere: fewer photographs are done at a time, and one that never fits fails alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from engine.errors import PhotographError
from engine.images.sources import Source
from engine.images.transforms import Frame, Views
from engine.model.checkpoint import Checkpoint
from engine.pipeline import pipeline as pipeline_module
from engine.pipeline.answering import Answerer, Encoded
from engine.pipeline.pipeline import Options, Pipeline
from engine.records import Failure, PhotoRecord

OPTIONS = Options(granularity="panoptic", batch_size=8, max_new_tokens=6, decoder="torch")


class Fail(Exception):
    """As ONNX Runtime's errors, which are no `RuntimeError`."""


def _no_memory() -> RuntimeError:
    return RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    """Twelve, of a width of their own."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(12):
        Image.effect_noise((40 + number, 30), 60).convert("RGB").save(folder / f"{number:02}.png")
    return [Source(path, path.name) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def expected(tiny: Checkpoint, photographs: list[Source]) -> list[PhotoRecord | Failure]:
    return _outcomes(tiny, photographs)


def _outcomes(
    model: Checkpoint, photographs: Sequence[Source], *, in_order: bool = True
) -> list[PhotoRecord | Failure]:
    found = list(Pipeline(model, OPTIONS).run(photographs, in_order=in_order))
    return [outcome for _, outcome in (found if in_order else sorted(found, key=lambda entry: entry[0].file_name))]


def _assert_same(found: Sequence[PhotoRecord | Failure], expected: Sequence[PhotoRecord | Failure]) -> None:
    """Equal but for masks, whose last digits hang on the batch."""
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, PhotoRecord) and isinstance(other, PhotoRecord), one
        assert (one.file_name, one.width, one.height) == (other.file_name, other.width, other.height)
        assert [segcap.answer for segcap in one.segcaps] == [segcap.answer for segcap in other.segcaps]


@pytest.mark.parametrize(
    "error",
    [
        _no_memory,
        lambda: RuntimeError("std::bad_alloc"),
        MemoryError,
        lambda: torch.OutOfMemoryError("CUDA out of memory"),
        lambda: Fail("[ONNXRuntimeError] : 1 : FAIL : Failed to allocate memory for requested buffer of size 2621440"),
    ],
    ids=["torch", "c++", "python", "cuda", "onnx"],
)
@pytest.mark.parametrize("stage", ["encode", "finish"])
def test_batches_get_smaller_until_they_fit(
    tiny: Checkpoint,
    photographs: list[Source],
    expected: list[PhotoRecord | Failure],
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    error: Callable[[], Exception],
) -> None:
    plain, sizes, fits = getattr(Answerer, stage), list[int](), 3

    def short(self: Answerer, batch: Sequence[Any]) -> Any:
        sizes.append(len(batch))
        if len(batch) > fits:
            raise error()
        return plain(self, batch)

    monkeypatch.setattr(Answerer, stage, short)
    _assert_same(_outcomes(tiny, photographs), expected)
    # Once a batch of eight and once one of four did not fit; from then on there are two at a time.
    assert sizes[0] == 8 and sum(size > fits for size in sizes) <= 2 and sizes[-1] <= 2


def test_one_that_never_fits_into_the_model_fails_alone(
    tiny: Checkpoint,
    photographs: list[Source],
    expected: list[PhotoRecord | Failure],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encode = Answerer.encode

    def short(self: Answerer, views: Sequence[Views]) -> list[Encoded]:
        if any(view.frame.width == 45 for view in views):
            raise _no_memory()
        return encode(self, views)

    monkeypatch.setattr(Answerer, "encode", short)
    found = _outcomes(tiny, photographs)
    failure = found.pop(5)
    assert isinstance(failure, Failure) and (failure.file_name, failure.stage) == ("05.png", "model")
    assert failure.reason.startswith("not enough memory, even for it alone ([enforce fail at")
    _assert_same(found, expected[:5] + expected[6:])


def _in_a_thread() -> bool:
    """Where others are beside it; what is tried alone is tried by the thread that drives the pipeline."""
    return threading.current_thread() is not threading.main_thread()


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("stage", ["read_views", "to_masks"])
def test_what_does_not_fit_beside_the_others_is_tried_again_alone(
    tiny: Checkpoint,
    photographs: list[Source],
    expected: list[PhotoRecord | Failure],
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    in_order: bool,
) -> None:
    plain, width, refused = getattr(pipeline_module, stage), 43, list[int]()

    def short(subject: Any, about: Any, *rest: Any, **more: Any) -> Any:
        here = about.width if isinstance(about, Frame) else 40 + int(Path(subject).stem)
        if here in (width, width + 4) and _in_a_thread():
            refused.append(here)
            raise MemoryError
        return plain(subject, about, *rest, **more)

    monkeypatch.setattr(pipeline_module, stage, short)
    _assert_same(_outcomes(tiny, photographs, in_order=in_order), expected)
    assert set(refused) == {width, width + 4}
    # Nor does one wait for others that never come.
    _assert_same(_outcomes(tiny, photographs[3:4], in_order=in_order), expected[3:4])


@pytest.mark.parametrize(("stage", "told"), [("read_views", "decode"), ("to_masks", "masks")])
def test_one_that_never_fits_in_a_thread_fails_alone(
    tiny: Checkpoint,
    photographs: list[Source],
    expected: list[PhotoRecord | Failure],
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    told: str,
) -> None:
    plain, sizes, encode = getattr(pipeline_module, stage), list[int](), Answerer.encode

    def short(subject: Any, about: Any, *rest: Any, **more: Any) -> Any:
        if (about.width if isinstance(about, Frame) else 40 + int(Path(subject).stem)) == 43:
            raise _no_memory()
        return plain(subject, about, *rest, **more)

    def noting(self: Answerer, views: Sequence[Views]) -> list[Encoded]:
        sizes.append(len(views))
        return encode(self, views)

    monkeypatch.setattr(pipeline_module, stage, short)
    monkeypatch.setattr(Answerer, "encode", noting)
    found = _outcomes(tiny, photographs)
    failure = found.pop(3)
    assert isinstance(failure, Failure) and (failure.file_name, failure.stage) == ("03.png", told)
    assert "not enough memory, even for it alone" in failure.reason
    _assert_same(found, expected[:3] + expected[4:])


@pytest.mark.parametrize(("stage", "told"), [("read_views", "decode"), ("to_masks", "masks"), ("encode", "model")])
def test_any_other_error_is_that_photographs_too(
    tiny: Checkpoint,
    photographs: list[Source],
    expected: list[PhotoRecord | Failure],
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    told: str,
) -> None:
    if stage == "encode":
        encode = Answerer.encode

        def odd(self: Answerer, views: Sequence[Views]) -> list[Encoded]:
            if any(view.frame.width == 43 for view in views):
                raise Fail("an odd\nmodel")
            return encode(self, views)

        monkeypatch.setattr(Answerer, "encode", odd)
        reason = "Fail: an odd model"
    else:
        plain = getattr(pipeline_module, stage)

        def broken(subject: Any, about: Any, *rest: Any, **more: Any) -> Any:
            if (about.width if isinstance(about, Frame) else 40 + int(Path(subject).stem)) == 43:
                raise KeyError("odd")
            return plain(subject, about, *rest, **more)

        monkeypatch.setattr(pipeline_module, stage, broken)
        reason = "KeyError: 'odd'"
    found = _outcomes(tiny, photographs)
    assert found.pop(3) == Failure("03.png", told, reason)
    _assert_same(found, expected[:3] + expected[4:])


def test_a_picture_that_says_so_itself_is_tried_again(
    tiny: Checkpoint,
    photographs: list[Source],
    expected: list[PhotoRecord | Failure],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = pipeline_module.read_views

    def short(path: Path, *rest: Any, **more: Any) -> Views:
        if path.stem == "06" and _in_a_thread():
            try:
                raise MemoryError
            except MemoryError:
                raise PhotographError("decode", "not enough memory to decode it") from None
        views: Views = plain(path, *rest, **more)
        return views

    monkeypatch.setattr(pipeline_module, "read_views", short)
    _assert_same(_outcomes(tiny, photographs), expected)


def test_the_model_tries_again_when_no_photograph_is_being_opened(
    tiny: Checkpoint,
    photographs: list[Source],
    expected: list[PhotoRecord | Failure],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, encode = pipeline_module.read_views, Answerer.encode
    begun, ended, failed = threading.Event(), threading.Event(), threading.Event()

    def large(path: Path, *rest: Any, **more: Any) -> Views:
        if path.stem == "02":
            begun.set()
            assert failed.wait(60.0)
            ended.set()
        views: Views = read(path, *rest, **more)
        return views

    def short(self: Answerer, views: Sequence[Views]) -> list[Encoded]:
        assert begun.wait(60.0)
        if not ended.is_set():
            failed.set()
            raise _no_memory()
        return encode(self, views)

    monkeypatch.setattr(pipeline_module, "read_views", large)
    monkeypatch.setattr(Answerer, "encode", short)
    alone = Options(granularity="panoptic", batch_size=1, max_new_tokens=6, decoder="torch")
    _assert_same([outcome for _, outcome in Pipeline(tiny, alone).run(photographs[:4])], expected[:4])
    assert failed.is_set()


def test_where_no_thread_can_be_started_the_others_do_its_work(
    tiny: Checkpoint,
    photographs: list[Source],
    expected: list[PhotoRecord | Failure],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, refused = threading.Thread.start, list[str]()

    def fails(self: threading.Thread) -> None:
        if self.name.startswith(("decode", "finish")):
            refused.append(self.name)
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", fails)
    _assert_same(_outcomes(tiny, photographs), expected)
    assert {name.partition("_")[0] for name in refused} == {"decode", "finish"}
