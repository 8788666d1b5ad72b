"""What a digit answers: the newest unanswered question that was sent to a number.

Questions are an open talk of the menus, a forum's invitation, reminder or notice, a poll, whether a promise was kept, a
council's weekly letter.
A digit that the newest one does not know is told what it knows; it never falls through to an older question: that
would take a slip for an answer to something its sender does not think of, and a forum takes nearly every digit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select, update

from gateway.bulk import polls
from gateway.bulk.poll_words import what_to_reply
from gateway.config import Language, Settings
from gateway.forums import forums
from gateway.menus import days
from gateway.menus.phrases import Words
from gateway.menus.wording import render
from gateway.models.broadcasts import broadcasts
from gateway.models.callers import find_caller
from gateway.models.conversations import Conversation, conversations
from gateway.models.forums import REACHED, forum_replies
from gateway.models.forums import forums as planned
from gateway.models.messages import Kind, inbound, is_sms, messages
from gateway.models.polls import poll_answers
from gateway.models.polls import polls as asked_polls
from gateway.models.promises import checks as asked_checks
from gateway.privacy import Keys
from gateway.promises import check_words, checks
from gateway.providers.base import InboundSms
from gateway.scorecard import weekly

_ = Words

MENU_LAPSES = timedelta(minutes=10)
"""So long a digit answers the last question of a menu (DESIGN.md, Menus)."""
LETTER_LAPSES = timedelta(days=7)
"""A weekly letter is followed by the next one."""

_OF_FORUMS = (Kind.INVITATION, Kind.REMINDER, Kind.NOTICE, Kind.URGENT)
_WORDS_AFTER_TWO = re.compile(r"\W*(\d+)(?:\W+|(?=[^\W\d]))(.*[^\W\d].*)", re.DOTALL)
_FIRST_IS_A_NUMBER = re.compile(r"\W*\d")


@dataclass(frozen=True)
class Question:
    """A question that waits; one of `talk`, `forum`, `poll`, `check`, `letter` says which."""

    sent: datetime
    answered: bool = False
    language: Language | None = None
    """In which it was asked."""
    talk: Conversation | None = None
    forum: int | None = None
    poll: int | None = None
    check: int | None = None
    """Whether a promise was kept: a talk takes the answer."""
    letter: int | None = None
    """A broadcast."""


class Questions:
    """Finds what a number was asked, and takes answers to what came by broadcast."""

    def __init__(self, keys: Keys, settings: Settings, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._settings = settings
        self._now = now

    def waiting(self, db: Connection, number: str) -> list[Question]:
        """What a number may answer now: the unanswered first, the newest first. An answered one may be corrected."""
        talk = self._talk(db, number)
        found = [*self._sent(db, number), *([talk] if talk else [])]
        return sorted(found, key=lambda question: (not question.answered, question.sent), reverse=True)

    def answer(self, db: Connection, question: Question, sms: InboundSms, number: str, digits: str) -> str:
        """Takes a number, as typed, for the answer to a question; returns what is said to it, naming the question."""
        choice, words, now = int(digits), None, self._now()
        if question.forum is not None:
            words = forums.reply(db, self._keys, self._settings, question.forum, number, choice, "sms", now)
        elif question.poll is not None:
            words = polls.vote(db, self._keys, question.poll, number, choice, now)
        elif question.letter is not None and choice == 1:
            _note_answered(db, sms, question.letter)
            return weekly.details(db, question.letter, self.language(db, question, number), self._settings, now)
        elif question.letter is not None and choice == 2:
            words = weekly.file_reply(db, question.letter, "", now)
        return self._said(db, question, number, words or self._what_would_do(db, question))

    def reply(self, db: Connection, asked: list[Question], sms: InboundSms, number: str) -> str | None:
        """Files `2 and words` as a council's reply to its letter; returns the thanks, None when it is no such reply."""
        letter = next((question for question in asked if question.letter is not None), None)
        found = _WORDS_AFTER_TWO.fullmatch(sms.text)
        if letter is None or letter.letter is None or found is None or int(found[1]) != 2:
            return None
        _note_answered(db, sms, letter.letter)
        return self._said(db, letter, number, weekly.file_reply(db, letter.letter, found[2], self._now()))

    def hint(self, db: Connection, asked: list[Question], number: str, text: str) -> str | None:
        """What would be an answer, for who tried with more than a digit (`2 people`); None for what is no attempt."""
        if not asked or asked[0].talk is not None or not _FIRST_IS_A_NUMBER.match(text):
            return None
        return self._said(db, asked[0], number, self._what_would_do(db, asked[0]))

    # inside ---------------------------------------------------------------------------------------

    def _talk(self, db: Connection, number: str) -> Question | None:
        row = db.execute(
            select(conversations)
            .where(
                conversations.c.caller == self._keys.lookup(number),
                conversations.c.channel == "sms",
                conversations.c.touched > self._now() - MENU_LAPSES,
                ~conversations.c.ended,
            )
            .order_by(conversations.c.touched.desc())
            .limit(1)
            .with_for_update()
        ).first()
        return Question(sent=row.touched, talk=Conversation(**row._mapping)) if row else None

    def _sent(self, db: Connection, number: str) -> list[Question]:
        """The questions of broadcasts; of several messages about the same one, the newest."""
        found: dict[object, Question] = {}
        now = self._now()
        with_ = {"phone": self._keys.lookup(number), "now": now, "week_ago": now - LETTER_LAPSES}
        for row in db.execute(_ASKED, with_):
            if row.kind == Kind.TALLY:
                found.setdefault("letter", Question(row.at, row.details, row.language, letter=row.broadcast))
            elif row.kind == Kind.POLL:
                voted = self._has_voted(db, row.poll, row.key, number)
                found.setdefault(("poll", row.poll), Question(row.at, voted, row.language, poll=row.poll))
            elif row.kind == Kind.CHECK:
                said = checks.has_answered(db, self._keys, row.check, row.check_key, number)
                found.setdefault(("check", row.check), Question(row.at, said, row.language, check=row.check))
            else:
                replied = row.replied is not None and row.replied >= row.at
                found.setdefault(("forum", row.forum), Question(row.at, replied, row.language, forum=row.forum))
        return list(found.values())

    def _has_voted(self, db: Connection, poll: int, key: str, number: str) -> bool:
        if not self._keys.has_round(key):  # its votes cannot be told from others', and no vote is taken
            return False
        mine = (poll_answers.c.poll_id == poll) & (poll_answers.c.phone == self._keys.phone(key, number))
        return db.execute(select(poll_answers.c.choice).where(mine)).first() is not None

    def _what_would_do(self, db: Connection, question: Question) -> Words:
        """The sentence for what is no answer: it names the question and says what is one."""
        if question.letter is not None:
            return _("Weekly figures: reply 1 for details, or 2 and your words.")
        if question.poll is not None and (poll := polls.find(db, question.poll)) and poll.is_open(self._now()):
            return what_to_reply(poll.asked)
        if question.check is not None and (activity := checks.activity(db, question.check)) is not None:
            return check_words.hint(activity)
        if question.forum is not None and (forum := forums.find(db, question.forum)) and forum.is_ahead(self._now()):
            date = days.day(forum.starts.astimezone(self._settings.zone))
            name = _("{commune} forum", commune=forum.commune)
            return _("{forum} {date}: how many will come? Reply 0-8.", forum=name, date=date)
        return _("This question is over. Thank you.")

    def _said(self, db: Connection, question: Question, number: str, words: Words) -> str:
        return render(words, self.language(db, question, number))

    def language(self, db: Connection, question: Question, number: str) -> Language:
        """The one in which an answer to a question is answered."""
        caller = find_caller(db, self._keys.lookup(number))
        return (caller.language if caller else None) or question.language or self._settings.default_language


