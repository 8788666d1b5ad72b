"""You said, we did: what came of a promise, and what a council replied, told to the people of its commune.

Each is a draft of a broadcast like any other: staff mend its words, a second person approves it (DOMAIN.md, Wording).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from gateway.bulk import broadcasts as bulk
from gateway.bulk.letters import Audience, Texts
from gateway.config import LANGUAGES, Settings
from gateway.menus.phrases import Name, Phrase, Words
from gateway.menus.wording import render
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.messages import Kind
from gateway.models.places import places
from gateway.models.promises import Standing
from gateway.models.releases import council_replies
from gateway.phones import scrub
from gateway.promises.facts import Change, Commitment, find, history
from gateway.text import plain

_ = Words

_SAID: Mapping[Standing, Words] = {
    Standing.PLANNED: _("{activity}: planned until {date}"),
    Standing.UNDER_WAY: _("{activity}: under way until {date}"),
    Standing.DONE: _("{activity}: done"),
    Standing.DROPPED: _("{activity}: will not be done"),
}
_REPLIES = _("Commune replies: {words}.")


def words_of(commitment: Commitment, standing: Standing) -> Texts:
    """What is said of how far a commitment is, in each language."""
    words = _SAID[standing].given(activity=commitment.label, date=_day(commitment.due))
    return _replied(words)


def draft(
    db: Connection, settings: Settings, commitment: int, change: int, member: int | None, now: datetime
) -> int | None:
    """A draft about an entry in a commitment's history, to the people of its commune and those told of its forum.

    Returns the broadcast's id; the one that is there already, so that nothing is told twice. None: no such entry.
    """
    one = find(db, commitment, to_change=True)
    entry = next((entry for entry in history(db, commitment) if entry.id == change), None)
    if one is None or entry is None:
        return None
    audience = Audience(communes=(one.commune,), told=() if one.forum is None else (one.forum,))
    title = f"{_name(one.commune_name, settings)}: {_name(one.label, settings)}"
    return _draft(db, _key(commitment, entry), title, words_of(one, entry.standing), audience, member, now, commitment)


def told_of(db: Connection, commitment: int, entries: Iterable[Change]) -> Mapping[int, Row[Any]]:
    """The broadcasts about the entries of a history, by the entry."""
    keys = {_key(commitment, entry): entry.id for entry in entries}
    found = db.execute(select(broadcasts).where(broadcasts.c.key.in_(list(keys)))).all()
    return {keys[row.key]: row for row in found if not _was_dropped(row)}


def pass_on(db: Connection, settings: Settings, reply: int, member: int | None, now: datetime) -> int | None:
    """A draft with a council's own words, to the people of its commune; staff edit it first.

    Returns the broadcast's id, also of one that is there already. None: no such reply.
    """
    c = council_replies.c
    wanted = select(c.commune, c.text, places.c.name_km, places.c.name_en).join(places, places.c.code == c.commune)
    row = db.execute(wanted.where(c.id == reply).with_for_update(of=council_replies)).first()
    if row is None:
        return None
    words = plain(scrub(" ".join(row.text.split()))).replace("{", "(").replace("}", ")").rstrip(" .។")
    texts = _replied(words)
    # in its own script only: staff put it into the other languages
    khmer = any("\u1780" <= sign <= "\u17ff" for sign in words)
    mine: Texts = {one: text for one, text in texts.items() if (one == "km") == khmer}
    title = _name(Name(row.name_km, row.name_en, row.name_en), settings)
    audience = Audience(communes=(row.commune,))
    return _draft(db, _reply_key(reply), f"{title}: {words[:40]}", mine, audience, member, now)


def passed_on(db: Connection, replies: Iterable[int]) -> Mapping[int, Row[Any]]:
    """The broadcasts by which councils' replies were passed on, by the reply."""
    keys = {_reply_key(reply): reply for reply in replies}
    found = db.execute(select(broadcasts).where(broadcasts.c.key.in_(list(keys)))).all()
    return {keys[row.key]: row for row in found if not _was_dropped(row)}


def _draft(
    db: Connection, key: str, title: str, texts: Texts, audience: Audience, member: int | None, now: datetime,
    commitment: int | None = None,
) -> int:  # fmt: skip
    there = db.execute(select(broadcasts).where(broadcasts.c.key == key)).first()
    if there is not None and _was_dropped(there):  # its name is for the new one
        db.execute(update(broadcasts).where(broadcasts.c.id == there.id).values(key=None))
    return bulk.draft(
        db, kind=Kind.RESULT, title=title, texts=texts, audience=audience, author=member, now=now,
        commitment=commitment, key=key,
    )  # fmt: skip


def _was_dropped(row: Row[Any]) -> bool:
    """Whether it was ended before anybody approved it: nobody was told."""
    return row.stage == Stage.CANCELLED and row.approved is None


def _key(commitment: int, entry: Change) -> str:
    return f"commitment {commitment} {entry.standing} {entry.id}"


def _reply_key(reply: int) -> str:
    return f"reply {reply}"


def _replied(words: Phrase) -> Texts:
    return {one: plain(render(_REPLIES.given(words=words), one)) for one in LANGUAGES}


def _name(name: Name, settings: Settings) -> str:
    return render(name, settings.default_language)


def _day(day: date) -> str:
    """With its year: what is promised may be far ahead."""
    return f"{day:%d/%m/%Y}"
