"""What command lines become: the parameters that an endpoint is asked with, or an error that says what is wrong."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phantom_gateway.as_tools.arguments import shared_options
from phantom_gateway.as_tools.table import COMMANDS
from phantom_gateway.as_tools.values import USER_DATA_BYTES_MAX
from protocol.model import service
from tests.as_tools.calls import KEYS, call
from tests.as_tools.crooked_endpoint import Crooked, crooked

CREATE = ("--launch-configuration", "lc", "--min-size", "0", "--max-size", "1")
LAUNCH = ("lc", "--image-id", "img", "--instance-type", "m1.small")
POLICY = ("up", "-g", "web", "--type", "ChangeInCapacity")
TERMINATE = "terminate-instance-in-auto-scaling-group"


@pytest.fixture
def endpoint() -> Iterator[Crooked]:
    """One that answers nothing useful; what it was asked is what counts."""
    with crooked(b"<Nonsense/>") as state:
        yield state


def asked(endpoint: Crooked, command: str, *words: str, given: str = "") -> Mapping[str, str]:
    """The parameters of the one request that the command made, without Action and Version."""
    call(command, *words, environ={**KEYS, "AWS_AUTO_SCALING_URL": endpoint.url}, given=given)
    [form] = endpoint.asked
    assert form.pop("Action") == COMMANDS[command].operation
    assert form.pop("Version") == "2011-01-01"
    return form


@pytest.mark.parametrize(
    ("command", "words", "expected"),
    [
        pytest.param(
            "create-auto-scaling-group",
            ["web", *CREATE, "--availability-zones", "a,b", "c,", "d"],
            {f"AvailabilityZones.member.{n}": zone for n, zone in enumerate("abcd", 1)},
            id="zones, blanks and commas mixed",
        ),
        pytest.param(
            "create-auto-scaling-group",
            ["-l", "lc", "-m", "0", "-M", "1", "-z", "a", "--name", "web"],
            {"LaunchConfigurationName": "lc", "MinSize": "0", "MaxSize": "1", "AvailabilityZones.member.1": "a"},
            id="euscale's short options",
        ),
        pytest.param(
            "create-auto-scaling-group",
            [*CREATE, "web", "--vpc-zone-identifier", "s-1,s-2", "--grace-period=60", "--load-balancers", "x", "y"],
            {
                "AutoScalingGroupName": "web",
                "VPCZoneIdentifier": "s-1,s-2",
                "HealthCheckGracePeriod": "60",
                "LoadBalancerNames.member.1": "x",
                "LoadBalancerNames.member.2": "y",
            },
            id="a text with commas is no list",
        ),
        pytest.param(
            "create-launch-config",
            [*LAUNCH, "--block-device-mapping", "/dev/sda1=snap-1:8:false,/dev/sdb=ephemeral0", "/dev/sdc=none"],
            {
                "BlockDeviceMappings.member.1.DeviceName": "/dev/sda1",
                "BlockDeviceMappings.member.1.Ebs.SnapshotId": "snap-1",
                "BlockDeviceMappings.member.1.Ebs.VolumeSize": "8",
                "BlockDeviceMappings.member.1.Ebs.DeleteOnTermination": "false",
                "BlockDeviceMappings.member.2.DeviceName": "/dev/sdb",
                "BlockDeviceMappings.member.2.VirtualName": "ephemeral0",
                "BlockDeviceMappings.member.3.DeviceName": "/dev/sdc",
                "BlockDeviceMappings.member.3.NoDevice": "true",
            },
            id="block devices",
        ),
        pytest.param(
            "create-launch-config",
            [*LAUNCH, "--block-device-mapping", "/dev/sda1=:20", "--monitoring-disabled", "--ebs-optimized"],
            {
                "BlockDeviceMappings.member.1.DeviceName": "/dev/sda1",
                "BlockDeviceMappings.member.1.Ebs.VolumeSize": "20",
                "InstanceMonitoring.Enabled": "false",
                "EbsOptimized": "true",
            },
            id="flags, and a device without a snapshot",
        ),
        pytest.param(
            "create-launch-config",
            ["-i", "img", "-t", "m1.small", "lc", "-d", "grüß dich"],
            {"UserData": base64.b64encode("grüß dich".encode()).decode()},
            id="user data on the command line",
        ),
        pytest.param(
            "put-scaling-policy",
            [*POLICY, "--adjustment", "-2", "--cooldown", "300", "-s", "1"],
            {"ScalingAdjustment": "-2", "Cooldown": "300", "MinAdjustmentStep": "1", "PolicyName": "up"},
            id="a negative number behind a blank",
        ),
        pytest.param(
            "put-notification-configuration",
            ["web", "-t", "arn", "-n", "autoscaling:EC2_INSTANCE_LAUNCH,", "autoscaling:EC2_INSTANCE_TERMINATE"],
            {
                "NotificationTypes.member.1": "autoscaling:EC2_INSTANCE_LAUNCH",
                "NotificationTypes.member.2": "autoscaling:EC2_INSTANCE_TERMINATE",
                "TopicARN": "arn",
            },
            id="a comma and a blank",
        ),
        pytest.param("set-desired-capacity", ["web", "-c", "3", "-h"], {"HonorCooldown": "true"}, id="-h is honor"),
        pytest.param("set-desired-capacity", ["web", "-c3", "-H"], {"HonorCooldown": "false"}, id="-H is not"),
        pytest.param("execute-policy", ["up", "-H"], {"HonorCooldown": "false"}, id="-H of execute-policy"),
        pytest.param(TERMINATE, ["--instance", "i-1", "-Df"], {"InstanceId": "i-1"}, id="short flags in one"),
        pytest.param(
            "describe-tags",
            ["--filter", "auto-scaling-group=web,api", "--filter", "key=Name,value=x"],
            {
                "Filters.member.1.Name": "auto-scaling-group",
                "Filters.member.1.Values.member.1": "web",
                "Filters.member.1.Values.member.2": "api",
                "Filters.member.2.Name": "key",
                "Filters.member.2.Values.member.1": "Name",
                "Filters.member.3.Name": "value",
                "Filters.member.3.Values.member.1": "x",
            },
            id="filters, both spellings",
        ),
        pytest.param(
            "create-or-update-tags",
            ["--tag", "id=web, t=auto-scaling-group, k=clouds, v=hotel:1,sierra:-1", "--tag", "k=a,id=web,p=TRUE"],
            {
                "Tags.member.1.Value": "hotel:1,sierra:-1",
                "Tags.member.1.Key": "clouds",
                "Tags.member.2.Key": "a",
                "Tags.member.2.ResourceType": "auto-scaling-group",
                "Tags.member.2.PropagateAtLaunch": "TRUE",
            },
            id="tags with commas and without a kind",
        ),
        pytest.param("suspend-processes", ["web"], {"AutoScalingGroupName": "web"}, id="no processes: all"),
        pytest.param(
            "describe-auto-scaling-groups",
            ["a", "-H", "b,c", "--max-records", "1000", "d"],
            {f"AutoScalingGroupNames.member.{n}": each for n, each in enumerate("abcd", 1)} | {"MaxRecords": "100"},
            id="names around options, and a page no larger than there is",
        ),
    ],
)
def test_a_command_line_becomes_parameters(
    endpoint: Crooked, command: str, words: list[str], expected: dict[str, str]
) -> None:
    """All of *expected* is asked for."""
    form = asked(endpoint, command, *words)

    assert {name: form.get(name) for name in expected} == expected


def test_nothing_is_sent_that_was_not_given(endpoint: Crooked) -> None:
    """An update of one thing names the group and that thing alone, so that the rest stays as it is."""
    form = asked(endpoint, "update-auto-scaling-group", "web", "--max-size", "3")

    assert {name: value for name, value in form.items() if not name.startswith("X-Amz")} == {
        "AutoScalingGroupName": "web",
        "MaxSize": "3",
    }


@pytest.mark.parametrize(
    ("command", "words", "told"),
    [
        pytest.param("create-auto-scaling-group", [*CREATE], "GROUP is missing", id="no name"),
        pytest.param("create-auto-scaling-group", [*CREATE, "-z", "a", "web"], "before any list", id="name in a list"),
        pytest.param("create-auto-scaling-group", ["web", *CREATE[:4]], "--max-size is missing", id="no maximum"),
        pytest.param("create-auto-scaling-group", ["a", "b", *CREATE], "'a', 'b'", id="two names"),
        pytest.param(
            "create-auto-scaling-group", ["a", "--name", "b", *CREATE], "one GROUP is enough", id="two spellings"
        ),
        pytest.param("update-auto-scaling-group", ["web", "--max-size", "three"], "whole number", id="no number"),
        pytest.param("update-auto-scaling-group", ["web", "--max-size", ""], "whole number", id="empty number"),
        pytest.param("update-auto-scaling-group", ["web", "--max-size"], "--max-size", id="no value"),
        pytest.param("update-auto-scaling-group", ["web", "--bogus", "1"], "--bogus", id="unknown option"),
        pytest.param("update-auto-scaling-group", ["web", "--max", "1"], "--max", id="no abbreviations"),
        pytest.param("delete-auto-scaling-group", ["", "-f"], "was a variable not set", id="empty name"),
        pytest.param("describe-auto-scaling-groups", [""], "was a variable not set", id="empty name in a list"),
        pytest.param("suspend-processes", ["web", "--processes", ""], "was a variable not set", id="empty list"),
        pytest.param("suspend-processes", ["web", "--processes", ",", " "], "--processes", id="list of nothing"),
        pytest.param(TERMINATE, ["i-1", "-f"], "--no-decrement-desired-capacity is missing", id="neither"),
        pytest.param(TERMINATE, ["i-1", "-d", "-D"], "exclude each other", id="both"),
        pytest.param(
            "create-launch-config",
            [*LAUNCH, "--user-data", "x", "--user-data-file", "y"],
            "exclude each other",
            id="two user data",
        ),
        pytest.param("create-launch-config", [*LAUNCH, "--user-data-file", "/none"], "/none cannot be", id="no file"),
        pytest.param("create-launch-config", [*LAUNCH, "--block-device-mapping", "sda"], "DEVICE=WHAT", id="no device"),
        pytest.param(
            "create-launch-config", [*LAUNCH, "--block-device-mapping", "sda=s:x"], "SNAPSHOT[:GIB", id="no size"
        ),
        pytest.param("create-or-update-tags", ["--tag", "v=x"], "has no k=", id="tag without a key"),
        pytest.param("create-or-update-tags", ["--tag", "Name=x"], "none of id=", id="tag without letters"),
        pytest.param("create-or-update-tags", ["--tag", "k=x, p=yes"], "true or false", id="tag with yes"),
        pytest.param("create-or-update-tags", [], "--tag is missing", id="no tag"),
        pytest.param("create-or-update-tags", ["web", "--tag", "k=x"], "takes no argument", id="no argument wanted"),
        pytest.param("describe-tags", ["--filter", "web"], "NAME=VALUE", id="filter without a name"),
        pytest.param("describe-auto-scaling-groups", ["--max-records", "0"], "from 1 on", id="no records"),
        pytest.param("describe-auto-scaling-groups", ["--delimiter", ""], "--delimiter", id="no delimiter"),
        pytest.param("describe-auto-scaling-groups", ["--delimiter", "\n"], "--delimiter", id="line for a delimiter"),
        pytest.param("describe-auto-scaling-groups", ["--connection-timeout", "0"], "seconds", id="no time"),
        pytest.param("describe-auto-scaling-groups", ["--connection-timeout", "nan"], "seconds", id="odd time"),
        pytest.param("describe-auto-scaling-groups", ["--signature-version", "3"], "2 or 4", id="no such version"),
        pytest.param("describe-auto-scaling-groups", ["--url", "ftp://x"], "--url", id="no such scheme"),
        pytest.param("describe-auto-scaling-groups", ["--url", "localhost:8445"], "is not a URL", id="no scheme"),
        pytest.param(
            "describe-auto-scaling-groups", ["--url", "http://x:70000"], "Port out of range", id="no such port"
        ),
        pytest.param("describe-auto-scaling-groups", ["--url", "http://[::1"], "is not a URL", id="half an address"),
        pytest.param("describe-auto-scaling-groups", ["--url", "http://h/ü"], "is not a URL", id="no plain URL"),
        pytest.param("describe-auto-scaling-groups", ["--url", "http://h/ x"], "is not a URL", id="URL with a blank"),
        pytest.param("describe-auto-scaling-groups", ["--url", "http://h/?a=b"], "is not a URL", id="URL with a query"),
        pytest.param("describe-auto-scaling-groups", ["--region", "eu/../west"], "not a region", id="no region"),
        pytest.param("cmd", ["--completion", "fish"], "bash, zsh", id="unknown shell"),
        pytest.param("no-such-command", [], "as-cmd lists them", id="unknown command"),
    ],
)
def test_a_wrong_command_line_is_told_what_is_wrong(
    endpoint: Crooked, command: str, words: list[str], told: str
) -> None:
    """The status is 2, the text names the option and the rule, and nothing was sent."""
    outcome = call(command, *words, environ={**KEYS, "AWS_AUTO_SCALING_URL": endpoint.url})

    assert (outcome.status, outcome.out, endpoint.asked) == (2, "", [])
    assert outcome.err.startswith(f"as-{command}: ")
    assert told in outcome.err


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A command, and words for it: its own options among whatever people may type."""
    name = draw(st.sampled_from(list(COMMANDS)))
    command = COMMANDS[name]
    spellings = [spelling for option in (*command.options, *shared_options(command)) for spelling in option.spellings]
    typed = st.text(max_size=6) | st.sampled_from(["web", "1", "-1", "--", "k=a, v=b", "a,b", "a=b", "", "=", "-"])
    word = st.sampled_from(spellings) | typed | st.builds("{}={}".format, st.sampled_from(spellings), typed)
    return name, draw(st.lists(word, max_size=6))


