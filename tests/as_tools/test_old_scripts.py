"""
What scripts of 2009 to 2014 relied on, run as they ran it: in ``sh``, through pipes, against a running gateway.

Owns: the sixteen things that are known of public scripts, and the whole life of a group.
"""

import base64
import json

import pytest

from phantom_gateway.operations import all_operations
from phantom_gateway.operations.table import TABLE
from tests.as_tools.shell import Shell
from tests.support.gateway import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.processes

LIFE = """\
set -eu
as-create-launch-config $NAME@hotel --image-id sleeper --instance-type m1.small --key phantomkey --group default
as-create-auto-scaling-group $NAME --launch-configuration $NAME@hotel --availability-zones hotel \\
    --min-size 1 --max-size 4 --tag "k=Name, v=$NAME, p=true"

await() { # await NUMBER: that many instances, all in service
    until [ "$(as-describe-auto-scaling-groups $NAME | grep ^INSTANCE | grep -c '  InService  ')" = "$1" ] &&
          [ "$(as-describe-auto-scaling-groups $NAME | grep -c ^INSTANCE)" = "$1" ]; do :; done
}

await 1
as-set-desired-capacity $NAME --desired-capacity 3
await 3
first=$(as-describe-auto-scaling-groups $NAME | grep INSTANCE | cut -d " " -f 3 | awk 'NR == 1')
as-terminate-instance-in-auto-scaling-group $first -D -f | awk '{print $1, $3 != ""}'
until ! as-describe-auto-scaling-instances | grep -q "$first"; do :; done
await 3
as-update-auto-scaling-group $NAME --min-size 0 --max-size 2
await 2
as-describe-auto-scaling-groups $NAME | awk '/^AUTO-SCALING-GROUP/ {print $2, $5, $6, $7}'
as-suspend-processes $NAME --processes Launch,Terminate
as-describe-auto-scaling-groups $NAME | grep SUSPENDED-PROCESS | cut -d " " -f 3
as-resume-processes $NAME
as-describe-auto-scaling-groups $NAME | grep -c SUSPENDED-PROCESS || true
as-describe-tags --filter "auto-scaling-group=$NAME" | awk '{print $4, $5}'
as-delete-tags --tag "id=$NAME, k=Name" -f
as-describe-tags --filter "auto-scaling-group=$NAME"
as-update-auto-scaling-group $NAME --min-size 0 --max-size 0
until ! as-describe-auto-scaling-groups $NAME | grep -q INSTANCE; do :; done
until ! as-describe-scaling-activities -g $NAME | grep -q InProgress; do :; done
as-delete-auto-scaling-group $NAME -f
echo y | as-delete-launch-config $NAME@hotel
as-describe-auto-scaling-groups $NAME
as-describe-launch-configs $NAME@hotel
"""

LIFE_TOLD = """\
OK-Created launch config
OK-Created AutoScalingGroup
OK-Desired Capacity Set
INSTANCE 1
OK-Updated AutoScalingGroup
{name} 0 2 2
OK-Processes Suspended
Launch
Terminate
OK-Processes Resumed
0
Name {name}
OK-Deleted tags
OK-Updated AutoScalingGroup
OK-Deleted AutoScalingGroup
OK-Deleted launch configuration
"""


def test_the_whole_life_of_a_group_in_sh(shell: Shell, name: str, gateway: Gateway) -> None:
    """A group is made, grown, repaired, shrunk, suspended, tagged and deleted by as-*, cut, grep and awk alone."""
    before = len(gateway.vm_pids())
    outcome = shell.run(f"NAME={name}\n{LIFE}")

    assert outcome.out == LIFE_TOLD.format(name=name)
    assert outcome.status == 0
    assert outcome.err == "Are you sure you want to delete this launch configuration? [Ny]"
    wait_for(lambda: len(gateway.vm_pids()) == before, "its VMs to be gone")


def test_1_two_variables_are_enough(shell: Shell, name: str) -> None:
    """AWS_AUTO_SCALING_URL and AWS_CREDENTIAL_FILE are all that a script has to set; Java's variables do no harm."""
    java = {"AWS_AUTO_SCALING_HOME": "/opt/as", "JAVA_HOME": "/opt/java", "SERVICE_JVM_ARGS": "-Xmx1g"}
    create = f"as-create-launch-config {name}@hotel --image-id sleeper --instance-type m1.small"

    assert set(shell.environ) == {"AWS_AUTO_SCALING_URL", "AWS_CREDENTIAL_FILE"}
    assert shell.must(create) == "OK-Created launch config\n"
    assert shell.run("as-describe-launch-configs", environ=shell.environ | java).status == 0


