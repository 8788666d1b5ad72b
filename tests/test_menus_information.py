"""Information pages on phones: in the menu by USSD, by INFO and by their words as SMS. Each is a person's story."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from gateway.config import LANGUAGES, Language
from gateway.information import pages
from gateway.menus import flows
from gateway.menus.effects import Read
from gateway.menus.engine import Talk
from gateway.menus.visit import Facts, Programme, Visit
from gateway.models.callers import remember
from gateway.models.information import information_reads
from gateway.models.services import STANDARD
from gateway.providers.base import UssdStep
from gateway.text import SMS, USSD, Limit, fold, is_gsm7, segments
from tests.conftest import COMMUNES, Installation
from tests.test_information import BUDGET, FEE, add
from tests.test_menus_fit import Eye, caller, explore
from tests.test_sms import ME, OTHER, Phone, in_language

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
BEGAN = "2026-11-23T12:00:00+07:00"
ZONE = ZoneInfo("Asia/Phnom_Penh")
Row = list[Any]


def page(number: int, title: str, *, service: str | None = None, about: str = "fees", body: str = "Free of charge.",
         words: str = "", first: str = "2026-11-01", last: str | None = None) -> Row:  # fmt: skip
    """A page as an edition has it; in Khmer it has a word more."""
    texts = [["ទំព័រ " + title, title, title], ["ឥតគិតថ្លៃ។ " + body, body, body], ["ប្រកាស", "Prakas", "Prakas"]]
    return [number, service, about, texts, [[], [], words.split()], first, last]


CARD = page(1, "Identity card", service="office", words="card")
BIRTH = page(2, "Birth certificate", service="office", words="birth")
HOURS = page(3, "Open hours", service="health", about="hours", words="hours")
LAND = page(4, "Land title", about="papers", words="land")
MONEY = page(5, "Budget 2026", about="budget", words="budget")
ROAD, BRIDGE = page(6, "Road repair", about="notice"), page(7, "New bridge", about="notice")
LONG = page(8, "School", service="school", body=" ".join(f"word{n:02}" for n in range(60)))


def programme(own: Sequence[Row], everywhere: Sequence[Row] = (), **others: Sequence[Row]) -> Programme:
    """The four communes without a round; Ta Phou has its own pages."""
    names = (("ពន្លៃ", "Ponley"), ("ទានកាំ", "Tean Kam"), ("តាផូ", "Ta Phou"), ("ទ្រាស", "Treas"))
    there = {TA_PHOU: own, "": everywhere, **others}
    return Programme(1, {
        "communes": [[code, n, *name, None] for n, (code, name) in enumerate(zip(COMMUNES, names, strict=True), 1)],
        "above": {}, "services": [row[:5] for row in STANDARD], "rounds": {},
        "information": {code: json.dumps(rows) for code, rows in there.items() if rows},
        "words": [fold(word) for rows in there.values() for row in rows for ones in row[4] for word in ones],
    }, ZONE)  # fmt: skip


def play(
    shelf: Programme, *inputs: str, language: Language = "en", limit: Limit = USSD, commune: str | None = TA_PHOU,
    **facts: Any,
) -> Talk:  # fmt: skip
    usual: dict[str, Any] = {"commune": commune, "began": BEGAN, "channel": "sms" if limit is SMS else "ussd"}
    known = Facts(edition=1, language=language, cost="", menus=flows.VERSION, **usual | facts)
    talk = Talk(functools.partial(flows.dial, Visit(known, shelf)), language, limit)
    for typed in inputs:
        talk.feed(typed)
    return talk


MENU = "Ta Phou: no rating is open now.\n"
REST = "Forum news by SMS\n{} Other commune\n{} Language\n{} Who sees what\n0 Leave"


class TestMenu:
    @pytest.mark.parametrize(
        ("shelf", "there"),
        [
            (programme([CARD]), True),
            (programme([], [CARD]), True),
            (programme([]), False),
            (programme([], **{TREAS: [CARD]}), False),
            (programme([page(1, "Later", first="2026-11-24")]), False),
            (programme([page(1, "Today", first="2026-11-23", last="2026-11-23")]), True),
            (programme([page(1, "Over", last="2026-11-22")]), False),
        ],
        ids=["own", "for all", "none", "another's", "to come", "today alone", "over"],
    )
    def test_has_information_only_where_a_page_holds(self, shelf: Programme, there: bool) -> None:
        expected = f"1 Information\n2 {REST.format(3, 4, 5)}" if there else f"1 {REST.format(2, 3, 4)}"
        assert play(shelf).screen.text == MENU + expected

    def test_of_a_talk_from_before_there_was_information_has_none(self) -> None:
        assert "Information" not in play(programme([CARD]), began="").screen.text
        before = Programme(1, {"communes": [[TA_PHOU, 1, "តាផូ", "Ta Phou", None]], "above": {}, "services": [],
                               "rounds": {}})  # fmt: skip
        assert "Information" not in play(before).screen.text

    def test_lists_services_then_pages_about_none_then_notices_and_budget(self) -> None:
        shelf = programme([ROAD, BRIDGE, MONEY], [LAND, HOURS, CARD, BIRTH])
        assert play(shelf, "1").screen.text == (
            "Information:\n1 Commune office\n2 Open hours\n3 Land title\n4 Budget 2026\n5 Notices\n0 Back"
        )
        assert play(shelf, "1", "1").screen.text == "Information:\n1 Identity card\n2 Birth certificate\n0 Back"
        assert play(shelf, "1", "5").screen.text == "Information:\n1 Road repair\n2 New bridge\n0 Back"
        birth = play(shelf, "1", "1", "2")
        assert birth.screen.text == "Birth certificate: Free of charge. Source: Prakas\n0 Back"
        assert birth.effects == [Read(2)]
        birth.feed("0")
        assert birth.screen.text.startswith("Information:\n1 Identity card")
        birth.feed("1")
        assert birth.effects == [Read(2), Read(1)]

    def test_leads_straight_to_the_only_page(self) -> None:
        only = play(programme([MONEY]), "1")
        assert only.screen.text == "Budget 2026: Free of charge. Source: Prakas\n0 Back"
        assert only.effects == [Read(5)]
        only.feed("0")
        assert only.screen.text.startswith(MENU)

    def test_of_another_commune_has_its_pages(self) -> None:
        shelf = programme([CARD], **{TREAS: [MONEY]})
        assert play(shelf, "3", "4", "1").screen.text.startswith("Budget 2026")


class TestScreens:
    @pytest.mark.parametrize("limit", [USSD, SMS], ids=["USSD", "SMS"])
    def test_of_every_kind_of_page_fit_and_lead_on(self, limit: Limit) -> None:
        many = [page(20 + n, f"Notice of the road of village {n}", about="notice") for n in range(12)]
        shelf = programme([*many, MONEY, LONG], [LAND, HOURS, CARD, BIRTH])
        found = explore(shelf, [caller(TA_PHOU), caller(TREAS)], limit)
        found.must_reach_every_option()
        assert {effect.page for effect in found.effects if isinstance(effect, Read)} == {
            1,
            2,
            3,
            4,
            5,
            8,
            *range(20, 32),
        }


class TestPage:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_of_several_screens_is_turned_by_nine_and_back(self, language: Language) -> None:
        at = play(programme([LONG]), "1", language=language)
        shown = list(Eye(language, USSD).turns_pages(at))
        assert len(shown) > 2
        assert at.effects == [Read(8)], "turning its screens counts nothing"
        said = "".join(line for text in shown for line in text.split("\n") if line[:2] not in ("0 ", "9 "))
        assert all(f"word{n:02}" in said for n in range(60))
        at.feed("9")
        at.feed("0")
        assert at.screen.text == shown[0]

    def test_by_sms_comes_whole(self) -> None:
        at = play(programme([LONG, CARD]), "1", limit=SMS, entry="information")
        assert at.screen.text.startswith("Identity card: Free")
        assert at.ended
        long = play(programme([LONG]), limit=SMS, entry="information")
        assert long.ended
        assert segments(long.screen.text).parts == 3
        assert long.effects == [Read(8)]


class TestAsking:
    def ask(self, shelf: Programme, word: str, *inputs: str, **how: Any) -> Talk:
        return play(shelf, *inputs, limit=SMS, entry="information", word=word, **how)

    def test_a_communes_own_page_goes_before_one_for_all(self) -> None:
        own, other = page(1, "Here", words="fees"), page(2, "Anywhere", words="fees")
        assert self.ask(programme([own], [other]), "fees").effects == [Read(1)]
        assert self.ask(programme([own], [other]), "fees", commune=TREAS).effects == [Read(2)]

    def test_who_has_no_commune_gets_a_page_for_all_at_once(self) -> None:
        own, other = page(1, "Here", words="fees"), page(2, "Anywhere", words="fees")
        assert self.ask(programme([own], [other]), "fees", commune=None).effects == [Read(2)]

    def test_who_has_no_commune_is_asked_for_it_where_a_commune_has_the_page(self) -> None:
        at = self.ask(programme([MONEY]), "budget", commune=None)
        assert at.screen.text == "Commune:\n1 Ponley\n2 Tean Kam\n3 Ta Phou\n4 Treas\n0 Leave"
        at.feed("3")
        assert at.screen.text.startswith("Budget 2026: Free")
        assert at.effects == [Read(5)]
        at = self.ask(programme([MONEY]), "budget", "1", commune=None)
        assert at.screen.text == "There is no page of that name. For the list send INFO."

    def test_the_list_asks_for_a_commune_only_where_it_matters(self) -> None:
        assert self.ask(programme([], [CARD, BIRTH]), "", commune=None).screen.text.startswith("Information:\n1 Iden")
        assert self.ask(programme([MONEY], [CARD]), "", commune=None).screen.text.startswith("Commune:")

    @pytest.mark.parametrize("commune", [TA_PHOU, None])
    def test_another_word_is_answered_with_those_there_are(self, commune: str | None) -> None:
        said = self.ask(programme([], [CARD, BIRTH, LAND, LONG]), "fees", commune=commune).screen
        assert said.text == "There is no page of that name. Send INFO and one of: card, birth, land"
        assert said.ends

    def test_words_that_a_phone_cannot_show_are_not_named_to_it(self) -> None:
        row = page(1, "Budget")
        row[4] = [["ថវិកា"], [], []]
        shelf = programme([row])
        for language in LANGUAGES:
            said = self.ask(shelf, "x", language=language).screen.text
            assert "INFO" in said
            assert "ថវិកា" not in said
            assert language == "km" or is_gsm7(said)

    def test_where_there_is_nothing_it_says_so(self) -> None:
        for commune in (TA_PHOU, None):
            assert self.ask(programme([]), "", commune=commune).screen.text == "There is no information page yet."
            assert "no page of that name" in self.ask(programme([]), "fees", commune=commune).screen.text


# over the whole way, on both databases ------------------------------------------------------------


@pytest.fixture
def house(installation: Installation) -> Installation:
    """Two pages, one for all and Ta Phou's budget; one number is known to be of Ta Phou."""
    english = in_language(installation, "en")
    english.open_round()
    add(english)
    add(english, BUDGET)
    with english.store.write() as db:
        remember(db, english.keys.lookup(ME), commune=TA_PHOU)
    return english


