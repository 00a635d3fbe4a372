"""The audit: every change is on record, and no hand can change the record unseen."""

import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from phantom_gateway.records import audit
from phantom_gateway.records.prepared import Prepared
from phantom_gateway.records.session import Database

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def written(database: Database) -> Database:
    """Records with five entries of this thread and three of another."""
    write(database, 5)
    other = threading.Thread(target=write, args=(database, 3))
    other.start()
    other.join()
    return database


def write(database: Database, count: int) -> None:
    """Nothing; so many entries are written, each in its own transaction."""
    for number in range(count):
        entry = audit.Entry(NOW, "alice", "SetDesiredCapacity", f"web-{number}", "AKIA", "127.0.0.1", "r-1", "é=1")
        database.write_now(lambda connection, entry=entry: audit.add(connection, entry))  # type: ignore[misc]


def tamper(database: Database, statement: str) -> audit.Verdict:
    """What a check finds after *statement*."""
    database.write_now(lambda connection: connection.execute(sa.text(statement)))
    return database.read_now(audit.verify)


def test_an_untouched_audit_is_whole(written: Database) -> None:
    """Each thread has its own chain, so that none waits for another."""
    verdict = written.read_now(audit.verify)

    assert (verdict.rows, verdict.breaks) == (8, ())
    assert sorted(number for number, _ in verdict.heads.values()) == [3, 5]


@pytest.mark.parametrize(
    "column", ["at", "who", "key", "address", "request_id", "action", "target", "detail", "result", "hash"]
)
def test_a_changed_column_is_found(written: Database, column: str) -> None:
    """Whichever it is."""
    value = "at + 1" if column == "at" else "'changed'"
    verdict = tamper(written, f"update audit set {column} = {value} where id = 3")

    assert "entry 3" in verdict.breaks[0]


def test_a_deleted_entry_is_found(written: Database) -> None:
    """The numbers of its chain have a gap."""
    verdict = tamper(written, "delete from audit where id = 2")

    assert "entries 2 to 2 are missing" in verdict.breaks[0]


def test_an_entry_with_a_right_seal_of_its_own_breaks_what_follows(written: Database) -> None:
    """Sealing a forged entry anew does not help: the next one was sealed to the old one."""

    def forge(connection: sa.Connection) -> None:
        forged = audit.rows(connection)[5]
        before = audit.rows(connection)[6].hash
        entry = audit.Entry(NOW, "mallory", "SetDesiredCapacity", "web-2")
        sealed = audit._seal(forged.chain, forged.number, entry, before)
        values = "who = 'mallory', key = '', address = '', request_id = '', detail = ''"
        connection.execute(
            sa.text(
                f"update audit set {values}, hash = '{sealed}' where number = {forged.number} and "
                f"chain = '{forged.chain}'"
            )
        )

    written.write_now(forge)
    verdict = written.read_now(audit.verify)

    assert len(verdict.breaks) == 1
    assert "entry 4" in verdict.breaks[0]


@pytest.mark.parametrize("statement", ["delete from audit where id in (4, 5)", "delete from audit where id > 5"])
def test_a_cut_off_end_is_found_by_who_kept_the_heads(written: Database, statement: str) -> None:
    """Nothing inside the database can tell; an earlier check can."""
    heads = written.read_now(audit.verify).heads
    unaided = tamper(written, statement)
    aided = written.read_now(lambda connection: audit.verify(connection, heads))

    assert unaided.breaks == ()
    assert "of the earlier check is not there" in aided.breaks[0]


async def test_an_entry_goes_with_its_transaction(written: Database) -> None:
    """What was rolled back was not done, and the chain goes on without a gap."""

    def fail(connection: sa.Connection) -> None:
        audit.add(connection, audit.Entry(NOW, "alice", "CreateAutoScalingGroup", "web"))
        raise ValueError("it was wrong after all")

    with pytest.raises(ValueError, match="after all"):
        await written.write(fail)
    await written.write(lambda connection: audit.add(connection, audit.Entry(NOW, "alice", "X", "web")))
    verdict = await written.read(audit.verify)

    assert (verdict.rows, verdict.breaks) == (9, ())


def test_long_texts_are_cut_and_still_whole(database: Database) -> None:
    """A request may name a thousand instances."""
    entry = audit.Entry(NOW, "alice", "TerminateInstances", "i" * 5_000, detail="d" * 5_000)
    database.write_now(lambda connection: audit.add(connection, entry))
    (row,) = database.read_now(audit.rows)
    verdict = database.read_now(audit.verify)

    assert (len(row.entry.target), len(row.entry.detail), verdict.breaks) == (1_000, 1_000, ())


def claim(database: Database, tokens: list[str], because: str) -> None:
    """Nothing; it is on record that these were claimed, with one for each instance."""

    def job(connection: sa.Connection) -> None:
        for entry in audit.launches(NOW, "web", "hotel", tokens, len(tokens), because):
            audit.add(connection, entry)

    database.write_now(job)


def test_every_token_of_a_large_claim_is_known(database: Database) -> None:
    """A thousand instances may be claimed at once, and clouds without batches have a token for each."""
    tokens = [f"{number:04}".rjust(64, "t") for number in range(1_000)]
    claim(database, tokens, "because " + "b" * 1_000)

    assert database.read_now(lambda connection: audit.launched(connection, tokens)) == set(tokens)


def test_what_was_launched_is_known_by_its_token(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long ago, and however many of a claim; nothing else that is on record counts."""
    statement = audit._LAUNCHES.statement
    assert isinstance(statement, sa.Select)
    monkeypatch.setattr(audit, "_LAUNCHES", Prepared(statement.limit(2)))
    monkeypatch.setattr(audit, "SEARCHED_AT_ONCE", 2)
    for number in range(7):
        tokens = [f"t-{number}-a", f"t-{number}-b"]
        claim(database, tokens, "because tokens=t-9-a is what a user may write")
    forged = audit.Entry(NOW, "alice", audit.LAUNCH, "web", detail="cloud=hotel count=1 tokens=t-8-a x")
    database.write_now(lambda connection: audit.add(connection, forged))
    asked = {"t-0-a", "t-3-b", "t-6-a", "t-8-a", "t-9-a"}

    assert database.read_now(lambda connection: audit.launched(connection, asked)) == {"t-0-a", "t-3-b", "t-6-a"}
    assert database.read_now(lambda connection: audit.launched(connection, [])) == set()


async def test_a_server_that_lost_what_it_had_committed_is_found_out(database: Database) -> None:
    """F61: only what was committed counts, and only on a server: a file loses nothing under its only gateway."""

    def fail(connection: sa.Connection) -> None:
        audit.add(connection, audit.Entry(NOW, "alice", "X", "web"))
        raise ValueError("not this one")

    await database.write(lambda connection: audit.add(connection, audit.Entry(NOW, "alice", "X", "web")))
    with pytest.raises(ValueError, match="not this one"):
        await database.write(fail)
    heads = dict(database.heads)
    before = await database.read(lambda connection: audit.has_gone_back(connection, heads))
    await database.write(lambda connection: connection.execute(sa.text("delete from audit")))
    after = await database.read(lambda connection: audit.has_gone_back(connection, heads))

    assert (before, after) == (False, database.is_shared)
