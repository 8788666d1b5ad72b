"""Inbound and reply: load, step the menus, apply their effects, commit.

Everything of a request happens in one transaction that holds the conversation's row, so a repeat that comes
beside or after it applies nothing and gets the first answer. Requests that come at the same time share one
(together.py), each of another session and number.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, delete, update

from gateway.config import Settings
from gateway.effects import Deed, Effects, ForumChanged
from gateway.menus import flows
from gateway.menus.effects import Effect
from gateway.menus.engine import Screen, Talk
from gateway.menus.phrases import Words
from gateway.menus.visit import Facts, Programme, Visit
from gateway.menus.wording import render
from gateway.models import answers, editions
from gateway.models.callers import known_callers, note_seen
from gateway.models.conversations import (
    NONE_YET,
    SESSION,
    Conversation,
    add_conversations,
    conversations,
    find_conversations,
    freeze_anew,
    keep_conversations,
    last_calls,
)
from gateway.models.store import Store, is_away
from gateway.phones import calling_code
from gateway.privacy import Keys
from gateway.promises.checks import CheckClosed
from gateway.providers.base import UssdEnd, UssdStep
from gateway.stored import SEPARATOR, LetGo, Stored
from gateway.text import SMS, USSD
from gateway.times import utc_now
from gateway.together import Together

_ = Words
log = structlog.get_logger()

REDIAL = timedelta(minutes=10)
"""So long after a dropped session its talk is taken up again (DOMAIN.md, Rules, 3)."""


@dataclass
class Turn:
    """What somebody says, and the conversation that it belongs to: None where nobody knows which."""

    step: UssdStep
    row: Conversation | None
    is_new: bool = False
    """Whether the conversation begins with it, and is not written yet."""


@dataclass(frozen=True)
class Start:
    """A step with which a talk begins; `facts` are those of its Facts that are not at their default."""

    step: UssdStep
    dialled: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether somebody dials, and no more: who dials through, or sends an SMS, rates for themselves, and now."""
        return not self.dialled and not self.facts


@dataclass
class _Play:
    """A turn as it is played: its screen, and its conversation as it stands then."""

    turn: Turn
    screen: Screen
    row: Conversation | None = None
    """None: it stays as it is."""
    is_deployed: bool = False
    """Whether new flows have taken it over."""
    stored: Stored | None = None
    effects: Sequence[Effect] = ()
    language: str = ""

    def deeds(self) -> Iterator[Effect | LetGo]:
        """What is to be done, one after the other; who asks for the next one has done the one before."""
        assert self.stored is not None
        for asked in self.effects:
            if self.stored.is_given_anew(asked):
                yield self.stored.let_go(asked)
                self.stored.who = None
            effect = self.stored.whole(asked)
            yield effect
            self.stored.note(effect)


