"""Contacts: people who asked for reminders, institutions, councillors. A store of its own, apart from raters.

The number is sealed, and looked up by its keyed hash. Names are those that staff wrote down; whoever asked by phone
has none.
"""

from __future__ import annotations

import enum

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.models.base import Hash, Moment, metadata


class Role(enum.StrEnum):
    """What a contact is to the programme."""

    PERSON = "person"
    """Asked for reminders."""
    INSTITUTION = "institution"
    """Of the network's list (DOMAIN.md, table, row 11)."""
    COUNCILLOR = "councillor"
    """Gets the weekly tally of the commune."""


contacts = Table(
    "contacts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("phone", Hash, nullable=False),  # the look-up key of the number
    Column("number", LargeBinary, nullable=False),  # sealed as messages' numbers are
    Column("number_key", Integer, nullable=False),
    Column("operator", Text),  # for routes: numbers are not opened to find it
    Column("role", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=text("''")),
    Column("address", Text, nullable=False, server_default=text("''")),
    Column("language", Text),  # None: the programme's
    Column("commune", ForeignKey("places.code")),
    Column("source", Text, nullable=False),  # SMS, USSD, import, panel
    Column("consent", Text, nullable=False, server_default=text("''")),  # where and when they agreed, in words
    Column("since", Date, nullable=False),
    UniqueConstraint("phone"),
    CheckConstraint(f"role IN ({', '.join(repr(str(role)) for role in Role)})", name="role"),
)
Index("ix_contacts_commune_role", contacts.c.commune, contacts.c.role)

groups = Table(
    "groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("made", Moment, nullable=False),
    UniqueConstraint("name"),
)

group_members = Table(
    "group_members",
    metadata,
    Column("group_id", ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Column("contact_id", ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True, index=True),
)
