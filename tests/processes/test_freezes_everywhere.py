"""
The red button with three gateways on one database: pressed at one, it holds all of them (G-R10).

Owns: what the cloud heard, by its own book and clock, while groups of every gateway never stopped wanting to change.
"""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.fake_ec2.ledger import Heard
from tests.processes import figures
from tests.processes.calls import Client, Lost, Refusal
from tests.processes.sharing import QUICK, Fleet, fleet
from tests.support.postgresql import Cluster
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]  # three gateways start, on machines that may be busy

EFFECTIVE_S_MAX = 2.0
"""G-R10: from the moment the button is in until the last call that changes a cloud."""

FROZEN_S = 4.0
"""How long nothing may come after that; groups are resized four times meanwhile."""

ASK_EVERY_S = 1.0
"""Between two changes of a group's size. Shorter: the launches a minute that an account may have are used up."""

SIZES = (1, 2)

CHANGES = ("RunInstances", "TerminateInstances")


class Pressure(threading.Thread):
    """Has each group grow and shrink, through one gateway after the other, until it is told to end."""

    def __init__(self, made: Fleet, names: list[str]) -> None:
        super().__init__(daemon=True)
        self.made, self.names, self.ended, self.accepted = made, names, threading.Event(), 0

    def run(self) -> None:
        """Nothing, once *ended* is set."""
        for turn in itertools.count():
            for number, name in enumerate(self.names):
                client = Client(self.made.replicas[(turn + number) % 3].port)
                with suppress(Lost, Refusal, OSError):
                    client.resize(SIZES[(turn + number) % 2], name)
                    self.accepted += 1
            if self.ended.wait(ASK_EVERY_S):
                return


@contextmanager
def pressed(made: Fleet, names: list[str]) -> Iterator[Pressure]:
    """Groups that never stop wanting to change."""
    pressure = Pressure(made, names)
    pressure.start()
    try:
        yield pressure
    finally:
        pressure.ended.set()
        pressure.join()


@pytest.fixture(scope="module")
def three(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three gateways that have shared out the shards."""
    with fleet(tmp_path_factory.mktemp("freezes"), cluster, 3, knobs=QUICK) as made:
        wait_for(lambda: made.is_shared_out(3), "the shards to be shared out", 60)
        yield made


@pytest.fixture(scope="module")
def names(three: Fleet) -> list[str]:
    """Groups, two of each gateway."""
    client = Client(three.replicas[0].port)
    found: dict[Path, list[str]] = {replica.directory: [] for replica in three.replicas}
    for number in itertools.count():
        if min(map(len, found.values())) == 2:
            break
        name = f"group-{number}"
        client.make_group("web@hotel", 0, ["hotel"], name)
        of_owner = found[three.owner_of(three.uid_of(name)).directory]
        if len(of_owner) < 2:
            of_owner.append(name)
        else:
            client.delete(name)
    return [name for names in found.values() for name in names]


def changes(made: Fleet, after: float) -> list[Heard]:
    """The calls that change something, of those that came after a time by the cloud's clock."""
    return [call for action in CHANGES for call in made.books.heard(action) if call.at > after]


def pause_until(moment: float) -> None:
    """Nothing, when it is that time by the cloud's clock, which is this machine's."""
    wait_for(lambda: time.time() >= moment, "time to pass")


def has_acted(made: Fleet, since: dict[str, int]) -> bool:
    """Whether each gateway has changed the cloud after its log was as long as *since* says."""
    return all(
        '"instance.launched"' in replica.log.read_text()[since[replica.directory.name] :] for replica in made.replicas
    )


def lengths(made: Fleet) -> dict[str, int]:
    """How long each gateway's log is."""
    return {replica.directory.name: len(replica.log.read_text()) for replica in made.replicas}


def all_have(client: Client, names: list[str], size: int) -> bool:
    """Whether each group has *size*, all in service."""
    found = [client.settled(name) for name in names]
    return all(group is not None and group.desired == size for group in found)


def test_the_red_button_holds_every_gateway_within_two_seconds(three: Fleet, names: list[str]) -> None:
    """G-R10: the cloud hears of no launch and no termination from any of three, killed and started again or not."""
    first, second, third = three.replicas
    before = lengths(three)
    with pressed(three, names) as pressure:
        wait_for(lambda: has_acted(three, before), "each gateway to launch")
        three.told(first, "freeze", "--all", "--reason", "a bad release")
        frozen_at = time.time()
        seen = {action: len(three.books.heard(action)) for action in CHANGES}
        asked = pressure.accepted
        pause_until(frozen_at + EFFECTIVE_S_MAX + FROZEN_S)
        accepted = pressure.accepted - asked
        second.kill()
        second.start(three.environ)
        pause_until(time.time() + EFFECTIVE_S_MAX)
        calls = changes(three, frozen_at + EFFECTIVE_S_MAX)
    wait_for(lambda: three.is_shared_out(3), "the shards to be shared out again", 60)
    for name in names:
        Client(third.port).resize(3, name)
    calls += changes(three, frozen_at + EFFECTIVE_S_MAX)
    thawing = lengths(three)
    three.told(third, "thaw", "--all")
    wait_for(lambda: all_have(Client(first.port), names, 3), "all groups to be whole", 60)

    last_s = max(call.at for call in changes(three, 0.0) if call.at < frozen_at + EFFECTIVE_S_MAX) - frozen_at
    figures.note("frozen everywhere", last_call_s=last_s)
    assert min(seen.values()) > 0, seen
    assert accepted >= len(names) * FROZEN_S / ASK_EVERY_S / 2
    assert calls == []
    assert has_acted(three, thawing)
    assert len(three.books.alive()) == 3 * len(names)


def test_a_group_is_held_wherever_its_gateway_is_and_the_others_go_on(three: Fleet, names: list[str]) -> None:
    """G-R10: frozen at a gateway that does not own it, a group is left alone within 2 s; the rest launch and end."""
    name, *others = names
    uid = three.uid_of(name)
    elsewhere = next(replica for replica in three.replicas if replica is not three.owner_of(uid))
    with pressed(three, names):
        wait_for(lambda: len(three.books.changes_of(uid)) > 0, "the group to change")
        three.told(elsewhere, "freeze", "--group", name)
        frozen_at = time.time()
        pause_until(frozen_at + EFFECTIVE_S_MAX + FROZEN_S)
        of_group = [at for at in three.books.changes_of(uid) if at > frozen_at + EFFECTIVE_S_MAX]
        of_rest = {each: three.books.changes_of(three.uid_of(each))[-1] > frozen_at for each in others}
    for each in names:
        Client(three.replicas[0].port).resize(2, each)
    three.told(three.replicas[0], "thaw", "--group", name)
    wait_for(lambda: all_have(Client(three.replicas[1].port), names, 2), "all groups to be whole", 60)

    assert of_group == []
    assert all(of_rest.values()), of_rest
