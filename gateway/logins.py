"""Logins for the panel: who gets one, as what, for which communes. Letting one in again is `models.staff`'s."""

from __future__ import annotations

import enum
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, select, update

from gateway.config import ROLES
from gateway.errors import Told
from gateway.models.places import communes
from gateway.models.staff import add_member, communes_of, end_login, has_factor, new_password, set_communes, staff

OF_COMMUNES = ("council", "volunteer")
"""Roles that see or record in communes of their own, and nowhere else."""
OF_ALL = ("admin",)
"""Roles that see all communes. Staff are neither: those with communes see these, those without see all."""
LONGEST_NAME = 60


class Flaw(enum.Enum):
    """What is wrong with a login that was to be added."""

    NAME = "a login needs a name, of at most 60 characters"
    ROLE = "there is no such role"
    TAKEN = "{name} has a login already; for a new password: mati staff reset {name}"
    NO_COMMUNE = "a login of the role {role} needs a commune: --commune CODE, such as --commune 010806"
    NO_NEED = "a login of the role {role} sees all communes; leave --commune away"
    UNKNOWN = "commune {code} takes no part in the programme; those that do: {known}"
    LAST_ADMIN = "{name} is the only admin: let somebody else be one first"


USAGE = (Flaw.NAME, Flaw.NO_COMMUNE, Flaw.NO_NEED)
"""Flaws in how it was asked for, whatever the database holds."""


class Refused(Told):
    """A login cannot be added; `flaw` says why. Nothing was changed."""

    def __init__(self, flaw: Flaw, **values: str) -> None:
        super().__init__(flaw.value.format(**values))
        self.flaw = flaw


def add(db: Connection, name: str, role: str, codes: Collection[str], password: str | None = None) -> str:
    """Adds a login; returns its one-time password, a new one unless it is given. Raises Refused."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused(Flaw.NAME)
    _must_fit(db, role, codes)
    password = password or new_password()
    if not add_member(db, name, role, password):
        raise Refused(Flaw.TAKEN, name=name)
    set_communes(db, db.execute(select(staff.c.id).where(staff.c.name == name)).scalar_one(), codes)
    return password


def change(db: Connection, member_id: int, role: str, codes: Collection[str]) -> None:
    """Gives a login another role and other communes; they hold from its next page on. Raises Refused."""
    _must_fit(db, role, codes, had=communes_of(db, member_id))
    if role != "admin":
        _must_not_be_last(db, member_id)
    db.execute(update(staff).where(staff.c.id == member_id).values(role=role))
    set_communes(db, member_id, codes)


def end(db: Connection, member_id: int) -> bool:
    """Lets a login in no more. False when there is no such login. Raises Refused."""
    _must_not_be_last(db, member_id)
    return end_login(db, member_id)


def find(db: Connection, member_id: int) -> Row[Any] | None:
    """A login's row."""
    return db.execute(select(staff, has_factor.label("has_factor")).where(staff.c.id == member_id)).first()


def _must_fit(db: Connection, role: str, codes: Collection[str], had: Collection[str] = ()) -> None:
    if role not in ROLES:
        raise Refused(Flaw.ROLE)
    if role in OF_COMMUNES and not codes:
        raise Refused(Flaw.NO_COMMUNE, role=role)
    if role in OF_ALL and codes:
        raise Refused(Flaw.NO_NEED, role=role)
    known = list(db.scalars(select(communes.c.code).where(communes.c.active).order_by(communes.c.number)))
    for code in codes:
        if code not in known and code not in had:
            raise Refused(Flaw.UNKNOWN, code=code, known=", ".join(known[:10]) or "none")


def _must_not_be_last(db: Connection, member_id: int) -> None:
    """The admins are locked until the transaction ends: of two who take leave of each other, one stays."""
    admins = select(staff.c.id, staff.c.name).where(staff.c.active, staff.c.role == "admin").order_by(staff.c.id)
    names = {row.id: row.name for row in db.execute(admins.with_for_update())}
    if set(names) == {member_id}:
        raise Refused(Flaw.LAST_ADMIN, name=names[member_id])
