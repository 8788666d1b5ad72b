"""Volunteers, as staff keep them: registered, changed, switched off, with a login for the panel or without one.

A volunteer's number is sealed, and found by its keyed hash, as those of contacts are; the two know nothing of each
other. Whoever is switched off records no more, on the phone or on the panel, and what they recorded stays.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, update

from gateway import logins
from gateway.config import Settings
from gateway.contacts import contacts
from gateway.contacts.contacts import Refused
from gateway.models.places import communes
from gateway.models.rounds import round_communes
from gateway.models.staff import communes_of, end_login, let_in, new_password, password_of, set_communes, staff, verify
from gateway.models.store import insert, insert_new
from gateway.models.volunteers import recorded, volunteers
from gateway.privacy import Keys

NAME = 60
"""Characters at most."""
ROLE = "volunteer"


class Flaw(enum.StrEnum):
    """What can be wrong with what was typed of a volunteer."""

    NO_NAME = "the name is missing"
    NO_COMMUNE = "choose the commune in which they record"
    NO_WAY = "a volunteer needs a number, or a login for the panel"
    TAKEN = "another volunteer has this number"
    LOGIN_TAKEN = "there is a login of this name already"
    NO_LOGIN = "a login needs a name, of at most 60 characters"


@dataclass(frozen=True)
class Details:
    """What was typed; checked when it is stored."""

    name: str
    commune: str
    number: str = ""
    """As typed; when a volunteer is changed, empty keeps the one there is."""


def register(
    db: Connection, keys: Keys, settings: Settings, given: Details, today: date, *, with_login: bool = False
) -> int:
    """Registers a volunteer; returns the id. Raises Refused, and has changed nothing then."""
    values = _checked(db, keys, settings, given)
    if "phone" not in values and not with_login:
        raise Refused(Flaw.NO_WAY)
    made = db.execute(volunteers.insert().values(values | {"since": today})).inserted_primary_key
    assert made is not None
    return int(made[0])


def register_with_login(
    db: Connection, keys: Keys, settings: Settings, given: Details, login: str, today: date, by: int, form: str
) -> tuple[int, tuple[str, str]]:
    """Registers a volunteer with a login; returns the id, and the login's name and password. Raises Refused.

    A form that comes twice (`form` is its own name) makes one and is answered with the same password, which is derived
    from all of it: the answer to the first click never reaches the screen. Once the password was changed it is over.
    """
    name = " ".join(login.split())
    written = json.dumps([by, form, given.name, given.commune, given.number, name])
    password = password_of(keys.derived(f"panel volunteer {written}"))
    # of two clicks at once the second waits here, and finds what the first made
    db.execute(select(staff.c.id).where(staff.c.id == by).with_for_update())
    there = verify(db, name, password)
    if there is not None:
        mine = db.scalar(select(volunteers.c.id).where(volunteers.c.staff_id == there.id))
        if mine is not None:
            return mine, (name, password)
    made = register(db, keys, settings, given, today, with_login=True)
    return made, give_login(db, made, name, password)


def change(db: Connection, keys: Keys, settings: Settings, volunteer: int, given: Details) -> None:
    """Changes what is known of a volunteer; a login of theirs records in the new commune, too. Raises Refused."""
    values = _checked(db, keys, settings, given, volunteer)
    db.execute(update(volunteers).where(volunteers.c.id == volunteer).values(values))
    if (login := login_of(db, volunteer)) is not None and login.role == ROLE:
        set_communes(db, login.id, {*communes_of(db, login.id), values["commune"]})


def switch(db: Connection, volunteer: int, *, on: bool) -> None:
    """Lets a volunteer record, or no more. A login of theirs ends with it; a new password lets it in again."""
    db.execute(update(volunteers).where(volunteers.c.id == volunteer).values(active=on))
    login = login_of(db, volunteer)
    if login is not None and login.role == ROLE and not on:
        end_login(db, login.id)


def give_login(db: Connection, volunteer: int, name: str, password: str | None = None) -> tuple[str, str]:
    """A login for the panel, or a new password for the one there is: its name and password. Raises Refused.

    The password is a new one unless it is given.
    """
    password = password or new_password()
    row = find(db, volunteer)
    assert row is not None
    if (login := login_of(db, volunteer)) is not None:
        return let_in(db, login.id, password) or login.name, password
    name = " ".join(name.split())
    try:
        logins.add(db, name, ROLE, [row.commune], password)
    except logins.Refused as refusal:
        raise Refused(Flaw.LOGIN_TAKEN if refusal.flaw is logins.Flaw.TAKEN else Flaw.NO_LOGIN) from None
    made = db.execute(select(staff.c.id).where(staff.c.name == name)).scalar_one()
    db.execute(update(volunteers).where(volunteers.c.id == volunteer).values(staff_id=made))
    return name, password


# looking up ---------------------------------------------------------------------------------------


def find(db: Connection, volunteer: int) -> Row[Any] | None:
    """A volunteer's row."""
    return db.execute(select(volunteers).where(volunteers.c.id == volunteer)).first()


