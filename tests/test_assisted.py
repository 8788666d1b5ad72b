"""Volunteers who record respondents by USSD and by SMS: what they see, what is kept, and that nobody counts twice."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from gateway.models.answers import answers
from gateway.models.messages import messages
from gateway.models.rollups import counts, roll
from gateway.models.volunteers import ASSISTED, recorded
from gateway.providers.base import InboundSms
from gateway.scorecard import volunteers as register
from gateway.scorecard.tallies import tallies
from gateway.scorecard.volunteers import Details
from gateway.sms import SmsDesk
from tests.conftest import Installation
from tests.test_conversation import (
    CUT_OFF,
    LAST_INPUT,
    ME,
    OTHER,
    RECEIVED,
    SERVICES,
    TA_PHOU,
    WELCOME,
    WHOLE_PATH,
    Call,
    both_ways,
    house,
    rated,
)

__all__ = ["house"]

BEGIN = "Ta Phou:\n1 Record a respondent\n2 My own rating\n8 Menu\n0 Leave"
SERVICE = "Respondent:\n1 Commune office\n2 Health centre\n3 Primary school\n4 One-window office\n0 Back"
MORE = "Another service?\n1 Commune office\n3 Primary school\n4 One-window office\n8 No, go on\n0 Back"
THEY = "They are:\n1 Woman 15-30\n2 Woman over 30\n3 Man 15-30\n4 Man over 30\n5 Under 15\n6 Other\n7 No answer\n0 Back"
NEXT = "Received.\n1 Next respondent\n0 Leave"
TOO_YOUNG = "Under 15: not kept.\n1 Next respondent\n0 Leave"


def volunteer(at: Installation, number: str = ME, commune: str = TA_PHOU, name: str = "Sokha") -> int:
    """Staff register a volunteer."""
    with at.store.write() as db:
        return register.register(db, at.keys, at.settings, Details(name, commune, number), at.clock.now.date())


@pytest.fixture
def field(house: Installation) -> Installation:
    """A house whose first number is a volunteer's in Ta Phou."""
    volunteer(house)
    return house


def respondents(at: Installation) -> list[tuple[str, ...]]:
    """What each respondent is known by: services with scores, and who; a line a distinct number."""
    with at.store.read() as db:
        rows = db.execute(select(answers).where(answers.c.channel == ASSISTED)).all()
    each: dict[bytes, list[str]] = {}
    for row in sorted(rows, key=lambda row: row.service_id):
        each.setdefault(row.phone, []).append(f"{row.service_id} {row.score} {row.who or '-'}")
    return sorted(tuple(one) for one in each.values())


def noted(at: Installation) -> int:
    """How many respondents are counted for volunteers."""
    with at.store.read() as db:
        return db.scalar(select(func.coalesce(func.sum(recorded.c.respondents), 0))) or 0


