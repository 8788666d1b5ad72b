"""An SMS in, and the outbox row that answers it, in one transaction.

A provider that posts the same SMS three times gets it stored and answered once. An answer goes back by the way
the question came, and is allowed even to who opted out: it is the one direct answer to what they sent.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, func, select, update

from gateway.comments import comments, intake
from gateway.config import Language, Settings
from gateway.conversation import Conversations, Start, Turn
from gateway.menus import promises
from gateway.menus.engine import Screen
from gateway.menus.keywords import Keyword, Said, page_word, understand
from gateway.menus.phrases import Words
from gateway.menus.wording import render
from gateway.models import messages
from gateway.models.callers import find_caller
from gateway.models.contacts import contacts
from gateway.models.conversations import Conversation, conversations
from gateway.models.messages import Draft, Kind, inbound, is_sms
from gateway.models.store import Store, insert, insert_new
from gateway.models.volunteers import Volunteer, volunteer_of
from gateway.phones import calling_code, is_mobile
from gateway.privacy import Keys
from gateway.providers.base import InboundSms, InboxCheck, OptOut, UssdStep
from gateway.questions import Question, Questions
from gateway.routing import choose
from gateway.scorecard import cards
from gateway.times import utc_now

_ = Words
log = structlog.get_logger()

QUESTION_EXPIRES = timedelta(hours=1)
ANSWER_EXPIRES = timedelta(hours=24)
MENUS_A_DAY = 3
"""So often what was not understood is answered with the menu (CONTRACT.md, Villagers' inputs)."""
ANSWERS_A_DAY = 40
"""The loop guard: two machines that answer each other stop here."""
ANSWERS_TO_A_VOLUNTEER = 400
"""The same for a volunteer, who sends a card for each respondent."""
A_DAY = timedelta(days=1)
INBOX = 50

_FIXED: dict[Keyword, Words] = {
    Keyword.HELP: _(
        "RATE: rate services. FORUM: forums. ON: SMS about forums. OFF: no more SMS. LANG: language."
        " Or rate at once: commune, service, score, who, as in 1 2 5 1"
    ),
    Keyword.STOP: _("We will not send more messages. To get them again, send ON."),
}
_HELP_WITH_COMMENTS = _(
    "RATE: rate services. COMMENT: say what you think. FORUM: forums. ON: SMS about forums. OFF: no more SMS."
    " LANG: language. Or rate at once, as in 1 2 5 1"
)


class SmsDesk:
    """Takes SMS in. One object a process; safe for threads."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        settings: Settings,
        talks: Conversations,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._keys = keys
        self._settings = settings
        self._talks = talks
        self._now = now
        self._questions = Questions(keys, settings, now)

    def receive(self, sms: InboundSms) -> str | None:
        """Stores an SMS and writes its answer; returns the answer's id in the outbox, None when there is none."""
        if sms.number is None:
            log.info("sms.ignored", provider=sms.provider, why="the sender is no phone number")
            return None
        with self._store.write_by_index() as db:
            said = understand(sms.text)
            if not self._stored(db, sms, sms.number, said):
                return None
            if said.keyword is Keyword.STOP:
                self._stop(db, sms.number)
            volunteer = None
            if said.keyword is Keyword.RECORD:
                volunteer = volunteer_of(db, self._keys.lookup(sms.number))
                said = said if volunteer else Said()
            # recorded before anything else: what is not answered is kept all the same
            screen = self._record(db, sms.number, volunteer, said) if volunteer else None
            if not self._may_answer(db, sms.number):
                return None
            screen = screen or self._answer(db, sms, sms.number, said)
            if screen is None:
                return None
            now = self._now()
            draft = Draft(
                kind=Kind.ANSWER,
                number=sms.number,
                text=screen.text,
                provider=choose(db, self._settings, sms.number, now, came_by=sms.provider),
                not_before=now,
                expires=now + (ANSWER_EXPIRES if screen.ends else QUESTION_EXPIRES),
            )
            answer = messages.write(db, self._keys, draft, now)
            db.execute(update(inbound).where(is_sms(sms.provider, sms.id)).values(answer=answer))
            return answer

    def inbox(self, check: InboxCheck) -> list[dict[str, str]]:
        """What the simulator delivered to a number, oldest first; what its handset has shown is delivered."""
        table = messages.messages
        mine = (table.c.phone == self._keys.lookup(check.number)) & (table.c.provider == "simulator")
        there = select(table.c.id, table.c.text, table.c.created).where(
            mine, table.c.state.in_(("accepted", "delivered"))
        )
        with self._store.read() as db:
            rows = db.execute(there.order_by(table.c.created.desc()).limit(INBOX)).all()
        seen = [row.id for row in rows if row.id in check.shown]
        if seen:
            with self._store.write() as db:
                messages.move(db, messages.Move.DELIVER, seen, self._now())
        return [{"id": row.id, "text": row.text, "at": row.created.isoformat()} for row in reversed(rows)]

    def opted_out(self, notice: OptOut) -> None:
        """A provider says that a number wants no more messages."""
        with self._store.write() as db:
            messages.opt_out(db, self._keys.lookup(notice.number), self._today(), notice.provider)

    # inside ---------------------------------------------------------------------------------------

    def _stored(self, db: Connection, sms: InboundSms, number: str, said: Said) -> bool:
        """Whether this SMS is new, and now stored; its text is sealed, and that of a comment left out."""
        sealed = self._keys.seal("" if said.keyword is Keyword.COMMENT else sms.text, "an SMS")
        values = {
            "provider": sms.provider, "provider_id": sms.id, "phone": self._keys.lookup(number),
            "text": sealed.data, "text_key": sealed.key, "received": self._now(), "was_menu": 0,
        }  # fmt: skip
        return insert_new(db, insert(inbound, db.dialect.name).values(values))

    def _record(self, db: Connection, number: str, volunteer: Volunteer, said: Said) -> Screen:
        """A volunteer's card: one respondent."""
        words = cards.take(db, self._keys, volunteer, said.numbers, self._today())
        return Screen(render(words, self._language(db, number)), True)

    def _may_answer(self, db: Connection, number: str) -> bool:
        """Whether this sender is somebody we answer: a mobile number of a country served, and no machine in a loop."""
        if not is_mobile(number) or calling_code(number, self._settings.countries) is None:
            log.info("sms.not_answered", why="no mobile number of a country served")
            return False
        mine = (messages.messages.c.phone == self._keys.lookup(number)) & (messages.messages.c.kind == Kind.ANSWER)
        today = messages.messages.c.created > self._now() - A_DAY
        sent = db.scalar(select(func.count()).select_from(messages.messages).where(mine, today)) or 0
        if sent < ANSWERS_A_DAY or (
            sent < ANSWERS_TO_A_VOLUNTEER and volunteer_of(db, self._keys.lookup(number)) is not None
        ):
            return True
        log.warning("sms.not_answered", why=f"{sent} answers to one number within a day")
        return False

    def _answer(self, db: Connection, sms: InboundSms, number: str, said: Said) -> Screen | None:
        """What to say; None when nothing is to be said."""
        # not its bare id: a provider may number its SMS and its USSD sessions each from 1
        step = UssdStep(sms.provider, f"sms-{sms.id}", number, path=())
        if said.keyword is not None:
            return self._to_keyword(db, sms, step, said)
        if len(said.numbers) > 2:
            return self._begin(db, step, list(said.numbers[1:]), place=said.numbers[0])
        if self._talks.knows_page(db, page_word(sms.text)):
            return self._inform(db, step, sms.text)
        asked = self._questions.waiting(db, number)
        if (thanks := self._questions.reply(db, asked, sms, number)) is not None:
            return Screen(thanks, True)
        if asked and len(said.numbers) == 1:
            return self._take(db, asked[0], sms, step, said.numbers[0])
        if not self._may_show_menu(db, sms, number):
            return None
        talk = next((question.talk for question in asked if question.talk is not None), None)
        if talk is not None:
            return self._go_on(db, talk, number, sms.text)
        hint = self._questions.hint(db, asked, number, sms.text)
        return Screen(hint, True) if hint is not None else self._begin(db, step, [])

    def _to_keyword(self, db: Connection, sms: InboundSms, step: UssdStep, said: Said) -> Screen | None:
        """What a keyword asks for."""
        match said:
            case Said(Keyword.RATE, (place, *dialled)) if len(dialled) == 3:
                return self._begin(db, step, dialled, place=place)
            case Said(Keyword.RATE, dialled):
                return self._begin(db, step, list(dialled))
            case Said(Keyword.LANG):
                return self._begin(db, step, [], entry="language")
            case Said(Keyword.FORUM):
                return self._begin(db, step, [], entry="forums", commune=self._commune(db, step.number))
            case Said(Keyword.INFO):
                return self._inform(db, step, sms.text)
            case Said(Keyword.START):
                messages.opt_in(db, self._keys.lookup(step.number))
                return self._begin(db, step, [], entry="news", commune=self._commune(db, step.number))
            case Said(Keyword.COMMENT):
                return self._comment(db, sms, step.number)
        assert said.keyword is not None
        return self._fixed(db, step.number, said.keyword)

    def _take(self, db: Connection, question: Question, sms: InboundSms, step: UssdStep, digits: str) -> Screen:
        """A number, as the answer to a question. One about a promise asks back who says so: that is a talk."""
        if question.talk is not None:
            return self._go_on(db, question.talk, step.number, digits)
        if question.check is not None and digits in promises.KEYS:
            language = self._questions.language(db, question, step.number)
            return self._begin(db, step, [digits], entry="check", check=question.check, language=language)
        return Screen(self._questions.answer(db, question, sms, step.number, digits), True)

    def _begin(self, db: Connection, step: UssdStep, dialled: list[str], **facts: Any) -> Screen:
        """A new talk; one that is open is left, so that the next digit answers this one, if it asks anything."""
        turn = self._talks.begin(db, Start(step, tuple(dialled), {"channel": "sms", **facts}))
        screen = self._talks.advance(db, turn)
        if turn.row and (dialled or not screen.ends):
            self._leave_open(db, step.number, but=turn.row.id)
        return screen

    def _inform(self, db: Connection, step: UssdStep, text: str) -> Screen:
        """The information page whose word this is; the list where there is no word."""
        commune = self._commune(db, step.number)
        return self._begin(db, step, [], entry="information", word=page_word(text), commune=commune)

    def _go_on(self, db: Connection, talk: Conversation, number: str, text: str) -> Screen:
        return self._talks.advance(db, Turn(UssdStep(talk.provider, talk.session, number, last=text), talk))

    def _commune(self, db: Connection, number: str) -> str | None:
        """Where somebody lives who asks for something: who never rated may have said so when they asked for news."""
        key = self._keys.lookup(number)
        caller = find_caller(db, key)
        if caller is not None and caller.commune is not None:
            return caller.commune
        return db.scalar(select(contacts.c.commune).where(contacts.c.phone == key))

    def _leave_open(self, db: Connection, number: str, but: str = "") -> None:
        mine = (conversations.c.caller == self._keys.lookup(number)) & (conversations.c.channel == "sms")
        mine &= conversations.c.id != but
        db.execute(update(conversations).where(mine, ~conversations.c.ended).values(ended=True))

    def _may_show_menu(self, db: Connection, sms: InboundSms, number: str) -> bool:
        """Whether what was not understood may be answered with the menu once more today; counts it."""
        mine = (inbound.c.phone == self._keys.lookup(number)) & (inbound.c.received > self._now() - A_DAY)
        shown = db.scalar(select(func.sum(inbound.c.was_menu)).where(mine)) or 0
        if shown >= MENUS_A_DAY:
            log.info("sms.not_answered", why=f"not understood for more than {MENUS_A_DAY} times within a day")
            return False
        db.execute(update(inbound).where(is_sms(sms.provider, sms.id)).values(was_menu=1))
        return True

    def _stop(self, db: Connection, number: str) -> None:
        messages.opt_out(db, self._keys.lookup(number), self._today(), "SMS")
        self._leave_open(db, number)

    def _fixed(self, db: Connection, number: str, word: Keyword) -> Screen:
        words = _FIXED[word]
        if word is Keyword.HELP and comments.open_services(db):
            words = _HELP_WITH_COMMENTS
        return Screen(render(words, self._language(db, number)), True)

    def _comment(self, db: Connection, sms: InboundSms, number: str) -> Screen:
        commune = self._commune(db, number)
        words = intake.take(db, self._keys, self._settings, sms, number, commune, self._now())
        return Screen(render(words, self._language(db, number)), True)

    def _language(self, db: Connection, number: str) -> Language:
        caller = find_caller(db, self._keys.lookup(number))
        return (caller.language if caller else None) or self._settings.default_language

    def _today(self) -> Any:
        return self._settings.day(self._now())
