"""What volunteers record: respondents who answer on a volunteer's phone, or on the panel (DOMAIN.md, table, row 2).

A respondent stands where elsewhere a number stands: under a name of their own, such as `ussd <conversation> 3`, hashed
under the round's key as numbers are. So each counts as one number, and the name is nobody's. Nothing says which
volunteer recorded whom; how many each recorded on a day is counted apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, func, select

from gateway.menus.effects import Respondent
from gateway.models import answers
from gateway.models.rounds import round_communes, round_services
from gateway.models.services import services
from gateway.models.volunteers import ASSISTED, note_recorded, note_taken_back
from gateway.privacy import Keys

UNDER_15 = "under-15"
"""The who of whom nothing is kept (DOMAIN.md, Privacy)."""


def save_score(db: Connection, keys: Keys, one: Respondent, service: str, score: int, day: date) -> None:
    """Stores a score of a respondent who is not described yet, in place of an earlier one. Raises RoundClosed."""
    if _save(db, keys, one, service, score, day, who=None):
        note_recorded(db, one.round_id, one.volunteer, day, 1)


def describe(db: Connection, keys: Keys, one: Respondent, who: str, today: date) -> None:
    """Says who a respondent is. Raises RoundClosed."""
    key = answers.key_of(db, one.round_id)
    nobody, rater = (keys.rater(key, one.name, given) for given in (None, who))
    answers.take_over(db, [answers.Told(one.round_id, keys.phone(key, one.name), nobody, rater, who, today)])


def take_back(db: Connection, keys: Keys, one: Respondent) -> bool:
    """Removes all that a respondent answered; False when there was nothing. Raises RoundClosed."""
    key = answers.key_of(db, one.round_id)
    phone = keys.phone(key, one.name)
    mine = (answers.answers.c.round_id == one.round_id) & (answers.answers.c.phone == phone)
    day = db.scalar(select(func.min(answers.answers.c.day)).where(mine))
    if day is None:
        return False
    answers.hold_open(db, one.round_id, one.commune, phone)
    answers.withdraw(db, one.round_id, phone)
    note_taken_back(db, one.round_id, one.volunteer, day)
    return True


def record(db: Connection, keys: Keys, one: Respondent, scores: Mapping[str, int], who: str, day: date) -> bool:
    """Stores a whole respondent; False, and nothing is changed, when they were recorded already. Raises RoundClosed."""
    phone = keys.phone(answers.key_of(db, one.round_id), one.name)
    answers.hold_open(db, one.round_id, one.commune, phone)
    note_recorded(db, one.round_id, one.volunteer, day, 0)  # from here on the same form, sent twice, waits for us
    if not answers.hold_open(db, one.round_id, one.commune, phone):
        return False
    for service, score in scores.items():
        _save(db, keys, one, service, score, day, who=who)
    note_recorded(db, one.round_id, one.volunteer, day, 1)
    return True


@dataclass(frozen=True)
class Open:
    """What may be recorded in a commune now: its round, and the services by the numbers on the card."""

    round_id: int
    services: Mapping[int, str]


def open_in(db: Connection, commune: str) -> Open | None:
    """The open round of a commune; None without one, or when it asks about nothing."""
    asked = (
        select(round_communes.c.round_id, services.c.number, services.c.id)
        .join(round_services, round_services.c.round_id == round_communes.c.round_id)
        .join(services, services.c.id == round_services.c.service_id)
        .where(round_communes.c.commune == commune, round_communes.c.open, services.c.active)
        .order_by(services.c.number)
    )
    rows = db.execute(asked).all()
    return Open(rows[0].round_id, {row.number: row.id for row in rows}) if rows else None


def _save(db: Connection, keys: Keys, one: Respondent, service: str, score: int, day: date, *, who: str | None) -> bool:
    key = answers.key_of(db, one.round_id)
    given = answers.Given(
        round_id=one.round_id,
        rater=keys.rater(key, one.name, who),
        phone=keys.phone(key, one.name),
        commune=one.commune,
        service=service,
        score=score,
        day=day,
        channel=ASSISTED,
        who=who,
    )
    return answers.save(db, given)