def test_2_two_blanks_part_columns_and_the_first_word_says_what_a_line_is(shell: Shell, name: str) -> None:
    """Nothing but two blanks stands between columns, and the third field of a cut at blanks is the second column."""
    shell.make_group(name, 1)
    [group, instance] = shell.must(f"as-describe-auto-scaling-groups {name}").splitlines()

    assert group == f"AUTO-SCALING-GROUP  {name}  {name}@hotel  hotel  0  5  1  Default"
    assert instance.split("  ")[0::2] == ["INSTANCE", "hotel", "Healthy"]
    assert shell.must(f'as-describe-launch-configs {name}@hotel | cut -d " " -f 1,3,5,7') == (
        f"LAUNCH-CONFIG {name}@hotel sleeper m1.small\n"
    )
    assert shell.must(f"as-describe-auto-scaling-groups {name} | awk '/^INSTANCE/ {{print $4, $5}}'") == (
        "InService Healthy\n"
    )


def test_3_changes_are_told_by_a_line_that_begins_with_ok(shell: Shell, name: str) -> None:
    """The words are those that scripts grep for."""
    script = f"""
    as-create-launch-config {name}@hotel --image-id sleeper --instance-type m1.small
    as-create-auto-scaling-group {name} --launch-configuration {name}@hotel --availability-zones hotel \
        --min-size 0 --max-size 1
    as-update-auto-scaling-group {name} --max-size 2
    as-create-or-update-tags --tag "id={name}, t=auto-scaling-group, k=a, v=b, p=false"
    as-delete-auto-scaling-group {name} --force
    as-delete-launch-config {name}@hotel --force
    """

    assert shell.must(script).splitlines() == [
        "OK-Created launch config",
        "OK-Created AutoScalingGroup",
        "OK-Updated AutoScalingGroup",
        "OK-Created/Updated tags",
        "OK-Deleted AutoScalingGroup",
        "OK-Deleted launch configuration",
    ]


def test_4_the_exit_status_tells_success_from_failure(shell: Shell, name: str) -> None:
    """A script can say: if as-...; then. Errors go to standard error alone."""
    refused = shell.run(f"as-delete-auto-scaling-group {name} --force")
    told = shell.run(
        f"if as-delete-launch-config {name}@hotel -f 2>/dev/null; then echo gone; else echo failed; fi", given=""
    )

    assert refused.status == 1
    assert refused.out == ""
    assert f"AutoScalingGroup '{name}' not found" in refused.err
    assert told.out == "failed\n"


def test_5_headers_stand_before_each_kind_of_line(shell: Shell, name: str) -> None:
    """Each kind has its own line of headings, over its columns, and it begins with the kind itself."""
    shell.make_group(name, 1)
    lines = shell.must(f"as-describe-auto-scaling-groups {name} --headers").splitlines()

    assert [line.split()[0] for line in lines] == ["AUTO-SCALING-GROUP"] * 2 + ["INSTANCE"] * 2
    assert lines[0].split()[1:4] == ["GROUP-NAME", "LAUNCH-CONFIG", "AVAILABILITY-ZONES"]
    assert lines[2].split()[1:] == ["INSTANCE-ID", "AVAILABILITY-ZONE", "STATE", "STATUS", "LAUNCH-CONFIG"]
    assert lines[2].index("STATE") == lines[3].index("InService")
    assert shell.must(f"as-describe-launch-configs {name}@hotel -H | wc -l").strip() == "2"


