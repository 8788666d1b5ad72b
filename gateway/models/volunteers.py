"""Volunteers who record respondents on their own phone or on the panel: each respondent counts as one number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    select,
    update,
)
from sqlalchemy.sql.expression import true

from gateway.models.base import Hash, metadata
from gateway.models.store import insert

ASSISTED = "assisted"
"""The channel of answers that a volunteer recorded, whichever way they came."""

volunteers = Table(
    "volunteers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("commune", ForeignKey("communes.code"), nullable=False),
    # the number, keyed for looking up and sealed; none where they record on the panel alone
    Column("phone", Hash),
    Column("number", LargeBinary),
    Column("number_key", Integer),
    Column("staff_id", ForeignKey("staff.id")),  # their login, if they have one
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("since", Date, nullable=False),
    UniqueConstraint("phone"),
    UniqueConstraint("staff_id"),
)

recorded = Table(
    "recorded",
    metadata,
    # how many respondents each volunteer recorded on a day: never which
    Column("round_id", ForeignKey("rounds.id"), primary_key=True),
    Column("volunteer_id", ForeignKey("volunteers.id"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("respondents", Integer, nullable=False),
)


@dataclass(frozen=True)
class Volunteer:
    """Who records, and in which commune by phone."""

    id: int
    commune: str


def volunteer_of(db: Connection, phone: bytes) -> Volunteer | None:
    """The active volunteer who has this number, by its look-up key."""
    mine = select(volunteers.c.id, volunteers.c.commune).where(volunteers.c.phone == phone, volunteers.c.active)
    row = db.execute(mine).first()
    return Volunteer(*row) if row else None


def note_recorded(db: Connection, round_id: int, volunteer: int, day: date, by: int) -> None:
    """Counts respondents of a volunteer's day. By 0 it only holds the count until the commit: a repeat waits for it."""
    key = {"round_id": round_id, "volunteer_id": volunteer, "day": day}
    statement = insert(recorded, db.dialect.name).values(key | {"respondents": by})
    more = {"respondents": recorded.c.respondents + by}
    db.execute(statement.on_conflict_do_update(index_elements=list(recorded.primary_key.columns), set_=more))


def note_taken_back(db: Connection, round_id: int, volunteer: int, day: date) -> None:
    """Counts one less of a volunteer's day."""
    mine = (recorded.c.round_id == round_id) & (recorded.c.volunteer_id == volunteer) & (recorded.c.day == day)
    less = {"respondents": recorded.c.respondents - 1}
    db.execute(update(recorded).where(mine, recorded.c.respondents > 0).values(less))


def recorded_on(db: Connection, round_id: int, volunteer: int, day: date) -> int:
    """How many respondents a volunteer recorded on a day."""
    key = (recorded.c.round_id == round_id) & (recorded.c.volunteer_id == volunteer) & (recorded.c.day == day)
    return db.scalar(select(recorded.c.respondents).where(key)) or 0
