"""People who log in to the panel."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    delete,
    exists,
    func,
    select,
    text,
    update,
)
from sqlalchemy.sql.expression import false, true

from gateway.models.base import Hash, Moment, metadata
from gateway.models.store import insert, insert_new

staff = Table(
    "staff",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("password", Text, nullable=False),  # argon2
    Column("one_time", Boolean, nullable=False, server_default=false()),  # must be changed at the next login
    Column("language", Text, nullable=False, server_default="km"),
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("last_login", Moment),
    # whether a second factor was set up: without a code that is left nobody comes in then
    Column("factor_set", Boolean, nullable=False, server_default=false()),
    # the secret of the authenticator's app, sealed; None: no app
    Column("factor", LargeBinary),
    Column("factor_key", Integer),
    Column("factor_step", Integer, nullable=False, server_default="0"),  # of the last code used: none is used twice
    UniqueConstraint("name"),
    CheckConstraint("role IN ('admin', 'staff', 'council', 'volunteer')", name="role"),
)

staff_communes = Table(
    "staff_communes",
    metadata,
    # whose figures a council's login sees; where a volunteer's login records; staff without any see all
    Column("staff_id", ForeignKey("staff.id"), primary_key=True),
    Column("commune", ForeignKey("communes.code"), primary_key=True),
)

staff_codes = Table(
    "staff_codes",
    metadata,
    # printed codes, each for one login without the app; those used are gone
    Column("staff_id", ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True),
    Column("code", Hash, primary_key=True),
)

invitations = Table(
    "invitations",
    metadata,
    # a link by which somebody sets a first password; gone once it was used
    Column("token", Hash, primary_key=True),
    Column("staff_id", ForeignKey("staff.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires", Moment, nullable=False),
    Column("by", ForeignKey("staff.id")),
)

staff_sessions = Table(
    "staff_sessions",
    metadata,
    # a login in a browser; gone when it ended
    Column("id", Hash, primary_key=True),  # of the secret in the cookie
    Column("staff_id", ForeignKey("staff.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("began", Moment, nullable=False),
    Column("seen", Moment, nullable=False),
    Column("browser", Text, nullable=False, server_default=text("''")),  # its name, for who looks at the list
)

_hasher = PasswordHasher()
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of passwords: none that is read for another."""


@dataclass(frozen=True)
class Member:
    """Somebody who logs in."""

    id: int
    name: str
    role: str
    one_time: bool
    language: str
    password: str = field(repr=False)
    """Its argon2 hash."""
    has_factor: bool
    """Whether an authenticator's app or printed codes are asked for beside the password."""
    is_running_out: bool
    """Whether one was set up, and there is no app and no printed code any more, or one: a new sheet comes first."""

    @property
    def is_shut_out(self) -> bool:
        """Whether the password opens nothing: all printed codes are used. An admin resets it, or an operator."""
        return self.is_running_out and not self.has_factor


has_factor = staff.c.factor.is_not(None) | exists().where(staff_codes.c.staff_id == staff.c.id)
_codes_left = select(func.count()).where(staff_codes.c.staff_id == staff.c.id).correlate(staff).scalar_subquery()
_is_running_out = staff.c.factor_set & staff.c.factor.is_(None) & (_codes_left <= 1)
MEMBER = (staff.c.id, staff.c.name, staff.c.role, staff.c.one_time, staff.c.language, staff.c.password,
          has_factor.label("has_factor"), _is_running_out.label("is_running_out"))  # fmt: skip
"""The columns of a Member, in their order."""


def new_password() -> str:
    """A password that can be read out over the telephone: 59 random bits in groups of four."""
    return password_of(secrets.token_hex(32))


def password_of(secret: str) -> str:
    """A password made of a secret in hex, always the same one: for a form that may come twice."""
    number, signs = int(secret, 16), ""
    for _ in range(12):
        number, sign = divmod(number, len(_LETTERS))
        signs += _LETTERS[sign]
    return "-".join(signs[start : start + 4] for start in range(0, len(signs), 4))


def add_member(db: Connection, name: str, role: str, password: str, *, one_time: bool = True) -> bool:
    """Adds a login. False when the name is taken."""
    values = {"name": name, "role": role, "password": _hasher.hash(password), "one_time": one_time}
    return insert_new(db, insert(staff, db.dialect.name).values(values))


