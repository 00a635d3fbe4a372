"""
What every cloud promises, as tests: a kind's own test file inherits them and supplies the fixture ``site``.

Owns: the promises of :class:`backends.cloud.Cloud`. Does not own: how a kind is set up. ``CloudContract`` is what all
promise. A promise that takes something a kind may not have stands in a class of its own beside it, which a kind's test
file inherits too where it applies; a promise that a kind does not make is set to None by its test file, which says why.
Nothing is skipped.
"""

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import Callable

import pytest

from backends.cloud import BlockDevice, Cloud, LaunchSpec, MachineState, Mark, Sweep, token_for
from backends.errors import NoCapacity, Refused, Unreachable

GATEWAY = f"{os.getpid():012x}"
GROUP = "11111111-2222-3333-4444-555555555555"
TOKEN_A = token_for(GATEWAY, GROUP, "aaaaaaaaaaaa")
TOKEN_B = token_for(GATEWAY, GROUP, "bbbbbbbbbbbb")
WAIT_S = 10.0
LOOK_AGAIN_S = 0.02
"""Between two looks at a cloud that announces nothing; more at one that takes longer."""


def mark(token: str, group_uid: str = GROUP) -> Mark:
    """A mark of this suite's gateway."""
    return Mark(GATEWAY, group_uid, token)


async def sweep_until(cloud: Cloud, holds: Callable[[Sweep], bool], wait_s: float = WAIT_S) -> Sweep:
    """The first sweep for which *holds*; between two sweeps it waits to be told of a change, where changes are told."""
    pause_s = wait_s if cloud.traits.announces_changes else LOOK_AGAIN_S * wait_s / WAIT_S
    async with asyncio.timeout(wait_s):
        while not holds(sweep := await cloud.sweep()):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await cloud.wait_for_change()
    return sweep


def all_in(state: MachineState) -> Callable[[Sweep], bool]:
    """Whether every machine of a sweep is in *state*."""
    return lambda sweep: all(machine.state is state for machine in sweep.machines)


def living(sweep: Sweep) -> set[str]:
    """The machines of a sweep that are not over, nor on their way out."""
    over = {MachineState.TERMINATED, MachineState.SHUTTING_DOWN}
    return {machine.machine_id for machine in sweep.machines if machine.state not in over}


class Site:
    """A cloud under test. *wait_s* is how long its machines may take to change."""

    wait_s = WAIT_S

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud


class Promises:
    """What every part of the suite has: *spec*, which the cloud under test can launch, and *bad_spec*, which not."""

    spec = LaunchSpec("hello-phantom.gz", "m1.small")
    bad_spec = LaunchSpec("no-such-image", "m1.small")

    @pytest.fixture
    def cloud(self, site):
        """The cloud of the site."""
        return site.cloud


