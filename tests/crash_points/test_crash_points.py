"""
The gateway killed at every point of every flow, on an EC2-compatible endpoint whose own book is the judge.

Each point is reached for certain: a flow that does not come by is a failure of the test. After the restart the group
has what it wants, every machine is on record, and no token has launched more than it was to.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from _pytest.mark import ParameterSet

from tests.crash_points.dying import CLOUD_VERBS, COMMIT, LEDGER_VERBS, MIGRATION, STATEMENT
from tests.crash_points.migrating import REVISIONS
from tests.crash_points.stage import Stage
from tests.crash_points.theatre import Theatre
from tests.support.postgresql import binaries, shared
from tests.support.records import CHOSEN, POSTGRESQL

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]

Flow = Callable[[Stage], None]


def create(stage: Stage) -> None:
    """A group of three is made."""
    stage.make(3)


def grow(stage: Stage) -> None:
    """From one to three."""
    stage.settled_with(1)
    stage.arm()
    stage.resize(3)


def shrink(stage: Stage) -> None:
    """From three to one."""
    stage.settled_with(3)
    stage.arm()
    stage.resize(1)


def replace(stage: Stage) -> None:
    """One of two machines dies, and the cloud says so."""
    stage.settled_with(2)
    stage.arm()
    stage.kill_one()


def vanish(stage: Stage) -> None:
    """A launch of two is refused for want of capacity, until there is some."""
    stage.settled_with(1)
    stage.fill_up()
    stage.arm()
    stage.resize(3)


def lose_reply(stage: Stage) -> None:
    """The reply to a launch of two is lost: the machines are there, and have to be found."""
    stage.settled_with(1)
    stage.lose_next_launch()
    stage.arm()
    stage.resize(3)


def take_out(stage: Stage) -> None:
    """A user terminates one of two instances and lowers the capacity with it."""
    stage.settled_with(2)
    stage.arm()
    stage.terminate_one()


def delete(stage: Stage) -> None:
    """A group of two is deleted by force."""
    stage.settled_with(2)
    stage.arm()
    stage.delete()


def adopt(stage: Stage) -> None:
    """One of two machines was given up for lost, and comes back."""
    stage.settled_with(2)
    stage.hide_one()
    stage.arm()
    stage.show_it()


POINTS: dict[Flow, tuple[str, ...]] = {
    create: (
        "CreateAutoScalingGroup:before:1",
        "CreateAutoScalingGroup:after:1",
        "claim:before:1",
        "claim:after:1",
        "launch:before:1",
        "launch:after:1",
        "bind:before:1",
        "bind:after:1",
        "bind:before:2",
        "bind:after:2",
        "bind:before:3",
        "bind:after:3",
        "promote:before:1",
        "promote:after:1",
        "sweep:before:1",
        "sweep:after:1",
    ),
    grow: (
        "SetDesiredCapacity:before:1",
        "SetDesiredCapacity:after:1",
        "claim:before:1",
        "claim:after:1",
        "launch:before:1",
        "launch:after:1",
        "bind:before:1",
        "bind:after:1",
        "bind:before:2",
        "promote:before:1",
        "promote:after:1",
    ),
    shrink: (
        "SetDesiredCapacity:before:1",
        "SetDesiredCapacity:after:1",
        "retire:before:1",
        "retire:after:1",
        "terminate:before:1",
        "terminate:after:1",
        "note_dismissed:before:1",
        "note_dismissed:after:1",
        "bury:before:1",
        "bury:after:1",
    ),
    replace: (
        "bury:before:1",
        "bury:after:1",
        "claim:before:1",
        "claim:after:1",
        "launch:before:1",
        "launch:after:1",
        "bind:before:1",
        "bind:after:1",
    ),
    vanish: (
        "launch:before:1",
        "note_launch_failed:before:1",
        "note_launch_failed:after:1",
        "release:before:1",
        "release:after:1",
    ),
    lose_reply: (
        "launch:before:1",
        "note_launch_failed:before:1",
        "note_launch_failed:after:1",
        "bind:before:1",
        "bind:after:1",
        "note_launched:before:1",
        "note_launched:after:1",
    ),
    take_out: (
        "TerminateInstanceInAutoScalingGroup:before:1",
        "TerminateInstanceInAutoScalingGroup:after:1",
        "terminate:before:1",
        "terminate:after:1",
        "note_dismissed:before:1",
        "bury:after:1",
    ),
    delete: (
        "DeleteAutoScalingGroup:before:1",
        "DeleteAutoScalingGroup:after:1",
        "retire:before:1",
        "retire:after:1",
        "terminate:before:1",
        "terminate:after:1",
        "bury:before:1",
        "bury:after:1",
        "remove_group:before:1",
        "remove_group:after:1",
    ),
    adopt: (
        "sweep:before:1",
        "sweep:after:1",
        "claim:before:1",
        "claim:after:1",
        "bind:before:1",
        "bind:after:1",
    ),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """A flow in which the gateway dies at *point*, in as many lives as *deaths* says."""

    flow: Flow
    point: str
    deaths: int

    def __str__(self) -> str:
        return f"{self.flow.__name__}-{self.point.replace(':', '-')}-{self.deaths}"

    def __call__(self, stage: Stage) -> None:
        """Nothing; it came to its good end on *stage*."""
        stage.begin(self.point, deaths=self.deaths, armed_at_once=self.flow is create)
        self.flow(stage)
        stage.survive()


@dataclass(frozen=True, slots=True)
class Migration:
    """A gateway of the version before *revision* is followed by this one, which dies of every step of it."""

    revision: str

    def __str__(self) -> str:
        return f"migrate-{self.revision}"

    def __call__(self, stage: Stage) -> None:
        """Nothing; old records stayed whole until they were new, and the group lost nothing by it."""
        stage.begin("", deaths=0, armed_at_once=False)
        stage.settled_with(2)
        stage.step_back(self.revision)
        statements = stage.statements_to(self.revision)
        assert statements > 0
        for number in range(1, statements + 1):
            stage.die_migrating(f"{STATEMENT}:after:{number}")
        stage.die_migrating(f"{COMMIT}:before:1")
        stage.die_migrating(f"{MIGRATION}:after:1", is_new=True)
        stage.go_on()


def deaths_at(point: str) -> tuple[int, ...]:
    """
    In how many lives the gateway dies at *point*, scene by scene: once, and in one life after the other.

    What a verb has done is seldom done again: after it, the two would be the same scene.
    """
    is_done = ":after:" in point and point[0].islower()
    return (3,) if is_done else (1, 3)


SCENES = [
    Scene(flow, point, deaths) for flow, points in POINTS.items() for point in points for deaths in deaths_at(point)
]
MIGRATIONS = [Migration(revision) for revision in REVISIONS[1:]]

SAMPLE = [] if CHOSEN == POSTGRESQL else [Scene(grow, point, deaths_at(point)[0]) for point in POINTS[grow]]
"""What every run of the tests plays on PostgreSQL, too; ``make test-postgresql`` plays everything there."""


def on(kind: str, scenes: Sequence[Scene | Migration]) -> list[ParameterSet]:
    """The *scenes*, played by gateways with this kind of records."""
    return [pytest.param(kind, scene, id=f"{scene}-{kind}") for scene in scenes]


Theatres = Callable[[str], Theatre]


@pytest.fixture(scope="module")
def theatres(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatres]:
    """By the kind of records, endpoints and state directories for all the scenes that were asked for."""
    callspecs = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    scenes: list[Callable[[Stage], None]] = [*SCENES, *MIGRATIONS]
    if any(each.get("kind") == POSTGRESQL for each in callspecs) and binaries() is not None:
        shared().make_pattern()  # now: once scenes are played, threads go through migrations, and Alembic knows one
    with ExitStack() as exits:

        @functools.cache
        def of(kind: str) -> Theatre:
            if kind == POSTGRESQL:
                request.getfixturevalue("cluster")  # skips where no server is installed
            asked_for = {str(each.get("scene")) for each in callspecs if each.get("kind") == kind}
            programme = [(str(scene), scene) for scene in scenes if str(scene) in asked_for]
            directory = tmp_path_factory.mktemp("crash_points")
            return exits.enter_context(Theatre(directory, programme, kind))

        yield of


@pytest.mark.parametrize(("kind", "scene"), [*on(CHOSEN, SCENES), *on(POSTGRESQL, SAMPLE)])
def test_a_crash_is_survived(theatres: Theatres, kind: str, scene: Scene) -> None:
    """
    However often the gateway is killed, the group ends as it was wanted: no machine too many and none forgotten.

    F1, F2, F3, F5, F6 and F7 of docs/proofs.md.
    """
    theatres(kind).play(str(scene))


@pytest.mark.parametrize(("kind", "scene"), on(CHOSEN, MIGRATIONS))
def test_a_crash_in_a_migration_is_survived(theatres: Theatres, kind: str, scene: Migration) -> None:
    """F66: killed at any statement, at the commit or after it, the records are the old ones or the new, never both."""
    theatres(kind).play(str(scene))


@pytest.mark.parametrize("kind", sorted({CHOSEN, *(POSTGRESQL for _ in SAMPLE)}))
def test_all_scenes_leave_nothing_behind(theatres: Theatres, kind: str) -> None:
    """When the groups of all scenes are deleted, no endpoint's book has a living machine left."""
    theatres(kind).leaks_nothing()


def test_there_are_enough_points() -> None:
    """At least sixty, each named once per flow."""
    assert sum(map(len, POINTS.values())) >= 60
    assert all(len(set(points)) == len(points) for points in POINTS.values())


def test_every_step_is_trapped() -> None:
    """Each verb of the ledger that writes, and each of the cloud, dies in some flow."""
    named = {point.partition(":")[0] for points in POINTS.values() for point in points}
    assert named >= {*LEDGER_VERBS, *CLOUD_VERBS}
