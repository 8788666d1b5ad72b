"""The database: opened once a process, written in short transactions.

On SQLite every writing transaction begins IMMEDIATE (a deferred read-then-write fails under load in spite
of the busy timeout: DEPENDENCIES.md) and a commit is on disk before it returns, so that a "thank you" outlives
a power cut.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    FromClause,
    Insert,
    Text,
    bindparam,
    cast,
    column,
    create_engine,
    event,
    func,
    inspect,
    make_url,
    select,
    table,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import Table
from sqlalchemy.types import TypeEngine

from gateway.errors import Told

BUSY_SECONDS = 10
MIGRATIONS = Path(__file__).parent.parent / "migrations"

DatabaseDown = (OperationalError, DBAPIError)
"""What SQLAlchemy raises when the database is away, locked or read-only."""


_PATIENCE = {"connect_timeout": 5}
_VERSION = table("alembic_version", column("version_num", Text))


_COLLISIONS = frozenset({"40001", "40P01"})
"""PostgreSQL's codes for two transactions of which one must give way."""


def is_away(error: BaseException) -> bool:
    """Whether the database is away, locked or read-only: what else fails may go well at once, or for another."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    return getattr(error.orig, "sqlstate", None) not in _COLLISIONS


class StoreProblem(Told):
    """The database cannot be used as it is; the message says what to do."""


class Store:
    """The database of one installation."""

    def __init__(self, url: str, pool_size: int = 10, idle_seconds: int | None = None) -> None:
        """`idle_seconds`: PostgreSQL cuts off a transaction that does nothing for longer.

        Its process is frozen then, and others wait for the rows that it holds.
        """
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        options = {"pool_size": pool_size, "max_overflow": pool_size, "hide_parameters": True}
        if self.is_sqlite:
            self.engine = create_engine(self.url, connect_args={"timeout": BUSY_SECONDS}, **options)
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            options |= {"pool_pre_ping": True}
            self.engine = create_engine(self.url, connect_args=_PATIENCE, **options)
            if idle_seconds:
                event.listen(self.engine, "connect", partial(_cut_off_idle, idle_seconds))
        self.engines = [self.engine]
        """With connections of their own."""
        self._writer: Engine = self.engine.execution_options(writes=True)
        self._by_index: Engine = self._writer
        if not self.is_sqlite:
            self._by_index = create_engine(self.url, connect_args=_PATIENCE, **options)
            event.listen(self._by_index, "connect", _by_index)
            self.engines.append(self._by_index)

    @property
    def writers(self) -> int:
        """So many transactions of one process write side by side with gain: SQLite has one lock for all."""
        return 1 if self.is_sqlite else 2

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read with."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction, committed at the end or wholly undone. No network call belongs in it."""
        with self._writer.begin() as connection:
            yield connection

    @contextmanager
    def write_by_index(self) -> Iterator[Connection]:
        """The same, for few rows of large tables, each by its key.

        PostgreSQL plans a statement once and for long, and may do so while a table is small and best read whole: these
        connections are told to look each row up. (An index may be read whole, too: 580 ms instead of 6 for 64 receipts
        among 60,000 messages. A bitmap never is.)
        """
        with self._by_index.begin() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection that sees the database as it was at its first look, whatever is written meanwhile."""
        engine = self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="REPEATABLE READ")
        with engine.connect() as connection:
            yield connection

    @contextmanager
    def rebuild(self) -> Iterator[Connection]:
        """A transaction in which tables may be made anew.

        On SQLite without foreign keys: they would act when the old table is dropped.
        """
        with self._writer.execution_options(rebuilds=True).begin() as connection:
            yield connection
        self.engine.dispose()  # that connection must not come back

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that knows ON CONFLICT, in this database's dialect."""
        return insert(table, "sqlite" if self.is_sqlite else "postgresql")

    def revision(self) -> str | None:
        """The schema's revision; None in an empty database."""
        with self.read() as connection:
            if not inspect(connection).has_table(_VERSION.name):
                return None
            return connection.scalar(select(_VERSION.c.version_num))

    def must_be_current(self) -> None:
        """Raises StoreProblem when the schema is missing, older or newer than this program."""
        try:
            found = self.revision()
        except DatabaseDown as error:
            raise StoreProblem(f"the database cannot be reached: {reason(error)}") from None
        if found == newest_revision():
            return
        if found is None:
            raise StoreProblem("the database is empty; run: mati init")
        raise StoreProblem(f"the database is at schema {found}, this program at {newest_revision()}; run: mati migrate")

    def close(self) -> None:
        """Closes all connections."""
        for engine in self.engines:
            engine.dispose()


