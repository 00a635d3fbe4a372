"""
Stored secrets in answers: fingerprints, which a client may send back where it changes nothing.

Owns: their form, and telling one from a secret. Does not own: which fields are secrets.
"""

import hashlib
import hmac

from phantom_gateway.operations.http_api.errors import bad_request
from phantom_gateway.secret import Secret

FINGERPRINT = "fingerprint:"
"""How a secret begins that is none. No cloud's key and no PEM begins like this."""


def shown(secret: Secret, *, reveal: bool) -> str:
    """The secret itself, or its fingerprint: the same for the same secret, and of no use to anybody else."""
    if reveal:
        return secret.reveal()
    digest = hashlib.sha256(b"phantom-gateway secret:" + secret.reveal().encode("utf-8", "surrogatepass"))
    return FINGERPRINT + digest.hexdigest()[:12]


def received(field: str, text: str, stored: Secret | None) -> Secret:
    """
    The secret that *text* is, or the *stored* one when *text* is its fingerprint.

    Raises JsonError(400) that names *field*: it is the fingerprint of something else.
    """
    if not text.startswith(FINGERPRINT):
        return Secret(text)
    if stored is None or not hmac.compare_digest(text.encode(), shown(stored, reveal=False).encode()):
        raise bad_request(f"{field} is a fingerprint, and not that of the stored secret: send the secret itself.")
    return stored
