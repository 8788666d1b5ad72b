"""What is rated: services and the extra questions about them, as staff change them.

Every change is published as an edition: talks that go on keep the one they began with. What a screen or the weekly
letter has no room for is refused here, with how much it is too long.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from gateway.config import LANGUAGES, Language
from gateway.menus.phrases import Name
from gateway.menus.rating import ask, give_score
from gateway.menus.screens import Choose, lay_out
from gateway.models.editions import publish
from gateway.models.rounds import round_communes, round_indicators, round_services, rounds
from gateway.models.services import indicators, services
from gateway.text import SMS, USSD, fits, in_gsm7, is_gsm7, plain, units

MOST = 10
"""Extra questions about a service that are active."""
NUMBERS = (*range(1, 8), *range(10, 100))
"""What posters may print: 8 opens the menu, 9 is "more", 0 is "back"."""
SHORT: Mapping[Language, int] = {"km": 10, "km-Latn": 14, "en": 14}
"""Signs of a service's name in a line of the weekly letter."""

Texts = Mapping[Language, str]


class Flaw(enum.Enum):
    """What can be wrong with a text or a deed."""

    MISSING = enum.auto()
    SCRIPT = enum.auto()
    SCREEN = enum.auto()
    LETTER = enum.auto()
    NUMBER = enum.auto()
    FULL = enum.auto()
    ASKED = enum.auto()
    SURE = enum.auto()


class Refused(Exception):
    """A change that is not made; `flaws` by field, each with how many signs too long."""

    def __init__(self, flaws: Mapping[str, tuple[Flaw, int]]) -> None:
        super().__init__(", ".join(f"{field}: {flaw.name}" for field, (flaw, _over) in flaws.items()))
        self.flaws = flaws


@dataclass(frozen=True)
class Wording:
    """What a service is called: on screens, and in the weekly letter where that is shorter."""

    names: Texts
    shorts: Texts

    @property
    def columns(self) -> dict[str, str]:
        """As kept in the row."""
        return _columns("name", self.names) | _columns("short", self.shorts)


# services -----------------------------------------------------------------------------------------


def free_numbers(db: Connection) -> list[int]:
    """Numbers that no service ever had; the first is the one to take next."""
    taken = set(db.scalars(select(services.c.number)))
    free = [number for number in NUMBERS if number not in taken]
    return sorted(free, key=lambda number: (number < max(taken, default=0), number))


def add_service(db: Connection, number: int, wording: Wording, now: datetime, *, sensitive: bool = False) -> str:
    """Adds a service and returns its id; rounds that are opened from now on may rate it. Raises Refused.

    A sensitive one is switched off until an admin switches it on.
    """
    flaws = flaws_of(wording)
    if number not in free_numbers(db):
        flaws["number"] = (Flaw.NUMBER, 0)
    if flaws:
        raise Refused(flaws)
    taken = set(db.scalars(select(services.c.id)))
    base = _slug(wording.names["en"]) or f"service-{number}"
    service = base if base not in taken else f"{base}-{number}"
    values = {"id": service, "number": number, "sensitive": sensitive, "active": not sensitive}
    db.execute(services.insert().values(values | wording.columns))
    publish(db, now)
    return service


def rename(db: Connection, service: str, wording: Wording, now: datetime) -> None:
    """Calls a service something else, everywhere and at once. Raises Refused."""
    if flaws := flaws_of(wording):
        raise Refused(flaws)
    db.execute(update(services).where(services.c.id == service).values(wording.columns))
    publish(db, now)


def switch(db: Connection, service: str, now: datetime, *, on: bool, sure: bool = False) -> None:
    """Switches a service on or off. Raises Refused where that needs somebody who is sure.

    One that an open round rates leaves the menus at once; its answers stay, and it comes back when switched on. A
    sensitive one is switched on only by whoever is sure.
    """
    sensitive = db.scalar(select(services.c.sensitive).where(services.c.id == service))
    if not sure and ((on and sensitive) or (not on and rated_in(db, service))):
        raise Refused({"sure": (Flaw.SURE, 0)})
    db.execute(update(services).where(services.c.id == service).values(active=on))
    publish(db, now)


def rated_in(db: Connection, service: str) -> int:
    """In how many communes an open round rates a service now."""
    mine = round_services.c.round_id == round_communes.c.round_id
    rated = select(func.count()).select_from(round_communes).join(round_services, mine)
    return db.scalar(rated.where(round_services.c.service_id == service, round_communes.c.open)) or 0


def flaws_of(wording: Wording) -> dict[str, tuple[Flaw, int]]:
    """What is wrong with a service's names, by field: `name-km`, `short-en`."""
    flaws = _flaws("name", wording.names, give_score)
    for language in LANGUAGES:
        if (name := f"name-{language}") in flaws:
            continue
        field = f"short-{language}" if wording.shorts[language] else name
        said = wording.shorts[language] or wording.names[language]
        over = units(said) - SHORT[language]
        if language != "km" and not is_gsm7(in_gsm7(said)):
            flaws[field] = (Flaw.SCRIPT, 0)
        elif over > 0:
            flaws[f"short-{language}"] = (Flaw.LETTER, over)
    return flaws


