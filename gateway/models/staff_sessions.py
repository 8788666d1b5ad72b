"""Where members are logged in: a row a browser. The cookie holds its secret, the table a keyed hash of that.

A login ends after an hour without use and after half a day in any case; then its row opens nothing, and stays for some
days only so that a form that was sent too late can be given back to whoever wrote it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, select, update

from gateway.models.staff import MEMBER, Member, staff, staff_sessions
from gateway.privacy import Keys

IDLE = timedelta(minutes=60)
LONGEST = timedelta(hours=12)
KEPT = timedelta(days=7)
"""Since it was last used."""
MARK = timedelta(minutes=1)
"""So often at most it is noted that a login is in use."""


@dataclass(frozen=True)
class Sitting:
    """A member in a browser."""

    id: bytes
    member: Member
    seen: datetime


@dataclass(frozen=True)
class Place:
    """Where somebody is logged in, for who looks at the list. `name` stands for it in an address, and opens nothing."""

    name: str
    browser: str
    began: datetime
    seen: datetime
    is_this: bool


def begin(db: Connection, keys: Keys, member_id: int, browser: str, now: datetime) -> str:
    """Logs a member in; returns the secret for the cookie."""
    secret = secrets.token_urlsafe(24)
    values = {"id": _hash(keys, secret), "staff_id": member_id, "began": now, "seen": now, "browser": browser}
    db.execute(staff_sessions.insert().values(values))
    return secret


def find(db: Connection, keys: Keys, secret: str, now: datetime) -> Sitting | None:
    """Who is logged in with this secret: one query, as every page asks it."""
    mine = select(staff_sessions.c.id, staff_sessions.c.seen, *MEMBER)
    mine = mine.join_from(staff_sessions, staff, staff.c.id == staff_sessions.c.staff_id)
    row = db.execute(mine.where(staff_sessions.c.id == _hash(keys, secret), staff.c.active, _alive(now))).first()
    return Sitting(row[0], Member(*row[2:]), row[1]) if row else None


def whose(db: Connection, keys: Keys, secret: str) -> int | None:
    """The member whose login this was, where it ended by itself."""
    mine = staff_sessions.c.id == _hash(keys, secret)
    return db.scalar(select(staff_sessions.c.staff_id).join(staff).where(mine, staff.c.active))


def touch(db: Connection, sitting: Sitting, now: datetime) -> None:
    """Notes that a login is in use."""
    db.execute(update(staff_sessions).where(staff_sessions.c.id == sitting.id).values(seen=now))


def end(db: Connection, sitting: Sitting) -> None:
    """Logs out."""
    db.execute(delete(staff_sessions).where(staff_sessions.c.id == sitting.id))


def end_place(db: Connection, member_id: int, name: str) -> bool:
    """Ends one login of a member; False when there is none of that name any more."""
    mine = [row.id for row in db.execute(_of(member_id)) if row.id.hex() == name]
    return bool(mine) and db.execute(delete(staff_sessions).where(staff_sessions.c.id == mine[0])).rowcount == 1


def end_others(db: Connection, sitting: Sitting) -> int:
    """Ends every other login of the same member; returns how many."""
    others = (staff_sessions.c.staff_id == sitting.member.id) & (staff_sessions.c.id != sitting.id)
    return db.execute(delete(staff_sessions).where(others)).rowcount


def places(db: Connection, member_id: int, now: datetime, this: Sitting | None = None) -> Sequence[Place]:
    """Where a member is logged in, the one last used first."""
    rows = db.execute(_of(member_id).where(_alive(now)).order_by(staff_sessions.c.seen.desc(), staff_sessions.c.id))
    return [Place(r.id.hex(), r.browser, r.began, r.seen, bool(this and this.id == r.id)) for r in rows]


def _of(member_id: int) -> Select[Any]:
    return select(staff_sessions).where(staff_sessions.c.staff_id == member_id)


def _alive(now: datetime) -> ColumnElement[bool]:
    return (staff_sessions.c.seen > now - IDLE) & (staff_sessions.c.began > now - LONGEST)


def _hash(keys: Keys, secret: str) -> bytes:
    return keys.lookup(f"panel session {secret}")