def login_of(db: Connection, volunteer: int) -> Row[Any] | None:
    """The login of a volunteer: id, name, role."""
    mine: Select[Any] = select(staff.c.id, staff.c.name, staff.c.role)
    mine = mine.join(volunteers, volunteers.c.staff_id == staff.c.id)
    return db.execute(mine.where(volunteers.c.id == volunteer)).first()


def recorder(db: Connection, login: int, name: str, commune: str, today: date) -> int:
    """The volunteer that a login records as. A member of staff who records is one from then on."""
    mine = select(volunteers.c.id).where(volunteers.c.staff_id == login)
    found = db.scalar(mine)
    if found is None:
        values = {"name": name, "commune": commune, "staff_id": login, "since": today}
        insert_new(db, insert(volunteers, db.dialect.name).values(values))  # or the same form beside us did
        found = db.scalars(mine).one()
    return int(found)


def everybody(db: Connection) -> list[Row[Any]]:
    """All volunteers with their logins; who records now first."""
    columns = (*volunteers.c, staff.c.name.label("login"), staff.c.role)
    statement = select(*columns).outerjoin(staff, staff.c.id == volunteers.c.staff_id)
    return list(db.execute(statement.order_by(volunteers.c.active.desc(), func.lower(volunteers.c.name))))


def recorded_by_day(db: Connection) -> dict[int, list[tuple[date, int]]]:
    """How many respondents each volunteer recorded on each day of the rounds that are open; the newest day first."""
    going_on = select(round_communes.c.round_id).where(round_communes.c.open)
    days = (
        select(recorded.c.volunteer_id, recorded.c.day, func.sum(recorded.c.respondents).label("n"))
        .where(recorded.c.round_id.in_(going_on), recorded.c.respondents > 0)
        .group_by(recorded.c.volunteer_id, recorded.c.day)
        .order_by(recorded.c.day.desc())
    )
    found: dict[int, list[tuple[date, int]]] = {}
    for row in db.execute(days):
        found.setdefault(row.volunteer_id, []).append((row.day, row.n))
    return found


def open_communes(db: Connection) -> set[str]:
    """The communes where a round is open."""
    return set(db.scalars(select(round_communes.c.commune).where(round_communes.c.open)))


# inside -------------------------------------------------------------------------------------------


def _checked(
    db: Connection, keys: Keys, settings: Settings, given: Details, volunteer: int | None = None
) -> dict[str, Any]:
    name = contacts.words(given.name, NAME)
    if not name:
        raise Refused(Flaw.NO_NAME)
    known = select(communes.c.code).where(communes.c.code == given.commune, communes.c.active)
    if db.scalar(known) is None:
        raise Refused(Flaw.NO_COMMUNE)
    values: dict[str, Any] = {"name": name, "commune": given.commune}
    if given.number.strip():
        number = contacts.mobile(given.number, settings)
        phone = keys.lookup(number)
        holder = db.execute(select(volunteers.c.id, volunteers.c.active).where(volunteers.c.phone == phone)).first()
        if holder is not None and holder.id != volunteer:
            if holder.active:
                raise Refused(Flaw.TAKEN)
            # a phone is handed on: who has ended keeps what they recorded, and no number
            without = {"phone": None, "number": None, "number_key": None}
            db.execute(update(volunteers).where(volunteers.c.id == holder.id).values(without))
        sealed = keys.seal_number(number)
        values |= {"phone": phone, "number": sealed.data, "number_key": sealed.key}
    return values
