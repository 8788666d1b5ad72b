"""What a commitment must be before it is kept; what is wrong with one, field by field."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from sqlalchemy import Connection, select

from gateway.config import LANGUAGES, Settings
from gateway.errors import Told
from gateway.menus.phrases import Name
from gateway.models.forums import forums
from gateway.models.places import communes
from gateway.models.promises import commitments
from gateway.models.rounds import round_communes
from gateway.promises.facts import Commitment, Source, hangs
from gateway.promises.money import MOST, NAMES, Currency, said
from gateway.text import Limit, fits, fold, in_gsm7, plain, segments

ACTIVITY = Limit(90, 54)
"""What an activity may take, in Latin letters and in Khmer: beside it the question whether it was done stands on one
screen of Latin letters or mostly two of Khmer, and in one part of an SMS or two (tests/test_menus_promises.py)."""
LONGEST = {"responsible": 100, "proposed_by": 100, "place": 100, "quantity": 60, "source": 60}
"""Characters of a field that only staff and councils read."""
MOST_PEOPLE = 10_000_000
MOST_SOURCES = 20
FAR = timedelta(days=20 * 366)
"""No promise was made for a day further off than this, nor so long ago."""


class Flaw(enum.StrEnum):
    """What can be wrong with a commitment."""

    COMMUNE = "choose a commune of the programme"
    STAYS = (
        "villagers were asked about it or told of it, or its council wrote about it: it stays in its commune; enter"
        " another one for the other commune"
    )
    ROUND = "this round was not in this commune"
    FORUM = "this forum was not in this commune"
    NO_ACTIVITY = "say what is to be done in the language of the programme: villagers read it"
    TOO_LONG_FOR_A_SCREEN = (
        "too long for a villager's screen: {n} characters, {most} fit; say it shorter, and leave the rest to the place"
    )
    BRACES = "no braces here: everybody reads the same"
    EMPTY = "this is missing"
    TOO_LONG = "too long: at most {most} characters"
    DUE_FIRST = "it is due before it starts; change one of the two days"
    FAR_OFF = "this day is more than 20 years off; is the year right?"
    NEGATIVE = "this cannot be negative"
    TOO_BIG = "more than {most}: is there a digit too many?"
    NO_CURRENCY = "say in which currency"
    OTHER_CURRENCY = "this is in {found}, the commitment in {meant}; write all amounts of a commitment in one currency"
    RIEL = "riels have no cents; write a whole number"
    OVER_COST = "those who pay give {sum} together, more than the cost; mend one of the amounts"
    WITHOUT_PAYER = "say who pays this"
    TWICE = "this source stands here twice; add the two up"
    MANY_SOURCES = "at most {most} sources"
    MORE_FEMALE = "more than there are in all"
    NO_TOTAL = "say how many they are in all, women and men together"


@dataclass(frozen=True)
class Wrong:
    """One thing that is wrong: in which field (`activity-km`, `source-2`), and why."""

    about: str
    flaw: Flaw
    values: Mapping[str, str | Name] = field(default_factory=dict)


class NotKept(Told):
    """A commitment is not kept as it is; `wrongs` says all that is wrong with it."""

    def __init__(self, wrongs: Sequence[Wrong]) -> None:
        super().__init__("; ".join(f"{one.about}: {one.flaw.format(**_english(one.values))}" for one in wrongs))
        self.wrongs = tuple(wrongs)


def tidy(commitment: Commitment) -> Commitment:
    """With its texts as they are kept: on one line, without signs that show nothing; an activity without its stop."""
    texts = {one: _line(commitment.activity.get(one, "")).rstrip(" .។") for one in LANGUAGES}
    return replace(
        commitment,
        activity={one: text for one, text in texts.items() if text},
        responsible=_line(commitment.responsible),
        proposed_by=_line(commitment.proposed_by),
        place=_line(commitment.place),
        quantity=_line(commitment.quantity),
        sources=tuple(replace(one, name=_line(one.name)) for one in commitment.sources),
    )


def must_be_right(db: Connection, settings: Settings, commitment: Commitment, today: date) -> Commitment:
    """The commitment, tidied. Raises NotKept with all that is wrong with it."""
    tidied = tidy(commitment)
    if found := list(wrongs(db, settings, tidied, today)):
        raise NotKept(found)
    return tidied


def wrongs(db: Connection, settings: Settings, commitment: Commitment, today: date) -> Iterator[Wrong]:
    """All that is wrong with a tidied commitment."""
    yield from _of_the_place(db, commitment)
    yield from _of_the_words(commitment, settings)
    yield from _of_the_days(commitment, today)
    yield from _of_the_people(commitment)
    yield from _of_the_money(commitment)


def _of_the_place(db: Connection, commitment: Commitment) -> Iterator[Wrong]:
    code = commitment.commune
    if db.execute(select(communes.c.code).where(communes.c.code == code)).first() is None:
        yield Wrong("commune", Flaw.COMMUNE)
        return
    until_now = db.scalar(select(commitments.c.commune).where(commitments.c.id == commitment.id))
    if until_now is not None and until_now != code and hangs(db, commitment.id):
        yield Wrong("commune", Flaw.STAYS)
    if commitment.round_id is not None:
        mine = (round_communes.c.round_id == commitment.round_id) & (round_communes.c.commune == code)
        if db.execute(select(round_communes.c.round_id).where(mine)).first() is None:
            yield Wrong("round", Flaw.ROUND)
    if commitment.forum is not None:
        there = (forums.c.id == commitment.forum) & (forums.c.commune == code)
        if db.execute(select(forums.c.id).where(there)).first() is None:
            yield Wrong("forum", Flaw.FORUM)


def _of_the_words(commitment: Commitment, settings: Settings) -> Iterator[Wrong]:
    for language in LANGUAGES:
        about, text = f"activity-{language}", in_gsm7(commitment.activity.get(language, ""))
        if not text and language == settings.default_language:
            yield Wrong(about, Flaw.NO_ACTIVITY)
        if "{" in text or "}" in text:
            yield Wrong(about, Flaw.BRACES)
        elif not fits(text, ACTIVITY):
            yield Wrong(about, Flaw.TOO_LONG_FOR_A_SCREEN, _length(text))
    for name in ("responsible", "proposed_by", "place", "quantity"):
        text = getattr(commitment, name)
        if not text and name == "responsible":
            yield Wrong(name, Flaw.EMPTY)
        if len(text) > LONGEST[name]:
            yield Wrong(name, Flaw.TOO_LONG, {"most": str(LONGEST[name])})


def _length(text: str) -> dict[str, str | Name]:
    found = segments(text)
    return {"n": str(found.length), "most": str(ACTIVITY.septets if found.encoding == "GSM-7" else ACTIVITY.units)}


def _of_the_days(commitment: Commitment, today: date) -> Iterator[Wrong]:
    for name in ("starts", "due"):
        day = getattr(commitment, name)
        if day is not None and abs(day - today) > FAR:
            yield Wrong(name, Flaw.FAR_OFF)
    if commitment.starts is not None and commitment.due < commitment.starts:
        yield Wrong("due", Flaw.DUE_FIRST)


def _of_the_people(commitment: Commitment) -> Iterator[Wrong]:
    total, female = commitment.beneficiaries, commitment.female
    for name, number in (("beneficiaries", total), ("female", female)):
        if number is not None and number < 0:
            yield Wrong(name, Flaw.NEGATIVE)
        elif number is not None and number > MOST_PEOPLE:
            yield Wrong(name, Flaw.TOO_BIG, {"most": f"{MOST_PEOPLE:,}"})
    if female is not None and total is None:
        yield Wrong("beneficiaries", Flaw.NO_TOTAL)
    elif female is not None and total is not None and female > total:
        yield Wrong("female", Flaw.MORE_FEMALE)


def _of_the_money(commitment: Commitment) -> Iterator[Wrong]:
    currency, cost, sources = commitment.currency, commitment.cost, commitment.sources
    if currency is None:
        if cost is not None or sources:
            yield Wrong("currency", Flaw.NO_CURRENCY)
        return
    if cost is not None:
        yield from _of_an_amount("cost", cost, currency)
    if len(sources) > MOST_SOURCES:
        yield Wrong("sources", Flaw.MANY_SOURCES, {"most": str(MOST_SOURCES)})
    seen: set[str] = set()
    for number, source in enumerate(sources, 1):
        yield from _of_a_source(number, source, currency, seen)
        seen.add(fold(source.name))
    together = sum(source.amount for source in sources)
    if cost is not None and 0 <= cost < together:
        yield Wrong("cost", Flaw.OVER_COST, {"sum": said(together, currency)})


def _of_a_source(number: int, source: Source, currency: Currency, seen: set[str]) -> Iterator[Wrong]:
    if not source.name:
        yield Wrong(f"source-{number}", Flaw.WITHOUT_PAYER)
    elif fold(source.name) in seen:
        yield Wrong(f"source-{number}", Flaw.TWICE)
    elif len(source.name) > LONGEST["source"]:
        yield Wrong(f"source-{number}", Flaw.TOO_LONG, {"most": str(LONGEST["source"])})
    if source.currency is not currency:
        values = {"found": NAMES[source.currency], "meant": NAMES[currency]}
        yield Wrong(f"amount-{number}", Flaw.OTHER_CURRENCY, values)
    else:
        yield from _of_an_amount(f"amount-{number}", source.amount, currency)


def _of_an_amount(about: str, amount: int, currency: Currency) -> Iterator[Wrong]:
    if amount < 0:
        yield Wrong(about, Flaw.NEGATIVE)
    elif amount > MOST[currency]:
        yield Wrong(about, Flaw.TOO_BIG, {"most": said(MOST[currency], currency)})
    elif currency is Currency.KHR and amount % 100:
        yield Wrong(about, Flaw.RIEL)


def _line(text: str) -> str:
    return " ".join(plain(" ".join(text.split())).split())


def _english(values: Mapping[str, str | Name]) -> dict[str, str]:
    return {name: value.en if isinstance(value, Name) else value for name, value in values.items()}
