"""
Several stages at once: a scene is mostly waiting, for sweeps and for machines that come up.

Owns: which scene is played where and when, and its outcome. Does not own: what happens in one (``stage``).
"""

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.crash_points.stage import Stage

STAGES = 4
"""Gateways that live, and die, at the same time. More wait for two processors; fewer leave them idle."""

Scene = Callable[[Stage], None]


class Theatre:
    """
    Plays the scenes of *programme*, some ahead of the one that is asked for. A context.

    Each stage keeps its endpoint and its records from scene to scene: what a crash leaves behind is there at the next.
    """

    def __init__(self, directory: Path, programme: Sequence[tuple[str, Scene]], database: str) -> None:
        """*database*: what kind of records the gateways have."""
        self._database = database
        self._directory = directory
        self._scenes = dict(programme)
        self._order = [name for name, _ in programme]
        self._played: dict[str, Future[None]] = {}
        self._stages: list[Stage] = []
        self._free: queue.SimpleQueue[Stage] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        self._exits = ExitStack()
        for number in range(STAGES):
            stage = self._exits.enter_context(Stage(self._directory / f"stage-{number}", self._database))
            self._stages.append(stage)
            self._free.put(stage)
        self._players = self._exits.enter_context(ThreadPoolExecutor(STAGES))
        return self

    def __exit__(self, *_: object) -> None:
        self._players.shutdown(cancel_futures=True)
        self._exits.close()

    def play(self, name: str) -> None:
        """Nothing; the scene of this *name* has come to its good end. Raises what went wrong in it, once."""
        place = self._order.index(name)
        for each in self._order[place : place + 2 * STAGES]:
            if each not in self._played:
                self._played[each] = self._players.submit(self._on_some_stage, self._scenes[each])
        outcome = self._played[name]
        try:
            outcome.result()
        except BaseException:
            del self._played[name]  # whoever asks again sees it played again
            raise

    def leaks_nothing(self) -> None:
        """Nothing, once every machine of every scene is gone."""
        for stage in self._stages:
            stage.leaks_nothing()

    def _on_some_stage(self, scene: Scene) -> None:
        stage = self._free.get()
        try:
            scene(stage)
        except BaseException:
            stage.mend()
            raise
        finally:
            self._free.put(stage)
