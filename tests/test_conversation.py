"""What people see and what is stored when they dial, on both databases. Each test is a person's story."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.menus import flows
from gateway.menus.engine import Screen
from gateway.models import editions
from gateway.models.answers import answers
from gateway.models.conversations import conversations
from gateway.models.places import communes
from gateway.models.rounds import rounds
from gateway.models.services import services
from gateway.models.store import DatabaseDown
from gateway.privacy import HASH_BYTES, KeyProblem
from gateway.providers.base import UssdEnd, UssdStep
from gateway.scorecard.tallies import tallies
from tests.conftest import COMMUNES, Installation

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
ME, OTHER = "+85510000001", "+85512000002"

SERVICES = "Service:\n1 Commune office\n2 Health centre\n3 Primary school\n4 One-window office\n8 Menu"
HEALTH = "Health centre\n1 Very dissatisfied\n2 Dissatisfied\n3 Acceptable\n4 Satisfied\n5 Very satisfied\n0 Back"
WHO = "You are:\n1 Woman 15-30\n2 Woman over 30\n3 Man 15-30\n4 Man over 30\n5 Under 15\n6 Other\n7 No answer\n0 Back"
WELCOME = (
    "Rate commune services. The commune never sees your number; your phone company can see you used this.\n"
    "1 Go on\n2 Khmer abc\n3 English\n0 Leave"
)
COMMUNE = "Commune:\n1 Ponley\n2 Tean Kam\n3 Ta Phou\n4 Treas\n0 Back"
CUT_OFF = "You were cut off.\n1 Go on\n2 Start again\n0 Leave"
RECEIVED, THANKS = "Thank you! Received.", "Thank you!"
CLOSED = "This round has closed. The rating was not kept. Thank you."
DIAL_AGAIN = "Something went wrong. Please dial again."

WHOLE_PATH, LAST_INPUT = "africastalking", "simulator"
both_ways = pytest.mark.parametrize("provider", [WHOLE_PATH, LAST_INPUT])

_sessions = itertools.count()


@dataclass
class Call:
    """A USSD session, carried as its provider does: the whole path each time, or the last input and its place."""

    house: Installation
    provider: str = WHOLE_PATH
    number: str = ME
    session: str = field(default_factory=lambda: f"session-{next(_sessions)}")
    typed: list[str] = field(default_factory=list)
    dialled: int = 0
    screen: Screen = field(init=False)

    def dial(self, *path: str) -> Screen:
        self.typed, self.dialled = list(path), len(path)
        return self.request(len(path))

    def type(self, *inputs: str) -> Screen:
        for each in inputs:
            self.typed.append(each)
            self.request(len(self.typed))
        return self.screen

    def request(self, count: int) -> Screen:
        """The request with the first so many inputs, new or again."""
        self.house.clock.forward(seconds=1)
        self.screen = self.house.conversations().ussd(self.step(count))
        return self.screen

    def step(self, count: int) -> UssdStep:
        if self.provider == WHOLE_PATH or count <= self.dialled:
            return UssdStep(self.provider, self.session, self.number, path=tuple(self.typed[:count]))
        return UssdStep(self.provider, self.session, self.number, last=self.typed[count - 1], position=count)

    def end(self, *, completed: bool) -> None:
        self.house.conversations().ussd_ended(UssdEnd(self.provider, self.session, completed, "told"))


@pytest.fixture
def house(installation: Installation) -> Installation:
    """In English, with an open round in all four communes."""
    english = replace(installation, settings=installation.settings.model_copy(update={"default_language": "en"}))
    english.open_round()
    return english


@pytest.fixture
def known(house: Installation) -> Installation:
    """Both numbers are known: they belong to Ta Phou."""
    for number in (ME, OTHER):
        call = Call(house, number=number)
        call.dial()
        call.type("1", "3", "0", "0", "0")
    return house


def rated(house: Installation, number: str | None = None) -> list[tuple[str, str, int, str | None]]:
    """Commune, service, score and who of all ratings kept, or of one number's."""
    with house.store.read() as db:
        rows = db.execute(select(answers, rounds.c.key).join(rounds)).all()
    mine = [row for row in rows if number is None or row.phone == house.keys.phone(row.key, number)]
    return sorted(((row.commune, row.service_id, row.score, row.who) for row in mine), key=str)


def change(house: Installation, *statements: Any) -> None:
    """Staff change the programme, as the panel does: in one transaction with a new edition."""
    with house.store.write() as db:
        for statement in statements:
            db.execute(statement)
        editions.publish(db, house.clock.now)


INPUTS = ("1", "3", "2", "5", "1")
"""From welcome to thanks: go on, Ta Phou, health centre, very satisfied, woman 15-30."""


def calls_at_every_point(house: Installation, provider: str, points: int) -> list[Call]:
    """So many phones of new callers: the first has just dialled, the next has typed one input, and so on."""
    under_way = []
    for typed in range(points):
        call = Call(house, provider, number=f"+8551000001{typed}")
        call.dial()
        call.type(*INPUTS[:typed])
        under_way.append(call)
    return under_way


