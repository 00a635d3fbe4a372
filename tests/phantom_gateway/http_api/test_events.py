"""The event stream: what it tells, to whom, in which order, and what it does not keep for anybody."""

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import timedelta

import jsonschema
import pytest

from phantom_gateway.front.http_api import streams
from phantom_gateway.operations.http_api import domain_instances
from phantom_gateway.records import events, instances
from phantom_gateway.records import tokens as token_records
from phantom_gateway.records.session import Connection, Database
from phantom_gateway.records.users import User
from tests.phantom_gateway.http_api.counter import Counter
from tests.phantom_gateway.http_api.listener import Event, Listener, listening
from tests.phantom_gateway.office import Office
from tests.support.waiting import wait_for


@pytest.fixture
def office(office: Office) -> Office:
    """An office with a launch configuration, and a group that wants two VMs and has none."""
    office.create_launch_configuration()
    office.create_group()
    return office


def gists(heard: list[Event]) -> list[tuple[str, str]]:
    """Kind and gist of each."""
    return [(event.kind, event.gist) for event in heard]


def make_bobs_group(office: Office, bob: User) -> None:
    """Bob has a group of no VMs."""
    launch = {"LaunchConfigurationName": "bobs@hotel", "ImageId": "hello", "InstanceType": "m1.small"}
    office.call("CreateLaunchConfiguration", bob, **launch)
    group = {"AutoScalingGroupName": "bobs", "LaunchConfigurationName": "bobs@hotel", "MinSize": 0, "MaxSize": 1}
    office.call("CreateAutoScalingGroup", bob, **group, AvailabilityZones=["us-east-1a"])


async def test_a_vm_is_followed_from_its_claim_to_its_end(counter: Counter, office: Office) -> None:
    """Each state comes once, in order, in the shape of the list, with its activities and the name of its domain."""
    async with listening(counter) as listener:
        await office.fill_now()
        heard = await listener.until("600-RUNNING", 2)
        office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=1)
        heard += await listener.until("domain")
        record = await office.ledger.read(office.uid())
        assert record is not None
        await office.ledger.retire(
            office.uid(), record.group.generation, [record.instances[0].key], ["x"], 0, office.now
        )
        await office.ledger.bury([record.instances[0].key], ["gone"], 0, office.now)
        heard += await listener.until("800-TERMINATED")
        heard += await listener.until("Successful")

    assert gists(heard) == [
        ("activity", "WaitingForInstanceId"),
        ("activity", "WaitingForInstanceId"),
        ("instance", "100-REQUESTING"),
        ("instance", "100-REQUESTING"),
        ("instance", "600-RUNNING"),
        ("activity", "Successful"),
        ("instance", "600-RUNNING"),
        ("activity", "Successful"),
        ("domain", "domain"),
        ("instance", "700-TERMINATING"),
        ("activity", "InProgress"),
        ("instance", "800-TERMINATED"),
        ("activity", "Successful"),
    ]
    listed = (await counter.call("GET", f"/domains/{office.uid()}/instances")).json[0]
    told = [event.data for event in heard if event.kind == "instance" and event.data["id"] == listed["id"]][-1]
    assert {name: told[name] for name in listed} == listed
    assert {(event.data["domain_id"], event.data["domain_name"]) for event in heard} == {(office.uid(), "web")}
    ids = [event.id for event in heard]
    assert len(set(ids)) == len(ids)
    described = office.call("DescribeScalingActivities")["Activities"]
    last = {event.data["activity_id"]: event.data for event in heard if event.kind == "activity"}
    assert {(each["ActivityId"], each["StatusCode"], each["Description"], each["Cause"]) for each in described} == {
        (each["activity_id"], each["status_code"], each["description"], each["cause"]) for each in last.values()
    }


async def test_a_domain_is_told_of_as_it_is(counter: Counter, office: Office) -> None:
    """Made, changed through either door, and gone: in the shape that GET shows."""
    async with listening(counter) as listener:
        office.create_group("other", DesiredCapacity=1)
        (made,) = await listener.until("domain")
        path = f"/domains/{made.data['domain_id']}"
        shown = (await counter.call("GET", path)).json
        assert {name: made.data[name] for name in shown} == shown
        assert made.data["gone"] is False

        office.call(
            "CreateOrUpdateTags",
            Tags=[{"ResourceId": "other", "ResourceType": "auto-scaling-group", "Key": "x", "Value": "y"}],
        )
        (tagged,) = await listener.until("domain")
        office.call("UpdateAutoScalingGroup", AutoScalingGroupName="other", MinSize=0, DesiredCapacity=0)
        (changed,) = await listener.until("domain")
        await counter.call("DELETE", path)
        (gone,) = await listener.until("gone")

    assert tagged.data["domain_name"] == "other"
    assert changed.data["sensor_minimum_vms" if "sensor_minimum_vms" in shown else "vm_count"] == 0
    assert dict(gone.data, at="") == {
        "gone": True,
        "domain_id": made.data["domain_id"],
        "domain_name": "other",
        "at": "",
    }


