"""Which machines a sweep shows, and what of them, whatever an endpoint's dialect."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from backends.cloud import Machine, MachineState, Mark, token_for
from backends.ec2.inventory import state_of
from backends.errors import Ambiguous, Unreachable
from backends.moments import moment_of
from tests.backends.ec2_endpoint import (
    FOREIGN,
    GATEWAY,
    GROUP,
    MARK,
    NOW,
    OUR_TAGS,
    SPEC,
    TOKEN,
    cloud_at,
    endpoint,
    http,
    instance,
    inventory,
    launched,
    reply,
    tags,
)

OTHER_TOKEN = token_for(GATEWAY, GROUP, "cccccccccccc")


@pytest.mark.parametrize(
    "namespace",
    [
        pytest.param("http://ec2.amazonaws.com/doc/2016-11-15/", id="EC2"),
        pytest.param("http://ec2.amazonaws.com/doc/2016-11-15", id="without the closing slash, as moto"),
        pytest.param("http://ec2.amazonaws.com/doc/2010-08-31/", id="an old version"),
        pytest.param("urn:something-else", id="a stranger"),
        pytest.param("", id="none"),
    ],
)
async def test_machines_are_read_in_any_name_space(namespace):
    """A sweep shows what there is, whatever name space its endpoint uses."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.always(inventory([instance("i-1", tags=OUR_TAGS, ipAddress="192.0.2.1")], namespace=namespace))

        assert (await cloud.sweep()).machines == (
            Machine(
                "i-1",
                MachineState.RUNNING,
                MARK,
                datetime(2026, 1, 2, 3, tzinfo=UTC),
                private_ip="10.0.0.7",
                public_ip="192.0.2.1",
                zone="zone-a",
                index=0,
            ),
        )


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param({"tags": OUR_TAGS}, MARK, id="tags"),
        pytest.param({"clientToken": TOKEN}, MARK, id="token alone"),
        pytest.param({"tags": OUR_TAGS, "clientToken": TOKEN}, MARK, id="both"),
        pytest.param({"tags": OUR_TAGS, "clientToken": "ABCDE"}, MARK, id="tags, and what moto says for no token"),
        pytest.param(
            {"tags": OUR_TAGS, "clientToken": OTHER_TOKEN}, Mark(GATEWAY, GROUP, OTHER_TOKEN), id="two of our tokens"
        ),
        pytest.param({}, None, id="nothing"),
        pytest.param({"clientToken": FOREIGN}, None, id="another gateway's token"),
        pytest.param({"clientToken": f"{TOKEN}0"}, None, id="nearly our token"),
        pytest.param({"tags": tags(phantom_gateway=GATEWAY)}, None, id="one of our tags"),
        pytest.param({"tags": tags(phantom_group=GROUP, phantom_token=TOKEN)}, None, id="two of our tags"),
        pytest.param({"tags": tags(phantom_gateway=GATEWAY, phantom_group=GROUP, phantom_token="")}, None, id="empty"),
        pytest.param(
            {"tags": tags(phantom_gateway="ba9876543210", phantom_group=GROUP, phantom_token=FOREIGN)},
            None,
            id="another gateway's tags",
        ),
        pytest.param({"tags": tags(Name="web")}, None, id="a name"),
    ],
)
async def test_machine_is_ours_by_its_whole_mark_alone(texts, expected):
    """Tags or token say whose a machine is; a part of the mark, or another's, does not."""
    async with endpoint() as there, cloud_at(there.url, tags="none") as cloud:
        there.always(inventory([instance("i-1", **texts), instance("i-2")]))

        assert [machine.mark for machine in (await cloud.sweep()).machines] == ([expected] if expected else [])


@pytest.mark.parametrize("echo", ["another-token", FOREIGN])
async def test_copied_tags_make_no_machine_ours_where_tokens_are_kept(echo):
    """A console copies tags to the next launch; the token is the endpoint's own record of who launched."""
    async with endpoint() as there, cloud_at(there.url, token_is_idempotent=True, tags="none") as cloud:
        there.always(inventory([instance("i-1", tags=OUR_TAGS, clientToken=echo)]))

        assert (await cloud.sweep()).machines == ()


@pytest.mark.parametrize(
    ("name", "state"),
    [
        *((state.value, state) for state in MachineState),
        ("ERROR", MachineState.ERROR),
        ("shutting_down", MachineState.SHUTTING_DOWN),
        ("rescuing", MachineState.UNKNOWN),
        ("", MachineState.UNKNOWN),
    ],
)
def test_state_is_told_by_its_name(name, state):
    """The code beside it is 0 in every row: ec2-api gives an error the code of pending."""
    assert state_of(name) is state


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:00:00.000Z", datetime(2026, 1, 2, 3, tzinfo=UTC)),
        ("2026-01-02T03:00:00Z", datetime(2026, 1, 2, 3, tzinfo=UTC)),
        ("2026-01-02T03:00:00", datetime(2026, 1, 2, 3, tzinfo=UTC)),
        ("2026-01-02 03:00:00.123456", datetime(2026, 1, 2, 3, 0, 0, 123456, tzinfo=UTC)),
        ("2026-01-02T03:00:00+02:00", datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))),
        ("", NOW),
        ("yesterday", NOW),
    ],
)
def test_launch_time_is_read_in_every_spelling(text, moment):
    """A launch time without a zone is in UTC; what is none becomes the time of the look."""
    assert moment_of(text, NOW) == moment


