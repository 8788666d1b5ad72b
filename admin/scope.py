"""Whose things: what staff with communes of their own may see and change; a council and a volunteer likewise.

The rule is kept in one place, the panel's guard: whatever an address, its query or a form names must lie wholly in the
communes of who is logged in; else nothing is there (404), and nothing of it is told. Lists and choices ask `mine`.

- A group of contacts is of the communes of its members, a broadcast and a poll of those of whom they reach: the people
  of communes, councillors, who was told of a forum, members of groups. So a group with a member elsewhere, or with one
  whose commune nobody wrote down, is for staff of all communes, and so is what goes to it.
- What has no commune (an institution, a page of information for all, an answer to somebody's SMS) likewise.
- A round is read by whoever has a part in it, who sees that part. What concerns all communes is not done with a limit:
  opening, closing and publishing rounds, services, files of contacts (`rights.WIDE`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from flask import abort, g, has_request_context, request
from flask_login import current_user
from sqlalchemy import Column, ColumnElement, Connection, or_, select

from admin import rights
from gateway.bulk.letters import Audience
from gateway.models.broadcasts import broadcasts
from gateway.models.comments import comments
from gateway.models.concerns import group_issues
from gateway.models.contacts import contacts, group_members
from gateway.models.contacts import groups as _groups
from gateway.models.forums import forums
from gateway.models.information import information
from gateway.models.messages import Kind, messages
from gateway.models.promises import commitments
from gateway.models.releases import council_replies, weekly_letters
from gateway.models.rounds import round_communes
from gateway.models.staff import communes_of
from gateway.models.store import Store
from gateway.models.volunteers import volunteers

Codes = Collection[str | None]
"""The communes of a thing; None among them: it is of none, or nobody knows of which."""
Lookup = Callable[[Connection, Any], Codes]
LAST_ID = 2**31 - 1


def mine(db: Connection) -> frozenset[str] | None:
    """The communes of who is logged in; None: all. What no request asks for is not limited."""
    if not has_request_context() or not current_user:
        return None
    if "own_communes" not in g:
        g.own_communes = _own(db)
    own: frozenset[str] | None = g.own_communes
    return own


def _own(db: Connection) -> frozenset[str] | None:
    if not current_user.is_authenticated:
        return frozenset()
    member = current_user.member
    if member.role == "admin":
        return None
    own = frozenset(communes_of(db, member.id))
    return None if member.role in rights.STAFF and not own else own


def may_open(endpoint: str | None) -> bool:
    """Whether who is logged in may open a page; the guard has looked up the communes."""
    member = current_user.member
    limited = member.role in rights.STAFF and g.get("own_communes") is not None
    return rights.may_open(member.role, endpoint, limited=limited)


def check(store: Store) -> None:
    """The panel's guard: whether this request is for who is logged in, by role and by communes."""
    with store.read() as db:
        own = mine(db)
        if not may_open(request.endpoint):
            abort(403)
        if own is None:
            return
        for name, value in (request.view_args or {}).items():
            lookup = COMMUNES_OF.get(name, _nobodys)
            if lookup and not is_within(db, own, lookup, value, shared=name in SHARED):
                abort(404)
        for lookup, value in _named():
            if value and not is_within(db, own, lookup, value):
                abort(404)


def is_mine(db: Connection, name: str, value: Any) -> bool:
    """Whether a thing, by the name of its argument in addresses, is of the communes of who is logged in."""
    own, lookup = mine(db), COMMUNES_OF[name]
    return own is None or lookup is None or is_within(db, own, lookup, value)


def is_within(db: Connection, own: Collection[str], lookup: Lookup, value: Any, *, shared: bool = False) -> bool:
    """Whether a thing is of one's own communes alone; of a shared one a part is enough. What is not there is."""
    if isinstance(value, int) and not 0 < value <= LAST_ID:
        return True
    codes = lookup(db, value)
    return not codes or (any if shared else all)(code in own for code in codes)


def _named() -> Iterator[tuple[Lookup, Any]]:
    """What the query and the form name."""
    for name in PLACES:
        yield from ((_code, value) for value in (*request.args.getlist(name), *request.form.getlist(name)))
    endpoint = (request.endpoint or "").removeprefix("admin.")
    for name, lookup in ASKED.get(endpoint, {}).items():
        yield from ((lookup, value) for value in request.args.getlist(name, type=int))
    for name, lookup in SENT.get(endpoint, {}).items():
        yield from ((lookup, value) for value in request.form.getlist(name))


# the communes of things -----------------------------------------------------------------------------


def _code(_db: Connection, code: str) -> Codes:
    return (code,)


def _nobodys(_db: Connection, _value: Any) -> Codes:
    return (None,)


def _column(code: Column[Any], key: Column[Any]) -> Lookup:
    """A thing that has its communes in a column."""

    def lookup(db: Connection, value: Any) -> Codes:
        return set(db.scalars(select(code).where(key == value)))

    return lookup


def _group(db: Connection, group: int) -> Codes:
    return _of_groups(db).get(group, ())


