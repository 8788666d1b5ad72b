"""Issues that groups of villagers raise with authorities, and how far they are solved (DOMAIN.md, table, row 8)."""

from __future__ import annotations

import enum

from sqlalchemy import CheckConstraint, Column, Date, ForeignKey, Index, Integer, Table, Text, text

from gateway.models.base import Moment, metadata


class Solved(enum.StrEnum):
    """How far."""

    OPEN = "open"
    PARTLY = "partly"
    FULLY = "fully"


group_issues = Table(
    "group_issues",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("raised_by", Text, nullable=False),  # the group, by its name
    Column("group_id", ForeignKey("groups.id", ondelete="SET NULL")),  # of contacts, where it is one
    Column("commune", ForeignKey("communes.code")),  # None: of several, or of a district
    Column("subject", Text, nullable=False),
    Column("to_whom", Text, nullable=False),
    Column("since", Date, nullable=False),
    Column("solved", Text, nullable=False, server_default=Solved.OPEN),
    Column("done", Text, nullable=False, server_default=text("''")),  # what was done
    Column("author", ForeignKey("staff.id")),
    Column("created", Moment, nullable=False),
    Column("changed", Moment, nullable=False),
    CheckConstraint(f"solved IN ({', '.join(repr(str(one)) for one in Solved)})", name="solved"),
)
Index("ix_group_issues_since", group_issues.c.since)

issue_changes = Table(
    "issue_changes",
    metadata,
    # how far it was solved, and since when; the first one included: the share of a year is made of these
    Column("id", Integer, primary_key=True),
    Column("issue", ForeignKey("group_issues.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("solved", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("note", Text, nullable=False, server_default=text("''")),
    Column("by", ForeignKey("staff.id")),
    Column("at", Moment, nullable=False),
)