def at_once(times: int, what: Callable[[], Screen]) -> set[Screen]:
    """The same thing done at once by several threads; the different outcomes."""
    barrier = threading.Barrier(times)

    def one(_: int) -> Screen:
        barrier.wait()
        return what()

    with ThreadPoolExecutor(times) as pool:
        return set(pool.map(one, range(times)))


# the first time -----------------------------------------------------------------------------------


@both_ways
def test_a_new_caller_sees_welcome_commune_service_score_who_thanks(house: Installation, provider: str) -> None:
    call = Call(house, provider)
    assert call.dial() == Screen(WELCOME, False)
    assert call.type("1") == Screen(COMMUNE, False)
    # the commune is kept with this request: from here on the number is a known one, but not to this session
    assert call.type("3") == Screen(f"{SERVICES}\n0 Back", False)
    assert call.type("2") == Screen(HEALTH, False)
    assert call.type("5") == Screen(WHO, False)
    assert rated(house) == [(TA_PHOU, "health", 5, None)]  # kept the moment it is given
    assert call.type("1") == Screen(RECEIVED, True)
    assert rated(house) == [(TA_PHOU, "health", 5, "woman-15-30")]


def test_a_known_number_begins_at_the_services(known: Installation) -> None:
    assert Call(known).dial() == Screen(f"{SERVICES}\n0 Leave", False)


@both_ways
def test_what_was_chosen_at_the_welcome_is_kept_for_the_next_call(house: Installation, provider: str) -> None:
    first = Call(house, provider)
    first.dial()
    assert first.type("2").text.startswith("Vay tamlai")
    first.type("1", "4", "0", "0", "0")
    assert Call(house, provider).dial().text.startswith("Seva:\n1 Rothbal khum")


@both_ways
def test_a_score_given_again_after_going_back_is_one_rating(known: Installation, provider: str) -> None:
    call = Call(known, provider)
    call.dial()
    assert call.type("2", "2") == Screen(WHO, False)
    assert call.type("0") == Screen(HEALTH, False)
    call.type("5", "3")
    assert rated(known) == [(TA_PHOU, "health", 5, "man-15-30")]


@both_ways
def test_khmer_and_other_digits_and_spaces_around_them_are_taken(known: Installation, provider: str) -> None:
    call = Call(known, provider)
    call.dial()
    call.type("២")
    for digit, score in (("២", 2), ("٣", 3), (" 4 ", 4)):
        call.type(digit, "0")
        assert rated(known) == [(TA_PHOU, "health", score, None)]


@both_ways
def test_what_is_no_score_is_asked_again_and_keeps_nothing(known: Installation, provider: str) -> None:
    call = Call(known, provider)
    call.dial()
    call.type("2")
    for typed in ("6", "7", "8", "9", "", "25", "#", "five", "🙂", "-1", "²"):
        assert call.type(typed) == Screen(f"Reply with one number, 1 to 5.\n{HEALTH}", False)
    assert rated(known) == []


@both_ways
def test_a_number_without_an_open_round_reaches_its_menu_in_khmer_too(
    installation: Installation, provider: str
) -> None:
    """There the menu takes two screens, and is the first thing shown; what is long stands once."""
    installation.open_round(PONLEY)
    first = Call(installation, provider)
    first.dial()
    first.type("1", "2")
    installation.clock.forward(hours=1)
    call = Call(installation, provider)
    shown = call.dial().text
    assert shown == "ទានកាំ៖ ឥឡូវមិនទាន់មានការវាយតម្លៃទេ។\n1 ដំណឹងវេទិកាតាម SMS\n2 ឃុំផ្សេង\n9 ទៀត\n0 ឈប់"
    second = call.type("9").text
    assert second == "1 ភាសា\n2 អ្នកណាឃើញអ្វី\n3 ដកការវាយតម្លៃខ្ញុំ\n9 ទៀត\n0 ថយ"
    assert call.type("1").text.startswith("ភាសា៖\n1 ខ្មែរ")
    assert call.type("0").text == shown
    assert call.type("9").text == second
    assert call.type("0").text == shown  # back on the second screen is the first one
    assert call.type("0").ends


# repeats ------------------------------------------------------------------------------------------


@both_ways
def test_the_same_request_five_times_at_once_is_one_answer_and_one_rating(house: Installation, provider: str) -> None:
    call = Call(house, provider, session="one")
    expected = [WELCOME, COMMUNE, f"{SERVICES}\n0 Back", HEALTH, WHO, RECEIVED]
    call.typed = ["1", "3", "2", "5", "1"]
    for count, text in enumerate(expected):
        step = call.step(count)
        assert at_once(5, lambda step=step: house.conversations().ussd(step)) == {Screen(text, count == 5)}  # type: ignore[misc]
    assert rated(house) == [(TA_PHOU, "health", 5, "woman-15-30")]


def test_the_first_request_of_a_dialled_path_five_times_at_once_is_one_rating(known: Installation) -> None:
    step = UssdStep(WHOLE_PATH, "one", ME, path=("2", "5"))
    assert at_once(5, lambda: known.conversations().ussd(step)) == {Screen(WHO, False)}
    assert rated(known) == [(TA_PHOU, "health", 5, None)]


