"""
Launches of unknown outcome: how long they stay so, and when the same call is made again.

A cloud whose tokens launch nothing twice is looked at once; any other until its machines must be seen.
"""

from dataclasses import replace

import pytest

from reconciler import actions
from tests.reconciler.views import TRAITS, account, ago, claim, of_kind, plan, view


def test_a_fresh_claim_waits_for_a_sweep_that_can_tell() -> None:
    """Where a token launches twice, the plan looks again when its machine must be seen; it may be listed late."""
    traits = replace(TRAITS, token_is_idempotent=False)
    made = plan(view(1, [claim(1, claimed_at=ago(4))], accounts={"hotel": account([], traits=traits)}))

    assert made.actions == ()
    assert made.recheck_s == pytest.approx(6)
    assert made.waiting_on == ("the outcome of 1 launches on hotel is not known yet",)


def test_an_overdue_claim_asks_for_a_sweep() -> None:
    """The time has come, the picture is older."""
    traits = replace(TRAITS, token_is_idempotent=False)
    made = plan(view(1, [claim(1, claimed_at=ago(10.5))], accounts={"hotel": account(traits=traits)}))

    assert made.actions == ()
    assert made.look_at == {"hotel"}


def test_a_token_that_launches_nothing_twice_is_repeated_after_one_look() -> None:
    """The call may be lost with a process that died; repeating it brings in what it launched, listed or not."""
    made = plan(view(1, [claim(1, claimed_at=ago(4))]))

    assert [a.instance_keys for a in of_kind(made, actions.Resend)] == [(1,)]


def test_before_that_look_it_is_not_repeated() -> None:
    """The machines may be there, and then nothing has to be called."""
    made = plan(view(1, [claim(1, claimed_at=ago(0.5))]))

    assert made.actions == ()
    assert made.look_at == {"hotel"}


def test_where_tokens_are_not_locked_the_call_has_to_be_over() -> None:
    """A gateway that died in the middle of a call may find it under way still, and would launch its machines twice."""
    traits = replace(TRAITS, repeat_after_s=10.0)
    account_there = {"hotel": account(traits=traits)}

    soon = plan(view(1, [claim(1, claimed_at=ago(4))], accounts=account_there))
    later = plan(view(1, [claim(1, claimed_at=ago(20))], accounts=account_there))

    assert soon.actions == ()
    assert [a.instance_keys for a in of_kind(later, actions.Resend)] == [(1,)]