@settings(deadline=None)
@given(lines())
def test_whatever_is_typed_there_is_a_status_and_a_text(line: tuple[str, list[str]]) -> None:
    """No words make a command fail in any other way; what is wrong is told in lines that begin with its name."""
    command, words = line
    outcome = call(command, *words, environ={**KEYS, "AWS_AUTO_SCALING_URL": "http://127.0.0.1:1"}, given="y\n")

    assert outcome.status in {0, 1, 2}
    assert outcome.status == 0 or f"as-{command}: " in outcome.err
    assert outcome.status != 0 or "--help" in words or "-h" in words or not COMMANDS[command].operation


def test_a_file_that_is_too_large_for_user_data_is_not_read_to_its_end(endpoint: Crooked, tmp_path: Path) -> None:
    """A disk image named by mistake is refused here; what is a little too large is the endpoint's to refuse."""
    path = tmp_path / "image"
    path.write_bytes(b"x" * (USER_DATA_BYTES_MAX + 1))
    outcome = call("create-launch-config", *LAUNCH, "-f", str(path), environ=KEYS)

    assert outcome.status == 2
    assert str(USER_DATA_BYTES_MAX) in outcome.err


@pytest.mark.parametrize(
    "command", ["delete-auto-scaling-group", "delete-launch-config", "delete-policy", "delete-scheduled-action"]
)
@pytest.mark.parametrize(
    ("given", "is_sent"),
    [("y\n", True), ("Y\n", True), ("yes\n", True), ("y", True), ("n\n", False), ("\n", False), ("", False)],
)
def test_a_question_is_asked_before_something_is_deleted(
    endpoint: Crooked, command: str, given: str, is_sent: bool
) -> None:
    """Only a y lets the request go; no answer, or no terminal, is a no and status 1."""
    more = ["-g", "web"] if command in {"delete-policy", "delete-scheduled-action"} else []
    outcome = call(command, "web", *more, environ={**KEYS, "AWS_AUTO_SCALING_URL": endpoint.url}, given=given)

    assert outcome.err.startswith(COMMANDS[command].question)
    assert outcome.out == ""
    assert (len(endpoint.asked) == 1) == is_sent
    assert outcome.status == 1
    assert is_sent or "nothing was done" in outcome.err


def test_every_command_that_deletes_asks_and_can_be_forced() -> None:
    """A question and -f come together, for whatever deletes or terminates."""
    destructive = {name for name in COMMANDS if name.startswith(("delete-", "terminate-")) and not COMMANDS[name].gone}
    asking = {name for name, command in COMMANDS.items() if command.question}
    forced = {
        name for name, command in COMMANDS.items() if any("-f" in o.spellings and not o.member for o in command.options)
    }

    assert destructive == asking == forced


def test_triggers_say_that_they_are_gone(endpoint: Crooked) -> None:
    """Whatever a script gives them, status 1 and what to use instead."""
    outcome = call("create-or-update-trigger", "t", "--auto-scaling-group", "g", environ=KEYS)

    assert (outcome.status, outcome.out) == (1, "")
    assert "as-put-scaling-policy" in outcome.err


def test_an_operation_that_an_old_botocore_does_not_know_is_no_crash() -> None:
    """All operations of the table are in the installed model; the table's test would fail for a new one."""
    assert {command.operation for command in COMMANDS.values()} - {""} <= set(service().operations)