def read(house: Installation) -> list[tuple[int, str, int]]:
    """Page, channel, times."""
    with house.store.read() as db:
        rows = db.execute(select(information_reads)).all()
    return sorted((row.page, row.channel, row.times) for row in rows)


BIRTH_PAGE = "Birth certificate: Free within 30 days of the birth. Source: Prakas 2021"
BUDGET_PAGE = (
    "Budget 2026: Ta Phou, in KHR: income 450,000,000, administration 180,000,000, development and services"
    " 270,000,000. Source: Prakas 2021"
)


@pytest.mark.parametrize(
    ("sms", "answer"),
    [
        ("INFO birth", BIRTH_PAGE), ("info: BIRTH!", BIRTH_PAGE), ("Birth", BIRTH_PAGE), ("certificate.", BIRTH_PAGE),
        ("កំណើត", BIRTH_PAGE), ("kamnaet", BIRTH_PAGE), ("INFO kamnaet", BIRTH_PAGE), ("ព័ត៌មាន ថវិកា", BUDGET_PAGE),
        ("ព័ត៌មានថវិកា", BUDGET_PAGE), ("ថ\u200bវិកា", BUDGET_PAGE), ("budget", BUDGET_PAGE),
        ("INFO", "Information:\n1 Birth certificate\n2 Budget 2026\n0 Leave"),
        ("INFO road", "There is no page of that name. Send INFO and one of: budget, birth"),
        ("INFO 2", "There is no page of that name. Send INFO and one of: budget, birth"),
    ],
)  # fmt: skip
def test_an_sms_gets_this(house: Installation, sms: str, answer: str) -> None:
    assert Phone(house).send(sms) == answer


