"""Groups of contacts: made by name, on the panel or by a file; somebody may be in several."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from gateway.contacts.contacts import Flaw, Refused, words
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.contacts import group_members, groups
from gateway.models.forums import forums
from gateway.models.store import insert
from gateway.text import fold

LONGEST = 60
"""Characters of a name."""
_BETWEEN = re.compile(r"[,;|\n]")
"""What stands between the groups in one cell of a file, and so in no name."""


class GroupFlaw(enum.StrEnum):
    """What can be wrong with a group's name."""

    SEPARATOR = "a group's name has no comma, semicolon or bar: in a file they stand between groups"
    TAKEN = "there is a group of this name already"


@dataclass(frozen=True)
class Group:
    """A group and how many are in it."""

    id: int
    name: str
    members: int


@dataclass(frozen=True)
class Use:
    """What still counts on a group: a broadcast that is not approved yet, or a forum ahead."""

    broadcast: int | None
    forum: int | None
    title: str


def names_in(cell: str) -> frozenset[str]:
    """The names of groups in a cell of a file. Raises Refused."""
    return frozenset(name for piece in _BETWEEN.split(cell) if (name := words(piece, LONGEST)))


def name_of(text: str) -> str:
    """One group's name as typed. Raises Refused."""
    if _BETWEEN.search(text.strip()):
        raise Refused(GroupFlaw.SEPARATOR)
    name = words(text, LONGEST)
    if not fold(name):
        raise Refused(Flaw.EMPTY)
    return name


def find(db: Connection, group: int) -> Group | None:
    """One group."""
    return next(iter(_groups(db, group)), None)


def listed(db: Connection) -> Sequence[Group]:
    """All groups by name."""
    return _groups(db)


def named(db: Connection) -> dict[str, int]:
    """The ids of all groups by their folded names: `CBO` and `cbo` are one group."""
    return {fold(name): group for group, name in db.execute(select(groups.c.id, groups.c.name))}


def make(db: Connection, name: str, now: datetime) -> int:
    """A new group; returns its id. Raises Refused when there is one of this name."""
    if fold(name) in named(db):
        raise Refused(GroupFlaw.TAKEN)
    statement = insert(groups, db.dialect.name).values(name=name, made=now).on_conflict_do_nothing()
    made: int | None = db.scalar(statement.returning(groups.c.id))
    if made is None:  # somebody else made it just now
        raise Refused(GroupFlaw.TAKEN)
    return made


def rename(db: Connection, group: int, name: str) -> None:
    """Another name for a group. Raises Refused when another group has it."""
    if named(db).get(fold(name), group) != group:
        raise Refused(GroupFlaw.TAKEN)
    db.execute(update(groups).where(groups.c.id == group).values(name=name))


def dissolve(db: Connection, group: int) -> bool:
    """Takes a group away; its members stay among the contacts. False when it is gone already."""
    return db.execute(delete(groups).where(groups.c.id == group)).rowcount == 1


def uses(db: Connection, group: int, now: datetime) -> list[Use]:
    """What would miss the group: drafts, what waits for approval, forums ahead."""
    waiting = select(broadcasts).where(broadcasts.c.stage.in_((Stage.DRAFT, Stage.WAITING)))
    ahead = select(forums).where(forums.c.starts > now, ~forums.c.cancelled)
    found = [
        Use(row.id, None, row.title)
        for row in db.execute(waiting.order_by(broadcasts.c.id))
        if group in json.loads(row.audience).get("groups", ())
    ]
    for row in db.execute(ahead.order_by(forums.c.id)):
        if group in json.loads(row.groups):
            title = json.loads(row.title)
            found.append(Use(None, row.id, next((title[one] for one in ("km", "en", *title) if title.get(one)), "")))
    return found


def groups_of(db: Connection, contacts: Collection[int]) -> dict[int, list[tuple[int, str]]]:
    """The groups of some contacts, id and name, by name."""
    statement = (
        select(group_members.c.contact_id, groups.c.id, groups.c.name)
        .join(groups, groups.c.id == group_members.c.group_id)
        .where(group_members.c.contact_id.in_(contacts))
        .order_by(groups.c.name)
    )
    found: dict[int, list[tuple[int, str]]] = {}
    for contact, group, name in db.execute(statement):
        found.setdefault(contact, []).append((group, name))
    return found


def put_in(db: Connection, contact: int, wanted: Collection[int]) -> None:
    """From now on a contact is in these groups and in no other; a group that is gone meanwhile is left out."""
    member = group_members.c.contact_id == contact
    db.execute(delete(group_members).where(member, group_members.c.group_id.not_in(wanted)))
    for group in db.scalars(select(groups.c.id).where(groups.c.id.in_(wanted))).all():
        join(db, contact, group)


def join(db: Connection, contact: int, group: int) -> None:
    """Puts a contact into a group, if it is not in it."""
    statement = insert(group_members, db.dialect.name).values(group_id=group, contact_id=contact)
    db.execute(statement.on_conflict_do_nothing())


def leave(db: Connection, contact: int, group: int) -> None:
    """Takes a contact out of a group."""
    is_it = (group_members.c.group_id == group) & (group_members.c.contact_id == contact)
    db.execute(delete(group_members).where(is_it))


def _groups(db: Connection, one: int | None = None) -> list[Group]:
    count = func.count(group_members.c.contact_id)
    statement = select(groups.c.id, groups.c.name, count).outerjoin(group_members).group_by(groups.c.id, groups.c.name)
    if one is not None:
        statement = statement.where(groups.c.id == one)
    return [Group(*row) for row in db.execute(statement.order_by(groups.c.name))]
