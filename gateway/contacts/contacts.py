"""Contacts: people who asked for reminders, institutions, councillors. Kept apart from raters (DOMAIN.md, Privacy).

A contact is found by the keyed hash of its number; the number itself is sealed. An opt-out is kept elsewhere and
wins over all of this: who has stopped is in no audience, whatever a file or a page says.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, delete, update

from gateway import phones
from gateway.config import Language, Settings
from gateway.models.contacts import Role, contacts
from gateway.models.messages import opt_in, opt_out
from gateway.models.store import insert
from gateway.privacy import Keys
from gateway.text import plain, western_digits


class Flaw(enum.StrEnum):
    """What can be wrong with what somebody wrote down of a contact."""

    EMPTY = "is empty"
    ROUNDED = "a spreadsheet rounded this number and its digits are gone; format the column as text, then type it again"
    SEVERAL = "more than one number; give each a line of its own"
    NOT_DIGITS = "a phone number has digits only"
    SHORT = "too short: short codes and services are no contacts"
    LENGTH = "not the length of a phone number; a Cambodian one has 8 or 9 digits after the 0 or 855"
    NOT_MOBILE = "not the number of a mobile phone, so that no SMS reaches it"
    ABROAD = "the number of a country that is not served; served are numbers with {codes}"
    FORMULA = "begins with {sign}, and a spreadsheet would take it for a formula; write it without"
    TOO_LONG = "longer than {most} characters"
    NO_CONSENT = "this person's consent is missing; write where and when they agreed to get messages"
    NO_COMMUNE = "a councillor needs a commune, the one whose tally they get"


class Refused(ValueError):
    """Something written down is not taken; `flaw` with its `values` says why, and never repeats a number."""

    def __init__(self, flaw: enum.StrEnum, **values: str) -> None:
        super().__init__(flaw.format(**values))
        self.flaw = flaw
        self.values: Mapping[str, str] = values


NAME, ADDRESS, CONSENT = 100, 300, 300
"""Characters at most."""


@dataclass(frozen=True)
class Details:
    """What is known of a contact beside the number."""

    role: Role
    name: str = ""
    address: str = ""
    language: Language | None = None
    """None: the programme's."""
    commune: str | None = None
    consent: str = ""
    """Of a person: where and when they agreed."""


# what somebody wrote down -------------------------------------------------------------------------

_AS_TEXT = re.compile(r"""=\s*"(?P<quoted>[^"]*)"|'(?P<marked>.*)""", re.DOTALL)
"""`="012…"` and `'012…`: how people keep a spreadsheet from eating a leading 0."""
_ROUNDED = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+")
_FRACTION = re.compile(r"(\+?\d{8,})[.,]0+")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
_BETWEEN = re.compile(r"[/;,|&\n]|\b(?:or|and)\b|ឬ|និង", re.IGNORECASE)
_SHORT = 6
_FORMULA = "=+-@"
_NOTHING = frozenset("-–—.")


def mobile(text: str, settings: Settings) -> str:
    """The E.164 number of a mobile phone we may write to, from what was typed or what a spreadsheet left of it.

    Of several numbers none is taken: which one is the right one only people know. Raises Refused.
    """
    written = western_digits(plain(text)).strip()
    if wrapped := _AS_TEXT.fullmatch(written):
        written = (wrapped["quoted"] or wrapped["marked"] or "").strip()
    if _ROUNDED.fullmatch(written):
        raise Refused(Flaw.ROUNDED)
    if fraction := _FRACTION.fullmatch(written):
        written = fraction[1]
    if _GROUPED.fullmatch(written):
        written = written.replace(",", "")
    if sum(any(map(str.isdigit, piece)) for piece in _BETWEEN.split(written)) > 1:
        raise Refused(Flaw.SEVERAL)
    digits = re.sub(r"\D", "", written)
    if not written:
        raise Refused(Flaw.EMPTY)
    try:
        number = phones.e164(written, settings.countries[0])
    except phones.NotANumber:
        if re.search(r"[^\W\d_]", written) or not digits:
            raise Refused(Flaw.NOT_DIGITS) from None
        raise Refused(Flaw.SHORT if len(digits) <= _SHORT else Flaw.LENGTH) from None
    if phones.calling_code(number, settings.countries) is None:
        raise Refused(Flaw.ABROAD, codes=", ".join("+" + code for code in settings.countries))
    if not phones.is_mobile(number):
        raise Refused(Flaw.NOT_MOBILE)
    return number


