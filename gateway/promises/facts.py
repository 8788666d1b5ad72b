"""A commitment as it stands, read from its rows; which ones there are, and how each came to stand where it is."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, false, func, select

from gateway.forums.facts import named
from gateway.menus.phrases import Name
from gateway.models.broadcasts import broadcasts
from gateway.models.places import communes, places
from gateway.models.promises import Standing, checks, commitment_changes, commitment_sources, commitments
from gateway.models.releases import council_replies
from gateway.models.rounds import round_communes, rounds
from gateway.models.staff import staff
from gateway.promises.money import Currency, said
from gateway.text import in_gsm7

OPEN = (Standing.PLANNED, Standing.UNDER_WAY)
"""What can still be late."""


@dataclass(frozen=True)
class Source:
    """Who pays, and how much of the cost: hundredths of a currency."""

    name: str
    amount: int
    currency: Currency


@dataclass(frozen=True)
class Commitment:
    """A commitment. Its activity is by language, as staff left it: some may be missing."""

    id: int
    commune: str
    """Its code."""
    activity: Mapping[str, str]
    """What is to be done, as villagers read it."""
    responsible: str
    due: date
    round_id: int | None = None
    """The round whose report it answers."""
    forum: int | None = None
    """At which it was promised; None: by staff."""
    proposed_by: str = ""
    place: str = ""
    quantity: str = ""
    starts: date | None = None
    beneficiaries: int | None = None
    female: int | None = None
    currency: Currency | None = None
    """Of the cost and of all that pays for it."""
    cost: int | None = None
    """In hundredths; None: not known."""
    sources: tuple[Source, ...] = ()
    standing: Standing = Standing.PLANNED
    shown: bool = True
    """To villagers, in the menu."""
    commune_name: Name = field(default=Name("", "", ""), compare=False)
    round_number: int | None = field(default=None, compare=False)
    """The commune's own count of its rounds."""
    created: datetime | None = field(default=None, compare=False)
    changed: datetime | None = field(default=None, compare=False)
    """No two states of one commitment have the same."""

    @property
    def label(self) -> Name:
        """What is to be done, in each language; one that was left empty has another stand in."""
        return named(self.activity)

    @property
    def price(self) -> Name | None:
        """The cost, as it is said; None: not known."""
        return None if self.cost is None or self.currency is None else said(self.cost, self.currency)

    def is_overdue(self, today: date) -> bool:
        """Whether it should be done by now."""
        return self.standing in OPEN and self.due < today


@dataclass(frozen=True)
class Change:
    """An entry in the history of a commitment: how far it was, and since when."""

    id: int
    standing: Standing
    day: date
    note: str
    by: str | None
    """The name of who entered it."""
    at: datetime


@dataclass(frozen=True)
class Wanted:
    """Which commitments a list is of. None: all."""

    commune: str | None = None
    round_id: int | None = None
    standing: Standing | None = None
    overdue_on: date | None = None
    """Only those that should have been done before this day."""
    shown: bool | None = None
    among: Collection[str] | None = None
    """Only of these communes: those of who looks."""
    forum: int | None = None
    """At which they were promised."""

    def conditions(self) -> list[ColumnElement[bool]]:
        """As the database is asked."""
        c = commitments.c
        asked = [
            c.commune == self.commune if self.commune is not None else None,
            c.round_id == self.round_id if self.round_id is not None else None,
            c.standing == self.standing if self.standing is not None else None,
            c.shown == self.shown if self.shown is not None else None,
            c.commune.in_(self.among) if self.among is not None else None,
            c.forum == self.forum if self.forum is not None else None,
        ]
        if self.overdue_on is not None:
            asked += [c.due < self.overdue_on, c.standing.in_(OPEN)]
        return [one for one in asked if one is not None]


def find(db: Connection, commitment: int, *, to_change: bool = False) -> Commitment | None:
    """A commitment by its id; `to_change`: nobody else changes it before this transaction ends."""
    one = _rows().where(commitments.c.id == commitment)
    return next(iter(_read(db, one.with_for_update(of=commitments) if to_change else one)), None)


def hangs(db: Connection, commitment: int) -> bool:
    """Whether something hangs on it: villagers were asked about it, or told of it, or its council wrote about it."""
    asked = select(checks.c.id).where(checks.c.commitment == commitment)
    told = select(broadcasts.c.id).where(broadcasts.c.commitment == commitment)
    replied = select(council_replies.c.id).where(council_replies.c.commitment == commitment)
    return db.execute(asked.union_all(told, replied).limit(1)).first() is not None


