"""
The stage of the crash points: an endpoint with a book, a gateway that dies when told to, and one group at a time.

Owns: arming, waiting for each death, the restarts, and the verdict from the endpoint's book.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.crash_points import migrating
from tests.crash_points.lives import MortalGateway
from tests.fake_ec2.endpoint import Endpoint
from tests.fake_ec2.faults import Fault, FaultPlan, Kind, When
from tests.fake_ec2.knobs import AWS
from tests.fake_ec2.serving import LoopThread
from tests.fake_ec2.world import World
from tests.processes.calls import Client, Lost, Refusal
from tests.support.records import Records
from tests.support.waiting import wait_for

CLOUD = """
[clouds.hotel]
kind = "ec2"
endpoint_url = "{url}"
region = "us-east-1"
access_key_id = "testing"
secret_access_key = "testing"
read_timeout_s = 5
visible_after_s = 1
"""

LOOK_AGAIN_S = 0.1
"""Between two looks through the API. At five times as many, half of the processor's time goes into looking."""

OLD_S = 600.0
"""Age of a machine that is adopted: a younger one may be somebody's launch that is not on record yet."""

WAYS = AWS.changed({"pending_s": 0.2, "shutting_down_s": 0.1, "terminated_listed_s": 3600.0})


class Stage:
    """One endpoint, one state directory, and the gateway's many lives. A context."""

    def __init__(self, directory: Path, database: str) -> None:
        """*database*: the kind of its records."""
        self._database = database
        self._arm = directory / "arm"
        self._servers = LoopThread()
        self._world = World(WAYS)
        self._plan = FaultPlan()
        self._directory = directory
        self._point = ""
        self._deaths = 1
        self._group = ""
        self._hidden = ""
        self._unanswered: Callable[[], object] | None = None
        self._wanted: set[int | None] = set()
        """Sizes that the group may have in the end; None stands for no group."""
        self._number = 0
        self._of_old_scenes: set[str] = set()

    def __enter__(self) -> Self:
        self._servers.__enter__()
        self._served = self._servers.serve(Endpoint(self._world, self._plan).application())
        self._gateway = MortalGateway(
            self._directory,
            clouds=(),
            sections=CLOUD.format(url=self._served.url),
            module=("tests.crash_points.dying",),
            arguments=(str(self._arm),),
            password="",
            database=self._database,
        )
        self._gateway.start()
        self._client.make_launch_configuration("web@hotel", "ami-00000000000000001")
        return self

    def leaks_nothing(self) -> None:
        """Nothing, once every machine of every scene is gone."""
        wait_for(lambda: not self._servers.call(self._world.ledger.alive), "the machines of all scenes to be gone")

    def mend(self) -> None:
        """Nothing; whatever went wrong in a scene, the next finds a gateway that lives, no fault, and nothing of it."""
        self._arm.unlink(missing_ok=True)
        self._servers.call(self._plan.clear)
        if self._gateway.is_dead:
            self._gateway.await_death()
            self._gateway.start()
        with suppress(Refusal):
            self._client.delete(self._group)

    def __exit__(self, *_: object) -> None:
        self._gateway.stop()
        self._servers.run(self._served.stop())
        self._servers.__exit__()

    def begin(self, point: str, *, deaths: int, armed_at_once: bool) -> None:
        """
        Nothing; the scene is a new group, and the gateway dies at *point* once it is armed.

        With more *deaths* than one, it dies there again in each later life that comes by, and the client that was not
        answered tries again in each.
        """
        self._number += 1
        self._of_old_scenes.update(self._servers.call(self._world.ledger.alive))
        self._group, self._point, self._deaths, self._wanted = f"group-{self._number}", point, deaths, {None}
        self._unanswered = None
        self._servers.call(self._plan.clear)
        if armed_at_once:
            self.arm()

    def arm(self) -> None:
        """Nothing; from now on the point is deadly."""
        self._arm.write_text(f"{self._point}:{self._deaths}")

    def make(self, size: int) -> None:
        """Nothing; the group exists with *size*, or the gateway died over it."""
        self._try(size, lambda: self._insistent.make_group("web@hotel", size, ["hotel"], self._group))

    def settled_with(self, size: int) -> None:
        """Nothing; the group is there, with what it wants."""
        self.make(size)
        _look_until(lambda: self._client.settled(self._group), f"{size} machines in service")

    def resize(self, size: int) -> None:
        """Nothing; the group wants *size*, or the gateway died over it."""
        self._try(size, lambda: self._insistent.resize(size, self._group))

    def delete(self) -> None:
        """Nothing; the group is on its way out, or the gateway died over it."""
        self._try(None, lambda: self._insistent.delete(self._group))

    def terminate_one(self) -> None:
        """Nothing; one instance is on its way out and the capacity is lower by it, or the gateway died over it."""
        group = self._client.group(self._group)
        assert group is not None
        parameters = {"InstanceId": group.instances[0][0], "ShouldDecrementDesiredCapacity": "true"}
        call = "TerminateInstanceInAutoScalingGroup"
        self._try(group.desired - 1, lambda: self._insistent.call(call, **parameters))

    def kill_one(self) -> None:
        """Nothing; a machine of the group is terminated by the cloud's operator."""
        group = self._client.group(self._group)
        assert group is not None
        self._servers.call(lambda: self._world.kill(group.instances[0][0]))

    def hide_one(self) -> None:
        """Nothing; an old machine of the group is given up for lost, and there is no room for another."""
        self._hidden = self._instances()[0]
        struck = len(self._plan.fired)
        self.fill_up()
        machine = self._world.machines[self._hidden]
        machine.born_at -= OLD_S
        machine.visible_at = math.inf
        _look_until(lambda: self._hidden not in self._instances(), "the hidden machine to be given up")
        wait_for(lambda: len(self._plan.fired) > struck, "a launch in its place to be refused")

    def show_it(self) -> None:
        """Nothing; the hidden machine is back."""
        self._world.machines[self._hidden].visible_at = 0.0

    def fill_up(self) -> None:
        """Nothing; the next launch is refused for want of capacity, in each life that the scene takes."""
        fault = Fault(Kind.NO_CAPACITY, "RunInstances", times=self._deaths)
        self._servers.call(lambda: self._plan.add(fault))

    def lose_next_launch(self) -> None:
        """Nothing; the next launch has its effect, and its reply is lost."""
        fault = Fault(Kind.RESET, "RunInstances", When.AFTER)
        self._servers.call(lambda: self._plan.add(fault))

    def step_back(self, revision: str) -> None:
        """Nothing; the gateway has ended in good order, and its records are as before *revision*."""
        assert self._gateway.terminate() == 0
        migrating.go_back(self._records, revision)

    def statements_to(self, revision: str) -> int:
        """How many statements a start takes to bring the records to *revision*."""
        copy = self._records.copy(self._directory / "copy")
        try:
            return migrating.statements_to(copy, revision)
        finally:
            copy.drop()

    def die_migrating(self, point: str, *, is_new: bool = False) -> None:
        """
        Nothing; two starts in a row ended at *point*, and left the records as they were.

        Or, after the one commit (*is_new*), the first left those of the new version, and the second began with them.
        """
        before = self._records.content()
        self._point, self._deaths = point, 2
        self.arm()
        for _ in range(self._deaths):
            assert not self._gateway.comes_up(), f"the gateway did not come by {point}"
            if is_new:
                assert migrating.revision_of(self._records) == migrating.REVISIONS[-1]
            else:
                assert self._records.content() == before

    def go_on(self) -> None:
        """Nothing; the gateway serves again, and every machine is in its group as if nothing had been."""
        machines = self._alive()
        assert self._gateway.comes_up()
        _look_until(self._is_as_wanted, f"the group to be as wanted ({self._wanted}) after migrations")
        assert self._alive() == machines
        self._check_tokens()
        self._client.delete(self._group)

    def survive(self) -> None:
        """Nothing; the gateway died, lives again, and the group is as wanted by the endpoint's own book."""
        deaths = 0
        while deaths < self._deaths and self._dies_again(deaths):
            self._gateway.await_death()
            deaths += 1
            if deaths == self._deaths > 1:  # each life's launch was refused: one more would only be held for longer
                self._servers.call(self._plan.clear)
            if self._gateway.comes_up():
                self._try_again()
        self._arm.unlink(missing_ok=True)
        _look_until(self._is_as_wanted, f"the group to be as wanted ({self._wanted}) after {self._point}")
        assert not self._gateway.is_dead
        self._check_tokens()
        with suppress(Refusal):  # there may be none
            self._client.delete(self._group)

    def _dies_again(self, deaths: int) -> bool:
        """Whether the gateway died at the point, rather than to end its work without coming by again."""
        is_over = deaths > 0 and not self._comes_again

        def is_decided() -> bool:
            return self._gateway.is_dead or (is_over and self._is_as_wanted())

        _look_until(is_decided, f"death number {deaths + 1} at {self._point}")
        return self._gateway.is_dead

    @property
    def _records(self) -> Records:
        return self._gateway.records

    @property
    def _comes_again(self) -> bool:
        """Whether the point is certain to be reached again in the next life."""
        verb, phase, _ = self._point.split(":")
        return phase == "before" and not verb.startswith("note_")

    @property
    def _client(self) -> Client:
        return Client(self._gateway.port)

    @property
    def _insistent(self) -> Client:
        """A client whose attempts are one call to the gateway, as those of AWS's SDKs are."""
        return Client(self._gateway.port, call_id=self._group)

    def _try(self, wanted: int | None, call: Callable[[], object]) -> None:
        """Nothing; *wanted* holds: as the only outcome when the call was answered or committed, else as one of two."""
        try:
            call()
        except Lost:
            is_committed = ":after:" in self._point and self._point[0].isupper()
            self._wanted = {wanted} if is_committed else self._wanted | {wanted}
            self._unanswered = lambda: self._try(wanted, call)
        else:
            self._wanted = {wanted}
            self._unanswered = None

    def _try_again(self) -> None:
        """Nothing; who was not answered has asked again, where the gateway dies more than once."""
        if self._unanswered is not None and self._deaths > 1:
            self._unanswered()

    def _instances(self) -> list[str]:
        group = self._client.group(self._group)
        return [] if group is None else [instance_id for instance_id, _, _ in group.instances]

    def _is_as_wanted(self) -> bool:
        try:
            group = self._client.group(self._group)
        except Lost:  # it has just died
            return False
        alive = self._alive()
        if group is None:
            return not alive and None in self._wanted
        recorded = sorted(instance_id for instance_id, _, _ in group.instances)
        return group.settled and group.desired in self._wanted and recorded == sorted(alive)

    def _alive(self) -> list[str]:
        """The machines that live, without those of groups whose scene is over and which are on their way out."""
        alive = self._servers.call(self._world.ledger.alive)
        return [machine_id for machine_id in alive if machine_id not in self._of_old_scenes]

    def _check_tokens(self) -> None:
        for token, births in self._world.ledger.births_by_token().items():
            asked = max(call.asked for call in self._world.ledger.calls_of("RunInstances") if call.token == token)
            assert births <= asked, f"{token} launched {births} machines where {asked} were asked for"


def _look_until(condition: Callable[[], object], what: str) -> None:
    wait_for(condition, what, poll_s=LOOK_AGAIN_S)
