"""After a forum: how many came, and what is told of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from gateway.bulk import broadcasts as bulk
from gateway.bulk.letters import Texts
from gateway.bulk.previews import Plan
from gateway.config import Settings
from gateway.forums import words as forum_words
from gateway.forums.facts import Forum
from gateway.forums.plans import OPEN, NotNow, Why, as_it_is, keep_draft, title_of, to_json
from gateway.models.broadcasts import broadcasts
from gateway.models.forums import forums
from gateway.models.messages import Kind


def note_attendance(
    db: Connection, forum_id: int, total: int, women: int | None, men: int | None, now: datetime
) -> None:
    """Keeps how many came. Raises NotNow before the forum began, or when it was cancelled."""
    forum = as_it_is(db, forum_id)
    if forum.cancelled or now < forum.starts:
        raise NotNow(Why.NOT_BEGUN)
    came = {"attended": total, "attended_female": women, "attended_male": men}
    db.execute(update(forums).where(forums.c.id == forum_id).values(came))


def draft_outcome(
    db: Connection, settings: Settings, forum_id: int, texts: Texts, member: int | None, now: datetime
) -> int:
    """What came of the forum, as a draft to who was told of it; returns the broadcast's id. Raises NotNow."""
    forum = as_it_is(db, forum_id)
    if forum.cancelled or now < forum.starts:
        raise NotNow(Why.NOT_BEGUN)
    row = outcome_of(db, forum)
    if row is not None and row.stage not in OPEN:
        raise NotNow(Why.TOLD)
    db.execute(update(forums).where(forums.c.id == forum_id).values(outcome=to_json(texts)))
    forum = as_it_is(db, forum_id)
    plan = Plan(Kind.RESULT, title_of(forum, settings), forum_words.outcome(forum, settings.zone), forum.told)
    if row is not None:
        bulk.edit(db, settings, row.id, plan, member, now)
        return int(row.id)
    return keep_draft(db, forum, plan, f"forum {forum.id} outcome", member, now)


def outcome_of(db: Connection, forum: Forum) -> Row[Any] | None:
    """The broadcast that tells what came of a forum."""
    return db.execute(select(broadcasts).where(broadcasts.c.key == f"forum {forum.id} outcome")).first()