class CloudContract(Promises):
    """What every cloud promises."""

    lists_the_dead = True
    denies_by_id = True

    async def test_new_cloud_shows_a_complete_and_empty_sweep(self, cloud):
        """A cloud without machines says so, and means it."""
        sweep = await cloud.sweep()

        assert sweep.machines == ()
        assert sweep.complete

    async def test_launched_machines_are_swept_with_their_marks(self, cloud):
        """What launch returns is what the next sweep shows: ids, marks and positions."""
        launched = await cloud.launch(self.spec, 3, TOKEN_A, mark(TOKEN_A))

        swept = (await cloud.sweep()).machines
        assert {machine.machine_id for machine in launched} == {machine.machine_id for machine in swept}
        assert [machine.index for machine in launched] == [0, 1, 2]
        assert {machine.mark for machine in swept} == {mark(TOKEN_A)}

    async def test_machines_get_addresses_of_their_own(self, cloud):
        """No two machines share an address."""
        launched = await cloud.launch(self.spec, 3, TOKEN_A, mark(TOKEN_A))

        assert len({machine.private_ip for machine in launched} - {None}) == 3

    async def test_same_token_launches_nothing_twice(self, cloud):
        """A launch repeated with its token returns the same machines."""
        first = await cloud.launch(self.spec, 2, TOKEN_A, mark(TOKEN_A))
        again = await cloud.launch(self.spec, 2, TOKEN_A, mark(TOKEN_A))

        assert [machine.machine_id for machine in first] == [machine.machine_id for machine in again]
        assert len((await cloud.sweep()).machines) == 2

    async def test_same_token_launches_only_what_is_missing(self, cloud):
        """A launch repeated with a higher count adds the difference."""
        first = await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))
        again = await cloud.launch(self.spec, 3, TOKEN_A, mark(TOKEN_A))

        assert [machine.index for machine in again] == [0, 1, 2]
        assert again[0].machine_id == first[0].machine_id

    async def test_same_token_at_the_same_time_launches_nothing_twice(self, cloud):
        """Two launches of one token that overlap make one set of machines."""
        one, other = await asyncio.gather(
            cloud.launch(self.spec, 2, TOKEN_A, mark(TOKEN_A)),
            cloud.launch(self.spec, 2, TOKEN_A, mark(TOKEN_A)),
        )

        assert {machine.machine_id for machine in one} == {machine.machine_id for machine in other}
        assert len((await cloud.sweep()).machines) == 2

    async def test_other_token_launches_other_machines(self, cloud):
        """Tokens do not share machines."""
        one = await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))
        other = await cloud.launch(self.spec, 1, TOKEN_B, mark(TOKEN_B))

        assert one[0].machine_id != other[0].machine_id

    async def test_a_machine_is_known_by_its_id_and_a_stranger_is_denied(self, cloud, site):
        """Asked for two machines of which one never was, it shows the one and says no to the other."""
        launched = await cloud.launch(self.spec, 2, TOKEN_A, mark(TOKEN_A))
        await sweep_until(cloud, all_in(MachineState.RUNNING), site.wait_s)

        inquiry = await cloud.inquire([launched[1].machine_id, "i-00000000000000000"])

        assert [(m.machine_id, m.state) for m in inquiry.machines] == [(launched[1].machine_id, MachineState.RUNNING)]
        assert inquiry.denied == ({"i-00000000000000000"} if self.denies_by_id else set())

    async def test_launch_of_none_makes_none(self, cloud):
        """A count of zero is no error and no machine."""
        assert await cloud.launch(self.spec, 0, TOKEN_A, mark(TOKEN_A)) == []

    async def test_launch_never_exceeds_the_batch(self, cloud):
        """Asked for more than one call may make, a cloud makes what it may."""
        launched = await cloud.launch(self.spec, cloud.traits.launch_batch_max + 1, TOKEN_A, mark(TOKEN_A))

        assert len(launched) == cloud.traits.launch_batch_max

    async def test_terminated_machines_end_and_the_others_live(self, cloud, site):
        """Terminate ends the machines named, and no other."""
        launched = await cloud.launch(self.spec, 2, TOKEN_A, mark(TOKEN_A))

        await cloud.terminate([launched[0].machine_id])

        expected = {launched[0].machine_id: MachineState.TERMINATED} if self.lists_the_dead else {}
        expected[launched[1].machine_id] = MachineState.RUNNING
        await sweep_until(
            cloud, lambda sweep: {each.machine_id: each.state for each in sweep.machines} == expected, site.wait_s
        )

    async def test_terminate_may_be_repeated_and_may_name_strangers(self, cloud, site):
        """Already gone is success, never heard of is success."""
        launched = await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))
        for _ in range(2):
            await cloud.terminate([launched[0].machine_id, "i-00000000000000000"])

        await sweep_until(cloud, lambda sweep: self._are_over(sweep, {launched[0].machine_id}), site.wait_s)
        await cloud.terminate([launched[0].machine_id])

    def _are_over(self, sweep: Sweep, machine_ids: set[str]) -> bool:
        """Whether each of these is shown terminated, or not shown where the dead are not listed."""
        shown = {m.machine_id: m.state for m in sweep.machines if m.machine_id in machine_ids}
        if not self.lists_the_dead and not shown:
            return True
        return set(shown) == machine_ids and set(shown.values()) == {MachineState.TERMINATED}

    async def test_what_cannot_be_launched_is_refused_in_words(self, cloud):
        """An image that does not exist is the launch's own fault, and the text names it."""
        with pytest.raises(Refused, match=self.bad_spec.image_id):
            await cloud.launch(self.bad_spec, 1, TOKEN_A, mark(TOKEN_A))

        assert living(await cloud.sweep()) == set()

    async def test_token_of_a_dead_machine_launches_nothing(self, cloud):
        """While a dead machine is listed, its token returns it, dead, and makes no other."""
        launched = await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))
        await cloud.terminate([launched[0].machine_id])
        await sweep_until(cloud, all_in(MachineState.TERMINATED))

        again = await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))

        assert [(m.machine_id, m.state) for m in again] == [(launched[0].machine_id, MachineState.TERMINATED)]

    async def test_nothing_is_announced_while_nothing_changes(self, cloud):
        """After a sweep that saw everything, a wait for a change lasts."""
        await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))
        await cloud.sweep()

        waiting = asyncio.ensure_future(cloud.wait_for_change())
        if not cloud.traits.announces_changes:
            await cloud.launch(self.spec, 1, TOKEN_B, mark(TOKEN_B))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        waiting.cancel()

        assert not done

    async def test_probe_says_what_there_is(self, cloud):
        """A cloud that works answers its probe without findings and offers the image of this suite."""
        probe = await cloud.probe()

        assert probe.reachable
        assert self.spec.image_id in probe.images
        assert [finding for finding in probe.findings if "'absent'" not in finding] == []

    def test_suite_holds_it_to_what_its_traits_say(self, cloud):
        """A cloud that says that it announces changes is tested for it, and no other is."""
        assert isinstance(self, AnnouncedContract) == cloud.traits.announces_changes


