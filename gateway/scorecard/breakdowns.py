"""Staff's live figures by one breakdown at a time (DOMAIN.md, Privacy, the inner circle).

What may be shown is decided in `cells`, commune by commune; everything above a commune is the sum of what is shown of
the communes. So a district by who is the sum of its communes' shown whos: less than the district's own figures, and
nothing in it tells more than the communes' own pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from gateway.errors import Told
from gateway.menus.phrases import Name, Phrase
from gateway.menus.rating import WHO
from gateway.menus.wording import render
from gateway.models.answers import OVERALL
from gateway.models.places import places
from gateway.models.rounds import Round, round_indicators, round_services
from gateway.models.services import indicators, services
from gateway.models.volunteers import ASSISTED
from gateway.scorecard.cells import Counts, add, shown_cells
from gateway.scorecard.scopes import Scope, rounds_by_number, span_of
from gateway.scorecard.tallies import Change, Figures, change, figures_json

WHOS = ("woman-15-30", "woman-31", "man-15-30", "man-31", "other", "unsaid")
CHANNELS = ("ussd", "sms", ASSISTED)


class By(StrEnum):
    """What figures are broken down by. A service is always by itself: a share is of one named service."""

    COMMUNE = "commune"
    DISTRICT = "district"
    PROVINCE = "province"
    WHO = "who"
    WEEK = "week"
    CHANNEL = "channel"
    INDICATOR = "indicator"
    ROUND = "round"
    """One round after the other. They have no answer in common, so none of them tells of another."""


DIGITS = {By.COMMUNE: 6, By.DISTRICT: 4, By.PROVINCE: 2}
"""Of the codes of places."""
FINE = (By.WHO, By.WEEK, By.CHANNEL, By.INDICATOR)
MOST = 60
"""Communes whose figures are parted so finely at once: no district has so many."""


class TooMany(Told):
    """More communes than are parted so finely at once; the message says what to do."""


@dataclass(frozen=True)
class Part:
    """A part of a service's figures, or an extra question about it; None where it is not shown."""

    key: str
    """A code, a who, a channel, `2026-W47`, an indicator's id, the number of a round."""
    name: Name | None
    """Of a place or an indicator."""
    figures: Figures | None
    before: Figures | None = None
    """The same part in the round it is compared with (Scope.before); of a round the one before it."""
    span: tuple[date, date] | None = None
    """Of a round: its days; of an open one until today."""

    @property
    def change(self) -> Change | None:
        """Against that round, in points."""
        return change(self.figures, self.before) if self.figures and self.before else None


@dataclass(frozen=True)
class ServiceFigures(Part):
    """A service's figures and their parts; its key is its id."""

    number: int = 0
    communes: int = 0
    """Of how many communes it is shown; the figures are their sum."""
    communes_before: int = 0
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Breakdown:
    """The figures of a scope. Dates are inclusive."""

    scope: Scope
    by: By | None
    first: date
    last: date
    services: tuple[ServiceFigures, ...]


def breakdown(db: Connection, scope: Scope, by: By | None, minimum: int, today: date) -> Breakdown:
    """The live figures of a scope, service by service, and their parts. `minimum` is of distinct numbers.

    Raises TooMany.
    """
    if by in FINE and len(scope.rounds) > MOST:
        raise TooMany(f"figures by {by} are told for {MOST} communes at most; choose a district or a commune")
    now = _Told(db, scope.rounds, by, minimum)
    then = _Told(db, scope.before, None if by is By.WEEK else by, minimum)
    trend = _trend(db, scope, minimum, today) if by is By.ROUND else ()
    first, last = scope.first, scope.last(today)
    keys = _keys(db, scope, by, first, last)
    round_ids = {one.id for one in scope.rounds.values()}
    rated = select(services).join(round_services, round_services.c.service_id == services.c.id)
    rows = db.execute(rated.where(round_services.c.round_id.in_(round_ids)).distinct().order_by(services.c.number))
    found = []
    for row in rows.all():
        asked = _questions(db, round_ids, row.id) if by is By.INDICATOR else keys
        found.append(
            ServiceFigures(
                key=row.id,
                name=Name(row.name_km, row.name_latn, row.name_en),
                figures=now.figures(row.id),
                before=then.figures(row.id),
                number=row.number,
                communes=now.communes[row.id],
                communes_before=then.communes[row.id],
                parts=_one_after_another(trend, row.id)
                or tuple(
                    Part(key, name, now.figures(row.id, key), then.figures(row.id, key)) for key, name in asked.items()
                ),
            )
        )
    return Breakdown(scope, by, first, last, tuple(found))


