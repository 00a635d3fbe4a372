"""
The audit: who changed what, in rows that are only ever added, each sealed to the one before it.

Owns: the chains, and the check of them. A chain belongs to one thread of one process, so that writers never wait for
each other; its rows are written in the transaction of the change that they tell of. Does not own: what is worth a row.
No secret comes here: targets are names, details are figures and the gateway's own sentences.
"""

import hashlib
import json
import secrets
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from phantom_gateway.records.columns import EPOCH
from phantom_gateway.records.postgresql import HEADS
from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.tables import audit

GATEWAY = "gateway"
"""Who acts when nobody asked for it just now."""

TEXT_LENGTH_MAX = 1_000
"""Characters of a target or a detail. A request may name a thousand instances; the first ones say enough."""

DONE = "done"

LAUNCH = "launch"
"""What the gateway does when it claims instances; such entries name the tokens."""

TOKENS_IN_ENTRY_MAX = 12
"""A token has at most 64 characters, which is what clouds take: more of them would be cut off at the text's limit."""

SEARCHED_AT_ONCE = 1_000
"""Launches in one look through the audit: some 2 ms. Higher: more of them are read than were needed."""

_MICROSECOND = timedelta(microseconds=1)
_ID_MAX = 2**31 - 1
_written = json.JSONEncoder(separators=(",", ":")).encode
_BOOT = secrets.token_hex(6)


@dataclass(frozen=True, slots=True)
class Entry:
    """One change. *key* is the access key's public half, or what else the caller showed; "" where there is none."""

    at: datetime
    who: str
    action: str
    target: str
    key: str = ""
    address: str = ""
    request_id: str = ""
    detail: str = ""
    result: str = DONE


