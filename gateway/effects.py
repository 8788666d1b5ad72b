"""Does what flows ask for, in the transaction of the conversation that asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

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
from gateway.scorecard.bursts import Near
from gateway.stored import LetGo

_OPEN_ROUNDS = select(rounds.c.id, rounds.c.key).where(rounds.c.closed.is_(None))


class ForumChanged(Exception):
    """A forum was moved, cancelled or has begun since it was shown: the answer is not kept."""


REFUSALS = (answers.RoundClosed, checks.CheckClosed, ForumChanged)
"""Why something is not done that a flow asked for."""


@dataclass(frozen=True)
class Deed:
    """Something to be done for a number that speaks by a channel."""

    effect: Any
    """An Effect, or LetGo."""
    number: str
    channel: str


class Effects:
    """Applies effects under the keyed hashes of a number. Each may be applied twice without harm."""

    def __init__(self, keys: Keys, settings: Settings, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._settings = settings
        self._now = now

    def apply(self, db: Connection, deeds: Sequence[Deed]) -> list[Exception | None]:
        """Does what flows asked for, one deed a number; of each the refusal, one of `REFUSALS`, or None: it is done.

        Of a deed refused nothing is done. Raises KeyProblem when a key is gone.
        """
        saves = [at for at, deed in enumerate(deeds) if isinstance(deed.effect, Save)]
        told = [at for at, deed in enumerate(deeds) if isinstance(deed.effect, Identify)]
        others = sorted(set(range(len(deeds))).difference(saves, told))
        keys = answers.keys_of(db, {one for at in (*saves, *told) if (one := deeds[at].effect.round_id) is not None})
        refused: list[Exception | None] = [None] * len(deeds)
        for places, do in ((saves, self._save), (told, self._identify), (others, self._one_by_one)):  # locks by order
            for at, why in zip(places, do(db, keys, [deeds[at] for at in places]), strict=True):
                refused[at] = why
        return refused

    def _one_by_one(self, db: Connection, _keys: Mapping[int, str], deeds: Sequence[Deed]) -> list[Exception | None]:
        """What comes seldom."""
        refused: list[Exception | None] = []
        for deed in deeds:
            try:
                self._do(db, deed.effect, deed.number, deed.channel)
                refused.append(None)
            except REFUSALS as why:
                refused.append(why)
        return refused

    def _do(self, db: Connection, effect: Effect | LetGo, number: str, channel: str) -> None:
        match effect:
            case Speak(language):
                remember(db, self._keys.lookup(number), self._today(), language=language)
                contacts.speak(db, self._keys, number, language)
            case Join(commune):
                remember(db, self._keys.lookup(number), self._today(), commune=commune)
            case Check(check, choice, who):
                checks.answer(db, self._keys, check, number, who, choice)
            case Identify(_, who, on_promises):  # in a round: `_identify`
                for check in on_promises:
                    checks.take_over(db, self._keys, check, number, who)
            case LetGo():
                self._let_go(db, effect, number)
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
            case Subscribe() | Unsubscribe():
                self._news(db, effect, number, channel)

    def _let_go(self, db: Connection, told: LetGo, number: str) -> None:
        if told.round_id is not None:
            key = answers.key_of(db, told.round_id)
            nobody, rater = (self._keys.rater(key, number, one) for one in (None, told.who))
            answers.let_go(db, told.round_id, self._keys.phone(key, number), rater, nobody, told.pairs)
        for check in told.checks:
            checks.let_go(db, self._keys, check, number, told.who)

    def _save(self, db: Connection, keys: Mapping[int, str], deeds: Sequence[Deed]) -> list[Exception | None]:
        """Scores. `keys` are the names of those of the rounds that are open."""
        theirs = [(deed.number, self._given(deed, key)) for deed in deeds if (key := keys.get(deed.effect.round_id))]
        first = answers.save_all(db, [given for _number, given in theirs])
        near = [
            Near(given.round_id, self._keys.near(keys[given.round_id], number), given.commune, given.day)
            for (number, given), is_first in zip(theirs, first, strict=True)
            if is_first
        ]
        bursts.count_numbers(db, near)
        kept = {number for (number, _given), is_first in zip(theirs, first, strict=True) if is_first is not None}
        return [None if deed.number in kept else answers.RoundClosed() for deed in deeds]

    def _given(self, deed: Deed, key: str) -> answers.Given:
        given: Save = deed.effect
        return answers.Given(
            round_id=given.round_id,
            rater=self._keys.rater(key, deed.number, given.who),
            phone=self._keys.phone(key, deed.number),
            commune=given.commune,
            service=given.service,
            score=given.score,
            day=self._today(),
            channel=deed.channel,
            indicator=given.indicator or answers.OVERALL,
            who=given.who,
        )

    def _identify(self, db: Connection, keys: Mapping[int, str], deeds: Sequence[Deed]) -> list[Exception | None]:
        """Who gave what was answered: in a round, and on promises."""
        refused: list[Exception | None] = []
        told = []
        for deed in deeds:
            who, round_id = deed.effect.who, deed.effect.round_id
            if round_id is not None and round_id in keys:
                nobody, rater = (self._keys.rater(keys[round_id], deed.number, one) for one in (None, who))
                phone = self._keys.phone(keys[round_id], deed.number)
                told.append(answers.Told(round_id, phone, nobody, rater, who, self._today()))
            refused.append(answers.RoundClosed() if round_id is not None and round_id not in keys else None)
        answers.take_over(db, told)
        for at, deed in enumerate(deeds):
            if deed.effect.checks and refused[at] is None:
                refused[at : at + 1] = self._one_by_one(db, keys, [deed])
        return refused

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
                recording.describe(db, self._keys, respondent, who, self._today())
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

    def _news(self, db: Connection, wish: Subscribe | Unsubscribe, number: str, channel: str) -> None:
        if isinstance(wish, Unsubscribe):
            contacts.unsubscribe(db, self._keys, number)
            return
        caller = find_caller(db, self._keys.lookup(number))
        contacts.subscribe(
            db,
            self._keys,
            number,
            language=(caller.language if caller else None) or self._settings.default_language,
            commune=wish.commune,
            source=channel.upper(),
            today=self._today(),
        )

    def _today(self) -> date:
        return self._settings.day(self._now())
