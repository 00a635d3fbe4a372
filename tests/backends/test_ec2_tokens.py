"""Tokens that say whose machine they launched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.cloud import Mark, token_for
from tests.backends.ec2_endpoint import GATEWAY, GROUP, TOKEN

HEX_12 = st.text("0123456789abcdef", min_size=12, max_size=12)


@given(HEX_12, st.uuids(), HEX_12)
def test_token_is_read_back_as_the_mark_it_was_made_of(gateway_id, group_uid, random_hex):
    """Who sees nothing but a token knows the gateway and the group."""
    token = token_for(gateway_id, str(group_uid), random_hex)

    assert Mark.of_token(token) == Mark(gateway_id, str(group_uid), token)
    assert len(token) == 61
    assert token == token_for(gateway_id, group_uid.hex, random_hex)


@pytest.mark.parametrize(
    "text",
    ["", "ABCDE", TOKEN[:-1], f"{TOKEN}0", f" {TOKEN}", f"{TOKEN}\n", TOKEN.upper(), TOKEN.replace("pg-", "pq-")],
)
def test_other_text_is_no_token(text):
    """Nothing is guessed from what merely looks like a token."""
    assert Mark.of_token(text) is None


@pytest.mark.parametrize(
    ("gateway_id", "group_uid", "random_hex"),
    [("short", GROUP, "a" * 12), (GATEWAY, "web", "a" * 12), (GATEWAY, GROUP, "A" * 12), ("x" * 12, GROUP, "a" * 12)],
)
def test_token_is_not_made_of_anything_else(gateway_id, group_uid, random_hex):
    """A token that could not be read back is not made."""
    with pytest.raises(ValueError, match="no token"):
        token_for(gateway_id, group_uid, random_hex)
