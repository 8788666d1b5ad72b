"""Ratings turned into figures, hidden where they would tell on people.

This is the inner of the two circles (DOMAIN.md, Privacy): live figures for staff. Source of the measures:
DOMAIN.md, Services: satisfied is a score of 4 or 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Select, select

from gateway.errors import Told
from gateway.menus.phrases import Name
from gateway.menus.wording import render
from gateway.models.places import communes, places
from gateway.models.rollups import SCORES
from gateway.models.rounds import Round, round_of, round_services
from gateway.models.services import services
from gateway.scorecard.cells import Counts, shown_cells


class NothingToTell(Told):
    """There is no such commune or round; the message says which there are."""


@dataclass(frozen=True)
class Figures:
    """The figures of one cell that may be shown. `counts` are those of the scores 1 to 5.

    `numbers` is exact for a whole round; for a part of one it is the least that is certain: a number that several
    people answer from is counted at one of their answers (models/answers.py, lead).
    """

    n: int
    numbers: int
    female: int
    counts: tuple[int, ...]
    young: int = 0
    """Aged 15 to 30."""

    @classmethod
    def of(cls, counts: Counts) -> Figures:
        """The figures of a cell (scorecard/cells.py)."""
        *scores, numbers, female, young = counts
        return cls(sum(scores), numbers, female, tuple(scores), young)

    @property
    def mean(self) -> float:
        """The mean score."""
        return sum(score * count for score, count in zip(SCORES, self.counts, strict=True)) / self.n

    @property
    def median(self) -> float:
        """The middle score; between two of them their mean."""
        ordered = [score for score, count in zip(SCORES, self.counts, strict=True) for _ in range(count)]
        middle = self.n // 2
        return float(ordered[middle]) if self.n % 2 else (ordered[middle - 1] + ordered[middle]) / 2

    @property
    def satisfied(self) -> float:
        """The share of scores 4 and 5, from 0 to 1."""
        return (self.counts[3] + self.counts[4]) / self.n

    @property
    def margin(self) -> float:
        """Half the width of the 95 % interval of `satisfied` at its widest, from 0 to 1 (23 raters: 0.20)."""
        return 0.98 / float(self.n**0.5)

    @property
    def percent(self) -> int:
        """`satisfied` as it is printed, in whole percent."""
        return round(self.satisfied * 100)


@dataclass(frozen=True)
class Change:
    """What became of the share of the satisfied, in points, and the margin of that (of both shares together)."""

    points: int
    margin: int

    @property
    def may_be_chance(self) -> bool:
        """Whether it lies within its margin."""
        return abs(self.points) <= self.margin


@dataclass(frozen=True)
class ServiceTally:
    """A service's figures in a commune's round, or None where they are not shown."""

    service: str
    number: int
    name: Name
    figures: Figures | None


@dataclass(frozen=True)
class Tally:
    """A commune's figures of a round, or of a week of it. Dates are inclusive."""

    commune: str
    commune_name: Name
    round: int
    first: date
    last: date
    open: bool
    services: tuple[ServiceTally, ...]


def tally(db: Connection, commune: str, round_: Round, minimum: int, today: date, week: date | None = None) -> Tally:
    """The live figures of a commune's round; `week`, given by its Monday, takes only that week's answers.

    A service is shown from `minimum` distinct numbers on and when its answers are not unanimous. A week is shown
    only as far as the round less the weeks shown does not give away the others.
    """
    last = round_.closed or today
    cells = shown_cells(db, {commune: round_.id}, "week" if week else None, minimum)
    visible = {service: Figures.of(counts) for _, service, part, counts in cells if part == week}
    shown = [
        ServiceTally(row.id, row.number, Name(row.name_km, row.name_latn, row.name_en), visible.get(row.id))
        for row in db.execute(services_of(round_))
    ]
    place = db.execute(select(places.c.name_km, places.c.name_en).where(places.c.code == commune)).one()
    return Tally(
        commune=commune,
        commune_name=Name(place.name_km, place.name_en, place.name_en),
        round=round_.number,
        first=week or round_.opened,
        last=week + timedelta(days=6) if week else last,
        open=round_.closed is None,
        services=tuple(shown),
    )


def tallies(
    db: Connection, commune: str | None, number: int | None, minimum: int, today: date, week: date | None = None
) -> list[Tally]:
    """The tallies of one commune, or of all that take part and have had a round. Raises NothingToTell."""
    found = []
    for code in take_part(db, commune):
        round_ = round_of(db, code, number)
        if round_ is not None:
            found.append(tally(db, code, round_, minimum, today, week))
        elif commune:
            raise NothingToTell(f"commune {commune} has had no round{f' {number}' if number else ''} yet")
    return found


def take_part(db: Connection, commune: str | None) -> list[str]:
    """A commune, or all, by their codes. Raises NothingToTell where it takes no part."""
    known = list(db.scalars(select(communes.c.code).where(communes.c.active).order_by(communes.c.number)))
    if commune is not None and commune not in known:
        raise NothingToTell(f"commune {commune!r} takes no part; those that do: {', '.join(known[:10]) or 'none'}")
    return known if commune is None else [commune]


def change(now: Figures, before: Figures) -> Change:
    """From one round to another: the difference of the percentages as printed, so that readers can check it."""
    return Change(now.percent - before.percent, round(100 * math.hypot(now.margin, before.margin)))


def as_json(figures: Tally, language: str = "en") -> dict[str, Any]:
    """A tally in the form of CONTRACT.md, Tally JSON."""
    return {
        "commune": figures.commune,
        "commune_name": render(figures.commune_name, language),
        "round": figures.round,
        "from": figures.first.isoformat(),
        "to": figures.last.isoformat(),
        "services": [_service_json(service, language) for service in figures.services],
    }


def _service_json(service: ServiceTally, language: str) -> dict[str, Any]:
    names = {"service": service.service, "number": service.number, "label": render(service.name, language)}
    return names | figures_json(service.figures)


def figures_json(shown: Figures | None) -> dict[str, Any]:
    """Figures in the form of CONTRACT.md, Tally JSON; None: not shown."""
    if shown is None:
        hidden = dict.fromkeys(("n", "numbers", "female", "counts", "mean", "median", "satisfied"))
        return hidden | {"shown": False}
    return {
        "n": shown.n,
        "numbers": shown.numbers,
        "female": shown.female,
        "counts": list(shown.counts),
        "mean": round(shown.mean, 4),
        "median": shown.median,
        "satisfied": round(shown.satisfied, 4),
        "shown": True,
    }


def monday(week: str) -> date:
    """The Monday of a week written `2026-W47`. Raises ValueError."""
    year, sign, number = week.partition("-W")
    if not sign:
        raise ValueError(week)
    return date.fromisocalendar(int(year), int(number), 1)


def services_of(round_: Round) -> Select[Any]:
    """The services of a round, in the order of their numbers."""
    rated = select(services).join(round_services, round_services.c.service_id == services.c.id)
    return rated.where(round_services.c.round_id == round_.id).order_by(services.c.number)
