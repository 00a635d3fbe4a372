"""
A machine's name as the claim on it: the launch token, and the machine's position in its launch.

Owns: making such names and reading them. The name is the one thing that every provider keeps. ``pg-...`` with a
position of one digit has 63 characters of ``a-z0-9-``, which all of them take (GCE's and DNS's own limit).
"""

import re

from backends.cloud import Mark

BATCH_MAX = 10
"""Positions of one digit: a name of 64 characters is refused by GCE."""

_NAME = re.compile(r"(pg-[0-9a-f]{12}-[0-9a-f]{32}-[0-9a-f]{12})-([0-9])")


def name_of(token: str, index: int) -> str:
    """
    The name of the machine at position *index* of the launch *token*.

    Raises:
        ValueError: a name cannot be made of them, so that nobody could tell later whose machine it is.

    """
    name = f"{token}-{index}"
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{token!r} with position {index} is no name for a machine")
    return name


def claim_of(name: str) -> tuple[Mark, int] | None:
    """Whose machine *name* names, and its position; None when it is none of ours."""
    found = _NAME.fullmatch(name)
    mark = None if found is None else Mark.of_token(found[1])
    return None if found is None or mark is None else (mark, int(found[2]))
