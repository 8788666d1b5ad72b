"""What is kept of time: the clock's finished periods, and how much each provider may be given when Redis is away."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import Column, Connection, Float, Table, Text, select

from gateway.models.base import Moment, metadata
from gateway.models.store import insert, insert_new

periods = Table(
    "periods",
    metadata,
    Column("task", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("done", Moment, nullable=False),
)

paces = Table(
    "paces",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("segments", Float, nullable=False),  # that may go now
    Column("at", Moment, nullable=False),
)


def is_done(db: Connection, task: str, begins: Collection[datetime]) -> bool:
    """Whether a task has done one of the periods that began at these times."""
    mine = (periods.c.task == task) & periods.c.period.in_([_name(begin) for begin in begins])
    return db.execute(select(periods.c.period).where(mine)).first() is not None


def note_done(db: Connection, task: str, begin: datetime, now: datetime) -> bool:
    """Notes that a task has done a period. False when it was noted already."""
    statement = insert(periods, db.dialect.name).values(task=task, period=_name(begin), done=now)
    return insert_new(db, statement)


def _name(begin: datetime) -> str:
    return begin.astimezone(UTC).isoformat(timespec="minutes")
