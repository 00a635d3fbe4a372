"""
Plays the chosen scenarios side by side in one accelerated loop; each test waits for its own.

Owns: when a scenario is played. Does not own: what is in it.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from tests.real_clouds.accelerated import AcceleratedThread
from tests.real_clouds.harness import Scenario
from tests.real_clouds.judging import play

SIDE_BY_SIDE = 8
"""Scenarios at once. More: the processor is the bottleneck, and its delays look like those of clouds. Fewer: slower."""

VERDICT_S_MAX = 110.0
"""Real seconds to wait for one scenario: less than a test may take."""


class Outcomes:
    """The scenarios of the tests that were chosen, in their order, as they come to their ends."""

    def __init__(self, thread: AcceleratedThread, scenarios: list[Scenario]) -> None:
        self._thread = thread
        self._gate: asyncio.Semaphore | None = None
        self._alone = asyncio.Lock()
        self._futures: dict[str, Future[None]] = {s.name: thread.submit(self._play(s)) for s in scenarios}

    def await_verdict(self, scenario: Scenario) -> None:
        """Nothing, when *scenario* ended well. Raises AssertionError with the story."""
        self._futures[scenario.name].result(VERDICT_S_MAX)

    def cancel(self) -> None:
        """Nothing; what has not ended ends now."""
        for future in self._futures.values():
            future.cancel()

    async def _play(self, scenario: Scenario) -> None:
        if self._gate is None:
            self._gate = asyncio.Semaphore(SIDE_BY_SIDE)
        async with self._gate:
            if await self._ends_well(scenario):
                return
        async with self._alone:
            await play(scenario, self._thread.loop)

    async def _ends_well(self, scenario: Scenario) -> bool:
        """
        False when it did not, and is to be played again with fewer others beside it.

        In accelerated time a busy processor looks like a cloud that is seconds late: what is wrong is wrong again.
        """
        try:
            await play(scenario, self._thread.loop)
        except AssertionError:
            return False
        return True


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> Iterator[Outcomes]:
    """The verdicts over every scenario that some chosen test asks for."""
    calls = (getattr(item, "callspec", None) for item in request.session.items)
    asked = [call.params["scenario"] for call in calls if call is not None and "scenario" in call.params]
    scenarios = [scenario for scenario in asked if isinstance(scenario, Scenario)]
    assert len({scenario.name for scenario in scenarios}) == len(scenarios), "two scenarios have one name"
    with AcceleratedThread() as thread:
        played = Outcomes(thread, scenarios)
        yield played
        played.cancel()
