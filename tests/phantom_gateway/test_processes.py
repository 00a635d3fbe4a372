"""Suspended processes."""

import pytest

from phantom_gateway.operations.processes import PROCESSES
from phantom_gateway.records import groups
from protocol.errors import ApiError
from tests.phantom_gateway.office import NOW, Office


@pytest.fixture
def office_with_group(office: Office) -> Office:
    """One group, "web"."""
    office.create_launch_configuration()
    office.create_group()
    return office


def suspended(office: Office) -> dict[str, str]:
    """What the group shows as suspended, with the reason."""
    return {each["ProcessName"]: each["SuspensionReason"] for each in office.group()["SuspendedProcesses"]}


def test_a_suspended_process_is_shown_with_its_reason(office_with_group: Office) -> None:
    """AWS's words, the time of the first suspension, and the group is woken."""
    office_with_group.call("SuspendProcesses", AutoScalingGroupName="web", ScalingProcesses=["Launch"])
    office_with_group.later(60)
    office_with_group.call("SuspendProcesses", AutoScalingGroupName="web", ScalingProcesses=["Launch", "Terminate"])

    assert suspended(office_with_group) == {
        "Launch": "User suspended at 2026-03-01T12:00:00Z",
        "Terminate": "User suspended at 2026-03-01T12:01:00Z",
    }
    assert office_with_group.woken == [office_with_group.uid()]


def test_none_named_means_all(office_with_group: Office) -> None:
    """Both ways."""
    office_with_group.call("SuspendProcesses", AutoScalingGroupName="web")
    assert sorted(suspended(office_with_group)) == sorted(PROCESSES)

    office_with_group.call("ResumeProcesses", AutoScalingGroupName="web")
    assert suspended(office_with_group) == {}


def test_resuming_launches_forgets_their_failures(office_with_group: Office) -> None:
    """After a day of failures a human says that it is mended: the day begins anew."""
    uid = office_with_group.uid()

    def fail(connection):
        group = groups.by_uid(connection, uid)
        assert group is not None
        groups.note_launches(connection, group.id, NOW, 14)

    office_with_group.database.write_now(fail)
    office_with_group.call("ResumeProcesses", AutoScalingGroupName="web", ScalingProcesses=["Launch"])

    group = office_with_group.database.read_now(lambda connection: groups.by_uid(connection, uid))
    assert group is not None
    assert (group.failing_since, group.launch_failures) == (None, 0)


def test_an_unknown_process_is_refused(office_with_group: Office) -> None:
    """The error lists the processes there are."""
    with pytest.raises(ApiError, match="the processes are: AZRebalance"):
        office_with_group.call("SuspendProcesses", AutoScalingGroupName="web", ScalingProcesses=["Breathe"])
