"""Rounds as staff see them: where and when, how many raters, what closing one would destroy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select
from sqlalchemy.sql.expression import true

from gateway.menus.phrases import Name
from gateway.models.answers import OVERALL, answers
from gateway.models.conversations import conversations
from gateway.models.installation import pause
from gateway.models.messages import Kind, inbound, messages
from gateway.models.places import communes, places
from gateway.models.releases import blocks, released_phones
from gateway.models.rollups import SCORES, counts
from gateway.models.rounds import near_numbers, round_communes, round_indicators, round_services, rounds
from gateway.models.services import indicators, services
from gateway.privacy import Cell, may_show
from gateway.scorecard.publishing import opens

SOON = timedelta(days=3)
"""So long before its last day a round is marked."""
MANY = 100
"""Communes of a round whose raters a list does not count: to count them takes a second where millions rated."""
NAMED = 4
"""So many communes are named in a list; of more it says how many they are."""


@dataclass(frozen=True)
class Listed:
    """A round in the list. Dates are inclusive."""

    id: int
    opened: date
    until: date | None
    """Its last day as planned."""
    closed: date | None
    council_on: date | None
    public_on: date | None
    """From when on councils and everybody see it; a day that falls in the pause is the one after it."""
    communes: int
    numbers: tuple[int, int]
    """The least and the greatest of the communes' own numbers of it."""
    names: tuple[Name, ...]
    """Of the communes, where they are few."""
    counted: bool
    """Whether its raters are counted here; a list leaves out rounds of many communes."""
    raters: int | None
    """Of its most rated service; None: not shown."""

    def state(self, today: date) -> str:
        """How far it is; what is `soon` or `late` is to be closed."""
        if self.closed is None:
            if self.until is None or self.until - SOON > today:
                return "open"
            return "soon" if self.until >= today else "late"
        if self.council_on is None:
            return "closed"
        if self.public_on is not None and self.public_on <= today:
            return "public"
        return "councils" if self.council_on <= today else "closed"


@dataclass(frozen=True)
class Asked:
    """A service of a round, with the extra questions about it."""

    id: str
    number: int
    name: Name
    active: bool
    """One that is switched off stands in no menu, whatever the round says."""
    questions: tuple[Name, ...]


@dataclass(frozen=True)
class Destroyed:
    """What closing a round destroys and what it leaves, counted."""

    conversations: int
    texts: int
    """SMS that came in, of which the text and the sender are still there."""
    answers_by_sms: int
    released: int
    """Numbers in released blocks, as hashes."""
    near: int
    """How many of a hundred neighbouring numbers rated on a day, by hundred and day."""
    answers: int
    blocks: int


def count(db: Connection, within: Collection[str] | None = None) -> int:
    """How many rounds there are; `within`: that have a part in one of these communes."""
    return db.scalar(select(func.count()).select_from(rounds).where(_has_part(within))) or 0


def listed(db: Connection, minimum: int, first: int, size: int, within: Collection[str] | None = None) -> list[Listed]:
    """So many rounds after skipping the `first` ones: those that are open, then the others, the newest first.

    `within`: what they are in these communes, without the others.
    """
    some = select(rounds).where(_has_part(within))
    some = some.order_by(rounds.c.closed.is_not(None), rounds.c.opened.desc(), rounds.c.id.desc())
    return _listed(db, some.offset(first).limit(size), minimum, MANY, within)


def found(db: Connection, round_id: int, minimum: int, within: Collection[str] | None = None) -> Listed | None:
    """One round; None when there is none of this id."""
    one = select(rounds).where(rounds.c.id == round_id, _has_part(within))
    return next(iter(_listed(db, one, minimum, within=within)), None)


def members(db: Connection, round_id: int, within: Collection[str] | None = None) -> dict[str, tuple[Name, int]]:
    """The communes of a round by code, each with its name and its own number of it, in the order of the programme."""
    columns = (round_communes.c.commune, round_communes.c.number, places.c.name_km, places.c.name_en)
    mine = (
        select(*columns)
        .join(places, places.c.code == round_communes.c.commune)
        .join(communes, communes.c.code == round_communes.c.commune)
        .where(round_communes.c.round_id == round_id, _is_of(within))
    )
    rows = db.execute(mine.order_by(communes.c.number))
    return {row.commune: (Name(row.name_km, row.name_en, row.name_en), row.number) for row in rows}


def still_forgetting(db: Connection, round_id: int) -> int:
    """The communes of a closed round whose answers are still to be written anew (scorecard/closing.py)."""
    closed = select(func.count()).select_from(round_communes).join(rounds, rounds.c.id == round_communes.c.round_id)
    left = closed.where(rounds.c.id == round_id, rounds.c.closed.is_not(None), ~round_communes.c.forgotten)
    return db.scalar(left) or 0


