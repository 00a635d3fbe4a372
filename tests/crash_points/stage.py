"""
The stage of the crash points: an endpoint with a book, a gateway that dies when told to, and one group at a time.

Owns: arming, waiting for the death, the restart, and the verdict from the endpoint's book.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.fake_ec2.endpoint import Endpoint
from tests.fake_ec2.faults import Fault, FaultPlan, Kind, When
from tests.fake_ec2.knobs import AWS
from tests.fake_ec2.serving import LoopThread
from tests.fake_ec2.world import World
from tests.processes.calls import Client, Lost, Refusal
from tests.support.gateway import Gateway
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

WAYS = AWS.changed({"pending_s": 0.2, "shutting_down_s": 0.1, "terminated_listed_s": 3600.0})


class Stage:
    """One endpoint, one state directory, and the gateway's many lives. A context."""

    def __init__(self, directory: Path) -> None:
        self._arm = directory / "arm"
        self._servers = LoopThread()
        self._world = World(WAYS)
        self._plan = FaultPlan()
        self._directory = directory
        self._point = ""
        self._group = ""
        self._wanted: set[int | None] = set()
        self._number = 0
        self._of_old_scenes: set[str] = set()

    def __enter__(self) -> Self:
        self._servers.__enter__()
        self._served = self._servers.serve(Endpoint(self._world, self._plan).application())
        self._gateway = Gateway(
            self._directory,
            clouds=(),
            sections=CLOUD.format(url=self._served.url),
            module=("tests.crash_points.dying",),
            arguments=(str(self._arm),),
        )
        self._gateway.start()
        self._client.make_launch_configuration("web@hotel", "ami-00000000000000001")
        return self

    def leaks_nothing(self) -> None:
        """Nothing, once every machine of every scene is gone."""
        wait_for(lambda: not self._servers.call(self._world.ledger.alive), "the machines of all scenes to be gone")

    def __exit__(self, *_: object) -> None:
        self._gateway.stop()
        self._servers.run(self._served.stop())
        self._servers.__exit__()

    def begin(self, point: str, *, armed_at_once: bool) -> None:
        """Nothing; the scene is a new group, and the gateway dies at *point* once it is armed."""
        self._number += 1
        self._of_old_scenes.update(self._servers.call(self._world.ledger.alive))
        self._group, self._point, self._wanted = f"group-{self._number}", point, set()
        if armed_at_once:
            self.arm()

    def arm(self) -> None:
        """Nothing; from now on the point is deadly."""
        self._arm.write_text(self._point)

    def make(self, size: int) -> None:
        """Nothing; the group exists with *size*, or the gateway died over it."""
        self._try(size, lambda: self._client.make_group("web@hotel", size, ["hotel"], self._group))

    def settled_with(self, size: int) -> None:
        """Nothing; the group is there, with what it wants."""
        self.make(size)
        wait_for(lambda: self._client.settled(self._group), f"{size} machines in service")

    def resize(self, size: int) -> None:
        """Nothing; the group wants *size*, or the gateway died over it."""
        self._try(size, lambda: self._client.resize(size, self._group))

    def delete(self) -> None:
        """Nothing; the group is on its way out, or the gateway died over it."""
        self._try(None, lambda: self._client.delete(self._group))

    def terminate_one(self) -> None:
        """Nothing; one instance is on its way out and the capacity is lower by it, or the gateway died over it."""
        group = self._client.group(self._group)
        assert group is not None
        parameters = {"InstanceId": group.instances[0][0], "ShouldDecrementDesiredCapacity": "true"}
        call = "TerminateInstanceInAutoScalingGroup"
        self._try(group.desired - 1, lambda: self._client.call(call, **parameters))

    def kill_one(self) -> None:
        """Nothing; a machine of the group is terminated by the cloud's operator."""
        group = self._client.group(self._group)
        assert group is not None
        self._servers.call(lambda: self._world.kill(group.instances[0][0]))

    def fill_up(self) -> None:
        """Nothing; the next launch is refused for want of capacity."""
        fault = Fault(Kind.NO_CAPACITY, "RunInstances")
        self._servers.call(lambda: self._plan.add(fault))

    def lose_next_launch(self) -> None:
        """Nothing; the next launch has its effect, and its reply is lost."""
        fault = Fault(Kind.RESET, "RunInstances", When.AFTER)
        self._servers.call(lambda: self._plan.add(fault))

    def survive(self) -> None:
        """Nothing, once the gateway has died, lives again, and the group is as wanted by the endpoint's own book."""
        self._gateway.await_death()
        assert not self._arm.exists(), f"the gateway died, but not at {self._point}"
        self._gateway.start()
        wait_for(self._is_as_wanted, f"the group to be as wanted ({self._wanted}) after {self._point}")
        self._check_tokens()
        with suppress(Refusal):  # there may be none
            self._client.delete(self._group)

    @property
    def _client(self) -> Client:
        return Client(self._gateway.port)

    def _try(self, wanted: int | None, call: Callable[[], object]) -> None:
        """Nothing; *wanted* holds: as the only outcome when the call was answered, else as one that may be."""
        try:
            call()
        except Lost:
            self._wanted.add(wanted)
        else:
            self._wanted = {wanted}

    def _is_as_wanted(self) -> bool:
        group = self._client.group(self._group)
        alive = self._alive()
        if group is None:
            # A group whose making was not answered may have come to nothing.
            return not alive and (None in self._wanted or self._point.startswith("CreateAutoScalingGroup:before"))
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
