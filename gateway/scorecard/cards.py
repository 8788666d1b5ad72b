"""A respondent in one SMS, from a volunteer's printed card: `R 2 5 1` is service 2, score 5, woman 15-30.

Several services stand one after the other, each with its score, and who comes last: `R 2 5 3 4 1`. So a message has an
odd count of numbers, three at the least; one that is forgotten is noticed. Who is always told: 7 is no answer.
"""

from __future__ import annotations

import secrets
from datetime import date

from sqlalchemy import Connection, select

from gateway.menus.effects import Respondent
from gateway.menus.phrases import Name, Words
from gateway.menus.rating import WHO
from gateway.models.answers import RoundClosed
from gateway.models.places import places
from gateway.models.volunteers import Volunteer, recorded_on
from gateway.privacy import Keys
from gateway.scorecard import recording
from gateway.scorecard.recording import UNDER_15, Open

_ = Words

_WHO = {one.key: one.value for one in WHO}
_SCORES = ("1", "2", "3", "4", "5")


def take(db: Connection, keys: Keys, volunteer: Volunteer, numbers: tuple[str, ...], day: date) -> Words:
    """Records the respondent of a message, in the volunteer's commune; what to say, which repeats nothing of it.

    Called once a message: it is the provider's id of the message that tells a repeat.
    """
    there = recording.open_in(db, volunteer.commune)
    if there is None:
        return _not_open(db, volunteer)
    found = read(numbers, there)
    if found is None:
        shown = " ".join(str(number) for number in there.services)
        return _("Not recorded. Write R, each service with its score, then who: R 2 5 1. Services: {services}",
                 services=shown)  # fmt: skip
    scores, who = found
    if who == UNDER_15:
        n = recorded_on(db, there.round_id, volunteer.id, day)
        return _("Under 15: not kept. {n} recorded today.", n=str(n))
    one = Respondent(f"sms {secrets.token_hex(16)}", volunteer.id, there.round_id, volunteer.commune)
    try:
        recording.record(db, keys, one, scores, who, day)
    except RoundClosed:
        return _not_open(db, volunteer)
    return _("Received. {n} recorded today.", n=str(recorded_on(db, there.round_id, volunteer.id, day)))


def read(numbers: tuple[str, ...], there: Open) -> tuple[dict[str, int], str] | None:
    """The scores by service, and who; None for what is not written as on the card."""
    *pairs, last = numbers or ("",)
    who = _WHO.get(last)
    if who is None or not pairs or len(pairs) % 2:
        return None
    scores: dict[str, int] = {}
    for number, score in zip(pairs[::2], pairs[1::2], strict=True):
        service = there.services.get(int(number))
        if service is None or service in scores or score not in _SCORES:
            return None
        scores[service] = int(score)
    return scores, who


def _not_open(db: Connection, volunteer: Volunteer) -> Words:
    row = db.execute(select(places.c.name_km, places.c.name_en).where(places.c.code == volunteer.commune)).one()
    name = Name(row.name_km, row.name_en, row.name_en)
    return _("Not recorded: no rating is open in {commune} now.", commune=name)