class _Told:
    """What is shown of communes' rounds, added up."""

    def __init__(self, db: Connection, rounds: Mapping[str, Round], by: By | None, minimum: int) -> None:
        ids = {commune: one.id for commune, one in rounds.items()}
        self.communes: Counter[str] = Counter()
        self._sums: dict[tuple[str, str | None], Counts] = {}
        if not ids:
            return
        digits = DIGITS.get(by) if by else None
        for commune, service, _, cell in shown_cells(db, ids, None, minimum):
            self.communes[service] += 1
            self._add(service, None, cell)
            if digits:
                self._add(service, commune[:digits], cell)
        if by in FINE:
            for _, service, part, cell in shown_cells(db, ids, by.value, minimum):
                self._add(service, written(part) if by is By.WEEK else part, cell)

    def _add(self, service: str, part: str | None, cell: Counts) -> None:
        before = self._sums.get((service, part))
        self._sums[service, part] = add(before, cell) if before else cell

    def figures(self, service: str, part: str | None = None) -> Figures | None:
        cell = self._sums.get((service, part))
        return Figures.of(cell) if cell else None


def _trend(db: Connection, scope: Scope, minimum: int, today: date) -> list[tuple[Part, _Told]]:
    """The rounds, each with what is shown of it."""
    found = []
    for number, its in rounds_by_number(db, scope).items():
        span = span_of(its.values(), today)
        found.append((Part(str(number), None, None, span=span), _Told(db, its, None, minimum)))
    return found


def _one_after_another(trend: Iterable[tuple[Part, _Told]], service: str) -> tuple[Part, ...]:
    """A service's rounds, each against the one before it."""
    found: list[Part] = []
    for part, told in trend:
        found.append(replace(part, figures=told.figures(service), before=found[-1].figures if found else None))
    return tuple(found)


def written(monday: date) -> str:
    """A week by its Monday, as `2026-W47`."""
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02}"


def _keys(db: Connection, scope: Scope, by: By | None, first: date, last: date) -> Mapping[str, Name | None]:
    """The parts there are, whether they are shown or not."""
    if by in DIGITS:
        codes = list(dict.fromkeys(commune[: DIGITS[by]] for commune in scope.rounds))
        return _names(db, codes) if by is not By.COMMUNE else {code: scope.names[code] for code in codes}
    if by is By.WEEK:
        monday = first - timedelta(days=first.weekday())
        return dict.fromkeys(written(monday + timedelta(days=day)) for day in range(0, (last - monday).days + 1, 7))
    return dict.fromkeys(WHOS if by is By.WHO else CHANNELS if by is By.CHANNEL else ())


def _names(db: Connection, codes: Iterable[str]) -> dict[str, Name | None]:
    found: dict[str, Name | None] = dict.fromkeys(codes)
    for row in db.execute(select(places.c.code, places.c.name_km, places.c.name_en).where(places.c.code.in_(found))):
        found[row.code] = Name(row.name_km, row.name_en, row.name_en)
    return found


def _questions(db: Connection, round_ids: Iterable[int], service: str) -> dict[str, Name | None]:
    """The extra questions about a service, in their order."""
    asked = select(indicators).join(round_indicators, round_indicators.c.indicator_id == indicators.c.id)
    asked = asked.where(round_indicators.c.round_id.in_(round_ids), indicators.c.service_id == service).distinct()
    rows: Iterable[Any] = db.execute(asked.order_by(indicators.c.place, indicators.c.id))
    return {row.id: Name(row.text_km, row.text_latn, row.text_en) for row in rows if row.id != OVERALL}


# in words and as JSON ------------------------------------------------------------------------------

_WAYS = {"ussd": "USSD", "sms": "SMS", ASSISTED: "Assisted"}
_LABELS: Mapping[str, Phrase] = {option.value: option.label for option in WHO} | _WAYS


def label_of(part: Part) -> Phrase:
    """What a part is called where villagers' wording serves: places, questions, whos, channels, weeks."""
    return part.name or _LABELS.get(part.key, part.key)


def as_json(told: Breakdown, language: str = "en") -> list[dict[str, Any]]:
    """The parts of all services, each with the figures of CONTRACT.md, Tally JSON, and a few more."""
    return [
        {
            "part": part.key,
            "part_name": render(label_of(part), language),
            "service": service.key,
            "number": service.number,
            "label": render(label_of(service), language),
            **figures_json(part.figures),
            "young": part.figures and part.figures.young,
            "margin": part.figures and round(part.figures.margin, 4),
            "change": part.change and part.change.points,
        }
        for service in told.services
        for part in service.parts
    ]
