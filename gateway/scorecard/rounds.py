"""Opening and closing rounds.

Closing a round destroys what links its ratings to people: its key, which of their numbers were released, and the rows
of its conversations (DESIGN.md, Ratings and what leaves the programme).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import func, select, update

from gateway.errors import Told
from gateway.models.conversations import purge_round
from gateway.models.editions import publish
from gateway.models.messages import forget_talks
from gateway.models.places import communes
from gateway.models.rounds import round_communes, round_services, rounds
from gateway.models.services import services
from gateway.models.store import Store
from gateway.privacy import Keys
from gateway.scorecard.releases import forget_released, release


class RoundProblem(Told):
    """A round cannot be opened or closed; the message says why."""


def open_round(store: Store, keys: Keys, codes: Sequence[str], day: date, now: datetime) -> int:
    """Opens a round in the given communes with all active services, with a key of its own. Returns its id.

    Raises RoundProblem when one of them has an open round or no part in the programme.
    """
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
            round_id = db.execute(rounds.insert().values(key=key, opened=day)).inserted_primary_key
            assert round_id is not None
            new = int(round_id[0])
            last = select(round_communes.c.commune, func.max(round_communes.c.number).label("last"))
            before = {row.commune: row.last for row in db.execute(last.group_by(round_communes.c.commune))}
            rows = [{"round_id": new, "commune": c, "number": before.get(c, 0) + 1, "open": True} for c in codes]
            db.execute(round_communes.insert(), rows)
            active = select(services.c.id).where(services.c.active)
            db.execute(round_services.insert(), [{"round_id": new, "service_id": s} for s in db.scalars(active)])
            publish(db, now)
    except BaseException:
        keys.destroy_round(key)
        raise
    return new


def close_round(store: Store, keys: Keys, round_id: int, day: date, now: datetime, minimum: int) -> None:
    """Closes a round in all its communes and destroys its key and its conversations. Repeats do no harm.

    What may be told by now of at least `minimum` numbers is released first; what then is left stays inside.
    """
    with store.read() as db:
        codes = list(db.scalars(select(round_communes.c.commune).where(round_communes.c.round_id == round_id)))
    for code in codes:
        with store.write() as db:
            release(db, round_id, code, day, minimum)
    with store.write() as db:
        key = db.scalar(select(rounds.c.key).where(rounds.c.id == round_id))
        if key is None:
            raise RoundProblem(f"there is no round {round_id}")
        db.execute(update(rounds).where(rounds.c.id == round_id, rounds.c.closed.is_(None)).values(closed=day))
        db.execute(update(round_communes).where(round_communes.c.round_id == round_id).values(open=False))
        forget_released(db, round_id)
        purge_round(db, round_id, now)
        forget_talks(db)
        publish(db, now)
    keys.destroy_round(key)
    store.leave_no_trace()
