"""Statements that are run by the driver: what goes in, what comes out, and what is said when it goes wrong."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from phantom_gateway.records.columns import Document, Moment
from phantom_gateway.records.prepared import Prepared, PreparedObjects

NOW = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)

things = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", Moment),
    sa.Column("said", Document, nullable=False),
    sa.Column("good", sa.Boolean, nullable=False),
)

ALL = sa.select(things.c.id, things.c.at, things.c.said, things.c.good).order_by(things.c.id)
ADD = Prepared(things.insert())


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    """A database with three things."""
    engine = sa.create_engine("sqlite://")
    things.create(engine)
    with engine.connect() as connection:
        rows: list[dict[str, object]] = [
            {"id": 1, "at": NOW, "said": {"a": [1]}, "good": True},
            {"id": 2, "at": None, "said": [], "good": False},
            {"id": 3, "at": NOW + timedelta(seconds=1), "said": {}, "good": True},
        ]
        ADD.run_all(connection, rows)
        yield connection
    engine.dispose()


def test_values_come_back_as_they_went_in(connection: sa.Connection) -> None:
    """To the microsecond, and None stays None."""
    assert Prepared(ALL).rows(connection) == [
        (1, NOW, {"a": [1]}, True),
        (2, None, [], False),
        (3, NOW + timedelta(seconds=1), {}, True),
    ]


@pytest.mark.parametrize("wanted", [[], [2], [3, 1], [1, 2, 3, 4, 5]], ids=str)
def test_lists_of_any_length_stand_beside_other_values(connection: sa.Connection, wanted: list[int]) -> None:
    """Each member is converted as its column's type says, and none is taken for another's."""
    good_at = Prepared(
        ALL.where(
            things.c.id.in_(sa.bindparam("ids", expanding=True)),
            things.c.at.in_(sa.bindparam("moments", expanding=True)),
            things.c.good == sa.bindparam("good"),
        )
    )
    moments = [NOW, NOW + timedelta(seconds=1), NOW - timedelta(days=1)]

    found = good_at.rows(connection, {"ids": wanted, "moments": moments, "good": True})

    assert [row[0] for row in found] == sorted({1, 3}.intersection(wanted))


def test_the_drivers_troubles_have_sqlalchemys_names(connection: sa.Connection) -> None:
    """Whoever runs a statement this way handles what they would have handled anyway."""
    with pytest.raises(sa.exc.IntegrityError):
        ADD.run(connection, {"id": 1, "at": NOW, "said": [], "good": True})
    things.drop(connection)
    with pytest.raises(sa.exc.OperationalError):
        Prepared(ALL).rows(connection)


def test_an_object_is_made_again_when_its_row_has_changed(connection: sa.Connection) -> None:
    """What has not changed is the object of before, however the rows around it changed."""
    objects = PreparedObjects(ALL.where(things.c.id != sa.bindparam("but")), list, kept_max=10)
    before = objects.all(connection, {"but": 3})
    connection.execute(things.update().where(things.c.id == 2).values(good=True))

    after = objects.all(connection, {"but": 0})

    assert after[0] is before[0]
    assert before[1] == [2, None, [], False]
    assert after[1:] == [[2, None, [], True], [3, NOW + timedelta(seconds=1), {}, True]]
