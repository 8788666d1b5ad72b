"""Ratings: the current answer of each rater for each service of a round.

A rater is a keyed hash of a number and a who; `phone` is the hash of the number alone, which thresholds count.
Both hang on the round's key and mean nothing once that is destroyed. The table has no row numbers that tell
an order, and keeps the day, never the minute.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    Date,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    case,
    delete,
    func,
    literal,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql.expression import true

from gateway.models.base import Hash, metadata
from gateway.models.rounds import round_communes, rounds
from gateway.models.store import insert

OVERALL = "overall"
"""The indicator of a service's own score; others are the extra questions of a round."""
NO_DAY = date.min
"""The day of answers whose day is not kept: too few rated about then (scorecard/closing.py)."""

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
    Column("given", SmallInteger, nullable=False, server_default="1"),  # how often: the last answer wins
    # one of a number's answers on a service leads: their count is that of distinct numbers
    Column("lead", Boolean, nullable=False, server_default=true()),
    CheckConstraint("score BETWEEN 1 AND 5", name="score"),
    sqlite_with_rowid=False,
)
Index("ix_answers_phone", answers.c.round_id, answers.c.phone)
Index("ix_answers_day", answers.c.commune, answers.c.round_id, answers.c.day)

OFTEN = 10
"""Who changes one answer so often is flagged: the last one counts, and nobody changes their mind ten times."""
_often = answers.c.given >= literal_column(str(OFTEN))  # a literal: only so is the index used that stands on it
Index("ix_answers_often", answers.c.round_id, answers.c.commune, sqlite_where=_often, postgresql_where=_often)
_MOST_GIVEN = 9999
"""So far it is counted: who goes on must not fill the column."""

stale_days = Table(
    "stale_days",
    metadata,
    # days whose answers changed since they were counted (models/rollups.py)
    Column("commune", ForeignKey("communes.code"), primary_key=True),
    Column("round_id", ForeignKey("rounds.id"), primary_key=True),
    Column("day", Date, primary_key=True),
    sqlite_with_rowid=False,
)

rollup_state = Table(
    "rollup_state",
    metadata,
    Column("until", Date, primary_key=True),  # the one row: every day up to this one is counted, or stale
)


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


def key_of(db: Connection, round_id: int) -> str:
    """The name of an open round's key. Raises RoundClosed: the key of a closed one is gone."""
    name = db.scalar(select(rounds.c.key).where(rounds.c.id == round_id, rounds.c.closed.is_(None)))
    if name is None:
        raise RoundClosed
    return str(name)


def hold_open(db: Connection, round_id: int, commune: str, phone: bytes) -> bool:
    """Keeps a round from closing until the commit; whether a number has no answer in it yet. Raises RoundClosed.

    The round's row is locked, so that no answer comes in beside its closing. A closing that is under way counts as
    done: it waits for our conversation, so we must not wait for it.
    """
    mine = select(answers.c.rater).where(answers.c.round_id == round_id, answers.c.phone == phone).exists()
    still_open = select((~mine).label("is_first")).where(
        round_communes.c.round_id == round_id, round_communes.c.commune == commune, round_communes.c.open
    )
    row = db.execute(still_open.with_for_update(read=True, skip_locked=True)).first()
    if row is None:
        raise RoundClosed
    return bool(row.is_first)


def save(db: Connection, given: Given) -> bool:
    """Stores an answer in place of an earlier one of the same rater; whether it is the number's first in the round.

    Raises RoundClosed.
    """
    is_first = hold_open(db, given.round_id, given.commune, given.phone)
    values = {
        "round_id": given.round_id, "rater": given.rater, "service_id": given.service, "indicator": given.indicator,
        "phone": given.phone, "who": given.who, "commune": given.commune, "score": given.score, "day": given.day,
        "channel": given.channel,
    }  # fmt: skip
    key = [column == values[column.name] for column in answers.primary_key.columns]
    elsewhere = (answers.c.day != given.day) | (answers.c.commune != given.commune)
    _make_stale(db, *key, elsewhere, also=given)
    same = ("round_id", "phone", "service_id", "indicator")
    leads = ~select(answers.c.rater).where(*(answers.c[name] == values[name] for name in same)).exists()
    changed = {name: values[name] for name in ("commune", "score", "day", "channel")}
    statement = insert(answers, db.dialect.name).values({**values, "lead": leads})
    again = {**changed, "given": _more(1)}
    db.execute(statement.on_conflict_do_update(index_elements=list(answers.primary_key.columns), set_=again))
    return is_first


