"""Who guesses learns nothing from how long an answer takes."""

import statistics
import time

from phantom_gateway.passwords import fits, hashed
from phantom_gateway.secret import Secret
from tests.support.canary import planted

ROUNDS = 3
RATIO_MAX = 1.5
"""Of processor times: without the same work they differ ten thousandfold."""


def processor_s(password_hash: str | None) -> float:
    """Median of the processor time that a wrong guess takes."""
    found = []
    for _ in range(ROUNDS):
        began_s = time.process_time()
        assert not fits(Secret("a guess"), password_hash)
        found.append(time.process_time() - began_s)
    return statistics.median(found)


def test_a_name_that_nobody_has_takes_as_long_as_one_that_somebody_has() -> None:
    """F87: the same hash is computed for an unknown name, a user without a password, and a wrong password."""
    password_hash = hashed(Secret(planted("/right")))
    processor_s(None)  # the hash for nobody is made once

    somebody, nobody = processor_s(password_hash), processor_s(None)

    assert 1 / RATIO_MAX < somebody / nobody < RATIO_MAX
