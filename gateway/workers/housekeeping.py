"""Retention: what is no longer needed is removed, or loses its number and words (DOMAIN.md, Privacy; docs/privacy.md).

In transactions of a few hundred rows: who rates meanwhile does not wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Table, delete, func, or_, select, tuple_, update

from gateway.comments.comments import mix
from gateway.config import Settings
from gateway.forums import forums
from gateway.models import editions, rollups
from gateway.models.audit import audit_log
from gateway.models.broadcasts import broadcasts
from gateway.models.callers import callers
from gateway.models.comments import Verdict, comments
from gateway.models.conversations import SESSION, conversations
from gateway.models.forums import forums as planned
from gateway.models.messages import Kind, State, inbound, messages, receipts
from gateway.models.pace import periods
from gateway.models.polls import polls
from gateway.models.promises import checks
from gateway.models.staff import staff_sessions
from gateway.models.staff_sessions import KEPT as LOGIN_DAYS
from gateway.models.store import Store
from gateway.models.uploads import KEPT, uploads

RECEIPT_DAYS = 7
AUDIT_DAYS = 2 * 365
PERIOD_DAYS = 60
"""Longer than the longest period of a task: one that was done is never taken for missed."""
COMMENT_DAYS = 60
"""A comment waits at least so long; then nobody will read it."""
TALK = timedelta(days=1)
assert TALK > SESSION  # a session that may still be on the line keeps its row
FOLLOWED = timedelta(hours=1)
"""So long an edition lies after the next one was made: who began just then names it by now."""
STEP = 500
"""Rows a transaction."""
BREATH = 0.005
"""Seconds between two: whoever waits for SQLite's one lock gets it."""

SETTLED = (State.ACCEPTED, State.DELIVERED, State.UNDELIVERED, State.REFUSED, State.EXPIRED, State.CANCELLED,
           State.UNCONFIRMED)  # fmt: skip
"""Nothing more is done with these, when they are so old."""
_FORGOTTEN = {"phone": None, "number": None, "number_key": None, "text": "", "provider_id": None, "for_now": False}
"""What a message loses: it cannot be sent again. Its state, parts and broadcast stay: the counts are made of them."""


@dataclass(frozen=True)
class Rule:
    """What goes when."""

    name: str
    """What, and after how long, for who reads what was done."""
    count: Callable[[Connection], int]
    """How many are due."""
    apply: Callable[[Store], int]
    """Does it; returns how many it was done to."""


def rules(settings: Settings, now: datetime) -> tuple[Rule, ...]:
    """All of them, as of a moment. Opt-outs stay for ever, and what councils wrote: it names nobody."""

    def ago(days: int) -> datetime:
        return now - timedelta(days=days)

    m, answer = messages.c, messages.c.kind == Kind.ANSWER
    words, rsvps, numbers = settings.inbound_days, settings.rsvp_days, settings.message_days
    settled = m.phone.is_not(None) & m.state.in_(SETTLED)
    goes_on = (
        select(broadcasts.c.id)
        .outerjoin(planned, planned.c.id == broadcasts.c.forum)
        .outerjoin(polls, polls.c.id == broadcasts.c.poll)
        .outerjoin(checks, (checks.c.commitment == broadcasts.c.commitment) & checks.c.closed.is_(None))
        # whoever was invited is told when the forum moves; a poll or a check that is open knows whom it asked
        .where(
            or_(
                planned.c.starts > now,
                polls.c.id.is_not(None) & polls.c.closed.is_(None),
                checks.c.id.is_not(None) & (broadcasts.c.kind == Kind.CHECK),
            )
        )
    )
    over = m.broadcast.is_(None) | m.broadcast.not_in(goes_on)
    idle = callers.c.seen < _months_before(settings.day(now), settings.caller_months)
    replies = timedelta(days=rsvps)
    today = settings.day(now)
    unread = (comments.c.verdict == Verdict.WAITING) & (
        comments.c.month < (today - timedelta(days=COMMENT_DAYS)).replace(day=1)  # only its month is known
    )
    return (
        _rows(f"SMS that came in, after {words} days", inbound, inbound.c.received < ago(words)),
        _rows(f"number and text of answers to people, after {words} days", messages,
              settled & answer & (m.changed < ago(words)), _FORGOTTEN),
        _rows(f"number and text of other messages, after {numbers} days", messages,
              settled & ~answer & (m.changed < ago(numbers)) & over, _FORGOTTEN),
        Rule(f"forums whose replies become counts, after {rsvps} days",
             lambda db: forums.count_forgettable(db, now, replies),
             lambda store: _forget_replies(store, now, replies)),
        _rows(f"callers not heard of for {settings.caller_months} months", callers, idle),
        _rows(f"comments that nobody read, after {COMMENT_DAYS} days", comments, unread,
              {"verdict": Verdict.TURNED_DOWN, "words": None, "words_key": None, "decided": today}),
        Rule("editions of the menus that no talk uses any more, after an hour",
             lambda db: len(editions.unused(db, now - FOLLOWED)),
             lambda store: _remove_editions(store, now - FOLLOWED)),
        _rows("talks, after a day", conversations, conversations.c.touched < now - TALK),
        _rows("files brought to the panel, after an hour", uploads, uploads.c.brought <= now - KEPT),
        _rows(f"logins in browsers, {LOGIN_DAYS.days} days after they were used", staff_sessions,
              staff_sessions.c.seen <= now - LOGIN_DAYS),
        _rows(f"receipts of messages not known, after {RECEIPT_DAYS} days", receipts,
              receipts.c.received < ago(RECEIPT_DAYS)),
        _rows("entries of the audit log, after two years", audit_log, audit_log.c.at < ago(AUDIT_DAYS)),
        _rows(f"the clock's notes, after {PERIOD_DAYS} days", periods, periods.c.done < ago(PERIOD_DAYS)),
    )  # fmt: skip


