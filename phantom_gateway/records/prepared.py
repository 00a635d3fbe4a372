"""
Statements compiled once and run by the driver itself.

Owns: what SQLAlchemy would do again for every execution, done once: rendering, the order of parameters, and how values
go in and come out. An ordinary execution costs some 100 us of processor time, a prepared one about 10, and a busy
gateway does little else. Does not own: transactions; it runs inside the connection's.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar, cast

import sqlalchemy as sa

T = TypeVar("T")
Row = tuple[Any, ...]
Processor = Callable[[Any], Any]

_FLOAT8 = 701
"""PostgreSQL's number for floats; other databases do not look at it."""

NOTHING: Mapping[str, Any] = {}
NO_LISTS: Mapping[str, Sequence[Any]] = {}

RENDERINGS_MAX = 256
"""
Renderings of one statement. Lists are padded to a power of two, so that each list parameter makes a dozen at the most;
more than this means that somebody builds statements from input.
"""


class Prepared:
    """
    One statement with named parameters; those made with ``expanding=True`` take lists.

    Inserts of values name their columns by the keys of those they are first run with.
    """

    __slots__ = ("_is_fixed", "_lists", "_renderings", "_takes_columns", "statement")

    def __init__(self, statement: "sa.Select[*tuple[Any, ...]] | sa.Insert | sa.Update | sa.Delete") -> None:
        self.statement = statement
        self._renderings: dict[Hashable, Rendering] = {}
        self._lists = [
            part.key
            for part in sa.sql.visitors.iterate(statement)
            if isinstance(part, sa.BindParameter) and part.expanding
        ]
        self._takes_columns = _takes_columns(statement)
        self._is_fixed = not self._lists and not self._takes_columns
        """Whatever the values are, one rendering serves them all."""

    def rows(self, connection: sa.Connection, values: Mapping[str, Any] = NOTHING) -> list[Row]:
        """Every row, its values as the columns' types give them."""
        rendering, found = self.fetched(connection, values)
        if not rendering.results:
            return found
        return [rendering.converted(row) for row in found]

    def first(self, connection: sa.Connection, values: Mapping[str, Any] = NOTHING) -> Row | None:
        """The first row, or None."""
        found = self.rows(connection, values)
        return found[0] if found else None

    def scalar(self, connection: sa.Connection, values: Mapping[str, Any] = NOTHING) -> Any:
        """The first value of the first row, or None."""
        found = self.rows(connection, values)
        return found[0][0] if found else None

    def run(self, connection: sa.Connection, values: Mapping[str, Any] = NOTHING) -> None:
        """Nothing; the statement has been run for its effect."""
        rendering, arguments = self._arguments(connection, values)
        try:
            driver_of(connection).execute(rendering.sql, arguments)
        except connection.dialect.loaded_dbapi.Error as error:
            _name(connection, error)
            raise

    def run_all(self, connection: sa.Connection, batch: Iterable[Mapping[str, Any]]) -> None:
        """Nothing; the statement has been run for each of *batch*."""
        for values in batch:
            self.run(connection, values)

    def fetched(self, connection: sa.Connection, values: Mapping[str, Any]) -> "tuple[Rendering, list[Row]]":
        """Every row as the driver gives it, and what it was asked with, which can convert them."""
        rendering, arguments = self._arguments(connection, values)
        try:
            return rendering, cast("list[Row]", driver_of(connection).execute(rendering.sql, arguments).fetchall())
        except connection.dialect.loaded_dbapi.Error as error:
            _name(connection, error)
            raise

    def _arguments(self, connection: sa.Connection, values: Mapping[str, Any]) -> "tuple[Rendering, Any]":
        dialect = connection.dialect.name
        if self._is_fixed:
            shape: Hashable = dialect
            lists = NO_LISTS
        elif self._takes_columns:
            shape = (dialect, *values)
            lists = NO_LISTS
        else:
            lists = {name: _padded(values[name]) for name in self._lists if name in values}
            shape = (dialect, *((name, len(given)) for name, given in lists.items()))
        rendering = self._renderings.get(shape)
        if rendering is None:
            if len(self._renderings) >= RENDERINGS_MAX:
                self._renderings.clear()
            rendering = self._renderings[shape] = _render(self.statement, connection.dialect, values, lists)
        return rendering, rendering.arguments({**values, **_spread(lists)} if lists else values)


class PreparedObjects(Generic[T]):
    """
    A select whose rows *make* turns into objects that never change.

    What it made of one of the last *kept_max* different rows is given again for the same row: most rows that are read
    over and over have not changed, and to make an object of one takes ten times as long as to find it here.
    """

    __slots__ = ("_made", "prepared")

    def __init__(self, statement: "sa.Select[*tuple[Any, ...]]", make: Callable[[Row], T], kept_max: int) -> None:
        self.prepared = Prepared(statement)

        def made(rendering: Rendering, row: Row) -> T:
            return make(rendering.converted(row))

        self._made = lru_cache(maxsize=kept_max)(made)

    def all(self, connection: sa.Connection, values: Mapping[str, Any] = NOTHING) -> list[T]:
        """The object of every row."""
        rendering, found = self.prepared.fetched(connection, values)
        return [self._made(rendering, row) for row in found]