class TestACall:
    @both_ways
    def test_records_respondents_one_after_another(self, field: Installation, provider: str) -> None:
        call = Call(field, provider)
        assert call.dial().text == BEGIN
        assert call.type("1").text == SERVICE
        assert call.type("2").text.startswith("Health centre\n1 Very dissatisfied")
        assert call.type("5").text == MORE
        assert call.type("8").text == THEY
        assert call.type("1").text == NEXT
        assert call.type("1").text == SERVICE
        assert call.type("1", "3", "2", "1", "8", "4").text == NEXT
        ended = call.type("0")
        assert (ended.text, ended.ends) == ("Goodbye.", True)
        assert respondents(field) == [("health 1 man-31", "office 3 man-31"), ("health 5 woman-15-30",)]
        assert noted(field) == 2
        assert rated(field, ME) == []

    @both_ways
    def test_goes_on_to_who_by_itself_when_all_services_are_scored(self, field: Installation, provider: str) -> None:
        call = Call(field, provider)
        call.dial()
        assert call.type("1", "1", "5", "2", "4", "3", "3", "4", "2").text == THEY
        call.type("6")
        assert respondents(field) == [("health 4 other", "office 5 other", "school 3 other", "window 2 other")]
        assert noted(field) == 1

    @both_ways
    def test_keeps_a_respondent_who_hung_up_before_who_as_one_who_said_nothing(
        self, field: Installation, provider: str
    ) -> None:
        call = Call(field, provider)
        call.dial()
        call.type("1", "2", "5")
        call.end(completed=False)
        assert respondents(field) == [("health 5 -",)]
        again = Call(field, provider)
        assert again.dial().text == BEGIN  # after a score nothing is taken up
        again.type("1", "2", "4", "8", "2")
        assert respondents(field) == [("health 4 woman-31",), ("health 5 -",)]
        assert noted(field) == 2

    @both_ways
    def test_keeps_nothing_of_who_is_under_15(self, field: Installation, provider: str) -> None:
        call = Call(field, provider)
        call.dial()
        assert call.type("1", "2", "5", "1", "4", "8", "5").text == TOO_YOUNG
        assert respondents(field) == []
        assert noted(field) == 0
        call.type("1", "2", "3", "8", "7")
        assert respondents(field) == [("health 3 unsaid",)]
        assert noted(field) == 1

    @both_ways
    def test_a_repeat_of_a_request_makes_no_second_respondent(self, field: Installation, provider: str) -> None:
        call = Call(field, provider)
        call.dial()
        for each in ("1", "2", "5", "8", "1", "1", "3", "4", "8", "2"):
            first = call.type(each)
            assert call.request(len(call.typed)) == first
        assert respondents(field) == [("health 5 woman-15-30",), ("school 4 woman-31",)]
        assert noted(field) == 2

    @both_ways
    def test_dropped_before_a_score_is_taken_up_and_counts_once(self, field: Installation, provider: str) -> None:
        first = Call(field, provider)
        first.dial()
        first.type("1", "2")
        second = Call(field, provider)
        assert second.dial().text == CUT_OFF
        second.type("1", "5")
        first.type("4")  # the dropped call goes on after all
        second.type("8", "1")
        assert [one[0].split()[0] for one in respondents(field)] == ["health"]
        assert noted(field) == 1

    @both_ways
    def test_a_step_back_corrects_a_score(self, field: Installation, provider: str) -> None:
        call = Call(field, provider)
        call.dial()
        call.type("1", "2", "5", "0", "1", "8", "3")
        assert respondents(field) == [("health 1 man-15-30",)]
        assert noted(field) == 1

    @both_ways
    def test_after_thanks_nothing_of_the_respondent_is_gone_back_to(self, field: Installation, provider: str) -> None:
        call = Call(field, provider)
        call.dial()
        call.type("1", "2", "5", "8", "1", "1")
        assert call.type("0").text == NEXT
        assert call.type("0").text == "Goodbye."

    @both_ways
    def test_leads_to_the_volunteers_own_rating(self, field: Installation, provider: str) -> None:
        call = Call(field, provider)
        call.dial()
        assert call.type("2").text == WELCOME.replace("0 Leave", "0 Back")
        assert call.type("1", "3").text == f"{SERVICES}\n0 Back"
        assert call.type("2", "4", "2").text == RECEIVED
        assert rated(field, ME) == [(TA_PHOU, "health", 4, "woman-31")]
        assert respondents(field) == []

    @both_ways
    def test_leads_to_the_menu(self, field: Installation, provider: str) -> None:
        known = Call(field, provider)
        known.dial()
        known.type("2", "1", "3")
        known.end(completed=True)
        call = Call(field, provider)
        call.dial()
        assert call.type("8").text.startswith("Menu:\n1 ")
        assert call.type("0").text == BEGIN

    @both_ways
    def test_that_dials_through_rates_for_oneself(self, field: Installation, provider: str) -> None:
        call = Call(field, provider)
        call.dial()
        call.type("2", "1", "3")
        call.end(completed=True)
        through = Call(field, provider)
        assert through.dial("2", "5").text.startswith("You are:")
        assert rated(field, ME) == [(TA_PHOU, "health", 5, None)]

    def test_begins_as_all_others_do_who_is_no_volunteer_or_no_more(self, field: Installation) -> None:
        assert Call(field, number=OTHER).dial().text == WELCOME
        with field.store.write() as db:
            register.switch(db, 1, on=False)
        assert Call(field).dial().text == WELCOME

    def test_begins_as_all_others_do_without_a_round_in_the_commune(self, installation: Installation) -> None:
        english = replace(installation, settings=installation.settings.model_copy(update={"default_language": "en"}))
        english.open_round("010303")
        volunteer(english)
        assert Call(english).dial().text == WELCOME

    @both_ways
    def test_whose_round_closes_is_told_and_leaves_nothing(self, field: Installation, provider: str) -> None:
        call = Call(field, provider)
        call.dial()
        call.type("1", "2")
        field.close_round(1)
        said = call.type("5")
        assert said.ends
        assert respondents(field) == []
        assert noted(field) == 0

    @both_ways
    def test_goes_on_when_the_volunteer_is_switched_off_meanwhile(self, field: Installation, provider: str) -> None:
        """What may be said is frozen when a call begins."""
        call = Call(field, provider)
        call.dial()
        call.type("1", "2")
        with field.store.write() as db:
            register.switch(db, 1, on=False)
        assert call.type("5", "8", "1").text == NEXT
        assert noted(field) == 1


