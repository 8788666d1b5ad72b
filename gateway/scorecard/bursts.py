"""Bursts: answers that come in an improbable way. They are flagged for staff, and never deleted by the system.

Three of them: many neighbouring numbers on one day (a box of SIM cards), one phone that changes an answer again and
again, a volunteer who recorded more than anybody can ask. What is told of phones is no more than DOMAIN.md lets staff
see: counts from the privacy threshold on, no score, nothing of a single one.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, FromClause, Row, Select, delete, func, literal_column, select, update

from gateway.menus.phrases import Name
from gateway.models.answers import OFTEN, RoundClosed, answers, hold_open
from gateway.models.places import places
from gateway.models.rounds import NEIGHBOURS, near_numbers
from gateway.models.store import Many, insert, types_of
from gateway.models.volunteers import recorded, volunteers

RECORDED = 60
"""More respondents than a volunteer asks in a day: ten hours of one every ten minutes. The volunteers of the documents
asked 24 each in a whole round (1,019 respondents, 43 trainees)."""
MOST = 50
"""So many flags of each kind are told, the newest first."""


class Kind(enum.StrEnum):
    """What was improbable."""

    NEIGHBOURS = "neighbours"
    CHANGES = "changes"
    RECORDED = "recorded"


@dataclass(frozen=True)
class Burst:
    """A flag; what does not belong to its kind is None."""

    kind: Kind
    count: int
    """Phones, changes or respondents."""
    at_least: bool = False
    """Whether there may be more: below the privacy threshold phones are not counted out."""
    commune: Name | None = None
    day: date | None = None
    volunteer: str | None = None


@dataclass(frozen=True)
class Near:
    """A hundred neighbours (`Keys.near`), as one of them is counted."""

    round_id: int
    near: bytes
    commune: str
    day: date


def count_numbers(db: Connection, first: Sequence[Near]) -> None:
    """Counts numbers among their hundred neighbours, each at its first answer in a round."""
    counted = Counter(first)
    _COUNT(db, [vars(near) | {"numbers": numbers} for near, numbers in sorted(counted.items(), key=_place)])


@contextmanager
def uncounted(db: Connection, near: bytes, round_id: int, phone: bytes) -> Iterator[None]:
    """Around the removal of answers: a number that has none left afterwards is counted no more."""
    before = _first_answer(db, round_id, phone)
    yield
    if before is None or _first_answer(db, round_id, phone) is not None:
        return
    commune, day = before
    try:
        hold_open(db, round_id, commune, phone)
    except RoundClosed:  # its closing is under way, and removes all of this
        return
    n = near_numbers.c
    mine = (n.round_id == round_id) & (n.near == near) & (n.commune == commune) & (n.day == day)
    db.execute(update(near_numbers).where(mine, n.numbers > 0).values(numbers=n.numbers - 1))


def forget_near(db: Connection, round_id: int) -> None:
    """Removes what hangs on numbers, when a round closes."""
    db.execute(delete(near_numbers).where(near_numbers.c.round_id == round_id))


def bursts(db: Connection, round_id: int, minimum: int) -> list[Burst]:
    """The flags of a round. Those on numbers are there while it is open."""
    return [*_neighbours(db, round_id, minimum), *_changes(db, round_id), *_recorded(db, round_id)]


def _neighbours(db: Connection, round_id: int, minimum: int) -> list[Burst]:
    n = near_numbers.c
    many: Select[Any] = (
        select(n.day, n.numbers, places.c.name_km, places.c.name_en)
        .join(places, places.c.code == n.commune)
        .where(n.round_id == round_id, n.numbers >= literal_column(str(NEIGHBOURS)))
        .order_by(n.day.desc(), n.numbers.desc(), n.commune)
        .limit(MOST)
    )
    return [
        Burst(Kind.NEIGHBOURS, row.numbers if told else NEIGHBOURS, not told, _name(row), row.day)
        for row in db.execute(many)
        for told in [row.numbers >= minimum]
    ]


def _changes(db: Connection, round_id: int) -> list[Burst]:
    often: Select[Any] = (
        select(answers.c.commune, places.c.name_km, places.c.name_en)
        .join(places, places.c.code == answers.c.commune)
        .where(answers.c.round_id == round_id, answers.c.given >= literal_column(str(OFTEN)))
        .distinct()
        .order_by(answers.c.commune)
        .limit(MOST)
    )
    return [Burst(Kind.CHANGES, OFTEN, at_least=True, commune=_name(row)) for row in db.execute(often)]


def _recorded(db: Connection, round_id: int) -> list[Burst]:
    r = recorded.c
    many = (
        select(r.day, r.respondents, volunteers.c.name)
        .join(volunteers, volunteers.c.id == r.volunteer_id)
        .where(r.round_id == round_id, r.respondents >= RECORDED)
        .order_by(r.day.desc(), func.lower(volunteers.c.name))
        .limit(MOST)
    )
    return [Burst(Kind.RECORDED, row.respondents, day=row.day, volunteer=row.name) for row in db.execute(many)]


def _first_answer(db: Connection, round_id: int, phone: bytes) -> tuple[str, date] | None:
    """Where and when a number's first answer is from, of those that are kept."""
    mine = select(answers.c.commune, answers.c.day).where(answers.c.round_id == round_id, answers.c.phone == phone)
    row = db.execute(mine.order_by(answers.c.day, answers.c.commune).limit(1)).first()
    return (row.commune, row.day) if row else None


def _name(row: Row[Any]) -> Name:
    return Name(row.name_km, row.name_en, row.name_en)


def _place(counted: tuple[Near, int]) -> tuple[int, bytes, str, date]:
    near = counted[0]
    return near.round_id, near.near, near.commune, near.day


def _count(given: FromClause, dialect: str) -> Any:
    names = [column.name for column in near_numbers.columns]
    # in one order, to the last column: else two lots wait for each other, for a second
    place = [given.c[column.name] for column in near_numbers.primary_key]
    rows = select(*(given.c[name] for name in names)).order_by(*place)
    statement = insert(near_numbers, dialect).from_select(names, rows)
    more = {"numbers": near_numbers.c.numbers + statement.excluded.numbers}
    return statement.on_conflict_do_update(index_elements=list(near_numbers.primary_key.columns), set_=more)


_COUNT = Many(types_of(near_numbers), _count)
