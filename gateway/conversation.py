"""One inbound, one reply: load, step the menu, apply its effects, commit.

Everything of a request happens in one transaction that holds the conversation's row, so a repeat that comes
beside or after it applies nothing and gets the first answer.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, delete, select, update

from gateway.config import Settings
from gateway.effects import Effects, ForumChanged
from gateway.menus import flows
from gateway.menus.engine import Screen, Talk
from gateway.menus.phrases import Words
from gateway.menus.visit import Facts, Programme, Visit
from gateway.menus.wording import render
from gateway.models import answers, editions
from gateway.models.callers import Caller, find_caller, note_seen
from gateway.models.conversations import SESSION, conversations, find_conversation
from gateway.models.store import Store, insert, insert_new
from gateway.models.volunteers import volunteer_of
from gateway.phones import calling_code
from gateway.privacy import Keys
from gateway.promises.checks import CheckClosed
from gateway.providers.base import UssdEnd, UssdStep
from gateway.stored import SEPARATOR, Stored
from gateway.text import SMS, USSD
from gateway.times import utc_now

_ = Words
log = structlog.get_logger()

REDIAL = timedelta(minutes=10)
"""So long after a dropped session its talk is taken up again (DOMAIN.md, Rules, 3)."""


class Conversations:
    """Answers people. One object a process; safe for threads."""

    def __init__(self, store: Store, keys: Keys, settings: Settings, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._keys = keys
        self._settings = settings
        self._now = now
        self._effects = Effects(keys, settings, now)
        self._programme = functools.lru_cache(maxsize=8)(self._read_programme)

    def say(self, words: Words) -> str:
        """A sentence in the programme's language, for who is not known."""
        return render(words, self._settings.default_language)

    def knows_page(self, db: Connection, word: str) -> bool:
        """Whether an information page of any commune is asked for by a word, folded."""
        return bool(word) and self._programme(editions.newest(db)).shelf.knows(word)

    def ussd(self, step: UssdStep) -> Screen:
        """The screen that answers a USSD request. Raises what the database raises when it is down."""
        if calling_code(step.number, self._settings.countries) is None:
            return Screen(self.say(_("This service is for phones of this country only. Thank you.")), True)
        caller = self._keys.lookup(step.number)
        with self._store.write() as db:
            row = find_conversation(db, step.provider, step.session)
            if step.dialled is not None:
                row = self._of_this_session(db, row)
                step = step if row is not None else replace(step, path=step.dialled, last=None)
            if row is None and step.path is not None:
                row = self.begin(db, step, dialled=step.path)
            if row is None or row.caller != caller:
                log.warning("ussd.session_not_known", provider=step.provider)
                return Screen(self.say(_("Something went wrong. Please dial again.")), True)
            return self.advance(db, row, step)

    def ussd_ended(self, end: UssdEnd) -> None:
        """Notes that a session is over: a completed one is not taken up again by a redial."""
        log.info("ussd.ended", provider=end.provider, status=end.reason)
        if end.completed:
            with self._store.write() as db:
                mine = (conversations.c.provider == end.provider) & (conversations.c.session == end.session)
                db.execute(update(conversations).where(mine).values(ended=True))

    def begin(self, db: Connection, step: UssdStep, *, dialled: tuple[str, ...] = (), **facts: Any) -> Row[Any]:
        """The row of a session seen for the first time: a new conversation, or a dropped one taken up again.

        `facts` are those of its Facts that are not at their default.
        """
        caller = self._keys.lookup(step.number)
        frozen = self._facts_of_dropped(db, caller) if not dialled and not facts else None
        resumed = frozen is not None
        if frozen is None:
            known = find_caller(db, caller) or Caller(None, None)
            note_seen(db, caller, known, self._settings.day(self._now()))
            usual: dict[str, Any] = {
                "edition": editions.newest(db), "language": known.language or self._settings.default_language,
                "commune": known.commune, "cost": self._settings.caller_cost, "menus": flows.VERSION,
                "dialled": dialled, "began": self._now().isoformat(), "draw": secrets.randbelow(_DRAWS),
                "sms": self._settings.sms_number,
            }  # fmt: skip
            if not dialled and not facts:  # who dials through, or sends an SMS, rates for themselves
                usual |= self._as_volunteer(db, caller)
            frozen = Facts(**usual | facts)
        values = {
            "id": secrets.token_hex(16), "provider": step.provider, "session": step.session, "caller": caller,
            "channel": frozen.channel, "facts": frozen.to_json(), "offset": len(step.path or ()), "inputs": _NONE_YET,
            "transcript": "", "page": 0, "answer": "", "resumed": resumed, "touched": self._now(), "request": None,
        }  # fmt: skip
        insert_new(db, insert(conversations, db.dialect.name).values(values))
        row = find_conversation(db, step.provider, step.session)
        assert row is not None  # either ours, or that of the same request beside us
        return row

    def advance(self, db: Connection, row: Row[Any], step: UssdStep) -> Screen:
        """The screen after a step of a conversation; what it has to do is done. A repeat gets the first answer."""
        if step.request is not None and step.request == row.request:
            return Screen(row.answer, row.ended)
        count = _inputs_so_far(row, step)
        if count <= row.inputs:
            return self._again(row, step, count)
        facts = Facts.from_json(row.facts)
        offset = row.offset
        if facts.menus != flows.VERSION:  # a deploy came between: the values still say what was meant
            facts, offset = _deployed(facts, _values(row)), count
        talk = self._talk(facts, row, step, offset, count)
        screen = talk.screen
        stored = Stored.of(row)
        try:
            for asked in talk.effects:
                if stored.is_given_anew(asked):
                    self._effects.let_go(db, stored, asked, step.number)
                    stored.who = None
                effect = stored.whole(asked)
                self._effects.apply(db, effect, step.number, row.channel)
                stored.note(effect)
        except (answers.RoundClosed, CheckClosed, ForumChanged) as refused:
            screen = Screen(render(_NOT_KEPT[type(refused)], talk.language), True)
            talk.transcript.clear()  # what is not kept is not kept here either
        change = stored.columns()
        change |= {"transcript": _joined(talk.transcript), "page": talk.page, "inputs": count}
        change |= {"answer": screen.text, "ended": screen.ends, "touched": self._now(), "request": step.request}
        if offset != row.offset:
            change |= {"facts": facts.to_json(), "offset": offset}
        db.execute(update(conversations).where(conversations.c.id == row.id).values(change))
        return screen

    # inside ---------------------------------------------------------------------------------------

    def _of_this_session(self, db: Connection, row: Row[Any] | None) -> Row[Any] | None:
        """The row, unless it is so old that the provider must have given its session's id anew."""
        if row is None or row.touched > self._now() - SESSION:
            return row
        db.execute(delete(conversations).where(conversations.c.id == row.id))
        return None

    def _talk(self, facts: Facts, row: Row[Any], step: UssdStep, offset: int, count: int) -> Talk:
        """The talk after this request; of its effects only those of inputs that are new."""
        flow = functools.partial(flows.dial, Visit(facts, self._programme(facts.edition)))
        fresh = step.path is not None or offset == count
        talk = Talk(
            flow,
            facts.language,
            SMS if facts.channel == "sms" else USSD,
            None if fresh else _values(row),
            0 if fresh else row.page,
        )
        inputs = (step.path or ())[offset:count] if fresh else (step.last or "",)
        if row.inputs != _NONE_YET:
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

    def _as_volunteer(self, db: Connection, caller: bytes) -> dict[str, Any]:
        """What a flow may know of a caller who is a volunteer."""
        volunteer = volunteer_of(db, caller)
        if volunteer is None:
            return {}
        return {"volunteer": volunteer.id, "records": volunteer.commune, "series": secrets.token_hex(16)}

    def _facts_of_dropped(self, db: Connection, caller: bytes) -> Facts | None:
        """How the caller's last conversation goes on, when it was cut off before a score and not taken up before.

        It keeps its row: were it to go on after all, its path must not look like one dialled at once.
        """
        last = (
            select(conversations)
            .where(
                conversations.c.caller == caller,
                conversations.c.channel == "ussd",
                conversations.c.touched > self._now() - REDIAL,
            )
            .order_by(conversations.c.touched.desc())
            .limit(1)
            .with_for_update()
        )
        row = db.execute(last).first()
        # a round it may write to: a score was given
        if row is None or row.ended or row.round_id or row.checks or row.resumed or not row.transcript:
            return None
        db.execute(update(conversations).where(conversations.c.id == row.id).values(resumed=True))
        return replace(
            Facts.from_json(row.facts), menus=flows.VERSION, dialled=(), earlier=_values(row), taken_up="ask"
        )

    def _read_programme(self, edition: int) -> Programme:
        with self._store.read() as db:
            return Programme(edition, editions.read_edition(db, edition), self._settings.zone)


