"""Closed days, counted: what a tally adds up without looking at single answers.

A day of a commune's round that changed after it was counted stands in `stale_days` and is read from its answers until
it is counted again: delete and rewrite. A recount of all answers always gives the same as rollups and rest together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    ForeignKey,
    Integer,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    delete,
    func,
    or_,
    select,
    tuple_,
    type_coerce,
    union_all,
)

from gateway.models.answers import answers, rollup_state, stale_days
from gateway.models.base import metadata
from gateway.models.rounds import round_communes, rounds
from gateway.models.store import insert

SCORES = (1, 2, 3, 4, 5)
WOMEN = ("woman-15-30", "woman-31")
YOUNG = ("woman-15-30", "man-15-30")
PEOPLE = {"female": WOMEN, "young": YOUNG}
UNSAID = ""
"""The `who` of answers that have none, in rollups."""

rollups = Table(
    "rollups",
    metadata,
    Column("commune", ForeignKey("communes.code"), primary_key=True),
    Column("round_id", ForeignKey("rounds.id"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("service_id", ForeignKey("services.id"), primary_key=True),
    Column("indicator", Text, primary_key=True),
    Column("who", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    *(Column(f"n{score}", Integer, nullable=False) for score in SCORES),
    Column("leads", Integer, nullable=False),  # distinct numbers, each counted at one of its answers
    sqlite_with_rowid=False,
)

round_sums = Table(
    "round_sums",
    metadata,
    # the counted days of a round together: what a page of many communes reads
    Column("commune", ForeignKey("communes.code"), primary_key=True),
    Column("round_id", ForeignKey("rounds.id"), primary_key=True),
    Column("service_id", ForeignKey("services.id"), primary_key=True),
    Column("indicator", Text, primary_key=True),
    *(
        Column(name, Integer, nullable=False)
        for name in (*(f"n{score}" for score in SCORES), "leads", "female", "young")
    ),
    sqlite_with_rowid=False,
)

_DIMENSIONS = ("commune", "round_id", "day", "service_id", "indicator", "who", "channel")
_COUNTS = (*(f"n{score}" for score in SCORES), "leads")


def counted_until(db: Connection) -> date:
    """The last day that is counted; the first day there is before any is."""
    return db.scalar(select(func.max(rollup_state.c.until))) or date.min


def roll(db: Connection, until: date) -> int:
    """Counts the days up to one, as far as they are not; returns how many days of a commune's round it wrote.

    Called with yesterday. A count that is under way makes others wait.
    """
    before = counted_until(db)
    if until <= before:
        return 0
    db.execute(delete(rollup_state))
    db.execute(insert(rollup_state, db.dialect.name).values(until=until))
    pairs = db.execute(
        select(round_communes.c.commune, round_communes.c.round_id)
        .join(rounds, rounds.c.id == round_communes.c.round_id)
        .where(or_(rounds.c.closed.is_(None), rounds.c.closed > before))
    ).all()
    communes, going_on = sorted({pair.commune for pair in pairs}), sorted({pair.round_id for pair in pairs})

    def since(table: Table) -> ColumnElement[bool]:
        # by commune and round, as the index has them: a day is found without looking at all that was ever answered.
        # Their names are written out: PostgreSQL's statistics know nothing yet of the days since it last looked, and
        # a join would take each of a day's rows to each of the communes
        c = table.c
        return and_(c.commune.in_(communes), c.round_id.in_(going_on), c.day > before, c.day <= until)

    db.execute(delete(rollups).where(since(rollups)))
    written = _write(db, since(answers))
    if before == date.min:
        db.execute(delete(round_sums))
        _add_up(db, rollups.c.day <= until)
    else:
        _add_up(db, since(rollups))
    return written


def roll_stale(db: Connection, most: int = 500) -> int:
    """Counts anew days that changed since they were counted, at most so many; returns how many.

    They are taken out of `stale_days` first: a change that comes beside this waits for it, and makes its day stale
    again; a day that is about to change is left for the next time.
    """
    key = (stale_days.c.commune, stale_days.c.round_id, stale_days.c.day)
    until = counted_until(db)
    some = select(*key).where(stale_days.c.day <= until).order_by(*key).limit(most).with_for_update(skip_locked=True)
    days = [tuple(row) for row in db.execute(delete(stale_days).where(tuple_(*key).in_(some)).returning(*key))]
    if days:
        db.execute(delete(rollups).where(tuple_(rollups.c.commune, rollups.c.round_id, rollups.c.day).in_(days)))
        _write(db, tuple_(answers.c.commune, answers.c.round_id, answers.c.day).in_(days))
        pairs = sorted({(commune, round_id) for commune, round_id, _ in days})
        db.execute(delete(round_sums).where(tuple_(round_sums.c.commune, round_sums.c.round_id).in_(pairs)))
        _add_up(db, tuple_(rollups.c.commune, rollups.c.round_id).in_(pairs) & (rollups.c.day <= until))
    return len(days)


def hold_counts(db: Connection) -> None:
    """Lets a count that is under way come to its end, and others wait until the commit."""
    db.execute(select(rollup_state).with_for_update()).all()


def count_anew(db: Connection, round_id: int, commune: str) -> None:
    """Counts all days of a commune's round anew, where its answers were written anew; after `hold_counts`."""
    until = counted_until(db)
    for table in (stale_days, rollups, round_sums):
        db.execute(delete(table).where(table.c.commune == commune, table.c.round_id == round_id))
    _write(db, (answers.c.commune == commune) & (answers.c.round_id == round_id) & (answers.c.day <= until))
    _add_up(db, (rollups.c.commune == commune) & (rollups.c.round_id == round_id) & (rollups.c.day <= until))