def asked(db: Connection, round_id: int) -> list[Asked]:
    """What a round rates and asks."""
    of_round = select(indicators).join(round_indicators, round_indicators.c.indicator_id == indicators.c.id)
    questions: dict[str, list[Name]] = defaultdict(list)
    mine = of_round.where(round_indicators.c.round_id == round_id, indicators.c.active)
    for row in db.execute(mine.order_by(indicators.c.place, indicators.c.id)):
        questions[row.service_id].append(Name(row.text_km, row.text_latn, row.text_en))
    rated = select(services).join(round_services, round_services.c.service_id == services.c.id)
    rows = db.execute(rated.where(round_services.c.round_id == round_id).order_by(services.c.number))
    return [
        Asked(
            row.id,
            row.number,
            Name(row.name_km, row.name_latn, row.name_en),
            row.active,
            tuple(questions[row.id]),
        )
        for row in rows
    ]


def what_closing_destroys(db: Connection, round_id: int) -> Destroyed:
    """What would go, and what would stay, were a round closed now."""

    def number(statement: Select[Any]) -> int:
        return db.scalar(statement) or 0

    phones = select(func.count(released_phones.c.phone.distinct())).where(released_phones.c.round_id == round_id)
    return Destroyed(
        conversations=number(select(func.count()).where(conversations.c.round_id == round_id)),
        texts=number(select(func.count()).where(inbound.c.text_key != 0)),
        answers_by_sms=number(select(func.count()).where(messages.c.kind == Kind.ANSWER)),
        released=number(phones),
        near=number(select(func.count()).where(near_numbers.c.round_id == round_id)),
        answers=number(select(func.count()).where(answers.c.round_id == round_id)),
        blocks=number(select(func.count()).where(blocks.c.round_id == round_id)),
    )


def _is_of(within: Collection[str] | None) -> ColumnElement[bool]:
    return true() if within is None else round_communes.c.commune.in_(within)


def _has_part(within: Collection[str] | None) -> ColumnElement[bool]:
    return true() if within is None else rounds.c.id.in_(select(round_communes.c.round_id).where(_is_of(within)))


def _listed(
    db: Connection, some: Select[Any], minimum: int, most: int | None = None, within: Collection[str] | None = None
) -> list[Listed]:
    """`most`: the raters of rounds with more communes are not counted."""
    rows = db.execute(some).all()
    ids = [row.id for row in rows]
    of_round = round_communes.c.round_id
    own = round_communes.c.number
    sizes = select(of_round, func.count().label("communes"), func.min(own).label("least"), func.max(own).label("most"))
    sizes = sizes.where(of_round.in_(ids), _is_of(within)).group_by(of_round)
    by_id = {row.round_id: row for row in db.execute(sizes)}
    names = _names(db, [round_id for round_id, row in by_id.items() if row.communes <= NAMED], within)
    counted = [round_id for round_id, row in by_id.items() if most is None or row.communes <= most]
    raters = _raters(db, counted, minimum, within)
    days = pause(db)
    return [
        Listed(
            row.id, row.opened, row.until, row.closed, opens(row.council_on, days), opens(row.public_on, days),
            by_id[row.id].communes, (by_id[row.id].least, by_id[row.id].most), tuple(names.get(row.id, ())),
            row.id in counted, raters.get(row.id),
        )
        for row in rows
    ]  # fmt: skip


def _names(db: Connection, ids: Collection[int], within: Collection[str] | None) -> Mapping[int, list[Name]]:
    of_round = (
        select(round_communes.c.round_id, places.c.name_km, places.c.name_en)
        .join(places, places.c.code == round_communes.c.commune)
        .join(communes, communes.c.code == round_communes.c.commune)
        .where(round_communes.c.round_id.in_(ids), _is_of(within))
    )
    names: dict[int, list[Name]] = defaultdict(list)
    for row in db.execute(of_round.order_by(communes.c.number)):
        names[row.round_id].append(Name(row.name_km, row.name_en, row.name_en))
    return names


def _raters(db: Connection, ids: Collection[int], minimum: int, within: Collection[str] | None) -> dict[int, int]:
    """The raters of each round's most rated service that may be shown.

    More cannot be told of one that is closed: whether two of its services were rated by the same phone is destroyed.
    """
    here = set(db.scalars(select(round_communes.c.commune).where(round_communes.c.round_id.in_(ids), _is_of(within))))
    by = ("round_id", "service_id")
    raters: dict[int, int] = {}
    for row in counts(db, by, round_id=ids, communes=here, indicator=OVERALL) if ids else ():
        scores = tuple(int(getattr(row, f"n{score}")) for score in SCORES)
        if may_show(Cell(scores, int(row.leads)), minimum):
            raters[row.round_id] = max(sum(scores), raters.get(row.round_id, 0))
    return raters
