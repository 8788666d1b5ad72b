"""The life of the keys: do they fit the database, how do sealing keys rotate, what is left without the master key.

docs/keys.md says the same to operators.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, LargeBinary, Table, bindparam, delete, func, select, tuple_, update

from gateway.models import callers, comments, contacts, conversations, forums, messages, staff, uploads, volunteers
from gateway.models.installation import master, set_master
from gateway.models.messages import Move, move_where
from gateway.models.store import Store
from gateway.privacy import KeyProblem, Keys, Sealed

SEALED: tuple[tuple[Table, str, str, str], ...] = (
    (messages.messages, "number", "number_key", "a number"),
    (messages.inbound, "text", "text_key", "an SMS"),
    (contacts.contacts, "number", "number_key", "a number"),
    (forums.forum_replies, "number", "number_key", "a number"),
    (volunteers.volunteers, "number", "number_key", "a number"),
    (uploads.uploads, "content", "content_key", "an upload"),
    (comments.comments, "words", "words_key", "a comment"),
    (staff.staff, "factor", "factor_key", "a second factor"),
)
"""Every sealed column, beside the column of its key's number, and what it was sealed as."""
GRACE_SECONDS = 15.0
"""A transaction that sealed with the key before has ended by then (a locked SQLite waits 10 seconds)."""
_ROWS = 500


@dataclass(frozen=True)
class Rotated:
    """What a rotation did."""

    key: int
    """The new key's number."""
    resealed: int
    destroyed: tuple[int, ...]
    unreadable: int
    """Rows that no key opens; they stay as they are."""


def must_fit(store: Store, keys: Keys) -> None:
    """Raises KeyProblem when the database was made with another master key; a new one is noted."""
    with store.read() as db:
        known = master(db)
    if known is None:
        with store.write() as db:
            set_master(db, keys.fingerprint())
    elif known != keys.fingerprint():
        raise KeyProblem(
            "the master key is not the one this database was made with: nobody would be known, and who has stopped"
            " would be written to; put the right key back, or see docs/keys.md, When the master key is lost"
        )


def rotate(store: Store, keys: Keys, wait: Callable[[float], object] = time.sleep) -> Rotated:
    """Makes a new sealing key, seals everything with it, and destroys the keys before. The service goes on meanwhile.

    Other processes seal with the new key from its making on; what they began before is waited for. Stopped half-way
    it loses nothing: run it again.
    """
    new = keys.add_sealing()
    resealed = _reseal(store, keys, new)
    wait(GRACE_SECONDS)
    resealed += _reseal(store, keys, new)
    old = [number for number in keys.sealing_numbers() if number < new]
    for number in old:
        keys.destroy_sealing(number)
    return Rotated(new, resealed, tuple(old), _unreadable(store, new))


def start_anew(store: Store, keys: Keys, now: datetime) -> dict[str, int]:
    """Takes leave of a master key that is lost: the database goes with `keys` from now on.

    Look-up keys cannot be made again, so nobody knows any more who has stopped: contacts and what is waiting for them
    go, too. Ratings, rounds and figures stay: they never hung on the master key. Returns how many of each went.
    """
    with store.write() as db:
        waiting = messages.messages.c.state.in_(Move.CANCEL.leaves)
        gone = {
            "messages that waited": move_where(db, Move.CANCEL, now, waiting, lease=None, worker=None),
            "contacts": _emptied(db, contacts.contacts),
            "opt-outs": _emptied(db, messages.opt_outs),
            "known callers": _emptied(db, callers.callers),
            "replies to forums": _emptied(db, forums.forum_replies),
            "volunteers' numbers": _forget_volunteers(db),
        }
        for table in (staff.staff_sessions, staff.staff_codes, staff.invitations):  # nobody's cookie or code fits them
            _emptied(db, table)
        _emptied(db, conversations.conversations)
        _emptied(db, messages.inbound)
        set_master(db, keys.fingerprint())
    return gone


def _emptied(db: Connection, table: Table) -> int:
    return db.execute(delete(table)).rowcount


def _forget_volunteers(db: Connection) -> int:
    v = volunteers.volunteers
    known = update(v).where(v.c.phone.is_not(None))
    return db.execute(known.values(phone=None, number=None, number_key=None)).rowcount


def _reseal(store: Store, keys: Keys, new: int) -> int:
    """Seals anew what an older key sealed; a few hundred rows a transaction."""
    count = 0
    for table, value, key, purpose in SEALED:
        ids = list(table.primary_key.columns)
        mine = [column == bindparam(f"of_{column.name}") for column in ids]
        same = table.c[value] == bindparam("before", type_=LargeBinary())
        change = update(table).where(*mine, same).values({value: bindparam("sealed"), key: new})
        after: Any = None
        while True:
            with store.write() as db:
                old = (table.c[key] != new) & (table.c[key] != 0)
                further = old if after is None else old & (tuple_(*ids) > tuple_(*after))
                statement = select(*ids, table.c[value], table.c[key]).where(further).order_by(*ids).limit(_ROWS)
                rows = db.execute(statement).all()
                changes = []
                for row in rows:
                    try:
                        plain = keys.open(Sealed(row[-1], row[-2]), purpose)
                    except KeyProblem:
                        continue
                    names = {f"of_{column.name}": given for column, given in zip(ids, row, strict=False)}
                    changes.append(names | {"before": row[-2], "sealed": keys.seal(plain, purpose).data})
                if changes:
                    db.execute(change, changes)
            count += len(changes)
            if len(rows) < _ROWS:
                break
            after = tuple(rows[-1][: len(ids)])
    return count


def _unreadable(store: Store, new: int) -> int:
    with store.read() as db:
        return sum(
            db.scalar(select(func.count()).select_from(table).where(table.c[key] != new, table.c[key] != 0)) or 0
            for table, _, key, _ in SEALED
        )
