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
from gateway.promises.facts import find
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
class Promise:
    """A commitment of the commune, which a reply is about."""

    id: int


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
    about: date | int | Promise,
    text: str,
    author: int,
    now: datetime,
) -> Flaw | None:
    """Keeps what a council's login writes about a letter, a round, by its number, or a commitment; or says why not.

    The same words about the same thing are kept once.
    """
    today, words = settings.day(now), text.strip()
    round_id, week = None, today - timedelta(days=today.weekday())
    if isinstance(about, date):
        week = about
        known = any(one.week == about for one in told(db, settings, commune, today, most=1000))
    elif isinstance(about, Promise):
        promise = find(db, about.id)
        known = promise is not None and promise.commune == commune and promise.shown
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
    commitment = about.id if isinstance(about, Promise) else None
    values = {
        "commune": commune, "week": week, "round_id": round_id, "commitment": commitment, "text": words,
        "author": author,
    }  # fmt: skip
    same = [getattr(council_replies.c, name).is_not_distinct_from(value) for name, value in values.items()]
    if db.execute(select(council_replies.c.id).where(*same)).first() is None:
        db.execute(council_replies.insert().values(**values, received=now))
    return None
