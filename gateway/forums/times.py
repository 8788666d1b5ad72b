"""When people are reminded of a forum, and the letters that do it, written by the clock at their time.

A reminder that was missed is made up until the next one's time. Nothing is written before what was said last, the
invitation or a notice that the forum was moved, is approved: then its time and place are what everybody knows.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from gateway.bulk import hours
from gateway.bulk.letters import Letter, Recipient, recipients_of, write_letter
from gateway.config import Settings
from gateway.forums import words as forum_words
from gateway.forums.facts import Forum, find
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.forums import forum_replies, forums, told_of
from gateway.models.installation import pause
from gateway.models.messages import Kind, State, messages
from gateway.models.store import Store
from gateway.workers.policy import QUIET_TO

EARLY = timedelta(minutes=90)
"""Who is reminded so short a time before is on the way already: then the eve's reminder is the last."""
APART = timedelta(hours=12)
"""Nobody is reminded so soon after the invitation, or after the notice that the forum was moved."""


class Which(enum.StrEnum):
    """What the clock writes of a forum; the reminders are those that staff may switch off."""

    INVITATION = "invitation"
    """After a move, to who had not been told of the old time."""
    WEEK = "week"
    EVE = "eve"
    MORNING = "morning"


REMINDERS = (Which.WEEK, Which.EVE, Which.MORNING)
ANNOUNCEMENTS = ("invitation", "moved", "moved at once")
"""What tells people of a forum's time, each time that it has a new one."""


class Skipped(enum.Enum):
    """Why a reminder is left out."""

    EARLY_START = enum.auto()
    TOLD_JUST_BEFORE = enum.auto()


@dataclass(frozen=True)
class Planned:
    """Something to be written between two moments."""

    which: Which
    at: datetime
    until: datetime
    """The next one's time, or the forum's start: then it is too late."""
    skipped: Skipped | None = None


def key(forum: Forum, what: str) -> str:
    """What a letter about a forum is for: it is written once for each time that the forum has had."""
    return f"forum {forum.id} {what} {forum.revision}"


def announced(db: Connection, forum: Forum) -> datetime | None:
    """Since when people hear of the forum as it is now: an approved invitation or notice begins to go out then.

    Not one that staff hold back. One that they ended in the middle stays what it was: reminders tell the others.
    """
    said = broadcasts.c.key.in_([key(forum, what) for what in ANNOUNCEMENTS])
    approved = broadcasts.c.approved.is_not(None) & (broadcasts.c.stage != Stage.PAUSED)
    began: datetime | None = db.scalar(select(func.min(broadcasts.c.start)).where(said, approved))
    return began


def plan(forum: Forum, zone: ZoneInfo, told: datetime) -> list[Planned]:
    """What is written when, if people hear of the forum from a moment on; also what is left out, and why."""
    starts = forum.starts.astimezone(zone)
    times = {which: at for which, at in _times(starts).items() if which in forum.reminders}
    if forum.revision > 1:
        times = {Which.INVITATION: told} | times
    skipped = {which: _skipped(which, at, starts, told) for which, at in times.items()}
    ends = sorted([at for which, at in times.items() if skipped[which] is None])
    return [
        Planned(which, at, next((end for end in ends if end > at), starts), skipped[which])
        for which, at in times.items()
    ]


def due(store: Store, settings: Settings, now: datetime) -> Mapping[str, int]:
    """Writes what is due of every forum; returns how many letters, by what they are."""
    with store.read() as db:
        if hours.next_possible(now, settings.zone, pause(db)) > now:
            return {}
        ahead = select(forums.c.id).where(forums.c.approved, ~forums.c.cancelled, forums.c.starts > now)
        ids = [forum for forum in db.scalars(ahead).all() if _unwritten(db, settings, find(db, forum), now)]
    written: Counter[str] = Counter()
    for forum_id in ids:
        with store.write() as db:
            forum = find(db, forum_id, to_change=True)
            for one in _unwritten(db, settings, forum, now):
                assert forum is not None
                written[one.which] += _write(db, settings, forum, one.which, now)
    return written


def _times(starts: datetime) -> dict[Which, datetime]:
    day, zone = starts.date(), starts.tzinfo
    return {
        Which.WEEK: datetime.combine(day - timedelta(days=7), time(9), zone),
        Which.EVE: datetime.combine(day - timedelta(days=1), time(17), zone),
        Which.MORNING: datetime.combine(day, time(QUIET_TO), zone),
    }


def _skipped(which: Which, at: datetime, starts: datetime, told: datetime) -> Skipped | None:
    if which is Which.INVITATION:
        return None
    if which is Which.MORNING and starts - at < EARLY:
        return Skipped.EARLY_START
    return Skipped.TOLD_JUST_BEFORE if at < told + APART else None


def _unwritten(db: Connection, settings: Settings, forum: Forum | None, now: datetime) -> list[Planned]:
    """What is due of a forum and not there yet."""
    if forum is None or not forum.is_ahead(now) or (told := announced(db, forum)) is None:
        return []
    found = [one for one in plan(forum, settings.zone, told) if one.skipped is None and one.at <= now < one.until]
    keys = [key(forum, one.which) for one in found]
    there = set(db.scalars(select(broadcasts.c.key).where(broadcasts.c.key.in_(keys))))
    # an invitation is there already where nobody had been told before the move: it was approved anew
    return [one for one in found if key(forum, one.which) not in there]


def _write(db: Connection, settings: Settings, forum: Forum, which: Which, now: datetime) -> int:
    """The letters of one time; returns how many. To who was never told, a reminder is the invitation."""
    told, rest = _people(db, settings, forum)
    invited = _letter(forum, settings, Kind.INVITATION, key(forum, which), now)
    if which is Which.INVITATION:
        return int(write_letter(db, settings, invited, rest, now) is not None)
    reminded = _letter(forum, settings, Kind.REMINDER, key(forum, which), now)
    if write_letter(db, settings, reminded, told, now) is None:
        return 0
    if rest:
        late = replace(invited, key=key(forum, f"{which} first"))
        write_letter(db, settings, late, rest, now)
    return 1 + bool(rest)


def _letter(forum: Forum, settings: Settings, kind: Kind, name: str, now: datetime) -> Letter:
    words = forum_words.reminder if kind is Kind.REMINDER else forum_words.invitation
    return Letter(
        kind=kind,
        title=forum_words.label(forum, settings.zone, settings.default_language),
        texts=words(forum, settings.zone),
        start=now,
        expires=forum.starts,
        key=name,
        forum=forum.id,
        audience=forum.audience,
    )


def _people(db: Connection, settings: Settings, forum: Forum) -> tuple[list[Recipient], list[Recipient]]:
    """Who is to be reminded: those told of the forum before, and the others.

    Not who does not come, nor to whom something about it is still to be sent.
    """
    r, of_forum = forum_replies.c, (broadcasts.c.id == messages.c.broadcast) & (broadcasts.c.forum == forum.id)
    out = set(db.scalars(select(r.phone).where(r.forum_id == forum.id, r.heads == 0)))
    waiting = (State.QUEUED, State.HELD, State.CLAIMED)
    out |= set(db.scalars(select(messages.c.phone).join(broadcasts, of_forum).where(messages.c.state.in_(waiting))))
    told = {row.phone for row in told_of(db, [forum.id])}
    people = [one for one in recipients_of(db, forum.audience, settings) if one.phone not in out]
    return [one for one in people if one.phone in told], [one for one in people if one.phone not in told]