async def test_launch_returns_every_machine_in_its_position():
    """More than asked for is returned too: the caller decides what to do with the surplus."""
    async with endpoint() as there, cloud_at(there.url, tags="none") as cloud:
        there.always(
            launched(
                instance("i-2", amiLaunchIndex="2", state="pending"),
                instance("i-0", amiLaunchIndex="0", state="error"),
                instance("i-1", amiLaunchIndex="1"),
                instance("i-x", amiLaunchIndex="none"),
            )
        )

        machines = await cloud.launch(SPEC, 2, TOKEN, MARK)

    assert [(m.machine_id, m.index, m.mark) for m in machines] == [
        ("i-0", 0, MARK),
        ("i-1", 1, MARK),
        ("i-2", 2, MARK),
        ("i-x", None, MARK),
    ]
    assert machines[0].state is MachineState.ERROR


@pytest.mark.parametrize("inner", ["", "<instancesSet><item><imageId>a</imageId></item></instancesSet>"])
async def test_launch_answer_without_machines_in_it_settles_nothing(inner):
    """An answer of the right name and the wrong shape may hide machines."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.always(reply("RunInstances", inner))

        with pytest.raises(Ambiguous):
            await cloud.launch(SPEC, 1, TOKEN, MARK)


async def test_launch_is_not_answered_with_the_machines_of_another():
    """An answer that belongs to another token settles nothing; a machine named twice is one."""
    async with endpoint() as there, cloud_at(there.url, tags="none") as cloud:
        there.always(launched(instance("i-1", clientToken=OTHER_TOKEN)))
        with pytest.raises(Ambiguous, match="machines of another launch"):
            await cloud.launch(SPEC, 1, TOKEN, MARK)

        there.always(launched(instance("i-1", clientToken=TOKEN), instance("i-1", clientToken=TOKEN)))
        assert len(await cloud.launch(SPEC, 1, TOKEN, MARK)) == 1


async def test_launch_answer_may_be_none_at_all():
    """An empty set is an answer: nothing was launched."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.always(launched())

        assert await cloud.launch(SPEC, 1, TOKEN, MARK) == []


async def test_sweep_puts_all_pages_together():
    """Machines of all pages are shown once each."""
    pages = {
        "": inventory([instance("i-1", clientToken=TOKEN)], "a"),
        "a": inventory([instance("i-2", clientToken=TOKEN), instance("i-1", clientToken=TOKEN, state="stopped")], "b"),
        "b": inventory([instance("i-3", clientToken=TOKEN)]),
    }
    async with endpoint() as there, cloud_at(there.url, tags="none", sweep_page_size=5) as cloud:
        there.answers = lambda asked, _writer: pages[asked.form.get("NextToken", "")]

        sweep = await cloud.sweep()

        assert {m.machine_id: m.state.value for m in sweep.machines} == {
            "i-1": "stopped",
            "i-2": "running",
            "i-3": "running",
        }
        assert sweep.complete
        assert sweep.started_at == NOW
        assert {asked.form["MaxResults"] for asked in there.asked} == {"5"}


async def test_sweep_with_a_failed_page_shows_nothing():
    """Half a sweep would make the other half look dead."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        first = inventory([instance("i-1", clientToken=TOKEN)], "more")
        there.answers = lambda asked, _writer: http(500, "broken") if "NextToken" in asked.form else first

        with pytest.raises(Unreachable):
            await cloud.sweep()


async def test_sweep_that_goes_round_in_circles_ends():
    """An endpoint that names a page twice is not followed for ever."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.always(inventory([], "again"))

        with pytest.raises(Unreachable, match="without end"):
            await cloud.sweep()
        assert len(there.asked) == 2


async def test_empty_answer_of_the_right_shape_is_an_empty_sweep():
    """No machines is an answer; no set of machines is none."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.always(inventory([]))
        assert (await cloud.sweep()).machines == ()

        there.always(reply("DescribeInstances", ""))
        with pytest.raises(Unreachable):
            await cloud.sweep()


async def test_sweep_tells_what_changed_since_the_last_one():
    """A page that differs in its request id alone is not read again; one that differs in anything else is."""
    states = iter(["pending", "pending", "running", "running", "pending"])
    request_ids = iter("abcde")
    async with endpoint() as there, cloud_at(there.url, tags="none") as cloud:

        def answers(_asked, _writer):
            inner = (
                f"<item><instancesSet>{instance('i-1', clientToken=TOKEN, state=next(states))}</instancesSet></item>"
            )
            request_id = f"<requestId>{next(request_ids)}</requestId>"
            return reply("DescribeInstances", f"{request_id}<reservationSet>{inner}</reservationSet>")

        there.answers = answers
        swept = [(await cloud.sweep()).machines[0] for _ in range(5)]

    assert [machine.state.value for machine in swept] == ["pending", "pending", "running", "running", "pending"]
    assert swept[0] is swept[1]
    assert swept[2] is swept[3]


async def test_large_page_is_no_attack():
    """A page of thousands of machines passes the parser's limits; entities that multiply do not."""
    filler = f"<userNote>{'x' * 3000}</userNote>"
    many = [
        instance(f"i-{number}", clientToken=TOKEN).replace("</item>", f"{filler}</item>", 1) for number in range(5000)
    ]
    laughs = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 50}">' for n in range(1, 9))
    bomb = (
        f'<!DOCTYPE r [<!ENTITY e0 "ha">{laughs}]><DescribeInstancesResponse a="&e8;">&e8;</DescribeInstancesResponse>'
    )
    async with endpoint() as there, cloud_at(there.url, tags="none") as cloud:
        there.always(inventory(many))
        assert len((await cloud.sweep()).machines) == 5000

        there.always(http(200, bomb))
        with pytest.raises(Unreachable):
            await cloud.sweep()
