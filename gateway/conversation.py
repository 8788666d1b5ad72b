"""One inbound, one reply: load, step the menu, apply its effects, commit.

Everything of a request happens in one transaction that holds the conversation's row, so a repeat that comes
beside or after it applies nothing and gets the first answer.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, select, update

from gateway.config import Settings
from gateway.menus import flows
from gateway.menus.effects import Discard, Effect, Identify, Join, Save, Speak, Withdraw
from gateway.menus.engine import Screen, Talk
from gateway.menus.phrases import Words
from gateway.menus.visit import Facts, Programme, Visit
from gateway.menus.wording import render
from gateway.models import answers, editions
from gateway.models.callers import Caller, find_caller, remember
from gateway.models.conversations import conversations, find_conversation
from gateway.models.rounds import rounds
from gateway.models.store import Store, insert, insert_new
from gateway.phones import calling_code
from gateway.privacy import Keys
from gateway.providers.base import UssdEnd, UssdStep
from gateway.text import USSD

_ = Words
log = structlog.get_logger()

REDIAL = timedelta(minutes=10)
"""So long after a dropped session its talk is taken up again (DOMAIN.md, Rules, 3)."""


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


class Conversations:
    """Answers people. One object a process; safe for threads."""

    def __init__(self, store: Store, keys: Keys, settings: Settings, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._keys = keys
        self._settings = settings
        self._now = now
        self._programme = functools.lru_cache(maxsize=8)(self._read_programme)

    def say(self, words: Words) -> str:
        """A sentence in the programme's language, for who is not known."""
        return render(words, self._settings.default_language)

    def ussd(self, step: UssdStep) -> Screen:
        """The screen that answers a USSD request. Raises what the database raises when it is down."""
        if calling_code(step.number, self._settings.countries) is None:
            return Screen(self.say(_("This service is for phones of this country only. Thank you.")), True)
        caller = self._keys.lookup(step.number)
        with self._store.write() as db:
            row = find_conversation(db, step.provider, step.session)
            if row is None and step.path is not None:
                row = self._open(db, step, caller)
            if row is None or row.caller != caller:
                log.warning("ussd.session_not_known", provider=step.provider)
                return Screen(self.say(_("Something went wrong. Please dial again.")), True)
            return self._step(db, row, step)

    def ussd_ended(self, end: UssdEnd) -> None:
        """Notes that a session is over: a completed one is not taken up again by a redial."""
        log.info("ussd.ended", provider=end.provider, status=end.reason)
        if end.completed:
            with self._store.write() as db:
                mine = (conversations.c.provider == end.provider) & (conversations.c.session == end.session)
                db.execute(update(conversations).where(mine).values(ended=True))

    # inside ---------------------------------------------------------------------------------------

    def _step(self, db: Connection, row: Row[Any], step: UssdStep) -> Screen:
        count = _inputs_so_far(row, step)
        if count <= row.inputs:
            return self._again(row, step, count)
        facts = Facts.from_json(row.facts)
        offset = row.offset
        if facts.menus != flows.VERSION:  # a deploy came between: the values still say what was meant
            facts = replace(facts, menus=flows.VERSION, dialled=(), earlier=_values(row), taken_up="quietly")
            offset = count
        talk = self._talk(facts, row, step, offset, count)
        screen = talk.screen
        change: dict[str, Any] = {}
        try:
            for effect in talk.effects:
                self._apply(db, effect, step.number)
                if isinstance(effect, Save):
                    change |= {"scored": True, "round_id": effect.round_id}
        except answers.RoundClosed:
            closed = _("This round has closed. The rating was not kept. Thank you.")
            screen = Screen(render(closed, talk.language), True)
        change |= {"transcript": _SEPARATOR.join(talk.transcript), "page": talk.page, "inputs": count}
        change |= {"answer": screen.text, "ended": screen.ends, "touched": self._now()}
        if offset != row.offset:
            change |= {"facts": facts.to_json(), "offset": offset}
        db.execute(update(conversations).where(conversations.c.id == row.id).values(change))
        return screen

    def _talk(self, facts: Facts, row: Row[Any], step: UssdStep, offset: int, count: int) -> Talk:
        """The talk after this request; of its effects only those of inputs that are new."""
        flow = functools.partial(flows.dial, Visit(facts, self._programme(facts.edition)))
        fresh = step.path is not None or offset == count
        talk = Talk(flow, facts.language, USSD, None if fresh else _values(row), row.page)
        inputs = (step.path or ())[offset:count] if fresh else (step.last or "",)
        if offset <= row.inputs:
            talk.effects.clear()
        for number, raw in enumerate(inputs, offset + 1 if fresh else count):
            talk.feed(raw)
            if number <= row.inputs:
                talk.effects.clear()
        return talk

    def _again(self, row: Row[Any], step: UssdStep, count: int) -> Screen:
        """The first answer to a request that comes again: the last one as it was, an older one played again."""
        if count == row.inputs or step.path is None or count < row.offset:
            return Screen(row.answer, row.ended)
        return self._talk(Facts.from_json(row.facts), row, step, row.offset, count).screen

    def _open(self, db: Connection, step: UssdStep, caller: bytes) -> Row[Any]:
        """The conversation of a session seen for the first time: a new one, or a dropped one taken up again."""
        dropped = None if step.path else self._dropped(db, caller)
        if dropped is not None:
            facts = replace(Facts.from_json(dropped.facts), dialled=(), earlier=_values(dropped), taken_up="ask")
            db.execute(update(conversations).where(conversations.c.id == dropped.id).values(resumed=True))
        else:
            known = find_caller(db, caller) or Caller(None, None)
            facts = Facts(
                edition=editions.newest(db),
                language=known.language or self._settings.default_language,
                commune=known.commune,
                cost=self._settings.caller_cost,
                menus=flows.VERSION,
                dialled=step.path or (),
            )
        values = {
            "id": secrets.token_hex(16), "provider": step.provider, "session": step.session, "caller": caller,
            "channel": "ussd", "facts": facts.to_json(), "offset": len(facts.dialled), "inputs": _NONE_YET,
            "transcript": "", "page": 0, "answer": "", "resumed": dropped is not None, "touched": self._now(),
        }  # fmt: skip
        insert_new(db, insert(conversations, db.dialect.name).values(values))
        row = find_conversation(db, step.provider, step.session)
        assert row is not None  # either ours, or that of the same request beside us
        return row

    def _dropped(self, db: Connection, caller: bytes) -> Row[Any] | None:
        """The caller's last conversation, when it was cut off before a score and was not taken up before.

        It keeps its row: were it to go on after all, its path must not look like one dialled at once.
        """
        last = (
            select(conversations)
            .where(conversations.c.caller == caller, conversations.c.touched > self._now() - REDIAL)
            .order_by(conversations.c.touched.desc())
            .limit(1)
            .with_for_update()
        )
        row = db.execute(last).first()
        if row is None or row.ended or row.scored or row.resumed or not row.transcript:
            return None
        return row

    def _apply(self, db: Connection, effect: Effect, number: str) -> None:
        """Does what a flow asked for. Raises RoundClosed, and then has done nothing."""
        match effect:
            case Speak(language):
                remember(db, self._keys.lookup(number), language=language)
            case Join(commune):
                remember(db, self._keys.lookup(number), commune=commune)
            case Save(round_id, commune, service, score):
                key = self._round_key(db, round_id)
                answers.save(
                    db,
                    answers.Given(
                        round_id=round_id,
                        rater=self._keys.rater(key, number, None),
                        phone=self._keys.phone(key, number),
                        commune=commune,
                        service=service,
                        score=score,
                        day=self._now().astimezone(self._settings.zone).date(),
                        channel="ussd",
                    ),
                )
            case Identify(round_id, who):
                key = self._round_key(db, round_id)
                nobody, rater = (self._keys.rater(key, number, given) for given in (None, who))
                answers.take_over(db, round_id, self._keys.phone(key, number), nobody, rater, who)
            case Discard(round_id, services):
                key = self._round_key(db, round_id)
                for service in services:
                    phone, nobody = self._keys.phone(key, number), self._keys.rater(key, number, None)
                    answers.remove_loose(db, round_id, phone, nobody, service)
            case Withdraw():
                for round_id, key in db.execute(_OPEN_ROUNDS).all():
                    answers.withdraw(db, round_id, self._keys.phone(key, number))

    def _round_key(self, db: Connection, round_id: int) -> str:
        """The name of an open round's key. Raises RoundClosed: the key of a closed one is gone."""
        name = db.scalar(select(rounds.c.key).where(rounds.c.id == round_id, rounds.c.closed.is_(None)))
        if name is None:
            raise answers.RoundClosed
        return str(name)

    def _read_programme(self, edition: int) -> Programme:
        with self._store.read() as db:
            return Programme(edition, editions.read_edition(db, edition))


_SEPARATOR = "\t"
_NONE_YET = -1
_OPEN_ROUNDS = select(rounds.c.id, rounds.c.key).where(rounds.c.closed.is_(None))


def _values(row: Row[Any]) -> tuple[str, ...]:
    return tuple(row.transcript.split(_SEPARATOR)) if row.transcript else ()


def _inputs_so_far(row: Row[Any], step: UssdStep) -> int:
    if step.path is not None:
        return len(step.path)
    if step.last is None:
        return 0
    return step.position if step.position is not None else int(row.inputs) + 1