class AnnouncedContract(Promises):
    """Of clouds whose traits say that they announce changes."""

    async def test_change_between_two_waits_is_not_lost(self, cloud):
        """A launch that nobody waited for is still announced to who waits next."""
        await cloud.sweep()
        await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))

        async with asyncio.timeout(WAIT_S):
            await cloud.wait_for_change()


class RestartContract(Promises):
    """Of clouds that outlive a gateway: ``await site.reopen()`` makes ``site.cloud`` another over the same place."""

    async def test_machines_are_found_again_after_a_restart(self, cloud, site):
        """Another gateway process over the same place sees the same machines, as ours, and can end them."""
        launched = await cloud.launch(self.spec, 2, TOKEN_A, mark(TOKEN_A))
        await site.reopen()

        sweep = await site.cloud.sweep()
        assert {m.machine_id: m.mark for m in sweep.machines} == {m.machine_id: mark(TOKEN_A) for m in launched}
        assert sorted(m.index for m in sweep.machines) == [0, 1]
        await site.cloud.terminate([machine.machine_id for machine in launched])
        await sweep_until(site.cloud, lambda sweep: living(sweep) == set(), site.wait_s)


class RoomContract(Promises):
    """Of clouds that can be full: after ``await site.leave_room(count)``, *count* more machines fit."""

    async def test_fewer_than_asked_is_an_answer(self, site):
        """A cloud with room for two of three launches two, or says that it has no room for three."""
        await site.leave_room(2)
        cloud = site.cloud

        try:
            launched = await cloud.launch(self.spec, 3, TOKEN_A, mark(TOKEN_A))
        except NoCapacity:
            launched = []

        assert len(launched) in {0, 2}
        expected = {machine.machine_id for machine in launched}
        await sweep_until(cloud, lambda sweep: living(sweep) == expected, site.wait_s)

    async def test_a_full_cloud_says_so(self, site):
        """No room at all is NoCapacity, and leaves nothing behind."""
        await site.leave_room(0)
        cloud = site.cloud

        with pytest.raises(NoCapacity):
            await cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A))

        await sweep_until(cloud, lambda sweep: living(sweep) == set(), site.wait_s)


class ToldContract(Promises):
    """Of clouds that keep user data: ``await site.user_data(machine_id)`` is what the machine was told."""

    async def test_user_data_reaches_the_machine(self, cloud, site):
        """Octet by octet, whatever it is."""
        told = b"#!/bin/sh\necho 'h\xc3\xa9llo' && exit 0\n"
        spec = dataclasses.replace(self.spec, user_data=told)

        (machine,) = await cloud.launch(spec, 1, TOKEN_A, mark(TOKEN_A))

        assert await site.user_data(machine.machine_id) == told


class PlainContract(Promises):
    """Of clouds that have none of what EC2 alone has."""

    @pytest.mark.parametrize(
        ("wish", "named"),
        [
            pytest.param({"spot_price": "0.1"}, "spot prices", id="spot price"),
            pytest.param({"block_devices": (BlockDevice("/dev/sdb", size_gib=8),)}, "block device", id="block device"),
            pytest.param({"kernel_id": "aki-1"}, "kernels", id="kernel"),
            pytest.param({"instance_profile": "admin"}, "instance profiles", id="instance profile"),
            pytest.param({"ebs_optimized": True}, "EBS optimisation", id="EBS optimisation"),
            pytest.param({"placement_tenancy": "dedicated"}, "placement tenancies", id="tenancy"),
            pytest.param({"associate_public_ip": True}, "public addresses", id="public address"),
        ],
    )
    async def test_what_cannot_be_honoured_is_refused_by_name(self, cloud, wish, named):
        """Dropping a part of an order in silence would be a lie: nothing is launched, and the text names it."""
        with pytest.raises(Refused, match=named):
            await cloud.launch(dataclasses.replace(self.spec, **wish), 1, TOKEN_A, mark(TOKEN_A))

        assert living(await cloud.sweep()) == set()


class FarContract(Promises):
    """Of clouds that may not answer: after ``await site.go_dark()``, nobody does."""

    async def test_a_cloud_that_does_not_answer_is_unreachable(self, cloud, site):
        """Neither verb makes an answer up, and nothing was launched for certain."""
        await site.go_dark()

        for call in (cloud.sweep(), cloud.launch(self.spec, 1, TOKEN_A, mark(TOKEN_A)), cloud.terminate(["i-1"])):
            with pytest.raises(Unreachable):
                await call
        assert not (await cloud.probe()).reachable
