"""
A string that does not show itself: access secrets, passwords, keys.

Owns: hiding on every accidental way out (repr, format, logs, pickle, JSON). Does not own encryption: see ``keyring``.
"""

import hmac
from typing import NoReturn, final

HIDDEN = "***"
"""What everybody sees instead. Of fixed length: the length of a secret is a hint too."""


@final
class Secret:
    """
    A secret string: ``***`` wherever it is printed, formatted or logged; only :meth:`reveal` gives it away.

    Two are compared in constant time, so that an answer's delay tells nothing about a secret's beginning.

    Raises TypeError: the value is not a string; or the secret is hashed, pickled or changed.
    """

    __slots__ = ("_value",)
    _value: str
    __hash__ = None  # type: ignore[assignment]  # a set or a dict would compare by hash, not in constant time

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            # Names the type only: the value may well be the secret, as bytes.
            raise TypeError(f"a Secret holds a str, not {type(value).__name__}")
        object.__setattr__(self, "_value", value)

    def reveal(self) -> str:
        """The secret itself. Every use of this word is a place to look at in review."""
        return self._value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_octets(self._value), _octets(other._value))

    def __repr__(self) -> str:
        return HIDDEN

    def __format__(self, format_spec: str) -> str:
        return HIDDEN

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise TypeError("a Secret does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise TypeError("a Secret does not change")

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> "Secret":
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret is not serialised; encrypt it with the keyring")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not serialised; encrypt it with the keyring")


def _octets(text: str) -> bytes:
    """The bytes of *text*; text from an environment may hold lone surrogates, and compares all the same."""
    return text.encode("utf-8", "surrogatepass")
