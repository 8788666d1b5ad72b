"""The driver of the menus: what a person sees after each key, and that a talk taken up again is the same talk."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import LANGUAGES, Language
from gateway.menus import flows
from gateway.menus.effects import Identify, Join, Save, Speak
from gateway.menus.engine import End, Feed, Flow, Talk
from gateway.menus.phrases import Name, Words
from gateway.menus.screens import Choose, Option
from gateway.menus.visit import Facts, Programme, Visit
from gateway.menus.wording import render
from gateway.models.services import STANDARD
from gateway.text import SMS, USSD, Limit, fits

LEAVES = "Goodbye."
FRUITS = tuple(Option(f"fruit-{number}", f"Fruit {number}") for number in range(1, 21))
ROUND = 3


# flows to drive -----------------------------------------------------------------------------------


def order() -> Flow:
    """Two questions, an effect after each, an end."""
    drink = yield Choose("Drink:", (Option("tea", "Tea"), Option("coffee", "Coffee")))
    yield Join(drink or "")
    size = yield Choose(f"{drink}:", (Option("small", "Small"), Option("large", "Large"), Option("huge", "Huge")))
    yield Join(f"{size} {drink}")
    return End(f"One {size} {drink}.")


def basket() -> Flow:
    """A question of three pages, numbered page by page; then another."""
    fruit = yield Choose("Fruit:", FRUITS)
    yield Join(fruit or "")
    ripe = yield Choose("Ripe?", (Option("yes", "Yes"), Option("no", "No")))
    return End(f"{fruit}, {ripe}")


def poster() -> Flow:
    """Numbers that are fixed, with gaps, on two pages."""
    numbers = (2, 3, 5, 7, 10, 11, 13, 17, 19, 23)
    number = yield Choose("Number:", tuple(Option(f"n{n}", f"Number {n}", key=str(n)) for n in numbers))
    return End(f"You chose {number}.")


def story() -> Flow:
    """A text that takes several screens, with nothing to choose."""
    yield Choose(" ".join(["Once upon a time."] * 30), ())
    return End("never")


def notice() -> Flow:
    """A short text with nothing to choose."""
    yield Choose("Nothing to choose.", ())
    return End("never")


def with_feed(feed: Feed, flow: Callable[[], Flow] = order) -> Callable[[], Flow]:
    def fed() -> Flow:
        yield feed
        return (yield from flow())

    return fed


def nothing() -> Flow:
    """Ends before it asks."""
    yield Join("first")
    return End("Not ready.")


def tongues() -> Flow:
    """Changes the language between two questions."""
    hello = Name("សួស្តី", "Suosdey", "Hello")
    language = yield Choose(hello, tuple(Option(language, language) for language in LANGUAGES))
    yield Speak(next(known for known in LANGUAGES if known == language))
    yield Choose(hello, (Option("on", Words("Go on")),))
    return End(Words("Thank you!"))


def play(flow: Callable[[], Flow], *inputs: str, language: Language = "en", limit: Limit = USSD) -> Talk:
    at = Talk(flow, language, limit)
    for raw in inputs:
        at.feed(raw)
    return at


DRINK = "Drink:\n1 Tea\n2 Coffee\n0 Leave"
TEA = "tea:\n1 Small\n2 Large\n3 Huge\n0 Back"
COFFEE = "coffee:\n1 Small\n2 Large\n3 Huge\n0 Back"
PAGE_1 = "Fruit:\n" + "\n".join(f"{n} Fruit {n}" for n in range(1, 9)) + "\n9 More\n0 Leave"
PAGE_2 = "Fruit:\n" + "\n".join(f"{n} Fruit {n + 8}" for n in range(1, 9)) + "\n9 More\n0 Back"
PAGE_3 = "Fruit:\n" + "\n".join(f"{n} Fruit {n + 16}" for n in range(1, 5)) + "\n9 More\n0 Back"


class TestAnswers:
    @pytest.mark.parametrize(
        ("inputs", "screen", "ends"),
        [
            ([], DRINK, False),
            (["1"], TEA, False),
            (["2"], COFFEE, False),
            (["2", "3"], "One huge coffee.", True),
            ([" 2 ", "1\n"], "One small coffee.", True),
            (["២", "៣"], "One huge coffee.", True),  # Khmer digits
            (["２", "๓"], "One huge coffee.", True),  # those of other keyboards
            (["2", "3", "1"], "One huge coffee.", True),  # after the end nothing is heard
            (["2", "3", "0"], "One huge coffee.", True),
        ],
    )
    def test_are_digits_on_the_screen(self, inputs: list[str], screen: str, ends: bool) -> None:
        at = play(order, *inputs)
        assert (at.screen.text, at.screen.ends, at.ended) == (screen, ends, ends)

    def test_are_kept_as_values_never_as_digits(self) -> None:
        assert play(order, "2", "3").transcript == ["coffee", "huge"]
        assert play(basket, "9", "1").transcript == ["fruit-9"]

    def test_do_what_they_cause_in_order(self) -> None:
        assert play(order, "2", "3").effects == [Join("coffee"), Join("huge coffee")]

    def test_the_last_one_wins(self) -> None:
        at = play(order, "2", "0", "1", "2")
        assert at.screen.text == "One large tea."
        assert at.transcript == ["tea", "large"]
        assert at.effects == [Join("coffee"), Join("tea"), Join("large tea")]

    def test_of_a_flow_that_asks_nothing_are_not_heard(self) -> None:
        at = play(nothing, "1", "0", "9")
        assert (at.screen.text, at.screen.ends) == ("Not ready.", True)
        assert at.effects == [Join("first")]
        assert Talk(nothing, "en", USSD, []).effects == []


ONE_TO_TWO = "Reply with one number, 1 to 2.\n"


class TestBadInput:
    @pytest.mark.parametrize(
        "raw", ["3", "9", "8", "7", "00", "12", "1*2", "tea", "", " ", "*", "#", "-1", "1.", "½", "²", "១២", "🙂"]
    )
    def test_repeats_the_screen_with_a_hint(self, raw: str) -> None:
        at = play(order, raw)
        assert (at.screen.text, at.ended) == (ONE_TO_TWO + DRINK, False)
        assert not at.transcript
        assert not at.effects

    def test_may_come_again_and_again_and_the_hint_goes_with_the_next_answer(self) -> None:
        assert play(order, "x", "x", "x").screen.text == ONE_TO_TWO + DRINK
        assert play(order, "x", "1").screen.text == TEA
        assert play(order, "1", "x", "0").screen.text == DRINK
        assert play(order, "x", "0").screen.text == LEAVES
        assert play(basket, "x", "9").screen.text == PAGE_2

    @pytest.mark.parametrize(
        ("flow", "inputs", "hint"),
        [
            (order, ["1", "x"], "Reply with one number, 1 to 3."),
            (basket, ["x"], "Reply with one number, 1 to 8."),
            (basket, ["9", "9", "8"], "Reply with one number, 1 to 4."),
            (poster, ["x"], "Reply with one of the numbers."),  # 2, 3, 5: 4 is none
            (poster, ["4"], "Reply with one of the numbers."),
            (notice, ["1"], "Reply 0."),
            (notice, ["9"], "Reply 0."),
        ],
    )
    def test_is_told_what_would_do(self, flow: Callable[[], Flow], inputs: list[str], hint: str) -> None:
        before = play(flow, *inputs[:-1]).screen.text
        at = play(flow, *inputs)
        assert at.screen.text == f"{hint}\n{before}"

    @pytest.mark.parametrize(
        ("language", "hint"),
        [
            ("km", "សូមឆ្លើយលេខតែមួយ ពី 1 ដល់ 3។"),
            ("km-Latn", "Som chhlaoy lek te muoy, pi 1 dol 3."),
            ("en", "Reply with one number, 1 to 3."),
        ],
    )
    def test_is_told_in_the_language_of_the_talk(self, language: Language, hint: str) -> None:
        at = play(order, "1", "x", language=language)
        assert at.screen.text.split("\n")[:2] == [hint, "tea:"]

    def test_gets_no_hint_where_there_is_no_room(self) -> None:
        page = play(story).screen.text
        assert play(story, "5").screen.text == page
        assert not fits(f"Reply 0 or 9.\n{page}", USSD)
        last = "time. Once upon a time. Once upon a time.\n9 More\n0 Back"
        assert play(story, "9", "9", "9", "5").screen.text == f"Reply 0 or 9.\n{last}"


class TestPages:
    @pytest.mark.parametrize(
        ("inputs", "screen"),
        [
            ([], PAGE_1),
            (["9"], PAGE_2),
            (["9", "9"], PAGE_3),
            (["9", "9", "9"], PAGE_1),  # after the last the first again
            (["៩"], PAGE_2),
            (["9", "0"], PAGE_1),  # back is the page before,
            (["9", "9", "0"], PAGE_2),
            (["9", "0", "0"], LEAVES),  # and on the first screen it leaves
            (["9", "9", "9", "0"], LEAVES),
            (["8"], "Ripe?\n1 Yes\n2 No\n0 Back"),
            (["8", "0"], PAGE_1),
            (["9", "8", "0"], PAGE_1),
            (["9", "9", "8"], "Reply with one number, 1 to 4.\n" + PAGE_3),
        ],
    )
    def test_turn_with_9_and_back_with_0(self, inputs: list[str], screen: str) -> None:
        assert play(basket, *inputs).screen.text == screen

    @pytest.mark.parametrize(
        ("inputs", "fruit"), [(["1"], "fruit-1"), (["9", "1"], "fruit-9"), (["9", "9", "4"], "fruit-20")]
    )
    def test_a_digit_is_what_stands_beside_it(self, inputs: list[str], fruit: str) -> None:
        assert play(basket, *inputs).transcript == [fruit]

    def test_the_next_question_begins_on_its_first_page(self) -> None:
        at = play(basket, "9", "9", "1")
        assert (at.page, at.screen.text) == (0, "Ripe?\n1 Yes\n2 No\n0 Back")

    @pytest.mark.parametrize("pages", [0, 1])
    @pytest.mark.parametrize("number", ["2", "7", "10", "23"])
    def test_a_number_of_a_poster_may_be_typed_on_any_page(self, pages: int, number: str) -> None:
        assert play(poster, *["9"] * pages, number).screen.text == f"You chose n{number}."

    def test_without_more_9_is_no_answer(self) -> None:
        assert play(order, "9").screen.text == ONE_TO_TWO + DRINK


class TestBack:
    @pytest.mark.parametrize(
        ("inputs", "screen", "ends"),
        [
            (["0"], LEAVES, True),
            (["០"], LEAVES, True),
            (["1", "0"], DRINK, False),
            (["1", "0", "0"], LEAVES, True),
            (["1", "0", "2"], COFFEE, False),
            (["0", "1"], LEAVES, True),
        ],
    )
    def test_is_the_question_before_or_leaves(self, inputs: list[str], screen: str, ends: bool) -> None:
        at = play(order, *inputs)
        assert (at.screen.text, at.screen.ends) == (screen, ends)

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_says_goodbye_in_the_language_of_the_talk(self, language: Language) -> None:
        assert play(order, "0", language=language).screen.text == render(Words("Goodbye."), language)

    def test_undoes_nothing_and_does_nothing_again(self) -> None:
        assert play(order, "1", "0").effects == [Join("tea")]
        assert play(order, "1", "0", "0").effects == [Join("tea")]

    def test_over_an_answer_given_beforehand_asks_it_and_feeds_no_more(self) -> None:
        dialled = with_feed(Feed(digits=("1", "3")), flow=order_twice)
        at = play(dialled)
        assert at.transcript == ["tea", "huge"]
        assert at.effects == [Join("tea"), Join("huge tea")]
        at.feed("0")
        assert at.screen.text == TEA
        at.feed("0")
        assert at.screen.text == DRINK
        assert at.effects == [Join("tea"), Join("huge tea")]
        at.feed("2")
        assert at.screen.text == COFFEE  # 3 was dialled for tea
        assert at.effects == [Join("tea"), Join("huge tea"), Join("coffee")]


def order_twice() -> Flow:
    """An order, and whether another one follows."""
    end = yield from order()
    yield Choose(end.text, (Option("again", "Again"),))
    return End("Enough.")


class TestFeed:
    @pytest.mark.parametrize(
        ("digits", "screen", "transcript"),
        [
            ((), DRINK, []),
            (("2",), COFFEE, ["coffee"]),
            (("2", "3"), "One huge coffee.", ["coffee", "huge"]),
            (("២", " ៣ "), "One huge coffee.", ["coffee", "huge"]),
            (("2", "3", "1"), "One huge coffee.", ["coffee", "huge"]),
            (("2", "7"), "Reply with one number, 1 to 3.\n" + COFFEE, ["coffee"]),
            (("7", "2"), ONE_TO_TWO + DRINK, []),  # cut at the first that does not fit; the rest is for nothing else
            (("2", "7", "1"), "Reply with one number, 1 to 3.\n" + COFFEE, ["coffee"]),
            (("0", "2"), ONE_TO_TWO + DRINK, []),
            (("", "2"), ONE_TO_TWO + DRINK, []),
            (("2", "0"), "Reply with one number, 1 to 3.\n" + COFFEE, ["coffee"]),
        ],
    )
    def test_of_dialled_digits_goes_as_far_as_they_fit(
        self, digits: tuple[str, ...], screen: str, transcript: list[str]
    ) -> None:
        at = play(with_feed(Feed(digits=digits)))
        assert (at.screen.text, at.transcript) == (screen, transcript)
        assert at.effects == [Join("coffee"), Join("huge coffee")][: len(transcript)]

    def test_that_was_cut_leaves_nothing_for_later_questions(self) -> None:
        at = play(with_feed(Feed(digits=("7", "2"))), "1")
        assert at.screen.text == TEA

    @pytest.mark.parametrize(
        ("values", "screen", "transcript"),
        [
            (("coffee",), COFFEE, ["coffee"]),
            (("coffee", "huge"), "One huge coffee.", ["coffee", "huge"]),
            (("milk", "huge"), DRINK, []),  # no longer on the menu; the caller is not told off for it
            (("coffee", "tiny"), COFFEE, ["coffee"]),
            (("2", "3"), DRINK, []),  # values are no digits
        ],
    )
    def test_of_earlier_answers_goes_as_far_as_they_fit(
        self, values: tuple[str, ...], screen: str, transcript: list[str]
    ) -> None:
        at = play(with_feed(Feed(values=values)))
        assert (at.screen.text, at.transcript) == (screen, transcript)

    def test_finds_what_stands_on_a_later_page(self) -> None:
        assert play(with_feed(Feed(values=("fruit-20",)), basket)).transcript == ["fruit-20"]
        assert play(with_feed(Feed(digits=("23",)), poster)).transcript == ["n23"]
        assert play(with_feed(Feed(digits=("1",)), basket)).transcript == ["fruit-1"]

    def test_is_used_once(self) -> None:
        fed = with_feed(Feed(digits=("2",)))
        again = Talk(fed, "en", USSD, [])
        assert (again.screen.text, again.effects) == (DRINK, [])


class TestTakenUp:
    @pytest.mark.parametrize(
        ("transcript", "page", "screen"),
        [
            ([], 0, PAGE_1),
            ([], 2, PAGE_3),
            ([], 3, PAGE_1),  # the page is gone: the list became shorter
            (["fruit-9"], 0, "Ripe?\n1 Yes\n2 No\n0 Back"),
            (["fruit-9"], 2, "Ripe?\n1 Yes\n2 No\n0 Back"),
            (["fruit-99"], 0, PAGE_1),  # cut where it no longer fits
            (["fruit-99", "yes"], 0, PAGE_1),
            (["fruit-9", "yes"], 0, "fruit-9, yes"),
            (["fruit-9", "yes", "more"], 0, "fruit-9, yes"),
        ],
    )
    def test_stands_where_it_was_left(self, transcript: list[str], page: int, screen: str) -> None:
        at = Talk(basket, "en", USSD, transcript, page)
        assert at.screen.text == screen
        assert not at.effects

    def test_keeps_what_still_fits(self) -> None:
        assert Talk(order, "en", USSD, ["coffee", "tiny", "small"]).transcript == ["coffee"]

    def test_leaves_what_it_was_given_alone(self) -> None:
        given_ = ["coffee"]
        Talk(order, "en", USSD, given_).feed("1")
        assert given_ == ["coffee"]

    def test_speaks_the_language_that_was_chosen(self) -> None:
        at = Talk(tongues, "km", USSD, ["en"])
        assert (at.language, at.screen.text) == ("en", "Hello\n1 Go on\n0 Back")


class TestLanguage:
    def test_changes_from_the_next_screen_on(self) -> None:
        at = play(tongues, language="km")
        assert at.screen.text == "សួស្តី\n1 km\n2 km-Latn\n3 en\n0 ឈប់"
        at.feed("2")
        assert at.screen.text == "Suosdey\n1 Bantor\n0 Thoy"
        at.feed("1")
        assert at.screen.text == "Orkun!"
        assert at.effects == [Speak("km-Latn")]

    def test_is_the_old_one_again_after_back(self) -> None:
        at = play(tongues, "3", "0", language="km")
        assert (at.language, at.screen.text) == ("km", "សួស្តី\n1 km\n2 km-Latn\n3 en\n0 ឈប់")
        assert at.effects == [Speak("en")]


# the flows of the house ---------------------------------------------------------------------------

SERVICES = [[*row[:5]] for row in STANDARD]
FOUR = [["010303", 1, "ពន្លៃ", "Ponley", ROUND], ["010407", 2, "ទានកាំ", "Tean Kam", None],
        ["010806", 3, "តាផូ", "Ta Phou", ROUND], ["010807", 4, "ទ្រាស", "Treas", ROUND]]  # fmt: skip
MANY = [[f"{p:02}{d:02}{c:02}", 99, f"ឃុំ{p}{d}{c}", f"Khum {p}{d}{c}", ROUND]
        for p in (1, 2) for d in (1, 2) for c in range(1, 12)]  # fmt: skip
ABOVE = {code: [f"ស{code}", f"Place {code}"] for code in ("01", "02", "0101", "0102", "0201", "0202")}
RATED = {str(ROUND): ["office", "health", "school"]}


def programme(communes: Sequence[Sequence[Any]]) -> Programme:
    return Programme(1, {"communes": communes, "above": ABOVE, "services": SERVICES, "rounds": RATED})


def caller(commune: str | None = None, **what: Any) -> Facts:
    return Facts(edition=1, language="en", commune=commune, cost="", menus=flows.VERSION, **what)


def dial(facts: Facts, communes: Sequence[Sequence[Any]] = FOUR) -> Callable[[], Generator[Any, Any, End]]:
    return functools.partial(flows.dial, Visit(facts, programme(communes)))


SERVICE_LIST = "Service:\n1 Commune office\n2 Health centre\n3 Primary school\n8 Menu\n"
SCORES = "\n1 Very dissatisfied\n2 Dissatisfied\n3 Acceptable\n4 Satisfied\n5 Very satisfied\n0 Back"
COMMUNES = "Commune:\n1 Ponley\n2 Tean Kam\n3 Ta Phou\n4 Treas\n0 Back"
NEWS = "1 Forum news by SMS"
SAVED = Save(ROUND, "010806", "health", 5)


class TestTheShortestWay:
    """CONTRACT.md, Villagers' inputs."""

    def test_of_an_unknown_number_is_five_inputs(self) -> None:
        at = Talk(dial(caller()), "en", USSD)
        seen = [at.screen.text]
        for digit in "13251":
            at.feed(digit)
            seen.append(at.screen.text)
        assert seen[0].startswith("Rate commune services. The commune never sees your number;")
        assert seen[1:4] == [COMMUNES, SERVICE_LIST + "0 Back", "Health centre" + SCORES]
        assert seen[4].startswith("You are:\n1 Woman 15-30\n")
        assert seen[5] == "Thank you! Received."
        assert at.effects == [Join("010806"), SAVED, Identify(ROUND, "woman-15-30")]

    def test_of_a_known_number_begins_with_the_services(self) -> None:
        assert Talk(dial(caller("010806")), "en", USSD).screen.text == SERVICE_LIST + "0 Leave"

    def test_of_a_known_number_may_be_dialled_at_once(self) -> None:
        at = Talk(dial(caller("010806", dialled=("2", "5"))), "en", USSD)
        assert at.screen.text.startswith("You are:\n")
        assert at.effects == [SAVED]

    def test_of_an_unknown_number_the_path_waits_for_welcome_and_commune(self) -> None:
        at = Talk(dial(caller(dialled=("2", "5"))), "en", USSD)
        assert at.screen.text.startswith("Rate commune services.")
        at.feed("1")
        assert at.screen.text == COMMUNES
        assert not at.effects
        at.feed("3")
        assert at.screen.text.startswith("You are:\n")
        assert at.effects == [Join("010806"), SAVED]

    def test_by_sms_names_commune_service_score_and_who_at_once(self) -> None:
        at = Talk(dial(caller("010303", channel="sms", place="3", dialled=("2", "5", "1"))), "en", SMS)
        assert at.screen.text == "Thank you! Received. Shared phone? Delete this and the SMS you sent."
        assert at.effects == [SAVED, Identify(ROUND, "woman-15-30")]

    @pytest.mark.parametrize("who", [str(digit) for digit in range(1, 8)])
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_by_sms_takes_each_who_of_the_poster(self, language: Language, who: str) -> None:
        facts = caller("010806", channel="sms", dialled=("2", "5", who))
        assert Talk(dial(facts), language, SMS).ended

    def test_a_number_that_names_a_commune_that_is_none_is_asked_for_it_once(self) -> None:
        facts = caller(channel="sms", place="44", dialled=("2", "5"))
        at = Talk(dial(facts), "en", SMS)
        at.feed("1")
        assert at.screen.text == COMMUNES
        at.feed("3")
        assert at.screen.text.startswith("You are:\n")
        assert at.effects == [Join("010806"), SAVED]

    def test_a_dropped_talk_goes_on_when_asked_to(self) -> None:
        dropped = caller(taken_up="ask", earlier=("on", "010806", "health"))
        asked = "You were cut off.\n1 Go on\n2 Start again\n0 Leave"
        assert Talk(dial(dropped), "en", USSD).screen.text == asked
        assert play(dial(dropped), "1").screen.text == "Health centre" + SCORES
        assert play(dial(dropped), "2").screen.text.startswith("Rate commune services.")
        assert play(dial(dropped), "1", "5").effects == [Join("010806"), SAVED]

    def test_a_commune_without_a_round_says_so_and_shows_the_menu(self) -> None:
        at = Talk(dial(caller("010407")), "en", USSD)
        assert at.screen.text == (
            "Tean Kam: no rating is open now.\n1 Forum news by SMS\n2 Other commune\n3 Language\n4 Who sees what\n"
            "5 Withdraw my ratings\n0 Leave"
        )

    @pytest.mark.parametrize(
        ("communes", "menu"),
        [
            (FOUR, f"Menu:\n{NEWS}\n2 Other commune\n3 Language\n4 Who sees what\n5 Withdraw my ratings\n0 Back"),
            (FOUR[:1], f"Menu:\n{NEWS}\n2 Language\n3 Who sees what\n4 Withdraw my ratings\n0 Back"),
        ],
        ids=["four communes", "one"],
    )
    def test_shows_only_what_exists_behind_8(self, communes: list[list[Any]], menu: str) -> None:
        assert play(dial(caller("010303"), communes), "8").screen.text == menu

    def test_offers_nothing_to_withdraw_where_nothing_can_be_rated(self) -> None:
        at = Talk(dial(caller("010407"), [FOUR[1]]), "en", USSD)
        assert at.screen.text == f"Tean Kam: no rating is open now.\n{NEWS}\n2 Language\n3 Who sees what\n0 Leave"

    def test_goes_on_for_as_long_as_anybody_presses_keys(self) -> None:
        at = play(dial(caller("010407")), *["3", "3"] * 1500)
        assert at.screen.text.startswith("Tean Kam: no rating is open now.")
        assert Talk(dial(caller("010407")), "en", USSD, at.transcript).screen == at.screen


