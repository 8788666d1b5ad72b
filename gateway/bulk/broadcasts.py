"""Broadcasts: one thing said to many, from a draft over a second person's approval to its end.

What is approved is what is sent: at the approval the recipients are frozen and every message is written, all or none.
An approval is `approved` of a row, seen by whoever wants to know: a forum's reminders and a poll's votes look there.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from gateway.bulk.complaints import Complaint, NotPossible, Wrong
from gateway.bulk.letters import Audience, Letter, Size, Texts, put_out
from gateway.bulk.previews import Plan, Preview, preview, tidy
from gateway.config import Settings
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.editions import publish
from gateway.models.forums import forums
from gateway.models.messages import Kind, Move, messages, move_idle, move_where
from gateway.models.store import insert

CHOSEN = (Kind.ANNOUNCEMENT, Kind.RESULT)
"""The kinds that staff write by themselves; forums and polls write the others."""
_CAN_BE_EDITED = (Stage.DRAFT, Stage.WAITING)


def draft(
    db: Connection,
    *,
    kind: Kind,
    title: str,
    texts: Texts,
    audience: Audience,
    author: int | None,
    now: datetime,
    start: datetime | None = None,
    expires: datetime | None = None,
    forum: int | None = None,
    poll: int | None = None,
    commitment: int | None = None,
    key: str | None = None,
) -> int:
    """Keeps a draft, whatever is wrong with it yet; returns its id, or that of the one that has its key already.

    No `start`: it goes as soon as it is approved. No `expires`: three days after it can leave.
    """
    values = _written(Plan(kind, title, tidy(texts), audience, start, expires)) | {
        "key": key, "forum": forum, "poll": poll, "commitment": commitment, "stage": Stage.DRAFT, "author": author,
        "editor": author, "created": now, "changed": now,
    }  # fmt: skip
    statement = insert(broadcasts, db.dialect.name).values(values).on_conflict_do_nothing(index_elements=["key"])
    made: int | None = db.scalar(statement.returning(broadcasts.c.id))
    there: int | None = made or db.scalar(select(broadcasts.c.id).where(broadcasts.c.key == key))
    assert there is not None  # one of the two, in one transaction
    return there


def find(db: Connection, broadcast: int) -> Row[Any] | None:
    """A broadcast's row."""
    return db.execute(select(broadcasts).where(broadcasts.c.id == broadcast)).first()


def plan_of(row: Row[Any]) -> Plan:
    """What a broadcast is to say, to whom, when."""
    return Plan(
        Kind(row.kind), row.title, json.loads(row.texts), Audience.from_json(row.audience), row.start, row.expires
    )


def edit(
    db: Connection,
    settings: Settings,
    broadcast: int,
    plan: Plan,
    editor: int | None,
    now: datetime,
    seen: datetime | None = None,
) -> None:
    """Changes a draft; one that waits for approval is a draft again. The editor is from now on as much an author.

    `seen`: the state that was changed. Raises NotPossible when somebody changed it meanwhile, or approved it.
    """
    values = _written(replace(plan, texts=tidy(plan.texts))) | {"editor": editor, "stage": Stage.DRAFT}
    _advance(db, settings, broadcast, _CAN_BE_EDITED, values, now, seen)


def submit(db: Connection, settings: Settings, broadcast: int, now: datetime, seen: datetime | None = None) -> Row[Any]:
    """Puts a draft before a second person. Raises NotPossible with all that is wrong with it."""
    row = _advance(db, settings, broadcast, (Stage.DRAFT,), {"stage": Stage.WAITING}, now, seen)
    found, _ = preview(db, settings, plan_of(row), now)
    if found.complaints:
        raise NotPossible(found.complaints, settings.zone)
    return row


def may_approve(settings: Settings, row: Row[Any], member: int) -> bool:
    """Whether it is for this member to approve it: nobody approves what is their own (a setting)."""
    return not settings.second_approval or member not in (row.author, row.editor)