class PreparedChanges:
    """
    Updates of any columns of the rows of *table* with given keys, prepared for each set of columns as it comes.

    *always* are columns that every change sets besides.
    """

    __slots__ = ("_always", "_prepared", "_table")

    def __init__(self, table: sa.Table, always: Mapping[str, "sa.ColumnElement[Any]"] = NOTHING) -> None:
        self._table = table
        self._always = always
        self._prepared: dict[tuple[str, ...], Prepared] = {}

    def run(self, connection: sa.Connection, keys: Collection[int], values: Mapping[str, Any]) -> None:
        """Nothing; the rows with these *keys* have these *values*, by column name."""
        if not keys:
            return
        names = tuple(values)
        prepared = self._prepared.get(names)
        if prepared is None:
            given = {name: sa.bindparam(f"new_{name}", type_=self._table.c[name].type) for name in names}
            statement = self._table.update().where(self._table.c.id.in_(sa.bindparam("keys", expanding=True)))
            prepared = self._prepared[names] = Prepared(statement.values({**given, **self._always}))
        prepared.run(connection, {"keys": list(keys)} | {f"new_{name}": value for name, value in values.items()})


class _Source(NamedTuple):
    """Where one argument comes from: the value called *name*, or *constant* when it is not given."""

    spot: str
    """The driver's name for it."""
    name: str
    constant: Any
    convert: Processor | None


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """SQL text, where its arguments come from, and what has to be done to which column of a result."""

    sql: str
    sources: Sequence[_Source]
    results: Sequence[tuple[int, Processor]]
    is_positional: bool

    def arguments(self, values: Mapping[str, Any]) -> Any:
        """What the driver is given: values by position, or by name where the driver wants it so."""
        get = values.get
        found = [
            get(name, constant) if convert is None else convert(get(name, constant))
            for _, name, constant, convert in self.sources
        ]
        if self.is_positional:
            return found
        return {source.spot: value for source, value in zip(self.sources, found, strict=True)}

    def converted(self, row: Row) -> Row:
        """*row* with the values that its columns' types stand for."""
        values = list(row)
        for index, convert in self.results:
            values[index] = convert(values[index])
        return tuple(values)


def driver_of(connection: sa.Connection) -> Any:
    """
    The driver's own connection, inside whose transaction *connection* is.

    Its ``execute`` makes a cursor and runs a statement on it: a third of what it takes by way of SQLAlchemy's proxies.
    """
    return connection.connection.dbapi_connection


def _name(connection: sa.Connection, error: Exception) -> None:
    """Nothing. Raises what SQLAlchemy would call *error*, where it is one of the driver's that others know by that."""
    driver = connection.dialect.loaded_dbapi
    # SQLite says of a damaged file that it is a DatabaseError, and nothing more.
    if isinstance(error, driver.OperationalError) or type(error) is driver.DatabaseError:
        raise sa.exc.OperationalError(None, None, error) from error
    if isinstance(error, driver.IntegrityError):
        raise sa.exc.IntegrityError(None, None, error) from error


def _render(
    statement: "sa.Select[*tuple[Any, ...]] | sa.Insert | sa.Update | sa.Delete",
    dialect: sa.Dialect,
    values: Mapping[str, Any],
    lists: Mapping[str, Sequence[Any]],
) -> Rendering:
    if _takes_columns(statement):
        compiled = statement.compile(dialect=dialect, column_keys=list(values))
    else:
        compiled = statement.compile(dialect=dialect)
    sql = cast("Any", compiled)  # every statement here is SQL, whose compiler knows more than the general one
    state = sql.construct_expanded_state({**sql.params, **values, **lists})
    expansion = state.parameter_expansion.items()
    members = {spot: (name, place) for name, spots in expansion for place, spot in enumerate(spots)}
    sources = []
    for spot in state.positiontup if sql.positional else state.parameters:
        name, place = members.get(spot, (spot, None))
        kind = sql.binds[name].type
        convert = kind.dialect_impl(dialect).bind_processor(dialect)
        given_as = name if place is None else _member(name, place)
        sources.append(_Source(spot, given_as, sql.params.get(name), convert))
    columns = statement.exported_columns if isinstance(statement, sa.Select) or statement.exported_columns else ()
    converters = [column.type.dialect_impl(dialect).result_processor(dialect, _code(column.type)) for column in columns]
    results = [(index, convert) for index, convert in enumerate(converters) if convert is not None]
    return Rendering(state.statement, tuple(sources), tuple(results), sql.positional)


def _takes_columns(statement: "sa.Select[*tuple[Any, ...]] | sa.Insert | sa.Update | sa.Delete") -> bool:
    """Whether it inserts whatever columns it is given values for, not those that it selects itself."""
    return isinstance(statement, sa.Insert) and statement.select is None


def _code(kind: sa.types.TypeEngine[Any]) -> int | None:
    """What a cursor would say that a column of this type holds; only PostgreSQL's floats need it said."""
    return _FLOAT8 if isinstance(kind, sa.Float) else None


def _member(name: str, place: int) -> str:
    """What the value at *place* of the list called *name* is called; no parameter has such a name of its own."""
    return f"{name}[{place}]"


def _spread(lists: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Every member of every list, by the name of its own."""
    return {_member(name, place): value for name, given in lists.items() for place, value in enumerate(given)}


def _padded(given: list[Any]) -> list[Any]:
    """*given* with its last member repeated up to the next power of two: the same set, in few lengths."""
    if not given:
        return given
    length = 1 << (len(given) - 1).bit_length()
    return given + given[-1:] * (length - len(given))
