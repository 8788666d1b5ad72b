"""What may be told of a round: the sums of its released blocks, beside those of the round before.

Report, council pages, public results and exports for others all read this; staff's live figures are `tallies`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from gateway.errors import Told
from gateway.menus.phrases import Name
from gateway.models.answers import OVERALL
from gateway.models.places import communes, places
from gateway.models.rounds import round_communes, round_indicators, round_services, rounds
from gateway.models.services import indicators, services
from gateway.scorecard.releases import Block, blocks_of, total
from gateway.scorecard.tallies import Change, Figures, change


class NoResults(Told):
    """There is no such round; the message says which there are."""


@dataclass(frozen=True)
class IndicatorResult:
    """What an extra question about a service came to; None where it is not shown."""

    id: str
    text: Name
    figures: Figures | None


@dataclass(frozen=True)
class ServiceResult:
    """What a service came to; None where it is not shown."""

    service: str
    number: int
    name: Name
    figures: Figures | None
    before: Figures | None
    """Of the round before."""
    indicators: tuple[IndicatorResult, ...] = ()
    by_commune: Mapping[str, Figures] | None = None
    """Of a group of communes: those that are shown; the total is their sum."""
    before_by_commune: Mapping[str, Figures] | None = None
    """The same of the round before."""

    @property
    def change(self) -> Change | None:
        """Against the round before, in points."""
        return change(self.figures, self.before) if self.figures and self.before else None


@dataclass(frozen=True)
class Results:
    """A round of one commune, or of several. Dates are inclusive.

    Whether answers are in no block (too few, or given after one) is not said here: that is no sum of blocks, and would
    tell a service that nobody rated from one that is kept back. Every page says that there may be such answers.
    """

    round_id: int
    communes: Mapping[str, Name]
    """By code, in the order of the programme."""
    number: int
    """The first commune's own count of its rounds."""
    first: date
    last: date | None
    """None while it is open."""
    council_on: date | None
    """From this day on councils may see it."""
    public_on: date | None
    """From this day on everybody may."""
    services: tuple[ServiceResult, ...]


def results(db: Connection, round_id: int, codes: Collection[str] | None = None) -> Results:
    """What may be told of a round, of some of its communes or of all. Raises NoResults."""
    mine = _communes(db, round_id, codes)
    if not mine:
        raise NoResults("there is no such round, or none of these communes is in it")
    round_ = db.execute(select(rounds).where(rounds.c.id == round_id)).one()
    blocks = blocks_of(db, round_id, list(mine), indicator=None)
    before = _before(db, mine)
    questions = _questions(db, round_id)
    group = len(mine) > 1
    of_round = select(services).join(round_services, round_services.c.service_id == services.c.id)
    rated = db.execute(of_round.where(round_services.c.round_id == round_id).order_by(services.c.number))
    return Results(
        round_id=round_id,
        communes={code: name for code, (name, _) in mine.items()},
        number=next(iter(mine.values()))[1],
        first=round_.opened,
        last=round_.closed,
        council_on=round_.council_on,
        public_on=round_.public_on,
        services=tuple(
            _service(
                row, [block for block in blocks if block.service == row.id], before[row.id], questions[row.id], group
            )
            for row in rated
        ),
    )


def find_round(db: Connection, commune: str, number: int) -> int:
    """The id of a commune's round by its own count. Raises NoResults with the rounds that there are."""
    c = round_communes.c
    numbers = dict(db.execute(select(c.number, c.round_id).where(c.commune == commune).order_by(c.number)).all())
    if number not in numbers:
        there = ", ".join(map(str, numbers)) or "none"
        raise NoResults(f"commune {commune} has no round {number}; there are: {there}")
    return int(numbers[number])


def _communes(db: Connection, round_id: int, codes: Collection[str] | None) -> dict[str, tuple[Name, int]]:
    """The communes of a round by code: their name and their own number of it."""
    c = round_communes.c
    statement = (
        select(c.commune, places.c.name_km, places.c.name_en, c.number)
        .join(places, places.c.code == c.commune)
        .join(communes, communes.c.code == c.commune)
        .where(c.round_id == round_id)
        .order_by(communes.c.number)
    )
    if codes is not None:
        statement = statement.where(c.commune.in_(codes))
    return {code: (Name(km, en, en), number) for code, km, en, number in db.execute(statement)}


def _before(db: Connection, mine: Mapping[str, tuple[Name, int]]) -> defaultdict[str, list[Block]]:
    """What was told of each service in the communes' rounds before."""
    of_round: dict[int, list[str]] = defaultdict(list)
    c = round_communes.c
    for code, number, round_id in db.execute(select(c.commune, c.number, c.round_id).where(c.commune.in_(mine))):
        if number == mine[code][1] - 1:
            of_round[round_id].append(code)
    found: defaultdict[str, list[Block]] = defaultdict(list)
    for round_id, codes in of_round.items():
        for block in blocks_of(db, round_id, codes):
            found[block.service].append(block)
    return found


def _questions(db: Connection, round_id: int) -> dict[str, list[Any]]:
    asked = select(indicators).join(round_indicators, round_indicators.c.indicator_id == indicators.c.id)
    found: dict[str, list[Any]] = defaultdict(list)
    for row in db.execute(asked.where(round_indicators.c.round_id == round_id).order_by(indicators.c.place)):
        found[row.service_id].append(row)
    return found


def _service(
    row: Any, blocks: Sequence[Block], before: Sequence[Block], questions: Iterable[Any], group: bool
) -> ServiceResult:
    overall = [block for block in blocks if block.indicator == OVERALL]
    return ServiceResult(
        service=row.id,
        number=row.number,
        name=Name(row.name_km, row.name_latn, row.name_en),
        figures=total(overall),
        before=total(before),
        indicators=tuple(
            IndicatorResult(
                one.id,
                Name(one.text_km, one.text_latn, one.text_en),
                total(block for block in blocks if block.indicator == one.id),
            )
            for one in questions
        ),
        by_commune=_by_commune(overall) if group else None,
        before_by_commune=_by_commune(before) if group else None,
    )


def _by_commune(blocks: Iterable[Block]) -> dict[str, Figures]:
    parts: dict[str, list[Block]] = defaultdict(list)
    for block in blocks:
        parts[block.commune].append(block)
    return {code: figures for code, of_one in parts.items() if (figures := total(of_one))}
