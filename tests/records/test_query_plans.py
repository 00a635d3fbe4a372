"""That no statement of a request or a pass looks at more rows the more a user has."""

import re

import pytest
import sqlalchemy as sa

from phantom_gateway.records import (
    activities,
    events,
    groups,
    instances,
    launch_configurations,
    ledger_instances,
    tags,
    users,
)
from phantom_gateway.records.prepared import Prepared, PreparedObjects
from phantom_gateway.records.tables import metadata

ROOMS = (activities, events, groups, instances, launch_configurations, ledger_instances, tags, users)

COUNTS_ALL = frozenset({
    "groups._COUNT", "groups._DESIRED_TOTAL", "launch_configurations._COUNT",  # kept for a second by Holdings
    "groups._UIDS", "users._ALL", "instances._POPULATED",  # at a start, once a minute, or on the command line
    "groups._TOTALS", "instances._BY_CLOUD_AND_STATE",  # when somebody asks for metrics
    "groups._USING",  # when a launch configuration is deleted, changed, or gets another cloud
    "groups._OF_USER",  # the list of domains, which has no pages
    "events._OLDEST",  # the first of them and no other
})  # fmt: skip

WHOLE_USER = re.compile(r"\(user_id=\?\)$")
"""An index of a user's rows of which nothing but the user is given."""


def _statements() -> dict[str, Prepared]:
    found = {
        f"{room.__name__.rpartition('.')[2]}.{name}": each.prepared if isinstance(each, PreparedObjects) else each
        for room in ROOMS
        for name, each in vars(room).items()
        if not name.startswith(("_HOLD", "_LOCK"))  # locks of PostgreSQL
    }
    return {
        name: each
        for name, each in found.items()
        if isinstance(each, Prepared) and not isinstance(each.statement, sa.Insert)
    }


@pytest.mark.parametrize("name", sorted(_statements().keys() - COUNTS_ALL))
def test_a_statement_finds_its_rows_by_an_index(name: str) -> None:
    """It neither scans a table nor everything that a user has: a join once began at the wrong end."""
    prepared = _statements()[name]
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as connection:
        rendering, arguments = prepared._arguments(connection, {key: ["a", "b"] for key in prepared._lists})
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {rendering.sql}", tuple(arguments)).all()
    engine.dispose()

    steps = [str(row[3]) for row in plan]
    assert steps
    assert not [step for step in steps if step.startswith("SCAN") or WHOLE_USER.search(step)]