async def test_nothing_is_lost_and_nothing_comes_twice(counter: Counter, office: Office) -> None:
    """Cut off after any event, a client that comes back with its id hears exactly the rest, in the same order."""
    async with listening(counter) as listener:
        start = listener.last_id
        await office.fill_now()
        whole = await listener.until("Successful", 2)

    for place, event in enumerate(whole[:-1]):
        async with listening(counter, after=event.id) as listener:
            assert (
                await listener.until("Successful", sum(each.gist == "Successful" for each in whole[place + 1 :]))
                == (whole[place + 1 :])
            )
    async with listening(counter, after=start) as listener:
        assert await listener.until("Successful", 2) == whole


async def test_what_the_stream_says_is_what_the_lists_say(counter: Counter, office: Office) -> None:
    """After many changes through both doors, the last event of each VM and activity is what the lists have."""
    async with listening(counter) as listener:
        for round_number in range(6):
            desired = (round_number * 3) % 4 + 1
            office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=desired)
            await office.fill_now()
            victim = office.group()["Instances"][0]["InstanceId"]
            office.call("TerminateInstanceInAutoScalingGroup", InstanceId=victim, ShouldDecrementDesiredCapacity=False)
            if round_number % 2:
                record = await office.ledger.read(office.uid())
                assert record is not None
                doomed = [member.key for member in record.instances if not member.state.counts]
                await office.ledger.note_dismissed(doomed, office.now)
                await office.ledger.bury(doomed, ["gone"] * len(doomed), 0, office.now)
        heard = await all_there_is(listener)

    vms = {event.data["id"]: event.data["lifecycle_state"] for event in heard if event.kind == "instance"}
    listed = (await counter.call("GET", f"/domains/{office.uid()}/instances")).json
    assert {key: state for key, state in vms.items() if state != "800-TERMINATED"} == {
        each["id"]: each["lifecycle_state"] for each in listed
    }
    assert "800-TERMINATED" in vms.values()
    told = {event.data["activity_id"]: event.data for event in heard if event.kind == "activity"}
    for each in office.call("DescribeScalingActivities")["Activities"]:
        data = told[each["ActivityId"]]
        assert (data["status_code"], data["progress"]) == (each["StatusCode"], each["Progress"])
        assert (data["end_time"] is None) == (each["EndTime"] is None)


async def all_there_is(listener: Listener) -> list[Event]:
    """What comes until nothing has come for a while: the stream tells all that is there without a pause."""
    heard: list[Event] = []
    try:
        while True:
            async with asyncio.timeout(1):
                event = await listener.next()
            assert event is not None
            heard.append(event)
    except TimeoutError:
        return heard


async def test_another_user_hears_nothing(counter: Counter, office: Office) -> None:
    """Bob's stream tells of Bob's group alone, from now on and from the beginning; Alice's domain is unknown."""
    bob = office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")
    async with listening(counter, user=bob) as listener, listening(counter, after="0", user=bob) as old:
        await office.fill_now()
        make_bobs_group(office, bob)
        for each in (listener, old):
            assert [event.data["domain_name"] for event in await each.until("domain")] == ["bobs"]
    reply = await counter.call("GET", f"/events?domain={office.uid()}", user=bob)
    assert (reply.status, reply.json["error"]) == (404, "NotFound")


async def test_a_stream_of_one_domain_tells_of_no_other(counter: Counter, office: Office) -> None:
    """?domain=ID narrows it, at once and when it goes on after an event."""
    async with listening(counter) as listener:
        start = listener.last_id
    office.create_group("other")
    uid = office.uid("other")
    await office.fill_now()
    async with listening(counter, f"?domain={uid}", start) as listener:
        (first,) = await listener.until("domain")
        await office.fill_now()
        await office.fill_now("other")
        heard = await listener.until("Successful", 2)

    assert {event.data["domain_id"] for event in [first, *heard]} == {uid}