def listed(
    db: Connection,
    commune: str | None = None,
    round_id: int | None = None,
    standing: Standing | None = None,
    *,
    wanted: Wanted | None = None,
    first: int = 0,
    size: int | None = None,
) -> list[Commitment]:
    """Commitments plan by plan: the newest round first, in it by commune, then what is due first."""
    which = wanted or Wanted(commune, round_id, standing)
    order = (commitments.c.round_id.is_(None), commitments.c.round_id.desc(), communes.c.number, commitments.c.due)
    found = _rows().where(*which.conditions()).order_by(*order, commitments.c.id)
    return _read(db, found.offset(first).limit(size))


def count(db: Connection, wanted: Wanted) -> int:
    """How many there are of these."""
    return db.scalar(select(func.count()).select_from(commitments).where(*wanted.conditions())) or 0


def history(db: Connection, commitment: int) -> list[Change]:
    """How a commitment came to stand where it is, the last entry first."""
    c = commitment_changes.c
    mine = select(commitment_changes, staff.c.name.label("who")).outerjoin(staff, staff.c.id == c.by)
    rows = db.execute(mine.where(c.commitment == commitment).order_by(c.id.desc()))
    return [Change(row.id, Standing(row.standing), row.day, row.note, row.who, row.at) for row in rows]


def asked_until(db: Connection, commitment: int) -> date | None:
    """The last day on which villagers are asked about it; None: they are not asked now."""
    found: date | None = db.scalar(
        select(checks.c.until).where(checks.c.commitment == commitment, checks.c.closed.is_(None))
    )
    return found


def round_of(db: Connection, commune: str, day: date) -> int | None:
    """The round whose report was there on a day: the last one closed by then, else the last one opened."""
    closed = rounds.c.closed <= day
    there = (
        select(rounds.c.id)
        .join(round_communes, round_communes.c.round_id == rounds.c.id)
        .where(round_communes.c.commune == commune, rounds.c.opened <= day)
        .order_by(func.coalesce(closed, false()).desc(), rounds.c.opened.desc(), rounds.c.id.desc())
        .limit(1)
    )
    found: int | None = db.scalar(there)
    return found


def rounds_of(db: Connection) -> dict[int, tuple[date, date | None]]:
    """All rounds, the newest first: when each was opened and closed."""
    rows = db.execute(select(rounds.c.id, rounds.c.opened, rounds.c.closed).order_by(rounds.c.id.desc()))
    return {row.id: (row.opened, row.closed) for row in rows}


def _rows() -> Select[Any]:
    number = (round_communes.c.round_id == commitments.c.round_id) & (round_communes.c.commune == commitments.c.commune)
    return (
        select(commitments, places.c.name_km, places.c.name_en, round_communes.c.number)
        .join(places, places.c.code == commitments.c.commune)
        .join(communes, communes.c.code == commitments.c.commune)
        .outerjoin(round_communes, number)
    )


def _read(db: Connection, statement: Select[Any]) -> list[Commitment]:
    rows = db.execute(statement).all()
    s = commitment_sources.c
    paying = (
        select(commitment_sources).where(s.commitment.in_([row.id for row in rows])).order_by(s.commitment, s.place)
    )
    sources: dict[int, list[Row[Any]]] = defaultdict(list)
    for source in db.execute(paying):
        sources[source.commitment].append(source)
    return [_commitment(row, sources[row.id]) for row in rows]


def _commitment(row: Row[Any], paying: Sequence[Row[Any]]) -> Commitment:
    latin = in_gsm7(row.name_en)
    currency = Currency(row.currency) if row.currency else None
    return Commitment(
        id=row.id, commune=row.commune, activity=json.loads(row.activity), responsible=row.responsible, due=row.due,
        round_id=row.round_id, forum=row.forum, proposed_by=row.proposed_by, place=row.place, quantity=row.quantity,
        starts=row.starts, beneficiaries=row.beneficiaries, female=row.beneficiaries_female, currency=currency,
        cost=row.cost, standing=Standing(row.standing), shown=row.shown,
        sources=tuple(Source(one.name, one.amount, currency) for one in paying if currency),
        commune_name=Name(row.name_km, latin, latin), round_number=row.number, created=row.created, changed=row.changed,
    )  # fmt: skip