def insert(table: Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, for a dialect's name."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def insert_new(connection: Connection, statement: Insert | sqlite.Insert | postgresql.Insert) -> bool:
    """Runs an `insert(...)`; False, and nothing changed, when such a row was there already."""
    assert isinstance(statement, sqlite.Insert | postgresql.Insert)
    options = {"preserve_rowcount": True}  # else psycopg's count of an INSERT is always -1
    return connection.execute(statement.on_conflict_do_nothing(), execution_options=options).rowcount == 1


def insert_many(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> int:
    """Many rows at once, each with a value for every one of the columns; returns how many there were.

    PostgreSQL takes them as a binary COPY: 17,000 messages in a fifth of the time of INSERTs.
    """
    if connection.dialect.name == "sqlite":
        values = list(rows)
        if values:
            connection.execute(table.insert(), values)
        return len(values)
    driver: Any = connection.connection.driver_connection
    target = f"COPY {table.name} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
    count = 0
    with driver.cursor() as cursor, cursor.copy(target) as copy:
        copy.set_types([table.c[name].type.compile(connection.dialect).lower() for name in columns])
        for row in rows:
            copy.write_row([row[name] for name in columns])
            count += 1
    return count


class Many:
    """A statement that is given rows: it reads them as a table, for one row as for fifty.

    PostgreSQL gets them all at once, as one JSON text (which costs psycopg a tenth of an array for each column);
    SQLite, where a call is no round trip, one after the other. The statement is put together once: that costs
    SQLAlchemy more than to run it.
    """

    def __init__(
        self, types: Callable[[], Mapping[str, TypeEngine[Any]]], build: Callable[[FromClause, str], Any]
    ) -> None:
        """`types` of a row's values, by their names: asked for when all tables are there.

        `build` puts the statement together, from the table of rows and the name of the dialect.
        """
        self._types = functools.cache(types)
        self._build = build

    def __call__(self, db: Connection, rows: Sequence[Mapping[str, Any]], **same: Any) -> list[Any]:
        """Runs it, with its other parameters, the `same` for all rows; returns the rows that it returns."""
        if not rows:
            return []
        names = self._types()
        if db.dialect.name == "sqlite":
            found: list[Any] = []
            for row in rows:
                result = db.execute(self._on_sqlite, {f"given_{name}": row[name] for name in names} | same)
                found += result.all() if result.returns_rows else []
            return found
        text = json.dumps([{name: row[name] for name in names} for row in rows], default=_as_json)
        result = db.execute(self._on_postgresql, {"given_rows": text, **same})
        return list(result) if result.returns_rows else []

    @functools.cached_property
    def _on_sqlite(self) -> Any:
        # not by its bare name: SQLAlchemy would take it for the value of a column
        values = (bindparam(f"given_{name}", type_=type_).label(name) for name, type_ in self._types().items())
        return self._build(select(*values).subquery("given"), "sqlite")

    @functools.cached_property
    def _on_postgresql(self) -> Any:
        columns = (column(name, type_) for name, type_ in self._types().items())
        rows = func.json_to_recordset(cast(bindparam("given_rows", type_=Text), postgresql.JSON))
        return self._build(rows.table_valued(*columns, name="given").render_derived("given", True), "postgresql")


def _as_json(value: object) -> str:
    """What JSON has no form for, as PostgreSQL reads it."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


def types_of(table: Table, *names: str) -> Callable[[], Mapping[str, TypeEngine[Any]]]:
    """For `Many`: rows with the values of a table's columns, of all or of these."""
    return lambda: {one.name: one.type for one in table.columns if not names or one.name in names}


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _by_index(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for way in ("seqscan", "indexscan", "indexonlyscan", "hashjoin", "mergejoin"):  # what is left are bitmap scans
        cursor.execute(f"SET enable_{way} = off")
    cursor.close()
    connection.commit()


def _cut_off_idle(seconds: int, connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET idle_in_transaction_session_timeout = '{seconds}s'")
    cursor.close()
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    writes = options.get("writes", False)
    if options.get("rebuilds"):
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@functools.cache
def newest_revision() -> str:
    """The revision this program is written for: that of the last file of the migrations.

    Alembic itself is loaded only to migrate: it costs each process 11 MB.
    """
    return max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def reason(error: DBAPIError) -> str:
    """What the database said, in a line."""
    return str(error.orig).strip().splitlines()[0] if error.orig else type(error).__name__
