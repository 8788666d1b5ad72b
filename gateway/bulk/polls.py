"""Polls: one question to a group, with two to five answers, sent as a broadcast and answered by a digit.

One vote a number, the last one counts. Votes lie under the poll's own key. At the close the key is destroyed, the votes
become counts (none at all where they may not be shown), and what was said by SMS with those who were asked goes: nobody
who holds our data can then tell who voted what. Source: DOMAIN.md, Privacy, and table, row 13.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Row, Select, delete, exists, func, select, update

from gateway.bulk import broadcasts as sending
from gateway.bulk.complaints import NotPossible
from gateway.bulk.letters import Audience
from gateway.bulk.poll_words import Asked, Result, sentence, thanks
from gateway.config import Settings
from gateway.menus.phrases import Words
from gateway.menus.wording import render
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.messages import Kind, Move, forget_talks, messages
from gateway.models.polls import poll_answers, polls
from gateway.models.store import Store, insert
from gateway.models.traces import leave_no_trace
from gateway.privacy import Cell, Keys, may_show

log = structlog.get_logger()


@dataclass(frozen=True)
class Poll:
    """A poll, and the broadcast that asks it."""

    id: int
    asked: Asked
    closes: datetime
    closed: datetime | None
    broadcast: int
    stage: Stage
    approved: datetime | None
    audience: Audience
    counts: tuple[int, ...] | None
    """What the votes became at the close."""

    def is_open(self, now: datetime) -> bool:
        """Whether votes are taken."""
        return self.approved is not None and self.closed is None and now < self.closes


def draft(
    store: Store,
    keys: Keys,
    asked: Asked,
    audience: Audience,
    closes: datetime,
    author: int | None,
    now: datetime,
    once: str | None = None,
) -> int:
    """A poll with its key, and the draft of the broadcast that asks it: once that is approved, the poll is open.

    Returns the poll's id, or that of the one that was made of the same by the same form (`once`). What is not sent by
    its close is not sent.
    """
    same = hashlib.sha256(repr((asked.texts, audience, closes)).encode()).hexdigest()[:16]
    key = keys.make_round()
    try:
        with store.write() as db:
            values = {
                "question": json.dumps(asked.question, ensure_ascii=False),
                "options": json.dumps(asked.options, ensure_ascii=False),
                "key": key, "closes": closes, "author": author, "created": now,
            }  # fmt: skip
            poll: int = db.execute(polls.insert().values(values).returning(polls.c.id)).scalar_one()
            made = sending.draft(
                db, kind=Kind.POLL, title=title(asked), texts=asked.texts, audience=audience,
                author=author, now=now, expires=closes, poll=poll, key=once and f"poll form {once} {same}",
            )  # fmt: skip
            first: int = db.execute(select(broadcasts.c.poll).where(broadcasts.c.id == made)).scalar_one()
            if first != poll:
                db.execute(delete(polls).where(polls.c.id == poll))
    except BaseException:
        keys.destroy_round(key)
        raise
    if first != poll:
        keys.destroy_round(key)
    return first


def find(db: Connection, poll_id: int) -> Poll | None:
    """A poll."""
    row = db.execute(_polls().where(polls.c.id == poll_id)).first()
    return _poll(row) if row else None


def listed(db: Connection, first: int, size: int, within: Collection[int] | None = None) -> list[Poll]:
    """So many polls, the newest first, after skipping the `first` ones; `within`: asked by these broadcasts."""
    mine = _polls() if within is None else _polls().where(broadcasts.c.id.in_(within))
    return [_poll(row) for row in db.execute(mine.order_by(polls.c.id.desc()).offset(first).limit(size))]


def count(db: Connection, within: Collection[int] | None = None) -> int:
    """How many polls there are."""
    if within is None:
        return db.scalar(select(func.count()).select_from(polls)) or 0
    return db.scalar(select(func.count()).select_from(broadcasts).where(broadcasts.c.id.in_(within), _is_poll())) or 0


def title(asked: Asked) -> str:
    """What staff find the broadcasts of a poll by."""
    return next(iter(asked.question.values()))


def vote(db: Connection, keys: Keys, poll_id: int, number: str, choice: int, now: datetime) -> Words | None:
    """Stores a number's answer in place of an earlier one, and returns the thanks.

    They name the question and never the choice: phones are shared. None, and nothing stored, when the poll is not
    open or has no such answer.
    """
    is_open = (polls.c.id == poll_id) & polls.c.closed.is_(None) & (polls.c.closes > now)
    approved = exists().where(_asks(), broadcasts.c.approved.is_not(None))
    # locked until the commit, so that no vote comes in beside the closing; one that is under way counts as done
    lock = select(polls).where(is_open, approved).with_for_update(read=True, skip_locked=True)
    poll = db.execute(lock).first()
    if poll is None or not 1 <= choice <= len(json.loads(poll.options)):
        return None
    if not keys.has_round(poll.key or ""):
        log.error("poll.key_is_missing", poll=poll_id, do="restore KEYS_DIR or close the poll")
        return None
    values = {"poll_id": poll_id, "phone": keys.phone(poll.key, number), "choice": choice}
    statement = insert(poll_answers, db.dialect.name).values(values)
    key = list(poll_answers.primary_key.columns)
    db.execute(statement.on_conflict_do_update(index_elements=key, set_={"choice": choice}))
    return thanks(_asked(poll))


def result(db: Connection, settings: Settings, poll: Poll) -> Result | None:
    """The figures of a poll, live until it is closed; None where they may not be shown.

    They may be from so many phones on as every figure (DOMAIN.md, Privacy), and when not all chose the same.
    """
    if poll.closed is not None:
        return Result(poll.counts) if poll.counts else None
    return _shown(_counts(db, poll), settings)


def has_answers(db: Connection, poll: Poll) -> bool:
    """Whether anybody has voted: all that may be told of a poll whose figures are not shown."""
    return any(_counts(db, poll))


def notices(db: Connection, poll: Poll) -> list[int]:
    """The broadcasts that tell a poll's result, but those that were cancelled."""
    return [row.id for row in _notices(db, poll) if row.stage != Stage.CANCELLED]


