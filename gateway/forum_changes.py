"""What staff do with a forum: plan it, move it, cancel it, count who came, tell what came of it.

Whatever is said to many is a broadcast that a second person approves; but a move or a cancellation within a day of the
old or the new time is told at once (DOMAIN.md, Phones). What was to go out with an old time never does.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from gateway import broadcasts as bulk
from gateway import forum_words
from gateway.config import Settings
from gateway.errors import Told
from gateway.forum_facts import Forum, find
from gateway.forum_times import ANNOUNCEMENTS, key
from gateway.letters import Letter, Texts, recipients_of, write_letter
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.editions import publish
from gateway.models.forums import REACHED, forums
from gateway.models.messages import Kind, Move, State, messages, move_where
from gateway.previews import Plan

URGENT = timedelta(hours=24)
"""So near the old or the new time people are told at once, until 21:00."""
_OPEN = (Stage.DRAFT, Stage.WAITING)
_CANCELLED = ("cancelled", "cancelled at once")


class Why(enum.StrEnum):
    """Why something cannot be done with a forum."""

    GONE = "There is no such forum."
    SETTLED = "It was approved or cancelled meanwhile, or its time came."
    NOTHING = "There is nothing to approve any more."
    OWN = "You planned it, or changed it last. Somebody else must approve it."
    SOMEBODY = "There is somebody to invite by now: approve the invitation."
    OVER = "It is over, cancelled, or not approved yet."
    SAME = "It is at this time and place already."
    NOT_URGENT = "There is nothing to hurry: it went out, or is not urgent."
    NOT_BEGUN = "This can be done once it has begun."
    TOLD = "What came of it was told already."


class NotNow(Told):
    """This cannot be done with the forum as it stands; `why` says why."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


# planning -----------------------------------------------------------------------------------------


def plan_forum(db: Connection, settings: Settings, forum: Forum, author: int | None, now: datetime) -> int:
    """A new forum and the draft of its invitation; returns its id. Of the given one all but the id is taken."""
    values = _values(forum) | {"author": author, "created": now}
    made: int = db.execute(forums.insert().values(values).returning(forums.c.id)).scalar_one()
    _draft_invitation(db, settings, replace(forum, id=made), author, now)
    return made


def change(db: Connection, settings: Settings, forum: Forum, editor: int | None, now: datetime) -> None:
    """Changes a forum that is not approved yet; its invitation says the same, and is a draft again. Raises NotNow."""
    old = _as_it_is(db, forum.id)
    if old.approved or old.cancelled:
        raise NotNow(Why.SETTLED)
    forum = replace(forum, revision=old.revision)
    db.execute(update(forums).where(forums.c.id == forum.id).values(_values(forum)))
    _draft_invitation(db, settings, forum, editor, now)


def announcement(db: Connection, forum: Forum) -> Row[Any] | None:
    """The broadcast by which people hear of the forum as it is now: its newest notice, else its invitation."""
    keys = [key(forum, what) for what in (*ANNOUNCEMENTS, *_CANCELLED)]
    found = db.execute(select(broadcasts).where(broadcasts.c.key.in_(keys)).order_by(broadcasts.c.id.desc())).all()
    return next((row for row in found if row.kind != Kind.INVITATION), found[0] if found else None)


def ask(db: Connection, settings: Settings, forum_id: int, member: int | None, now: datetime) -> None:
    """Puts before a second person what is to be said. Raises NotPossible with what is wrong with it."""
    forum = _as_it_is(db, forum_id)
    row = announcement(db, forum)
    if not forum.approved and not forum.cancelled and (row is None or row.stage == Stage.CANCELLED):
        _draft_invitation(db, settings, forum, member, now)
        row = announcement(db, _as_it_is(db, forum_id))
    if row is None or row.stage != Stage.DRAFT:
        raise NotNow(Why.NOTHING)
    bulk.submit(db, settings, row.id, now)


