"""Information pages: fees, hours, papers, budgets, notices; for one commune or for all. And how often they are read."""

from __future__ import annotations

import enum
import json
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Row,
    Table,
    Text,
    text,
)
from sqlalchemy.sql.expression import false

from gateway.config import Language
from gateway.models.base import Moment, metadata


class About(enum.StrEnum):
    """What a page tells (DOMAIN.md, table, rows 9 and 15)."""

    FEES = "fees"
    HOURS = "hours"
    PAPERS = "papers"
    BUDGET = "budget"
    """Three figures of a year, from which its text is made."""
    NOTICE = "notice"
    """Of procurement or a concession: what, from whom, the price. No comments are taken on it."""
    OTHER = "other"


information = Table(
    "information",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("commune", ForeignKey("communes.code")),  # None: for all
    Column("service_id", ForeignKey("services.id")),  # None: about no single one
    Column("about", Text, nullable=False),
    Column("words", Text, nullable=False, server_default=text("''")),  # JSON: lists by language
    Column("title", Text, nullable=False),  # JSON, by language; so are body and source
    Column("body", Text, nullable=False),
    Column("figures", Text),  # JSON: of a budget or a notice
    Column("source", Text, nullable=False),  # printed below it
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date),  # its last day
    Column("archived", Boolean, nullable=False, server_default=false()),
    Column("author", ForeignKey("staff.id")),
    Column("created", Moment, nullable=False),
    Column("changed", Moment, nullable=False),
    CheckConstraint(f"about IN ({', '.join(repr(str(one)) for one in About)})", name="about"),
)
Index("ix_information_commune", information.c.commune)

information_reads = Table(
    "information_reads",
    metadata,
    # how often, and nothing of who
    Column("page", ForeignKey("information.id", ondelete="CASCADE"), primary_key=True),
    Column("month", Date, primary_key=True),  # its first day
    Column("channel", Text, primary_key=True),
    Column("times", Integer, nullable=False),
)


def words_of(row: Row[Any]) -> dict[Language, list[str]]:
    """The words by which a page is asked for, as they were written."""
    found: dict[Language, list[str]] = json.loads(row.words or "{}")
    return found