# the extra questions ------------------------------------------------------------------------------


def questions_of(db: Connection, service: str) -> list[Any]:
    """The questions about a service in staff's order, those that are archived last."""
    mine = select(indicators).where(indicators.c.service_id == service)
    return list(db.execute(mine.order_by(indicators.c.active.desc(), indicators.c.place, indicators.c.id)))


def being_asked(db: Connection, service: str) -> set[str]:
    """The questions about a service that an open round asks: their wording is not changed."""
    asked = (
        select(round_indicators.c.indicator_id)
        .join(rounds, rounds.c.id == round_indicators.c.round_id)
        .join(indicators, indicators.c.id == round_indicators.c.indicator_id)
    )
    return set(db.scalars(asked.where(rounds.c.closed.is_(None), indicators.c.service_id == service)))


def add_question(db: Connection, service: str, texts: Texts, now: datetime) -> str:
    """Adds a question about a service at the end of its list; returns its id. Raises Refused."""
    there = questions_of(db, service)
    flaws = question_flaws(texts)
    if sum(row.active for row in there) >= MOST:
        flaws = {"text-km": (Flaw.FULL, 0)}
    if flaws:
        raise Refused(flaws)
    place = max((row.place for row in there), default=0) + 1
    made = f"{service}-{len(there) + 1}"  # none is ever removed
    values = {"id": made, "service_id": service, "place": place}
    db.execute(indicators.insert().values(values | _columns("text", texts)))
    publish(db, now)
    return made


def reword(db: Connection, service: str, question: str, texts: Texts, now: datetime) -> None:
    """Words a question anew, while no open round asks it. Raises Refused."""
    flaws = question_flaws(texts)
    if question in being_asked(db, service):
        flaws = {"text-km": (Flaw.ASKED, 0)}
    if flaws:
        raise Refused(flaws)
    db.execute(update(indicators).where(indicators.c.id == question).values(_columns("text", texts)))
    publish(db, now)


def archive(db: Connection, service: str, question: str, now: datetime, *, away: bool) -> None:
    """Puts a question away, so that nobody is asked it any more, or brings it back. Raises Refused."""
    if not away and sum(row.active for row in questions_of(db, service) if row.id != question) >= MOST:
        raise Refused({question: (Flaw.FULL, 0)})
    db.execute(update(indicators).where(indicators.c.id == question).values(active=not away))
    publish(db, now)


def move_up(db: Connection, service: str, question: str, now: datetime) -> None:
    """Puts a question before the one above it."""
    order = [row.id for row in questions_of(db, service)]
    at = order.index(question)
    if at:
        order[at - 1 : at + 1] = [question, order[at - 1]]
    for place, one in enumerate(order, 1):
        db.execute(update(indicators).where(indicators.c.id == one).values(place=place))
    publish(db, now)


def question_flaws(texts: Texts) -> dict[str, tuple[Flaw, int]]:
    """What is wrong with a question's texts, by field: `text-km`."""
    return _flaws("text", texts, ask)


# inside -------------------------------------------------------------------------------------------


def _flaws(what: str, texts: Texts, screen: Callable[[Name], Choose]) -> dict[str, tuple[Flaw, int]]:
    flaws: dict[str, tuple[Flaw, int]] = {}
    for language in LANGUAGES:
        said = texts[language]
        if not said:
            flaws[f"{what}-{language}"] = (Flaw.MISSING, 0)
        elif language != "km" and not is_gsm7(in_gsm7(said)):
            flaws[f"{what}-{language}"] = (Flaw.SCRIPT, 0)
        elif over := _too_long(said, language, screen):
            flaws[f"{what}-{language}"] = (Flaw.SCREEN, over)
    return flaws


def _too_long(text: str, language: Language, screen: Callable[[Name], Choose]) -> int:
    """By how many signs a text is too long for one screen, by USSD or by SMS."""
    text = text if language == "km" else in_gsm7(text)
    over = 0
    while text[over:] and not _one_page(screen(_everywhere(text[: len(text) - over])), language):
        over += 1
    return over


def _one_page(question: Choose, language: Language) -> bool:
    return all(
        len(pages) == 1 and all(fits(page.text, limit) for page in pages)
        for limit in (USSD, SMS)
        for pages in [lay_out(question, language, limit, first=False)]
    )


def _everywhere(text: str) -> Name:
    return Name(text, text, text)


def _columns(what: str, texts: Texts) -> dict[str, str]:
    return {f"{what}_{'latn' if one == 'km-Latn' else one}": texts[one] for one in LANGUAGES}


def _slug(name: str) -> str:
    """An id from an English name; none that means something else."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub("[^a-z0-9]+", "-", ascii_only).strip("-")
    return "" if slug == "new" else slug  # that is the address of the form


def clean(text: str) -> str:
    """A text as it is kept: one line, without what costs a sign and shows nothing."""
    return " ".join(plain(" ".join(text.split())).split())
