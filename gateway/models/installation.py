"""What this installation knows of itself: whether its data are invented, when it keeps silent."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Column, ColumnElement, Connection, Table, Text, delete, exists, func, select

from gateway.models.base import metadata
from gateway.models.store import insert

installation = Table(
    "installation",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)


def is_demo(db: Connection) -> bool:
    """Whether the data are invented."""
    return db.scalar(select(installation.c.value).where(installation.c.name == "demo")) is not None


def mark_demo(db: Connection) -> None:
    """Says of the data, for good, that they are invented."""
    db.execute(installation.insert().values(name="demo", value="yes"))


def pause(db: Connection) -> tuple[date, date] | None:
    """The two days, inclusive, between which no tally, poll, invitation or result leaves; None where none is set."""
    value = db.scalar(select(installation.c.value).where(installation.c.name == _PAUSE))
    if value is None:
        return None
    first, _, last = value.partition(" ")
    return date.fromisoformat(first), date.fromisoformat(last)


def set_pause(db: Connection, days: tuple[date, date] | None) -> None:
    """Sets the pause, or takes it away."""
    if days is None:
        db.execute(delete(installation).where(installation.c.name == _PAUSE))
        return
    value = f"{days[0].isoformat()} {days[1].isoformat()}"
    statement = insert(installation, db.dialect.name).values(name=_PAUSE, value=value)
    db.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def no_pause(day: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a day, written as 2026-11-24, lies in no pause; for a statement that must know it as it runs."""
    first, last = func.substr(installation.c.value, 1, 10), func.substr(installation.c.value, 12)
    return ~exists().where(installation.c.name == _PAUSE, first <= day, last >= day)


def is_paused(db: Connection, day: date) -> bool:
    """Whether a day (of the programme's time zone) lies in the pause."""
    days = pause(db)
    return days is not None and days[0] <= day <= days[1]


def master(db: Connection) -> str | None:
    """The fingerprint of the master key that this database was made with."""
    return db.scalar(select(installation.c.value).where(installation.c.name == _MASTER))


def set_master(db: Connection, fingerprint: str) -> None:
    """Notes which master key this database goes with from now on."""
    db.execute(delete(installation).where(installation.c.name == _MASTER))
    db.execute(installation.insert().values(name=_MASTER, value=fingerprint))


_PAUSE = "pause"
_MASTER = "master key"