class Conversations:
    """Answers people. One object a process; safe for threads."""

    def __init__(self, store: Store, keys: Keys, settings: Settings, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._keys = keys
        self._settings = settings
        self._now = now
        self._effects = Effects(keys, settings, now)
        self._programme = functools.lru_cache(maxsize=8)(self._read_programme)
        self._together = Together(self._answer, lambda step: (_session(step), step.number), is_away, store.writers)

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
        return self._together(step)

    def ussd_ended(self, end: UssdEnd) -> None:
        """Notes that a session is over: a completed one is not taken up again by a redial."""
        log.info("ussd.ended", provider=end.provider, status=end.reason)
        if end.completed:
            with self._store.write() as db:
                mine = (conversations.c.provider == end.provider) & (conversations.c.session == end.session)
                db.execute(update(conversations).where(mine).values(ended=True))

    def begin(self, db: Connection, start: Start) -> Turn:
        """The first turn of a talk."""
        return self._begin(db, [start])[0]

    def advance(self, db: Connection, turn: Turn) -> Screen:
        """The screen after a turn of a talk; what it has to do is done. A repeat gets the first answer."""
        return self._advance(db, [turn])[0]

    # inside ---------------------------------------------------------------------------------------

    def _answer(self, steps: Sequence[UssdStep]) -> list[Screen]:
        """The screens that answer steps of different sessions and numbers."""
        with self._store.write_by_index() as db:
            there = find_conversations(db, map(_session, steps))
            turns: list[Turn] = []
            starts: dict[int, Start] = {}
            for at, given in enumerate(steps):
                step, row = given, there.get(_session(given))
                if step.dialled is not None:
                    row = self._of_this_session(db, row)
                    step = step if row is not None else replace(step, path=step.dialled, last=None)
                turns.append(Turn(step, row))
                if row is None and step.path is not None:
                    starts[at] = Start(step, step.path)
            for at, turn in zip(starts, self._begin(db, list(starts.values())), strict=True):
                turns[at] = turn
            return self._advance(db, turns)

    def _of_this_session(self, db: Connection, row: Conversation | None) -> Conversation | None:
        """The row, unless it is so old that the provider must have given its session's id anew."""
        if row is None or row.touched > self._now() - SESSION:
            return row
        db.execute(delete(conversations).where(conversations.c.id == row.id))
        return None

    def _begin(self, db: Connection, starts: Sequence[Start]) -> list[Turn]:
        """The first turn of each conversation: a new one, or a dropped one taken up again."""
        if not starts:
            return []
        callers = [self._keys.lookup(start.step.number) for start in starts]
        known = known_callers(db, callers)
        dropped = self._dropped(db, [one for one, start in zip(callers, starts, strict=True) if start.is_plain])
        edition, now = editions.newest(db), self._now()
        turns = []
        for caller, start in zip(callers, starts, strict=True):
            facts = dropped.get(caller) if start.is_plain else None
            resumed = facts is not None
            if facts is None:
                who, volunteer = known[caller].caller, known[caller].volunteer
                note_seen(db, caller, who, self._settings.day(now))
                usual: dict[str, Any] = {
                    "edition": edition, "language": who.language or self._settings.default_language,
                    "commune": who.commune, "cost": self._settings.caller_cost, "menus": flows.VERSION,
                    "dialled": start.dialled, "began": now.isoformat(), "draw": secrets.randbelow(_DRAWS),
                    "sms": self._settings.sms_number,
                }  # fmt: skip
                if volunteer and start.is_plain:
                    series = secrets.token_hex(16)
                    usual |= {"volunteer": volunteer.id, "records": volunteer.commune, "series": series}
                facts = Facts(**usual | start.facts)
            row = Conversation(
                id=secrets.token_hex(16), provider=start.step.provider, session=start.step.session, caller=caller,
                channel=facts.channel, facts=facts.to_json(), offset=len(start.step.path or ()), resumed=resumed,
                touched=now,
            )  # fmt: skip
            turns.append(Turn(start.step, row, is_new=True))
        return turns

    def _dropped(self, db: Connection, callers: Sequence[bytes]) -> dict[bytes, Facts]:
        """How callers' last conversations go on, that were cut off before a score and not taken up before.

        Each keeps its row: were it to go on after all, its path must not look like one dialled at once.
        """
        found = {}
        for caller, row in last_calls(db, callers, self._now() - REDIAL).items():
            # a round it may write to: a score was given
            if row.ended or row.round_id or row.checks or row.resumed or not row.transcript:
                continue
            db.execute(update(conversations).where(conversations.c.id == row.id).values(resumed=True))
            facts = Facts.from_json(row.facts)
            found[caller] = replace(facts, menus=flows.VERSION, dialled=(), earlier=_values(row), taken_up="ask")
        return found

    def _advance(self, db: Connection, turns: Sequence[Turn]) -> list[Screen]:
        """The screens after turns of different sessions and numbers."""
        plays = [self._play(turn) for turn in turns]
        new = [play.row for play in plays if play.turn.is_new and play.row is not None]
        added = add_conversations(db, new)
        if len(added) < len(new):  # the same requests, beside us, were quicker
            there = find_conversations(db, [(row.provider, row.session) for row in new if row.id not in added])
            for at, play in enumerate(plays):
                if play.turn.is_new and play.row is not None and play.row.id not in added:
                    plays[at] = self._play(Turn(play.turn.step, there[_session(play.turn.step)]))
        self._do(db, plays)
        changed = [play.row for play in plays if play.row and (play.effects or not play.turn.is_new)]
        keep_conversations(db, changed)
        for play in plays:
            if play.is_deployed and play.row:
                freeze_anew(db, play.row)
        return [play.screen for play in plays]

    def _play(self, turn: Turn) -> _Play:
        """What a turn leads to; nothing of it is done yet."""
        row, step = turn.row, turn.step
        if row is None or row.caller != self._keys.lookup(step.number):
            log.warning("ussd.session_not_known", provider=step.provider)
            return _Play(turn, Screen(self.say(_("Something went wrong. Please dial again.")), True))
        if step.request is not None and step.request == row.request:
            return _Play(turn, Screen(row.answer, row.ended))
        count = _inputs_so_far(row, step)
        if count <= row.inputs:
            return _Play(turn, self._again(row, step, count))
        facts = Facts.from_json(row.facts)
        is_deployed = facts.menus != flows.VERSION
        if is_deployed:  # a deploy came between: the values still say what was meant
            facts, row.offset = _deployed(facts, _values(row)), count
            row.facts = facts.to_json()
        talk = self._talk(facts, row, step, row.offset, count)
        play = _Play(turn, talk.screen, row, is_deployed, Stored.of(row), talk.effects, talk.language)
        row.transcript, row.page, row.inputs = SEPARATOR.join(talk.transcript), talk.page, count
        row.answer, row.ended = play.screen.text, play.screen.ends
        row.touched, row.request = self._now(), step.request
        return play

    def _do(self, db: Connection, plays: Sequence[_Play]) -> None:
        """Does what the turns ask for, of each one thing after the other."""
        going = [(play, play.deeds()) for play in plays if play.effects]
        while going:
            wave = [(play, deeds, deed) for play, deeds in going if (deed := next(deeds, None)) is not None]
            asked = [Deed(deed, play.turn.step.number, play.row.channel) for play, _, deed in wave if play.row]
            going = []
            for (play, deeds, _deed), refused in zip(wave, self._effects.apply(db, asked), strict=True):
                if refused is None:
                    going.append((play, deeds))
                elif play.row is not None:
                    play.screen = Screen(render(_NOT_KEPT[type(refused)], play.language), True)
                    play.row.answer, play.row.ended = play.screen.text, True
                    play.row.transcript = ""  # what is not kept is not kept here either
        for play in plays:
            if play.effects and play.row and play.stored:
                play.stored.write(play.row)

    def _talk(self, facts: Facts, row: Conversation, step: UssdStep, offset: int, count: int) -> Talk:
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
        if row.inputs != NONE_YET:
            talk.effects.clear()
        for number, raw in enumerate(inputs, offset + 1 if fresh else count):
            talk.feed(raw)
            if number <= row.inputs:
                talk.effects.clear()
        return talk

    def _again(self, row: Conversation, step: UssdStep, count: int) -> Screen:
        """The first answer to a request that comes again: the last one as it was, an older one played again."""
        if count == row.inputs or step.path is None or count < row.offset:
            return Screen(row.answer, row.ended)
        return self._talk(Facts.from_json(row.facts), row, step, row.offset, count).screen

    def _read_programme(self, edition: int) -> Programme:
        with self._store.read() as db:
            return Programme(edition, editions.read_edition(db, edition), self._settings.zone)


_NOT_KEPT: dict[type[Exception], Words] = {
    answers.RoundClosed: _("This round has closed. The rating was not kept. Thank you."),
    CheckClosed: _("This question has closed. The answer was not kept. Thank you."),
    ForumChanged: _("This forum was moved or cancelled just now. Your answer was not kept. Please ask again."),
}
_DRAWS = 2**31
"""So many draws of extra questions there are: of ten, each pair is as likely as any other."""


def _session(step: UssdStep) -> tuple[str, str]:
    return step.provider, step.session


def _values(row: Conversation) -> tuple[str, ...]:
    return tuple(row.transcript.split(SEPARATOR)) if row.transcript else ()


def _deployed(facts: Facts, values: tuple[str, ...]) -> Facts:
    """The facts of a conversation that new flows take over."""
    if facts.taken_up != "ask":
        return replace(facts, menus=flows.VERSION, dialled=(), earlier=values, taken_up="quietly")
    if not values:  # not answered yet
        return replace(facts, menus=flows.VERSION)
    return replace(facts, menus=flows.VERSION, dialled=(), earlier=values[1:], taken_up="quietly")


def _inputs_so_far(row: Conversation, step: UssdStep) -> int:
    if step.path is not None:
        return len(step.path)
    if step.last is None:
        return 0
    return step.position if step.position is not None else int(row.inputs) + 1
