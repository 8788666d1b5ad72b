"""Public forums: villagers reply with a number of heads; a week after the forum the replies become counts.

The parts of it: `forum_facts` reads the row, `forum_words` has the sentences, `forum_times` the reminders,
`forum_plans`, `forum_changes` and `forum_results` what staff do with one, `forum_story` what was said so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from gateway.config import Language, Settings
from gateway.forums import words as forum_words
from gateway.forums.facts import Forum, find, upcoming
from gateway.menus.phrases import Words
from gateway.models.callers import find_caller
from gateway.models.contacts import contacts
from gateway.models.forums import forum_replies, forums
from gateway.models.messages import forget_talks
from gateway.models.store import insert
from gateway.phones import operator
from gateway.privacy import Keys

__all__ = ["MOST", "Forum", "Replies", "count_forgettable", "find", "forget_replies", "replies", "reply", "upcoming"]

MOST = 8
"""Heads that one reply may announce: 9 is never an option (CONTRACT.md, Villagers' inputs)."""
REPLIES_KEPT = timedelta(days=7)
"""So long after a forum its replies become counts (DOMAIN.md, Privacy)."""


@dataclass(frozen=True)
class Replies:
    """What was replied. After a week only the sums are left."""

    heads: int
    """People who come, as was said."""
    phones: int
    by_heads: Mapping[int, int]
    """Phones by the heads they announced; empty once it was forgotten."""


def reply(
    db: Connection, keys: Keys, settings: Settings, forum_id: int, number: str, heads: int, channel: str, now: datetime
) -> Words | None:
    """Keeps how many come, 0 to 8; the last word counts. Returns the answer, which names the forum.

    None when the forum is over, cancelled or not known, or when so many heads cannot be announced.
    """
    db.execute(
        select(forums.c.id).where(forums.c.id == forum_id).with_for_update(read=True)
    )  # else no notice of a move
    forum = find(db, forum_id)
    if forum is None or not forum.is_ahead(now) or not 0 <= heads <= MOST:
        return None
    phone, sealed = keys.lookup(number), keys.seal_number(number)
    language = _language(db, phone) or settings.default_language
    said = {
        "number": sealed.data, "number_key": sealed.key, "operator": operator(number),
        "language": language, "heads": heads, "at": now, "channel": channel,
    }  # fmt: skip
    statement = insert(forum_replies, db.dialect.name).values(forum_id=forum_id, phone=phone, **said)
    db.execute(statement.on_conflict_do_update(index_elements=["forum_id", "phone"], set_=said))
    answer = forum_words.thanks if heads else forum_words.regrets
    return answer(forum, settings.zone, language)


def replies(db: Connection, forum_id: int) -> Replies:
    """Who said what, counted."""
    kept = db.execute(select(forums.c.coming, forums.c.replied).where(forums.c.id == forum_id)).one()
    if kept.replied is not None:
        return Replies(kept.coming, kept.replied, {})
    counted = select(forum_replies.c.heads, func.count().label("phones")).where(forum_replies.c.forum_id == forum_id)
    by_heads = {row.heads: row.phones for row in db.execute(counted.group_by(forum_replies.c.heads))}
    heads = sum(heads * phones for heads, phones in by_heads.items())
    return Replies(heads, sum(by_heads.values()), dict(sorted(by_heads.items())))


def forget_replies(db: Connection, now: datetime, kept: timedelta = REPLIES_KEPT) -> int:
    """Makes counts of the replies to forums that were a week ago; returns how many forums these were.

    What these phones said by SMS until the forum began goes, too, and what they were answered: it may be the reply.
    """
    rows = db.execute(select(forums.c.id, forums.c.starts).where(*_forgettable(now, kept)).with_for_update()).all()
    for forum_id, starts in rows:
        said = replies(db, forum_id)
        db.execute(update(forums).where(forums.c.id == forum_id).values(coming=said.heads, replied=said.phones))
        forget_talks(db, select(forum_replies.c.phone).where(forum_replies.c.forum_id == forum_id), starts)
        db.execute(delete(forum_replies).where(forum_replies.c.forum_id == forum_id))
    return len(rows)


def count_forgettable(db: Connection, now: datetime, kept: timedelta) -> int:
    """How many forums there are whose replies are to become counts."""
    return db.scalar(select(func.count()).select_from(forums).where(*_forgettable(now, kept))) or 0


def _forgettable(now: datetime, kept: timedelta) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return forums.c.replied.is_(None), forums.c.starts < now - kept


def _language(db: Connection, phone: bytes) -> Language | None:
    caller = find_caller(db, phone)
    if caller and caller.language:
        return caller.language
    return db.scalar(select(contacts.c.language).where(contacts.c.phone == phone))
