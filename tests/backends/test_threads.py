"""Threads where the kernel may refuse another one (F69): a step is done, or it was never begun."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from backends.threads import Threads


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on no thread starts any more."""

    def refuse() -> None:
        def start(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", start)

    return refuse


@contextmanager
def some(count: int) -> Iterator[Threads]:
    """Threads that have ended afterwards."""
    made = Threads(count, "test")
    try:
        yield made
    finally:
        made.shutdown()


def test_a_step_without_a_thread_is_never_done(monkeypatch: pytest.MonkeyPatch, refused: Callable[[], None]) -> None:
    """A launch was given up for want of a thread, and made all the same, once there was one: a VM nobody knew of."""
    done: list[str] = []
    with some(2) as threads:
        with monkeypatch.context():
            refused()
            with pytest.raises(RuntimeError):
                threads.submit(done.append, "given up")
            monkeypatch.undo()
        threads.submit(done.append, "launched").result()

    assert done == ["launched"]


def test_steps_wait_for_the_threads_there_are(refused: Callable[[], None]) -> None:
    """With one thread that is busy, and no other to be had, a step is done when its turn comes."""
    ready = threading.Event()
    with some(2) as threads:
        busy = threads.submit(ready.wait)
        refused()
        waits = threads.submit(lambda: "done")
        was_done = waits.done()
        ready.set()

        assert (was_done, busy.result(), waits.result()) == (False, True, "done")


def test_full_threads_need_no_other(refused: Callable[[], None]) -> None:
    """What was filled while it could be does as many steps at once as ever."""
    everybody = threading.Barrier(3, timeout=20)
    with some(3) as threads:
        threads.fill()
        refused()
        steps = [threads.submit(everybody.wait) for _ in range(3)]

        assert sorted(step.result() for step in steps) == [0, 1, 2]


def test_an_error_belongs_to_whoever_waits() -> None:
    """And the thread goes on."""
    with some(1) as threads:
        with pytest.raises(ZeroDivisionError):
            threads.submit(lambda: 1 / 0).result()

        assert threads.submit(lambda: 1).result() == 1


def test_steps_that_are_called_off_at_the_end_are_not_done() -> None:
    """Whoever waits for them is told."""
    ready, done = threading.Event(), list[str]()
    with some(1) as threads:
        busy = threads.submit(ready.wait)
        waits = threads.submit(done.append, "too late")
        threads.shutdown(wait=False, cancel_futures=True)
        ready.set()

        assert busy.result()
        assert waits.cancelled()
        with pytest.raises(RuntimeError):
            threads.submit(done.append, "after the end")
    assert done == []