def counts(
    db: Connection,
    by: Sequence[str],
    *,
    round_id: int | Collection[int] | None = None,
    communes: Collection[str] | None = None,
    people: Mapping[str, Sequence[str]] | None = None,
    **only: Any,
) -> list[Any]:
    """Rows of counts, grouped by dimensions: those, then n1 to n5 and `leads`.

    `week` is a dimension, too: the Monday of the day. `people` names groups of whos; how many answers each of them
    gave comes after the counts. `only` keeps one value of a dimension, such as `indicator="overall"`. Counted days
    come from the rollups, the days since and the stale ones from their answers.
    """
    until = counted_until(db)
    these = _only(rollups, round_id, communes, only)
    which = _only(answers, round_id, communes, only)
    changed = [stale_days.c[name] == rollups.c[name] for name in ("commune", "round_id", "day")]
    again = [stale_days.c[name] == answers.c[name] for name in ("commune", "round_id", "day")]
    columns = [rollups.c[name] for name in _DIMENSIONS]
    counted = select(*columns, *(rollups.c[name] for name in _COUNTS)).where(rollups.c.day <= until, *these)
    # taken away again, not left out: so the many that did not change are not looked up one by one
    stale = select(*columns, *((-rollups.c[name]).label(name) for name in _COUNTS)).where(
        rollups.c.day <= until, *these
    )
    sources = (
        counted,
        stale.join(stale_days, and_(*changed)),
        _live(answers.c.day <= until, *which).join(stale_days, and_(*again)),
        _live(answers.c.day > until, *which),
    )
    summed = []
    for source in sources:  # each by itself, which is less to put together
        one = source.subquery()
        keys = [_monday(one.c.day, db.dialect.name) if name == "week" else one.c[name] for name in by]
        summed.append(select(*keys, *_sums(one, people)).group_by(*keys))
    return _together(db, by, [*_COUNTS, *(people or {})], *summed)


def totals(
    db: Connection, by: Sequence[str], *, round_id: int | Collection[int], communes: Collection[str], **only: Any
) -> list[Any]:
    """The same as `counts` with PEOPLE, without looking at single days, where none of them is stale.

    `by` begins with commune and round; service and indicator may follow.
    """
    counted = select(*(round_sums.c[name] for name in (*by, *_COUNTS, *PEOPLE)), _n(round_sums))
    live = _live(answers.c.day > counted_until(db), *_only(answers, round_id, communes, only)).subquery()
    keys = [live.c[name] for name in by]
    since = select(*keys, *_sums(live, PEOPLE)).group_by(*keys)
    found = _together(
        db, by, [*_COUNTS, *PEOPLE], counted.where(*_only(round_sums, round_id, communes, only)), since
    )  # fmt: skip
    of_rounds = stale_days.c.round_id.in_([round_id] if isinstance(round_id, int) else round_id)
    pairs = select(stale_days.c.commune, stale_days.c.round_id).where(of_rounds).distinct()
    stale = {(commune, its) for commune, its in db.execute(pairs) if commune in communes}
    if not stale:
        return found
    again = counts(db, by, round_id=round_id, communes={commune for commune, _ in stale}, people=PEOPLE, **only)
    kept = [row for row in found if (row.commune, row.round_id) not in stale]
    return kept + [row for row in again if (row.commune, row.round_id) in stale]


