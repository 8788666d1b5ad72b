"""Contacts as staff see them on a page: the number masked, and whether they have stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import abort, render_template
from flask_login import current_user
from sqlalchemy import Connection, Row

from admin.messaging.contact_form import ROLES
from admin.scope import groups_seen
from admin.wording import Wording, spoken
from gateway.config import Settings
from gateway.contacts import groups
from gateway.menus.phrases import Name, Words
from gateway.models.contacts import Wanted, find_contact, listed_contacts
from gateway.phones import masked
from gateway.privacy import KeyProblem, Keys, Sealed

PAGE = 50
"""Contacts a page."""
LAST_ID = 2**31 - 1


@dataclass(frozen=True)
class Line:
    """A contact on a page."""

    id: int
    name: str
    address: str
    number: str | None
    """Masked; None where it cannot be opened."""
    role: Words
    commune: Name | None
    stopped: bool
    groups: list[tuple[int, str]]


def lines(db: Connection, keys: Keys, wanted: Wanted, first: int, size: int = PAGE) -> list[Line]:
    """So many contacts as staff see them."""
    rows = listed_contacts(db, wanted, first, size)
    inside, seen = groups.groups_of(db, [row.id for row in rows]), groups_seen(db)
    return [line(keys, row, [one for one in inside.get(row.id, []) if seen is None or one[0] in seen]) for row in rows]


def line(keys: Keys, row: Row[Any], inside: list[tuple[int, str]]) -> Line:
    """A contact as staff see it."""
    try:
        number = masked(keys.open_number(Sealed(row.number_key, row.number)))
    except KeyProblem:
        number = None
    commune = Name(row.name_km, row.name_en, row.name_en) if row.commune else None
    return Line(row.id, row.name, row.address, number, ROLES[row.role], commune, row.stopped, inside)


def numbered(keys: Keys, row: Row[Any], name: str, back: str) -> str:
    """The page that shows a number in full, once: of a contact or of a message. The audit log keeps who asked."""
    if row.number is None:
        abort(404)
    try:
        number = keys.open_number(Sealed(row.number_key, row.number))
    except KeyProblem:
        number = None
    return render_template("admin/number.html", number=number, name=name, back=back)


def found(db: Connection, contact: int) -> Row[Any]:
    """A contact that is there."""
    return (find_contact(db, contact) if contact <= LAST_ID else None) or abort(404)


def wording_for(settings: Settings) -> Wording:
    """The words of who is logged in, for sentences with values that stand on the next page."""
    return Wording(spoken(current_user.member.language, settings.default_language), settings.zone)
