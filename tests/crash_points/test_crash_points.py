"""
The gateway killed at every point of every flow, on an EC2-compatible endpoint whose own book is the judge.

Each point is reached for certain: a flow that does not come by is a failure of the test. After the restart the group
has what it wants, every machine is on record, and no token has launched more than it was to.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.crash_points.stage import Stage

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
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One endpoint and one state directory for all points: what a crash leaves behind is there at the next."""
    with Stage(tmp_path_factory.mktemp("crash_points")) as made:
        yield made


@pytest.mark.parametrize(
    ("flow", "point"),
    [
        pytest.param(flow, point, id=f"{flow.__name__}-{point.replace(':', '-')}")
        for flow, points in POINTS.items()
        for point in points
    ],
)
def test_a_crash_is_survived(stage: Stage, flow: Flow, point: str) -> None:
    """Whenever it is killed, the group ends as wanted, no machine too many, none forgotten (F1, F2, F3, F5, F6, F7)."""
    stage.begin(point, armed_at_once=flow is create)
    flow(stage)
    stage.survive()


def test_all_scenes_leave_nothing_behind(stage: Stage) -> None:
    """When the groups of all scenes are deleted, the endpoint's book has no living machine left."""
    stage.leaks_nothing()


def test_there_are_enough_points() -> None:
    """At least sixty, each named once per flow."""
    assert sum(map(len, POINTS.values())) >= 60
    assert all(len(set(points)) == len(points) for points in POINTS.values())


def test_every_step_is_trapped() -> None:
    """Each verb of the ledger that writes, and each of the cloud, dies in some flow."""
    from tests.crash_points.dying import CLOUD_VERBS, LEDGER_VERBS

    named = {point.partition(":")[0] for points in POINTS.values() for point in points}
    assert named >= {*LEDGER_VERBS, *CLOUD_VERBS}
