"""Contacts: people who asked for reminders, institutions, councillors. A store of its own, apart from raters.

The number is sealed, and looked up by its keyed hash. Names are those that staff wrote down; whoever asked by phone
has none.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    Select,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
    text,
)

from gateway.models.base import Hash, Moment, metadata
from gateway.models.messages import opt_outs
from gateway.models.places import places
from gateway.text import plain


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


@dataclass(frozen=True)
class Wanted:
    """Which contacts: all those that everything here is true of."""

    role: Role | None = None
    group: int | None = None
    commune: str | None = None
    text: str = ""
    """Somewhere in the name."""
    within: frozenset[str] | None = None
    """Of one of these communes; None: of any, or of none."""


def count_contacts(db: Connection, wanted: Wanted = Wanted()) -> int:
    """How many."""
    return db.scalar(_wanted(select(func.count()).select_from(contacts), wanted)) or 0


def listed_contacts(db: Connection, wanted: Wanted, first: int, size: int) -> Sequence[Row[Any]]:
    """So many contacts by name, then those without one, after skipping the `first`; see `_EACH`."""
    named = func.lower(contacts.c.name)
    ordered = _wanted(_EACH, wanted).order_by(contacts.c.name == "", named, contacts.c.id)
    return db.execute(ordered.offset(first).limit(size)).all()


def find_contact(db: Connection, contact: int) -> Row[Any] | None:
    """One contact."""
    return db.execute(_EACH.where(contacts.c.id == contact)).first()


def contact_of(db: Connection, phone: bytes) -> int | None:
    """The contact with a look-up key."""
    return db.scalar(select(contacts.c.id).where(contacts.c.phone == phone))


def communes_of_contacts(db: Connection, within: Collection[str] | None = None) -> Sequence[tuple[str, str, str]]:
    """The communes in which there are contacts (None: of all): code, Khmer and English name."""
    here: ColumnElement[bool] = places.c.code.in_(select(contacts.c.commune))
    if within is not None:
        here &= places.c.code.in_(within)
    found = select(places.c.code, places.c.name_km, places.c.name_en).where(here).order_by(places.c.code)
    return [(code, km, en) for code, km, en in db.execute(found)]


_EACH = (
    select(contacts, places.c.name_km, places.c.name_en, opt_outs.c.phone.is_not(None).label("stopped"))
    .outerjoin(places, places.c.code == contacts.c.commune)
    .outerjoin(opt_outs, opt_outs.c.phone == contacts.c.phone)
)
"""A contact, its commune's names, and whether it has asked for no more messages."""


def _wanted(statement: Select[Any], wanted: Wanted) -> Select[Any]:
    if wanted.role:
        statement = statement.where(contacts.c.role == wanted.role)
    if wanted.group is not None:
        members = select(group_members.c.contact_id).where(group_members.c.group_id == wanted.group)
        statement = statement.where(contacts.c.id.in_(members))
    if wanted.commune:
        statement = statement.where(contacts.c.commune == wanted.commune)
    if wanted.within is not None:
        statement = statement.where(contacts.c.commune.in_(wanted.within))
    if words := plain(" ".join(wanted.text.split())):
        statement = statement.where(contacts.c.name.icontains(words, autoescape=True))
    return statement