# SMS ----------------------------------------------------------------------------------------------


def text(at: Installation, words: str, number: str = ME, id_: str | None = None) -> str | None:
    """What a phone is answered."""
    desk = SmsDesk(at.store, at.keys, at.settings, at.conversations(), at.clock)
    answer = desk.receive(InboundSms("simulator", id_ or secrets.token_hex(8), number, words))
    at.clock.forward(seconds=1)
    if answer is None:
        return None
    with at.store.read() as db:
        return str(db.scalars(select(messages.c.text).where(messages.c.id == answer)).one())


HOW = "Not recorded. Write R, each service with its score, then who: R 2 5 1. Services: 1 2 3 4"


class TestACard:
    def test_records_one_respondent_a_message(self, field: Installation) -> None:
        assert text(field, "R 2 5 1") == "Received. 1 recorded today."
        assert text(field, "r 2 5 3 4 2") == "Received. 2 recorded today."
        assert text(field, "R ២ ៥ ១") == "Received. 3 recorded today."
        assert text(field, "R2 1 7") == "Received. 4 recorded today."
        assert text(field, "កត់ 1,4,6") == "Received. 5 recorded today."
        assert respondents(field) == [
            ("health 1 unsaid",),
            ("health 5 woman-15-30",),
            ("health 5 woman-15-30",),
            ("health 5 woman-31", "school 4 woman-31"),
            ("office 4 other",),
        ]
        field.clock.forward(days=1)
        assert text(field, "R 2 5 1") == "Received. 1 recorded today."
        assert noted(field) == 6

    @pytest.mark.parametrize(
        "words",
        ["R", "R 2", "R 2 5", "R 2 5 3 4", "R 2 6 1", "R 2 0 1", "R 9 5 1", "R 2 5 8", "R 2 5 0", "R 2 5 2 4 1",
         "R hello", "R 2 5 x", "R 251", "record this", "R 0002 5 1 " + "1 " * 30],
    )  # fmt: skip
    def test_that_is_not_written_so_is_told_how(self, field: Installation, words: str) -> None:
        assert text(field, words) == HOW
        assert respondents(field) == []

    def test_that_comes_again_records_nothing(self, field: Installation) -> None:
        assert text(field, "R 2 5 1", id_="same") == "Received. 1 recorded today."
        assert text(field, "R 2 5 1", id_="same") is None
        assert noted(field) == 1

    def test_of_somebody_under_15_is_not_kept(self, field: Installation) -> None:
        assert text(field, "R 2 5 1") == "Received. 1 recorded today."
        assert text(field, "R 2 5 5") == "Under 15: not kept. 1 recorded today."
        assert len(respondents(field)) == noted(field) == 1

    def test_from_somebody_else_gets_the_usual_menu(self, field: Installation) -> None:
        usual = text(field, "hello", OTHER)
        assert usual is not None
        for words in ("R 2 5 1", "record", "kot 2 5 1"):
            field.clock.forward(days=1)
            assert text(field, words, OTHER) == usual
        assert respondents(field) == []

    def test_without_a_round_says_so(self, field: Installation) -> None:
        field.close_round(1)
        assert text(field, "R 2 5 1") == "Not recorded: no rating is open in Ta Phou now."

    def test_is_answered_however_many_there_are_in_a_day(self, field: Installation) -> None:
        for n in range(1, 46):
            assert text(field, "R 2 5 1") == f"Received. {n} recorded today."

    def test_leaves_the_volunteers_other_messages_as_they_are(self, field: Installation) -> None:
        said = text(field, "3 2 5 1")  # commune, service, score, who: their own rating
        assert said is not None
        assert said.startswith("Rate commune services.")
        assert respondents(field) == []


