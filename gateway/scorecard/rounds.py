"""Opening and closing rounds.

Closing a round destroys what links its ratings to people: its key, which of their numbers were released, and the rows
of its conversations (DESIGN.md, Ratings and what leaves the programme).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from gateway.errors import Told
from gateway.models.answers import answers
from gateway.models.editions import publish
from gateway.models.places import communes
from gateway.models.rounds import round_communes, round_indicators, round_services, rounds
from gateway.models.services import indicators as questions
from gateway.models.services import services as rateable
from gateway.models.store import Store
from gateway.privacy import Keys
from gateway.scorecard import closing
from gateway.scorecard.releases import release

AT_ONCE = 25
"""Communes that are released in one transaction: so many that a country closes soon, so few that nobody waits."""


class RoundProblem(Told):
    """A round cannot be opened or closed; the message says why."""


def open_round(
    store: Store,
    keys: Keys,
    codes: Sequence[str],
    day: date,
    now: datetime,
    *,
    services: Collection[str] | None = None,
    indicators: Collection[str] | None = None,
    until: date | None = None,
) -> int:
    """Opens a round in the given communes, with a key of its own. Returns its id.

    Without `services` it rates all active ones, without `indicators` it asks all active questions about these.
    `until` is the last day as planned, for staff's eyes. Raises RoundProblem when a commune has an open round or no
    part in the programme, or a service or a question is not to be had.
    """
    if not codes:
        raise RoundProblem("a round needs a commune")
    key = keys.make_round()
    try:
        with store.write() as db:
            known = set(db.scalars(select(communes.c.code).where(communes.c.active)))
            busy = set(db.scalars(select(round_communes.c.commune).where(round_communes.c.open)))
            for code in codes:
                if code not in known:
                    raise RoundProblem(f"commune {code} takes no part in the programme")
                if code in busy:
                    raise RoundProblem(f"commune {code} has an open round; close it first")
            round_id = db.execute(rounds.insert().values(key=key, opened=day, until=until)).inserted_primary_key
            assert round_id is not None
            new = int(round_id[0])
            last = select(round_communes.c.commune, func.max(round_communes.c.number).label("last"))
            before = {row.commune: row.last for row in db.execute(last.group_by(round_communes.c.commune))}
            rows = [{"round_id": new, "commune": c, "number": before.get(c, 0) + 1, "open": True} for c in codes]
            db.execute(round_communes.insert(), rows)
            _choose(db, new, services, indicators)
            publish(db, now)
    except IntegrityError:  # somebody else was faster (uq_round_communes_open)
        keys.destroy_round(key)
        raise RoundProblem("one of the communes got an open round just now") from None
    except BaseException:
        keys.destroy_round(key)
        raise
    return new


def close_round(store: Store, keys: Keys, round_id: int, day: date, now: datetime, minimum: int) -> None:
    """Closes a round in all its communes and destroys its key and its conversations. Repeats do no harm.

    What may be told by now of at least `minimum` numbers is released first; what then is left stays inside.
    """
    with store.read() as db:
        if db.scalar(select(rounds.c.id).where(rounds.c.id == round_id)) is None:
            raise RoundProblem(f"there is no round {round_id}")
        rated = select(answers.c.commune).where(answers.c.round_id == round_id).distinct()
        codes = sorted(db.scalars(rated))
    for first in range(0, len(codes), AT_ONCE):
        with store.write() as db:
            for code in codes[first : first + AT_ONCE]:
                release(db, round_id, code, day, minimum)
    closing.close(store, keys, round_id, day, now)


def _choose(
    db: Connection, round_id: int, services: Collection[str] | None, indicators: Collection[str] | None
) -> None:
    """Writes down what a new round rates and asks."""
    active = set(db.scalars(select(rateable.c.id).where(rateable.c.active)))
    rated = active if services is None else set(services)
    if gone := rated - active:
        raise RoundProblem(f"no active service: {', '.join(sorted(gone))}")
    if rated:
        db.execute(round_services.insert(), [{"round_id": round_id, "service_id": one} for one in sorted(rated)])
    there = select(questions.c.id).where(questions.c.active, questions.c.service_id.in_(rated))
    askable = set(db.scalars(there))
    asked = askable if indicators is None else set(indicators)
    if gone := asked - askable:
        raise RoundProblem(f"no active question about these services: {', '.join(sorted(gone))}")
    if asked:
        db.execute(round_indicators.insert(), [{"round_id": round_id, "indicator_id": one} for one in sorted(asked)])
