"""Ratings: the current answer of each rater for each service of a round.

A rater is a keyed hash of a number and a who; `phone` is the hash of the number alone, which thresholds count.
Both hang on the round's key and mean nothing once that is destroyed. The table has no row numbers that tell
an order, and keeps the day, never the minute.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
    FromClause,
    Index,
    Integer,
    Select,
    SmallInteger,
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql.expression import true
from sqlalchemy.types import TypeEngine

from gateway.models.base import Hash, metadata
from gateway.models.rounds import round_communes, rounds
from gateway.models.store import Many, insert, types_of

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


@dataclass(frozen=True)
class Told:
    """Who gave the answers of a number in a round: `nobody` is their rater until then."""

    round_id: int
    phone: bytes
    nobody: bytes
    rater: bytes
    who: str
    day: date
    """Today."""


def key_of(db: Connection, round_id: int) -> str:
    """The name of an open round's key. Raises RoundClosed: the key of a closed one is gone."""
    name = keys_of(db, [round_id]).get(round_id)
    if name is None:
        raise RoundClosed
    return name


def keys_of(db: Connection, round_ids: Collection[int]) -> dict[int, str]:
    """The names of the keys of those rounds that are open."""
    if not round_ids:
        return {}
    return {row.id: row.key for row in db.execute(_KEYS, {"wanted": list(round_ids)})}


def hold_open(db: Connection, round_id: int, commune: str, phone: bytes) -> bool:
    """Keeps a round from closing until the commit; whether a number has no answer in it yet. Raises RoundClosed."""
    found = _HOLD(db, [{"round_id": round_id, "commune": commune, "phone": phone}])
    if not found:
        raise RoundClosed
    return bool(found[0].is_first)


def save(db: Connection, given: Given) -> bool:
    """Stores an answer in place of an earlier one of the same rater; whether it is the number's first in the round.

    Raises RoundClosed.
    """
    is_first = save_all(db, [given])[0]
    if is_first is None:
        raise RoundClosed
    return is_first


def save_all(db: Connection, given: Sequence[Given]) -> list[bool | None]:
    """Stores answers of different numbers; of each, what `save` says, and None where the round has closed."""
    rows = [vars(one) | {"service_id": one.service, "at": at} for at, one in enumerate(given)]
    there = {row.at: row for row in _HOLD_TO_SAVE(db, rows)}
    held = [there.get(at) for at in range(len(rows))]
    kept = [row for row, one in zip(rows, held, strict=True) if one is not None]
    _NEW_STALE(db, sorted((row for row, one in zip(rows, held, strict=True) if one and one.changes), key=_place))
    _SAVE(db, sorted(kept, key=_place))
    return [None if one is None else bool(one.is_first) for one in held]


def take_over(db: Connection, told: Sequence[Told]) -> None:
    """Answers of numbers that told no who become those of a who; they replace what that answered before.

    An answer without a who is always the later one: an identified one of the same number and service came either
    before it, or took its place.
    """
    rows = sorted(map(vars, told), key=_place)
    looked = {(row.round_id, row.phone) for row in _LOOK(db, rows)}
    more = [row for row in rows if _place(row) in looked]
    _TOLD_STALE(db, more)
    gone = _BEFORE(db, more)
    nobody = {_place(row): row["nobody"] for row in rows}
    for row in gone:  # how often it was given goes on being counted
        place = {name: getattr(row, name) for name in _PLACE} | {"rater": nobody[row.round_id, row.phone]}
        loose = (answers.c[name] == value for name, value in place.items())
        db.execute(update(answers).where(*loose).values(given=_more(row.given)))
    _TELL(db, rows)
    for round_id, phone in sorted({(row.round_id, row.phone) for row in gone}):
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


def _make_stale(db: Connection, *which: ColumnElement[bool]) -> None:
    """Notes the days of answers that are about to change."""
    db.execute(_stale(select(answers.c.commune, answers.c.round_id, answers.c.day).where(*which), db.dialect.name))


def _stale(days: Any, dialect: str) -> Any:
    """Notes days of which answers are about to change: what was counted of those days no longer holds.

    Before the change itself, and so that the row is locked even where it stood there already: a count under way is
    waited for, and one that comes waits for us (models/rollups.py).
    """
    found = days.subquery()
    rows = select(*found.c).distinct().order_by(*found.c)
    statement = insert(stale_days, dialect).from_select([column.name for column in found.c], rows)
    same = {"day": statement.excluded.day}
    return statement.on_conflict_do_update(index_elements=list(stale_days.primary_key.columns), set_=same)


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


# statements for many rows at once --------------------------------------------------------------------


def _place(row: Mapping[str, Any]) -> tuple[int, bytes]:
    """All lock in the same order."""
    return row["round_id"], row["phone"]


def _hold(given: FromClause, *more: ColumnElement[Any]) -> Any:
    """Keeps rounds from closing until the commit; a round that is closed gives no row.

    Its row is locked, so that no answer comes in beside its closing. A closing that is under way counts as done: it
    waits for our conversation, so we must not wait for it.
    """
    mine = select(answers.c.rater).where(_of_number(answers, given))
    c = round_communes.c
    there = (c.round_id == given.c.round_id) & (c.commune == given.c.commune) & c.open
    return (
        select((~_some(mine, given)).label("is_first"), *more)
        .select_from(given)
        .join(round_communes, there)
        .with_for_update(of=round_communes, read=True, skip_locked=True)
    )