def take_over(db: Connection, round_id: int, phone: bytes, nobody: bytes, rater: bytes, who: str) -> None:
    """Answers of a number that told no who become those of this who; they replace what it answered before.

    An answer without a who is always the later one: an identified one of the same number and service came either
    before it, or took its place.
    """
    mine = (answers.c.round_id == round_id) & (answers.c.phone == phone)
    loose = select(answers.c.service_id, answers.c.indicator).where(mine, answers.c.rater == nobody)
    replaced = tuple_(answers.c.service_id, answers.c.indicator).in_(loose)
    before = (mine, answers.c.rater == rater, replaced)
    _make_stale(db, *before)
    _make_stale(db, mine, answers.c.rater == nobody)
    counted = (answers.c.service_id, answers.c.indicator, answers.c.given)
    gone = db.execute(delete(answers).where(*before).returning(*counted)).all()
    for row in gone:  # how often it was given goes on being counted
        same = (answers.c.service_id == row.service_id, answers.c.indicator == row.indicator)
        db.execute(update(answers).where(mine, answers.c.rater == nobody, *same).values(given=_more(row.given)))
    db.execute(update(answers).where(mine, answers.c.rater == nobody).values(rater=rater, who=who))
    if gone:
        _let_lead(db, round_id, phone)


def let_go(
    db: Connection, round_id: int, phone: bytes, rater: bytes, nobody: bytes, given: Collection[tuple[str, str]]
) -> None:
    """Answers of a rater on services, each with its question, are without a who again; those since then stay."""
    mine = (answers.c.round_id == round_id) & (answers.c.phone == phone)
    mine &= tuple_(answers.c.service_id, answers.c.indicator).in_(given)
    loose = select(answers.c.service_id, answers.c.indicator).where(mine, answers.c.rater == nobody)
    replaced = (mine, answers.c.rater == rater, tuple_(answers.c.service_id, answers.c.indicator).in_(loose))
    _make_stale(db, mine, answers.c.rater == rater)
    gone = db.execute(delete(answers).where(*replaced)).rowcount
    db.execute(update(answers).where(mine, answers.c.rater == rater).values(rater=nobody, who=None))
    if gone:
        _let_lead(db, round_id, phone)


def remove_loose(db: Connection, round_id: int, phone: bytes, nobody: bytes, service: str) -> None:
    """Removes what a number answered on a service without telling a who."""
    mine = (answers.c.round_id == round_id) & (answers.c.phone == phone)
    loose = (mine, answers.c.rater == nobody, answers.c.service_id == service)
    _make_stale(db, *loose)
    if db.execute(delete(answers).where(*loose)).rowcount:
        _let_lead(db, round_id, phone)


def withdraw(db: Connection, round_id: int, phone: bytes) -> None:
    """Removes all answers of a number in a round, whoever gave them."""
    mine = (answers.c.round_id == round_id) & (answers.c.phone == phone)
    _make_stale(db, mine)
    db.execute(delete(answers).where(mine))


def _more(times: int) -> ColumnElement[int]:
    """How often an answer was given, with so many times more."""
    return case((answers.c.given + times < _MOST_GIVEN, answers.c.given + times), else_=_MOST_GIVEN)


def _make_stale(db: Connection, *which: ColumnElement[bool], also: Given | None = None) -> None:
    """Notes the days of answers that are about to change: what was counted of those days no longer holds.

    `also`: the day of an answer that is new, where it was counted already (a clock was put back). Before the change
    itself, and so that the row is locked even where it stood there already: a count under way is waited for, and one
    that comes waits for us (models/rollups.py).
    """
    key = (answers.c.commune, answers.c.round_id, answers.c.day)
    days: Any = select(*key).where(*which)
    if also is not None:
        new = (literal(also.commune), literal(also.round_id), literal(also.day, Date))
        days = days.union(select(*new).where(rollup_state.c.until >= also.day))
    found = days.subquery()
    statement = insert(stale_days, db.dialect.name).from_select(
        [column.name for column in key], select(*found.c).distinct().order_by(*found.c)
    )
    same = {"day": statement.excluded.day}
    db.execute(statement.on_conflict_do_update(index_elements=list(stale_days.primary_key.columns), set_=same))


def _let_lead(db: Connection, round_id: int, phone: bytes) -> None:
    """Lets another answer of a number lead where the leading one went."""
    mine = (answers.c.round_id == round_id) & (answers.c.phone == phone)
    other = answers.alias()
    same = (
        (other.c.round_id == round_id)
        & (other.c.phone == phone)
        & (other.c.service_id == answers.c.service_id)
        & (other.c.indicator == answers.c.indicator)
    )
    first = select(func.min(other.c.rater)).where(same).scalar_subquery()
    led = select(other.c.rater).where(same, other.c.lead).exists()
    _make_stale(db, mine)
    db.execute(update(answers).where(mine, answers.c.rater == first, ~led).values(lead=True))
