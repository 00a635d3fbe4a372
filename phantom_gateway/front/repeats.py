"""
When two requests are one: an SDK that got no answer sends its request again, and so does whoever captured it.

Owns: the digest under which the answer to a request is recorded. Does not own: the records (``records.answers``).
"""

import hashlib

from protocol import sigv4
from protocol.signature import Claim
from protocol.wire import Request

INVOCATION_ID = "amz-sdk-invocation-id"
"""The same in every attempt of one call of an AWS SDK, and another for each call. Few SDKs sign it."""


def is_named(received: Request, claim: Claim) -> bool:
    """True when the request says which call it is an attempt of; else its signature has to tell."""
    parts = claim.parts
    return isinstance(parts, sigv4.Parts) and parts.expires_s is None and received.header(INVOCATION_ID) is not None


def digest_of(received: Request, claim: Claim, user_id: int) -> bytes:
    """
    16 bytes that are the same for two requests only when they are one and the same call of the same user.

    With an SDK's id of the call: that and what is asked for, because a later attempt is signed anew, perhaps with the
    user's other key. Without, and where the signature is part of what is asked for: the signature. The id comes first,
    because two calls within one second have the same signature when they ask the same.
    """
    if is_named(received, claim):
        texts = ["invocation", str(user_id), received.header(INVOCATION_ID) or "", received.query]
    else:
        texts = ["signature", claim.access_key_id, claim.parts.signature]
    hashed = hashlib.blake2b("\0".join(texts).encode("utf-8", "surrogateescape"), digest_size=16)
    hashed.update(b"\0" + received.body)
    return hashed.digest()
