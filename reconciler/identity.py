"""
The id under which AWS clients see a machine.

Owns: the rule that keeps EC2's ids and makes one where a cloud's ids do not look like EC2's.
"""

import hashlib
import re

_LIKE_EC2 = re.compile(r"i-[0-9a-f]{8,17}")

_DIGITS = 17
"""Hex digits of a made-up id: the longest form that EC2 uses, 68 bits, so that chance gives no two the same."""


def instance_id(account_key: str, machine_id: str) -> str:
    """*machine_id* where it has EC2's form; else ``i-`` and 17 hex digits, always the same for the same machine."""
    if _LIKE_EC2.fullmatch(machine_id):
        return machine_id
    digest = hashlib.sha256(f"{account_key}\n{machine_id}".encode()).hexdigest()
    return f"i-{digest[:_DIGITS]}"
