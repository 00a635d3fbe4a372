"""
What every cloud promises, as tests: a kind's own test file inherits them and supplies the fixture ``cloud``.

Owns: the promises of :class:`backends.cloud.Cloud`. Does not own: how a kind is set up.
"""

import asyncio
import os
from collections.abc import Callable

from backends.cloud import Cloud, LaunchSpec, MachineState, Mark, Sweep

GATEWAY = f"gateway-of-the-contract-{os.getpid()}"
WAIT_S = 10.0


def mark(token: str, group_uid: str = "group") -> Mark:
    """A mark of this suite's gateway."""
    return Mark(GATEWAY, group_uid, token)


async def sweep_until(cloud: Cloud, holds: Callable[[Sweep], bool]) -> Sweep:
    """The first sweep for which *holds*; between two sweeps it waits to be told of a change."""
    async with asyncio.timeout(WAIT_S):
        while not holds(sweep := await cloud.sweep()):
            await cloud.wait_for_change()
    return sweep


def all_in(state: MachineState) -> Callable[[Sweep], bool]:
    """Whether every machine of a sweep is in *state*."""
    return lambda sweep: all(machine.state is state for machine in sweep.machines)


class CloudContract:
    """The suite. *spec* is something that the cloud under test can launch."""

    spec = LaunchSpec("hello-phantom.gz", "m1.small")

    async def test_new_cloud_shows_a_complete_and_empty_sweep(self, cloud):
        """A cloud without machines says so, and means it."""
        sweep = await cloud.sweep()

        assert sweep.machines == ()
        assert sweep.complete

    async def test_launched_machines_are_swept_with_their_marks(self, cloud):
        """What launch returns is what the next sweep shows: ids, marks and positions."""
        launched = await cloud.launch(self.spec, 3, "token-a", mark("token-a"))

        swept = (await cloud.sweep()).machines
        assert {machine.machine_id for machine in launched} == {machine.machine_id for machine in swept}
        assert [machine.index for machine in launched] == [0, 1, 2]
        assert {machine.mark for machine in swept} == {mark("token-a")}

    async def test_machines_get_addresses_of_their_own(self, cloud):
        """No two machines share an address."""
        launched = await cloud.launch(self.spec, 3, "token-a", mark("token-a"))

        assert len({machine.private_ip for machine in launched} - {None}) == 3

    async def test_same_token_launches_nothing_twice(self, cloud):
        """A launch repeated with its token returns the same machines."""
        first = await cloud.launch(self.spec, 2, "token-a", mark("token-a"))
        again = await cloud.launch(self.spec, 2, "token-a", mark("token-a"))

        assert [machine.machine_id for machine in first] == [machine.machine_id for machine in again]
        assert len((await cloud.sweep()).machines) == 2

    async def test_same_token_launches_only_what_is_missing(self, cloud):
        """A launch repeated with a higher count adds the difference."""
        first = await cloud.launch(self.spec, 1, "token-a", mark("token-a"))
        again = await cloud.launch(self.spec, 3, "token-a", mark("token-a"))

        assert [machine.index for machine in again] == [0, 1, 2]
        assert again[0].machine_id == first[0].machine_id

    async def test_same_token_at_the_same_time_launches_nothing_twice(self, cloud):
        """Two launches of one token that overlap make one set of machines."""
        one, other = await asyncio.gather(
            cloud.launch(self.spec, 2, "token-a", mark("token-a")),
            cloud.launch(self.spec, 2, "token-a", mark("token-a")),
        )

        assert {machine.machine_id for machine in one} == {machine.machine_id for machine in other}
        assert len((await cloud.sweep()).machines) == 2

    async def test_other_token_launches_other_machines(self, cloud):
        """Tokens do not share machines."""
        one = await cloud.launch(self.spec, 1, "token-a", mark("token-a"))
        other = await cloud.launch(self.spec, 1, "token-b", mark("token-b"))

        assert one[0].machine_id != other[0].machine_id

    async def test_a_machine_is_known_by_its_id_and_a_stranger_is_denied(self, cloud):
        """Asked for two machines of which one never was, it shows the one and says no to the other."""
        launched = await cloud.launch(self.spec, 2, "token-a", mark("token-a"))
        await cloud.sweep()

        inquiry = await cloud.inquire([launched[1].machine_id, "i-00000000000000000"])

        assert [(m.machine_id, m.state) for m in inquiry.machines] == [(launched[1].machine_id, MachineState.RUNNING)]
        assert inquiry.denied == {"i-00000000000000000"}

    async def test_launch_of_none_makes_none(self, cloud):
        """A count of zero is no error and no machine."""
        assert await cloud.launch(self.spec, 0, "token-a", mark("token-a")) == []

    async def test_launch_never_exceeds_the_batch(self, cloud):
        """Asked for more than one call may make, a cloud makes what it may."""
        launched = await cloud.launch(self.spec, cloud.traits.launch_batch_max + 1, "token-a", mark("token-a"))

        assert len(launched) == cloud.traits.launch_batch_max

    async def test_terminated_machines_end_and_the_others_live(self, cloud):
        """Terminate ends the machines named, and no other."""
        launched = await cloud.launch(self.spec, 2, "token-a", mark("token-a"))

        await cloud.terminate([launched[0].machine_id])

        sweep = await sweep_until(cloud, lambda sweep: MachineState.TERMINATED in {m.state for m in sweep.machines})
        states = {machine.machine_id: machine.state for machine in sweep.machines}
        assert states == {
            launched[0].machine_id: MachineState.TERMINATED,
            launched[1].machine_id: MachineState.RUNNING,
        }

    async def test_terminate_may_be_repeated_and_may_name_strangers(self, cloud):
        """Already gone is success, never heard of is success."""
        launched = await cloud.launch(self.spec, 1, "token-a", mark("token-a"))
        for _ in range(2):
            await cloud.terminate([launched[0].machine_id, "i-00000000000000000"])

        await sweep_until(cloud, all_in(MachineState.TERMINATED))
        await cloud.terminate([launched[0].machine_id])

    async def test_token_of_a_dead_machine_launches_nothing(self, cloud):
        """While a dead machine is listed, its token returns it, dead, and makes no other."""
        launched = await cloud.launch(self.spec, 1, "token-a", mark("token-a"))
        await cloud.terminate([launched[0].machine_id])
        await sweep_until(cloud, all_in(MachineState.TERMINATED))

        again = await cloud.launch(self.spec, 1, "token-a", mark("token-a"))

        assert [(m.machine_id, m.state) for m in again] == [(launched[0].machine_id, MachineState.TERMINATED)]

    async def test_change_between_two_waits_is_not_lost(self, cloud):
        """A launch that nobody waited for is still announced to who waits next."""
        await cloud.sweep()
        await cloud.launch(self.spec, 1, "token-a", mark("token-a"))

        async with asyncio.timeout(WAIT_S):
            await cloud.wait_for_change()

    async def test_nothing_is_announced_while_nothing_changes(self, cloud):
        """After a sweep that saw everything, a wait for a change lasts."""
        await cloud.launch(self.spec, 1, "token-a", mark("token-a"))
        await cloud.sweep()

        waiting = asyncio.ensure_future(cloud.wait_for_change())
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        waiting.cancel()

        assert not done

    async def test_probe_says_what_there_is(self, cloud):
        """A cloud that works answers its probe without findings and offers the image of this suite."""
        probe = await cloud.probe()

        assert probe.reachable
        assert self.spec.image_id in probe.images
        assert [finding for finding in probe.findings if "'absent'" not in finding] == []