def id_of(db: Connection, name: str) -> int | None:
    """The id of the login of a name."""
    return db.scalar(select(staff.c.id).where(staff.c.name == name))


def set_communes(db: Connection, member_id: int, codes: Collection[str]) -> None:
    """The communes of a login: whose figures a council's sees, where a volunteer's records."""
    db.execute(delete(staff_communes).where(staff_communes.c.staff_id == member_id))
    if codes:
        db.execute(staff_communes.insert(), [{"staff_id": member_id, "commune": code} for code in sorted(set(codes))])


def communes_of(db: Connection, member_id: int) -> list[str]:
    """The codes of a login's communes."""
    mine = select(staff_communes.c.commune).where(staff_communes.c.staff_id == member_id)
    return list(db.scalars(mine.order_by(staff_communes.c.commune)))


def end_login(db: Connection, member_id: int) -> bool:
    """Lets a login in no more; whoever is in with it is out. False when there is no such login."""
    _close(db, member_id)
    return db.execute(update(staff).where(staff.c.id == member_id).values(active=False)).rowcount == 1


def let_in(db: Connection, member_id: int, password: str) -> str | None:
    """A new one-time password for a login, also for one that was ended. Its name; None when there is no such login.

    Whoever is in with it is out, and its second factor is to be set up anew.
    """
    forget_factor(db, member_id)
    _close(db, member_id)
    values = {"password": _hasher.hash(password), "one_time": True, "active": True}
    changed = update(staff).where(staff.c.id == member_id).values(values)
    name: str | None = db.scalar(changed.returning(staff.c.name))
    return name


def reset_password(db: Connection, name: str, password: str, *, one_time: bool = True) -> bool:
    """Gives a login another password, as `let_in` does, but by its name. False when there is no such login."""
    member_id = id_of(db, name)
    if member_id is None:
        return False
    forget_factor(db, member_id)
    _set_password(db, member_id, password, one_time=one_time)
    return True


def choose_password(db: Connection, member_id: int, password: str) -> None:
    """A password that a member chose; wherever they are logged in with the one before, they are out."""
    _set_password(db, member_id, password, one_time=False)


def forget_factor(db: Connection, member_id: int) -> None:
    """Neither the app nor a printed code opens anything any more, or is asked for."""
    db.execute(delete(staff_codes).where(staff_codes.c.staff_id == member_id))
    gone = {"factor": None, "factor_key": None, "factor_step": 0, "factor_set": False}
    db.execute(update(staff).where(staff.c.id == member_id).values(gone))


def _set_password(db: Connection, member_id: int, password: str, *, one_time: bool) -> None:
    _close(db, member_id)
    values = {"password": _hasher.hash(password), "one_time": one_time}
    db.execute(update(staff).where(staff.c.id == member_id).values(values))


def _close(db: Connection, member_id: int) -> None:
    """Ends what was begun with a password, and the link that would set one."""
    db.execute(delete(staff_sessions).where(staff_sessions.c.staff_id == member_id))
    db.execute(delete(invitations).where(invitations.c.staff_id == member_id))


def verify(db: Connection, name: str, password: str) -> Member | None:
    """The member who logs in with these, or None. Takes as long for a wrong name as for a wrong password."""
    row = db.execute(select(*MEMBER).where(staff.c.name == name, staff.c.active)).first()
    try:
        _hasher.verify(row.password if row else _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return None
    return Member(*row) if row else None


def find_member(db: Connection, member_id: int) -> Member | None:
    """An active login by its id."""
    row = db.execute(select(*MEMBER).where(staff.c.id == member_id, staff.c.active)).first()
    return Member(*row) if row else None


def note_login(db: Connection, member_id: int, now: datetime) -> None:
    """Keeps when a member last logged in."""
    db.execute(update(staff).where(staff.c.id == member_id).values(last_login=now))


def speak(db: Connection, member_id: int, language: str) -> None:
    """Keeps a member's language."""
    db.execute(update(staff).where(staff.c.id == member_id).values(language=language))


_NOBODY = f"$argon2id$v=19$m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}${'A' * 22}${'A' * 43}"
"""A hash of no password that takes as long to compare with as any. Written out: making one here would cost each process
80 ms and 64 MB at its start."""
