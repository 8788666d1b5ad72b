"""Whose figures: one commune, the communes of a round, a district, a province, the whole programme."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Connection, Integer, func, literal, select

from gateway.menus.phrases import Name
from gateway.models.places import communes, places
from gateway.models.rounds import Round, round_communes, rounds
from gateway.scorecard.tallies import NothingToTell

WHOLE = ""
"""The code of the whole programme."""
MOST_ROUNDS = 9999
"""No commune has so many."""
TREND = 12
"""So many rounds stand beside each other at most: the latest."""


@dataclass(frozen=True)
class Scope:
    """Communes that take part, each with the round that is looked at. A commune without one is not in it."""

    code: str
    """Of the place; WHOLE for the programme."""
    name: Name | None
    """None for the programme, and for the communes of a round."""
    names: Mapping[str, Name]
    """Its communes by code, in their order."""
    rounds: Mapping[str, Round]
    before: Mapping[str, Round]
    """The round with which it is compared, of each commune that had it: the one before, if nothing else is asked."""
    latest: int
    """The highest number of a round of these communes."""

    @property
    def open(self) -> bool:
        """Whether one of its rounds is."""
        return any(one.closed is None for one in self.rounds.values())

    @property
    def first(self) -> date:
        """The first day of its rounds."""
        return min(one.opened for one in self.rounds.values())

    def last(self, today: date) -> date:
        """The last day of its rounds."""
        return span_of(self.rounds.values(), today)[1]


def span_of(found: Collection[Round], today: date) -> tuple[date, date]:
    """The first and the last day of rounds; an open one lasts until today."""
    first = min(one.opened for one in found)
    return first, max(first, *(one.closed or today for one in found))


def scope_of(
    db: Connection,
    code: str = WHOLE,
    number: int | None = None,
    *,
    group: int | None = None,
    against: int | None = None,
) -> Scope:
    """A place's communes with their n-th rounds, or the open ones, or else the last; or those of a round (`group`).

    `against` is the number of an earlier round to compare with; else it is the one before. Raises NothingToTell where
    no commune of the place takes part, or none has had such a round.
    """
    c = round_communes.c
    last = select(c.commune, func.max(c.number).label("last")).group_by(c.commune).subquery()
    at: ColumnElement[int] = last.c.last if number is None else literal(min(number, MOST_ROUNDS), Integer)
    if group is not None:
        of_group = select(c.commune, c.number).where(c.round_id == group).subquery()
        last, at = select(last).join(of_group, of_group.c.commune == last.c.commune).subquery(), of_group.c.number
    found = (
        select(places.c.code, places.c.name_km, places.c.name_en, last.c.last, at.label("at"), c.number, c.round_id,
               rounds.c.key, rounds.c.opened, rounds.c.closed)
        .join(communes, communes.c.code == places.c.code)
        .outerjoin(last, last.c.commune == places.c.code)
    )  # fmt: skip
    if group is not None:
        found = found.join(of_group, of_group.c.commune == places.c.code)
    earlier = at - 1 if against is None else literal(min(against, MOST_ROUNDS), Integer)
    mine = (c.commune == places.c.code) & ((c.number == at) | ((c.number == earlier) & (c.number < at)))
    found = found.outerjoin(round_communes, mine).outerjoin(rounds, rounds.c.id == c.round_id)
    found = found.where(communes.c.active, places.c.code.startswith(code, autoescape=True))
    rows = db.execute(found.order_by(communes.c.number)).all()
    if not rows:
        raise NothingToTell(f"no commune of {code or 'the programme'!r} takes part")
    seen = [(row, Round(row.round_id, row.key, row.number, row.opened, row.closed)) for row in rows if row.round_id]
    now = {row.code: one for row, one in seen if one.number == row.at}
    if not now:
        raise NothingToTell(f"{code or 'the programme'} has had no round{f' {number}' if number else ''} yet")
    place = db.execute(select(places.c.name_km, places.c.name_en).where(places.c.code == code)).first()
    return Scope(
        code=code,
        name=Name(place.name_km, place.name_en, place.name_en) if place else None,
        names={row.code: Name(row.name_km, row.name_en, row.name_en) for row in rows},
        rounds=now,
        before={row.code: one for row, one in seen if row.code in now and one.number < row.at},
        latest=max((row.last for row in rows if row.last), default=0),
    )


def rounds_by_number(db: Connection, scope: Scope) -> dict[int, dict[str, Round]]:
    """The latest rounds of a scope's communes, the first ones first; communes count their rounds by themselves."""
    c = round_communes.c
    late = (
        select(c.commune, rounds.c.id, rounds.c.key, c.number, rounds.c.opened, rounds.c.closed)
        .join(rounds, rounds.c.id == c.round_id)
        .where(c.commune.startswith(scope.code, autoescape=True), c.number > scope.latest - TREND)
    )
    found: dict[int, dict[str, Round]] = {}
    for commune, *round_ in db.execute(late.order_by(c.number)):
        if commune in scope.names:
            its = Round(*round_)
            found.setdefault(its.number, {})[commune] = its
    return found