def approve_unsaid(db: Connection, settings: Settings, forum_id: int, member: int, now: datetime) -> None:
    """Approves a forum to which nobody can be invited yet: menus show it, who joins later is told. Raises NotNow."""
    forum = _as_it_is(db, forum_id)
    row = announcement(db, forum)
    if forum.approved or forum.cancelled or now >= forum.starts or row is None or row.stage not in _OPEN:
        raise NotNow(Why.SETTLED)
    if not bulk.may_approve(settings, row, member):
        raise NotNow(Why.OWN)
    if recipients_of(db, forum.audience, settings):
        raise NotNow(Why.SOMEBODY)
    said = {"stage": Stage.APPROVED, "approver": member, "approved": now, "changed": now, "start": now}
    db.execute(update(broadcasts).where(broadcasts.c.id == row.id).values(said))
    db.execute(update(forums).where(forums.c.id == forum.id).values(approved=True))
    publish(db, now)


# changes ------------------------------------------------------------------------------------------


def is_urgent(now: datetime, *times: datetime) -> bool:
    """Whether one of the times is so near that people are told at once."""
    return any(time - URGENT <= now for time in times)


def move(
    db: Connection, settings: Settings, forum_id: int, starts: datetime, venue: Texts, member: int | None, now: datetime
) -> None:
    """Another time, or another place. Who was told of the old one is told; the others are invited to the new one.

    Where nobody was told, the forum and its invitation wait for approval again. Raises NotNow.
    """
    old = _as_it_is(db, forum_id)
    if not old.is_ahead(now) or starts <= now:
        raise NotNow(Why.OVER)
    if starts == old.starts and _json(venue) == _json(old.venue):
        raise NotNow(Why.SAME)
    told = recipients_of(db, old.told, settings)
    values = {"starts": starts, "venue": _json(venue), "revision": old.revision + 1}
    values |= {"moved_from": _known(db, old) if told else None, "approved": bool(told)}
    _silence(db, old, now)
    db.execute(update(forums).where(forums.c.id == forum_id).values(values))
    forum = _as_it_is(db, forum_id)
    if told:
        _tell(db, settings, forum, "moved", is_urgent(now, old.starts, starts), member, now)
    else:
        _draft_invitation(db, settings, forum, member, now)
    publish(db, now)


def cancel(db: Connection, settings: Settings, forum_id: int, member: int | None, now: datetime) -> None:
    """Cancels a forum for good, and tells who was told of it. Raises NotNow."""
    forum = _as_it_is(db, forum_id)
    if forum.cancelled or now >= forum.starts:
        raise NotNow(Why.OVER)
    told = recipients_of(db, forum.told, settings)
    _silence(db, forum, now)
    db.execute(update(forums).where(forums.c.id == forum_id).values(cancelled=True))
    if told:
        _tell(db, settings, forum, "cancelled", is_urgent(now, forum.starts, _known(db, forum)), member, now)
    publish(db, now)


def hurry(db: Connection, settings: Settings, forum_id: int, member: int | None, now: datetime) -> None:
    """Tells at once of a change whose notice still waits for approval, now that the time is near. Raises NotNow."""
    forum = _as_it_is(db, forum_id)
    row = announcement(db, forum)
    if not may_hurry(forum, row, now):
        raise NotNow(Why.NOT_URGENT)
    assert row is not None
    bulk.cancel(db, settings, row.id, now)
    _tell(db, settings, forum, "cancelled" if forum.cancelled else "moved", True, member, now)


def may_hurry(forum: Forum, row: Row[Any] | None, now: datetime) -> bool:
    """Whether a waiting notice, the forum's `announcement`, may go without approval."""
    waits = row is not None and row.kind == Kind.NOTICE and row.stage in _OPEN and now < forum.starts
    return waits and is_urgent(now, forum.starts, forum.moved_from or forum.starts)


# afterwards ---------------------------------------------------------------------------------------


def note_attendance(
    db: Connection, forum_id: int, total: int, women: int | None, men: int | None, now: datetime
) -> None:
    """Keeps how many came. Raises NotNow before the forum began, or when it was cancelled."""
    forum = _as_it_is(db, forum_id)
    if forum.cancelled or now < forum.starts:
        raise NotNow(Why.NOT_BEGUN)
    came = {"attended": total, "attended_female": women, "attended_male": men}
    db.execute(update(forums).where(forums.c.id == forum_id).values(came))