async def test_what_is_not_kept_is_said_to_be_missing(counter: Counter, office: Office) -> None:
    """Who was away for longer than a day, or comes from other records, gets a gap, then what is new; others do not."""
    async with listening(counter) as listener:
        await office.fill_now()
        heard = await listener.until("Successful", 2)
    office.later((events.KEPT + timedelta(minutes=1)).total_seconds())
    while await office.database.write(lambda connection: events.prune(connection, office.now)):
        pass

    for after in (heard[0].id, "0", "999999"):
        async with listening(counter, after=after) as listener:
            first = await listener.next()
            assert first is not None
            assert (first.kind, set(first.data)) == ("gap", {"message"})
            office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=1)
            (then,) = await listener.until("domain")
            office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=2)
            await listener.until("domain")
        async with listening(counter, after=then.id) as listener:
            assert gists(await listener.until("domain")) == [("domain", "domain")]
    async with listening(counter, after=heard[-1].id) as listener:
        assert (await listener.until("domain"))[0].kind == "domain"


def test_entries_are_kept_for_a_day_and_so_many_of_a_user(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first, in parts; of each user one empty entry says up to where; another user's stay."""
    bob = office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")
    make_bobs_group(office, bob)
    for desired in (1, 2) * 10:
        office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=desired)
    monkeypatch.setattr(events, "KEPT_PER_USER_MAX", 5)
    monkeypatch.setattr(events, "PRUNED_AT_ONCE_MAX", 4)

    def left(connection: Connection) -> tuple[list[int], int, int]:
        kept = events.page(connection, office.user.id, 0, 10_000, None)
        bobs = events.page(connection, bob.id, 0, 10_000, None)
        return [entry.id for entry in kept], events.dropped_up_to(connection, office.user.id), len(bobs)

    before, dropped, bobs = office.database.read_now(left)
    assert dropped == 0
    rounds = 0
    while office.database.write_now(lambda connection: events.prune(connection, office.now)):
        rounds += 1
    after, dropped, _ = office.database.read_now(left)
    assert (after, dropped) == (before[-6:], before[-6])
    assert rounds > 2
    assert office.database.read_now(left)[2] == bobs


async def test_a_revoked_token_ends_its_streams(counter: Counter, office: Office) -> None:
    """Within two seconds, in good order; those of another token go on."""
    revoked = counter.basic(token=counter.token())
    token = office.database.read_now(lambda it: token_records.made(it, office.user.id))[-1]
    async with listening(counter) as other, counter.open_stream("/events", None, {"Authorization": revoked}) as reply:
        office.database.write_now(lambda connection: token_records.revoke(connection, token.id, office.now))
        async with asyncio.timeout(3):
            await reply.read()
        office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=1)
        assert await other.until("domain")


async def test_a_user_has_so_many_streams_and_gives_them_back(counter: Counter, office: Office) -> None:
    """One more is refused with 429; each hears of a change; a client that goes makes room for another."""
    bob = office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")
    async with AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(listening(counter)) for _ in range(streams.STREAMS_PER_USER_MAX)]
        refused = await counter.call("GET", "/events")
        assert (refused.status, refused.json["error"]) == (429, "TooManyStreams")
        async with listening(counter, user=bob):
            assert counter.streams.count == streams.STREAMS_PER_USER_MAX + 1
        office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=1)
        heard = await asyncio.gather(*(listener.until("domain") for listener in listeners))
        assert len({each[0].id for each in heard}) == 1
    await asyncio.to_thread(wait_for, lambda: not counter.streams.count, "the streams to be given back")
    async with listening(counter):
        assert counter.streams.count == 1


async def test_another_process_is_heard(counter: Counter, office: Office) -> None:
    """What somebody else wrote into the same database is told within a second or so."""
    elsewhere = Database(office.database.url)
    async with listening(counter) as listener:
        moment = asyncio.get_running_loop().time()
        elsewhere.write_now(lambda it: events.add(it, 1, [events.GROUP_CHANGED], office.now))
        await listener.until("domain")
        assert asyncio.get_running_loop().time() - moment < 2
    elsewhere.close()


@pytest.mark.parametrize("after", ["", "x", "-1", "1.", "1.2.3", "9" * 19, "1 2"])
async def test_what_is_no_id_is_refused(counter: Counter, after: str) -> None:
    """400 that names the header."""
    reply = await counter.call("GET", "/events", headers={"Last-Event-ID": after})

    assert (reply.status, reply.json["error"]) == (400, "BadRequest")
    assert "Last-Event-ID" in reply.json["message"]