def test_five_sessions_of_one_number_at_once_are_one_rating(known: Installation) -> None:
    sessions = iter(range(5))
    lock = threading.Lock()

    def rate() -> Screen:
        with lock:
            session = next(sessions)
        return known.conversations().ussd(UssdStep(WHOLE_PATH, f"s{session}", ME, path=("2", str(session + 1), "1")))

    assert at_once(5, rate) == {Screen(RECEIVED, True)}
    assert len(rated(known)) == 1


@both_ways
def test_a_repeat_gets_the_answer_it_got_and_changes_nothing(known: Installation, provider: str) -> None:
    call = Call(known, provider)
    call.dial()
    scored = call.type("2", "5")
    assert call.request(2) == scored
    thanked = call.type("1")
    assert call.request(3) == thanked
    assert rated(known) == [(TA_PHOU, "health", 5, "woman-15-30")]


def test_an_older_repeat_gets_its_own_answer_and_changes_nothing(known: Installation) -> None:
    call = Call(known)
    answers_then = [call.dial(), call.type("2"), call.type("1"), call.type("0"), call.type("5"), call.type("1")]
    assert [call.request(count) for count in range(6)] == answers_then
    assert rated(known) == [(TA_PHOU, "health", 5, "woman-15-30")]


def test_requests_that_overtake_each_other_are_answered_each_by_its_own_path(known: Installation) -> None:
    call = Call(known)
    call.dial()
    call.typed = ["2", "4", "1"]
    assert call.request(3) == Screen(RECEIVED, True)  # the two before it are still on the way
    assert call.request(1) == Screen(HEALTH, False)
    assert call.request(2) == Screen(WHO, False)
    assert rated(known) == [(TA_PHOU, "health", 4, "woman-15-30")]


def test_a_request_of_a_session_whose_beginning_never_came_asks_to_dial_again(known: Installation) -> None:
    step = UssdStep(LAST_INPUT, "unheard", ME, last="5", position=2)
    assert known.conversations().ussd(step) == Screen(DIAL_AGAIN, True)
    assert rated(known) == []


# paths dialled at once ----------------------------------------------------------------------------


@both_ways
@pytest.mark.parametrize(
    ("path", "shown", "kept"),
    [
        ("2", HEALTH, []),
        ("2*5", WHO, [(TA_PHOU, "health", 5, None)]),
        ("២*៥", WHO, [(TA_PHOU, "health", 5, None)]),
        ("2*5*2", RECEIVED, [(TA_PHOU, "health", 5, "woman-31")]),
        ("2*5*5", THANKS, []),
        ("2*7", f"Reply with one number, 1 to 5.\n{HEALTH}", []),
        ("2*7*5", f"Reply with one number, 1 to 5.\n{HEALTH}", []),
        ("7*5", f"Reply with one of the numbers.\n{SERVICES}\n0 Leave", []),
        ("*2*5", f"Reply with one of the numbers.\n{SERVICES}\n0 Leave", []),
        ("0", f"Reply with one of the numbers.\n{SERVICES}\n0 Leave", []),
    ],
)
def test_a_known_number_dials_through(
    known: Installation, provider: str, path: str, shown: str, kept: list[object]
) -> None:
    screen = Call(known, provider).dial(*path.split("*"))
    assert screen == Screen(shown, shown in (RECEIVED, THANKS))
    assert rated(known) == kept


@both_ways
def test_the_talk_goes_on_after_a_dialled_path(known: Installation, provider: str) -> None:
    call = Call(known, provider)
    call.dial("2", "5")
    assert call.type("0") == Screen(HEALTH, False)
    assert call.type("1") == Screen(WHO, False)
    assert call.type("4") == Screen(RECEIVED, True)
    assert rated(known) == [(TA_PHOU, "health", 1, "man-31")]


@both_ways
def test_the_path_of_an_unknown_number_waits_for_welcome_and_commune(house: Installation, provider: str) -> None:
    call = Call(house, provider)
    assert call.dial("2", "5") == Screen(WELCOME, False)
    assert call.type("1") == Screen(COMMUNE, False)
    assert rated(house) == []
    assert call.type("4") == Screen(WHO, False)
    assert rated(house) == [(TREAS, "health", 5, None)]
    assert call.type("2") == Screen(RECEIVED, True)
    assert rated(house) == [(TREAS, "health", 5, "woman-31")]


@both_ways
def test_a_path_that_waits_is_taken_as_far_as_it_fits(house: Installation, provider: str) -> None:
    call = Call(house, provider)
    call.dial("3", "9")
    screen = call.type("1", "4")
    assert screen.text.startswith("Reply with one number, 1 to 5.\nPrimary school\n1 Very")
    assert rated(house) == []


def test_repeats_of_a_dialled_first_request_of_an_unknown_number_show_the_welcome(house: Installation) -> None:
    call = Call(house)
    welcome = call.dial("2", "5")
    assert call.request(2) == welcome
    call.type("1", "3", "1")
    assert call.request(2) == welcome
    assert rated(house) == [(TA_PHOU, "health", 5, "woman-15-30")]


