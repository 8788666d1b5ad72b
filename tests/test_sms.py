"""What people get back when they send an SMS, and what is stored, on both databases. Each test is a person's story."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text

from gateway.config import LANGUAGES, Language
from gateway.menus import wording
from gateway.menus.phrases import Phrase
from gateway.menus.rating import SCORES
from gateway.models import messages as outbox
from gateway.models.answers import answers
from gateway.models.callers import Caller, find_caller, remember
from gateway.models.conversations import conversations
from gateway.models.messages import Kind, State, inbound, messages
from gateway.models.rounds import rounds
from gateway.models.services import STANDARD
from gateway.models.store import Store
from gateway.privacy import HASH_BYTES, Sealed
from gateway.providers.base import Call, InboundSms, InboxCheck, OptOut, UssdStep
from gateway.providers.simulator import Simulator, SimulatorSender
from gateway.sms import ANSWERS_A_DAY, SmsDesk
from gateway.text import segments
from gateway.workers.outbox import Outbox
from tests.conftest import COMMUNES, Installation

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
ME, OTHER = "+85510000001", "+85512000002"
FOREIGN, LANDLINE = "+66812345678", "+85523000001"

WELCOME = (
    "Rate commune services. The commune never sees your number; your phone company can see you used this.\n"
    "1 Go on\n2 Khmer abc\n3 English\n0 Leave"
)
COMMUNE = "Commune:\n1 Ponley\n2 Tean Kam\n3 Ta Phou\n4 Treas"
SERVICES = "Service:\n1 Commune office\n2 Health centre\n3 Primary school\n4 One-window office\n8 Menu"
SCORE = "1 Very dissatisfied\n2 Dissatisfied\n3 Acceptable\n4 Satisfied\n5 Very satisfied\n0 Back"
HEALTH, SCHOOL = f"Health centre\n{SCORE}", f"Primary school\n{SCORE}"
WHO = "You are:\n1 Woman 15-30\n2 Woman over 30\n3 Man 15-30\n4 Man over 30\n5 Under 15\n6 Other\n7 No answer\n0 Back"
THANKS = "Thank you! Received. Shared phone? Delete this and the SMS you sent."
LANGUAGE = "Language:\n1 Khmer\n2 Khmer abc\n3 English\n0 Leave"
STOPPED = "We will not send more messages. To get them again, send ON."
STARTED = "You will get SMS about forums in Ta Phou. No more: send OFF."
CLOSED = "This round has closed. The rating was not kept. Thank you."

STOPS = ["STOP", "stop!", "Off", "ឈប់", "ឈប់។", "chhop"]

_ids = itertools.count()


@dataclass
class Phone:
    """A phone that sends SMS to the gateway, by one provider."""

    house: Installation
    number: str | None = ME
    provider: str = "simulator"

    def send(self, *texts: str) -> str | None:
        """Sends one SMS after the other, a second apart; what the last was answered with, None when not."""
        for each in texts:
            self.house.clock.forward(seconds=1)
            answer = self.post(f"sms-{next(_ids)}", each)
        return answer and message(self.house, answer).text

    def post(self, sms_id: str, said: str) -> str | None:
        """As the provider posts an SMS; the id of the answer."""
        house = self.house
        desk = SmsDesk(house.store, house.keys, house.settings, house.conversations(), now=house.clock)
        return desk.receive(InboundSms(self.provider, sms_id, self.number, said))


@pytest.fixture
def house(installation: Installation) -> Installation:
    """In English, with an open round in all four communes."""
    english = in_language(installation, "en")
    english.open_round()
    return english


@pytest.fixture
def known(house: Installation) -> Installation:
    """Both numbers are known: they belong to Ta Phou."""
    for number in (ME, OTHER):
        with house.store.write() as db:
            remember(db, house.keys.lookup(number), commune=TA_PHOU)
    return house


@pytest.fixture
def me(known: Installation) -> Phone:
    """A phone whose number is known."""
    return Phone(known)


@pytest.fixture
def stranger(house: Installation) -> Phone:
    """A phone that was never heard of."""
    return Phone(house)


def in_language(house: Installation, language: Language) -> Installation:
    return replace(house, settings=house.settings.model_copy(update={"default_language": language}))


def message(house: Installation, message_id: str) -> Any:
    with house.store.read() as db:
        return db.execute(select(messages).where(messages.c.id == message_id)).one()


def written(house: Installation) -> list[Any]:
    """All messages of the outbox, oldest first."""
    with house.store.read() as db:
        return list(db.execute(select(messages).order_by(messages.c.created)))


def taken_in(house: Installation) -> list[Any]:
    with house.store.read() as db:
        return list(db.execute(select(inbound).order_by(inbound.c.received)))


def rated(house: Installation) -> list[tuple[str, str, int, str | None]]:
    """Commune, service, score and who of all ratings kept."""
    with house.store.read() as db:
        rows = db.execute(select(answers)).all()
    return sorted((row.commune, row.service_id, row.score, row.who) for row in rows)


def a_number_each(house: Installation) -> Iterator[str]:
    """Numbers of Ta Phou without end."""
    for count in itertools.count(100):
        number = f"+85510000{count}"
        with house.store.write() as db:
            remember(db, house.keys.lookup(number), commune=TA_PHOU)
        yield number


def opted_out(house: Installation, number: str = ME) -> bool:
    with house.store.read() as db:
        return outbox.has_opted_out(db, house.keys.lookup(number))


def caller(house: Installation, number: str = ME) -> Caller | None:
    with house.store.read() as db:
        return find_caller(db, house.keys.lookup(number))


def deliver(house: Installation) -> None:
    """A worker sends what is due, by the simulator."""
    Outbox(house.store, house.keys, house.settings, SimulatorSender(house.settings), now=house.clock).drain()


def at_once(whats: list[Callable[[], str | None]]) -> list[str | None]:
    """Several things done at once, by a thread each; their outcomes."""
    barrier = threading.Barrier(len(whats))

    def one(what: Callable[[], str | None]) -> str | None:
        barrier.wait()
        return what()

    with ThreadPoolExecutor(len(whats)) as pool:
        return list(pool.map(one, whats))


# repeats ------------------------------------------------------------------------------------------


def test_an_sms_posted_three_times_is_stored_once_and_answered_once(me: Phone) -> None:
    posted = [me.post("one", "RATE 2 5") for _ in range(3)]
    assert [message(me.house, posted[0] or "").text, *posted[1:]] == [WHO, None, None]
    assert len(taken_in(me.house)) == len(written(me.house)) == 1
    assert rated(me.house) == [(TA_PHOU, "health", 5, None)]


def test_an_sms_posted_five_times_at_once_is_stored_once_and_answered_once(stranger: Phone) -> None:
    posted = at_once([lambda: stranger.post("one", "1 2 5 1")] * 5)
    assert len([answer for answer in posted if answer]) == 1
    assert [row.text for row in written(stranger.house)] == [WELCOME]
    assert len(taken_in(stranger.house)) == 1


def test_a_digit_posted_again_after_the_talk_went_on_answers_nothing(me: Phone) -> None:
    me.send("RATE")
    me.post("two", "2")
    me.post("five", "5")
    assert me.post("two", "2") is None
    assert rated(me.house) == [(TA_PHOU, "health", 5, None)]
    assert me.send("3") == THANKS


def test_five_different_sms_at_once_are_each_answered_once(me: Phone) -> None:
    posted = at_once([lambda n=n: me.post(f"sms-{n}", f"RATE 2 {n} 1") for n in range(1, 6)])  # type: ignore[misc]
    assert len(set(posted)) == 5
    assert {row.text for row in written(me.house)} == {THANKS}
    assert len(rated(me.house)) == 1


def test_two_digits_at_once_answer_one_question_after_the_other(me: Phone) -> None:
    me.send("RATE", "2")
    at_once([lambda: me.post("a", "4"), lambda: me.post("b", "4")])
    assert [row.text for row in written(me.house)][-2:] == [WHO, THANKS]
    assert rated(me.house) == [(TA_PHOU, "health", 4, "man-31")]


def test_the_same_id_from_another_provider_is_another_sms(me: Phone) -> None:
    assert me.post("one", "HELP")
    assert Phone(me.house, provider="kannel").post("one", "HELP")


# a whole talk -------------------------------------------------------------------------------------

TALKS: dict[Language, list[tuple[str, str]]] = {
    "en": [
        ("RATE", f"{WELCOME}"),
        ("1", f"{COMMUNE}\n0 Back"),
        ("3", f"{SERVICES}\n0 Back"),
        ("2", HEALTH),
        ("5", WHO),
        ("1", THANKS),
    ],
    "km": [
        ("វាយតម្លៃ", "ឃុំមិនឃើញលេខអ្នកទេ។ ក្រុមហ៊ុនទូរស័ព្ទអាចឃើញ។\n1 បន្ត\n2 abc\n3 EN\n0 ឈប់"),
        ("១", "ឃុំ៖\n1 ពន្លៃ\n2 ទានកាំ\n3 តាផូ\n4 ទ្រាស\n0 ថយ"),
        ("៣", "សេវា៖\n1 រដ្ឋបាលឃុំ\n2 មណ្ឌលសុខភាព\n3 សាលាបឋម\n4 ច្រកតែមួយ\n8 ម៉ឺនុយ\n0 ថយ"),
        ("២", "មណ្ឌលសុខភាព 1-5៖\n1 មិនពេញចិត្តខ្លាំង\n3 ទទួលយកបាន\n5 ពេញចិត្តខ្លាំង\n0 ថយ"),
        ("៥", "អ្នកជា៖\n1 ស្រី15-30\n2 ស្រី>30\n3 ប្រុស15-30\n4 ប្រុស>30\n5 <15\n9 ទៀត\n0 ថយ"),
        ("១", "អរគុណ! បានទទួលហើយ។ បើប្រើទូរស័ព្ទរួម សូមលុបសារនេះ និងសារដែលផ្ញើ។"),
    ],
    "km-Latn": [
        (
            "vay tamlai",
            "Vay tamlai seva khum. Khum min khoenh lek neak te. Kromhun tourosap ach khoenh.\n"
            "1 Bantor\n2 Khmer abc\n3 English\n0 Chhop",
        ),
        ("1", "Khum:\n1 Ponley\n2 Tean Kam\n3 Ta Phou\n4 Treas\n0 Thoy"),
        ("3", "Seva:\n1 Rothbal khum\n2 Mondol sokhapheap\n3 Sala bathom\n4 Chrok te muoy\n8 Menu\n0 Thoy"),
        (
            "2",
            "Mondol sokhapheap 1-5:\n1 Min penh chet khlang\n2 Min penh chet\n3 Totuol yok ban\n4 Penh chet\n"
            "5 Penh chet khlang\n0 Thoy",
        ),
        (
            "5",
            "Neak chea:\n1 Srey 15-30\n2 Srey leu 30\n3 Bros 15-30\n4 Bros leu 30\n5 Krom 15\n6 Phseng\n"
            "7 Min chhlaoy\n0 Thoy",
        ),
        ("1", "Orkun! Ban totuol haoy. Bae brae tourosap ruom, som lob sar nis nung sar del phnhae."),
    ],
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_number_never_heard_of_rates_by_sms_from_the_welcome_to_the_thanks(
    house: Installation, language: Language
) -> None:
    phone = Phone(in_language(house, language))
    for typed, shown in TALKS[language]:
        assert phone.send(typed) == shown
    assert rated(house) == [(TA_PHOU, "health", 5, "woman-15-30")]
    assert (caller(house) or Caller(None, None)).commune == TA_PHOU


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_known_number_begins_at_the_services(known: Installation, language: Language) -> None:
    phone = Phone(in_language(known, language))
    (first, _), _, (_, services), *rest = TALKS[language]
    leave = services.rpartition("\n")[0]  # on the first screen, 0 leaves instead of going back
    assert (phone.send(first) or "").startswith(leave)
    for typed, shown in rest:
        assert phone.send(typed) == shown
    assert rated(known) == [(TA_PHOU, "health", 5, "woman-15-30")]


def test_anything_unknown_numbers_send_is_answered_with_the_welcome(stranger: Phone) -> None:
    assert stranger.send("hello?") == WELCOME
    assert stranger.send("3") == WELCOME.replace("Leave", "Back")
    assert stranger.send("1", "4", "1", "2", "7") == THANKS
    assert rated(stranger.house) == [(TREAS, "office", 2, "unsaid")]


def test_the_language_chosen_at_the_welcome_is_that_of_every_later_answer(house: Installation) -> None:
    phone = Phone(in_language(house, "km"))
    phone.send("RATE", "3", "1", "3", "0")
    assert phone.send("HELP") == (
        "RATE: rate services. FORUM: forums. ON: SMS about forums. OFF: no more SMS. LANG: language."
        " Or rate at once: commune, service, score, who, as in 1 2 5 1"
    )
    assert phone.send("STOP") == STOPPED
    assert phone.send("RATE") == f"{SERVICES}\n0 Leave"


def test_who_is_under_15_is_thanked_and_nothing_of_theirs_is_kept(me: Phone) -> None:
    assert me.send("RATE 2 5", "5") == "Thank you!"
    assert rated(me.house) == []


def test_zero_goes_back_and_at_the_first_question_leaves(me: Phone) -> None:
    assert me.send("RATE", "2", "0") == f"{SERVICES}\n0 Leave"
    assert me.send("0") == "Goodbye."


def test_ratings_are_withdrawn_from_the_menu(me: Phone) -> None:
    me.send("RATE 2 5 1", "RATE 3 1 1")
    assert me.send("RATE", "8", "5", "1") == "Done. No rating of this phone is kept in an open round."
    assert rated(me.house) == []


# everything in one message ------------------------------------------------------------------------


IN_ONE_MESSAGE: list[tuple[str, str, list[tuple[str, str, int, str | None]]]] = [
    ("RATE 2", HEALTH, []),
    ("RATE 2 5", WHO, [(TA_PHOU, "health", 5, None)]),
    ("rate ២ ៥", WHO, [(TA_PHOU, "health", 5, None)]),
    ("RATE 2 5 1", THANKS, [(TA_PHOU, "health", 5, "woman-15-30")]),
    ("វាយតម្លៃ 2 5 1", THANKS, [(TA_PHOU, "health", 5, "woman-15-30")]),
    ("RATE 2 5 5", "Thank you!", []),
    ("RATE 2 6", f"Reply with one number, 1 to 5.\n{HEALTH}", []),
    ("RATE 7 5", f"Reply with one of the numbers.\n{SERVICES}\n0 Leave", []),
    ("RATE 1 2 5 1", THANKS, [(PONLEY, "health", 5, "woman-15-30")]),
    ("1 2 5 1", THANKS, [(PONLEY, "health", 5, "woman-15-30")]),
    ("១ ២ ៥ ១", THANKS, [(PONLEY, "health", 5, "woman-15-30")]),
    ("3-2-5-1", THANKS, [(TA_PHOU, "health", 5, "woman-15-30")]),
    ("1 2 5", WHO, [(PONLEY, "health", 5, None)]),
    ("1 2 9 1", f"Reply with one number, 1 to 5.\n{HEALTH}", []),
    ("7 2 5 1", f"{COMMUNE}\n0 Leave", []),  # there is no commune 7: which one is meant is asked
]


def test_a_known_number_rates_in_one_message(known: Installation) -> None:
    for number, (sent, shown, kept) in zip(a_number_each(known), IN_ONE_MESSAGE, strict=False):
        assert Phone(known, number).send(sent) == shown
        assert rated(known) == kept
        assert (caller(known, number) or Caller(None, None)).commune == TA_PHOU  # rating elsewhere moves nobody
        with known.store.write() as db:
            db.execute(answers.delete())


def test_the_next_rating_after_one_elsewhere_is_for_ones_own_commune_again(me: Phone) -> None:
    me.send("1 2 5 1")
    assert me.send("RATE 2 1 1") == THANKS
    assert rated(me.house) == [(TA_PHOU, "health", 1, "woman-15-30")]  # one rater's answer on one service: the last


def test_a_talk_that_one_message_left_open_goes_on(me: Phone) -> None:
    me.send("1 2 5")
    assert me.send("2") == THANKS
    assert rated(me.house) == [(PONLEY, "health", 5, "woman-31")]


def test_a_poster_rating_for_no_commune_that_exists_waits_for_the_right_one(me: Phone) -> None:
    me.send("7 2 5 1")
    assert me.send("4") == THANKS
    assert rated(me.house) == [(TREAS, "health", 5, "woman-15-30")]


@pytest.mark.parametrize("sent", ["1 2 5 1", "RATE 1 2 5 1"])
def test_a_poster_rating_of_an_unknown_number_waits_for_the_welcome(stranger: Phone, sent: str) -> None:
    assert stranger.send(sent) == WELCOME
    assert rated(stranger.house) == []
    assert stranger.send("1") == THANKS
    assert rated(stranger.house) == [(PONLEY, "health", 5, "woman-15-30")]
    assert (caller(stranger.house) or Caller(None, None)).commune == PONLEY


def test_a_rating_of_an_unknown_number_without_a_commune_waits_for_both(stranger: Phone) -> None:
    assert stranger.send("RATE 2 5 1") == WELCOME
    assert stranger.send("1") == f"{COMMUNE}\n0 Back"
    assert rated(stranger.house) == []
    assert stranger.send("4") == THANKS
    assert rated(stranger.house) == [(TREAS, "health", 5, "woman-15-30")]


def test_an_unknown_number_with_a_commune_that_does_not_exist_is_asked_for_it_once(stranger: Phone) -> None:
    assert stranger.send("7 2 5 1", "1") == f"{COMMUNE}\n0 Back"
    assert stranger.send("4") == THANKS
    assert rated(stranger.house) == [(TREAS, "health", 5, "woman-15-30")]


def test_who_does_not_go_on_after_the_welcome_has_rated_nothing(stranger: Phone) -> None:
    stranger.send("1 2 5 1")
    assert stranger.send("0") == "Goodbye."
    assert rated(stranger.house) == []
    assert caller(stranger.house) is None


def test_where_no_round_is_open_a_rating_is_answered_with_that(installation: Installation) -> None:
    house = in_language(installation, "en")
    house.open_round(PONLEY)
    with house.store.write() as db:
        remember(db, house.keys.lookup(ME), commune=TA_PHOU)
    assert (Phone(house).send("RATE 2 5 1") or "").startswith("Ta Phou: no rating is open now.\n1 Forum news by SMS")
    assert (Phone(house).send("2 2 5 1") or "").startswith("Tean Kam: no rating is open now.")
    assert Phone(house).send("1 2 5 1") == THANKS
    assert rated(house) == [(PONLEY, "health", 5, "woman-15-30")]


# which question a digit answers -------------------------------------------------------------------


def test_a_digit_answers_the_newest_question(me: Phone) -> None:
    me.send("RATE")
    assert me.send("LANG") == LANGUAGE
    assert me.send("2") == "Seva:\n1 Rothbal khum\n2 Mondol sokhapheap\n3 Sala bathom\n4 Chrok te muoy\n8 Menu\n0 Thoy"
    assert rated(me.house) == []


def test_an_older_question_is_not_answered_once_the_newest_was(me: Phone) -> None:
    me.send("RATE", "2")
    me.send("RATE 3 1 1")
    assert me.send("5") == f"{SERVICES}\n0 Leave"  # the health centre's question is gone
    assert rated(me.house) == [(TA_PHOU, "school", 1, "woman-15-30")]


def test_a_keyword_that_asks_nothing_leaves_the_question_open(me: Phone) -> None:
    me.send("RATE", "2", "HELP", "FORUM", "INFO")
    assert me.send("5") == WHO


def test_another_phone_s_question_is_not_mine(me: Phone) -> None:
    other = Phone(me.house, OTHER)
    me.send("RATE", "2")
    other.send("RATE", "3")
    assert me.send("5") == WHO
    assert rated(me.house) == [(TA_PHOU, "health", 5, None)]


def test_a_question_is_answered_over_another_provider_too(me: Phone) -> None:
    me.send("RATE", "2")
    assert Phone(me.house, provider="kannel").send("5") == WHO


def test_a_menu_lapses_after_ten_minutes(me: Phone) -> None:
    me.send("RATE", "2")
    me.house.clock.forward(minutes=9, seconds=58)
    assert me.send("4") == WHO
    me.house.clock.forward(minutes=9, seconds=59)
    assert me.send("1") == f"{SERVICES}\n0 Leave"
    assert rated(me.house) == [(TA_PHOU, "health", 4, None)]


def test_a_ussd_talk_is_no_question_by_sms(me: Phone) -> None:
    talks = me.house.conversations()
    talks.ussd(UssdStep("simulator", "call", ME, path=("2",)))
    assert me.send("5") == f"{SERVICES}\n0 Leave"
    assert rated(me.house) == []


def test_an_sms_and_a_ussd_session_with_one_id_are_two_talks(known: Installation) -> None:
    """A provider may number its SMS and its sessions each from 1."""
    talks = known.conversations()
    talks.ussd(UssdStep("http", "1", OTHER, path=("3",)))
    answer = Phone(known, ME, provider="http").post("1", "RATE 2 5")
    assert message(known, answer or "").text == WHO
    assert talks.ussd(UssdStep("http", "1", OTHER, path=("3", "1"))).text == WHO
    assert rated(known) == [(TA_PHOU, "health", 5, None), (TA_PHOU, "school", 1, None)]


def test_a_question_expires_sooner_than_what_ends_a_talk(me: Phone) -> None:
    me.send("RATE 2 5", "1")
    question, thanks = written(me.house)
    assert question.expires - question.created == timedelta(hours=1)
    assert thanks.expires - thanks.created == timedelta(hours=24)


# what is not understood ---------------------------------------------------------------------------


def test_what_is_not_understood_gets_the_menu(known: Installation) -> None:
    said = ["hello", "", "???", "👍", "how much is a birth certificate", "99999", "2 5", "សួស្តី", "on monday we come"]
    for number, text_sent in zip(a_number_each(known), said, strict=False):
        assert Phone(known, number).send(text_sent) == f"{SERVICES}\n0 Leave"


def test_at_most_three_times_a_day(me: Phone) -> None:
    for _ in range(3):
        assert me.send("hello")
        me.house.clock.forward(hours=1)
    assert me.send("hello") is None
    assert me.send("5") is None  # no question is open any more
    assert Phone(me.house, OTHER).send("hello")
    assert me.send("RATE 2 5 1") == THANKS  # what is understood is answered all the same
    me.house.clock.forward(hours=24)
    assert me.send("hello")


def test_a_word_where_a_digit_was_asked_asks_again_and_counts(me: Phone) -> None:
    me.send("RATE", "2")
    for _ in range(3):
        assert me.send("very good") == f"Reply with one number, 1 to 5.\n{HEALTH}"
    assert me.send("very good") is None
    assert me.send("5") == WHO
    assert rated(me.house) == [(TA_PHOU, "health", 5, None)]


def test_a_digit_that_is_no_option_is_asked_again_and_does_not_count(me: Phone) -> None:
    me.send("RATE", "2")
    for digit in ("6", "7", "8", "25"):
        assert me.send(digit) == f"Reply with one number, 1 to 5.\n{HEALTH}"
    assert me.send("hello")


def test_two_machines_that_answer_each_other_stop(me: Phone) -> None:
    answered = [me.send("HELP") for _ in range(ANSWERS_A_DAY)]
    assert None not in answered
    assert me.send("HELP") is None
    assert me.send("RATE 2 5 1") is None
    assert Phone(me.house, OTHER).send("HELP")
    assert me.send("STOP") is None
    assert opted_out(me.house)
    me.house.clock.forward(hours=24)
    assert me.send("HELP")


# STOP and ON --------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [[], ["RATE"], ["RATE", "2"], ["RATE 2 5"], ["RATE 2 5 1"], ["STOP"], ["LANG"]])
def test_stop_works_in_any_state(known: Installation, before: list[str]) -> None:
    for number, word in zip(a_number_each(known), STOPS, strict=False):
        phone = Phone(known, number)
        if before:
            phone.send(*before)
        kept = rated(known)
        assert phone.send(word) == STOPPED
        assert opted_out(known, number)
        phone.send("5")  # the question that was open is not any more
        assert rated(known) == kept


@pytest.mark.parametrize(("number", "answer"), [(ME, STOPPED), (OTHER, STOPPED), (FOREIGN, None), (LANDLINE, None)])
def test_stop_works_from_anyone(house: Installation, number: str, answer: str | None) -> None:
    for word in STOPS:
        assert Phone(house, number).send(word) == answer
        assert opted_out(house, number)
        with house.store.write() as db:
            outbox.opt_in(db, house.keys.lookup(number))


def test_stop_works_while_the_welcome_is_not_answered(stranger: Phone) -> None:
    stranger.send("1 2 5 1")
    assert stranger.send("STOP") == STOPPED
    assert stranger.send("1") == WELCOME
    assert rated(stranger.house) == []


def test_stop_works_after_the_menus_of_a_day_are_used_up(me: Phone) -> None:
    for _ in range(4):
        me.send("hello")
    assert me.send("STOP") == STOPPED


@pytest.mark.parametrize(
    ("language", "stopped"),
    [
        ("km", "យើងនឹងមិនផ្ញើសារទៀតទេ។ ចង់ទទួលវិញ សូមផ្ញើ ON។"),
        ("km-Latn", "Yeung nung min phnhae sar tiet te. Chong totuol vinh, som phnhae ON."),
        ("en", STOPPED),
    ],
)
def test_stop_is_answered_in_the_language_of_the_phone(house: Installation, language: Language, stopped: str) -> None:
    assert Phone(in_language(house, language)).send("off") == stopped


@pytest.mark.parametrize("word", ["ON", "on.", "Start", "បើក", "ចាប់ផ្ដើម"])
def test_on_takes_a_stop_back(me: Phone, word: str) -> None:
    me.send("STOP")
    assert me.send(word) == STARTED
    assert not opted_out(me.house)
    assert me.send(word) == STARTED


def test_who_opted_out_still_gets_the_one_answer_to_what_they_sent(me: Phone) -> None:
    me.send("STOP")
    assert me.send("RATE 2 5") == WHO
    assert me.send("1") == THANKS
    deliver(me.house)
    assert {row.state for row in written(me.house)} == {State.ACCEPTED}
    assert rated(me.house) == [(TA_PHOU, "health", 5, "woman-15-30")]
    assert opted_out(me.house)


def test_a_provider_s_word_opts_out_too(me: Phone) -> None:
    house = me.house
    desk = SmsDesk(house.store, house.keys, house.settings, house.conversations(), now=house.clock)
    for _ in range(2):
        desk.opted_out(OptOut("africastalking", ME))
    assert opted_out(house)
    assert written(house) == []


# who is not answered ------------------------------------------------------------------------------

ADVERTS = ["Smart", "METFONE", "Cellcard 4G", "8550", "1234", "999", "099", "Wing+", "ABA Bank", "+8558550", "🙂"]


def test_an_advert_or_a_short_code_is_not_answered(house: Installation) -> None:
    desk = SmsDesk(house.store, house.keys, house.settings, house.conversations(), now=house.clock)
    for sender in ADVERTS:
        for said in ("RATE 2 5 1", "STOP", "HELP"):
            body = json.dumps({"id": f"{sender} {said}", "from": sender, "to": "8550", "text": said}).encode()
            sms = Simulator(house.settings).parse("sms", Call(body, "application/json", from_this_machine=True))
            assert isinstance(sms, InboundSms)
            assert desk.receive(sms) is None
    assert written(house) == []
    assert rated(house) == []


@pytest.mark.parametrize(
    "number", [FOREIGN, "+84901234567", "+14155550123", LANDLINE, "+85524000001", "+85553000001", "+8551900000"]
)
def test_a_landline_or_a_foreign_number_is_not_answered(house: Installation, number: str) -> None:
    for said in ("RATE 2 5 1", "HELP", "1", "hello", "ON"):
        assert Phone(house, number).send(said) is None
    assert written(house) == []
    assert rated(house) == []


def test_a_country_that_is_served_is_answered(house: Installation) -> None:
    served = replace(house, settings=house.settings.model_copy(update={"countries": ("855", "66")}))
    assert Phone(served, FOREIGN).send("hello") == WELCOME
    assert Phone(served, "+6621234567").send("hello") is None  # Bangkok, no mobile


# the text of an answer ----------------------------------------------------------------------------

EVERYTHING = [
    ["HELP", "FORUM", "INFO", "STOP", "ON", "LANG", "x", "0"],
    ["RATE", "6", "x", "2", "6", "9", "x", "5", "9", "9", "8", "x", "7"],
    ["RATE 2 5", "5"],
    ["7 2 5 1", "x", "9", "0"],
    ["RATE 7 7", "RATE 2 7", "1 2 5 1"],
    ["RATE", "8", "x", "9", "1", "9", "0", "2", "9", "0", "3", "9", "9", "9", "9", "9", "9", "9", "0", "0", "0"],
    ["RATE", "8", "4", "9", "x", "0", "4", "1"],
]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_fits_one_segment(house: Installation, language: Language) -> None:
    phone = Phone(in_language(house, language))
    for said in (["RATE", "x", "9", "1", "x", "9", "3", "0", "0", "0"], *EVERYTHING):
        assert None not in [phone.send(each) for each in said]
        house.clock.forward(hours=24)  # no guard falls silent
    for row in written(house):
        cost = segments(row.text)
        assert (row.parts, cost.parts) == (1, 1)
        assert cost.length <= (160 if cost.encoding == "GSM-7" else 70)


@pytest.mark.parametrize("language", LANGUAGES)
def test_after_the_score_no_answer_repeats_service_or_score(known: Installation, language: Language) -> None:
    """A shared phone keeps what it received: it must not tell the next reader what was rated."""
    house = in_language(known, language)
    names = {name for _, _, km, latn, en, *_ in STANDARD for name in (km, latn, en)}
    scores: set[Phrase] = {score.label for score in SCORES}
    words = names | {wording.render(score, each) for score in scores for each in LANGUAGES}
    talks = [["RATE", "2", "5", "1"], ["RATE 2 5", "1"], ["RATE 2 5 1"], ["1 2 5 1"], ["RATE 2 5", "5"]]
    for number, talk in zip(a_number_each(known), talks, strict=False):
        told = [Phone(house, number).send(said) or "" for said in talk]
        for answer in told[-2:]:  # from the score on
            assert not [word for word in words if word in answer]
        assert not any(digit in told[-1] for digit in "012345")


# what is kept -------------------------------------------------------------------------------------


def raw_bytes(store: Store) -> bytes:
    """Everything the database wrote to disk."""
    if store.is_sqlite:
        path = Path(str(store.url.database))
        return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text("CHECKPOINT"))
        folder = Path(str(db.scalar(text("SHOW data_directory"))))
        number = db.scalar(text("SELECT oid FROM pg_database WHERE datname = current_database()"))
    tables = folder / "base" / str(number)
    return b"".join(file.read_bytes() for file in [*tables.iterdir(), *(folder / "pg_wal").glob("0*")])


def test_number_and_text_are_sealed_in_the_database(house: Installation) -> None:
    number, said = "+85510099887", "the midwife Sopheap asked me for forty dollars"
    phone = Phone(house, number)
    phone.send(said, "1", "3", "2", "5", "1", "STOP", f"RATE {said}")
    deliver(house)
    with house.store.write() as db:
        db.execute(inbound.insert().values(  # it would be found, were it there
            provider="x", provider_id="SENTINEL-in-the-clear", phone=bytes(16), text=b"", text_key=0,
            received=house.clock.now, was_menu=0,
        ))  # fmt: skip
    disk = raw_bytes(house.store)
    assert b"SENTINEL-in-the-clear" in disk
    for secret in (number, number[1:], "10099887", said, "Sopheap", "forty dollars"):
        for form in (secret.encode(), secret.encode().hex().encode(), secret.encode("utf-16-le")):
            assert form not in disk, secret
    first = taken_in(house)[0]
    assert house.keys.open(Sealed(first.text_key, first.text), "an SMS") == said
    assert outbox.number_of(house.keys, written(house)[0]) == number


def test_closing_a_round_takes_the_numbers_out_of_what_was_said_and_removes_the_answers(me: Phone) -> None:
    house = me.house
    round_id = open_round_of(house)
    me.send("RATE 2 5 1", "my name is Sokha")
    deliver(house)
    waiting = me.post("last", "HELP")
    house.close_round(round_id)
    assert [row.id for row in written(house)] == [waiting]
    assert {(row.phone, row.text) for row in taken_in(house)} == {(bytes(HASH_BYTES), b"")}
    assert me.post("last", "HELP") is None  # it is still known
    deliver(house)
    assert [row.state for row in written(house)] == [State.ACCEPTED]


def test_a_digit_after_the_round_closed_keeps_nothing(me: Phone) -> None:
    me.send("RATE", "2")
    me.house.close_round(open_round_of(me.house))
    assert me.send("5") == CLOSED
    assert rated(me.house) == []


def test_who_was_asked_who_they_are_while_the_round_closed_is_told_that_none_is_open(me: Phone) -> None:
    me.send("RATE 2 5")
    me.house.close_round(open_round_of(me.house))
    assert (me.send("1") or "").startswith("Ta Phou: no rating is open now.")
    assert [who for *_, who in rated(me.house)] == [None]


def open_round_of(house: Installation) -> int:
    with house.store.read() as db:
        return int(db.scalars(select(rounds.c.id).where(rounds.c.closed.is_(None))).one())


# the way back -------------------------------------------------------------------------------------


def test_an_answer_goes_back_by_the_way_the_question_came(me: Phone) -> None:
    me.send("HELP")
    assert [row.provider for row in written(me.house)] == ["simulator"]


def test_where_that_provider_cannot_send_the_preferred_one_does(me: Phone) -> None:
    Phone(me.house, provider="kannel").send("HELP")
    row = written(me.house)[0]
    assert (row.provider, row.kind, row.state) == (me.house.settings.providers[0], Kind.ANSWER, State.QUEUED)


# the simulator's inbox ----------------------------------------------------------------------------


def look(house: Installation, number: str = ME, *shown: str) -> list[dict[str, str]]:
    desk = SmsDesk(house.store, house.keys, house.settings, house.conversations(), now=house.clock)
    return desk.inbox(InboxCheck(number, shown))


def test_the_inbox_holds_what_was_sent_oldest_first(me: Phone) -> None:
    me.send("RATE", "2")
    assert look(me.house) == []  # nothing was sent yet
    deliver(me.house)
    me.send("HELP")
    inbox = look(me.house)
    assert [each["text"] for each in inbox] == [f"{SERVICES}\n0 Leave", HEALTH]
    assert look(me.house, OTHER) == []


def test_what_the_handset_has_shown_is_delivered(me: Phone) -> None:
    me.send("RATE", "2")
    deliver(me.house)
    first, second = look(me.house)
    look(me.house, ME, first["id"], "no such id")
    look(me.house, OTHER, second["id"])  # somebody else's handset shows nothing of mine
    assert [row.state for row in written(me.house)] == [State.DELIVERED, State.ACCEPTED]
    assert [each["id"] for each in look(me.house, ME, first["id"])] == [first["id"], second["id"]]


def test_the_inbox_does_not_hold_what_went_by_another_provider(me: Phone) -> None:
    me.send("HELP")
    deliver(me.house)
    with me.house.store.write() as db:
        db.execute(messages.update().values(provider="kannel"))
    assert look(me.house) == []


def count(db: Connection, table: Any) -> int:
    return db.scalar(select(func.count()).select_from(table)) or 0


def test_a_talk_by_sms_is_kept_under_the_keyed_hash_of_the_number_alone(me: Phone) -> None:
    me.send("RATE", "2")
    with me.house.store.read() as db:
        row = db.execute(select(conversations)).one()
        assert count(db, inbound) == 2
    assert row.caller == me.house.keys.lookup(ME)
    assert row.channel == "sms"
