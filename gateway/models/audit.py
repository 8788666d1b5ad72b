"""What staff and operators did: who, when, what. It is only ever added to, until it is old (retention)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Column, Connection, ForeignKey, Index, Integer, SmallInteger, Table, Text, text, update

from gateway.models.base import Moment, metadata
from gateway.phones import scrub

DONE = 200
"""The status of what was done, in words of HTTP; a command's, too."""

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("member", ForeignKey("staff.id")),  # None: the operator, by a command; or somebody not logged in
    Column("deed", Text, nullable=False),  # the panel's endpoint, or the command
    Column("of", Text, nullable=False, server_default="{}"),  # JSON: what it was done to, as the address names it
    Column("details", Text, nullable=False, server_default="{}"),  # JSON: what is worth telling; no number, no password
    Column("status", SmallInteger),  # of HTTP; None: begun, and not known to have ended
    Column("commune", Text, nullable=False, server_default=text("''")),  # whose it is, where it is one's
)
Index("ix_audit_log_at", audit_log.c.at)
Index("ix_audit_log_member", audit_log.c.member, audit_log.c.id)


def note(
    db: Connection,
    deed: str,
    now: datetime,
    *,
    member: int | None = None,
    of: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
    status: int | None = DONE,
    commune: str = "",
) -> int:
    """Adds an entry; returns its id."""
    values = {
        "at": now, "member": member, "deed": deed, "of": as_json(of or {}), "details": as_json(details or {}),
        "status": status, "commune": commune,
    }  # fmt: skip
    made: int = db.execute(audit_log.insert().values(values).returning(audit_log.c.id)).scalar_one()
    return made


def note_end(db: Connection, entry: int, status: int, details: Mapping[str, Any]) -> None:
    """How a deed that was noted ended, and what is worth telling of it."""
    db.execute(update(audit_log).where(audit_log.c.id == entry).values(status=status, details=as_json(details)))


def as_json(values: Mapping[str, Any]) -> str:
    """What is kept: no phone number, in whatever way somebody typed it."""
    return json.dumps({name: blotted(value) for name, value in values.items()}, ensure_ascii=False)


def blotted(value: Any) -> Any:
    """A value for JSON, without numbers of phones."""
    match value:
        case str():
            return _NUMBER.sub(lambda found: found[0] if found["day"] else "[number]", scrub(value))
        case date():
            return value.isoformat()
        case Mapping():
            return {str(name): blotted(one) for name, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [blotted(one) for one in value]
        case _:
            return value


_NUMBER = re.compile(r"(?<![A-Za-z0-9])(?:(?P<day>\d{4}-\d\d-\d\d)|\d(?:[\s().\-/]{0,3}\d){7,})(?![A-Za-z0-9])")
"""Stricter than the log's `scrub`: a name or a title may lose a long number that is none of a phone."""
