"""Does what flows ask for, in the transaction of the conversation that asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, select

from gateway.config import Settings
from gateway.menus.effects import Discard, Effect, Identify, Join, Save, Speak, Withdraw
from gateway.models import answers
from gateway.models.callers import remember
from gateway.models.rounds import rounds
from gateway.privacy import Keys

_OPEN_ROUNDS = select(rounds.c.id, rounds.c.key).where(rounds.c.closed.is_(None))


class Effects:
    """Applies effects under the keyed hashes of a number. Each may be applied twice without harm."""

    def __init__(self, keys: Keys, settings: Settings, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._zone = settings.zone
        self._now = now

    def apply(self, db: Connection, effect: Effect, number: str, channel: str) -> None:
        """Does what a flow asked for. Raises RoundClosed, and then has done nothing; KeyProblem when a key is gone."""
        match effect:
            case Speak(language):
                remember(db, self._keys.lookup(number), language=language)
            case Join(commune):
                remember(db, self._keys.lookup(number), commune=commune)
            case Save(round_id, commune, service, score):
                key = _key_of(db, round_id)
                answers.save(
                    db,
                    answers.Given(
                        round_id=round_id,
                        rater=self._keys.rater(key, number, None),
                        phone=self._keys.phone(key, number),
                        commune=commune,
                        service=service,
                        score=score,
                        day=self._now().astimezone(self._zone).date(),
                        channel=channel,
                    ),
                )
            case Identify(round_id, who):
                key = _key_of(db, round_id)
                nobody, rater = (self._keys.rater(key, number, given) for given in (None, who))
                answers.take_over(db, round_id, self._keys.phone(key, number), nobody, rater, who)
            case Discard(round_id, services):
                key = _key_of(db, round_id)
                phone, nobody = self._keys.phone(key, number), self._keys.rater(key, number, None)
                for service in services:
                    answers.remove_loose(db, round_id, phone, nobody, service)
            case Withdraw():
                for round_id, key in db.execute(_OPEN_ROUNDS).all():
                    answers.withdraw(db, round_id, self._keys.phone(key, number))


def _key_of(db: Connection, round_id: int) -> str:
    """The name of an open round's key. Raises RoundClosed: the key of a closed one is gone."""
    name = db.scalar(select(rounds.c.key).where(rounds.c.id == round_id, rounds.c.closed.is_(None)))
    if name is None:
        raise answers.RoundClosed
    return str(name)