# counting -----------------------------------------------------------------------------------------


def must_add_up(at: Installation) -> int:
    """Respondents as noted for volunteers are the distinct numbers; the tallies count each once a service."""
    a = answers.c
    with at.store.read() as db:
        told = counts(db, ("service_id",), round_id=1, channel=ASSISTED)
        phones = db.scalar(select(func.count(a.phone.distinct())).where(a.channel == ASSISTED)) or 0
        each = select(a.service_id, func.count(a.phone.distinct()), func.count()).where(a.channel == ASSISTED)
        kept = {row[0]: row[1:] for row in db.execute(each.group_by(a.service_id))}
    assert phones == noted(at)
    for row in told:
        n = row.n1 + row.n2 + row.n3 + row.n4 + row.n5
        assert (row.leads, n) == kept[row.service_id] == (n, n), "a respondent is one number, and one rater"
    assert {row.service_id for row in told} == kept.keys()
    return phones


def test_each_respondent_counts_as_one_number_in_the_tallies(field: Installation) -> None:
    """Recorded by one phone, ten respondents are ten numbers: their figure is shown."""
    for score in (1, 2, 3, 4, 5, 5, 4, 3, 2):
        text(field, f"R 2 {score} 1")
    call = Call(field)
    call.dial()
    call.type("1", "2", "4", "8", "2")
    with field.store.read() as db:
        (tally,) = tallies(db, TA_PHOU, None, field.settings.min_raters, field.clock.now.date())
    shown = {service.service: service.figures for service in tally.services}
    assert shown["health"] is not None
    assert (shown["health"].n, shown["health"].numbers) == (10, 10)
    assert shown["school"] is None
    assert must_add_up(field) == 10


calls = st.tuples(
    st.sampled_from([WHOLE_PATH, LAST_INPUT]),
    st.lists(st.sampled_from(["1", "1", "2", "3", "5", "8", "0", "9", "7", "x"]), max_size=24),
    st.sampled_from(["", "repeats", "goes on later", "is cut off"]),
)
cards = st.lists(st.sampled_from(["R", "1", "2", "3", "4", "5", "6", "7", "8"]), max_size=7).map(" ".join)
hours = st.integers(0, 30)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happened=st.lists(st.one_of(calls, cards, hours), max_size=8))
def test_respondents_numbers_and_tallies_agree_whatever_happens(
    field: Installation, happened: list[tuple[str, list[str], str] | str | int]
) -> None:
    """Calls that repeat, are cut off and redialled, or go on when a redial has taken them up; cards; days that pass."""
    later: list[tuple[Call, list[str]]] = []
    for each in happened:
        if isinstance(each, int):
            field.clock.forward(hours=each)
        elif isinstance(each, str):
            text(field, f"R {each}", id_=f"card-{len(each)}")  # some come again under the same id
        else:
            provider, digits, fate = each
            call = Call(field, provider)
            call.dial()
            if fate == "goes on later":
                later.append((call, digits[len(digits) // 2 :]))
                digits = digits[: len(digits) // 2]
            for digit in digits:
                if call.screen.ends:
                    break
                call.type(digit)
                if fate == "repeats":
                    call.request(len(call.typed))
                must_add_up(field)
            if fate == "is cut off":
                call.end(completed=False)
        must_add_up(field)
    for call, digits in later:
        for digit in digits:
            if not call.screen.ends:
                call.type(digit)
        must_add_up(field)
    with field.store.write() as db:
        roll(db, field.clock.now.date())
    must_add_up(field)