def words(text: str, most: int) -> str:
    """A name or the like: on one line, without what does not show; a dash alone is nothing. Raises Refused."""
    said = plain(" ".join(text.split()))
    if _NOTHING.issuperset(said):
        return ""
    if said[0] in _FORMULA:
        raise Refused(Flaw.FORMULA, sign=said[0])
    if len(said) > most:
        raise Refused(Flaw.TOO_LONG, most=str(most))
    return said


# coming and going ---------------------------------------------------------------------------------


def subscribe(
    db: Connection,
    keys: Keys,
    number: str,
    *,
    language: Language | None,
    commune: str | None,
    source: str,
    today: date,
) -> None:
    """Somebody asks for reminders, by SMS or the menu (`source`): from now on they get them, also after a stop.

    Who is in the list already keeps name, address and groups; a person's language and commune become those given.
    An institution or a councillor stays what it is: its commune says whose tally it gets.
    """
    values = _sealed(keys, number) | {
        "role": Role.PERSON, "language": language, "commune": commune, "source": source, "since": today,
    }  # fmt: skip
    statement = insert(contacts, db.dialect.name).values(values)
    theirs = {name: value for name, value in (("language", language), ("commune", commune)) if value is not None}
    known = [contacts.c.phone]
    if theirs:
        is_person = contacts.c.role == Role.PERSON
        db.execute(statement.on_conflict_do_update(index_elements=known, set_=theirs, where=is_person))
    else:
        db.execute(statement.on_conflict_do_nothing(index_elements=known))
    opt_in(db, values["phone"])


def unsubscribe(db: Connection, keys: Keys, number: str) -> None:
    """Somebody wants no more reminders: a person leaves the contacts, an institution or a councillor stays."""
    db.execute(delete(contacts).where(contacts.c.phone == keys.lookup(number), contacts.c.role == Role.PERSON))


def speak(db: Connection, keys: Keys, number: str, language: Language) -> None:
    """Somebody chose a language on their phone: a person's reminders come in it, too."""
    mine = (contacts.c.phone == keys.lookup(number)) & (contacts.c.role == Role.PERSON)
    db.execute(update(contacts).where(mine).values(language=language))


def add(db: Connection, keys: Keys, number: str, details: Details, today: date) -> int | None:
    """Somebody whom staff wrote down; returns the new contact's id, None when the number is there already."""
    values = _sealed(keys, number) | asdict(details) | {"source": "panel", "since": today}
    statement = insert(contacts, db.dialect.name).values(values).on_conflict_do_nothing(index_elements=["phone"])
    made: int | None = db.scalar(statement.returning(contacts.c.id))
    return made


def change(db: Connection, contact: int, details: Details) -> bool:
    """What is known from now on; False when there is no such contact."""
    return db.execute(update(contacts).where(contacts.c.id == contact).values(asdict(details))).rowcount == 1


def remove(db: Connection, contact: int, *, stop: date | None = None) -> bool:
    """Takes a contact away, from all groups too; False when it is gone already.

    `stop`: they asked staff for no more messages, on that day. Then no later file brings them back.
    """
    phone = db.scalar(delete(contacts).where(contacts.c.id == contact).returning(contacts.c.phone))
    if phone is not None and stop:
        opt_out(db, phone, stop, "staff")
    return phone is not None


def lacking(details: Details, *, agreed: bool = False) -> Mapping[str, Flaw]:
    """What is missing, by field: a councillor's commune; a person's consent, unless they `agreed` otherwise."""
    flaws: dict[str, Flaw] = {}
    if details.role is Role.PERSON and not details.consent and not agreed:
        flaws["consent"] = Flaw.NO_CONSENT
    if details.role is Role.COUNCILLOR and not details.commune:
        flaws["commune"] = Flaw.NO_COMMUNE
    return flaws


def _sealed(keys: Keys, number: str) -> dict[str, Any]:
    sealed = keys.seal_number(number)
    return {
        "phone": keys.lookup(number), "number": sealed.data, "number_key": sealed.key,
        "operator": phones.operator(number),
    }  # fmt: skip
