"""
Sealing everything again with the newest key, and telling which keys are still needed.

Owns: walking through all sealed texts in batches, beside a gateway that serves. Does not own: keys (``keyring``), nor
where the texts are (``records.sealed``).
"""

from collections import Counter
from functools import partial
from typing import Any

from phantom_gateway.keyring import Keyring
from phantom_gateway.records import sealed
from phantom_gateway.records.sealed import Place
from phantom_gateway.records.session import Connection, Database

UNOPENED = ""
"""Stands for the key of texts that no key here opens."""

ROUNDS_MAX = 5
"""Times that all texts are walked through; more than two only while others seal with an older key all the time."""


def reseal(database: Database, keyring: Keyring) -> int:
    """
    How many texts were sealed again, with the first key. Afterwards all are, except those that no key opens.

    A gateway may seal with the key of before until it has read the new one: so it ends with a round that finds none.
    """
    total = 0
    for _ in range(ROUNDS_MAX):
        changed = sum(_reseal_place(database, keyring, place) for place in sealed.PLACES)
        total += changed
        if not changed:
            break
    return total


def usage(database: Database, keyring: Keyring) -> Counter[str]:
    """How many sealed texts each key opens, by the id of the key; UNOPENED: none does."""
    counts: Counter[str] = Counter()
    for place in sealed.PLACES:
        after = None
        while texts := database.read_now(partial(sealed.batch, place=place, after=after)):
            counts.update(keyring.opener(text) or UNOPENED for _, text in texts)
            after = texts[-1][0]
    return counts


def _reseal_place(database: Database, keyring: Keyring, place: Place) -> int:
    """How many texts of *place* were sealed again: each batch in a transaction of its own."""
    total, after = 0, None
    while True:
        last, changed = database.write_now(partial(_reseal_batch, keyring=keyring, place=place, after=after))
        if last is None:
            return total
        total, after = total + changed, last


def _reseal_batch(connection: Connection, keyring: Keyring, place: Place, after: Any) -> tuple[Any, int]:
    """The last key of the batch, None when there was nothing left; and how many texts were changed."""
    texts = sealed.batch(connection, place, after)
    if not texts:
        return None, 0
    newest = keyring.key_ids[0]
    openers = {key: keyring.opener(text) for key, text in texts}
    old = [(key, text) for key, text in texts if openers[key] not in {newest, None}]
    return texts[-1][0], sealed.replace(connection, place, [(key, text, keyring.rotate(text)) for key, text in old])