def _asked() -> Select[Any]:
    """The messages to a `phone` that ask something and were handed over, the newest first, as long as they are open."""
    phone: Any = bindparam("phone")
    now: Any = bindparam("now")
    m, b, f, p, k = messages.c, broadcasts.c, planned.c, asked_polls.c, asked_checks.c
    at = func.coalesce(m.sent, m.changed).label("at")
    details = select(inbound.c.letter).where(inbound.c.phone == phone, inbound.c.letter == m.broadcast).exists()
    mine = (forum_replies.c.forum_id == b.forum) & (forum_replies.c.phone == phone)
    forum_ahead = m.kind.in_(_OF_FORUMS) & f.approved & ~f.cancelled & (f.starts > now)
    poll_open = (m.kind == Kind.POLL) & p.closed.is_(None) & (p.closes > now)
    check_open = (m.kind == Kind.CHECK) & k.id.is_not(None)
    letter_new = (m.kind == Kind.TALLY) & (at > bindparam("week_ago"))
    return (
        select(m.kind, m.language, m.broadcast, at, b.forum, b.poll, p.key, details.label("details"))
        .add_columns(forum_replies.c.at.label("replied"), k.id.label("check"), k.key.label("check_key"))
        .join(broadcasts, b.id == m.broadcast)
        .outerjoin(planned, f.id == b.forum)
        .outerjoin(asked_polls, p.id == b.poll)
        .outerjoin(asked_checks, (k.commitment == b.commitment) & k.closed.is_(None))
        .outerjoin(forum_replies, mine)
        .where(m.phone == phone, m.state.in_(REACHED), forum_ahead | poll_open | check_open | letter_new)
        .order_by(at.desc(), m.id)
    )


_ASKED = _asked()


def _note_answered(db: Connection, sms: InboundSms, letter: int) -> None:
    db.execute(update(inbound).where(is_sms(sms.provider, sms.id)).values(letter=letter))