# who ----------------------------------------------------------------------------------------------


def calls(house: Installation, *paths: str, number: str = ME) -> None:
    """Calls one after the other, each dialled at once, such as `2*5*1`."""
    for path in paths:
        house.clock.forward(minutes=1)
        Call(house, number=number).dial(*path.split("*"))


@pytest.mark.parametrize(
    ("paths", "kept"),
    [
        # a score without a who belongs to the number until the next who takes it over
        (["2*5"], [("health", 5, None)]),
        (["2*5", "3*4*1"], [("health", 5, "woman-15-30"), ("school", 4, "woman-15-30")]),
        (["2*5", "2*4"], [("health", 4, None)]),
        (["2*5", "2*4*2"], [("health", 4, "woman-31")]),
        # what is taken over is the later answer
        (["2*1*1", "2*5", "3*4*1"], [("health", 5, "woman-15-30"), ("school", 4, "woman-15-30")]),
        (
            ["2*1*1", "2*5", "3*4*2"],
            [("health", 1, "woman-15-30"), ("health", 5, "woman-31"), ("school", 4, "woman-31")],
        ),
        # a family's phone: each who is a rater, two alike are one
        (
            ["2*1*1", "2*2*2", "2*3*3"],
            [("health", 1, "woman-15-30"), ("health", 2, "woman-31"), ("health", 3, "man-15-30")],
        ),
        (["2*1*1", "2*5*1"], [("health", 5, "woman-15-30")]),
        # no answer is a who of its own
        (["2*4*7"], [("health", 4, "unsaid")]),
        (["2*4*7", "2*5*7"], [("health", 5, "unsaid")]),
        (["2*4", "3*5*7"], [("health", 4, "unsaid"), ("school", 5, "unsaid")]),
        (["2*4*6"], [("health", 4, "other")]),
        # under 15: nothing of that conversation is kept, everything else is
        (["2*4*5"], []),
        (["2*4*1", "2*1*5"], [("health", 4, "woman-15-30")]),
        (["3*2", "2*1*5"], [("school", 2, None)]),
        (["3*2", "2*1*5", "1*3*4"], [("office", 3, "man-31"), ("school", 2, "man-31")]),
    ],
)  # fmt: skip
def test_who_gave_a_rating(known: Installation, paths: list[str], kept: list[tuple[str, int, str | None]]) -> None:
    calls(known, "4*3*1", number=OTHER)
    calls(known, *paths)
    assert rated(known, ME) == [(TA_PHOU, *each) for each in kept]
    assert rated(known, OTHER) == [(TA_PHOU, "window", 3, "woman-15-30")]


@both_ways
def test_under_15_is_thanked_and_all_the_conversations_answers_are_removed(known: Installation, provider: str) -> None:
    calls(known, "3*2")  # hung up: somebody else's, without a who
    call = Call(known, provider)
    call.dial()
    call.type("2", "5", "0", "0", "1", "4", "0", "0")  # two services are rated, on the way back and forth
    assert len(rated(known)) == 3
    assert call.type("4", "1", "5") == Screen(THANKS, True)
    assert rated(known) == [(TA_PHOU, "school", 2, None)]


@both_ways
def test_one_who_is_asked_for_all_services_of_a_conversation(known: Installation, provider: str) -> None:
    call = Call(known, provider)
    call.dial()
    call.type("2", "5", "0", "0", "1", "4", "2")
    assert rated(known) == [(TA_PHOU, "health", 5, "woman-31"), (TA_PHOU, "office", 4, "woman-31")]


@both_ways
def test_withdrawing_removes_all_ratings_of_the_phone_in_open_rounds_and_nobody_elses(
    known: Installation, provider: str
) -> None:
    calls(known, "1*5*1")
    known.close_round(1)
    known.open_round()
    calls(known, "2*5*1", "2*3*3", "3*4")
    calls(known, "2*2*1", number=OTHER)
    call = Call(known, provider)
    call.dial()
    assert call.type("8").text.endswith("5 Withdraw my ratings\n0 Back")
    assert call.type("5").text.startswith("Remove all ratings of this phone that are still open?\n1 Yes, remove\n2 No")
    assert len(rated_in(known, 2)) == 4
    assert call.type("1") == Screen("Done. No rating of this phone is kept in an open round.", True)
    assert rated_in(known, 2) == [(TA_PHOU, "health", 2, "woman-15-30")]
    assert rated_in(known, 1) == [(TA_PHOU, "office", 5, "woman-15-30")]  # nobody can tell whose that is


def rated_in(house: Installation, round_id: int) -> list[tuple[str, str, int, str | None]]:
    with house.store.read() as db:
        rows = db.execute(select(answers).where(answers.c.round_id == round_id)).all()
    return sorted(((row.commune, row.service_id, row.score, row.who) for row in rows), key=str)