async def test_head_says_what_get_would_be(counter: Counter, office: Office) -> None:
    """HEAD has the head of the stream and no end to wait for; an unknown domain is 404 there, too."""
    good = await counter.call("HEAD", f"/events?domain={office.uid()}")
    assert (good.status, good.headers["Content-Type"], good.headers["Cache-Control"]) == (
        200,
        "text/event-stream",
        "no-store",
    )
    assert (await counter.call("HEAD", "/events?domain=nothing")).status == 404


async def test_a_vms_data_fits_the_schema_of_its_list(counter: Counter, office: Office) -> None:
    """What a VM in service is told of as is what the list shows, and a little more."""
    async with listening(counter) as listener:
        await office.fill_now()
        heard = await listener.until("Successful", 2)
    for event in heard:
        if event.kind == "instance":
            jsonschema.validate(event.data, json.loads(json.dumps(domain_instances.SHOWN)))


async def test_silence_is_filled(counter: Counter) -> None:
    """A stream without events has comments, and still a position."""
    counter.streams._heartbeat_s = 0.0
    async with listening(counter) as listener:
        async with asyncio.timeout(5):
            while not listener.comments:
                line = (await listener.reply.content.readline()).decode()
                listener.comments += line.startswith(":")


async def test_who_does_not_read_is_cut_off(counter: Counter, office: Office) -> None:
    """After some time without reading, the connection is closed; who comes back has lost nothing; others hear all."""
    counter.streams._read_s_max = 0.2
    ids = await write_many(office)
    reader, writer = await asyncio.open_connection("127.0.0.1", counter.port, limit=1)
    head = f"GET /api/dev/events HTTP/1.1\r\nHost: x\r\nAuthorization: {counter.basic()}\r\nLast-Event-ID: 0\r\n\r\n"
    writer.write(head.encode())

    async with listening(counter) as other:
        await asyncio.to_thread(wait_for, lambda: counter.streams.count == 2, "the stream to begin")
        await asyncio.to_thread(wait_for, lambda: counter.streams.count == 1, "the stream to be cut off")
        office.call("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=1)
        await other.until("domain")
    got = await read_until_reset(reader)
    writer.close()
    last = [line[4:] for line in got.splitlines() if line.startswith("id: ")][-2]  # the very last may be cut short

    assert len(got) < 6_000_000
    async with listening(counter, after=last) as listener:
        rest = [event.id for event in await listener.until("domain")]
    assert rest[:-1] == ids[ids.index(last) + 1 :]


async def write_many(office: Office) -> list[str]:
    """The ids of 20,000 events, some 12 MB as they are told: more than any socket takes."""
    (vm, *_) = await office.fill_now()
    row = office.database.read_now(lambda it: instances.by_instance_ids(it, office.user.id, [vm]))[0]

    def job(connection: Connection) -> None:
        for _ in range(20_000 // events.CHANGES_MAX):
            events.add(connection, row.group_id, [events.instance(row)] * events.CHANGES_MAX, office.now)

    office.database.write_now(job)
    entries = office.database.read_now(lambda it: entries_of(it, office.user.id))
    return [
        f"{entry.id}" if place == len(entry.changes) else f"{entry.id}.{place}"
        for entry in entries
        for place in range(1, len(entry.changes) + 1)
    ]


def entries_of(connection: Connection, user_id: int) -> list[events.Entry]:
    """All of them."""
    found: list[events.Entry] = []
    while page := events.page(connection, user_id, found[-1].id if found else 0, 10**9, None):
        found += page
    return found


async def read_until_reset(reader: asyncio.StreamReader) -> str:
    """What came before the connection was closed."""
    got = b""
    try:
        while part := await reader.read(2**16):
            got += part
    except ConnectionError:
        pass
    return got.decode()


async def test_a_shutdown_ends_streams_at_once(counter: Counter, office: Office) -> None:
    """One that is silent, and one whose client does not read."""
    await write_many(office)
    _, writer = await asyncio.open_connection("127.0.0.1", counter.port, limit=1)
    head = f"GET /api/dev/events HTTP/1.1\r\nHost: x\r\nAuthorization: {counter.basic()}\r\nLast-Event-ID: 0\r\n\r\n"
    writer.write(head.encode())
    async with listening(counter) as listener:
        await asyncio.to_thread(wait_for, lambda: counter.streams.count == 2, "the stream to begin")
        counter.streams.close()
        assert await listener.next() is None
    await asyncio.to_thread(wait_for, lambda: not counter.streams.count, "the streams to end", 3.0)
    writer.close()
    assert (await counter.call("GET", "/events")).status == 503
