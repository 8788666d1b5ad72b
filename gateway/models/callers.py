"""What is known of a number that has called: its language and its commune, under the keyed hash of the number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Column, Connection, Date, ForeignKey, FromClause, Table, Text, select, update

from gateway.config import Language
from gateway.models.base import Hash, metadata
from gateway.models.store import Many, insert, types_of
from gateway.models.volunteers import Volunteer, volunteers

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
    seen: date | None = None
    """The first of the month in which it last called."""


def find_caller(db: Connection, key: bytes) -> Caller | None:
    """The caller under a look-up key."""
    row = db.execute(select(callers.c.language, callers.c.commune, callers.c.seen).where(callers.c.key == key)).first()
    return Caller(*row) if row else None


@dataclass(frozen=True)
class Known:
    """What is known of who calls: who never called is a Caller without language and commune."""

    caller: Caller
    volunteer: Volunteer | None


def known_callers(db: Connection, keys: Iterable[bytes]) -> dict[bytes, Known]:
    """What is known of each of those who call, by their look-up keys."""
    return {
        row.key: Known(Caller(row.language, row.commune, row.seen), Volunteer(row.id, row.records) if row.id else None)
        for row in _KNOWN(db, [{"key": key} for key in keys])
    }


def note_seen(db: Connection, key: bytes, known: Caller, today: date) -> None:
    """Keeps the month in which a known caller called: at most one write a month."""
    month = today.replace(day=1)
    if known.seen is None or known.seen < month:
        db.execute(update(callers).where(callers.c.key == key).values(seen=month))


def remember(db: Connection, key: bytes, today: date | None = None, **what: Any) -> None:
    """Keeps a caller's `language` or `commune`; `today`: it called."""
    if today is not None:
        what["seen"] = today.replace(day=1)
    statement = insert(callers, db.dialect.name).values(key=key, **what)
    db.execute(statement.on_conflict_do_update(index_elements=[callers.c.key], set_=what))


def _known(given: FromClause, _dialect: str) -> Any:
    v = volunteers.c
    return (
        select(given.c.key, callers.c.language, callers.c.commune, callers.c.seen, v.id, v.commune.label("records"))
        .outerjoin(callers, callers.c.key == given.c.key)
        .outerjoin(volunteers, (v.phone == given.c.key) & v.active)
    )


_KNOWN = Many(types_of(callers, "key"), _known)
