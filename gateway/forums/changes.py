"""A forum moved or cancelled: who was told of it hears of the change, and the old time is said no more.

A notice waits for a second person's approval; but within a day of the old or the new time it goes at once (DOMAIN.md,
Phones).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from gateway.bulk import broadcasts as bulk
from gateway.bulk.letters import Letter, recipients_of, write_letter
from gateway.bulk.previews import Plan
from gateway.config import Settings
from gateway.forums import words as forum_words
from gateway.forums.facts import Forum
from gateway.forums.plans import (
    OPEN,
    NotNow,
    Why,
    announcement,
    as_it_is,
    draft_invitation,
    keep_draft,
    title_of,
    to_json,
)
from gateway.forums.times import ANNOUNCEMENTS, key
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.editions import publish
from gateway.models.forums import REACHED, forums
from gateway.models.messages import Kind, Move, State, messages, move_idle

URGENT = timedelta(hours=24)
"""So near the old or the new time people are told at once, until 21:00."""


@dataclass(frozen=True)
class Notice:
    """What is said of a change, to whom."""

    plan: Plan
    at_once: bool
    """Without a second person's approval."""


def move(
    db: Connection,
    settings: Settings,
    forum_id: int,
    starts: datetime,
    venue: Mapping[str, str],
    member: int | None,
    now: datetime,
) -> None:
    """Another time, or another place. Who was told of the old one is told; the others are invited to the new one.

    Where nobody was told, the forum and its invitation wait for approval again. Raises NotNow.
    """
    old = as_it_is(db, forum_id)
    new = if_moved(db, settings, old, starts, venue, now)
    values = {"starts": starts, "venue": to_json(venue), "revision": new.revision}
    values |= {"moved_from": new.moved_from, "approved": new.approved}
    _silence(db, old, now)
    db.execute(update(forums).where(forums.c.id == forum_id).values(values))
    if new.approved:
        _tell(db, settings, new, notice(db, settings, new, now), member, now)
    else:
        draft_invitation(db, settings, new, member, now)
    publish(db, now)


def if_moved(
    db: Connection, settings: Settings, old: Forum, starts: datetime, venue: Mapping[str, str], now: datetime
) -> Forum:
    """The forum as it would be after a move. Raises NotNow."""
    if not old.is_ahead(now) or starts <= now:
        raise NotNow(Why.OVER)
    if starts == old.starts and to_json(venue) == to_json(old.venue):
        raise NotNow(Why.SAME)
    told = bool(recipients_of(db, old.told, settings))
    known = _known(db, old) if told else None
    return replace(old, starts=starts, venue=venue, revision=old.revision + 1, moved_from=known, approved=told)


def cancel(db: Connection, settings: Settings, forum_id: int, member: int | None, now: datetime) -> None:
    """Cancels a forum for good, and tells who was told of it. Raises NotNow."""
    forum = as_it_is(db, forum_id)
    if forum.cancelled or now >= forum.starts:
        raise NotNow(Why.OVER)
    _silence(db, forum, now)
    db.execute(update(forums).where(forums.c.id == forum_id).values(cancelled=True))
    if recipients_of(db, forum.told, settings):
        forum = replace(forum, cancelled=True)
        _tell(db, settings, forum, notice(db, settings, forum, now), member, now)
    publish(db, now)


def hurry(db: Connection, settings: Settings, forum_id: int, member: int | None, now: datetime) -> None:
    """Tells at once of a change whose notice still waits for approval, now that the time is near. Raises NotNow."""
    forum = as_it_is(db, forum_id)
    row = announcement(db, forum)
    if row is None or not may_hurry(forum, row, now):
        raise NotNow(Why.NOT_URGENT)
    bulk.cancel(db, settings, row.id, now)
    _tell(db, settings, forum, replace(notice(db, settings, forum, now), at_once=True), member, now)