@both_ways
def test_a_call_that_rated_in_two_rounds_goes_with_the_first_that_closes(known: Installation, provider: str) -> None:
    known.close_round(1)
    here, there = known.open_round(TA_PHOU), known.open_round(*(code for code in COMMUNES if code != TA_PHOU))
    call = Call(known, provider)
    call.dial()
    call.type("2", "5", "0", "0")  # back over who and score
    assert call.type("8").text.startswith("Menu:")
    call.type("2", "1", "2", "4", "2")
    assert {len(rated_in(known, here)), len(rated_in(known, there))} == {1}
    known.clock.forward(hours=1)
    known.close_round(here)
    with known.store.read() as db:
        assert db.scalars(select(conversations.c.rated)).all() == []


@both_ways
def test_not_withdrawing_keeps_everything(known: Installation, provider: str) -> None:
    calls(known, "2*5*1")
    call = Call(known, provider)
    call.dial()
    assert call.type("8", "5", "2").text.startswith("Service:")
    assert rated(known) == [(TA_PHOU, "health", 5, "woman-15-30")]


@both_ways
def test_rating_again_from_another_commune_is_still_one_rating(known: Installation, provider: str) -> None:
    calls(known, "2*5*1")
    call = Call(known, provider)
    call.dial()
    assert call.type("8", "2") == Screen(COMMUNE, False)
    call.type("1", "2", "3", "1")
    assert rated(known) == [(PONLEY, "health", 3, "woman-15-30")]


# a redial -----------------------------------------------------------------------------------------


def dropped(house: Installation, provider: str, *inputs: str) -> Call:
    """A call that breaks off after these inputs."""
    call = Call(house, provider)
    call.dial()
    if inputs:
        call.type(*inputs)
    return call


@both_ways
def test_a_redial_within_ten_minutes_goes_on_where_the_call_broke_off(house: Installation, provider: str) -> None:
    dropped(house, provider, "1", "3", "2")
    house.clock.forward(minutes=9, seconds=50)
    again = Call(house, provider)
    assert again.dial() == Screen(CUT_OFF, False)
    assert again.type("1") == Screen(HEALTH, False)
    assert again.type("0").text.startswith("Service:")
    again.type("3", "4", "1")
    assert rated(house) == [(TA_PHOU, "school", 4, "woman-15-30")]


@both_ways
def test_a_redial_can_start_again(house: Installation, provider: str) -> None:
    dropped(house, provider, "1", "3", "2")
    again = Call(house, provider)
    again.dial()
    assert again.type("2") == Screen(WELCOME.replace("0 Leave", "0 Back"), False)
    again.type("1", "1", "1", "1", "1")
    assert rated(house) == [(PONLEY, "office", 1, "woman-15-30")]


@both_ways
def test_a_redial_goes_on_in_the_language_chosen(house: Installation, provider: str) -> None:
    dropped(house, provider, "2", "1")
    again = Call(house, provider)
    again.dial()
    assert again.type("1").text.startswith("Khum:")


def left(house: Installation, provider: str) -> Call:
    return dropped(house, provider, "2", "0", "0")


def told_completed(house: Installation, provider: str) -> Call:
    call = dropped(house, provider, "2")
    call.end(completed=True)
    return call


def told_incomplete(house: Installation, provider: str) -> Call:
    call = dropped(house, provider, "2")
    call.end(completed=False)
    return call


def redialled_once(house: Installation, provider: str) -> Call:
    dropped(house, provider, "2")
    again = Call(house, provider)
    assert again.dial().text == CUT_OFF
    again.type("1")
    return again


def redialled_by_path(house: Installation, provider: str) -> Call:
    call = dropped(house, provider, "2")
    Call(house, provider).dial("3")
    return call


@both_ways
@pytest.mark.parametrize(
    ("before", "minutes", "asked"),
    [
        pytest.param(lambda h, p: dropped(h, p, "2"), 9.9, True, id="within ten minutes"),
        pytest.param(lambda h, p: dropped(h, p, "2"), 10.1, False, id="after ten minutes"),
        pytest.param(lambda h, p: dropped(h, p, "8", "4"), 1, True, id="on a page of the menu"),
        pytest.param(dropped, 1, False, id="nothing was chosen"),
        pytest.param(lambda h, p: dropped(h, p, "2", "5"), 1, False, id="after a score"),
        pytest.param(lambda h, p: dropped(h, p, "2", "5", "0"), 1, False, id="after a score and a step back"),
        pytest.param(lambda h, p: dropped(h, p, "2", "5", "1"), 1, False, id="it was at its end"),
        pytest.param(left, 1, False, id="it was left"),
        pytest.param(told_completed, 1, False, id="the provider says it was completed"),
        pytest.param(told_incomplete, 1, True, id="the provider says it was not completed"),
        pytest.param(redialled_once, 1, False, id="it was taken up once"),
        pytest.param(redialled_by_path, 1, True, id="the last call was dialled by a path and broke off too"),
    ],
)
def test_when_a_redial_is_asked_whether_to_go_on(
    known: Installation, provider: str, before: Callable[[Installation, str], Call], minutes: float, asked: bool
) -> None:
    known.clock.forward(minutes=30)
    before(known, provider)
    known.clock.forward(minutes=minutes)
    expected = CUT_OFF if asked else f"{SERVICES}\n0 Leave"
    assert Call(known, provider).dial() == Screen(expected, False)