def _together(db: Connection, by: Sequence[str], names: Sequence[str], *summed: Select[Any]) -> list[Any]:
    """Sums of different answers, added up; what comes to nothing is left out."""
    everything = union_all(*summed).subquery()
    keys = [everything.c[name] for name in by]
    added = [cast(func.coalesce(func.sum(everything.c[name]), 0), BigInteger).label(name) for name in names]
    found = select(*keys, *added).group_by(*keys).order_by(*keys)
    return list(db.execute(found.having(func.sum(everything.c.n) > 0) if keys else found))


def _sums(one: Any, people: Mapping[str, Sequence[str]] | None) -> list[ColumnElement[Any]]:
    """Of counts, of groups of whos, and of all answers (`n`)."""
    found: list[ColumnElement[Any]] = [func.sum(one.c[name]).label(name) for name in _COUNTS]
    for name, whos in (people or {}).items():
        found.append(func.sum(case((one.c.who.in_(whos), _n(one)), else_=0)).label(name))
    return [*found, func.sum(_n(one)).label("n")]


def _n(one: Any) -> ColumnElement[int]:
    """How many answers a row of counts stands for."""
    n: ColumnElement[int] = one.c.n1 + one.c.n2 + one.c.n3 + one.c.n4 + one.c.n5
    return n.label("n")


def _monday(day: ColumnElement[date], dialect: str) -> ColumnElement[date]:
    """The Monday of a day's week."""
    if dialect == "sqlite":
        return type_coerce(func.date(day, "weekday 0", "-6 days"), Date).label("week")
    return cast(func.date_trunc("week", cast(day, DateTime)), Date).label("week")  # else by the time zone


def _only(
    table: Any, round_id: int | Collection[int] | None, communes: Collection[str] | None, only: dict[str, Any]
) -> list[Any]:
    conditions = [table.c[name] == value for name, value in only.items()]
    if round_id is not None:
        conditions.append(table.c.round_id.in_([round_id] if isinstance(round_id, int) else round_id))
    if communes is not None:
        conditions.append(table.c.commune.in_(communes))
    return conditions


def _live(*which: ColumnElement[bool]) -> Select[Any]:
    """Single answers in the shape of rollups, one a row."""
    scores = [case((answers.c.score == score, 1), else_=0).label(f"n{score}") for score in SCORES]
    lead = case((answers.c.lead, 1), else_=0).label("leads")
    who = func.coalesce(answers.c.who, UNSAID).label("who")
    return select(
        answers.c.commune, answers.c.round_id, answers.c.day, answers.c.service_id, answers.c.indicator, who,
        answers.c.channel, *scores, lead,
    ).where(*which)  # fmt: skip


def _write(db: Connection, which: ColumnElement[bool]) -> int:
    single = _live(which).subquery()
    keys = [single.c[name] for name in _DIMENSIONS]
    sums = [func.sum(single.c[name]) for name in _COUNTS]
    together = select(*keys, *sums).group_by(*keys)
    statement = insert(rollups, db.dialect.name).from_select([*_DIMENSIONS, *_COUNTS], together)
    return db.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def _add_up(db: Connection, which: ColumnElement[bool]) -> None:
    """Adds days that were counted to the sums of their rounds."""
    key = [column.name for column in round_sums.primary_key.columns]
    names = [*_COUNTS, *PEOPLE]
    keys = [rollups.c[name] for name in key]
    new = select(*keys, *_sums(rollups, PEOPLE)[:-1]).where(which).group_by(*keys)
    statement = insert(round_sums, db.dialect.name).from_select([*key, *names], new)
    more = {name: round_sums.c[name] + statement.excluded[name] for name in names}
    db.execute(statement.on_conflict_do_update(index_elements=key, set_=more))