def test_6_xml_is_the_answer_as_it_came(shell: Shell, name: str) -> None:
    """A parser finds AutoScalingGroups, Instances, member, InstanceId; with --headers the HTTP headers come first."""
    shell.make_group(name, 1)
    xml = shell.must(f"as-describe-auto-scaling-groups {name} --show-xml")
    with_headers = shell.must(f"as-describe-auto-scaling-groups {name} --show-xml --headers")
    [instance_id] = shell.settle(name, 1)
    script = (
        "import sys, lxml.etree as e; t = e.parse(sys.stdin); "
        "print(t.findtext('.//{*}AutoScalingGroups//{*}Instances/{*}member/{*}InstanceId'))"
    )

    assert xml.startswith("<DescribeAutoScalingGroupsResponse ")
    assert with_headers.startswith("HTTP/1.1 200 OK\n")
    assert "\n\n<DescribeAutoScalingGroupsResponse " in with_headers
    assert (
        shell.must(f'as-describe-auto-scaling-groups {name} --show-xml | python3 -c "{script}"') == f"{instance_id}\n"
    )


def test_7_the_long_form_has_every_field_in_its_place(shell: Shell, name: str) -> None:
    """Fields are parted by the delimiter, (nil) where there is nothing; a delimiter alone asks for the long form."""
    shell.must(f"as-create-launch-config {name}@hotel --image-id sleeper --instance-type m1.small --group one,two")
    by_comma = shell.must(f"as-describe-launch-configs {name}@hotel --show-long").strip()
    by_bar = shell.must(f"as-describe-launch-configs {name}@hotel --show-long --delimiter '|' | cut -d '|' -f 2,9")
    alone = shell.must(f"as-describe-launch-configs {name}@hotel --delimiter % | cut -d % -f 4")

    assert by_comma.startswith(f'LAUNCH-CONFIG,{name}@hotel,sleeper,m1.small,(nil),(nil),(nil),(nil),"one,two",20')
    assert ",true,arn:aws:autoscaling:us-east-1:123456789012:launchConfiguration:" in by_comma
    assert by_bar == f"{name}@hotel|one,two\n"
    assert alone == "m1.small\n"


@pytest.mark.parametrize("spelling", ["{}", "--name {}", "--auto-scaling-group {}", "--name={}"])
def test_8_a_name_stands_by_itself_or_behind_its_option(shell: Shell, name: str, spelling: str) -> None:
    """Both are in use, for groups and for launch configurations."""
    written = spelling.format(name)
    shell.must(f"as-create-launch-config --launch-config {name}@hotel --image-id sleeper --instance-type m1.small")
    shell.must(
        f"as-create-auto-scaling-group {written} --launch-configuration {name}@hotel --availability-zones hotel"
        " --min-size 0 --max-size 1"
    )

    assert shell.must(f"as-describe-auto-scaling-groups {written} | awk '{{print $2}}'") == f"{name}\n"
    assert shell.must(f"as-update-auto-scaling-group {written} --max-size 2") == "OK-Updated AutoScalingGroup\n"


@pytest.mark.parametrize(
    ("options", "left"),
    [
        pytest.param("-D -f", 2, id="short, replaced"),
        pytest.param("--no-decrement-desired-capacity --force", 2, id="long, replaced"),
        pytest.param("-d -f", 1, id="short, one fewer"),
    ],
)
def test_9_an_instance_is_terminated_with_or_without_a_replacement(
    shell: Shell, name: str, options: str, left: int
) -> None:
    """-D replaces, -d shrinks, -f does not ask; what is printed begins with INSTANCE and an activity's id."""
    shell.make_group(name, 2)
    victim, other = shell.settle(name, 2)
    told = shell.must(f"as-terminate-instance-in-auto-scaling-group {victim} {options}")
    wait_for(
        lambda: victim not in shell.must(f"as-describe-auto-scaling-groups {name}"), "the instance to leave its group"
    )
    rest = shell.settle(name, left)

    assert told.startswith("INSTANCE  ")
    assert other in rest


@pytest.mark.parametrize("zones", ["hotel sierra alamo", "hotel,sierra,alamo", "hotel, sierra, alamo"])
def test_10_lists_are_parted_by_blanks_or_commas(shell: Shell, name: str, zones: str) -> None:
    """All three ways are in use; several zones are shown joined by commas."""
    for cloud in ("hotel", "sierra", "alamo"):
        shell.must(f"as-create-launch-config {name}@{cloud} --image-id sleeper --instance-type m1.small")
    shell.must(
        f"as-create-auto-scaling-group {name} --availability-zones {zones} --launch-configuration {name}@hotel"
        " --min-size 0 --max-size 1"
    )

    assert shell.must(f"as-describe-auto-scaling-groups {name} | awk '{{print $4}}'") == "hotel,sierra,alamo\n"