def approve(
    db: Connection,
    settings: Settings,
    broadcast: int,
    member: int,
    now: datetime,
    seen: datetime | None = None,
    expected: Size | None = None,
) -> Row[Any]:
    """Freezes the recipients and writes every message, in the caller's transaction. Returns the row as it is now.

    `seen` and `expected`: the state and the size that the approver looked at. Of two approvals at once one is done,
    the other finds that it is approved. Raises NotPossible; then the caller's transaction must be undone.
    """
    # the forum first, as those do who change it: else the two could wait for each other
    its_forum = select(broadcasts.c.forum).where(broadcasts.c.id == broadcast).scalar_subquery()
    db.execute(select(forums.c.id).where(forums.c.id == its_forum).with_for_update())
    stage = {"stage": Stage.APPROVED, "approver": member, "approved": now}
    row = _advance(db, settings, broadcast, (Stage.WAITING,), stage, now, seen)
    if not may_approve(settings, row, member):
        raise NotPossible((Complaint(Wrong.OWN),), settings.zone)
    plan = plan_of(row)
    found, addressed = preview(db, settings, plan, now)
    if found.complaints:
        raise NotPossible(found.complaints, settings.zone)
    if expected and expected != found.size:
        values = {"n": found.recipients, "parts": found.parts}
        raise NotPossible((Complaint(Wrong.COUNT, values),), settings.zone)
    put_out(db, settings, broadcast, _letter(row, plan, found), addressed, now)
    times = {"start": found.start, "expires": found.expires, "price": found.price}
    db.execute(update(broadcasts).where(broadcasts.c.id == broadcast).values(times))
    if row.kind == Kind.INVITATION and row.forum is not None:
        db.execute(update(forums).where(forums.c.id == row.forum).values(approved=True))
        publish(db, now)  # menus show it from now on
    return db.execute(select(broadcasts).where(broadcasts.c.id == broadcast)).one()


# while it runs ------------------------------------------------------------------------------------


def pause(db: Connection, settings: Settings, broadcast: int, now: datetime) -> int:
    """Keeps back what was not yet sent; returns how many messages."""
    _advance(db, settings, broadcast, (Stage.APPROVED,), {"stage": Stage.PAUSED}, now)
    return move_idle(db, Move.HOLD, now, messages.c.broadcast == broadcast, lease=None, worker=None)


def resume(db: Connection, settings: Settings, broadcast: int, now: datetime) -> int:
    """Lets go on what was kept back; returns how many messages."""
    _advance(db, settings, broadcast, (Stage.PAUSED,), {"stage": Stage.APPROVED}, now)
    return move_where(db, Move.RELEASE, now, messages.c.broadcast == broadcast)


def cancel(db: Connection, settings: Settings, broadcast: int, now: datetime) -> int:
    """Ends it for good; returns how many messages will not be sent."""
    row = _advance(db, settings, broadcast, set(Stage) - {Stage.CANCELLED}, {"stage": Stage.CANCELLED}, now)
    count = move_idle(db, Move.CANCEL, now, messages.c.broadcast == broadcast, lease=None, worker=None)
    if row.approved and not count:
        raise NotPossible((Complaint(Wrong.NOTHING_LEFT),), settings.zone)
    return count


def retry(db: Connection, settings: Settings, broadcast: int, now: datetime) -> int:
    """Sends again what was refused for now until the retry policy gave up; returns how many messages.

    What has an end of its own, a forum's reminder or a poll, keeps it. Raises NotPossible when that is over.
    """
    row = _advance(db, settings, broadcast, (Stage.APPROVED,), {}, now)
    expires = max(row.expires, now + _AGAIN) if row.kind in CHOSEN else row.expires
    if expires <= now:
        raise NotPossible((Complaint(Wrong.OVER),), settings.zone)
    refused = (messages.c.broadcast == broadcast) & messages.c.for_now
    fresh = {"attempts": 0, "reason": None, "for_now": False, "not_before": now, "expires": expires}
    return move_where(db, Move.RETRY, now, refused, **fresh)


_AGAIN = timedelta(days=1)
"""What is tried again has at least so long."""


def _written(plan: Plan) -> dict[str, Any]:
    return {
        "kind": str(plan.kind), "title": " ".join(plan.title.split()),
        "texts": json.dumps(plan.texts, ensure_ascii=False), "audience": plan.audience.to_json(),
        "start": plan.start, "expires": plan.expires,
    }  # fmt: skip


def _letter(row: Row[Any], plan: Plan, found: Preview) -> Letter:
    return Letter(
        plan.kind, plan.title, plan.texts, found.start, found.expires, row.key, row.forum, row.poll, row.author,
        plan.audience,
    )  # fmt: skip


def _advance(
    db: Connection,
    settings: Settings,
    broadcast: int,
    stages: Any,
    values: dict[str, Any],
    now: datetime,
    seen: datetime | None = None,
) -> Row[Any]:
    """One step of a broadcast's life, if it stands where it must and as it was seen. Two at once: one is done."""
    row = db.execute(select(broadcasts).where(broadcasts.c.id == broadcast).with_for_update()).first()
    if row is None or row.stage not in stages:
        raise NotPossible((Complaint(Wrong.STAGE),), settings.zone)
    if seen is not None and seen != row.changed:
        raise NotPossible((Complaint(Wrong.CHANGED),), settings.zone)
    later = max(now, row.changed + timedelta(microseconds=1))
    change = update(broadcasts).where(broadcasts.c.id == broadcast).values(**values, changed=later)
    return db.execute(change.returning(broadcasts)).one()