def draft_result(db: Connection, poll: Poll, figures: Result, author: int | None, now: datetime) -> int:
    """The draft of a notice of the result to those who were asked; returns its id, or that of the one there is."""
    if there := notices(db, poll):
        return there[0]
    said = sentence(poll.asked, figures)
    texts = {language: render(said, language) for language in poll.asked.languages}
    key = f"poll {poll.id} result {len(_notices(db, poll)) + 1}"  # two at once make one
    return sending.draft(
        db, kind=Kind.RESULT, title=title(poll.asked), texts=texts, audience=poll.audience, author=author, now=now,
        key=key,
    )  # fmt: skip


def _notices(db: Connection, poll: Poll) -> list[Any]:
    mine = select(broadcasts.c.id, broadcasts.c.stage).where(broadcasts.c.key.like(f"poll {poll.id} result %"))
    return list(db.execute(mine.order_by(broadcasts.c.id)))


# closing ------------------------------------------------------------------------------------------


def close(store: Store, keys: Keys, settings: Settings, poll_id: int, now: datetime) -> bool:
    """Closes a poll for good: no vote, no message any more, and nothing that tells who voted what.

    What stands of the votes are their counts, where they may be shown. Repeats do no harm; one that was stopped
    half-way is finished. False when there was nothing to do.
    """
    with store.write() as db:
        row = db.execute(_polls().where(polls.c.id == poll_id).with_for_update(of=polls)).first()
        if row is None or row.key is None:
            return False
        poll = _poll(row)
        values: dict[str, Any] = {"closed": poll.closed or now}
        if any(counts := _counts(db, poll)):  # else they are counted already
            figures = _shown(counts, settings)
            values["counts"] = json.dumps(figures.counts) if figures else None
        db.execute(update(polls).where(polls.c.id == poll_id).values(values))
        db.execute(delete(poll_answers).where(poll_answers.c.poll_id == poll_id))
        _stop_asking(db, settings, poll, now)
        forget_talks(db, select(messages.c.phone).where(messages.c.broadcast == poll.broadcast))
    keys.destroy_round(row.key)
    leave_no_trace(store)
    with store.write() as db:
        db.execute(update(polls).where(polls.c.id == poll_id).values(key=None))
    return True


def close_due(store: Store, keys: Keys, settings: Settings, now: datetime) -> int:
    """Closes the polls whose time has come, and finishes what was stopped half-way; returns how many."""
    due = (polls.c.closes <= now) | polls.c.closed.is_not(None)
    with store.read() as db:
        ids = list(db.scalars(select(polls.c.id).where(polls.c.key.is_not(None), due)))
    return sum(close(store, keys, settings, poll_id, now) for poll_id in ids)


def _stop_asking(db: Connection, settings: Settings, poll: Poll, now: datetime) -> None:
    """Ends the broadcast, unless it is through."""
    waiting = exists().where(messages.c.broadcast == poll.broadcast, messages.c.state.in_(Move.CANCEL.leaves))
    if poll.stage != Stage.CANCELLED and (poll.stage != Stage.APPROVED or db.scalar(select(waiting))):
        with contextlib.suppress(NotPossible):  # the last of it went out just now
            sending.cancel(db, settings, poll.broadcast, now)


# inside -------------------------------------------------------------------------------------------


def _is_poll() -> Any:
    """Whether a broadcast asks a poll."""
    return broadcasts.c.poll.is_not(None) & (broadcasts.c.kind == Kind.POLL)


def _asks() -> Any:
    """Whether a broadcast is the one that asks a poll."""
    return (broadcasts.c.poll == polls.c.id) & _is_poll()


def _polls() -> Select[Any]:
    b = broadcasts.c
    return select(polls, b.id.label("broadcast"), b.stage, b.approved, b.audience).join(broadcasts, _asks())


def _poll(row: Row[Any]) -> Poll:
    return Poll(
        id=row.id,
        asked=_asked(row),
        closes=row.closes,
        closed=row.closed,
        broadcast=row.broadcast,
        stage=Stage(row.stage),
        approved=row.approved,
        audience=Audience.from_json(row.audience),
        counts=tuple(json.loads(row.counts)) if row.counts else None,
    )


def _asked(row: Row[Any]) -> Asked:
    return Asked(json.loads(row.question), tuple(json.loads(row.options)))


def _counts(db: Connection, poll: Poll) -> tuple[int, ...]:
    mine = select(poll_answers.c.choice, func.count().label("phones")).where(poll_answers.c.poll_id == poll.id)
    found = {row.choice: row.phones for row in db.execute(mine.group_by(poll_answers.c.choice))}
    return tuple(found.get(choice, 0) for choice in range(1, len(poll.asked.options) + 1))


def _shown(counts: tuple[int, ...], settings: Settings) -> Result | None:
    n = sum(counts)  # one vote a number
    return Result(counts) if may_show(Cell(counts, n), settings.min_raters) else None
