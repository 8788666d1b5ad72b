"""Action plans added up: how many actions in how many plans, how far they are, what they cost, who pays.

A plan is what was promised in one commune after one round (DOMAIN.md, table, row 7). What was dropped counts among the
actions; nothing is spent on it, and nobody benefits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, case, func, select

from gateway.menus.phrases import Name
from gateway.models.places import communes, places
from gateway.models.promises import Standing, commitment_sources, commitments
from gateway.models.rounds import round_communes, rounds
from gateway.promises.facts import OPEN, Wanted
from gateway.promises.money import Currency
from gateway.text import fold, in_gsm7


@dataclass(frozen=True)
class Paid:
    """What one source gives in one currency, in hundredths."""

    name: str
    currency: Currency
    amount: int


@dataclass(frozen=True)
class Totals:
    """Commitments added up."""

    standings: Mapping[Standing, int]
    """How many stand where."""
    plans: int
    """Communes after one round each."""
    unplanned: int
    """Actions after no round: they are in no plan."""
    costs: Mapping[Currency, int]
    """Of the actions whose cost is known, in hundredths."""
    costed: int
    """Actions whose cost is known."""
    paid: tuple[Paid, ...]
    """By source: those first whom people wrote first."""
    beneficiaries: int
    female: int

    @property
    def actions(self) -> int:
        """All of them."""
        return sum(self.standings.values())

    @property
    def done(self) -> int:
        """How many are done."""
        return self.standings[Standing.DONE]

    @property
    def going(self) -> int:
        """How many were not dropped."""
        return self.actions - self.standings[Standing.DROPPED]

    @property
    def all_done(self) -> bool:
        """Whether there are any, and every one is done."""
        return 0 < self.actions == self.done


@dataclass(frozen=True)
class ActionPlan:
    """What was promised in one commune after one round, counted."""

    commune: str
    commune_name: Name
    round_id: int | None
    """None: after no round."""
    round_number: int | None
    standings: Mapping[Standing, int]
    overdue: int

    @property
    def actions(self) -> int:
        """All of them."""
        return sum(self.standings.values())

    @property
    def done(self) -> int:
        """How many are done."""
        return self.standings[Standing.DONE]


def totals(db: Connection, wanted: Wanted | None = None) -> Totals:
    """Everything added up, or what is wanted."""
    asked = (wanted or Wanted()).conditions()
    c = commitments.c
    standings = dict.fromkeys(Standing, 0)
    for standing, many in db.execute(select(c.standing, func.count()).where(*asked).group_by(c.standing)):
        standings[Standing(standing)] = many
    plans = select(c.commune, c.round_id).where(*asked, c.round_id.is_not(None)).distinct().subquery()
    goes_on = [*asked, c.standing != Standing.DROPPED]
    known = select(c.currency, func.sum(c.cost), func.count()).where(*goes_on, c.cost.is_not(None))
    costs = {Currency(currency): (int(cost), many) for currency, cost, many in db.execute(known.group_by(c.currency))}
    people = db.execute(select(func.sum(c.beneficiaries), func.sum(c.beneficiaries_female)).where(*goes_on)).one()
    return Totals(
        standings=standings,
        plans=db.scalar(select(func.count()).select_from(plans)) or 0,
        unplanned=db.scalar(select(func.count()).select_from(commitments).where(*asked, c.round_id.is_(None))) or 0,
        costs={one: costs[one][0] for one in Currency if one in costs},
        costed=sum(many for _cost, many in costs.values()),
        paid=_paid(db, goes_on),
        beneficiaries=int(people[0] or 0),
        female=int(people[1] or 0),
    )


def plans_of(db: Connection, wanted: Wanted, overdue_on: date, most: int) -> list[ActionPlan]:
    """The newest plans, each with how far its actions are; what is after no round comes last."""
    c = commitments.c
    late = func.sum(case(((c.due < overdue_on) & c.standing.in_(OPEN), 1), else_=0))
    grouped = (
        select(c.commune, c.round_id, c.standing, func.count().label("many"), late.label("late"))
        .where(*wanted.conditions())
        .group_by(c.commune, c.round_id, c.standing)
    )
    found: dict[tuple[str, int | None], dict[Standing, int]] = defaultdict(lambda: dict.fromkeys(Standing, 0))
    overdue: dict[tuple[str, int | None], int] = defaultdict(int)
    for row in db.execute(grouped):
        found[row.commune, row.round_id][Standing(row.standing)] = row.many
        overdue[row.commune, row.round_id] += int(row.late)
    numbers = select(communes.c.code, communes.c.number, places.c.name_km, places.c.name_en)
    names = {row.code: row for row in db.execute(numbers.join(places, places.c.code == communes.c.code))}
    counted = select(round_communes.c.commune, round_communes.c.round_id, round_communes.c.number)
    of_commune = {(row.commune, row.round_id): row.number for row in db.execute(counted.join(rounds))}
    in_order = sorted(found, key=lambda one: (one[1] is None, -(one[1] or 0), names[one[0]].number))[:most]
    return [
        ActionPlan(code, _name(names[code]), round_id, of_commune.get((code, round_id)), found[code, round_id],
                   overdue[code, round_id])
        for code, round_id in in_order
    ]  # fmt: skip


def _paid(db: Connection, asked: list[Any]) -> tuple[Paid, ...]:
    """By source and currency. A name written in another case or with other spaces is the same."""
    s, c = commitment_sources.c, commitments.c
    rows = (
        select(s.name, c.currency, s.amount)
        .join(commitments, c.id == s.commitment)
        .where(*asked)
        .order_by(s.place, s.commitment)
    )
    names: dict[tuple[str, Currency], str] = {}
    sums: dict[tuple[str, Currency], int] = defaultdict(int)
    for name, currency, amount in db.execute(rows):
        key = (fold(name), Currency(currency))
        names.setdefault(key, name)
        sums[key] += amount
    return tuple(Paid(name, key[1], sums[key]) for key, name in names.items())


def _name(row: Any) -> Name:
    latin = in_gsm7(row.name_en)
    return Name(row.name_km, latin, latin)
