"""What was promised, in the menu: what is shown, what is asked, what follows. The flow alone, screen by screen."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import LANGUAGES, Language
from gateway.menus import flows
from gateway.menus.effects import Check, Discard, Effect, Identify, Save
from gateway.menus.engine import Talk
from gateway.menus.phrases import Name
from gateway.menus.promises import STANDINGS, day_of, share, standing_words
from gateway.menus.visit import Facts, Programme, Visit
from gateway.menus.wording import render
from gateway.promises.check_words import PARTS, Asked, hint, question
from gateway.promises.rules import ACTIVITY
from gateway.text import SMS, USSD, Limit, cut, fits, is_gsm7, segments, size
from tests.conftest import COMMUNES
from tests.test_menus_fit import FOUR, LIMITS, country, explore, languages, must_be_good, needs_gazetteer, programme
from tests.test_menus_forums import BEGAN, PHNOM_PENH, TA_PHOU, body

TODAY = date(2026, 11, 23)
WHO = "You are:\n1 Woman 15-30\n2 Woman over 30\n3 Man 15-30\n4 Man over 30\n5 Under 15\n6 Other\n7 No answer\n0 Back"
RECEIVED = "Thank you! Received."


def promise(number: int, activity: Sequence[str], due: str, standing: str = "under way", **what: Any) -> dict[str, Any]:
    """A promise as an edition has it."""
    always = {"commune": TA_PHOU, "check": None, "counts": None, "told": None}
    return always | {"id": number, "activity": list(activity), "due": due, "standing": standing} | what


WELL = promise(1, ["ជួសជុលអណ្តូងទឹកនៅភូមិពង្រ", "Chuosochul andaung tuk phum Pongro", "Repair the well of Pongro"],
               "2026-11-20", "done", check=7)  # fmt: skip
PRICES = promise(2, ["បិទតារាងតម្លៃនៅរដ្ឋបាលឃុំ", "Bet tareang thlai nov rothbal khum", "Put up the price list"],
                 "2026-11-10", check=8)  # fmt: skip
ROAD = promise(3, ["ជួសជុលផ្លូវ", "Chuosochul phlov", "Repair the road"], "2027-12-31", "planned")
HOURS = promise(4, ["បើកមណ្ឌលសុខភាពដល់ម៉ោង 5", "Baek mondol dol mong 5", "Health centre open until 5 pm"],
                "2026-06-30", "done", counts=[21, 5, 8], told="2026-11-01")  # fmt: skip
LONGEST = promise(
    5,
    ["ជួសជុលអណ្តូងទឹកស្អាត និងអាងស្តុកទឹកភ្លៀងនៅសាលាបឋមពង្រ",
     "Chuosochul andaung tuk saat nung ang stok tuk phlieng nov sala bathom phum Pongro, Ta Srei",
     "Repair the well and the rain water tank of the primary school of Pongro and of Ta Srei vil"],
    "2026-11-01", check=9,
)  # fmt: skip


def play(
    promises: Sequence[dict[str, Any]], *inputs: str, language: Language = "en", limit: Limit = USSD,
    pause: Sequence[str] = (), **facts: Any,
) -> Talk:  # fmt: skip
    """What somebody of Ta Phou sees after these inputs; no round is open, so that the menu comes first."""
    usual: dict[str, Any] = {"commune": TA_PHOU, "began": BEGAN, "channel": "sms" if limit is SMS else "ussd"}
    known = Facts(edition=1, language=language, cost="", menus=flows.VERSION, **usual | facts)
    edition = body() | {"promises": list(promises), "pause": list(pause)}
    visit = Visit(known, Programme(1, edition, PHNOM_PENH))
    talk = Talk(functools.partial(flows.dial, visit), language, limit)
    for typed in inputs:
        talk.feed(typed)
    return talk


def said(talk: Talk) -> list[Effect]:
    return [effect for effect in talk.effects if isinstance(effect, Check | Identify | Discard)]


# what is shown ------------------------------------------------------------------------------------


class TestMenu:
    def test_offers_promises_only_where_there_are_any(self) -> None:
        assert "promised" not in play([]).screen.text
        assert "promised" not in play([WELL | {"commune": COMMUNES[0]}]).screen.text
        assert "1 What was promised\n2 Forum news by SMS" in play([WELL]).screen.text

    def test_lists_what_is_asked_about_first_then_what_is_due_first(self) -> None:
        assert play([ROAD, HOURS, WELL, PRICES], "1").screen.text == (
            "What was promised:\n1 Put up the price list\n2 Repair the well of Pongro\n"
            "3 Health centre open until 5 pm\n4 Repair the road\n0 Back"
        )

    def test_leaves_out_what_was_due_more_than_a_year_ago(self) -> None:
        old = HOURS | {"due": "2025-11-22"}
        assert "promised" not in play([old]).screen.text
        assert "promised" in play([old | {"due": "2025-11-23"}]).screen.text
        assert "promised" in play([old | {"check": 3}]).screen.text  # it is asked about

    def test_of_a_talk_from_before_there_were_promises_has_none(self) -> None:
        assert "promised" not in play([WELL], began="").screen.text

    def test_lets_who_answered_withdraw_without_an_open_round(self) -> None:
        assert "Withdraw" in play([WELL]).screen.text
        assert "Withdraw" not in play([ROAD]).screen.text


SCREENS: list[tuple[dict[str, Any], Language, str]] = [
    (ROAD, "km", "ជួសជុលផ្លូវ មុន 31/12/27។ ឃុំ៖ គ្រោងធ្វើ។\n0 ថយ"),
    (ROAD, "km-Latn", "Chuosochul phlov, mun 31/12/27. Khum: krong thveu.\n0 Thoy"),
    (ROAD, "en", "Repair the road, by 31/12/27. Council: planned.\n0 Back"),
    (HOURS, "km", "បើកមណ្ឌលសុខភាពដល់ម៉ោង 5។ ឃុំ៖ រួចហើយ អ្នកភូមិ៖ 62% ថាធ្វើហើយ ក្នុង 34 នាក់។\n0 ថយ"),
    (HOURS, "km-Latn", "Baek mondol dol mong 5, mun 30/06. Khum: ruoch haoy; neak phum: 62% tha haoy knong 34 neak."
     "\n0 Thoy"),
    (HOURS, "en", "Health centre open until 5 pm, by 30/06. Council: done; villagers: 62% yes of 34.\n0 Back"),
    # where the day has no room, it goes
    (WELL, "km", "ជួសជុលអណ្តូងទឹកនៅភូមិពង្រ។ ឃុំ៖ រួចហើយ។ ធ្វើឬនៅ?\n1 ហើយ\n2 ខ្លះ\n3 ទេ\n4 មិនដឹង\n0 ថយ"),
    (WELL, "km-Latn", "Chuosochul andaung tuk phum Pongro, mun 20/11. Khum: ruoch haoy. Thveu haoy ry nov?\n"
     "1 Haoy\n2 Khlah\n3 Te\n4 Min doeng\n0 Thoy"),
    (WELL, "en", "Repair the well of Pongro, by 20/11. Council: done. Was it done?\n1 Yes, done\n2 Partly\n3 No\n"
     "4 Don't know\n0 Back"),
]  # fmt: skip


@pytest.mark.parametrize(("which", "language", "screen"), SCREENS, ids=[f"{row[0]['id']} {row[1]}" for row in SCREENS])
def test_a_promise_is_one_screen(which: dict[str, Any], language: Language, screen: str) -> None:
    assert play([which], "1", language=language).screen.text == screen
    assert fits(screen, USSD)


@pytest.mark.parametrize(
    ("began", "pause", "told"),
    [
        ("2026-11-23T12:00:00+07:00", (), True),
        ("2026-11-22T23:59:00+07:00", (), False),  # councils know it until then
        ("2026-11-23T00:00:00+07:00", (), True),
        ("2026-11-30T12:00:00+07:00", ("2026-11-25", "2026-11-30"), False),
        ("2026-12-01T12:00:00+07:00", ("2026-11-25", "2026-11-30"), True),
    ],
)
def test_what_villagers_said_is_told_when_it_may_be(began: str, pause: Sequence[str], told: bool) -> None:
    screen = play([HOURS | {"told": "2026-11-23"}], "1", began=began, pause=pause).screen.text
    assert ("villagers" in screen) is told
    assert "Council: done" in screen


@pytest.mark.parametrize(
    ("day", "shown"),
    [("2026-11-30", "30/11"), ("2027-05-25", "25/05"), ("2027-05-26", "26/05/27"), ("2026-05-24", "24/05"),
     ("2026-05-23", "23/05/26"), ("2025-11-30", "30/11/25")],
)  # fmt: skip
def test_a_day_far_off_has_its_year(day: str, shown: str) -> None:
    assert day_of(date.fromisoformat(day), TODAY) == shown


@pytest.mark.parametrize(
    ("counts", "percent"),
    [((21, 5, 8), 62), ((1, 0, 999), 1), ((999, 1, 0), 99), ((0, 5, 6), 0), ((50, 50, 0), 50)],
)
def test_a_share_says_neither_nobody_nor_all_where_it_is_not_so(counts: tuple[int, ...], percent: int) -> None:
    assert share(counts[0], sum(counts)) == percent
    assert f" {percent}% yes of {sum(counts)}" in render(standing_words("done", counts), "en")


# what is asked ------------------------------------------------------------------------------------


class TestAnswer:
    @pytest.mark.parametrize(("digit", "choice"), [("1", 1), ("2", 2), ("3", 3), ("4", 4), ("២", 2)])
    def test_is_kept_at_once_and_who_is_asked_after_it(self, digit: str, choice: int) -> None:
        talk = play([WELL], "1", digit)
        assert talk.screen.text == WHO
        assert said(talk) == [Check(7, choice)]
        talk.feed("2")
        assert said(talk)[1:] == [Identify(None, "woman-31")]
        assert (talk.screen.text, talk.ended) == (RECEIVED, True)

    def test_of_several_leads_to_those_not_answered_and_asks_who_once(self) -> None:
        third = PRICES | {"id": 9, "check": 12, "activity": ["ស្ពាន", "spean", "Mend the bridge"]}
        talk = play([WELL, PRICES, ROAD, third], "1", "3", "3")
        assert said(talk) == [Check(7, 3)]
        talk.feed("4")
        # what cannot be answered is not in it any more
        assert talk.screen.text == "Received. And this?\n1 Put up the price list\n2 Mend the bridge\n0 Back"
        talk.feed("2")
        assert talk.screen.text.startswith("Mend the bridge, by 10/11. Council: under way. Was it done?")
        talk.feed("1")
        assert talk.screen.text.startswith("Put up the price list, by 10/11.")  # the last one needs no list
        talk.feed("4")
        assert said(talk) == [Check(7, 3), Identify(None, "man-31"), Check(12, 1, "man-31"), Check(8, 4, "man-31")]
        assert talk.screen.text == RECEIVED

    def test_of_who_is_under_15_is_not_kept(self) -> None:
        talk = play([WELL, PRICES], "1", "1", "2", "5")
        assert said(talk) == [Check(8, 2), Discard(None, ())]
        assert (talk.screen.text, talk.ended) == ("Thank you!", True)

    def test_can_be_given_again_after_a_step_back(self) -> None:
        talk = play([WELL, PRICES], "1", "2", "1", "0")
        assert talk.screen.text.startswith("Repair the well of Pongro")
        talk.feed("3")
        assert said(talk) == [Check(7, 1), Check(7, 3)]
        talk.feed("1")
        assert talk.screen.text.startswith("Put up the price list")
        talk.feed("0")
        assert talk.screen.text == WHO
        talk.feed("4")
        assert said(talk)[2:] == [Identify(None, "woman-15-30"), Identify(None, "man-31")]

    def test_that_is_none_is_told_what_would_be(self) -> None:
        talk = play([WELL], "1", "7")
        assert talk.screen.text.startswith("Reply with one number, 1 to 4.\nRepair the well of Pongro")
        assert not said(talk)

    def test_of_what_is_not_asked_is_none(self) -> None:
        talk = play([ROAD], "1", "1")
        assert talk.screen.text.startswith("Reply 0.\nRepair the road")
        assert not said(talk)
        talk.feed("0")
        assert "What was promised" in talk.screen.text

    def test_of_a_long_name_stands_on_every_page(self) -> None:
        """In Khmer the longest takes two screens; a digit answers on both."""
        talk = play([LONGEST], "1", language="km")
        assert "9" in talk.screen.text
        for pages in ("", "9"):
            there = play([LONGEST], "1", *pages, "3", language="km")
            assert said(there) == [Check(9, 3)]

    def test_by_sms_ends_with_thanks_that_do_not_tell_what_was_said(self) -> None:
        talk = play([WELL, PRICES], "1", "1", "2", "1", limit=SMS)
        assert said(talk) == [Check(8, 2), Identify(None, "woman-15-30")]
        assert talk.screen.text == "Thank you! Received. Shared phone? Delete this and the SMS you sent."


class TestAnswerToAnSms:
    def test_is_kept_and_who_is_asked(self) -> None:
        talk = play([WELL, PRICES], limit=SMS, entry="check", check=8, dialled=("3",))
        assert said(talk) == [Check(8, 3)]
        assert talk.screen.text == WHO
        talk.feed("1")
        assert said(talk)[1:] == [Identify(None, "woman-15-30")]
        assert talk.ended

    def test_needs_no_commune(self) -> None:
        talk = play([WELL], limit=SMS, entry="check", check=7, dialled=("1",), commune=None)
        assert said(talk) == [Check(7, 1)]

    @pytest.mark.parametrize("promises", [[], [ROAD], [WELL]])
    def test_of_what_is_not_asked_any_more_says_so(self, promises: list[dict[str, Any]]) -> None:
        talk = play(promises, limit=SMS, entry="check", check=8, dialled=("3",))
        assert not said(talk)
        assert (talk.screen.text, talk.ended) == ("This question is over. Thank you.", True)

    def test_goes_on_over_a_deploy(self) -> None:
        """New flows take over the values; what was answered is not answered again."""
        talk = play([WELL], limit=SMS, entry="check", check=7, taken_up="quietly", earlier=("2",))
        assert talk.screen.text == WHO


# all of it fits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_every_screen_fits_and_every_option_can_be_reached(limit: Limit) -> None:
    promises = [PRICES, LONGEST, HOURS, ROAD | {"activity": [*LONGEST["activity"]]}]
    there = programme(FOUR)
    there._promised = Programme(1, body() | {"promises": promises}, PHNOM_PENH)._promised
    known = Facts(edition=1, language="km", commune=TA_PHOU, cost="", menus=flows.VERSION, began=BEGAN)
    by_sms = Facts(edition=1, language="km", commune=TA_PHOU, cost="", menus=flows.VERSION, began=BEGAN, channel="sms",
                   entry="check", check=9, dialled=("2",))  # fmt: skip
    found = explore(there, [known, by_sms], limit)
    found.must_reach_every_option()
    kept = {effect for effect in found.effects if isinstance(effect, Check)}
    assert {(one.check, one.choice) for one in kept} == {(check, choice) for check in (8, 9) for choice in range(1, 5)}
    assert any(isinstance(effect, Save) for effect in found.effects)


@languages
@pytest.mark.parametrize("standing", STANDINGS)
def test_the_longest_activity_is_asked_on_one_screen_of_latin_letters_and_two_of_khmer(
    language: Language, standing: str
) -> None:
    talk = play([LONGEST | {"standing": standing}], "1", language=language)
    assert len(talk._pages) == (2 if language == "km" else 1)
    for page in talk._pages:
        must_be_good(page.text, language, USSD)
    label = LONGEST["activity"][LANGUAGES.index(language)]
    assert size(label) > 0.95 * (ACTIVITY.units if language == "km" else ACTIVITY.septets)  # it is the longest
    shown = " ".join(page.text.partition("\n")[0] for page in talk._pages)
    assert label.replace(" ", "") in shown.replace(" ", "")  # whole


KHMER = ("ជួស", "ជុល", "អណ្តូង", "ស្ត្រី", "ស្រុក", "ឃុំ", "ពោធិ៍", "៣", " ", "ក")
LATIN = ("well", "Pongro", "(2)", "300 m,", "a", "school", "commune-office")


@settings(deadline=None, max_examples=200, database=None)
@given(
    pieces=st.lists(st.sampled_from(KHMER), min_size=10, max_size=40),
    words=st.lists(st.sampled_from(LATIN), min_size=8, max_size=30),
    standing=st.sampled_from(list(STANDINGS)),
)
def test_whatever_is_to_be_done_is_asked_within_these_limits(
    pieces: list[str], words: list[str], standing: str
) -> None:
    km, latin = (cut(tidied, ACTIVITY)[0] for tidied in ("".join(pieces).strip() or "ក", " ".join(words)))
    one = LONGEST | {"activity": [km, latin, latin], "standing": standing}
    for language in LANGUAGES:
        talk = play([one], "1", language=language)
        assert len(talk._pages) <= (3 if language == "km" else 1)  # three where a space stands in its middle
        asked = Asked("RCEDO", Name("តាផូ", "Ta Phou", "Ta Phou"), {"km": km, "km-Latn": latin, "en": latin}, TODAY)
        assert segments(question(asked, TODAY)[language]).parts <= PARTS[language]


@needs_gazetteer
def test_the_sms_takes_its_parts_in_every_commune_of_the_country() -> None:
    km, latn, en = LONGEST["activity"]
    texts = {"km": km, "km-Latn": latn, "en": en}
    communes, _above = country()
    for inviter in ("RCEDO", "RCEDO CP"):
        for _code, commune_km, commune_en in communes:
            asked = Asked(inviter, Name(commune_km, commune_en, commune_en), texts, date(2025, 11, 30))
            for language, text in question(asked, TODAY).items():
                assert segments(text).parts <= PARTS[language], text
                assert texts[language] in text
                assert language == "km" or is_gsm7(text)
                assert text.startswith(inviter)
                assert "OFF" in text
                assert all(digit in text for digit in "1234")


QUESTIONS = {
    "km": "RCEDO៖ សន្យានៅតាផូ៖ ជួសជុលអណ្តូងទឹកនៅភូមិពង្រ មុន 20/11។ ធ្វើឬនៅ? 1=ហើយ 2=ខ្លះ 3=ទេ 4=មិនដឹង OFF=ឈប់",
    "km-Latn": "RCEDO: sanya nov Ta Phou: Chuosochul andaung tuk phum Pongro, mun 20/11. Thveu haoy ry nov? 1=haoy"
    " 2=khlah 3=te 4=min doeng OFF=chhob",
    "en": "RCEDO: promised in Ta Phou: Repair the well of Pongro, by 20/11. Was it done? 1=yes 2=partly 3=no"
    " 4=don't know. OFF=stop",
}


@languages
def test_an_sms_asks_in_its_language(language: Language) -> None:
    activity = dict(zip(LANGUAGES, WELL["activity"], strict=True))
    said = question(Asked("RCEDO", Name("តាផូ", "Ta Phou", "Ta Phou"), activity, date(2026, 11, 20)), TODAY)
    assert said[language] == QUESTIONS[language]


def test_an_sms_in_one_language_only_is_not_mixed() -> None:
    """Khmer within an English frame would cost as much as Khmer."""
    said = question(Asked("RCEDO", Name("តាផូ", "Ta Phou", "Ta Phou"), {"km": WELL["activity"][0]}, TODAY), TODAY)
    assert len(set(said.values())) == 1
    assert "ធ្វើឬនៅ?" in said["en"]


@languages
def test_what_would_be_an_answer_is_said_in_one_part(language: Language) -> None:
    for which in (WELL, LONGEST):
        text = render(hint(Name(*which["activity"])), language)
        assert segments(text).parts == 1, text
        assert all(digit in text for digit in "1234")
