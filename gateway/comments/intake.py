"""A comment that comes by SMS. Its words never stand beside the number it came from, not even for a moment.

So the SMS is stored without its text; what was told is kept by `comments`, in the same transaction, and the answer does
not say what it was about.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, update

from gateway.comments import comments
from gateway.config import Settings
from gateway.menus.keywords import told
from gateway.menus.phrases import Words
from gateway.models.messages import inbound, is_sms
from gateway.models.services import services
from gateway.privacy import Keys
from gateway.providers.base import InboundSms

_ = Words

MOST_A_DAY = 3
"""Comments of one number that are kept within a day."""
A_DAY = timedelta(days=1)
_KEPT = {"text": b"", "text_key": 0}
"""An SMS of which a comment was kept; of another one an empty text is sealed."""


def take(
    db: Connection, keys: Keys, settings: Settings, sms: InboundSms, number: str, commune: str | None, now: datetime
) -> Words:
    """Keeps a comment where comments are taken; returns what is answered."""
    taken = comments.open_services(db)
    if not taken:
        return _("Comments are not taken now. To rate a service, send RATE.")
    named, words = told(sms.text)
    service: str | None = db.scalar(select(services.c.id).where(services.c.number == int(named))) if named else None
    if service is not None and service not in taken:
        return _("No comment is taken on this service. Nothing was kept.")
    if not any(char.isalpha() for char in words):
        first = next(iter(taken.values()))
        return _("Send COMMENT, the number of the service and your words: COMMENT {n} and what you think.",
                 n=str(first.number))  # fmt: skip
    if _kept_today(db, keys, number, now) >= MOST_A_DAY:
        return _("Three comments a day are read. Please send the next one tomorrow.")
    if named and service is None:  # no service has this number: it was the first of the words
        words = f"{named} {words}"
    comments.take(db, keys, words, commune, service, settings.day(now))
    db.execute(update(inbound).where(is_sms(sms.provider, sms.id)).values(_KEPT))
    return _("Thank you. Staff read it without your number. Please name nobody.")


def _kept_today(db: Connection, keys: Keys, number: str, now: datetime) -> int:
    mine = (inbound.c.phone == keys.lookup(number)) & (inbound.c.received > now - A_DAY)
    return db.scalar(select(func.count()).select_from(inbound).where(mine, inbound.c.text_key == 0)) or 0
