"""What staff and operators did: who, when, what. It is only ever added to, until it is old (retention)."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, SmallInteger, Table, Text, text

from gateway.models.base import Moment, metadata

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
