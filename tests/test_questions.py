"""Which question a digit answers, and what comes back: forums, polls, weekly letters, talks, on both databases."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, select, text

from gateway.bulk import broadcasts as sending
from gateway.bulk import polls
from gateway.bulk.letters import Audience
from gateway.bulk.poll_words import Asked
from gateway.contacts import contacts
from gateway.models import messages as outbox
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.callers import remember
from gateway.models.contacts import Role, group_members, groups
from gateway.models.contacts import contacts as people
from gateway.models.conversations import conversations
from gateway.models.forums import forum_replies
from gateway.models.forums import forums as planned
from gateway.models.messages import Kind, State, inbound, messages
from gateway.models.polls import poll_answers
from gateway.models.polls import polls as asked_polls
from gateway.models.releases import council_replies
from gateway.providers.base import Reason, Unknown
from gateway.questions import Questions
from gateway.scorecard import weekly
from tests.conftest import Installation
from tests.test_sms import HEALTH, ME, OTHER, SERVICES, STOPPED, TA_PHOU, THANKS, TREAS, WHO, Phone, in_language
from tests.village import Village

SEE_YOU = "Thank you! See you Wed 09/12, 8:30, at the commune hall."
NOT_COMING = "Thank you. You do not come: Ta Phou forum Wed 09/12. If you can after all, send 1-8."
HOW_MANY = "Ta Phou forum Wed 09/12: how many will come? Reply 0-8."
VOTED = "Thank you! Received: Was the booklet clear? Shared phone? Delete this and the SMS you sent."
VALID = "Was the booklet clear? Reply 1-2."
FIGURES = "Weekly figures: reply 1 for details, or 2 and your words."
FILED = "Thank you! Your reply is with the staff."
NO_FORUM = "No forum is planned now."
CLEAR = Asked({"en": "Was the booklet clear?"}, ({"en": "Yes"}, {"en": "No"}))
BUSES = Asked({"en": "Is there a bus?"}, ({"en": "Yes"}, {"en": "No"}, {"en": "Sometimes"}))


@dataclass
class Answers(Phone):
    """A phone of somebody of Ta Phou who asked for reminders, and what staff send to it."""

    village: Village = field(init=False)

    def __post_init__(self) -> None:
        self.village = Village(self.house)

    def invited(self, **changes: Any) -> int:
        """To a forum, on Wednesday 9 December at 8:30."""
        self.house.clock.forward(minutes=1)
        return self.village.invited(**changes)

    def polled(self, asked: Asked = CLEAR, closes: timedelta = timedelta(days=9)) -> int:
        house, now = self.house, self.house.clock.now + timedelta(minutes=1)
        house.clock.now = now
        everybody = Audience(communes=(TA_PHOU,))
        poll = polls.draft(house.store, house.keys, asked, everybody, now + closes, self.village.author, now)
        with house.store.write() as db:
            found = polls.find(db, poll)
            assert found is not None
            sending.submit(db, house.settings, found.broadcast, now)
            sending.approve(db, house.settings, found.broadcast, self.village.approver, now)
        self.village.post()
        return poll

    def told_of_the_week(self) -> None:
        """The commune's weekly letter; this number is its councillor's."""
        house = self.house
        with house.store.write() as db:
            db.execute(delete(people).where(people.c.phone == house.keys.lookup(self.number or "")))
            sok = contacts.Details(name="Sok", role=Role.COUNCILLOR, language="en", commune=TA_PHOU)
            contacts.add(db, house.keys, self.number or "", sok, date(2026, 11, 1))
        weekly.write_all(house.store, house.settings, house.clock.now)
        self.village.post()


def group_of(phone: Phone) -> int:
    """A new group that has this number in it."""
    mine = people.c.phone == phone.house.keys.lookup(phone.number or "")
    with phone.house.store.write() as db:
        new = groups.insert().values(name="all", made=phone.house.clock.now).returning(groups.c.id)
        made: int = db.execute(new).scalar_one()
        db.execute(group_members.insert().values(group_id=made, contact_id=db.scalar(select(people.c.id).where(mine))))
    return made


def heads(phone: Phone, forum: int) -> int | None:
    """How many come from this number, as it said last."""
    with phone.house.store.read() as db:
        mine = forum_replies.c.phone == phone.house.keys.lookup(phone.number or "")
        return db.scalar(select(forum_replies.c.heads).where(forum_replies.c.forum_id == forum, mine))


def votes(phone: Phone, poll: int) -> list[int]:
    with phone.house.store.read() as db:
        return list(db.scalars(select(poll_answers.c.choice).where(poll_answers.c.poll_id == poll)))


def filed(phone: Phone) -> list[str]:
    """What councils wrote to staff."""
    with phone.house.store.read() as db:
        return list(db.scalars(select(council_replies.c.text).order_by(council_replies.c.id)))


def last_answer(phone: Phone) -> Any:
    with phone.house.store.read() as db:
        return db.execute(select(messages).order_by(messages.c.created.desc()).limit(1)).one()


@pytest.fixture
def house(installation: Installation) -> Installation:
    """In English; a round has been open in all four communes since last Wednesday; it is Monday noon."""
    english = in_language(installation, "en")
    monday = english.clock.now
    english.clock.forward(days=-5)
    english.open_round()
    english.clock.now = monday
    return english


@pytest.fixture
def me(house: Installation) -> Answers:
    """Somebody of Ta Phou who rates, and asked for reminders."""
    with house.store.write() as db:
        remember(db, house.keys.lookup(ME), commune=TA_PHOU)
    phone = Answers(house)
    phone.village.joins(ME, "en")
    return phone


@pytest.fixture
def councillor(me: Answers) -> Answers:
    me.told_of_the_week()
    return me


# forums -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "come"), [("3", 3), ("៣", 3), ("0", 0), ("០", 0), (" 8. ", 8), ("1!", 1), ("03", 3)])
def test_a_digit_answers_an_invitation(me: Answers, typed: str, come: int) -> None:
    forum = me.invited()
    assert me.send(typed) == (SEE_YOU if come else NOT_COMING)
    assert heads(me, forum) == come


@pytest.mark.parametrize("typed", ["9", "12", "2026", "2 people", "3 neak", "៣ នាក់", "2 5", "1-8"])
def test_what_is_no_answer_to_an_invitation_is_told_what_is(me: Answers, typed: str) -> None:
    me.polled()
    forum = me.invited()
    assert me.send(typed) == HOW_MANY
    assert heads(me, forum) is None
    assert me.send("2") == SEE_YOU


def test_the_last_answer_counts(me: Answers) -> None:
    forum = me.invited()
    assert [me.send(typed) for typed in ("3", "0", "5")] == [SEE_YOU, NOT_COMING, SEE_YOU]
    assert heads(me, forum) == 5


def test_a_reply_is_kept_for_its_forum_only_with_the_number_sealed(me: Answers) -> None:
    forum = me.invited()
    me.send("3")
    with me.house.store.read() as db:
        row = db.execute(select(forum_replies)).one()
        talks = db.execute(select(conversations)).all()
    assert (row.forum_id, row.phone, row.heads, row.channel) == (forum, me.house.keys.lookup(ME), 3, "sms")
    assert ME[4:].encode() not in row.number
    assert talks == []


def test_words_without_a_number_get_the_menu_as_ever(me: Answers) -> None:
    me.invited()
    assert me.send("hello") == f"{SERVICES}\n0 Leave"
    assert me.send("2") == HEALTH


def test_trying_with_words_is_answered_three_times_a_day(me: Answers) -> None:
    me.invited()
    assert [me.send("2 people") for _ in range(4)] == [HOW_MANY] * 3 + [None]
    assert me.send("2") == SEE_YOU


def test_a_forum_asks_until_it_begins(me: Answers) -> None:
    forum = me.invited()
    me.house.clock.now = me.village.forum(forum).starts - timedelta(seconds=2)
    assert me.send("3") == SEE_YOU  # a second before
    assert me.send("4") == f"{SERVICES}\n0 Leave"
    assert heads(me, forum) == 3


def test_a_forum_that_is_cancelled_asks_nothing_any_more(me: Answers) -> None:
    forum = me.invited()
    me.village.cancel(forum)
    assert me.send("3") == f"{SERVICES}\n0 Leave"


def test_a_forum_that_was_moved_asks_again(me: Answers) -> None:
    forum = me.invited()
    assert me.send("3") == SEE_YOU
    poll = me.polled()
    starts = me.village.forum(forum).starts
    me.village.move(forum, starts + timedelta(days=7))
    me.house.clock.forward(minutes=1)
    me.village.approve(forum)
    me.village.post()
    assert me.send("0") == NOT_COMING.replace("09/12", "16/12")
    assert (heads(me, forum), votes(me, poll)) == (0, [])
    assert me.send("0") == VALID


def test_a_reminder_asks_again(me: Answers) -> None:
    forum = me.invited()
    assert me.send("3") == SEE_YOU
    poll = me.polled(closes=timedelta(days=30))
    me.village.at_time(me.village.forum(forum).starts - timedelta(days=7), 12)
    assert sum(me.village.tick().values()) == 1
    assert me.send("2") == SEE_YOU
    assert (heads(me, forum), votes(me, poll)) == (2, [])
    assert me.send("2") == VOTED
    assert (heads(me, forum), votes(me, poll)) == (2, [2])


def test_of_two_forums_the_one_told_of_last_is_answered_first(me: Answers) -> None:
    later = me.invited(starts=me.village.now.replace(hour=9, minute=0) + timedelta(days=30))
    sooner = me.invited()
    assert me.send("3") == SEE_YOU
    assert me.send("4") == "Thank you! See you Wed 23/12, 9:00, at the commune hall."
    assert (heads(me, sooner), heads(me, later)) == (3, 4)


# polls --------------------------------------------------------------------------------------------


def test_a_digit_answers_a_poll_and_the_last_one_counts(me: Answers) -> None:
    poll = me.polled()
    assert [me.send(typed) for typed in ("1", "២")] == [VOTED, VOTED]
    assert votes(me, poll) == [2]


@pytest.mark.parametrize("typed", ["0", "3", "9", "22", "1 yes"])
def test_what_is_no_answer_to_a_poll_is_told_what_is_and_reaches_no_older_question(me: Answers, typed: str) -> None:
    forum, poll = me.invited(), me.polled()
    assert me.send(typed) == VALID
    assert (heads(me, forum), votes(me, poll)) == (None, [])


def test_a_poll_asks_until_it_closes(me: Answers) -> None:
    poll = me.polled(closes=timedelta(hours=1))
    me.house.clock.forward(minutes=59)
    assert me.send("1") == VOTED
    me.house.clock.forward(minutes=2)
    assert me.send("1") == f"{SERVICES}\n0 Leave"
    polls.close_due(me.house.store, me.house.keys, me.house.settings, me.house.clock.now)
    assert me.send("2") == HEALTH  # the talk
    assert votes(me, poll) == []


def test_a_poll_whose_key_is_gone_takes_no_vote_and_hurts_nobody(me: Answers) -> None:
    poll = me.polled()
    with me.house.store.read() as db:
        me.house.keys.destroy_round(str(db.scalar(text("SELECT key FROM polls"))))
    assert me.send("1") == VALID
    assert votes(me, poll) == []


# weekly letters -----------------------------------------------------------------------------------


def test_one_brings_the_details_again_and_again(councillor: Answers) -> None:
    first = councillor.send("1")
    assert first is not None
    assert first.startswith("Ta Phou 16-22/11: no service can be shown.")
    assert councillor.send("១") == first


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2 Open until 5pm from April", "Open until 5pm from April"),
        ("2. We will repair it", "We will repair it"),
        ("2: 3 pumps are mended", "3 pumps are mended"),
        ("២ បើកដល់ម៉ោង 5", "បើកដល់ម៉ោង 5"),
        ("2បើកដល់ម៉ោង 5", "បើកដល់ម៉ោង 5"),
        ("  2\nfirst line\nsecond line", "first line\nsecond line"),
        ("2 stop counting please", "stop counting please"),
    ],
)
def test_two_and_words_are_filed_for_staff(councillor: Answers, sent: str, kept: str) -> None:
    assert councillor.send(sent) == FILED
    assert filed(councillor) == [kept]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("2", "Nothing came after 2. Send 2 and your words, such as: 2 Open until 5pm from April"),
        ("3", FIGURES),
        ("0", FIGURES),
        ("1 please", FIGURES),
        ("2 5", FIGURES),
        ("22 houses", FIGURES),
    ],
)
def test_what_is_no_answer_to_a_letter_is_told_what_is(councillor: Answers, sent: str, said: str) -> None:
    assert councillor.send(sent) == said
    assert filed(councillor) == []


def test_words_reach_the_letter_whatever_came_after_it(councillor: Answers) -> None:
    councillor.village.joins(OTHER)
    forum = councillor.invited(groups=(group_of(councillor),))
    councillor.send("RATE")
    assert councillor.send("2 Open until 5pm") == FILED
    assert heads(councillor, forum) is None
    assert councillor.send("2") == HEALTH


def test_a_letter_that_was_answered_lets_older_questions_have_the_digits(me: Answers) -> None:
    forum = me.invited()
    me.house.clock.forward(minutes=1)
    me.told_of_the_week()
    assert me.send("3") == FIGURES
    assert (me.send("1") or "").startswith("Ta Phou 16-22/11:")
    assert me.send("3") == SEE_YOU
    assert heads(me, forum) == 3


def test_a_letter_is_open_for_a_week(councillor: Answers) -> None:
    councillor.house.clock.forward(days=6, hours=23)
    assert (councillor.send("1") or "").startswith("Ta Phou 16-22/11:")
    councillor.house.clock.forward(hours=2)
    assert councillor.send("1") != FIGURES
    assert councillor.send("2 too late for this") != FILED


def test_the_next_letter_takes_the_place_of_the_last(councillor: Answers) -> None:
    councillor.house.clock.forward(days=6, hours=23, minutes=30)  # the next Monday, 11:30
    weekly.write_all(councillor.house.store, councillor.house.settings, councillor.house.clock.now)
    councillor.village.post()
    assert (councillor.send("1") or "").startswith("Ta Phou 23-29/11:")
    assert (councillor.send("1") or "").startswith("Ta Phou 23-29/11:")


def test_two_and_words_of_somebody_who_got_no_letter_are_no_reply(councillor: Answers) -> None:
    assert Phone(councillor.house, OTHER).send("2 Open until 5pm from April") != FILED
    assert filed(councillor) == []


def test_who_is_told_of_figures_is_answered_as_everybody(councillor: Answers) -> None:
    """At any hour, ahead of all else, even after a stop."""
    assert councillor.send("STOP") == STOPPED
    councillor.house.clock.forward(hours=10)
    councillor.send("1")
    row = last_answer(councillor)
    assert (row.kind, row.not_before) == (Kind.ANSWER, councillor.house.clock.now)


# several questions --------------------------------------------------------------------------------


def test_the_newest_unanswered_question_comes_first_then_the_older_ones_then_the_newest_again(me: Answers) -> None:
    buses, forum, clear = me.polled(BUSES), me.invited(), me.polled()
    assert me.send("1") == VOTED
    assert me.send("3") == SEE_YOU
    assert (me.send("3") or "").startswith("Thank you! Received: Is there a bus?")
    assert (votes(me, clear), heads(me, forum), votes(me, buses)) == ([1], 3, [3])
    assert me.send("2") == VOTED  # nothing waits: the newest is corrected
    assert (votes(me, clear), heads(me, forum), votes(me, buses)) == ([2], 3, [3])


def test_a_talk_that_asked_last_gets_the_digit_and_what_waits_gets_the_next(me: Answers) -> None:
    forum = me.invited()
    assert me.send("RATE", "2", "5") == WHO
    assert me.send("3") == THANKS
    assert heads(me, forum) is None
    assert me.send("3") == SEE_YOU


def test_an_invitation_amid_a_talk_gets_the_digit_and_the_talk_goes_on(me: Answers) -> None:
    assert me.send("RATE", "2") == HEALTH
    forum = me.invited()
    assert me.send("3") == SEE_YOU
    assert heads(me, forum) == 3
    assert me.send("5") == WHO


def test_a_talk_lapses_and_the_forum_waits_on(me: Answers) -> None:
    forum = me.invited()
    me.send("RATE", "2")
    me.house.clock.forward(minutes=11)
    assert me.send("5") == SEE_YOU
    assert heads(me, forum) == 5


def test_words_amid_a_talk_stay_with_the_talk(me: Answers) -> None:
    me.send("RATE")
    me.invited()
    assert (me.send("the second") or "").endswith(f"{SERVICES}\n0 Leave")
    assert me.send("2") == HEALTH


@pytest.mark.parametrize("sent", ["1 2 5 1", "RATE 1 2 5 1", "RATE 2 5 1", "1-2-5-1", "១ ២ ៥ ១"])
def test_a_whole_rating_is_one_whatever_waits(me: Answers, sent: str) -> None:
    forum, poll = me.invited(), me.polled()
    assert me.send(sent) == THANKS
    assert (heads(me, forum), votes(me, poll)) == (None, [])


@pytest.mark.parametrize("word", ["STOP", "off", "ឈប់"])
def test_stop_is_stop_whatever_waits(me: Answers, word: str) -> None:
    me.invited()
    assert me.send(word) == STOPPED
    with me.house.store.read() as db:
        assert outbox.has_opted_out(db, me.house.keys.lookup(ME))


def test_what_was_asked_of_others_is_not_asked_of_me(me: Answers) -> None:
    me.invited()
    assert Phone(me.house, OTHER).send("3") != SEE_YOU


def test_what_others_answered_is_still_asked_of_me(me: Answers) -> None:
    me.village.joins(OTHER, "en")
    poll, forum = me.polled(), me.invited()
    assert Phone(me.house, OTHER).send("3") == SEE_YOU
    assert Phone(me.house, OTHER).send("1") == VOTED
    assert me.send("2") == SEE_YOU
    assert me.send("2") == VOTED
    assert (heads(me, forum), sorted(votes(me, poll))) == (2, [1, 2])


@pytest.mark.parametrize(
    ("state", "asks"),
    [(state, state in (State.SENDING, State.ACCEPTED, State.DELIVERED, State.UNCONFIRMED)) for state in State],
)
def test_only_what_was_handed_over_asks(me: Answers, state: State, asks: bool) -> None:
    me.invited()
    with me.house.store.write() as db:
        db.execute(messages.update().values(state=state))
    assert (me.send("3") == SEE_YOU) is asks


def test_what_may_have_gone_out_asks(me: Answers) -> None:
    me.village.phones.says = lambda _message: Unknown(Reason.NO_ANSWER)
    me.invited()
    assert me.send("3") == SEE_YOU


def test_an_sms_posted_three_times_is_one_answer(me: Answers) -> None:
    forum = me.invited()
    posted = [me.post("one", "3") for _ in range(3)]
    assert [bool(answer) for answer in posted] == [True, False, False]
    assert heads(me, forum) == 3


@pytest.mark.parametrize("language", ["km", "km-Latn"])
def test_the_answer_is_in_the_language_of_the_reader(me: Answers, language: Any) -> None:
    with me.house.store.write() as db:
        remember(db, me.house.keys.lookup(ME), language=language)
    me.invited()
    assert (
        me.send("9")
        == {
            "km": "វេទិកាតាផូ ពុធ 09/12៖ មកប៉ុន្មាននាក់? សូមឆ្លើយ 0-8។",
            "km-Latn": "vetika Ta Phou Put 09/12: mok ponman neak? Som chhlaoy 0-8.",
        }[language]
    )


def test_an_answer_takes_one_part(me: Answers) -> None:
    me.told_of_the_week()
    forum = me.invited(groups=(group_of(me),))
    for language in ("km", "km-Latn", "en"):
        with me.house.store.write() as db:
            remember(db, me.house.keys.lookup(ME), language=language)
        for typed in ("3", "0", "9", "2 words", "START", "STOP"):
            me.send(typed)
            assert last_answer(me).parts == 1, last_answer(me).text
    assert heads(me, forum) == 0


# ON, FORUM ----------------------------------------------------------------------------------------


def subscribed(phone: Phone) -> tuple[str | None, str | None, str] | None:
    """Commune, language and source of the contact."""
    mine = people.c.phone == phone.house.keys.lookup(phone.number or "")
    with phone.house.store.read() as db:
        row = db.execute(select(people.c.commune, people.c.language, people.c.source).where(mine)).first()
    return (row.commune, row.language, row.source) if row else None


@pytest.fixture
def rater(house: Installation) -> Phone:
    """Somebody who rates in Ta Phou and gets no reminders."""
    with house.store.write() as db:
        remember(db, house.keys.lookup(ME), commune=TA_PHOU)
    return Phone(house)


def test_on_asks_for_news_of_ones_commune_at_once(rater: Phone) -> None:
    assert subscribed(rater) is None
    assert rater.send("ON") == "You will get SMS about forums in Ta Phou. No more: send OFF."
    assert subscribed(rater) == (TA_PHOU, "en", "SMS")


def test_rating_asks_for_no_news(rater: Phone) -> None:
    assert rater.send("RATE 2 5 1") == THANKS
    assert subscribed(rater) is None


def test_on_from_a_number_never_heard_of_asks_its_commune(house: Installation) -> None:
    stranger = Phone(house)
    assert stranger.send("ON") == "Commune:\n1 Ponley\n2 Tean Kam\n3 Ta Phou\n4 Treas\n0 Leave"
    assert subscribed(stranger) is None
    assert stranger.send("4") == "You will get SMS about forums in Treas. No more: send OFF."
    assert subscribed(stranger) == (TREAS, "en", "SMS")
    assert (stranger.send("RATE") or "").startswith("Rate commune services. The commune never sees")  # still to come


def test_on_after_off_brings_back_messages_and_news(rater: Phone) -> None:
    rater.send("ON", "OFF")
    assert rater.send("ON")
    with rater.house.store.read() as db:
        assert not outbox.has_opted_out(db, rater.house.keys.lookup(ME))
    assert subscribed(rater)


def test_off_before_the_commune_is_told_keeps_silent(house: Installation) -> None:
    stranger = Phone(house)
    stranger.send("ON", "OFF", "4")
    assert subscribed(stranger) is None


def test_on_and_forum_leave_the_question_open_when_they_ask_nothing(rater: Phone) -> None:
    rater.send("RATE", "2")
    assert rater.send("FORUM") == NO_FORUM
    rater.send("ON")
    assert rater.send("5") == WHO


@pytest.fixture
def forum(house: Installation) -> int:
    """A forum in Ta Phou, of which the invitations are still to be sent."""
    village = Village(house)
    village.joins(OTHER)
    return village.approved(callback="012 345 678")


FORUM = (
    "Ta Phou forum on services, Wed 09/12 8:30, commune hall. Free to attend, travel not paid. Questions: 012 345 678\n"
    "1 We come\n2 We do not come\n0 Leave"
)


@pytest.mark.parametrize("word", ["FORUM", "វេទិកា", "vetika", "Forum when?"])
def test_forum_shows_what_is_planned_and_takes_the_answer(rater: Phone, forum: int, word: str) -> None:
    assert rater.send(word) == FORUM
    assert rater.send("1") == "How many will come? 1-8\n0 Back"
    assert rater.send("9") == "Reply with one number, 1 to 8.\nHow many will come? 1-8\n0 Back"
    assert rater.send("4") == SEE_YOU
    assert heads(rater, forum) == 4
    assert subscribed(rater) is None


def test_forum_takes_that_nobody_comes(rater: Phone, forum: int) -> None:
    assert rater.send("FORUM", "1", "2") == SEE_YOU
    assert rater.send("FORUM", "2") == "Thank you. You do not come: Ta Phou forum Wed 09/12."
    assert heads(rater, forum) == 0


def test_forum_asks_who_is_not_known_for_the_commune_and_then_knows_who_asked_for_news(
    house: Installation, forum: int
) -> None:
    stranger = Phone(house)
    assert stranger.send("FORUM") == "Commune:\n1 Ponley\n2 Tean Kam\n3 Ta Phou\n4 Treas\n0 Leave"
    assert stranger.send("1") == NO_FORUM
    stranger.send("ON", "3")
    assert stranger.send("FORUM") == FORUM


def test_forum_of_a_commune_without_one_says_so(house: Installation, forum: int) -> None:
    with house.store.write() as db:
        remember(db, house.keys.lookup(ME), commune=TREAS)
    assert Phone(house).send("FORUM") == NO_FORUM


def test_a_forum_moved_while_it_was_looked_at_keeps_no_answer(rater: Phone, forum: int) -> None:
    rater.send("FORUM", "1")
    with rater.house.store.write() as db:
        db.execute(text("UPDATE forums SET revision = revision + 1"))
    said = "This forum was moved or cancelled just now. Your answer was not kept. Please ask again."
    assert rater.send("4") == said
    assert heads(rater, forum) is None


# whatever comes, in whatever order ----------------------------------------------------------------


@dataclass
class Waiting:
    """A question as a simple model has it: when it was sent last, and whether it was answered since."""

    sent: int
    answered: bool = False
    given: int | None = None


MOVES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["forum 1", "forum 2", "poll 1", "poll 2"]), st.just(0)),
        st.tuples(st.just("digit"), st.integers(0, 9)),
        st.tuples(st.just("talk"), st.just(0)),
        st.tuples(st.just("minutes"), st.sampled_from([1, 11])),
    ),
    min_size=4,
    max_size=14,
)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(
    max_examples=60, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(moves=MOVES)
def test_every_digit_goes_to_the_newest_unanswered_question(me: Answers, moves: list[tuple[str, int]]) -> None:
    """A forum asks anew with each of its messages, a poll once; a talk asks until it ends or lapses."""
    house = me.house
    ids = four_questions(house)
    model: dict[str, Waiting] = {}
    talk: tuple[int, int] | None = None  # when it asked last, and how many answers it still wants
    for tick, (what, value) in enumerate(moves):
        house.clock.forward(seconds=2)
        seconds = int(house.clock.now.timestamp())
        if what == "minutes":
            house.clock.forward(minutes=value)
        elif what == "talk":
            assert me.send("RATE") == f"{SERVICES}\n0 Leave"
            talk = (seconds + 1, 3)
        elif what != "digit":
            if what not in model or what.startswith("forum"):
                sent_to_me(house, what, ids[what], tick)
                model.setdefault(what, Waiting(0)).sent = seconds
                model[what].answered = False
        else:
            if talk and seconds + 1 - talk[0] >= 600:
                talk = None
            order = [(not one.answered, one.sent, name) for name, one in model.items()]
            order += [(True, talk[0], "talk")] if talk else []
            name = max(order)[2] if order else ""
            if name == "talk" and talk:
                me.send("1")
                talk = (seconds + 1, talk[1] - 1) if talk[1] > 1 else None
            elif name:
                said = me.send(str(value)) or ""
                if value <= 8 if name.startswith("forum") else 1 <= value <= 2:
                    model[name].answered, model[name].given = True, value
                    assert said.startswith("Thank you")
                else:
                    assert "Reply" in said
        for name, one in model.items():
            kept = heads(me, ids[name]) if name.startswith("forum") else next(iter(votes(me, ids[name])), None)
            assert kept == one.given, name


def four_questions(house: Installation) -> dict[str, int]:
    """Two forums and two polls, anew, with nothing sent and nothing answered."""
    now, soon = house.clock.now, house.clock.now + timedelta(days=9)
    with house.store.write() as db:
        for table in (forum_replies, poll_answers, inbound, messages, broadcasts, planned, asked_polls, conversations):
            db.execute(delete(table))
        ids = {}
        for number in (1, 2):
            forum = {"commune": TA_PHOU, "title": "{}", "inviter": "RCEDO", "starts": soon, "venue": "{}", "note": "{}",
                     "approved": True, "created": now}  # fmt: skip
            asked = {"question": json.dumps(CLEAR.question), "options": json.dumps(CLEAR.options),
                     "key": house.keys.make_round(), "closes": soon, "created": now}  # fmt: skip
            ids[f"forum {number}"] = db.execute(planned.insert().values(forum).returning(planned.c.id)).scalar_one()
            ids[f"poll {number}"] = db.execute(
                asked_polls.insert().values(asked).returning(asked_polls.c.id)
            ).scalar_one()
    return ids


def sent_to_me(house: Installation, what: str, about: int, tick: int) -> None:
    """A message about a forum or a poll, just handed over to this number."""
    now, column = house.clock.now, what.split(maxsplit=1)[0]
    kind = Kind.POLL if column == "poll" else (Kind.INVITATION, Kind.REMINDER, Kind.NOTICE, Kind.URGENT)[tick % 4]
    letter = {"kind": kind, "title": "x", "texts": "{}", "audience": Audience().to_json(), column: about,
              "stage": Stage.APPROVED, "created": now, "changed": now, "approved": now}  # fmt: skip
    sealed = house.keys.seal_number(ME)
    with house.store.write() as db:
        made = db.execute(broadcasts.insert().values(letter).returning(broadcasts.c.id)).scalar_one()
        row = a_message(house, tick) | {"kind": kind, "broadcast": made, "phone": house.keys.lookup(ME), "sent": now}
        db.execute(messages.insert().values(row | {"number": sealed.data, "number_key": sealed.key}))


# cost ---------------------------------------------------------------------------------------------


def test_a_bare_digit_reads_only_what_its_number_was_sent(me: Answers) -> None:
    """By an index, on both databases."""
    me.invited()
    house, ran = me.house, list[tuple[str, Any]]()

    def note(_db: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        ran.append((statement, parameters))

    with house.store.write() as db:
        db.execute(messages.insert(), [a_message(house, number) for number in range(3000)])
        db.execute(text("ANALYZE"))
        event.listen(db, "before_cursor_execute", note)
        Questions(house.keys, house.settings, house.clock).waiting(db, ME)
        event.remove(db, "before_cursor_execute", note)
    assert len(ran) == 2  # the talk, and what was sent
    explain = "EXPLAIN QUERY PLAN " if house.store.is_sqlite else "EXPLAIN "
    with house.store.read() as db:
        said, with_ = ran[1]
        plan = "\n".join(map(str, db.exec_driver_sql(explain + said, with_)))
    assert not re.search(r"(SCAN|Seq Scan on) messages\b", plan), plan


def a_message(house: Installation, number: int) -> dict[str, Any]:
    phone, now = f"+855120{number:05}", house.clock.now
    sealed = house.keys.seal_number(phone)
    return {
        "id": f"m{number}", "kind": Kind.ANSWER, "priority": 0, "state": State.DELIVERED,
        "phone": house.keys.lookup(phone), "number": sealed.data, "number_key": sealed.key, "text": "x", "parts": 1,
        "provider": "simulator", "attempts": 1, "not_before": now, "expires": now, "created": now, "changed": now,
    }  # fmt: skip