def purge(store: Store, settings: Settings, now: datetime) -> dict[str, int]:
    """Applies every rule; returns how many were due, of those rules where any was."""
    done = {rule.name: rule.apply(store) for rule in rules(settings, now)}
    return {name: count for name, count in done.items() if count}


def due(store: Store, settings: Settings, now: datetime) -> dict[str, int]:
    """What `purge` would do, rule by rule. Changes nothing."""
    with store.read() as db:
        return {rule.name: rule.count(db) for rule in rules(settings, now)}


def mix_comments(store: Store) -> int:
    """Writes the comments that wait anew, in an order that says nothing. Returns nothing to tell: it is done always."""
    with store.write() as db:
        mix(db)
    return 0


def count_days(store: Store, zone: ZoneInfo, now: datetime) -> int:
    """Counts the days that have closed, and anew those that changed since; returns how many days of communes' rounds.

    Twenty minutes after midnight at the earliest: an answer that is on its way has come by then.
    """
    yesterday = (now - timedelta(minutes=20)).astimezone(zone).date() - timedelta(days=1)
    with store.write() as db:
        counted = rollups.roll(db, yesterday)
    while True:
        with store.write() as db:
            again = rollups.roll_stale(db)
        counted += again
        if not again:
            return counted


def _rows(name: str, table: Table, which: ColumnElement[bool], change: Mapping[str, Any] | None = None) -> Rule:
    """A rule on rows: they go, or some of their columns change."""
    deed = delete(table) if change is None else update(table).values(change)
    key = list(table.primary_key.columns)

    def count(db: Connection) -> int:
        return db.scalar(select(func.count()).select_from(table).where(which)) or 0

    def apply(store: Store) -> int:
        total = 0
        with store.read() as db:
            found = [tuple(row) for row in db.execute(select(*key).where(which))]
        for start in range(0, len(found), STEP):
            these = tuple_(*key).in_(found[start : start + STEP])
            with store.write() as db:
                total += db.execute(deed.where(these, which)).rowcount  # again: somebody may have used it meanwhile
            time.sleep(BREATH)
        return total

    return Rule(name, count, apply)


def _forget_replies(store: Store, now: datetime, kept: timedelta) -> int:
    with store.write() as db:
        return forums.forget_replies(db, now, kept)


def _remove_editions(store: Store, before: datetime) -> int:
    """One by one: an edition of a whole country is some megabytes."""
    with store.read() as db:
        found = editions.unused(db, before)
    for edition in found:
        with store.write() as db:
            editions.remove(db, [edition])
        time.sleep(BREATH)
    return len(found)


def _months_before(day: date, months: int) -> date:
    """The first of the month so many months before."""
    count = day.year * 12 + day.month - 1 - months
    return date(count // 12, count % 12 + 1, 1)
