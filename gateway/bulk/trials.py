"""A broadcast tried on one's own phone before anybody else gets it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.bulk import hours, placeholders
from gateway.bulk.complaints import Complaint, NotPossible, Wrong
from gateway.bulk.letters import Texts
from gateway.config import Language, Settings
from gateway.models.messages import Draft, Kind, has_opted_out, write
from gateway.phones import NotANumber, calling_code, e164, is_mobile
from gateway.privacy import Keys
from gateway.routing import choose

_EXPIRES = timedelta(hours=1)


def send_trial(
    db: Connection, keys: Keys, settings: Settings, texts: Texts, languages: Sequence[Language], number: str,
    now: datetime,
) -> datetime:  # fmt: skip
    """Writes a text in each language chosen to one number, which is kept nowhere but in these messages.

    Returns when they leave: no test comes in the quiet hours. Raises NotPossible.
    """
    chosen = [one for one in languages if texts.get(one)]
    if not chosen:
        raise NotPossible((Complaint(Wrong.NO_TEXT, about="languages"),), settings.zone)
    try:
        number = e164(number, settings.countries[0])
    except NotANumber:
        number = ""
    if not calling_code(number, settings.countries) or not is_mobile(number):
        raise NotPossible((Complaint(Wrong.NO_NUMBER, {"example": "012 345 678"}, "number"),), settings.zone)
    if has_opted_out(db, keys.lookup(number)):
        raise NotPossible((Complaint(Wrong.STOPPED, {"to": settings.sms_number}, "number"),), settings.zone)
    provider, start = choose(db, settings, number, now), hours.next_possible(now, settings.zone)
    for language in chosen:
        text = placeholders.fill(texts[language], placeholders.EXAMPLES[language])
        write(db, keys, Draft(Kind.TEST, number, text, provider, start, start + _EXPIRES), now)
    return start
