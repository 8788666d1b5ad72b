"""Information pages: what is kept, what is refused and why, how long they are, how often they are read."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, text, update

from gateway import create_app
from gateway.config import LANGUAGES, Language
from gateway.information import pages, reads, words
from gateway.information.made import Budget, Notice
from gateway.information.pages import Flaw, Page, Refused, Standing, Wanted
from gateway.information.sizes import MOST_PARTS, MOST_SCREENS, size
from gateway.menus.information import told
from gateway.menus.keywords import WORDS as KEYWORDS
from gateway.menus.keywords import page_word
from gateway.menus.phrases import Name
from gateway.menus.visit import Programme
from gateway.menus.wording import render
from gateway.models import editions
from gateway.models.conversations import conversations
from gateway.models.information import About, information
from gateway.models.places import communes, join_programme, places
from gateway.promises.money import Currency
from gateway.providers.base import UssdStep
from gateway.text import USSD, fits, in_gsm7, plain, segments
from gateway.workers.housekeeping import purge
from tests.conftest import COMMUNES, Installation
from tests.test_panel import Browser

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
TODAY = date(2026, 11, 23)
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FEE = Page(
    about=About.FEES,
    title={"km": "សំបុត្រកំណើត", "km-Latn": "Sombot kamnaet", "en": "Birth certificate"},
    body={"km": "ឥតគិតថ្លៃ ក្នុងរយៈពេល 30 ថ្ងៃក្រោយកើត។", "km-Latn": "Ot ket thlai knong 30 thngai.",
          "en": "Free within 30 days of the birth."},
    source={"km": "ប្រកាស 2021", "en": "Prakas 2021"},
    valid_from=TODAY,
    service="office",
    words={"km": ("កំណើត",), "km-Latn": ("kamnaet",), "en": ("birth", "certificate")},
)  # fmt: skip
THREE = Budget(2026, Currency.KHR, 450_000_000_00, 180_000_000_00, 270_000_000_00)
BUDGET = replace(
    FEE, about=About.BUDGET, title=THREE.title, body=THREE.body(Name("តាផូ", "Ta Phou", "Ta Phou")), figures=THREE,
    commune=TA_PHOU, service=None, words={"km": ("ថវិកា",), "km-Latn": ("thavika",), "en": ("budget",)},
)  # fmt: skip


def add(house: Installation, page: Page = FEE, **changes: Any) -> int:
    with house.store.write() as db:
        return pages.add(db, replace(page, **changes), None, house.clock.now)


def faults(house: Installation, page: Page = FEE, **changes: Any) -> dict[str, tuple[Any, Mapping[str, str]]]:
    with house.store.read() as db:
        found = pages.faults_of(db, replace(page, **changes))
    return {name: (fault.flaw, fault.values) for name, fault in found.items()}


def shelf(house: Installation) -> Programme:
    """The newest edition, as menus have it."""
    with house.store.read() as db:
        newest = editions.newest(db)
        return Programme(newest, editions.read_edition(db, newest), house.settings.zone)


def titles(house: Installation, commune: str, days: int = 0) -> list[str]:
    found = shelf(house).information(commune, house.clock.now + timedelta(days=days))
    return [page.title.en for page in found]


# made texts ---------------------------------------------------------------------------------------


def test_a_budget_is_worded_from_its_three_figures() -> None:
    assert BUDGET.title == {"km": "ថវិកា 2026", "km-Latn": "Thavika 2026", "en": "Budget 2026"}
    assert BUDGET.body == {
        "km": "តាផូ គិតជារៀល៖ ចំណូល 450,000,000 រដ្ឋបាល 180,000,000 អភិវឌ្ឍន៍ និងសេវា 270,000,000។",
        "km-Latn": "Ta Phou, kit chea riel: chamnoul 450,000,000, rothbal 180,000,000, akphivoat nung seva 270,000,000"
        ".",
        "en": "Ta Phou, in KHR: income 450,000,000, administration 180,000,000, development and services 270,000,000.",
    }
    taken = {language: BUDGET.size(language) for language in LANGUAGES}
    assert {language: (len(one.screens), one.sms.parts) for language, one in taken.items()} == {
        "km": (2, 2), "km-Latn": (1, 1), "en": (1, 1),
    }  # fmt: skip


def test_a_notice_is_worded_from_what_from_whom_and_price() -> None:
    notice = Notice({"en": "Chan Dara Co."}, 4_257_33, Currency.USD)
    assert notice.body == {
        "km": "ពី Chan Dara Co. តម្លៃ 4,257.33 ដុល្លារ។",
        "km-Latn": "Pi Chan Dara Co., thlai 4,257.33 dollar.",
        "en": "From Chan Dara Co., price 4,257.33 USD.",
    }


# how long they are --------------------------------------------------------------------------------

khmer = st.lists(st.sampled_from(["ខ្មែរ", "ស្ត្រី", "ឃុំ", "ង", "៣", "។", " ", "\u200b", "2,000 "]), max_size=160)
latin = st.lists(st.sampled_from([*"aeiou xyz.1(", "é", "â", "€", "[", "Health centre "]), max_size=700)
written = st.one_of(
    st.tuples(st.just("km"), khmer), st.tuples(st.sampled_from(["km-Latn", "en"]), latin)
).map(lambda both: (both[0], " ".join("".join(both[1]).split()) or "x"))  # fmt: skip


@settings(deadline=None, max_examples=200, database=None)
@given(page=written)
@example(page=("km", "ខ្មែរ" * 200))
@example(page=("km", " ".join(["ខ" * 35] * 5)))  # few parts, but a screen each
@example(page=("en", "x" * 443))
@example(page=("en", "x " * 900))
def test_any_text_fits_with_nothing_lost_or_is_refused_with_how_much_to_cut(page: tuple[Language, str]) -> None:
    language, body = page
    taken = size(language, "Title", body, "Source")
    said = body if language == "km" else in_gsm7(body)
    whole = plain(render(told("Title", said, "Source"), language))
    shown = [re.sub(r"\n9 [^\n]+|\n0 [^\n]+", "", screen) for screen in taken.screens]
    assert "".join(shown).replace(" ", "").replace("\n", "") == whole.replace(" ", "").replace("\n", "")
    assert all(fits(screen, USSD) for screen in taken.screens)
    assert taken.sms == segments(whole)
    assert taken.fits == (len(taken.screens) <= MOST_SCREENS and taken.sms.parts <= MOST_PARTS)
    if not taken.fits:
        assert 0 < taken.over <= len(body)
        shorter = size(language, "Title", body[: len(body) - taken.over], "Source")
        assert shorter.fits, "cut by so much it must fit"
        barely = size(language, "Title", body[: len(body) - taken.over + 20], "Source")
        assert not barely.fits, "and not by twenty less"


@on_one_database
def test_what_is_too_long_is_refused_with_the_count_in_its_language(installation: Installation) -> None:
    long = "ខ្មែរ ជាភាសា " * 45
    found = faults(installation, body={**FEE.body, "km": long.strip()})
    flaw, values = found.pop("body-km")
    assert (flaw, found) == (Flaw.SCREENS, {})
    assert values["most"] == "4"
    assert int(values["n"]) == len(size("km", FEE.title["km"], long.strip(), "ប្រកាស 2021").screens) > 4
    shorter = long.strip()[: -int(values["over"])]
    assert faults(installation, body={**FEE.body, "km": shorter}) == {}
    found = faults(installation, body={**FEE.body, "en": "word " * 100 + "word"})
    assert found["body-en"][0] is Flaw.PARTS  # four screens would do for it
    assert found["body-en"][1]["n"] == "4"
    with pytest.raises(Refused, match="body-en: PARTS"):
        add(installation, body={**FEE.body, "en": "word " * 100 + "word"})
    assert titles(installation, TA_PHOU) == []


@on_one_database
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"title": {**FEE.title, "en": ""}}, {"title-en": Flaw.MISSING}),
        ({"body": {**FEE.body, "km-Latn": ""}}, {"body-km-Latn": Flaw.MISSING}),
        ({"body": {**FEE.body, "en": "ឥតគិតថ្លៃ"}}, {"body-en": Flaw.SCRIPT}),
        ({"title": {**FEE.title, "km": "ក" * 27}}, {"title-km": Flaw.TITLE}),
        ({"title": {**FEE.title, "en": "x" * 49}}, {"title-en": Flaw.TITLE}),
        ({"source": {"en": "x" * 71}}, dict.fromkeys(("source-km", "source-km-Latn", "source-en"), Flaw.SOURCE)),
        ({"source": {}}, dict.fromkeys(("source-km", "source-km-Latn", "source-en"), Flaw.MISSING)),
        ({"source": {"km": "ប្រកាស"}}, {"source-km-Latn": Flaw.SCRIPT, "source-en": Flaw.SCRIPT}),
        ({"body": {**FEE.body, "en": "x" * 2001}}, {"body-en": Flaw.LONG}),
        ({"valid_until": TODAY - timedelta(days=1)}, {"valid_until": Flaw.ENDS_FIRST}),
        ({"valid_until": TODAY}, {}),
        ({"about": About.BUDGET}, {"commune": Flaw.NO_COMMUNE}),
        ({"words": {"en": ("birth", "a")}}, {"words-en": words.Flaw.LENGTH}),
        ({"words": {"en": ("aa", "bb", "cc", "dd", "ee", "ff")}}, {"words-en": Flaw.MANY_WORDS}),
        ({"body": {**FEE.body, "en": "Façade, â, naïve: 5 é"}}, {}),  # what GSM-7 lacks loses its accent
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_field(
    installation: Installation, changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert {name: flaw for name, (flaw, _values) in faults(installation, **changes).items()} == expected


# words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "flaw"),
    [
        ("birth", None), ("birth certificate", None), ("ថវិកា", None), ("សំបុត្រកំណើត", None), ("thavika", None),
        ("b1", words.Flaw.DIGITS), ("៣", words.Flaw.DIGITS), ("2", words.Flaw.DIGITS), ("½", words.Flaw.DIGITS),
        ("birth!", words.Flaw.LETTERS), ("a+b", words.Flaw.LETTERS), ("👍👍", words.Flaw.LETTERS),
        ("x", words.Flaw.LENGTH), ("ក", words.Flaw.LENGTH), ("x" * 21, words.Flaw.LENGTH), ("x" * 20, None),
        ("\u200b\u200b", words.Flaw.LENGTH),
        ("stop fees", words.Flaw.RESERVED), ("Help", words.Flaw.RESERVED), ("info fees", words.Flaw.RESERVED),
        ("ព័ត៌មានថវិកា", words.Flaw.RESERVED),
        *((word.strip(), words.Flaw.RESERVED) for ones in KEYWORDS.values() for word in ones.split(",")
          if len(word.strip()) > 1),
    ],
)  # fmt: skip
def test_a_word_means_nothing_else_and_has_no_digit(word: str, flaw: words.Flaw | None) -> None:
    assert words.flaw_of(word) is flaw


def test_words_are_typed_with_commas_between() -> None:
    assert words.listed(" birth,  birth   certificate ;Birth\nfees, ,") == ("Birth", "birth certificate", "fees")
    assert words.listed("") == ()


@pytest.mark.parametrize(
    ("sms", "word"),
    [
        ("INFO birth", "birth"), ("info: Birth!", "birth"), ("Information birth certificate", "birth certificate"),
        ("birth", "birth"), ("INFO", ""), ("ព័ត៌មាន", ""), ("ព័ត៌មាន ថវិកា", "ថវិកា"), ("ពត៌មានថវិកា", "ថវិកា"),
        ("pormean thavika", "thavika"), ("informal", "informal"), ("", ""), ("INFO 2", "2"),
    ],
)  # fmt: skip
def test_the_word_of_an_sms_is_what_stands_after_info(sms: str, word: str) -> None:
    assert page_word(sms) == word


def test_a_word_leads_to_one_page_of_a_commune_at_a_time(installation: Installation) -> None:
    first = add(installation)
    taken = {"words-en": (Flaw.TAKEN, {"word": "BIRTH", "title": "Birth certificate"})}
    other: dict[str, Any] = {"title": {**FEE.title, "en": "Other"}, "words": {"en": ("BIRTH",)}}
    assert faults(installation, **other) == taken
    assert faults(installation, **other, commune=TA_PHOU) == {}  # a commune's own goes before one for all
    assert faults(installation, **other, id=first) == {}  # itself
    later = TODAY + timedelta(days=10)
    assert faults(installation, **other, valid_from=later) == taken
    with installation.store.write() as db:
        pages.edit(db, replace(FEE, id=first, valid_until=later - timedelta(days=1)), installation.clock.now)
    assert faults(installation, **other, valid_from=later) == {}
    assert faults(installation, **other, valid_from=later - timedelta(days=1)) == taken
    add(installation, **other, commune=TA_PHOU)
    add(installation, **other, commune=TREAS)
    assert set(faults(installation, **other, commune=TREAS)) == {"words-en"}


# what people may read -----------------------------------------------------------------------------


def test_people_may_read_their_communes_own_pages_and_those_for_all_while_they_hold(installation: Installation) -> None:
    add(installation, valid_until=TODAY + timedelta(days=2))
    add(installation, BUDGET, valid_from=TODAY + timedelta(days=1))
    assert titles(installation, TA_PHOU) == ["Birth certificate"]
    assert titles(installation, TA_PHOU, days=1) == ["Budget 2026", "Birth certificate"]
    assert titles(installation, TREAS, days=2) == ["Birth certificate"]
    assert titles(installation, TA_PHOU, days=3) == ["Budget 2026"]
    assert titles(installation, "") == ["Birth certificate"]
    assert shelf(installation).shelf.knows("budget")
    assert shelf(installation).shelf.knows("ថវិកា")
    assert not shelf(installation).shelf.knows("")


def test_what_was_archived_is_gone_and_may_come_back(installation: Installation) -> None:
    there = add(installation)
    for away in (True, False):
        with installation.store.write() as db:
            page = pages.find(db, there)
            assert page
            pages.archive(db, page, installation.clock.now, away=away)
        assert bool(titles(installation, TA_PHOU)) is not away
    with installation.store.write() as db:
        pages.archive(db, replace(FEE, id=there), installation.clock.now, away=True)
    add(installation, body={**FEE.body, "en": "2,000 riel."})  # its words are free by now
    with pytest.raises(Refused, match="TAKEN"), installation.store.write() as db:
        pages.archive(db, replace(FEE, id=there, archived=True), installation.clock.now, away=False)


def test_a_form_sent_twice_makes_one_page(installation: Installation) -> None:
    assert add(installation) == add(installation)
    assert add(installation, BUDGET) == add(installation, BUDGET)
    with installation.store.read() as db:
        assert db.scalar(select(func.count()).select_from(information)) == 2
        kept = pages.find(db, 2)
    assert kept == replace(BUDGET, id=2, changed=installation.clock.now)


def test_a_list_is_sifted(installation: Installation) -> None:
    add(installation)
    add(installation, BUDGET)
    add(installation, title={**FEE.title, "en": "Later"}, words={}, valid_from=TODAY + timedelta(days=9))
    add(installation, title={**FEE.title, "en": "Over"}, words={}, valid_from=TODAY - timedelta(days=9),
        valid_until=TODAY - timedelta(days=1), commune=TREAS, service=None)  # fmt: skip

    def found(**wanted: Any) -> list[str]:
        with installation.store.read() as db:
            assert pages.count(db, Wanted(**wanted), TODAY) == len(pages.listed(db, Wanted(**wanted), TODAY, 0, 9))
            return [page.title["en"] for page in pages.listed(db, Wanted(**wanted), TODAY, 0, 9)]

    assert found() == ["Later", "Birth certificate", "Budget 2026", "Over"]
    assert found(commune="") == ["Later", "Birth certificate"]
    assert found(commune=TA_PHOU) == ["Budget 2026"]
    assert found(service="office") == ["Later", "Birth certificate"]
    assert found(about=About.BUDGET) == ["Budget 2026"]
    assert found(standing=Standing.VALID) == ["Birth certificate", "Budget 2026"]
    assert found(standing=Standing.TO_COME) == ["Later"]
    assert found(standing=Standing.OVER) == ["Over"]
    assert found(standing=Standing.ARCHIVED) == []
    assert found(mine=frozenset({TREAS})) == ["Over"]
    assert found(mine=frozenset()) == []


# readings -----------------------------------------------------------------------------------------


def test_readings_are_counted_by_month_and_channel(installation: Installation) -> None:
    one, other = add(installation), add(installation, BUDGET)
    with installation.store.write() as db:
        for day, channel, page in (("2026-10-31", "ussd", one), ("2026-11-01", "sms", one), ("2026-11-30", "sms", one),
                                   ("2026-11-02", "ussd", other)):  # fmt: skip
            reads.count(db, page, channel, date.fromisoformat(day))
    with installation.store.read() as db:
        assert reads.by_month(db, one) == [reads.Month(date(2026, 11, 1), 0, 2), reads.Month(date(2026, 10, 1), 1, 0)]
        assert reads.times(db, [one, other, 99]) == {one: 3, other: 1}
        assert reads.most_read(db, date(2026, 10, 15), 9) == [(one, 3), (other, 1)]
        assert reads.most_read(db, date(2026, 11, 30), 9) == [(one, 2), (other, 1)]
        assert reads.most_read(db, date(2026, 10, 1), 1) == [(one, 3)]
        assert reads.most_read(db, date(2026, 10, 1), 9, pages.of(frozenset({TA_PHOU}))) == [(other, 1)]


# editions -----------------------------------------------------------------------------------------


def kept(house: Installation) -> list[int]:
    with house.store.read() as db:
        return sorted(db.scalars(select(editions.editions.c.id)))


def test_editions_that_nobody_uses_any_more_are_removed(installation: Installation) -> None:
    house = installation
    talks = house.conversations()
    add(house)
    talks.ussd(UssdStep("simulator", "one", "+85510000001", path=()))  # of the second edition
    for n in range(3):
        house.clock.forward(minutes=1)
        add(house, title={**FEE.title, "en": f"Page {n}"}, words={})
    assert kept(house) == [1, 2, 3, 4, 5]
    purge(house.store, house.settings, house.clock.now)
    assert kept(house) == [1, 2, 3, 4, 5], "somebody may have begun just now"
    house.clock.forward(hours=2)
    with house.store.write() as db:
        db.execute(update(conversations).values(touched=house.clock.now))
        begun = editions.beginning(db)
    purge(house.store, house.settings, house.clock.now)
    assert kept(house) == [1, 2, 5], "the first, the one that a talk goes on with, the newest"
    assert talks.ussd(UssdStep("simulator", "one", "+85510000001", path=("3",))).text  # and it does go on
    house.clock.forward(days=2)
    for _hour in "12":  # the talk goes, then its edition
        purge(house.store, house.settings, house.clock.now)
    assert kept(house) == [1, 5]
    with house.store.read() as db:
        assert editions.beginning(db) == begun


@on_one_database
def test_a_country_of_budgets_is_published_and_read_in_a_moment(installation: Installation) -> None:
    """1,652 communes, each with its budget (the bounds are many times what was measured)."""
    house = installation
    codes = [f"{20 + i // 800:02}{i // 20 % 40 + 1:02}{i % 20 + 1:02}" for i in range(1648)]
    row = {"about": "budget", "title": json.dumps(BUDGET.title, ensure_ascii=False),
           "body": json.dumps(BUDGET.body, ensure_ascii=False), "source": json.dumps(BUDGET.source, ensure_ascii=False),
           "words": json.dumps(BUDGET.words, ensure_ascii=False), "valid_from": TODAY, "created": house.clock.now,
           "changed": house.clock.now}  # fmt: skip
    with house.store.write() as db:
        names = [{"code": one, "level": "commune", "unit": "", "name_km": one, "name_en": one} for one in codes]
        db.execute(insert(places), names)
        join_programme(db, codes)
        every = list(db.scalars(select(communes.c.code)))
        db.execute(insert(information), [row | {"commune": code} for code in every])
    assert len(every) == 1652
    begun = time.perf_counter()
    with house.store.write() as db:
        edition = editions.publish(db, house.clock.now)
    published = time.perf_counter()
    with house.store.read() as db:
        body = editions.read_edition(db, edition)
        length = db.scalar(text("SELECT length(body) FROM editions ORDER BY id DESC LIMIT 1"))
    read = time.perf_counter()
    programme = Programme(edition, body, house.settings.zone)
    built = time.perf_counter()
    (page,) = programme.information(TA_PHOU, house.clock.now)
    shown = time.perf_counter()
    assert page.title.en == "Budget 2026"
    print(
        f"published in {published - begun:.3f} s, read in {read - published:.3f} s, built in {built - read:.4f} s,"
        f" shown in {(shown - built) * 1e6:.0f} us, {length} characters"
    )
    assert published - begun < 5
    assert built - published < 2
    assert shown - built < 0.1


# for who has a browser ----------------------------------------------------------------------------


@on_one_database
def test_whoever_has_a_browser_reads_what_holds_today(installation: Installation) -> None:
    add(installation, valid_until=TODAY)
    add(installation, BUDGET)
    add(installation, title={**FEE.title, "en": "Later"}, words={}, valid_from=TODAY + timedelta(days=1))
    reader = Browser(create_app(installation.settings).test_client())
    with time_machine.travel(installation.clock.now, tick=False):
        page = reader.read("/information/?lang=en")
        assert "Ta Phou 010806 For all communes Birth certificate Free within 30 days of the birth." in page
        assert "Source: Prakas 2021 · until 23 Nov 2026" in page
        assert "Later" not in page
        assert "Budget" not in page.replace("budgets", "")
        page = reader.read(f"/information/{TA_PHOU}?lang=km")
        assert "ព័ត៌មានសម្រាប់តាផូ" in page
        assert page.index("ចំណូល 450,000,000") < page.index("ឥតគិតថ្លៃ")
        assert "Treas 010807" in reader.read("/information/?lang=en&q=trea")
        assert "Nothing found" in reader.read("/information/?lang=en&q=nowhere")
        for wrong in ("999999", "x", "0108"):
            assert reader.get(f"/information/{wrong}").status_code == 404
        answer = reader.get("/information/")
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Cache-Control"] == "public, max-age=300"
