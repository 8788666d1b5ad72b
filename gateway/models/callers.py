"""What is known of a number that has called: its language and its commune, under the keyed hash of the number."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, Date, ForeignKey, Table, Text, select

from gateway.config import Language
from gateway.models.base import Hash, metadata
from gateway.models.store import insert

callers = Table(
    "callers",
    metadata,
    Column("key", Hash, primary_key=True),
    Column("language", Text),
    Column("commune", ForeignKey("communes.code")),
    Column("seen", Date),  # the first of the month in which it last called: idle ones are forgotten
    sqlite_with_rowid=False,  # no row numbers: they would tell who came first
)


@dataclass(frozen=True)
class Caller:
    """A known number: its language and commune, each None until chosen."""

    language: Language | None
    commune: str | None


def find_caller(db: Connection, key: bytes) -> Caller | None:
    """The caller under a look-up key."""
    row = db.execute(select(callers.c.language, callers.c.commune).where(callers.c.key == key)).first()
    return Caller(*row) if row else None


def remember(db: Connection, key: bytes, **what: str) -> None:
    """Keeps a caller's `language` or `commune`."""
    statement = insert(callers, db.dialect.name).values(key=key, **what)
    db.execute(statement.on_conflict_do_update(index_elements=[callers.c.key], set_=what))