def _broadcast(db: Connection, broadcast: int) -> Codes:
    return _of_broadcasts(db, broadcasts.c.id == broadcast).get(broadcast, ())


def _poll(db: Connection, poll: int) -> Codes:
    return {code for codes in _of_broadcasts(db, broadcasts.c.poll == poll).values() for code in codes}


def _message(db: Connection, message: str) -> Codes:
    row = db.execute(select(messages.c.broadcast).where(messages.c.id == message)).first()
    if row is None:
        return ()
    return (None,) if row.broadcast is None else _broadcast(db, row.broadcast)


_round = _column(round_communes.c.commune, round_communes.c.round_id)
_forum = _column(forums.c.commune, forums.c.id)

COMMUNES_OF: Mapping[str, Lookup | None] = {
    "commune": _code,
    "forum_id": _forum,
    "broadcast": _broadcast,
    "poll_id": _poll,
    "contact": _column(contacts.c.commune, contacts.c.id),
    "group": _group,
    "volunteer": _column(volunteers.c.commune, volunteers.c.id),
    "round_id": _round,
    "reply": _column(council_replies.c.commune, council_replies.c.id),
    "message": _message,
    "commitment": _column(commitments.c.commune, commitments.c.id),
    "issue": _column(group_issues.c.commune, group_issues.c.id),
    "page_id": _column(information.c.commune, information.c.id),
    "comment": _column(comments.c.commune, comments.c.id),
    # of no commune
    "member": None,  # a login: an admin's pages
    "upload": None,  # whoever brought a file, or sent a form too late, sees it, nobody else
    "sitting": None,  # where somebody is logged in: one's own, or on an admin's page
    "service_id": None,
    "question": None,
    "number": None,  # a commune's own count of rounds, beside the commune
    "entry": None,  # of a history, beside the thing whose it is
    "deed": None,
    "_deed": None,
    "token": None,  # of an invitation: whoever has it
    "kind": None,
    "name": None,
    "rest": None,
}
"""By the name of an address's argument; each that there is stands here (tests/test_scope.py)."""
SHARED = frozenset({"round_id"})
"""What has part of several communes: its pages show one's own."""
PLACES = ("commune", "communes", "place", "places")
"""What a code of a place is called in queries and forms."""
ASKED: Mapping[str, Mapping[str, Lookup]] = {
    "tallies": {"group": _round},
    "tallies_file": {"group": _round},
    "forums_new": {"like": _forum},
    "polls_new": {"like": _poll},
    "contacts": {"group": _group},
}
"""What else a query names, by page."""
SENT: Mapping[str, Mapping[str, Lookup]] = {"messages_decide": {"message": _message}}
"""What else a form names. Groups that are ticked are looked for among those that may be."""


def _of_groups(db: Connection) -> Mapping[int, Codes]:
    """The communes of the members of groups."""
    member = contacts.c.id == group_members.c.contact_id
    found: dict[int, set[str | None]] = {}
    of_each = select(group_members.c.group_id, contacts.c.commune).join(contacts, member).distinct()
    for group, code in db.execute(of_each):
        found.setdefault(group, set()).add(code)
    return found


def _of_broadcasts(db: Connection, which: ColumnElement[bool]) -> Mapping[int, Codes]:
    """The communes of whom broadcasts reach, and of what they are about."""
    b, found = broadcasts.c, dict[int, Codes]()
    rows = db.execute(select(b.id, b.audience, b.forum, b.commitment).where(which)).all()
    of_groups = _of_groups(db) if rows else {}
    of_forums = {row.id: row.commune for row in db.execute(select(forums.c.id, forums.c.commune))} if rows else {}
    promised = {row.commitment for row in rows if row.commitment}
    promises = select(commitments.c.id, commitments.c.commune).where(commitments.c.id.in_(promised))
    of_promises = {row.id: row.commune for row in db.execute(promises)} if promised else {}
    for row in rows:
        audience = Audience.from_json(row.audience)
        codes: set[str | None] = {*audience.communes, *audience.councils}
        codes |= {of_forums.get(forum) for forum in (*audience.told, row.forum) if forum}
        codes |= {code for group in audience.groups for code in of_groups.get(group, ())}
        found[row.id] = codes | ({of_promises.get(row.commitment)} if row.commitment else set())
    return found


# lists ----------------------------------------------------------------------------------------------


def groups_seen(db: Connection) -> set[int] | None:
    """The groups of contacts with a member elsewhere are not among them; None: all. Those without members are."""
    own = mine(db)
    if own is None:
        return None
    outside = {group for group, codes in _of_groups(db).items() if not own.issuperset(codes)}
    return set(db.scalars(select(_groups.c.id))) - outside


def broadcasts_seen(db: Connection) -> list[int] | None:
    """The broadcasts of one's own communes alone; None: all."""
    own = mine(db)
    if own is None:
        return None
    letters = select(weekly_letters.c.broadcast).where(weekly_letters.c.commune.in_(own))
    few = or_(broadcasts.c.kind != Kind.TALLY, broadcasts.c.id.in_(letters))  # a letter a week and commune is many
    return [one for one, codes in _of_broadcasts(db, few).items() if own.issuperset(codes)]