@both_ways
def test_a_redial_with_a_path_is_not_asked(known: Installation, provider: str) -> None:
    dropped(known, provider, "2")
    assert Call(known, provider).dial("3", "4") == Screen(WHO, False)


@both_ways
def test_another_number_is_not_asked(known: Installation, provider: str) -> None:
    dropped(known, provider, "2")
    assert Call(known, provider, number=OTHER).dial().text.startswith("Service:")


@both_ways
def test_the_screen_of_a_shared_phone_after_a_score_shows_nothing_of_it(known: Installation, provider: str) -> None:
    dropped(known, provider, "2", "5")
    shown = Call(known, provider).dial()
    dropped(known, provider, "2", "5", "1")
    assert Call(known, provider).dial() == shown == Screen(f"{SERVICES}\n0 Leave", False)


@both_ways
def test_a_dropped_call_that_goes_on_after_all_is_still_itself(known: Installation, provider: str) -> None:
    """Its late requests carry a path; taken for one dialled at once they would rate what nobody meant."""
    old = dropped(known, provider, "2")
    new = Call(known, provider)
    new.dial()
    assert new.type("1") == Screen(HEALTH, False)
    assert old.type("1") == Screen(WHO, False)
    assert new.type("5") == Screen(WHO, False)
    assert old.request(2) == Screen(WHO, False)  # a repeat of a late request
    assert rated(known) == [(TA_PHOU, "health", 5, None)]  # the last answer wins
    assert new.type("1") == Screen(RECEIVED, True)
    assert old.type("1") == Screen(RECEIVED, True)
    assert rated(known) == [(TA_PHOU, "health", 5, "woman-15-30")]


def test_the_first_request_of_a_redial_five_times_at_once_is_asked_once(known: Installation) -> None:
    dropped(known, WHOLE_PATH, "2")
    step = UssdStep(WHOLE_PATH, "again", ME, path=())
    assert at_once(5, lambda: known.conversations().ussd(step)) == {Screen(CUT_OFF, False)}


# who may not ---------------------------------------------------------------------------------------


@both_ways
def test_a_session_answers_only_the_number_that_began_it(known: Installation, provider: str) -> None:
    mine = Call(known, provider, session="one")
    mine.dial()
    mine.type("2")
    thief = replace(mine, number=OTHER, typed=["2", "1"])
    assert thief.request(2) == Screen(DIAL_AGAIN, True)
    assert replace(mine, number=OTHER).request(0) == Screen(DIAL_AGAIN, True)
    assert rated(known) == []
    assert mine.type("5") == Screen(WHO, False)
    assert rated(known) == [(TA_PHOU, "health", 5, None)]


@both_ways
@pytest.mark.parametrize("number", ["+254700000001", "+66800000001", "+8490000001"])
def test_a_number_of_another_country_is_told_so_and_leaves_nothing(
    known: Installation, provider: str, number: str
) -> None:
    screen = Call(known, provider, number=number).dial("2", "5")
    assert screen == Screen("This service is for phones of this country only. Thank you.", True)
    assert rated(known) == []


# a deploy in the middle ---------------------------------------------------------------------------


