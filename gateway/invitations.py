"""Invitations: a link by which somebody sets the first password of their login. It opens once, and for a week."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, exists, select

from gateway import logins
from gateway.models.staff import MEMBER, Member, choose_password, invitations, staff, staff_communes
from gateway.privacy import Keys

KEPT = timedelta(days=7)
BYTES = 20
"""Of a token: nobody guesses it, and it can be read out if need be."""


@dataclass(frozen=True)
class Invitation:
    """A link that has not been used."""

    member: Member
    expires: datetime


def invite(
    db: Connection, keys: Keys, name: str, role: str, codes: Collection[str], by: int, form: str, now: datetime
) -> str:
    """Adds a login that nobody can use yet; returns the token of its link. Raises logins.Refused.

    A form that comes twice (`form` is its own name) makes one login and is answered with the same token, which is
    derived from it: the answer to the first click never reaches the screen.
    """
    name = " ".join(name.split())
    token = keys.derived(f"panel invitation {by} {form} {name}")[: 2 * BYTES]
    try:
        logins.add(db, name, role, codes)
    except logins.Refused as refusal:
        there = find(db, keys, token, now)
        if refusal.flaw is logins.Flaw.TAKEN and there and there.member.name == name:
            return token
        raise
    member_id = db.execute(select(staff.c.id).where(staff.c.name == name)).scalar_one()
    _keep(db, keys, token, member_id, by, now)
    return token


def renew(db: Connection, keys: Keys, member_id: int, by: int, now: datetime) -> tuple[str, str] | None:
    """Another link for who has not come yet, and the name it is for; the one before is dead. None: nobody waits."""
    name: str | None = db.scalar(select(staff.c.name).where(staff.c.id == member_id, _WAITS))
    if name is None:
        return None
    token = secrets.token_hex(BYTES)
    _keep(db, keys, token, member_id, by, now)
    return name, token


def withdraw(db: Connection, member_id: int) -> bool:
    """Takes an invitation back, and the login with it: nobody has used it. False when nobody waits."""
    if db.execute(delete(invitations).where(invitations.c.staff_id == member_id)).rowcount == 0:
        return False
    db.execute(delete(staff_communes).where(staff_communes.c.staff_id == member_id))
    return db.execute(delete(staff).where(staff.c.id == member_id)).rowcount == 1


def find(db: Connection, keys: Keys, token: str, now: datetime) -> Invitation | None:
    """Whom a link invites; None when it was used, withdrawn, renewed or is too old."""
    mine = (invitations.c.token == _hash(keys, token)) & (invitations.c.expires > now) & staff.c.active
    chosen = select(invitations.c.expires, *MEMBER).join_from(invitations, staff, invitations.c.staff_id == staff.c.id)
    row = db.execute(chosen.where(mine)).first()
    return Invitation(Member(*row[1:]), row.expires) if row else None


def accept(db: Connection, keys: Keys, token: str, password: str, now: datetime) -> int | None:
    """Sets the password of who was invited; returns their id. None when the link opens nothing any more."""
    invited = find(db, keys, token, now)
    mine = delete(invitations).where(invitations.c.token == _hash(keys, token))
    if invited is None or db.execute(mine).rowcount != 1:
        return None
    choose_password(db, invited.member.id, password)
    return invited.member.id


def waiting(db: Connection) -> dict[int, datetime]:
    """Until when the links are good of those who have not come yet, by the login's id. Some may be too old."""
    return {row.staff_id: row.expires for row in db.execute(select(invitations.c.staff_id, invitations.c.expires))}


def _keep(db: Connection, keys: Keys, token: str, member_id: int, by: int, now: datetime) -> None:
    db.execute(delete(invitations).where(invitations.c.staff_id == member_id))
    values = {"token": _hash(keys, token), "staff_id": member_id, "expires": now + KEPT, "by": by}
    db.execute(invitations.insert().values(values))


def _hash(keys: Keys, token: str) -> bytes:
    return keys.lookup(f"panel invitation {token}")


_WAITS = staff.c.active & exists().where(invitations.c.staff_id == staff.c.id)
