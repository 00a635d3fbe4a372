"""Guessing passwords: how often one may, and that many at once are no way around it."""

import asyncio
from datetime import UTC, datetime, timedelta

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phantom_gateway.logins import Logins, Throttle, TooManyLogins
from phantom_gateway.passwords import CannotCheck, fits, hashed
from phantom_gateway.secret import Secret

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@given(st.lists(st.floats(0, 100), max_size=60), st.integers(1, 5), st.floats(1, 30))
def test_no_window_has_more_than_the_burst_and_what_refilled(gaps: list[float], burst: int, refill_s: float) -> None:
    """However attempts are timed, between any two moments no more are free than the burst and one per refill."""
    throttle = Throttle(burst, refill_s)
    now_s, granted = 0.0, []
    for gap in gaps:
        now_s += gap
        if throttle.take("alice", now_s) == 0.0:
            granted.append(now_s)

    for first, start in enumerate(granted):
        for last, end in enumerate(granted[first:], start=first):
            assert last - first + 1 <= burst + (end - start + 0.002) / refill_s


@given(st.floats(0, 1e6), st.integers(1, 5), st.floats(1, 30))
def test_the_wait_that_is_told_is_enough(now_s: float, burst: int, refill_s: float) -> None:
    """Whoever waits as long as he is told may try again."""
    throttle = Throttle(burst, refill_s)
    for _ in range(burst):
        assert throttle.take("alice", now_s) == 0.0

    wait_s = throttle.take("alice", now_s)

    assert 0 < wait_s <= refill_s + 1e-6
    assert throttle.take("alice", now_s + wait_s) == 0.0


def test_a_throttle_remembers_so_many_and_no_more() -> None:
    """Names made up by an attacker push out the oldest, and memory stays bounded."""
    throttle = Throttle(1, 10.0, keys_max=3)

    for name in "abcd":
        assert throttle.take(name, 0.0) == 0.0

    assert throttle.take("d", 0.0) > 0
    assert throttle.take("a", 0.0) == 0.0


@pytest.mark.parametrize(
    ("password", "has_hash", "expected"),
    [
        pytest.param("right", True, True, id="right"),
        pytest.param("wrong", True, False, id="wrong"),
        pytest.param("nobody has this password", False, False, id="nobody's, with the text that is hashed for nobody"),
    ],
)
def test_a_password_fits_or_not(password: str, has_hash: bool, expected: bool) -> None:
    """Only the password that was hashed fits; without a hash nothing does."""
    password_hash = hashed(Secret("right")) if has_hash else None

    assert fits(Secret(password), password_hash) is expected


async def test_guesses_at_once_are_counted_before_they_are_answered() -> None:
    """F88: twenty guesses sent together are ten guesses and ten refusals that cost no hash."""
    logins = Logins()
    try:
        guesses = [logins.check("alice", Secret("guess"), None, "10.0.0.1", NOW) for _ in range(20)]
        outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    finally:
        logins.close()

    assert sum(outcome is False for outcome in outcomes) == 10
    assert sum(isinstance(outcome, TooManyLogins) for outcome in outcomes) == 10


async def test_an_address_is_slowed_whatever_names_it_tries() -> None:
    """F88: one address may try fifty names and no more; a neighbour in the same IPv6 network is the same address."""
    logins = Logins()
    for number in range(50):
        assert logins._addresses.take("2001:db8::/64", NOW.timestamp()) == 0.0, number
    try:
        with pytest.raises(TooManyLogins):
            await logins.check("alice", Secret("x"), None, "2001:db8::17", NOW)
        assert not await logins.check("alice", Secret("x"), None, "10.0.0.1", NOW)
    finally:
        logins.close()


async def test_a_right_password_costs_no_attempt() -> None:
    """A script that logs in a hundred times with the right password is never slowed."""
    logins = Logins()
    password_hash = hashed(Secret("right"))
    try:
        for _ in range(12):
            assert await logins.check("alice", Secret("right"), password_hash, "10.0.0.1", NOW + timedelta())
    finally:
        logins.close()


async def test_a_password_that_cannot_be_checked_is_nobodys_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without threads for a hash it was a mistake of ours, and counted as a guess (F69)."""

    def verify(*_: object) -> bool:
        raise argon2.exceptions.VerificationError("Threading failure")

    logins, password = Logins(), Secret("right")
    password_hash = hashed(password)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(argon2.PasswordHasher, "verify", verify)
            for _ in range(20):
                with pytest.raises(CannotCheck):
                    await logins.check("alice", password, password_hash, "192.0.2.1", NOW)

        assert await logins.check("alice", password, password_hash, "192.0.2.1", NOW)
    finally:
        logins.close()