@dataclass(frozen=True, slots=True)
class Row:
    """An entry in its place: *number* counts from 1 in its *chain*, *hash* seals it to the one before."""

    chain: str
    number: int
    entry: Entry
    hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found: *breaks* are sentences, () when all is well; *heads* the last (number, hash) by chain."""

    rows: int
    heads: Mapping[str, tuple[int, str]]
    breaks: tuple[str, ...]


_HEAD = Prepared(
    sa.select(audit.c.number, audit.c.hash)
    .where(audit.c.chain == sa.bindparam("chain"))
    .order_by(audit.c.number.desc())
    .limit(1)
)
_ADD = Prepared(audit.insert())
_HEADS = Prepared(
    sa.select(audit.c.chain, sa.func.max(audit.c.number))
    .where(audit.c.chain.in_(sa.bindparam("chains", expanding=True)))
    .group_by(audit.c.chain)
)
_LAUNCHES = Prepared(
    sa.select(audit.c.id, audit.c.detail)
    .where(audit.c.action == LAUNCH, audit.c.who == GATEWAY, audit.c.id < sa.bindparam("before"))
    .order_by(audit.c.id.desc())
    .limit(SEARCHED_AT_ONCE)
)
_COLUMNS = (
    audit.c.chain,
    audit.c.number,
    audit.c.at,
    audit.c.who,
    audit.c.action,
    audit.c.target,
    audit.c.key,
    audit.c.address,
    audit.c.request_id,
    audit.c.detail,
    audit.c.result,
    audit.c.hash,
)


def add(connection: sa.Connection, entry: Entry) -> None:
    """Nothing; the change is on record, with the transaction."""
    chain = f"{_BOOT}-{threading.get_ident()}"
    number, before = _HEAD.first(connection, {"chain": chain}) or (0, "")
    kept = entry
    if len(entry.target) > TEXT_LENGTH_MAX or len(entry.detail) > TEXT_LENGTH_MAX:
        kept = replace(entry, target=entry.target[:TEXT_LENGTH_MAX], detail=entry.detail[:TEXT_LENGTH_MAX])
    values = {
        "chain": chain,
        "number": number + 1,
        "at": kept.at,
        "who": kept.who,
        "action": kept.action,
        "target": kept.target,
        "key": kept.key,
        "address": kept.address,
        "request_id": kept.request_id,
        "detail": kept.detail,
        "result": kept.result,
        "hash": _seal(chain, number + 1, kept, before),
    }
    _ADD.run(connection, values)
    connection.info.setdefault(HEADS, {})[chain] = number + 1


def launches(at: datetime, group: str, cloud: str, tokens: Sequence[str], count: int, because: str) -> Iterator[Entry]:
    """
    That *count* instances of *group* were claimed on *cloud*: written with the claims, before any cloud is called.

    One entry, or several where there are many *tokens*, for each of them has to be found again by :func:`launched`.
    """
    for first in range(0, len(tokens), TOKENS_IN_ENTRY_MAX):
        some = ",".join(tokens[first : first + TOKENS_IN_ENTRY_MAX])
        which = "also of these" if first else f"count={count}"
        yield Entry(at, GATEWAY, LAUNCH, group, detail=f"cloud={cloud} {which} tokens={some} {because}")


def launched(connection: sa.Connection, tokens: Collection[str]) -> set[str]:
    """
    Those of *tokens* that these records have ever claimed instances with.

    The newest launches are read first: what was launched just now is found at once. Only for what these records never
    launched all of them are read, a second for some million.
    """
    wanted, found = set(tokens), set[str]()
    before = _ID_MAX
    while wanted - found:
        entries = _LAUNCHES.rows(connection, {"before": before})
        for _, detail in entries:
            found.update(wanted.intersection(_tokens_of(detail)))
        if len(entries) < SEARCHED_AT_ONCE:
            break
        before = entries[-1][0]
    return found


def _tokens_of(detail: str) -> list[str]:
    return detail.partition(" tokens=")[2].partition(" ")[0].split(",")


def has_gone_back(connection: sa.Connection, heads: Mapping[str, int]) -> bool:
    """
    True when the database lacks entries that it had committed: *heads* are the last ones, by chain.

    A replica that lagged has taken over, or a backup was restored under a gateway that runs.
    """
    if not heads:
        return False
    there: dict[str, int] = dict(_HEADS.rows(connection, {"chains": list(heads)}))
    return any(there.get(chain, 0) < number for chain, number in heads.items())


def rows(connection: sa.Connection, *, newest: int | None = None, target: str | None = None) -> list[Row]:
    """The *newest* rows, the newest first; only those about *target*, when it is given."""
    statement = sa.select(*_COLUMNS).order_by(audit.c.id.desc())
    if target is not None:
        statement = statement.where(audit.c.target == target)
    return [_row(row) for row in connection.execute(statement.limit(newest))]


def verify(connection: sa.Connection, known: Mapping[str, tuple[int, str]] | None = None) -> Verdict:
    """
    Whether every row is as it was written, and none is missing between two of a chain.

    *known* are heads of an earlier check, kept elsewhere: only they can tell that the end of a chain was cut off, or a
    whole chain.
    """
    heads: dict[str, tuple[int, str]] = {}
    breaks: list[str] = []
    met: set[str] = set()
    count = 0
    for row in _in_order(connection):
        count += 1
        number, before = heads.get(row.chain, (0, ""))
        if row.number != number + 1:
            breaks.append(f"chain {row.chain}: entries {number + 1} to {row.number - 1} are missing")
        elif row.hash != _seal(row.chain, row.number, row.entry, before):
            breaks.append(f"chain {row.chain}: entry {row.number} ({row.entry.action}) is not what was written")
        if known is not None and known.get(row.chain) == (row.number, row.hash):
            met.add(row.chain)
        heads[row.chain] = (row.number, row.hash)
    lost = sorted((known or {}).keys() - met)
    breaks += [f"chain {chain}: entry {(known or {})[chain][0]} of the earlier check is not there" for chain in lost]
    return Verdict(count, heads, tuple(breaks))


def _in_order(connection: sa.Connection) -> Iterator[Row]:
    statement = sa.select(*_COLUMNS).order_by(audit.c.chain, audit.c.number)
    for row in connection.execution_options(yield_per=1_000).execute(statement):
        yield _row(row)


def _row(row: Sequence[Any]) -> Row:
    chain, number, *values, sealed = row
    return Row(chain, number, Entry(*values), sealed)


def _seal(chain: str, number: int, entry: Entry, before: str) -> str:
    said = [
        before,
        chain,
        number,
        (entry.at - EPOCH) // _MICROSECOND,
        entry.who,
        entry.action,
        entry.target,
        entry.key,
        entry.address,
        entry.request_id,
        entry.detail,
        entry.result,
    ]
    return hashlib.sha256(_written(said).encode()).hexdigest()