def test_each_gets_a_page_in_their_own_language(house: Installation) -> None:
    for language, begin in (("km", "សំបុត្រកំណើត៖ ឥតគិតថ្លៃ"), ("km-Latn", "Sombot kamnaet: Ot ket thlai")):
        with house.store.write() as db:
            remember(db, house.keys.lookup(ME), language=language)
        answer = Phone(house).send("birth")
        assert answer
        assert answer.startswith(begin)


def test_a_digit_chooses_from_the_list_and_a_stranger_names_a_commune_first(house: Installation) -> None:
    assert Phone(house).send("INFO", "2") == BUDGET_PAGE
    assert Phone(house, OTHER).send("INFO birth") == BIRTH_PAGE
    assert Phone(house, OTHER).send("budget", "3") == BUDGET_PAGE
    assert read(house) == [(1, "sms", 1), (2, "sms", 2)]


def test_a_word_leaves_a_question_that_waits(house: Installation) -> None:
    me = Phone(house)
    assert me.send("RATE", "2")
    assert me.send("birth") == BIRTH_PAGE
    assert (me.send("5") or "").startswith("You are:")


def test_a_repeat_is_answered_and_counted_once(house: Installation) -> None:
    talks, me = house.conversations(), Phone(house)
    for _repeat in range(3):
        me.post("one", "INFO birth")
    for path in ((), ("8",), ("8", "1"), ("8", "1"), ("8", "1", "2"), ("8", "1", "2"), ("8", "1", "2", "0")):
        last = talks.ussd(UssdStep("africastalking", "call", ME, path=path)).text
    assert last.startswith("Information:")
    assert read(house) == [(1, "sms", 1), (2, "ussd", 1)]
    talks.ussd(UssdStep("africastalking", "call", ME, path=("8", "1", "2", "0", "2")))
    assert read(house) == [(1, "sms", 1), (2, "ussd", 2)], "who looks again reads again"


def test_a_page_changed_while_somebody_reads_stays_as_it_was_for_them(house: Installation) -> None:
    talks = house.conversations()
    talks.ussd(UssdStep("africastalking", "call", ME, path=()))
    with house.store.write() as db:
        pages.edit(db, replace(FEE, id=1, body={**FEE.body, "en": "It costs 2,000 riel."}), house.clock.now)
        pages.archive(db, replace(BUDGET, id=2), house.clock.now, away=True)
    assert "2 Budget 2026" in talks.ussd(UssdStep("africastalking", "call", ME, path=("8", "1"))).text
    shown = talks.ussd(UssdStep("africastalking", "call", ME, path=("8", "1", "1"))).text
    assert shown == f"{BIRTH_PAGE}\n0 Back"
    other = talks.ussd(UssdStep("africastalking", "another call", ME, path=("8", "1")))
    assert other.text == "Birth certificate: It costs 2,000 riel. Source: Prakas 2021\n0 Back"


def test_who_was_heard_nothing_of_is_not_kept_for_reading(house: Installation) -> None:
    """A reading leaves no number: the counts say page, month and channel."""
    Phone(house, OTHER).send("birth")
    assert set(information_reads.c.keys()) == {"page", "month", "channel", "times"}