class TestFacts:
    @pytest.mark.parametrize(
        "facts",
        [
            caller(),
            caller("010806", dialled=("2", "5"), taken_up="ask", earlier=("on",)),
            replace(caller(channel="sms", place="3", entry="language"), cost="តម្លៃ 100៛"),
        ],
    )
    def test_come_back_from_their_row_as_they_were(self, facts: Facts) -> None:
        assert Facts.from_json(facts.to_json()) == facts


class TestReplay:
    """A server that forgets everything but transcript and page between two requests answers the same."""

    @settings(deadline=None, max_examples=400, database=None)
    @given(
        facts=st.sampled_from(
            [
                caller(),
                caller("010303"),
                caller("010407"),
                caller(dialled=("2", "5")),
                caller(dialled=("8", "1", "3")),
                caller("010303", dialled=("8", "2", "1")),
                caller(taken_up="ask", earlier=("on", "010806", "health")),
                caller(taken_up="quietly", earlier=("on", "010303", "menu")),
                caller(channel="sms", place="3", dialled=("2",)),
                caller(channel="sms", place="44", dialled=("2", "5", "1")),
                caller("010303", entry="language"),
            ]
        ),
        communes=st.sampled_from([FOUR, FOUR[:1], MANY]),
        language=st.sampled_from(LANGUAGES),
        limit=st.sampled_from([USSD, SMS]),
        inputs=st.lists(
            st.one_of(st.sampled_from("1234567890"), st.sampled_from(["x", "", "១", "10", "9"])), max_size=25
        ),
    )
    def test_equals_live_play(
        self, facts: Facts, communes: list[list[Any]], language: Language, limit: Limit, inputs: list[str]
    ) -> None:
        flow = dial(facts, communes)
        live = Talk(flow, language, limit)
        for raw in inputs:
            if live.ended:
                break
            again = Talk(flow, language, limit, live.transcript, live.page)
            before = len(live.effects)
            live.feed(raw)
            assert again.effects == []
            again.feed(raw)
            assert again.screen == live.screen
            assert (again.transcript, again.page, again.language) == (live.transcript, live.page, live.language)
            assert again.effects == live.effects[before:]
