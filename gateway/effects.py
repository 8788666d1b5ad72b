"""Does what flows ask for, in the transaction of the conversation that asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from sqlalchemy import Connection, select

from gateway.config import Settings
from gateway.contacts import contacts
from gateway.forums import forums as replies
from gateway.menus.effects import (
    Attend,
    Describe,
    Discard,
    Drop,
    Effect,
    Identify,
    Join,
    Record,
    Save,
    Speak,
    Subscribe,
    Unsubscribe,
    Withdraw,
)
from gateway.models import answers
from gateway.models.callers import find_caller, remember
from gateway.models.forums import forums
from gateway.models.rounds import rounds
from gateway.privacy import Keys
from gateway.scorecard import bursts, recording

_OPEN_ROUNDS = select(rounds.c.id, rounds.c.key).where(rounds.c.closed.is_(None))


class ForumChanged(Exception):
    """A forum was moved, cancelled or has begun since it was shown: the answer is not kept."""


class Effects:
    """Applies effects under the keyed hashes of a number. Each may be applied twice without harm."""

    def __init__(self, keys: Keys, settings: Settings, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._settings = settings
        self._now = now

    def apply(self, db: Connection, effect: Effect, number: str, channel: str) -> None:
        """Does what a flow asked for.

        Raises RoundClosed or ForumChanged, and then has done nothing; KeyProblem when a key is gone.
        """
        match effect:
            case Speak(language):
                remember(db, self._keys.lookup(number), self._today(), language=language)
                contacts.speak(db, self._keys, number, language)
            case Join(commune):
                remember(db, self._keys.lookup(number), self._today(), commune=commune)
            case Save(round_id, commune, service, score, indicator, who):
                key = answers.key_of(db, round_id)
                is_first = answers.save(
                    db,
                    answers.Given(
                        round_id=round_id,
                        rater=self._keys.rater(key, number, who),
                        phone=self._keys.phone(key, number),
                        commune=commune,
                        service=service,
                        score=score,
                        day=self._today(),
                        channel=channel,
                        indicator=indicator or answers.OVERALL,
                        who=who,
                    ),
                )
                if is_first:
                    bursts.count_number(db, self._keys.near(key, number), round_id, commune, self._today())
            case Identify(round_id, who):
                key = answers.key_of(db, round_id)
                nobody, rater = (self._keys.rater(key, number, given) for given in (None, who))
                answers.take_over(db, round_id, self._keys.phone(key, number), nobody, rater, who)
            case Discard(round_id, services):
                self._discard(db, round_id, services, number)
            case Withdraw():
                self._withdraw(db, number)
            case Record() | Describe() | Drop():
                self._of_respondent(db, effect)
            case Attend(forum, revision, heads):
                # shared until the commit: whoever moves it meanwhile comes after us, and tells this number as well
                shown = select(forums.c.revision).where(forums.c.id == forum).with_for_update(read=True)
                is_so = db.scalar(shown) == revision
                if not is_so or not self._replied(db, forum, number, heads, channel):
                    raise ForumChanged
            case Subscribe(commune):
                caller = find_caller(db, self._keys.lookup(number))
                contacts.subscribe(
                    db,
                    self._keys,
                    number,
                    language=(caller.language if caller else None) or self._settings.default_language,
                    commune=commune,
                    source=channel.upper(),
                    today=self._today(),
                )
            case Unsubscribe():
                contacts.unsubscribe(db, self._keys, number)

    def let_go(self, db: Connection, round_id: int, who: str, given: list[tuple[str, str]], number: str) -> None:
        """Answers of a talk whose who was told belong to the number alone again: another who may follow.

        `given` are services, each with its question. Raises RoundClosed.
        """
        key = answers.key_of(db, round_id)
        nobody, rater = (self._keys.rater(key, number, one) for one in (None, who))
        answers.let_go(db, round_id, self._keys.phone(key, number), rater, nobody, given)

    def _discard(self, db: Connection, round_id: int, services: tuple[str, ...], number: str) -> None:
        key = answers.key_of(db, round_id)
        phone, nobody = self._keys.phone(key, number), self._keys.rater(key, number, None)
        with bursts.uncounted(db, self._keys.near(key, number), round_id, phone):
            for service in services:
                answers.remove_loose(db, round_id, phone, nobody, service)

    def _withdraw(self, db: Connection, number: str) -> None:
        for round_id, key in db.execute(_OPEN_ROUNDS).all():
            phone = self._keys.phone(key, number)
            with bursts.uncounted(db, self._keys.near(key, number), round_id, phone):
                answers.withdraw(db, round_id, phone)

    def _of_respondent(self, db: Connection, effect: Record | Describe | Drop) -> None:
        match effect:
            case Record(respondent, service, score):
                recording.save_score(db, self._keys, respondent, service, score, self._today())
            case Describe(respondent, who):
                recording.describe(db, self._keys, respondent, who)
            case Drop(respondent):
                recording.take_back(db, self._keys, respondent)

    def _replied(self, db: Connection, forum: int, number: str, heads: int, channel: str) -> bool:
        said = replies.reply(db, self._keys, self._settings, forum, number, heads, channel, self._now())
        return said is not None

    def _today(self) -> date:
        return self._settings.day(self._now())