def draft_outcome(
    db: Connection, settings: Settings, forum_id: int, texts: Texts, member: int | None, now: datetime
) -> int:
    """What came of the forum, as a draft to who was told of it; returns the broadcast's id. Raises NotNow."""
    forum = _as_it_is(db, forum_id)
    if forum.cancelled or now < forum.starts:
        raise NotNow(Why.NOT_BEGUN)
    row = outcome_of(db, forum)
    if row is not None and row.stage not in _OPEN:
        raise NotNow(Why.TOLD)
    db.execute(update(forums).where(forums.c.id == forum_id).values(outcome=_json(texts)))
    forum = _as_it_is(db, forum_id)
    plan = Plan(Kind.RESULT, _title(forum, settings), forum_words.outcome(forum, settings.zone), forum.told)
    if row is not None:
        bulk.edit(db, settings, row.id, plan, member, now)
        return int(row.id)
    return _draft(db, forum, plan, f"forum {forum.id} outcome", member, now)


def outcome_of(db: Connection, forum: Forum) -> Row[Any] | None:
    """The broadcast that tells what came of a forum."""
    return db.execute(select(broadcasts).where(broadcasts.c.key == f"forum {forum.id} outcome")).first()


# inside -------------------------------------------------------------------------------------------


def _as_it_is(db: Connection, forum_id: int) -> Forum:
    """The forum, which nobody else changes before this transaction ends."""
    forum = find(db, forum_id, to_change=True)
    if forum is None:
        raise NotNow(Why.GONE)
    return forum


def _draft_invitation(db: Connection, settings: Settings, forum: Forum, author: int | None, now: datetime) -> None:
    row = announcement(db, forum)
    if row is not None and row.stage not in _OPEN:  # staff ended it as a broadcast: a new one needs a name of its own
        forum = replace(forum, revision=forum.revision + 1)
        db.execute(update(forums).where(forums.c.id == forum.id).values(revision=forum.revision))
        row = None
    texts = forum_words.invitation(forum, settings.zone)
    plan = Plan(Kind.INVITATION, _title(forum, settings), texts, forum.audience, expires=forum.starts)
    if row is not None:
        bulk.edit(db, settings, row.id, plan, author, now)
    else:
        _draft(db, forum, plan, key(forum, "invitation"), author, now)


def _draft(db: Connection, forum: Forum, plan: Plan, name: str, author: int | None, now: datetime) -> int:
    return bulk.draft(
        db, kind=plan.kind, title=plan.title, texts=plan.texts, audience=plan.audience, author=author, now=now,
        expires=plan.expires, forum=forum.id, key=name,
    )  # fmt: skip


def _tell(
    db: Connection, settings: Settings, forum: Forum, what: str, at_once: bool, member: int | None, now: datetime
) -> None:
    """A notice to who was told: into the outbox at once, or as a draft."""
    title = _title(forum, settings)
    if what == "moved":
        texts = forum_words.moved(forum, settings.zone)
    else:
        texts = forum_words.cancelled(replace(forum, starts=_known(db, forum)), settings.zone)
    if not at_once:
        plan = Plan(Kind.NOTICE, title, texts, forum.told, expires=forum.starts)
        _draft(db, forum, plan, key(forum, what), member, now)
        return
    letter = Letter(
        Kind.URGENT, title, texts, start=now, expires=forum.starts, key=key(forum, f"{what} at once"), forum=forum.id,
        author=member, audience=forum.told,
    )  # fmt: skip
    write_letter(db, settings, letter, recipients_of(db, forum.told, settings), now)


def _silence(db: Connection, forum: Forum, now: datetime) -> None:
    """Ends all that was to be said of the forum until now, also what staff or the retry policy would send again."""
    b, m = broadcasts.c, messages.c
    mine = select(b.id, b.stage, b.changed).where(b.forum == forum.id, b.stage != Stage.CANCELLED)
    rows = db.execute(mine.with_for_update()).all()
    for row in rows:
        count = move_where(db, Move.CANCEL, now, m.broadcast == row.id, lease=None, worker=None)
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


def _title(forum: Forum, settings: Settings) -> str:
    return forum_words.label(forum, settings.zone, settings.default_language)


def _values(forum: Forum) -> dict[str, Any]:
    return {
        "commune": forum.code, "title": _json(forum.title), "inviter": forum.inviter, "starts": forum.starts,
        "venue": _json(forum.venue), "note": _json(forum.note), "callback": forum.callback,
        "groups": json.dumps(forum.groups), "reminders": json.dumps(forum.reminders),
    }  # fmt: skip


def _json(texts: Mapping[Any, str]) -> str:
    return json.dumps({one: text for one, text in texts.items() if text}, ensure_ascii=False)