_NOT_KEPT: dict[type[Exception], Words] = {
    answers.RoundClosed: _("This round has closed. The rating was not kept. Thank you."),
    CheckClosed: _("This question has closed. The answer was not kept. Thank you."),
    ForumChanged: _("This forum was moved or cancelled just now. Your answer was not kept. Please ask again."),
}
_NONE_YET = -1
_DRAWS = 2**31
"""So many draws of extra questions there are: of ten, each pair is as likely as any other."""


def _joined(values: list[str]) -> str:
    return SEPARATOR.join(values)


def _values(row: Row[Any]) -> tuple[str, ...]:
    return tuple(row.transcript.split(SEPARATOR)) if row.transcript else ()


def _deployed(facts: Facts, values: tuple[str, ...]) -> Facts:
    """The facts of a conversation that new flows take over."""
    if facts.taken_up != "ask":
        return replace(facts, menus=flows.VERSION, dialled=(), earlier=values, taken_up="quietly")
    if not values:  # not answered yet
        return replace(facts, menus=flows.VERSION)
    return replace(facts, menus=flows.VERSION, dialled=(), earlier=values[1:], taken_up="quietly")


def _inputs_so_far(row: Row[Any], step: UssdStep) -> int:
    if step.path is not None:
        return len(step.path)
    if step.last is None:
        return 0
    return step.position if step.position is not None else int(row.inputs) + 1
