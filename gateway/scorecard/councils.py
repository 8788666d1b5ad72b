"""What a council's login reads of its communes, and what it writes back: released figures alone, and its own words."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, select

from gateway.config import Settings
from gateway.models.broadcasts import broadcasts
from gateway.models.installation import pause
from gateway.models.releases import council_replies, weekly_letters
from gateway.scorecard import weekly_words
from gateway.scorecard.publishing import Reader, opens, published
from gateway.scorecard.weekly import LONGEST_REPLY
from gateway.scorecard.weekly_words import Line


class Flaw(enum.Enum):
    """Why a reply is not kept."""

    ABOUT = "about"
    """Nothing that this council can read."""
    EMPTY = "empty"
    LONG = "long"


@dataclass(frozen=True)
class Told:
    """A weekly letter to a commune's council, as it was written."""

    week: date
    lines: tuple[Line, ...]

    @property
    def last(self) -> date:
        """The Sunday of its week."""
        return self.week + timedelta(days=6)


def told(db: Connection, settings: Settings, commune: str, today: date, most: int, skip: int = 0) -> Sequence[Told]:
    """The weekly letters of a commune, the newest first. One that was written in a pause waits for its end."""
    days = pause(db)
    mine = (
        select(weekly_letters.c.week, weekly_letters.c.lines, broadcasts.c.created)
        .join(broadcasts, broadcasts.c.id == weekly_letters.c.broadcast)
        .where(weekly_letters.c.commune == commune, weekly_letters.c.copy == 1)
        .order_by(weekly_letters.c.week.desc())
        .offset(skip)
        .limit(most)
    )
    return [
        Told(row.week, tuple(weekly_words.from_json(row.lines)))
        for row in db.execute(mine)
        if (opens(settings.day(row.created), days) or today) <= today
    ]


def reply(
    db: Connection,
    settings: Settings,
    commune: str,
    about: date | int,
    text: str,
    author: int,
    now: datetime,
) -> Flaw | None:
    """Keeps what a council's login writes about a week's letter or about a round, by its number; or says why not.

    The same words about the same thing are kept once.
    """
    today, words = settings.day(now), text.strip()
    round_id, week = None, today - timedelta(days=today.weekday())
    if isinstance(about, date):
        week = about
        known = any(one.week == about for one in told(db, settings, commune, today, most=1000))
    else:
        rounds = published(db, Reader.COUNCIL, today, codes=[commune])
        round_id = next((one.round_id for one in rounds if one.number == about), None)
        known = round_id is not None
    if not known:
        return Flaw.ABOUT
    if not words:
        return Flaw.EMPTY
    if len(words) > LONGEST_REPLY:
        return Flaw.LONG
    values = {"commune": commune, "week": week, "round_id": round_id, "text": words, "author": author}
    same = [getattr(council_replies.c, name).is_not_distinct_from(value) for name, value in values.items()]
    if db.execute(select(council_replies.c.id).where(*same)).first() is None:
        db.execute(council_replies.insert().values(**values, received=now))
    return None
