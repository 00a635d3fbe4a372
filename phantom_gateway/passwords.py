"""
Passwords: hashed with argon2, compared without telling anything but yes or no.

Owns: the hash. Does not own: whose password it is, how often one may guess, or in which thread.
"""

import functools

import argon2

from phantom_gateway.secret import Secret

PASSWORD_LENGTH_MAX = 1_024
"""Characters. A hash takes as long for any length; more is no password but an attack on memory."""


class CannotCheck(Exception):  # noqa: N818 - a condition, which the caller waits out
    """Nobody can say whether a password fits: a hash needs four threads and 64 MiB, and they are not to be had now."""


def hashed(password: Secret) -> str:
    """The hash of *password*, salted. Takes some 200 ms of a processor (measured) and 64 MiB, on purpose."""
    return argon2.PasswordHasher().hash(password.reveal())


def fits(password: Secret, password_hash: str | None) -> bool:
    """
    Whether *password* is the one hashed. Takes as long without a hash as with one: 207 and 205 ms, measured.

    So the time tells nobody whether there is such a user, or whether he has a password. Raises CannotCheck.
    """
    try:
        nobodys = _nobodys()  # before it is known whether it is needed: the first time, it costs a hash of its own
        argon2.PasswordHasher().verify(password_hash or nobodys, password.reveal())
    except argon2.exceptions.VerifyMismatchError:
        return False
    except (argon2.exceptions.HashingError, argon2.exceptions.VerificationError) as error:
        raise CannotCheck(str(error)) from error
    return password_hash is not None


@functools.cache
def _nobodys() -> str:
    """A hash that costs as much as any other."""
    return hashed(Secret("nobody has this password"))