@both_ways
def test_a_deploy_in_the_middle_shows_the_question_again_and_rates_once(
    house: Installation, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way = calls_at_every_point(house, provider, 5)
    monkeypatch.setattr(flows, "VERSION", "deployed")
    for typed, call in enumerate(under_way):
        before = call.screen
        assert call.type(INPUTS[typed]).text == before.text  # the values are kept, this digit is not read
        assert call.request(typed + 1).text == before.text
        assert call.type(*INPUTS[typed:]) == Screen(RECEIVED, True)
        assert rated(house, call.number) == [(TA_PHOU, "health", 5, "woman-15-30")]


@both_ways
def test_back_and_more_work_after_a_deploy(
    installation: Installation, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Call(installation, provider)  # in Khmer, without a round: the first screens are pages
    first = call.dial()
    second = call.type("9")
    assert first != second
    monkeypatch.setattr(flows, "VERSION", "deployed")
    shown = call.type("1")
    assert shown == first
    assert call.type("9") == second
    assert call.type("0") == first


def test_requests_from_before_a_deploy_that_come_late_change_nothing(
    known: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Call(known)
    call.dial()
    call.type("2", "4")
    monkeypatch.setattr(flows, "VERSION", "deployed")
    call.type("1")
    for count in range(3):
        assert not call.request(count).ends
    assert rated(known) == [(TA_PHOU, "health", 4, None)]
    call.type("1")
    assert rated(known) == [(TA_PHOU, "health", 4, "woman-15-30")]


@both_ways
def test_a_deploy_between_a_dropped_call_and_its_redial_loses_nothing(
    house: Installation, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped(house, provider, "1", "3", "2")
    monkeypatch.setattr(flows, "VERSION", "deployed")
    again = Call(house, provider)
    assert again.dial() == Screen(CUT_OFF, False)
    assert again.type("1") == Screen(HEALTH, False)


@both_ways
def test_a_deploy_after_a_redial_was_taken_up_loses_nothing(
    house: Installation, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped(house, provider, "1", "3", "2")
    again = Call(house, provider)
    again.dial()
    again.type("1")
    monkeypatch.setattr(flows, "VERSION", "deployed")
    assert again.type("4") == Screen(HEALTH, False)
    again.type("4", "1")
    assert rated(house) == [(TA_PHOU, "health", 4, "woman-15-30")]


@both_ways
def test_a_deploy_after_the_score_does_not_store_it_a_second_time(
    known: Installation, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other session of this phone has said who: the first score is hers by now."""
    call = dropped(known, provider, "2", "5")
    calls(known, "3*4*1")
    monkeypatch.setattr(flows, "VERSION", "deployed")
    call.type("1")
    assert rated(known) == [(TA_PHOU, "health", 5, "woman-15-30"), (TA_PHOU, "school", 4, "woman-15-30")]


# the programme changes in the middle --------------------------------------------------------------

OFF = update(services).where(services.c.id == "health").values(active=False)
RENAMED = update(services).where(services.c.id == "health").values(name_en="Hospital")
COMMUNE_OFF = update(communes).where(communes.c.code == TA_PHOU).values(active=False)
NEW_SERVICE = services.insert().values(id="water", number=7, name_km="ទឹក", name_latn="Toek", name_en="Water")


@both_ways
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([OFF], id="service off"),
        pytest.param([RENAMED], id="service renamed"),
        pytest.param([NEW_SERVICE], id="service added"),
        pytest.param([COMMUNE_OFF], id="commune off"),
        pytest.param([OFF, RENAMED, NEW_SERVICE, COMMUNE_OFF], id="all at once"),
    ],
)
def test_a_call_goes_on_with_the_programme_it_began_with(
    house: Installation, provider: str, changes: list[Any]
) -> None:
    """A digit always means what its screen said."""
    expected = [WELCOME, COMMUNE, f"{SERVICES}\n0 Back", HEALTH, WHO, RECEIVED]
    under_way = calls_at_every_point(house, provider, 5)
    change(house, *changes)
    for at, call in enumerate(under_way):
        assert [call.screen.text, *(call.type(typed).text for typed in INPUTS[at:])] == expected[at:]
        assert rated(house, call.number) == [(TA_PHOU, "health", 5, "woman-15-30")]


@both_ways
def test_the_next_call_sees_what_changed(known: Installation, provider: str) -> None:
    change(known, OFF)
    assert Call(known, provider).dial().text == SERVICES.replace("2 Health centre\n", "") + "\n0 Leave"
    assert Call(known, provider).dial("2", "5").text.startswith("Reply with one of the numbers.")
    change(known, update(services).where(services.c.id == "health").values(active=True), RENAMED)
    assert Call(known, provider).dial().text == SERVICES.replace("Health centre", "Hospital") + "\n0 Leave"
    change(known, COMMUNE_OFF)
    assert Call(known, provider).dial() == Screen(WELCOME, False)  # and asks for another commune
    assert rated(known) == []


@both_ways
def test_a_new_round_in_the_middle_gets_no_rating_meant_for_the_old_one(house: Installation, provider: str) -> None:
    under_way = calls_at_every_point(house, provider, 4)
    house.close_round(1)
    house.open_round()
    for at, call in enumerate(under_way):
        assert call.type(*INPUTS[at:4]) == Screen(CLOSED, True)
    assert rated_in(house, 1) == rated_in(house, 2) == []


@both_ways
def test_a_digit_is_its_score_however_long_the_services_name_is(known: Installation, provider: str) -> None:
    """A long name takes the scale to a second screen; neither that nor a dialled path must change a digit."""
    name = "មណ្ឌលសុខភាពនិងបន្ទប់សម្រាលកូននៃឃុំតាផូ"
    change(known, update(services).where(services.c.id == "health").values(name_km=name, name_en=name * 3))
    for score in (1, 2, 3, 4, 5):
        Call(known, provider).dial("2", str(score))
        assert rated(known) == [(TA_PHOU, "health", score, None)]
    for score in (1, 2, 3, 4, 5):
        call = Call(known, provider)
        call.dial()
        assert name in call.type("2").text.replace("\n", "")
        call.type("9")
        call.type(str(score))
        assert rated(known) == [(TA_PHOU, "health", score, None)]


# a round closes -----------------------------------------------------------------------------------


@both_ways
def test_a_round_that_closes_in_the_middle_says_so_and_keeps_nothing(house: Installation, provider: str) -> None:
    under_way = calls_at_every_point(house, provider, 4)
    house.close_round(1)
    for at, call in enumerate(under_way):
        assert call.type(*INPUTS[at:4]) == Screen(CLOSED, True)
        assert at_once(5, lambda call=call: call.request(4)) == {Screen(CLOSED, True)}  # type: ignore[misc]
    assert rated(house) == []


def test_a_closing_beside_ratings_succeeds_and_keeps_just_those_that_were_not_told_otherwise(
    known: Installation,
) -> None:
    """Each has scored 5, stepped back, and scores 4 in the moment that staff close the round."""
    lines = [Call(known, number=f"+8551000002{index}") for index in range(8)]
    for call in lines:
        call.dial()
        call.type("1", "3", "2", "5", "0")
        call.typed.append("4")
    steps = iter([*(call.step(6) for call in lines), None])
    lock = threading.Lock()
    shown: dict[str, Screen] = {}

    def do() -> Screen:
        with lock:
            step = next(steps)
        if step is None:
            known.close_round(1)
            return Screen("closed", True)
        try:
            shown[step.number] = known.conversations().ussd(step)
        except (*DatabaseDown, KeyProblem):  # the webhook says: not possible just now, nothing was kept
            shown[step.number] = Screen("not possible just now", True)
        return shown[step.number]

    at_once(9, do)
    assert {screen.text for screen in shown.values()} <= {WHO, CLOSED, DIAL_AGAIN, "not possible just now"}
    kept = [(TA_PHOU, "health", 4 if screen.text == WHO else 5, None) for screen in shown.values()]
    assert rated(known) == sorted(kept, key=str)
    with known.store.read() as db:
        assert db.scalar(select(rounds.c.closed)) is not None


def test_a_path_that_waited_while_the_round_closed_says_so(house: Installation) -> None:
    call = Call(house)
    call.dial("2", "5", "1")
    call.type("1")
    house.close_round(1)
    assert call.type("3") == Screen(CLOSED, True)
    assert call.request(5) == Screen(CLOSED, True)
    assert rated(house) == []


@both_ways
def test_a_score_that_was_not_kept_is_kept_nowhere(known: Installation, provider: str) -> None:
    call = dropped(known, provider, "2")
    known.close_round(1)
    assert call.type("5") == Screen(CLOSED, True)
    assert call.request(2) == Screen(CLOSED, True)
    with known.store.read() as db:
        row = db.execute(select(conversations).where(conversations.c.session == call.session)).one()
    assert "5" not in row.transcript
    assert "5" not in row.facts.partition("dialled")[2]


@both_ways
def test_late_requests_after_the_closing_are_asked_to_dial_again_and_rate_nothing(
    known: Installation, provider: str
) -> None:
    scored = dropped(known, provider, "2", "5")
    ended = dropped(known, provider, "3", "4", "1")
    known.close_round(1)
    known.open_round()
    before = rated_in(known, 1)
    for call, typed in ((scored, "1"), (ended, "2")):
        for count in range(len(call.typed) + 1):
            assert call.request(count) == Screen(DIAL_AGAIN, True)
        assert call.type(typed) == Screen(DIAL_AGAIN, True)
    assert rated_in(known, 1) == before
    assert rated_in(known, 2) == []


def test_a_closed_round_links_to_nobody_and_still_counts(known: Installation) -> None:
    numbers = [f"+8551000{index:04d}" for index in range(100, 112)]
    for index, number in enumerate(numbers):
        call = Call(known, number=number, session=f"secret-session-{index}")
        call.dial("2", str(index % 5 + 1))
        call.type("1", "3", str(index % 4 + 1))
    known.clock.forward(minutes=11)
    live = [Call(known, number=number, session=f"live-{number[-3:]}") for number in numbers[:3]]
    live[0].dial("2", "1")  # a score, no who
    live[1].dial("2", "1", "1")  # all of it
    live[2].dial("2")  # no score yet
    with known.store.read() as db:
        key = db.scalar(select(rounds.c.key).where(rounds.c.id == 1))
        today = known.clock.now.date()
        before = tallies(db, TA_PHOU, 1, 10, today)[0].services
    path = known.settings.keys / f"round-{key}.key"
    secret = path.read_text().strip()

    known.close_round(1)

    assert not path.exists()
    assert not known.keys.has_round(str(key))
    with known.store.read() as db:
        rows = {row.session: row for row in db.execute(select(conversations))}
        after = tallies(db, TA_PHOU, 1, 10, today)[0].services
    assert after == before
    health = next(service for service in after if service.service == "health")
    assert health.figures is not None
    assert health.figures.numbers == 12
    assert not [session for session in rows if session.startswith("secret-session")]
    for call in live[:2]:
        row = rows[call.session]
        assert (row.caller, row.facts, row.transcript, row.answer) == (bytes(HASH_BYTES), "", "", "")
        assert row.round_id is None
        assert call.type("1") == Screen(DIAL_AGAIN, True)
    assert live[2].type("5") == Screen(CLOSED, True)
    if known.store.is_sqlite:
        kept = b"".join(file.read_bytes() for file in known.settings.data_dir.glob("mati.sqlite*"))
        assert b"secret-session" not in kept
        assert secret.encode() not in kept
    known.clock.forward(minutes=11)
    known.open_round()
    known.close_round(2)
    with known.store.read() as db:
        assert db.execute(select(conversations)).all() == []


def test_a_round_whose_key_is_missing_takes_no_rating(known: Installation) -> None:
    with known.store.read() as db:
        known.keys.destroy_round(str(db.scalar(select(rounds.c.key))))
    call = Call(known)
    call.dial("2")
    with pytest.raises(Exception, match="the key of this round is missing"):
        call.type("5")
    assert rated_in(known, 1) == []
