"""Planning a forum: its row and the draft of its invitation, until a second person has approved that."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from gateway.bulk import broadcasts as bulk
from gateway.bulk.letters import recipients_of
from gateway.bulk.previews import Plan
from gateway.config import Settings
from gateway.errors import Told
from gateway.forums import words as forum_words
from gateway.forums.facts import Forum, find
from gateway.forums.times import ANNOUNCEMENTS, key
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.editions import publish
from gateway.models.forums import forums
from gateway.models.messages import Kind

OPEN = (Stage.DRAFT, Stage.WAITING)
"""A broadcast that says nothing yet."""
_ENDED = ("cancelled", "cancelled at once")


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


def plan_forum(db: Connection, settings: Settings, forum: Forum, author: int | None, now: datetime) -> int:
    """A new forum and the draft of its invitation; returns its id. Of the given one all but the id is taken."""
    values = _values(forum) | {"author": author, "created": now}
    made: int = db.execute(forums.insert().values(values).returning(forums.c.id)).scalar_one()
    draft_invitation(db, settings, replace(forum, id=made), author, now)
    return made


def change(db: Connection, settings: Settings, forum: Forum, editor: int | None, now: datetime) -> None:
    """Changes a forum that is not approved yet; its invitation says the same, and is a draft again. Raises NotNow."""
    old = as_it_is(db, forum.id)
    if old.approved or old.cancelled:
        raise NotNow(Why.SETTLED)
    forum = replace(forum, revision=old.revision)
    db.execute(update(forums).where(forums.c.id == forum.id).values(_values(forum)))
    draft_invitation(db, settings, forum, editor, now)


def announcement(db: Connection, forum: Forum) -> Row[Any] | None:
    """The broadcast by which people hear of the forum as it is now: its newest notice, else its invitation."""
    keys = [key(forum, what) for what in (*ANNOUNCEMENTS, *_ENDED)]
    found = db.execute(select(broadcasts).where(broadcasts.c.key.in_(keys)).order_by(broadcasts.c.id.desc())).all()
    return next((row for row in found if row.kind != Kind.INVITATION), found[0] if found else None)


def ask(db: Connection, settings: Settings, forum_id: int, member: int | None, now: datetime) -> None:
    """Puts before a second person what is to be said. Raises NotPossible with what is wrong with it."""
    forum = as_it_is(db, forum_id)
    row = announcement(db, forum)
    if not forum.approved and not forum.cancelled and (row is None or row.stage == Stage.CANCELLED):
        draft_invitation(db, settings, forum, member, now)
        row = announcement(db, as_it_is(db, forum_id))
    if row is None or row.stage != Stage.DRAFT:
        raise NotNow(Why.NOTHING)
    bulk.submit(db, settings, row.id, now)


def approve_unsaid(db: Connection, settings: Settings, forum_id: int, member: int, now: datetime) -> None:
    """Approves a forum to which nobody can be invited yet: menus show it, who joins later is told. Raises NotNow."""
    forum = as_it_is(db, forum_id)
    row = announcement(db, forum)
    if forum.approved or forum.cancelled or now >= forum.starts or row is None or row.stage not in OPEN:
        raise NotNow(Why.SETTLED)
    if not bulk.may_approve(settings, row, member):
        raise NotNow(Why.OWN)
    if recipients_of(db, forum.audience, settings):
        raise NotNow(Why.SOMEBODY)
    said = {"stage": Stage.APPROVED, "approver": member, "approved": now, "changed": now, "start": now}
    db.execute(update(broadcasts).where(broadcasts.c.id == row.id).values(said))
    db.execute(update(forums).where(forums.c.id == forum.id).values(approved=True))
    publish(db, now)


# for those who change it ---------------------------------------------------------------------------


def as_it_is(db: Connection, forum_id: int) -> Forum:
    """The forum, which nobody else changes before this transaction ends."""
    forum = find(db, forum_id, to_change=True)
    if forum is None:
        raise NotNow(Why.GONE)
    return forum


def draft_invitation(db: Connection, settings: Settings, forum: Forum, author: int | None, now: datetime) -> None:
    """The invitation as the forum stands: a draft, new or changed."""
    row = announcement(db, forum)
    if row is not None and row.stage not in OPEN:  # staff ended it as a broadcast: a new one needs a name of its own
        forum = replace(forum, revision=forum.revision + 1)
        db.execute(update(forums).where(forums.c.id == forum.id).values(revision=forum.revision))
        row = None
    texts = forum_words.invitation(forum, settings.zone)
    plan = Plan(Kind.INVITATION, title_of(forum, settings), texts, forum.audience, expires=forum.starts)
    if row is not None:
        bulk.edit(db, settings, row.id, plan, author, now)
    else:
        keep_draft(db, forum, plan, key(forum, "invitation"), author, now)


def keep_draft(db: Connection, forum: Forum, plan: Plan, name: str, author: int | None, now: datetime) -> int:
    """Keeps a draft about a forum under a name that exists once; returns the broadcast's id."""
    return bulk.draft(
        db, kind=plan.kind, title=plan.title, texts=plan.texts, audience=plan.audience, author=author, now=now,
        expires=plan.expires, forum=forum.id, key=name,
    )  # fmt: skip


def title_of(forum: Forum, settings: Settings) -> str:
    """How a forum is called in staff's lists."""
    return forum_words.label(forum, settings.zone, settings.default_language)


def to_json(texts: Mapping[Any, str]) -> str:
    """Texts by language as they are kept."""
    return json.dumps({one: text for one, text in texts.items() if text}, ensure_ascii=False)


def _values(forum: Forum) -> dict[str, Any]:
    return {
        "commune": forum.code, "title": to_json(forum.title), "inviter": forum.inviter, "starts": forum.starts,
        "venue": to_json(forum.venue), "note": to_json(forum.note), "callback": forum.callback,
        "groups": json.dumps(forum.groups), "reminders": json.dumps(forum.reminders),
    }  # fmt: skip
