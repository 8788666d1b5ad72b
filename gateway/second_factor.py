"""The second factor of a login: codes of an authenticator's app (RFC 6238), or printed ones. Each opens once.

The app's secret is sealed, printed codes are kept as keyed hashes: who reads the database can make neither.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from urllib.parse import urlsplit

import pyotp
import structlog
from sqlalchemy import Connection, delete, func, select, update

from gateway.config import STAFF, Settings
from gateway.models.staff import Member, has_factor, staff, staff_codes
from gateway.privacy import KeyProblem, Keys, Sealed
from gateway.text import western_digits

log = structlog.get_logger()

PURPOSE = "a second factor"
"""What the app's secret is sealed as."""
STEP_SECONDS = 30
WINDOW = 1
"""Steps before and after: the clock of a phone may be so far off."""
APP_DIGITS, PRINTED_DIGITS = 6, 10
PRINTED = 10
"""Codes on a sheet."""


def is_due(settings: Settings, member: Member) -> bool:
    """Whether a login has to set one up before anything else: it sees staff's figures, or its codes are used up."""
    return member.is_running_out or (settings.second_factor and member.role in STAFF and not member.has_factor)


def new_secret() -> str:
    """A secret for an app, 160 bits, in base32."""
    return pyotp.random_base32()


def address(settings: Settings, secret: str, name: str) -> str:
    """What the QR code holds; an app shows the issuer and the name beside the codes."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=f"Mati {urlsplit(settings.address).hostname}")


def step_of(secret: str, typed: str, now: datetime) -> int | None:
    """The step of an app's code, when it is one of now; else None."""
    code, this, app = digits(typed), int(now.timestamp()) // STEP_SECONDS, pyotp.TOTP(secret)
    steps = range(this - WINDOW, this + WINDOW + 1)
    right = [step for step in steps if pyotp.utils.strings_equal(code, app.generate_otp(step))]
    return right[0] if right else None


def set_app(db: Connection, keys: Keys, member_id: int, secret: str, step: int) -> None:
    """An app for a login, in place of the one before; `step` is that of the code by which it was tried."""
    sealed = keys.seal(secret, PURPOSE)
    values = {"factor": sealed.data, "factor_key": sealed.key, "factor_step": step, "factor_set": True}
    db.execute(update(staff).where(staff.c.id == member_id).values(values))


def has_app(db: Connection, member_id: int) -> bool:
    """Whether an app is set up."""
    return bool(db.scalar(select(staff.c.factor.is_not(None)).where(staff.c.id == member_id)))


def is_app(db: Connection, keys: Keys, member_id: int, secret: str) -> bool:
    """Whether this is the secret of the app that is set up: its form came twice."""
    return _secret(db, keys, member_id) == secret


def forget_app(db: Connection, member_id: int) -> None:
    """The app opens nothing any more; printed codes stay."""
    db.execute(update(staff).where(staff.c.id == member_id).values(factor=None, factor_key=None))


def print_codes(db: Connection, keys: Keys, member_id: int) -> list[str]:
    """A new sheet of codes; those of the sheet before are dead."""
    forget_codes(db, member_id)
    codes: set[str] = set()
    while len(codes) < PRINTED:
        codes.add(f"{secrets.randbelow(10**PRINTED_DIGITS):0{PRINTED_DIGITS}}")
    db.execute(staff_codes.insert(), [{"staff_id": member_id, "code": _hash(keys, member_id, one)} for one in codes])
    db.execute(update(staff).where(staff.c.id == member_id).values(factor_set=True))
    return list(codes)


def codes_left(db: Connection, member_id: int) -> int:
    """How many printed codes have not been used."""
    return db.scalar(select(func.count()).select_from(staff_codes).where(staff_codes.c.staff_id == member_id)) or 0


def forget_codes(db: Connection, member_id: int) -> None:
    """No printed code opens anything any more."""
    db.execute(delete(staff_codes).where(staff_codes.c.staff_id == member_id))


def use(db: Connection, keys: Keys, member_id: int, typed: str, now: datetime) -> bool:
    """Whether this is a code of a login, of the app or printed; then it is used up, even where two come at once."""
    code = digits(typed)
    if len(code) == PRINTED_DIGITS:
        mine = (staff_codes.c.staff_id == member_id) & (staff_codes.c.code == _hash(keys, member_id, code))
        return db.execute(delete(staff_codes).where(mine)).rowcount == 1
    secret = _secret(db, keys, member_id)
    step = step_of(secret, code, now) if secret else None
    if step is None:
        return False
    later = update(staff).where(staff.c.id == member_id, staff.c.factor_step < step).values(factor_step=step)
    return db.execute(later).rowcount == 1


def go_without(db: Connection, member_id: int) -> None:
    """The password alone opens, where neither the app nor a printed code is left: for who needs no second factor."""
    db.execute(update(staff).where(staff.c.id == member_id, ~has_factor).values(factor_set=False))


def digits(typed: str) -> str:
    """A code as it was typed, with Khmer digits, spaces or hyphens, as bare digits; anything else is no code."""
    code = "".join(western_digits(typed).replace("-", "").split())
    return code if code.isascii() and code.isdigit() else ""


def _secret(db: Connection, keys: Keys, member_id: int) -> str | None:
    row = db.execute(select(staff.c.factor_key, staff.c.factor).where(staff.c.id == member_id)).first()
    if row is None or row.factor is None:
        return None
    try:
        return keys.open(Sealed(row.factor_key, row.factor), PURPOSE)
    except KeyProblem as problem:  # an admin resets it: nobody comes in by it
        log.error("panel.factor_unreadable", member=member_id, error=str(problem))
        return None


def _hash(keys: Keys, member_id: int, code: str) -> bytes:
    return keys.lookup(f"panel code {member_id} {code}")
