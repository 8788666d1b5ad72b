"""The extra questions about a service: who is asked which, what is kept of the answers, and for whom."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from sqlalchemy import select

from gateway.config import LANGUAGES, Language
from gateway.menus.phrases import Name
from gateway.menus.rating import ask
from gateway.menus.screens import lay_out
from gateway.menus.visit import Facts, Programme, Visit
from gateway.models.answers import OVERALL, answers
from gateway.models.rounds import round_indicators
from gateway.models.services import indicators
from gateway.scorecard import rated, rounds
from gateway.scorecard.rated import Flaw, Refused
from gateway.text import SMS, USSD, Limit, fits
from tests.conftest import Installation
from tests.test_conversation import LAST_INPUT, ME, OTHER, TA_PHOU, WHOLE_PATH, Call
from tests.test_sms import Phone

QUESTIONS = {"health-1": "Waiting time", "health-2": "Medicine", "health-3": "Respect"}
providers = pytest.mark.parametrize("provider", [WHOLE_PATH, LAST_INPUT])


def texts(english: str) -> dict[Language, str]:
    return {"km": "រយៈពេលរង់ចាំ", "km-Latn": "Rong cham", "en": english}


def add(house: Installation, *english: str, service: str = "health") -> list[str]:
    """Questions about a service; their ids."""
    with house.store.write() as db:
        return [rated.add_question(db, service, texts(one), house.clock.now) for one in english]


@pytest.fixture
def house(installation: Installation) -> Installation:
    """In English, three questions about the health centre, and an open round in all four communes."""
    english = replace(installation, settings=installation.settings.model_copy(update={"default_language": "en"}))
    assert add(english, *QUESTIONS.values()) == list(QUESTIONS)
    english.open_round()
    return english


def kept(house: Installation) -> dict[tuple[str | None, str], int]:
    """Scores by who and question; the score of the service itself is that of `overall`."""
    with house.store.read() as db:
        rows = db.execute(select(answers)).all()
    found = {(row.who, row.indicator): row.score for row in rows}
    assert len(found) == len(rows), "two raters where there is one"
    return found


def asked(screen: str) -> str:
    """Which question a screen asks."""
    return next(one for one, english in QUESTIONS.items() if screen.startswith(f"{english} 1-5:\n"))


def to_questions(house: Installation, provider: str = LAST_INPUT, *, who: str = "1", number: str = ME) -> Call:
    """A call at its first extra question: Ta Phou, health centre, very satisfied."""
    call = Call(house, provider, number=number)
    call.dial()
    call.type("1", "3", "2", "5", who)
    return call


# the talk -----------------------------------------------------------------------------------------


@providers
def test_two_of_the_questions_come_after_who_and_are_kept_under_it(house: Installation, provider: str) -> None:
    call = to_questions(house, provider)
    first = asked(call.screen.text)
    assert call.screen.text == (
        f"{QUESTIONS[first]} 1-5:\n1 Very dissatisfied\n2 Dissatisfied\n3 Acceptable\n4 Satisfied\n5 Very satisfied\n"
        "6 Skip\n0 Back"
    )
    second = asked(call.type("2").text)
    assert second != first
    end = call.type("4")
    assert (end.text, end.ends) == ("Thank you! Received.", True)
    assert kept(house) == {("woman-15-30", OVERALL): 5, ("woman-15-30", first): 2, ("woman-15-30", second): 4}


def test_a_digit_that_is_no_answer_brings_the_question_again(house: Installation) -> None:
    call = to_questions(house)
    question = call.screen.text
    for wrong in ("7", "9", "x", ""):
        assert call.type(wrong).text == f"Reply with one number, 1 to 6.\n{question}"
    assert kept(house) == {("woman-15-30", OVERALL): 5}


def test_who_does_not_answer_is_thanked_all_the_same(house: Installation) -> None:
    assert to_questions(house).type("6", "6").text == "Thank you! Received."
    assert kept(house) == {("woman-15-30", OVERALL): 5}


@providers
def test_hanging_up_at_a_question_loses_nothing_that_was_answered(house: Installation, provider: str) -> None:
    to_questions(house, provider)
    other = to_questions(house, provider, who="4", number=OTHER)
    first = asked(other.screen.text)
    other.type("1")
    assert kept(house) == {("woman-15-30", OVERALL): 5, ("man-31", OVERALL): 5, ("man-31", first): 1}


def test_a_redial_after_the_score_begins_anew(house: Installation) -> None:
    to_questions(house).end(completed=False)
    house.clock.forward(minutes=1)
    again = Call(house)
    assert again.dial().text.startswith("Service:")


@providers
def test_back_leads_to_the_question_before_whose_last_answer_wins(house: Installation, provider: str) -> None:
    call = to_questions(house, provider)
    first = call.screen.text
    second = call.type("1").text
    assert call.type("0").text == first
    assert call.type("3").text == second
    call.type("6")
    assert kept(house) == {("woman-15-30", OVERALL): 5, ("woman-15-30", asked(first)): 3}


@providers
def test_who_steps_back_and_tells_another_who_is_still_one_rater(house: Installation, provider: str) -> None:
    call = to_questions(house, provider)
    first = asked(call.screen.text)
    assert call.type("2", "0", "0").text.startswith("You are:")
    assert asked(call.type("4").text) == first, "the same questions come again"
    assert kept(house) == {("man-31", OVERALL): 5, ("man-31", first): 2}
    call.type("3")
    assert kept(house) == {("man-31", OVERALL): 5, ("man-31", first): 3}


@providers
def test_who_steps_back_to_the_score_gives_another_one(house: Installation, provider: str) -> None:
    call = to_questions(house, provider)
    first = asked(call.screen.text)
    call.type("2", "0", "0", "0", "1")
    assert kept(house) == {(None, OVERALL): 1, (None, first): 2}, "nobody's, until a who is told"
    call.type("3")
    assert kept(house) == {("man-15-30", OVERALL): 1, ("man-15-30", first): 2}


@providers
def test_what_the_same_who_answered_in_another_call_stays_theirs(house: Installation, provider: str) -> None:
    """A woman answered all; a man mistakes himself for her, and steps back: her answers to other questions stay."""
    mother = to_questions(house, provider)
    hers = {asked(mother.screen.text): 4}
    hers[asked(mother.type("4").text)] = 4
    mother.type("4")
    son = Call(house, provider)
    son.dial()
    his = {asked(son.type("2", "1", "1").text): 2}
    son.type("2", "0", "0", "3", "6", "6")
    assert kept(house) == {("man-15-30", OVERALL): 1} | {("man-15-30", one): 2 for one in his} | {
        ("woman-15-30", one): score for one, score in hers.items() if one not in his
    }


def test_a_later_call_of_the_same_rater_replaces_the_answers_it_gives(house: Installation) -> None:
    for score in ("2", "3"):
        for _ in range(8):
            call = Call(house)
            call.dial()
            call.type(*(("1", "3") if not kept(house) else ()), "2", score, "1", score, score)
    assert kept(house) == {("woman-15-30", one): 3 for one in (OVERALL, *QUESTIONS)}


def test_two_of_a_family_answer_for_themselves(house: Installation) -> None:
    for number, who in enumerate("14"):
        call = Call(house)
        call.dial()
        call.type(*(("1", "3") if number == 0 else ()), "2", "5", who, "2", "2")
    assert Counter(who for who, _ in kept(house)) == {"woman-15-30": 3, "man-31": 3}


@providers
def test_under_15_is_asked_nothing_more_and_nothing_is_kept(house: Installation, provider: str) -> None:
    call = to_questions(house, provider, who="5")
    assert (call.screen.text, call.screen.ends) == ("Thank you!", True)
    assert kept(house) == {}


@providers
def test_who_steps_back_to_say_under_15_has_all_answers_removed(house: Installation, provider: str) -> None:
    call = to_questions(house, provider)
    call.type("2", "0", "0", "5")
    assert call.screen.text == "Thank you!"
    assert kept(house) == {}


def test_withdrawing_removes_the_answers_to_questions_too(house: Installation) -> None:
    to_questions(house).type("2", "2")
    to_questions(house, number=OTHER, who="4").type("2", "2")
    call = Call(house)
    call.dial()
    while "Withdraw my ratings" not in call.screen.text:
        call.type("8" if "8 Menu" in call.screen.text else "9")
    digit = next(line[0] for line in call.screen.text.split("\n") if line.endswith("Withdraw my ratings"))
    call.type(digit, "1")
    assert {who for who, _ in kept(house)} == {"man-31"}
    assert len(kept(house)) == 3


@providers
def test_a_path_from_a_poster_leads_to_the_questions_and_may_go_through_them(
    house: Installation, provider: str
) -> None:
    poster = Call(house, provider)
    poster.dial("2", "5", "1")
    poster.type("1", "3")
    first = asked(poster.screen.text)
    assert kept(house) == {("woman-15-30", OVERALL): 5}
    whole = Call(house, provider)
    assert whole.dial("2", "4", "1", "3", "6").text == "Thank you! Received."
    found = kept(house)
    assert found.pop(("woman-15-30", OVERALL)) == 4
    assert list(found.values()) == [3]
    assert first in QUESTIONS


def test_a_repeated_request_applies_nothing_and_gets_the_same_question(house: Installation) -> None:
    call = to_questions(house, WHOLE_PATH)
    question = call.screen
    call.type("2")
    second = call.screen
    assert call.request(5) == question
    assert call.request(6) == second
    call.type("3")
    assert len(kept(house)) == 3


def test_a_service_without_questions_is_thanked_for_at_once(house: Installation) -> None:
    call = Call(house)
    call.dial()
    assert call.type("1", "3", "1", "5", "1").text == "Thank you! Received."


def test_one_question_comes_alone(installation: Installation) -> None:
    add(installation, "Fees", service="window")
    installation.open_round()
    call = Call(replace(installation))
    call.dial()
    assert "1-5" in call.type("3", "1", "3", "4", "5", "1").text
    assert call.type("2").ends


# by SMS -------------------------------------------------------------------------------------------


def test_a_talk_by_sms_asks_them_one_after_the_other(house: Installation) -> None:
    me = Phone(house)
    me.send("RATE")
    first = me.send("1", "3", "2", "5", "1")
    assert first is not None
    second = me.send("3")
    assert second is not None
    assert asked(first) != asked(second)
    thanks = "Thank you! Received. Shared phone? Delete this and the SMS you sent."
    assert me.send("4") == thanks
    assert kept(house) == {
        ("woman-15-30", OVERALL): 5, ("woman-15-30", asked(first)): 3, ("woman-15-30", asked(second)): 4
    }  # fmt: skip


@pytest.mark.parametrize("texts_sent", [["3 2 5 1"], ["RATE 3 2 5 1"], ["3 2 5", "1"]])
def test_a_whole_rating_in_one_sms_ends_with_thanks(house: Installation, texts_sent: list[str]) -> None:
    to_questions(house).type("6", "6")  # the number is known
    said = Phone(house).send(*texts_sent)
    assert said == "Thank you! Received. Shared phone? Delete this and the SMS you sent."
    assert kept(house) == {("woman-15-30", OVERALL): 5}


# which questions ----------------------------------------------------------------------------------


def programme(count: int) -> Programme:
    asked = [[f"q{i}", "health", f"សំណួរ{i}", f"Somnuor {i}", f"Question {i}"] for i in range(count)]
    return Programme(1, {
        "communes": [[TA_PHOU, 3, "តាផូ", "Ta Phou", 7]], "above": {}, "services": [["health", 2, "ម", "M", "H"]],
        "rounds": {"7": ["health"]}, "indicators": {"7": asked},
    })  # fmt: skip


@pytest.mark.parametrize("count", range(11))
def test_each_question_and_each_pair_is_drawn_as_often_as_any_other(count: int) -> None:
    edition = programme(count)
    commune = edition.communes[TA_PHOU]
    (service,) = edition.services(commune)
    drawn: Counter[tuple[str, ...]] = Counter()
    for draw in range(2520 * 9):  # a multiple of all pairs there can be
        facts = Facts(edition=1, language="en", commune=TA_PHOU, cost="", menus="", draw=draw)
        drawn[tuple(one.id for one in Visit(facts, edition).drawn(commune, service))] += 1
    assert all(len(set(some)) == len(some) == min(2, count) for some in drawn)
    assert len(drawn) == (count * (count - 1) if count > 1 else 1)
    assert len(set(drawn.values())) == 1


def test_the_draw_differs_from_call_to_call_of_one_phone(house: Installation) -> None:
    first = {asked(to_questions(house).screen.text)}
    for _ in range(40):
        call = Call(house)
        call.dial()
        first.add(asked(call.type("2", "5", "1").text))
    assert first == set(QUESTIONS)


def test_a_call_goes_on_with_the_questions_it_began_with(house: Installation) -> None:
    """Though all are archived meanwhile, and though each request is answered by another process."""
    call = to_questions(house)
    question = call.screen.text
    with house.store.write() as db:
        for one in QUESTIONS:
            rated.archive(db, "health", one, house.clock.now, away=True)
    asked(call.type("2").text)
    assert call.type("0").text == question
    assert call.type("3", "3").ends
    assert len(kept(house)) == 3
    later = Call(house, number=OTHER)
    later.dial()
    assert later.type("1", "3", "2", "5", "1").text == "Thank you! Received."


def test_a_round_asks_only_what_it_was_opened_with(house: Installation) -> None:
    (late,) = add(house, "Opening hours")
    with house.store.read() as db:
        assert set(db.scalars(select(round_indicators.c.indicator_id))) == set(QUESTIONS)
    house.close_round(1)
    only = rounds.open_round(
        house.store, house.keys, [TA_PHOU], house.clock.now.date(), house.clock.now,
        services=["health", "office"], indicators=[late],
    )  # fmt: skip
    assert only == 2
    call = to_questions(house)
    assert call.screen.text.startswith("Opening hours 1-5:")
    assert call.type("6").ends


# what staff write ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "flaws"),
    [
        ({"km": ""}, {"text-km": (Flaw.MISSING, 0)}),
        ({"km": "ការយកចិត្តទុកដាក់របស់បុគ្គលិក"}, {"text-km": (Flaw.SCREEN, 8)}),
        ({"km": "រ" * 21}, {}),
        ({"km": "រ" * 22}, {"text-km": (Flaw.SCREEN, 1)}),
        ({"km-Latn": "រង់ចាំ", "en": ""}, {"text-km-Latn": (Flaw.SCRIPT, 0), "text-en": (Flaw.MISSING, 0)}),
        ({"en": "x" * 120}, {"text-en": (Flaw.SCREEN, 9)}),
        ({"en": "Façade of the café"}, {}),
    ],
)
def test_a_text_that_does_not_fit_a_screen_is_refused_with_how_much_it_is_too_long(
    installation: Installation, change: dict[Language, str], flaws: dict[str, tuple[Flaw, int]]
) -> None:
    said = texts("The waiting time") | change
    assert rated.question_flaws(said) == flaws
    with installation.store.write() as db:
        if flaws:
            with pytest.raises(Refused) as refused:
                rated.add_question(db, "health", said, installation.clock.now)
            assert refused.value.flaws == flaws
        else:
            rated.add_question(db, "health", said, installation.clock.now)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("limit", [USSD, SMS], ids=["USSD", "SMS"])
def test_the_longest_text_that_is_taken_stands_on_one_screen_with_all_digits(language: Language, limit: Limit) -> None:
    sign = "រ" if language == "km" else "x"

    def is_taken(size: int) -> bool:
        said: dict[Language, str] = {one: sign * size if one == language else "x" for one in LANGUAGES}
        return not rated.question_flaws(said)

    longest = max(filter(is_taken, range(1, 160)))
    (page,) = lay_out(ask(Name(*[sign * longest] * 3)), language, limit, first=False)
    assert fits(page.text, limit)
    assert list(page.keys) == ["1", "2", "3", "4", "5", "6"]


def test_a_service_has_ten_questions_at_most_that_are_not_archived(installation: Installation) -> None:
    made = add(installation, *(f"Question {i}" for i in range(10)))
    with pytest.raises(Refused, match="FULL"):
        add(installation, "One more")
    with installation.store.write() as db:
        rated.archive(db, "health", made[3], installation.clock.now, away=True)
    assert add(installation, "One more") == ["health-11"]
    with pytest.raises(Refused, match="FULL"), installation.store.write() as db:
        rated.archive(db, "health", made[3], installation.clock.now, away=False)


def test_the_words_of_a_question_stay_while_an_open_round_asks_it(house: Installation) -> None:
    with pytest.raises(Refused, match="ASKED"), house.store.write() as db:
        rated.reword(db, "health", "health-1", texts("Queues"), house.clock.now)
    house.close_round(1)
    with house.store.write() as db:
        rated.reword(db, "health", "health-1", texts("Queues"), house.clock.now)
        assert db.scalar(select(indicators.c.text_en).where(indicators.c.id == "health-1")) == "Queues"


def test_questions_change_places(house: Installation) -> None:
    def order() -> list[str]:
        with house.store.read() as db:
            return [row.id for row in rated.questions_of(db, "health")]

    for question, expected in [
        ("health-3", ["health-1", "health-3", "health-2"]),
        ("health-3", ["health-3", "health-1", "health-2"]),
        ("health-3", ["health-3", "health-1", "health-2"]),
    ]:
        with house.store.write() as db:
            rated.move_up(db, "health", question, house.clock.now)
        assert order() == expected
    assert all(a != b for a, b in pairwise(order()))
