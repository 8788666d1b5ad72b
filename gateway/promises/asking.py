"""When villagers are asked whether a promise was kept, by the menu and once by SMS, and what becomes of their answers.

The clock opens a check when its commitment is due, or when it is said to be done or dropped before that. The SMS is a
draft like any other broadcast: a second person approves it. When the check closes, its key is destroyed, the answers
become counts, and what was said by phone with who may have answered goes: nobody who holds our data can then tell who
said what (tests/test_check_closing.py). Source: DOMAIN.md, Privacy, and table, row 7.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, delete, exists, select, update

from gateway.bulk import broadcasts as sending
from gateway.bulk.complaints import NotPossible
from gateway.bulk.letters import Audience, recipients_of
from gateway.config import Settings
from gateway.forums import forums
from gateway.menus.wording import render
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.conversations import purge_check
from gateway.models.editions import publish
from gateway.models.forums import forums as planned
from gateway.models.installation import is_paused
from gateway.models.messages import Kind, Move, forget_talks, messages
from gateway.models.places import communes
from gateway.models.promises import Standing, check_answers, checks, commitments
from gateway.models.store import Store
from gateway.models.traces import leave_no_trace
from gateway.privacy import Keys
from gateway.promises import checks as asked
from gateway.promises.check_words import Asked, question
from gateway.promises.facts import Commitment, find

log = structlog.get_logger()

LASTS = timedelta(days=60)
"""So long villagers may answer: an SMS comes within days, but who goes by the menu calls some weeks later, and the
answers of a small commune need time to become ten. Not longer: so long the key exists by which they link to numbers."""
TOO_LATE = timedelta(days=180)
"""What was due longer ago is not asked about by itself: who enters an old plan does not mean to ask all its people."""
_SETTLED = (Standing.DONE, Standing.DROPPED)


def due(store: Store, keys: Keys, settings: Settings, now: datetime) -> Mapping[str, int]:
    """Opens and closes what is due, and finishes what was stopped half-way; returns how many of each."""
    done = Counter(opened=open_due(store, keys, settings, now), closed=close_due(store, keys, settings, now))
    return +done


# opening ------------------------------------------------------------------------------------------


def open_due(store: Store, keys: Keys, settings: Settings, now: datetime) -> int:
    """Opens the checks of what is due and was never asked about. None in a pause: they wait for its end."""
    today = settings.day(now)
    c = commitments.c
    is_due = (c.due < today) | c.standing.in_(_SETTLED)
    never = ~exists().where(checks.c.commitment == c.id)
    wanted = (
        select(c.id)
        .join(communes, (communes.c.code == c.commune) & communes.c.active)
        .where(c.shown, is_due, c.due >= today - TOO_LATE, never)
        .order_by(c.id)
    )
    with store.read() as db:
        ids = [] if is_paused(db, today) else list(db.scalars(wanted))
    return sum(begin(store, keys, settings, commitment, now) is not None for commitment in ids)


def begin(store: Store, keys: Keys, settings: Settings, commitment: int, now: datetime) -> int | None:
    """Asks villagers about a commitment from now on, with the draft of an SMS to those who came or joined.

    Returns the check's id; None where they are asked already, or there is no such commitment.
    """
    today = settings.day(now)
    with store.write() as db:
        promise = find(db, commitment, to_change=True)
        if promise is None:
            return None
        until = today + LASTS - timedelta(days=1)
        check = asked.open_check(db, keys, commitment, today, until, now)
        if check is not None:
            _draft_sms(db, settings, promise, check, until, now)
    return check


def _title(promise: Commitment, settings: Settings) -> str:
    """For staff: the same may be promised in several communes."""
    commune, label = (render(name, settings.default_language) for name in (promise.commune_name, promise.label))
    return f"{commune}: {label}"


def _draft_sms(db: Connection, settings: Settings, promise: Commitment, check: int, until: date, now: datetime) -> None:
    """The SMS that asks, where there is anybody to ask; it waits for a second person's approval."""
    forum = forums.find(db, promise.forum) if promise.forum is not None else None
    audience = Audience(communes=(promise.commune,), told=(forum.id,) if forum else ())
    if not recipients_of(db, audience, settings):
        return
    inviter = forum.inviter if forum else _usual_inviter(db)
    texts = question(Asked(inviter, promise.commune_name, promise.activity, promise.due), settings.day(now))
    draft = sending.draft(
        db, kind=Kind.CHECK, title=_title(promise, settings), texts=texts, audience=audience, author=None,
        now=now, expires=_end_of(until, settings), commitment=promise.id, key=_key(check),
    )  # fmt: skip
    try:
        with db.begin_nested():
            sending.submit(db, settings, draft, now)
    except NotPossible as problem:  # staff see what is wrong with it when they open it
        log.info("check.sms_stays_a_draft", check=check, why=str(problem))


def _usual_inviter(db: Connection) -> str:
    """Who asks where nobody invited to a forum: as the last forum had it."""
    last = select(planned.c.inviter).order_by(planned.c.id.desc()).limit(1)
    return db.scalar(last) or _NOBODY


_NOBODY = "Mati"
"""Where there has been no forum yet; staff put the name that people know before they approve it."""


def _end_of(day: date, settings: Settings) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), settings.zone)


def _key(check: int) -> str:
    return f"check {check}"


# closing ------------------------------------------------------------------------------------------


def close_due(store: Store, keys: Keys, settings: Settings, now: datetime) -> int:
    """Closes the checks whose last day is over, and finishes what was stopped half-way; returns how many."""
    over = (checks.c.until < settings.day(now)) | checks.c.closed.is_not(None)
    with store.read() as db:
        ids = list(db.scalars(select(checks.c.id).where(checks.c.key.is_not(None), over)))
    return sum(close(store, keys, settings, check, now) for check in ids)


def close(store: Store, keys: Keys, settings: Settings, check: int, now: datetime) -> bool:
    """Closes a check for good: no answer any more, no SMS, and nothing that tells who said what.

    What stands of the answers are their counts, where they may be shown. Repeats do no harm; one that was stopped
    half-way is finished. False when there was nothing to do.
    """
    mine = checks.c.id == check
    with store.write() as db:
        row = db.execute(select(checks).where(mine).with_for_update()).first()
        if row is None or row.key is None:
            return False
        values: dict[str, Any] = {"closed": row.closed or settings.day(now)}
        if db.scalar(select(exists().where(check_answers.c.check_id == check))):  # else they are counted already
            values["counts"] = asked.as_counts(asked.live(db, check, settings))
        db.execute(update(checks).where(mine).values(values))
        db.execute(delete(check_answers).where(check_answers.c.check_id == check))
        _stop_asking(db, settings, check, now)
        purge_check(db, check, now)
        # all of them: whoever answered by the menu was not asked, and an SMS outlives its talk
        forget_talks(db)
        publish(db, now)
    keys.destroy_round(row.key)
    leave_no_trace(store)
    with store.write() as db:
        db.execute(update(checks).where(mine).values(key=None))
    return True


def _stop_asking(db: Connection, settings: Settings, check: int, now: datetime) -> None:
    """Ends the broadcast, unless it is through."""
    row = db.execute(select(broadcasts.c.id, broadcasts.c.stage).where(broadcasts.c.key == _key(check))).first()
    if row is None or row.stage == Stage.CANCELLED:
        return
    waiting = exists().where(messages.c.broadcast == row.id, messages.c.state.in_(Move.CANCEL.leaves))
    if row.stage != Stage.APPROVED or db.scalar(select(waiting)):
        with contextlib.suppress(NotPossible):  # the last of it went out just now
            sending.cancel(db, settings, row.id, now)
