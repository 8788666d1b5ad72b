"""Rounds: from when to when which communes' services are rated, and under which key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    ForeignKey,
    Index,
    Integer,
    Select,
    Table,
    Text,
    literal_column,
    select,
)
from sqlalchemy.sql.expression import false

from gateway.models.base import Hash, metadata

rounds = Table(
    "rounds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False),  # the name of the key's file, never the key
    Column("opened", Date, nullable=False),
    Column("until", Date),  # its last day as planned, for staff's eyes
    Column("closed", Date),
    # publishing: councils see it from the first of these days on, everybody from the second
    Column("council_on", Date),
    Column("public_on", Date),
    Column("published_by", ForeignKey("staff.id")),
)

round_communes = Table(
    "round_communes",
    metadata,
    Column("round_id", ForeignKey("rounds.id"), primary_key=True),
    Column("commune", ForeignKey("communes.code"), primary_key=True),
    Column("number", Integer, nullable=False),  # the commune's own count, from 1
    Column("open", Boolean, nullable=False),
    # closed, and its answers were written anew (scorecard/closing.py)
    Column("forgotten", Boolean, nullable=False, server_default=false()),
)
Index("uq_round_communes_open", round_communes.c.commune, unique=True, sqlite_where=round_communes.c.open,
      postgresql_where=round_communes.c.open)  # fmt: skip
Index("uq_round_communes_number", round_communes.c.commune, round_communes.c.number, unique=True)

round_services = Table(
    "round_services",
    metadata,
    Column("round_id", ForeignKey("rounds.id"), primary_key=True),
    Column("service_id", ForeignKey("services.id"), primary_key=True),
)

round_indicators = Table(
    "round_indicators",
    metadata,
    # what is asked beside the score: frozen while the round is open, as its services are
    Column("round_id", ForeignKey("rounds.id"), primary_key=True),
    Column("indicator_id", ForeignKey("indicators.id"), primary_key=True),
)

near_numbers = Table(
    "near_numbers",
    metadata,
    # how many numbers of one hundred neighbours rated a commune on a day, while the round is open: bursts are flagged
    Column("round_id", ForeignKey("rounds.id"), primary_key=True),
    Column("near", Hash, primary_key=True),  # the hundred, under the round's key
    Column("commune", ForeignKey("communes.code"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("numbers", Integer, nullable=False),
    sqlite_with_rowid=False,
)
NEIGHBOURS = 5
"""So many of one hundred neighbouring numbers on one day are flagged. Of 300 phones that rate on a day, drawn from the
30 million numbers there are, two are neighbours on one day in seven, three on one in 20,000, five never. But a shop
sells SIM cards by the pack, so that two or three of them in a village mean nothing."""
_many = near_numbers.c.numbers >= literal_column(str(NEIGHBOURS))  # a literal: only so is the index used
Index("ix_near_numbers_many", near_numbers.c.round_id, near_numbers.c.day, sqlite_where=_many, postgresql_where=_many)


@dataclass(frozen=True)
class Round:
    """A round as one commune sees it; `number` is the commune's own count from 1, dates are inclusive."""

    id: int
    key: str
    number: int
    opened: date
    closed: date | None


def round_of(db: Connection, commune: str, number: int | None = None) -> Round | None:
    """A commune's round by its own count; without a number the open one, or else the last."""
    statement = _seen_from(commune)
    if number is not None:
        statement = statement.where(round_communes.c.number == number)
    row = db.execute(statement.limit(1)).first()
    return Round(*row) if row else None


def rounds_of(db: Connection, commune: str) -> list[Round]:
    """All rounds of a commune, the newest first."""
    return [Round(*row) for row in db.execute(_seen_from(commune))]


def _seen_from(commune: str) -> Select[Any]:
    return (
        select(rounds.c.id, rounds.c.key, round_communes.c.number, rounds.c.opened, rounds.c.closed)
        .join(round_communes, round_communes.c.round_id == rounds.c.id)
        .where(round_communes.c.commune == commune)
        .order_by(round_communes.c.number.desc())
    )