@pytest.mark.parametrize("written", ['"--adjustment=-1"', "--adjustment -1", "-a -1"])
def test_11_a_negative_adjustment_arrives(shell: Shell, name: str, written: str) -> None:
    """The endpoint is asked for -1; what it says of policies is what the user is told."""
    shell.make_group(name, 0)
    outcome = shell.run(f"as-put-scaling-policy {name} -g {name} {written} --type ChangeInCapacity --show-request")
    all_operations()

    assert "ScalingAdjustment=-1\n" in outcome.err
    if "PutScalingPolicy" in TABLE:
        assert outcome.out.startswith("arn:aws:autoscaling:")
    else:
        assert (outcome.status, outcome.out) == (1, "")
        assert "InvalidAction: PutScalingPolicy is not built in this gateway yet." in outcome.err


def test_12_the_ids_of_instances_by_grep_and_cut(shell: Shell, name: str) -> None:
    """The pipe that is in most scripts gives the ids, and nothing else."""
    shell.make_group(name, 2)
    ids = shell.settle(name, 2)

    assert shell.must(f'as-describe-auto-scaling-groups {name} | grep INSTANCE | cut -d " " -f 3').split() == ids
    assert set(ids) < set(shell.must('as-describe-auto-scaling-instances | cut -f 3 -d " "').split())


def test_13_activities_in_progress_are_counted(shell: Shell, name: str) -> None:
    """A group at rest has none, and the lines of those that ended stay in their columns."""
    shell.make_group(name, 2)
    count = f"as-describe-scaling-activities --auto-scaling-group {name} | grep {{}} | wc -l"

    assert shell.must(count.format("InProgress")).strip() == "0"
    assert shell.must(count.format("Successful")).strip() == "2"


def test_14_tags_may_have_blanks_and_leave_out_what_is_known(shell: Shell, name: str) -> None:
    """The group's own name and kind need not be said when it is made; a value may hold commas."""
    shell.make_group(name, 0, '--tag "k=Name, v=web server, p=true" --tag "k=clouds,v=hotel:1,sierra:-1,p=false"')
    tags = json.loads(
        shell.must(f"as-describe-tags --filter auto-scaling-group={name} --show-long --delimiter '|'")
        .replace("TAG|", '["')
        .replace("|", '","')
        .replace("\n", '"],')
        .join(("[", "[]]"))
    )

    assert tags == [
        [name, "auto-scaling-group", "Name", "web server", "true"],
        [name, "auto-scaling-group", "clouds", "hotel:1,sierra:-1", "false"],
        [],
    ]


def test_15_user_data_from_a_file_arrives_in_base64(shell: Shell, name: str) -> None:
    """Byte for byte, whatever is in it."""
    content = b"#!/bin/sh\necho 'gr\xc3\xbc\xc3\x9f dich & <hello>'\n\x00\xff"
    (shell.directory / "user data").write_bytes(content)
    shell.must(
        f"as-create-launch-config {name}@hotel --image-id sleeper --instance-type m1.small --user-data-file 'user data'"
    )
    xml = shell.must(f"as-describe-launch-configs {name}@hotel --show-xml")

    assert base64.b64decode(xml.partition("<UserData>")[2].partition("</UserData>")[0]) == content


@pytest.mark.parametrize(
    "command",
    ["as-describe-auto-scaling-groups", "as-describe-launch-configs", "as-describe-auto-scaling-instances"],
)
@pytest.mark.parametrize("form", ["", "--headers", "--show-long", "--show-empty-fields"])
def test_16_an_unknown_name_is_no_error(shell: Shell, command: str, form: str) -> None:
    """Nothing is printed, and the status is 0."""
    assert shell.must(f"{command} no-such-thing {form}") == ""


def test_keys_on_the_command_line(shell: Shell) -> None:
    """-I and -S sign, -U says where; nothing needs to be in the environment."""
    url = shell.environ["AWS_AUTO_SCALING_URL"]
    outcome = shell.run(f"as-describe-account-limits -I {ACCESS_KEY_ID} -S {SECRET_ACCESS_KEY} -U {url}", environ={})

    assert (outcome.status, outcome.err) == (0, "")