def _hold_to_save(given: FromClause, _dialect: str) -> Any:
    """The same; and whether what was counted of a day will no longer hold."""
    replaced = _some(select(answers.c.rater).where(*_replaced(given)), given)
    return _hold(given, given.c.at, (replaced | _counted(given.c.day, given)).label("changes"))


def _new_stale(given: FromClause, dialect: str) -> Any:
    """Of answers whose place is taken on another day or elsewhere, and of days that were counted already."""
    before = select(*(answers.c[name] for name in _DAY)).join(given, and_(*_replaced(given)))
    new = select(*(given.c[name] for name in _DAY)).where(_counted(given.c.day, given))  # (a clock was put back)
    return _stale(before.union(new), dialect)


def _replaced(given: FromClause) -> list[ColumnElement[bool]]:
    same = [answers.c[name] == given.c[name] for name in _PLACE]
    return [*same, (answers.c.day != given.c.day) | (answers.c.commune != given.c.commune)]


def _counted(day: ColumnElement[Any], outer: FromClause) -> ColumnElement[bool]:
    return _some(select(rollup_state.c.until).where(rollup_state.c.until >= day), outer)


def _some(wanted: Select[Any], outer: FromClause) -> ColumnElement[bool]:
    """Whether there is one. Not by EXISTS: where that is no join, PostgreSQL may read a whole table to answer it."""
    return wanted.limit(1).correlate(outer).scalar_subquery().is_not(None)


def _save(given: FromClause, dialect: str) -> Any:
    others = (answers.c[name] == given.c[name] for name in ("round_id", "phone", "service_id", "indicator"))
    leads = ~_some(select(answers.c.rater).where(*others), given)
    rows = select(*(given.c[name] for name in _GIVEN), leads).order_by(given.c.round_id, given.c.phone)
    changed = {name: given_ for name, given_ in insert(answers, dialect).excluded.items() if name in _CHANGES}
    return (
        insert(answers, dialect)
        .from_select([*_GIVEN, "lead"], rows)
        .on_conflict_do_update(index_elements=_PLACE, set_={**changed, "given": _more(1)})
    )


def _look(given: FromClause, _dialect: str) -> Any:
    """Of which numbers more than who answered changes."""
    old = answers.alias("old")
    before = select(old.c.rater).where(_of_number(old, given), old.c.rater == given.c.rater)
    stale = select(answers.c.rater).where(_told_late(given))
    return select(given.c.round_id, given.c.phone).where(_some(stale, given) | _some(before, given))


def _told_late(given: FromClause) -> ColumnElement[bool]:
    """Answers of a day that was counted, or may be at this moment: today is not while an answer is on its way."""
    late = (answers.c.day != given.c.day) | _counted(answers.c.day, answers)
    return _of_number(answers, given) & (answers.c.rater == given.c.nobody) & late


def _told_stale(given: FromClause, dialect: str) -> Any:
    days = select(*(answers.c[name] for name in _DAY))
    return _stale(days.join(given, _told_late(given)).union(days.where(_before(given))), dialect)


def _before(given: FromClause) -> ColumnElement[bool]:
    """What an identified number answered before it answered the same without a who."""
    old, loose = answers.alias("old"), answers.alias("loose")
    same = _of_number(loose, given) & (loose.c.rater == given.c.nobody)
    same &= (loose.c.service_id == old.c.service_id) & (loose.c.indicator == old.c.indicator)
    mine = _of_number(old, given) & (old.c.rater == given.c.rater)
    found = select(*(old.c[name] for name in _PLACE)).join(given, mine).join(loose, same)
    return tuple_(*(answers.c[name] for name in _PLACE)).in_(found)


def _of_number(rated: FromClause, given: FromClause) -> ColumnElement[bool]:
    return (rated.c.round_id == given.c.round_id) & (rated.c.phone == given.c.phone)


def _tell(given: FromClause, _dialect: str) -> Any:
    loose = _of_number(answers, given) & (answers.c.rater == given.c.nobody)
    return update(answers).where(loose).values(rater=given.c.rater, who=given.c.who)


_PLACE = ["round_id", "rater", "service_id", "indicator"]
_DAY = ["commune", "round_id", "day"]
_CHANGES = ("commune", "score", "day", "channel")
_GIVEN = [*_PLACE, "phone", "who", *_CHANGES]
_KEYS = select(rounds.c.id, rounds.c.key).where(
    rounds.c.id.in_(bindparam("wanted", expanding=True)), rounds.c.closed.is_(None)
)


def _told() -> Mapping[str, TypeEngine[Any]]:
    return {"nobody": Hash, **types_of(answers, "round_id", "phone", "rater", "who", "day")()}


_HOLD = Many(types_of(answers, "round_id", "commune", "phone"), lambda given, _dialect: _hold(given))
_HOLD_TO_SAVE = Many(lambda: {"at": Integer(), **types_of(answers, *_GIVEN)()}, _hold_to_save)
_NEW_STALE = Many(types_of(answers, *_GIVEN), _new_stale)
_SAVE = Many(types_of(answers, *_GIVEN), _save)
_LOOK = Many(_told, _look)
_TOLD_STALE = Many(_told, _told_stale)
_BEFORE = Many(_told, lambda given, _dialect: delete(answers).where(_before(given)).returning(answers))
_TELL = Many(_told, _tell)