def tell_again(db: Connection, settings: Settings, forum_id: int, member: int | None, now: datetime) -> None:
    """Writes the notice of a change anew, after staff ended it before anybody approved it. Raises NotNow."""
    forum = as_it_is(db, forum_id)
    row = announcement(db, forum)
    if row is None or not was_dropped(forum, row, now):
        raise NotNow(Why.NOTHING)
    db.execute(update(broadcasts).where(broadcasts.c.id == row.id).values(key=None))  # its name is for the new one
    _tell(db, settings, forum, notice(db, settings, forum, now), member, now)


def was_dropped(forum: Forum, row: Row[Any] | None, now: datetime) -> bool:
    """Whether the notice of a change, the forum's `announcement`, was ended before it was approved."""
    ended = row is not None and row.kind == Kind.NOTICE and row.stage == Stage.CANCELLED and row.approved is None
    return ended and now < forum.starts


def may_hurry(forum: Forum, row: Row[Any] | None, now: datetime) -> bool:
    """Whether a waiting notice, the forum's `announcement`, may go without approval."""
    waits = row is not None and row.kind == Kind.NOTICE and row.stage in OPEN and now < forum.starts
    return waits and _is_urgent(now, forum.starts, forum.moved_from or forum.starts)


def notice(db: Connection, settings: Settings, forum: Forum, now: datetime) -> Notice:
    """What is said of a forum that is moved or cancelled; or would be: it need not stand so in the database yet."""
    known = _known(db, forum) if forum.cancelled else forum.moved_from or forum.starts
    if forum.cancelled:
        texts = forum_words.cancelled(replace(forum, starts=known), settings.zone)
    else:
        texts = forum_words.moved(forum, settings.zone)
    at_once = _is_urgent(now, forum.starts, known)
    kind = Kind.URGENT if at_once else Kind.NOTICE
    return Notice(Plan(kind, title_of(forum, settings), texts, forum.told, expires=forum.starts), at_once)


def _is_urgent(now: datetime, *times: datetime) -> bool:
    return any(time - URGENT <= now for time in times)


def _tell(db: Connection, settings: Settings, forum: Forum, said: Notice, member: int | None, now: datetime) -> None:
    """A notice to who was told: into the outbox at once, or as a draft."""
    what, plan = "cancelled" if forum.cancelled else "moved", said.plan
    if not said.at_once:
        keep_draft(db, forum, plan, key(forum, what), member, now)
        return
    letter = Letter(
        Kind.URGENT, plan.title, plan.texts, start=now, expires=forum.starts, key=key(forum, f"{what} at once"),
        forum=forum.id, author=member, audience=plan.audience,
    )  # fmt: skip
    write_letter(db, settings, letter, recipients_of(db, plan.audience, settings), now)


def _silence(db: Connection, forum: Forum, now: datetime) -> None:
    """Ends all that was to be said of the forum until now, also what staff or the retry policy would send again."""
    b, m = broadcasts.c, messages.c
    mine = select(b.id, b.stage, b.changed).where(b.forum == forum.id, b.stage != Stage.CANCELLED)
    rows = db.execute(mine.with_for_update()).all()
    for row in rows:
        count = move_idle(db, Move.CANCEL, now, m.broadcast == row.id, lease=None, worker=None)
        if count or row.stage != Stage.APPROVED:  # one that went out whole stays what it is
            ended = {"stage": Stage.CANCELLED, "changed": max(now, row.changed + timedelta(microseconds=1))}
            db.execute(update(broadcasts).where(b.id == row.id).values(ended))
    again = m.state.in_((State.SENDING, State.UNCONFIRMED, State.REFUSED))
    stale = update(messages).where(m.broadcast.in_([row.id for row in rows]), again)
    db.execute(stale.values(expires=now, for_now=False))


def _known(db: Connection, forum: Forum) -> datetime:
    """The time that people were told last: that before a move, as long as nobody was told of the move."""
    keys = [key(forum, what) for what in ANNOUNCEMENTS]
    said = select(messages.c.id).join(broadcasts, broadcasts.c.id == messages.c.broadcast)
    told = db.execute(said.where(broadcasts.c.key.in_(keys), messages.c.state.in_(REACHED)).limit(1)).first()
    return forum.starts if told or forum.moved_from is None else forum.moved_from
