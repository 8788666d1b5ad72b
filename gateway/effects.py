"""Does what flows ask for, in the transaction of the conversation that asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from sqlalchemy import Connection, select

from gateway.config import Settings
from gateway.contacts import contacts
from gateway.forums import forums as replies
from gateway.information import reads
from gateway.menus.effects import (
    Attend,
    Check,
    Describe,
    Discard,
    Drop,
    Effect,
    Identify,
    Join,
    Read,
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
from gateway.promises import checks
from gateway.scorecard import bursts, recording
from gateway.stored import Stored

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

        Raises RoundClosed, CheckClosed or ForumChanged, and then has done nothing; KeyProblem when a key is gone.
        """
        match effect:
            case Speak(language):
                remember(db, self._keys.lookup(number), self._today(), language=language)
                contacts.speak(db, self._keys, number, language)
            case Join(commune):
                remember(db, self._keys.lookup(number), self._today(), commune=commune)
            case Save():
                self._save(db, effect, number, channel)
            case Check(check, choice, who):
                checks.answer(db, self._keys, check, number, who, choice)
            case Identify():
                self._identify(db, effect, number)
            case Discard():
                self._discard(db, effect, number)
            case Withdraw():
                self._withdraw(db, number)
            case Record() | Describe() | Drop():
                self._of_respondent(db, effect)
            case Attend():
                self._attend(db, effect, number, channel)
            case Read(page):
                reads.count(db, page, channel, self._today())
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

    def let_go(self, db: Connection, stored: Stored, anew: Save | Check | Identify | Discard, number: str) -> None:
        """Answers of a talk whose who was told belong to the number alone again: another who may follow.

        `anew` is what follows; ratings of another round than its own stay. Raises RoundClosed or CheckClosed.
        """
        assert stored.who is not None
        round_id = stored.round_id
        if round_id is not None and (isinstance(anew, Check) or anew.round_id in (None, round_id)):
            key = answers.key_of(db, round_id)
            nobody, rater = (self._keys.rater(key, number, one) for one in (None, stored.who))
            answers.let_go(db, round_id, self._keys.phone(key, number), rater, nobody, stored.pairs)
        for check in stored.checks:
            checks.let_go(db, self._keys, check, number, stored.who)

    def _save(self, db: Connection, given: Save, number: str, channel: str) -> None:
        key = answers.key_of(db, given.round_id)
        is_first = answers.save(
            db,
            answers.Given(
                round_id=given.round_id,
                rater=self._keys.rater(key, number, given.who),
                phone=self._keys.phone(key, number),
                commune=given.commune,
                service=given.service,
                score=given.score,
                day=self._today(),
                channel=channel,
                indicator=given.indicator or answers.OVERALL,
                who=given.who,
            ),
        )
        if is_first:
            near = self._keys.near(key, number)
            bursts.count_number(db, near, given.round_id, given.commune, self._today())

    def _identify(self, db: Connection, told: Identify, number: str) -> None:
        if told.round_id is not None:
            key = answers.key_of(db, told.round_id)
            nobody, rater = (self._keys.rater(key, number, given) for given in (None, told.who))
            answers.take_over(db, told.round_id, self._keys.phone(key, number), nobody, rater, told.who)
        for check in told.checks:
            checks.take_over(db, self._keys, check, number, told.who)

    def _discard(self, db: Connection, given: Discard, number: str) -> None:
        if given.round_id is not None:
            key = answers.key_of(db, given.round_id)
            phone, nobody = self._keys.phone(key, number), self._keys.rater(key, number, None)
            with bursts.uncounted(db, self._keys.near(key, number), given.round_id, phone):
                for service in given.services:
                    answers.remove_loose(db, given.round_id, phone, nobody, service)
        for check in given.checks:
            checks.discard(db, self._keys, check, number)

    def _withdraw(self, db: Connection, number: str) -> None:
        checks.withdraw(db, self._keys, number)
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

    def _attend(self, db: Connection, said: Attend, number: str, channel: str) -> None:
        # shared until the commit: whoever moves it meanwhile comes after us, and tells this number as well
        shown = select(forums.c.revision).where(forums.c.id == said.forum).with_for_update(read=True)
        if db.scalar(shown) != said.revision:
            raise ForumChanged
        now = self._now()
        if replies.reply(db, self._keys, self._settings, said.forum, number, said.heads, channel, now) is None:
            raise ForumChanged

    def _today(self) -> date:
        return self._settings.day(self._now())
