"""The database: opened once a process, written in short transactions.

On SQLite every writing transaction begins IMMEDIATE (a deferred read-then-write fails under load in spite
of the busy timeout: DEPENDENCIES.md) and a commit is on disk before it returns, so that a "thank you" outlives
a power cut.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Insert, Text, column, create_engine, event, inspect, make_url, select, table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import Table

from gateway.errors import Told

BUSY_SECONDS = 10
MIGRATIONS = Path(__file__).parent.parent / "migrations"

DatabaseDown = (OperationalError, DBAPIError)
"""What SQLAlchemy raises when the database is away, locked or read-only."""


_VERSION = table("alembic_version", column("version_num", Text))


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
            self.engine = create_engine(self.url, pool_pre_ping=True, connect_args={"connect_timeout": 5}, **options)
            if idle_seconds:
                event.listen(self.engine, "connect", partial(_cut_off_idle, idle_seconds))
        self._writer: Engine = self.engine.execution_options(writes=True)

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
        self.engine.dispose()


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


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


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
