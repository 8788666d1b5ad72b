"""Ratings: the current answer of each rater for each service of a round.

A rater is a keyed hash of a number and a who; `phone` is the hash of the number alone, which thresholds count.
Both hang on the round's key and mean nothing once that is destroyed. The table has no row numbers that tell
an order, and keeps the day, never the minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Date,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    delete,
    select,
    tuple_,
    update,
)

from gateway.models.base import Hash, metadata
from gateway.models.rounds import round_communes
from gateway.models.store import insert

OVERALL = "overall"
"""The indicator of a service's own score; others are the extra questions of a round."""

answers = Table(
    "answers",
    metadata,
    Column("round_id", ForeignKey("rounds.id"), primary_key=True),
    Column("rater", Hash, primary_key=True),
    Column("service_id", ForeignKey("services.id"), primary_key=True),
    Column("indicator", Text, primary_key=True),
    Column("phone", Hash, nullable=False),
    Column("who", Text),  # None: not yet told, or no answer
    Column("commune", ForeignKey("communes.code"), nullable=False),
    Column("score", SmallInteger, nullable=False),
    Column("day", Date, nullable=False),
    Column("channel", Text, nullable=False),
    CheckConstraint("score BETWEEN 1 AND 5", name="score"),
    sqlite_with_rowid=False,
)
Index("ix_answers_tally", answers.c.commune, answers.c.round_id, answers.c.service_id, answers.c.indicator)
Index("ix_answers_phone", answers.c.round_id, answers.c.phone)


class RoundClosed(Exception):
    """The round closed before the answer came; nothing was stored."""


@dataclass(frozen=True)
class Given:
    """An answer to be stored."""

    round_id: int
    rater: bytes
    phone: bytes
    commune: str
    service: str
    score: int
    day: date
    channel: str
    indicator: str = OVERALL
    who: str | None = None


def save(db: Connection, given: Given) -> None:
    """Stores an answer in place of an earlier one of the same rater. Raises RoundClosed.

    The round's row is locked until the commit, so that no answer comes in beside its closing. A closing that is
    under way counts as done: it waits for our conversation, so we must not wait for it.
    """
    still_open = select(round_communes.c.round_id).where(
        round_communes.c.round_id == given.round_id, round_communes.c.commune == given.commune, round_communes.c.open
    )
    if db.execute(still_open.with_for_update(read=True, skip_locked=True)).first() is None:
        raise RoundClosed
    values = {
        "round_id": given.round_id, "rater": given.rater, "service_id": given.service, "indicator": given.indicator,
        "phone": given.phone, "who": given.who, "commune": given.commune, "score": given.score, "day": given.day,
        "channel": given.channel,
    }  # fmt: skip
    changed = {name: values[name] for name in ("commune", "score", "day", "channel")}
    statement = insert(answers, db.dialect.name).values(values)
    db.execute(statement.on_conflict_do_update(index_elements=list(answers.primary_key.columns), set_=changed))


def take_over(db: Connection, round_id: int, phone: bytes, nobody: bytes, rater: bytes, who: str) -> None:
    """Answers of a number that told no who become those of this who; they replace what it answered before.

    An answer without a who is always the later one: an identified one of the same number and service came either
    before it, or took its place.
    """
    mine = (answers.c.round_id == round_id) & (answers.c.phone == phone)
    loose = select(answers.c.service_id, answers.c.indicator).where(mine, answers.c.rater == nobody)
    replaced = tuple_(answers.c.service_id, answers.c.indicator).in_(loose)
    db.execute(delete(answers).where(mine, answers.c.rater == rater, replaced))
    db.execute(update(answers).where(mine, answers.c.rater == nobody).values(rater=rater, who=who))


def remove_loose(db: Connection, round_id: int, phone: bytes, nobody: bytes, service: str) -> None:
    """Removes what a number answered on a service without telling a who."""
    db.execute(
        delete(answers).where(
            answers.c.round_id == round_id,
            answers.c.phone == phone,
            answers.c.rater == nobody,
            answers.c.service_id == service,
        )
    )


def withdraw(db: Connection, round_id: int, phone: bytes) -> None:
    """Removes all answers of a number in a round, whoever gave them."""
    db.execute(delete(answers).where(answers.c.round_id == round_id, answers.c.phone == phone))
