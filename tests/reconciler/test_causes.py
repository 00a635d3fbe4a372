"""The sentences that users read in scaling activities."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from reconciler import causes

AT = datetime(2013, 8, 19, 20, 53, 25, 999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sentence", "clause"),
    [
        pytest.param(
            causes.group_created(AT, 1),
            "a user request created an AutoScalingGroup changing the desired capacity from 0 to 1",
            id="created",
        ),
        pytest.param(
            causes.group_deleted(AT, 2),
            "a user request force deleted AutoScalingGroup changing the desired capacity from 2 to 0",
            id="deleted",
        ),
        pytest.param(
            causes.constraints_updated(AT, 1, 5, 3, before=2),
            "a user request update of AutoScalingGroup constraints to min: 1, max: 5, desired: 3 changing the desired "
            "capacity from 2 to 3",
            id="updated",
        ),
        pytest.param(
            causes.desired_set(AT, 7, 6),
            "a user request explicitly set group desired capacity changing the desired capacity from 7 to 6",
            id="desired set",
        ),
        pytest.param(
            causes.growing(AT, 1, 2),
            "an instance was started in response to a difference between desired and actual capacity, increasing the "
            "capacity from 1 to 2",
            id="growing",
        ),
        pytest.param(
            causes.shrinking(AT, 7, 6),
            "an instance was taken out of service in response to a difference between desired and actual capacity, "
            "shrinking the capacity from 7 to 6",
            id="shrinking",
        ),
        pytest.param(causes.selected(AT, "i-1"), "instance i-1 was selected for termination", id="selected"),
        pytest.param(
            causes.gone(AT),
            "an instance was taken out of service in response to an EC2 health check indicating it has been terminated "
            "or stopped",
            id="gone",
        ),
        pytest.param(
            causes.impaired(AT),
            "an instance was taken out of service in response to an EC2 instance status checks failure",
            id="impaired",
        ),
        pytest.param(
            causes.replacing(AT),
            "an instance was launched in response to an unhealthy instance needing to be replaced",
            id="replacing",
        ),
        pytest.param(
            causes.user_took_out(AT, "i-1"),
            "instance i-1 was taken out of service in response to a user request",
            id="taken out",
        ),
        pytest.param(
            causes.user_took_out(AT, "i-1", (2, 1)),
            "instance i-1 was taken out of service in response to a user request, shrinking the capacity from 2 to 1",
            id="taken out, shrinking",
        ),
    ],
)
def test_a_fact_is_told_in_the_words_of_aws(sentence: str, clause: str) -> None:
    """Scripts search activities for these words."""
    assert sentence == f"At 2013-08-19T20:53:25Z {clause}."


def test_times_are_told_in_utc() -> None:
    """Wherever the time came from."""
    elsewhere = AT.astimezone(timezone(timedelta(hours=-7)))

    assert causes.stamp(elsewhere) == "2013-08-19T20:53:25Z"


def test_sentences_are_joined_by_two_spaces() -> None:
    """As AWS does; clients split there."""
    assert causes.join(["At x one.", "At y two."]) == "At x one.  At y two."


def test_a_long_cause_loses_its_oldest_sentences() -> None:
    """The model allows 1023 characters, and the newest sentences explain most."""
    joined = causes.join([f"At {number} {'x' * 200}." for number in range(20)])

    assert len(joined) <= 1023
    assert joined.startswith("At 16 ")
    assert joined.endswith(f"At 19 {'x' * 200}.")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        pytest.param("hotel is full", "hotel is full. Launching EC2 instance failed.", id="without a full stop"),
        pytest.param("hotel is full.", "hotel is full. Launching EC2 instance failed.", id="with a full stop"),
    ],
)
def test_a_failed_launch_ends_with_the_words_of_aws(said: str, message: str) -> None:
    """After what the cloud said."""
    assert causes.launch_failed(said) == message


def test_a_long_failure_keeps_its_closing_words() -> None:
    """What the cloud said is cut, not what AWS adds."""
    message = causes.launch_failed("x" * 1000)

    assert len(message) == 255
    assert message.endswith("x. Launching EC2 instance failed.")
