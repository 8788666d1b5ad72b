"""Logins for the panel: who gets one, for which communes. Ending one and letting it in again is `models.staff`'s."""

from __future__ import annotations

import enum
from collections.abc import Collection

from sqlalchemy import Connection, select

from gateway.config import ROLES
from gateway.errors import Told
from gateway.models.places import communes
from gateway.models.staff import add_member, new_password, set_communes, staff

OF_COMMUNES = ("council", "volunteer")
"""Roles that see or record in communes of their own, and nowhere else."""
LONGEST_NAME = 60


class Flaw(enum.Enum):
    """What is wrong with a login that was to be added."""

    NAME = "a login needs a name, of at most 60 characters"
    ROLE = "there is no such role"
    TAKEN = "{name} has a login already; for a new password: mati staff reset {name}"
    NO_COMMUNE = "a login of the role {role} needs a commune: --commune CODE, such as --commune 010806"
    NO_NEED = "a login of the role {role} sees all communes; leave --commune away"
    UNKNOWN = "commune {code} takes no part in the programme; those that do: {known}"


USAGE = (Flaw.NAME, Flaw.NO_COMMUNE, Flaw.NO_NEED)
"""Flaws in how it was asked for, whatever the database holds."""


class Refused(Told):
    """A login cannot be added; `flaw` says why. Nothing was changed."""

    def __init__(self, flaw: Flaw, **values: str) -> None:
        super().__init__(flaw.value.format(**values))
        self.flaw = flaw


def add(db: Connection, name: str, role: str, codes: Collection[str]) -> str:
    """Adds a login; returns its one-time password. Raises Refused."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused(Flaw.NAME)
    if role not in ROLES:
        raise Refused(Flaw.ROLE)
    if role in OF_COMMUNES and not codes:
        raise Refused(Flaw.NO_COMMUNE, role=role)
    if role not in OF_COMMUNES and codes:
        raise Refused(Flaw.NO_NEED, role=role)
    known = list(db.scalars(select(communes.c.code).where(communes.c.active).order_by(communes.c.number)))
    for code in codes:
        if code not in known:
            raise Refused(Flaw.UNKNOWN, code=code, known=", ".join(known[:10]) or "none")
    password = new_password()
    if not add_member(db, name, role, password):
        raise Refused(Flaw.TAKEN, name=name)
    set_communes(db, db.execute(select(staff.c.id).where(staff.c.name == name)).scalar_one(), codes)
    return password
