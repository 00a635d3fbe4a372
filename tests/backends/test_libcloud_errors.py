"""What drivers raise, and what was sent by then, as the caller's next move."""

import pytest
from libcloud.common.exceptions import BaseHTTPError, RateLimitReachedError
from libcloud.common.types import InvalidCredsError, LibcloudError, ProviderError
from libcloud.compute.types import NodeState

from backends.cloud import Mark, token_for
from backends.errors import Ambiguous, Gone, NoCapacity, Refused, Throttled, Unreachable
from backends.via_libcloud.errors import Verb, means
from backends.via_libcloud.names import claim_of, name_of
from backends.via_libcloud.states import STATES
from backends.via_libcloud.wire import Lost, NotSent, Traffic, is_write

NOTHING, TAKEN, DOUBTFUL = (0, 0), (1, 0), (0, 1)


def traffic(sent: tuple[int, int]) -> Traffic:
    """What a call sent: writes taken, writes in doubt."""
    found = Traffic()
    found.taken, found.doubtful = sent
    return found


@pytest.mark.parametrize(
    ("error", "sent", "look", "launch", "end"),
    [
        pytest.param(NotSent("no route"), NOTHING, Unreachable, Unreachable, Unreachable, id="not sent"),
        pytest.param(NotSent("given up"), TAKEN, Unreachable, Ambiguous, Unreachable, id="cut after an order"),
        pytest.param(Lost("silence"), NOTHING, Unreachable, Unreachable, Unreachable, id="a look lost"),
        pytest.param(Lost("silence"), DOUBTFUL, Unreachable, Ambiguous, Unreachable, id="an order lost"),
        pytest.param(BaseHTTPError(404, "gone"), NOTHING, Refused, Refused, Gone, id="404"),
        pytest.param(BaseHTTPError(404, "gone"), TAKEN, Refused, Ambiguous, Gone, id="404 after an order"),
        pytest.param(BaseHTTPError(500, "oops"), DOUBTFUL, Unreachable, Ambiguous, Unreachable, id="500 to an order"),
        pytest.param(BaseHTTPError(500, "oops"), NOTHING, Unreachable, Unreachable, Unreachable, id="500 to a look"),
        pytest.param(BaseHTTPError(409, "name already exists"), NOTHING, Refused, Ambiguous, Refused, id="name taken"),
        pytest.param(BaseHTTPError(403, "Quota exceeded"), NOTHING, Refused, NoCapacity, Refused, id="quota"),
        pytest.param(Exception("insufficient capacity"), TAKEN, Unreachable, NoCapacity, Unreachable, id="job failed"),
        pytest.param(RateLimitReachedError(), NOTHING, Throttled, Throttled, Throttled, id="429"),
        pytest.param(RateLimitReachedError(), TAKEN, Throttled, Ambiguous, Throttled, id="429 after an order"),
        pytest.param(InvalidCredsError(), NOTHING, Unreachable, Refused, Refused, id="credentials"),
        pytest.param(ProviderError("bad", 431, None), NOTHING, Refused, Refused, Refused, id="CloudStack's own code"),
        pytest.param(LibcloudError("size?"), NOTHING, Unreachable, Refused, Unreachable, id="the driver objects"),
        pytest.param(KeyError("droplets"), NOTHING, Unreachable, Refused, Unreachable, id="not to be read"),
        pytest.param(KeyError("droplet"), TAKEN, Unreachable, Ambiguous, Unreachable, id="not to be read, after"),
    ],
)
def test_an_error_is_named_by_the_next_move(error, sent, look, launch, end):
    """The same exception means another thing to each verb, and another after a write."""
    told = [type(means(error, traffic(sent), verb, "far")) for verb in (Verb.LOOK, Verb.LAUNCH, Verb.END)]

    assert told == [look, launch, end]


@pytest.mark.parametrize(
    ("method", "url", "writes"),
    [
        ("GET", "/v2/droplets", False),
        ("POST", "/v2/droplets", True),
        ("DELETE", "/v2/droplets/1", True),
        ("POST", "/identity/v3/auth/tokens", False),
        ("POST", "/t-1/oauth2/token", False),
        ("PUT", "/subscriptions/s/providers/Microsoft.Network/networkInterfaces/x-nic?api-version=1", False),
        ("PUT", "/subscriptions/s/providers/Microsoft.Compute/virtualMachines/x?api-version=1", True),
        ("GET", "/client/api?command=listVirtualMachines", False),
        ("GET", "/client/api?command=queryAsyncJobResult&jobid=1", False),
        ("GET", "/client/api?command=deployVirtualMachine", True),
    ],
)
def test_a_write_is_what_may_make_or_end_a_machine(method, url, writes):
    """Log-ins and network cards make none; CloudStack orders by GET."""
    assert is_write(method, url) is writes


def test_a_name_says_whose_machine_it_is():
    """It is read back as it was made, fits every provider, and nothing else is read as one."""
    token = token_for("0123456789ab", "11111111-2222-3333-4444-555555555555", "aaaaaaaaaaaa")
    name = name_of(token, 9)

    assert len(name) == 63
    assert claim_of(name) == (Mark.of_token(token), 9)
    assert [claim_of(each) for each in ("web-1", token, f"{name}0", name.upper())] == [None] * 4
    with pytest.raises(ValueError, match="no name for a machine"):
        name_of(token, 10)


def test_every_state_of_libcloud_means_something():
    """The map is total: a state that a new version adds fails this test by name."""
    assert set(NodeState) == set(STATES)
