"""People for tests to write to: contacts, groups, staff."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select

from gateway.config import Language
from gateway.models import staff
from gateway.models.contacts import Role, contacts, group_members, groups
from gateway.models.messages import messages, number_of, opt_out
from gateway.phones import operator
from tests.conftest import Installation

TA_PHOU = "010806"


def number(i: int) -> str:
    """An invented number, of one of three phone companies in turn."""
    return f"+855{('10', '12', '88')[i % 3]}0{i:05}"


@dataclass
class People:
    """The people of an installation."""

    at: Installation

    def add(
        self, i: int, language: Language | None = "en", *, name: str = "", address: str = "",
        commune: str | None = TA_PHOU, role: Role = Role.PERSON, groups: tuple[int, ...] = (),
    ) -> bytes:  # fmt: skip
        """A contact; returns its look-up key."""
        phone, sealed = self.at.keys.lookup(number(i)), self.at.keys.seal_number(number(i))
        with self.at.store.write() as db:
            made = db.scalar(
                contacts.insert()
                .values(
                    phone=phone, number=sealed.data, number_key=sealed.key, operator=operator(number(i)),
                    role=role, name=name, address=address, language=language, commune=commune, source="import",
                    since=date(2026, 11, 1),
                )
                .returning(contacts.c.id)
            )  # fmt: skip
            for group in groups:
                db.execute(group_members.insert().values(group_id=group, contact_id=made))
        return phone

    def group(self, name: str) -> int:
        """A group; returns its id."""
        with self.at.store.write() as db:
            made: int | None = db.scalar(
                groups.insert().values(name=name, made=self.at.clock.now).returning(groups.c.id)
            )
        assert made is not None
        return made

    def stop(self, i: int) -> None:
        """This one asks for no more messages."""
        with self.at.store.write() as db:
            opt_out(db, self.at.keys.lookup(number(i)), date(2026, 11, 2), "SMS")

    def staff(self, name: str) -> int:
        """A member of staff; returns the id."""
        with self.at.store.write() as db:
            staff.add_member(db, name, "staff", "a password", one_time=False)
            member: int | None = db.scalar(select(staff.staff.c.id).where(staff.staff.c.name == name))
        assert member is not None
        return member

    def written(self, broadcast: int | None = None) -> list[Any]:
        """The messages in the outbox, or those of a broadcast, by number."""
        statement = select(messages)
        if broadcast is not None:
            statement = statement.where(messages.c.broadcast == broadcast)
        with self.at.store.read() as db:
            rows = db.execute(statement).all()
        return sorted(rows, key=self.number_of)

    def number_of(self, row: Any) -> str:
        """The number a message goes to."""
        return number_of(self.at.keys, row)
