"""Commitments: what was promised in a commune, by whom, until when, and how far it is (DOMAIN.md, table, row 7).

Made at a forum or written down by staff. How far one is has a history that only grows: who entered something wrong
corrects it by another entry. Villagers see in the menu what is `shown`.

The parts of it: `facts` reads the rows, `rules` says what one must be, `plans` adds them up, `notices` tells villagers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update

from gateway.config import Settings
from gateway.errors import Told
from gateway.models.editions import publish
from gateway.models.places import communes
from gateway.models.promises import Standing, commitment_changes, commitment_sources, commitments
from gateway.promises.facts import Commitment, Source, Wanted, find, hangs, history, listed
from gateway.promises.rules import must_be_right

__all__ = [
    "Commitment", "Gone", "Hangs", "Source", "Standing", "Wanted", "add", "edit", "find", "hangs", "history", "listed",
    "remove", "set_standing", "show",
]  # fmt: skip


class Gone(Told):
    """There is no such commitment."""


class Hangs(Told):
    """A commitment about which villagers were asked or told is not removed; it can be hidden."""


def add(db: Connection, settings: Settings, commitment: Commitment, author: int | None, now: datetime) -> int:
    """Keeps a new commitment, with the first entry of its history; returns its id.

    Of the given one all but the id is taken. The very same one that is there already is not added again: of two
    clicks one counts. Raises NotKept.
    """
    kept = must_be_right(db, settings, replace(commitment, id=0), settings.day(now))
    # of two at once in the same commune the second waits here, and finds the first
    db.execute(select(communes.c.code).where(communes.c.code == kept.commune).with_for_update())
    there = next((one.id for one in listed(db, kept.commune) if _is_same(one, kept)), None)
    if there is not None:
        return there
    entry = {"standing": str(kept.standing), "by": author, "at": now}
    values = _values(kept) | {"standing": str(kept.standing), "author": author, "created": now, "changed": now}
    made: int = db.execute(commitments.insert().values(values).returning(commitments.c.id)).scalar_one()
    _keep_sources(db, made, kept.sources)
    db.execute(commitment_changes.insert().values(**entry, commitment=made, day=settings.day(now)))
    publish(db, now)
    return made


def edit(db: Connection, settings: Settings, commitment: Commitment, now: datetime) -> None:
    """Changes all of a commitment but how far it is, which has a history. Raises NotKept, or Gone.

    One about which villagers know already stays in its commune: their answers are of it.
    """
    old = _as_it_is(db, commitment.id)
    kept = must_be_right(db, settings, commitment, settings.day(now))
    _keep(db, old, now, **_values(kept))
    _keep_sources(db, old.id, kept.sources)
    publish(db, now)


def set_standing(
    db: Connection, commitment: int, standing: Standing, day: date, note: str, by: int | None, now: datetime
) -> None:
    """How far it is, and since when: one entry more in its history. The same as the last one is not entered again.

    Raises Gone.
    """
    old = _as_it_is(db, commitment)
    words = " ".join(note.split())
    last = history(db, commitment)[0]
    if (last.standing, last.day, last.note) == (standing, day, words):
        return
    values = {"commitment": commitment, "standing": str(standing), "day": day, "note": words, "by": by, "at": now}
    db.execute(commitment_changes.insert().values(values))
    _keep(db, old, now, standing=str(standing))
    publish(db, now)


def show(db: Connection, commitment: int, shown: bool, now: datetime) -> None:
    """Shows it to villagers in the menu, or hides it from them. Raises Gone."""
    _keep(db, _as_it_is(db, commitment), now, shown=shown)
    publish(db, now)


def remove(db: Connection, commitment: int, now: datetime) -> None:
    """Removes one that was entered by mistake, with its history. Raises Hangs, or Gone."""
    _as_it_is(db, commitment)
    if hangs(db, commitment):
        raise Hangs("villagers were asked about it or told of it: hide it instead")
    for table in (commitment_sources, commitment_changes):
        db.execute(delete(table).where(table.c.commitment == commitment))
    db.execute(delete(commitments).where(commitments.c.id == commitment))
    publish(db, now)


def _as_it_is(db: Connection, commitment: int) -> Commitment:
    found = find(db, commitment, to_change=True)
    if found is None:
        raise Gone("there is no such commitment")
    return found


def _keep(db: Connection, old: Commitment, now: datetime, **values: Any) -> None:
    assert old.changed is not None  # it is in the database
    later = max(now, old.changed + timedelta(microseconds=1))
    db.execute(update(commitments).where(commitments.c.id == old.id).values(**values, changed=later))


def _is_same(one: Commitment, other: Commitment) -> bool:
    return _values(one) == _values(other) and one.sources == other.sources


def _values(commitment: Commitment) -> dict[str, Any]:
    return {
        "commune": commitment.commune, "round_id": commitment.round_id, "forum": commitment.forum,
        "activity": json.dumps(commitment.activity, ensure_ascii=False), "responsible": commitment.responsible,
        "proposed_by": commitment.proposed_by, "place": commitment.place, "quantity": commitment.quantity,
        "starts": commitment.starts, "due": commitment.due, "beneficiaries": commitment.beneficiaries,
        "beneficiaries_female": commitment.female, "cost": commitment.cost, "shown": commitment.shown,
        "currency": str(commitment.currency) if commitment.currency else None,
    }  # fmt: skip


def _keep_sources(db: Connection, commitment: int, sources: Sequence[Source]) -> None:
    db.execute(delete(commitment_sources).where(commitment_sources.c.commitment == commitment))
    rows = [
        {"commitment": commitment, "place": place, "name": one.name, "amount": one.amount}
        for place, one in enumerate(sources, 1)
    ]
    if rows:
        db.execute(commitment_sources.insert(), rows)
