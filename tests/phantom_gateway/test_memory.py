"""Out of memory (F11): when a process bears it, and when it ends."""

import asyncio
import os

import pytest

from phantom_gateway.memory import EXIT_CODE, QUIET_S, SHORT_S_MAX, Shortage


class Loop(asyncio.SelectorEventLoop):
    """An event loop that does not run, at the time *now_s*."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1_000.0
        self.told: list[str] = []

    def time(self) -> float:
        """What it is set to."""
        return self.now_s

    def default_exception_handler(self, context: dict[str, object]) -> None:
        """Noted."""
        self.told.append(str(context["message"]))


class Ended(Exception):  # noqa: N818 - the end, not an error
    """The process would have ended."""


@pytest.mark.parametrize(
    ("gaps_s", "ends"),
    [
        pytest.param([0.0] * 500, False, id="many at once"),
        pytest.param([QUIET_S / 2] * 4, False, id="not for long"),
        pytest.param([QUIET_S + 0.1] * 20, False, id="now and then"),
        pytest.param([0.5] * 20, True, id="without a pause"),
    ],
)
def test_a_process_ends_when_connections_fail_for_long(
    monkeypatch: pytest.MonkeyPatch, gaps_s: list[float], ends: bool
) -> None:
    """One that answered nobody any more lived on, and kept its leases. A flood that is over soon is borne."""
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        raise Ended

    monkeypatch.setattr(os, "_exit", end)
    loop, shortage = Loop(), Shortage()
    began_s = loop.now_s
    try:
        for gap_s in gaps_s:
            loop.now_s += gap_s
            shortage(loop, {"message": "Fatal read error", "exception": MemoryError()})
    except Ended:
        assert SHORT_S_MAX < loop.now_s - began_s < SHORT_S_MAX + 2
    finally:
        loop.close()

    assert codes == ([EXIT_CODE] if ends else [])


def test_other_failures_are_told_as_ever() -> None:
    """By the event loop's own words."""
    loop = Loop()
    Shortage()(loop, {"message": "a task was lost", "exception": ValueError()})
    loop.close()

    assert loop.told == ["a task was lost"]
