"""A list is read in a thread: who takes its items waits only if that is wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from engine.pipeline.feed import Feed

PATIENCE = 60.0


def _until(reached: Callable[[], bool], rung: threading.Event) -> None:
    while not reached():
        rung.clear()
        if not reached():
            assert rung.wait(PATIENCE)


def _noting(read: list[int]) -> Iterator[int]:
    for number in range(1, 100):
        read.append(number)
        yield number


def test_items_come_in_order_and_then_it_has_ended() -> None:
    feed = Feed(range(1, 100), 3)
    assert list(feed) == list(range(1, 100))
    assert feed.ended and feed.take(None) is None
    feed.check()


def test_nobody_waits_for_an_item_that_is_not_there() -> None:
    more, rung = threading.Event(), threading.Event()

    def growing() -> Iterator[str]:
        yield "first"
        assert more.wait(PATIENCE)
        yield "second"

    feed = Feed(growing(), 4, rung.set)
    assert feed.take(PATIENCE) == "first"
    assert feed.take() is None and not feed.ended
    assert feed.take(0.01) is None and not feed.ended
    more.set()
    assert feed.take(None) == "second"
    assert feed.take(None) is None and feed.ended
    assert rung.wait(PATIENCE)


def test_no_more_is_read_than_may_be_ahead() -> None:
    read: list[int] = []
    rung = threading.Event()
    feed = Feed(_noting(read), 3, rung.set)
    _until(lambda: len(read) == 3, rung)
    assert feed.take(None) == 1
    _until(lambda: len(read) == 4, rung)
    assert not rung.wait(0.05) or len(read) == 4
    feed.close()


def test_what_the_iterator_raised_comes_after_its_items() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("the list broke")

    feed = Feed(broken(), 4)
    assert feed.take(None) == 1
    feed.check()
    assert feed.take(None) is None and feed.ended
    with pytest.raises(ValueError, match="the list broke"):
        feed.check()
    whole = Feed(broken(), 1)
    assert next(whole) == 1
    with pytest.raises(ValueError, match="the list broke"):
        next(whole)


def test_to_close_it_lets_go_of_who_waits() -> None:
    never = threading.Event()

    def silent() -> Iterator[int]:
        yield 1
        never.wait(PATIENCE)

    feed = Feed(silent(), 4)
    assert next(feed) == 1
    threading.Timer(0.02, feed.close).start()
    assert next(feed, None) is None and feed.ended
    never.set()


def test_what_was_read_ahead_is_not_given_out_once_closed() -> None:
    read: list[int] = []
    rung = threading.Event()
    feed = Feed(_noting(read), 4, rung.set)
    _until(lambda: len(read) == 4, rung)
    feed.close()
    assert feed.take() is None and feed.ended
