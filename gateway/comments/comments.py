"""Comments: taken without their number, read and cleaned by staff, kept as approved texts (DOMAIN.md, table, row 10).

What was written lies sealed and alone: under a random id, with the month. Once somebody has decided it is gone, and
only the text stays that was approved.
"""

from __future__ import annotations

import enum
import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, true, update

from gateway.comments.redaction import leads_to_somebody
from gateway.menus.phrases import Name
from gateway.models.comments import Verdict, comments
from gateway.models.editions import publish
from gateway.models.places import places
from gateway.models.services import services
from gateway.models.store import insert, insert_new
from gateway.privacy import HASH_BYTES, Keys, Sealed
from gateway.text import fold

LONGEST = 1000
"""Characters of an approved text."""
_PURPOSE = "a comment"
_GONE = {"words": None, "words_key": None}


class Flaw(enum.Enum):
    """What can be wrong with a text to approve."""

    MISSING = enum.auto()
    TOO_LONG = enum.auto()
    LEADS = enum.auto()
    """It still has what looks like a number or a link."""
    NOT_TAKEN = enum.auto()
    """Its service takes no comments."""


class Refused(Exception):
    """A text that is not approved."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.name)
        self.flaw = flaw


@dataclass(frozen=True)
class Comment:
    """One that waits, as it was written."""

    id: str
    words: str
    times: int
    month: date
    commune: str | None
    service: str | None


@dataclass(frozen=True)
class Approved:
    """A text that may be shown; nothing else is known of it."""

    id: str
    commune: str | None
    place: Name | None
    month: date
    service: str | None
    about: Name | None
    text: str


# what is taken ------------------------------------------------------------------------------------


def open_services(db: Connection) -> dict[str, Row[Any]]:
    """The services on which comments are taken, by id, in the order of their numbers."""
    taken = select(services).where(services.c.comments, services.c.active).order_by(services.c.number)
    return {row.id: row for row in db.execute(taken)}


def switch(db: Connection, service: str, now: datetime, *, on: bool) -> None:
    """From now on comments on a service are taken, or are not. What waits stays to be decided."""
    db.execute(update(services).where(services.c.id == service).values(comments=on))
    publish(db, now)


def take(db: Connection, keys: Keys, words: str, commune: str | None, service: str | None, today: date) -> None:
    """Keeps a comment for staff to read; one that was sent before is counted.

    One that nobody had read when it went (`housekeeping`) waits once more.
    """
    same = _same(keys, words, commune, service)
    sealed = keys.seal(words, _PURPOSE)
    waits = {"words": sealed.data, "words_key": sealed.key, "verdict": Verdict.WAITING, "month": today.replace(day=1)}
    made = {"id": secrets.token_hex(8), "commune": commune, "service_id": service, "same": same}
    if insert_new(db, insert(comments, db.dialect.name).values(made | waits)):
        return
    c = comments.c
    db.execute(update(comments).where(c.same == same).values(times=c.times + 1))
    unread = (c.verdict == Verdict.TURNED_DOWN) & c.decided_by.is_(None)
    db.execute(update(comments).where(c.same == same, unread).values(waits | {"decided": None}))


def _same(keys: Keys, words: str, commune: str | None, service: str | None) -> bytes:
    """Tells a comment that comes again, however it is typed; says nothing to who has no master key."""
    key = bytes.fromhex(keys.derived("mati comments"))
    return hmac.digest(key, "\0".join((commune or "", service or "", fold(words) or words)).encode(), "sha256")[
        :HASH_BYTES
    ]


def mix(db: Connection) -> int:
    """Writes those that wait once more, by their random ids; returns how many.

    PostgreSQL notes with each row its transaction, the same as of the SMS's row; and rows lie as they came.
    """
    waiting = comments.c.verdict == Verdict.WAITING
    ids = db.scalars(select(comments.c.id).where(waiting).order_by(comments.c.id)).all()
    for one in ids:
        db.execute(update(comments).where(comments.c.id == one, waiting).values(month=comments.c.month))
    return len(ids)


# what staff decide --------------------------------------------------------------------------------


def count(db: Connection, within: Collection[str] | None = None) -> dict[Verdict, int]:
    """How many there are of each verdict; `within`: of these communes."""
    counted = select(comments.c.verdict, func.count()).where(_within(within)).group_by(comments.c.verdict)
    return {Verdict(verdict): number for verdict, number in db.execute(counted)}


def waiting(db: Connection, keys: Keys, first: int, most: int, within: Collection[str] | None = None) -> list[Comment]:
    """Those to read, the oldest month first; within a month in no order."""
    c = comments.c
    rows = db.execute(
        select(comments)
        .where(c.verdict == Verdict.WAITING, _within(within))
        .order_by(c.month, c.id)
        .offset(first)
        .limit(most)
    )
    return [_comment(keys, row) for row in rows]


def find(db: Connection, keys: Keys, comment: str) -> Comment | Verdict | None:
    """One that waits; or what became of it; None where there is none."""
    row = db.execute(select(comments).where(comments.c.id == comment)).first()
    if row is None:
        return None
    return _comment(keys, row) if row.verdict == Verdict.WAITING else Verdict(row.verdict)


def approve(
    db: Connection, comment: str, text: str, commune: str | None, service: str | None, by: int | None, today: date
) -> bool:
    """The cleaned text stays, what was written goes. False when somebody has decided already.

    Raises Refused.
    """
    text = text.strip()
    if not text:
        raise Refused(Flaw.MISSING)
    if len(text) > LONGEST:
        raise Refused(Flaw.TOO_LONG)
    if leads_to_somebody(text):
        raise Refused(Flaw.LEADS)
    if service is not None and service not in open_services(db):
        raise Refused(Flaw.NOT_TAKEN)
    kept = {"text": text, "commune": commune, "service_id": service}
    return _decide(db, comment, Verdict.APPROVED, by, today, kept)


def turn_down(db: Connection, comment: str, by: int | None, today: date) -> bool:
    """What was written goes, and nothing stays. False when somebody has decided already."""
    return _decide(db, comment, Verdict.TURNED_DOWN, by, today, {})


def take_back(db: Connection, comment: str, by: int | None, today: date) -> bool:
    """An approved text goes after all. False when it is gone."""
    mine = (comments.c.id == comment) & (comments.c.verdict == Verdict.APPROVED)
    gone = {"verdict": Verdict.TURNED_DOWN, "text": "", "decided": today, "decided_by": by}
    return db.execute(update(comments).where(mine).values(gone)).rowcount == 1


def _decide(db: Connection, comment: str, verdict: Verdict, by: int | None, today: date, kept: dict[str, Any]) -> bool:
    mine = (comments.c.id == comment) & (comments.c.verdict == Verdict.WAITING)
    said = {"verdict": verdict, "decided": today, "decided_by": by}
    return db.execute(update(comments).where(mine).values(_GONE | said | kept)).rowcount == 1


# what may be shown --------------------------------------------------------------------------------


def approved(
    db: Connection,
    first: date | None = None,
    last: date | None = None,
    communes: Collection[str] | None = None,
    *,
    skip: int = 0,
    most: int | None = None,
) -> Sequence[Approved]:
    """The approved texts, the newest month first; of the months from `first` to `last`, of some communes."""
    c, s, p = comments.c, services.c, places.c
    statement = (
        select(comments, s.name_km, s.name_latn, s.name_en, p.name_km.label("place_km"), p.name_en.label("place_en"))
        .outerjoin(services, s.id == c.service_id)
        .outerjoin(places, p.code == c.commune)
        .where(c.verdict == Verdict.APPROVED, _within(communes))
        .order_by(c.month.desc(), c.commune, s.number, c.id)
        .offset(skip)
        .limit(most)
    )
    if first is not None:
        statement = statement.where(c.month >= first.replace(day=1))
    if last is not None:
        statement = statement.where(c.month <= last)
    return [
        Approved(
            row.id, row.commune, Name(row.place_km, row.place_en, row.place_en) if row.commune else None,
            row.month, row.service_id, Name(row.name_km, row.name_latn, row.name_en) if row.service_id else None,
            row.text,
        )
        for row in db.execute(statement)
    ]  # fmt: skip


def _within(communes: Collection[str] | None) -> Any:
    return true() if communes is None else comments.c.commune.in_(communes)


def _comment(keys: Keys, row: Row[Any]) -> Comment:
    words = keys.open(Sealed(row.words_key, row.words), _PURPOSE)
    return Comment(row.id, words, row.times, row.month, row.commune, row.service_id)
