"""Information pages in the panel, as a browser without scripts sees them."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from gateway.information import pages, reads
from gateway.models import staff
from gateway.models.information import information
from tests.conftest import COMMUNES, Installation
from tests.test_information import BUDGET, FEE, TODAY, add
from tests.test_panel import NAME, Browser, app, browser, panel, text  # noqa: F401

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HOME = "/admin/information"
BIRTH = {
    "about": "fees", "commune": "", "service": "office", "valid_from": "2026-11-23", "valid_until": "",
    "title-km": "សំបុត្រកំណើត", "title-km-Latn": "Sombot kamnaet", "title-en": "Birth certificate",
    "body-km": "ឥតគិតថ្លៃ។", "body-km-Latn": "Ot ket thlai.", "body-en": "Free of charge.",
    "source-km": "ប្រកាស", "source-en": "Prakas 2021", "words-en": "birth, certificate", "words-km": "កំណើត",
}  # fmt: skip
THIS_YEAR = {
    "about": "budget", "commune": TA_PHOU, "year": "2026", "currency": "KHR", "income": "450,000,000",
    "administration": "180 000 000", "development": "២៧០០០០០០០", "valid_from": "2026-11-23",
    "source-en": "Commune council", "words-en": "budget",
}  # fmt: skip
PURCHASE = {
    "about": "notice", "commune": TA_PHOU, "price": "$4,257.33", "currency": "USD", "valid_from": "2026-11-23",
    "title-km": "ជួសជុលផ្លូវ", "title-km-Latn": "Chuoschul phlov", "title-en": "Road repair",
    "supplier-en": "Chan Dara Co.", "source-en": "Commune council",
}  # fmt: skip


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


def fill_in(panel: Browser, form: Any = BIRTH, do: str = "keep", **fields: Any) -> TestResponse:  # noqa: F811
    values = {name: value for name, value in {**form, **fields}.items() if value is not None}
    return panel.send(f"{HOME}/new?about={form['about']}", f"{HOME}/new", do=do, **values)


def count(house: Installation) -> int:
    with house.store.read() as db:
        return db.scalar(select(func.count()).select_from(information)) or 0


def kept(house: Installation, page: int = 1) -> pages.Page:
    with house.store.read() as db:
        found = pages.find(db, page)
    assert found
    return found


# the form -----------------------------------------------------------------------------------------


def test_a_page_is_written_and_shown_as_phones_show_it(panel: Browser, installation: Installation) -> None:  # noqa: F811
    answer = fill_in(panel)
    assert answer.headers["Location"] == f"{HOME}/1"
    page = panel.read(f"{HOME}/1")
    assert "The page is kept. Phones show it from its first day on." in page
    assert "Information · Valid now Birth certificate The page For the people of All communes Kind Fees" in page
    assert "Birth certificate: Free of charge. Source: Prakas 2021 0 Back" in page
    assert "សំបុត្រកំណើត៖ ឥតគិតថ្លៃ។ ប្រភព៖ ប្រកាស 0 ថយ" in page
    assert "Sombot kamnaet: Ot ket thlai. Prophop: Prakas 2021 0 Thoy" in page
    assert "1 of 4 screens · 1 of 3 parts as an SMS" in page
    assert "birth, certificate" in page
    assert "Nobody has read it yet." in page
    assert kept(installation).words == {"km": ("កំណើត",), "km-Latn": (), "en": ("birth", "certificate")}
    assert "Birth certificate All communes Fees Commune office Valid now 0" in panel.read(HOME)


def test_a_budget_is_three_figures_in_one_currency(panel: Browser, installation: Installation) -> None:  # noqa: F811
    assert fill_in(panel, THIS_YEAR).headers["Location"] == f"{HOME}/1"
    page = panel.read(f"{HOME}/1")
    assert (
        "Budget 2026: Ta Phou, in KHR: income 450,000,000, administration 180,000,000, development and services"
        " 270,000,000. Source: Commune council" in page
    )
    assert "ថវិកា 2026៖ តាផូ គិតជារៀល៖ ចំណូល 450,000,000 រដ្ឋបាល 180,000,000" in page
    form = panel.get(f"{HOME}/1/edit").text
    for value in ("450,000,000", "180,000,000", "270,000,000", "2026"):
        assert f'value="{value}"' in form


def test_a_notice_is_what_from_whom_and_price(panel: Browser, installation: Installation) -> None:  # noqa: F811
    assert fill_in(panel, PURCHASE).headers["Location"] == f"{HOME}/1"
    page = panel.read(f"{HOME}/1")
    assert "Road repair: From Chan Dara Co., price 4,257.33 USD. Source: Commune council" in page
    assert "ជួសជុលផ្លូវ៖ ពី Chan Dara Co. តម្លៃ 4,257.33 ដុល្លារ។" in page
    assert 'value="4,257.33"' in panel.get(f"{HOME}/1/edit").text


def test_the_look_lays_out_and_keeps_nothing(panel: Browser, installation: Installation) -> None:  # noqa: F811
    long = "word " * 150
    answer = fill_in(panel, do="look", **{"body-en": ""})
    assert answer.status_code == 422  # it says what is missing, and shows what is there
    assert "ឥតគិតថ្លៃ។ ប្រភព៖ ប្រកាស" in text(answer)
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', answer.text)
    assert token
    typed = {**BIRTH, "body-en": long, "csrf_token": token[1]}
    counted = text(panel.client.post(f"{HOME}/count", data=typed))  # the same while one types
    assert "5 of 4 screens · 6 of 3 parts as an SMS" in counted
    assert re.search(r"Too long: shorten it by about 3\d\d characters\.", counted)
    look = fill_in(panel, do="look")
    assert look.status_code == 200
    assert "Free of charge. Source: Prakas 2021" in text(look)
    half = {"about": "budget", "commune": "x", "income": "12", "year": "", "csrf_token": token[1]}
    assert panel.client.post(f"{HOME}/count", data=half).status_code == 200
    assert count(installation) == 0


LONG = "ខ្មែរ ជាភាសា " * 45


@on_one_database
@pytest.mark.parametrize(
    ("form", "fields", "says"),
    [
        (BIRTH, {"title-en": ""}, "This is missing."),
        (BIRTH, {"body-en": "ឥតគិតថ្លៃ"}, "Write it in Latin letters."),
        (BIRTH, {"title-km": "ក" * 30}, "Too long for the list on a phone: shorten it by 4 characters."),
        (BIRTH, {"body-km": LONG}, "It takes 10 screens; at most 4 may be. Shorten it by about"),
        (BIRTH, {"body-en": "word " * 100}, "It takes 4 parts as an SMS; at most 3 may be. Shorten it by about"),
        (BIRTH, {"body-en": "x" * 3000}, "Longer than 2000 characters."),
        (BIRTH, {"words-en": "birth, stop"}, "stop begins with a word that means something else to the gateway."),
        (BIRTH, {"words-en": "b2"}, "b2: no digits."),
        (BIRTH, {"words-km": "កំណើត!"}, "កំណើត!: letters only"),
        (BIRTH, {"words-en": "x"}, "x: a word has 2 to 20 letters."),
        (BIRTH, {"words-en": "aa,bb,cc,dd,ee,ff"}, "At most 5 words in a language."),
        (BIRTH, {"valid_until": "2026-11-22"}, "It would end before it begins."),
        (BIRTH, {"valid_from": "soon"}, "Give a day such as 2027-04-01."),
        (BIRTH, {"valid_from": ""}, "Say from which day on it holds."),
        (BIRTH, {"commune": "999999"}, "Choose a commune of the programme."),
        (THIS_YEAR, {"commune": ""}, "A budget is of one commune. Choose it."),
        (THIS_YEAR, {"year": "26"}, "Write the year with four digits, such as 2027."),
        (THIS_YEAR, {"income": "-5"}, "An amount cannot be negative."),
        (THIS_YEAR, {"income": ""}, "Write an amount"),
        (THIS_YEAR, {"income": "much"}, "much is no amount of money."),
        (THIS_YEAR, {"income": "12.50"}, "Riels have no cents."),
        (THIS_YEAR, {"development": "200 USD"}, "This is in another currency than the one that is chosen."),
        (PURCHASE, {"supplier-en": ""}, "Say from whom, in at least one language."),
        (PURCHASE, {"price": ""}, "Write an amount"),
    ],
)
def test_what_is_wrong_is_told_where_it_stands_and_what_was_typed_is_kept(
    panel: Browser,  # noqa: F811
    installation: Installation,
    form: Mapping[str, str],
    fields: Mapping[str, str],
    says: str,
) -> None:
    answer = fill_in(panel, form, **fields)
    assert answer.status_code == 422
    assert says in text(answer)
    assert "Nothing was kept yet." in text(answer)
    assert count(installation) == 0
    for name, value in {**form, **fields}.items():
        if name.startswith(("title", "body", "words", "source", "income", "price")):
            assert html.escape(value.strip(), quote=True).replace("&#x27;", "&#39;") in answer.text


@on_one_database
def test_a_word_that_is_taken_is_told_with_the_page_it_leads_to(panel: Browser, installation: Installation) -> None:  # noqa: F811
    fill_in(panel)
    answer = fill_in(panel, **{"title-en": "Another", "words-km": ""})
    assert "birth leads to another page at that time: Birth certificate." in text(answer).replace(
        "certificate leads", ""
    )
    assert fill_in(panel, **{"title-en": "Another", "words-km": "", "words-en": "other"}).status_code == 302
    assert fill_in(panel, **{"title-en": "Another", "commune": TREAS}).status_code == 302


# changing -----------------------------------------------------------------------------------------


def test_a_page_is_changed_archived_and_brought_back(panel: Browser, installation: Installation) -> None:  # noqa: F811
    fill_in(panel)
    edit = f"{HOME}/1/edit"
    answer = panel.send(edit, do="keep", **{**BIRTH, "body-en": "It costs 2,000 riel."})
    assert answer.headers["Location"] == f"{HOME}/1"
    assert "The page is changed, on phones from the next call on." in panel.read(f"{HOME}/1")
    assert kept(installation).body["en"] == "It costs 2,000 riel."
    for _twice in "12":
        assert panel.send(f"{HOME}/1", f"{HOME}/1/archive", away="yes").status_code == 302
    assert "phones do not show it any more" in panel.read(f"{HOME}/1")
    assert "There is no such page." in panel.read(HOME)
    assert "Birth certificate" in panel.read(f"{HOME}?standing=archived")
    panel.send(f"{HOME}/1", f"{HOME}/1/archive", away="no")
    assert "The page is back." in panel.read(f"{HOME}/1")
    assert kept(installation).archived is False


def test_what_somebody_else_changed_meanwhile_is_not_overwritten_unseen(
    panel: Browser,  # noqa: F811
    installation: Installation,
) -> None:
    fill_in(panel)
    edit = f"{HOME}/1/edit"
    seen = re.search(r'name="version" value="([^"]+)"', panel.get(edit).text)
    assert seen
    panel.send(edit, do="keep", **{**BIRTH, "body-en": "Theirs."})
    answer = panel.send(edit, do="keep", version=seen[1], **{**BIRTH, "body-en": "Mine."})
    assert answer.status_code == 422
    assert "Somebody else changed this meanwhile." in text(answer)
    assert "There now: Theirs." in text(answer)
    assert "Mine." in answer.text
    fresh = re.search(r'name="version" value="([^"]+)"', answer.text)
    assert fresh
    assert panel.send(edit, do="keep", version=fresh[1], **{**BIRTH, "body-en": "Mine."}).status_code == 302
    assert kept(installation).body["en"] == "Mine."


# the list -----------------------------------------------------------------------------------------


@on_one_database
def test_a_programme_without_pages_is_told_what_they_are(panel: Browser) -> None:  # noqa: F811
    page = panel.read(HOME)
    assert "No page yet A page tells people by phone what something costs" in page
    assert "What is it about? Fees, opening hours, papers" in panel.read(f"{HOME}/new")


@on_one_database
def test_the_list_is_sifted_and_paged(
    panel: Browser,  # noqa: F811
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("admin.programme.information.PAGE", 2)
    add(installation)
    add(installation, BUDGET)
    add(installation, title={**FEE.title, "en": "Later"}, words={}, valid_from=TODAY + timedelta(days=9))
    add(installation, title={**FEE.title, "en": "Over"}, words={}, valid_from=TODAY - timedelta(days=9),
        valid_until=TODAY - timedelta(days=1), commune=TREAS)  # fmt: skip

    def shown(query: str) -> list[str]:
        return re.findall(r'data-label="Page"[^>]*><a[^>]*>([^<]+)</a>', panel.get(f"{HOME}{query}").text)

    assert shown("") == ["Later", "Birth certificate"]
    assert shown("?page=2") == ["Budget 2026", "Over"]
    assert shown("?where=all") == ["Later", "Birth certificate"]
    assert shown(f"?where={TA_PHOU}") == ["Budget 2026"]
    assert shown("?about=budget") == ["Budget 2026"]
    assert shown("?service=office&standing=over") == ["Over"]
    assert "To come from 2 Dec 2026 on" in panel.read(f"{HOME}?standing=to+come")
    assert "Over until 22 Nov 2026" in panel.read(f"{HOME}?standing=over")
    assert "There is no such page." in panel.read(f"{HOME}?about=hours")
    for wrong in ("?page=3", "?page=0", "/9", "/9/edit", "/99999999999999999999", "/x"):
        assert panel.get(f"{HOME}{wrong}").status_code == 404
    for deed in ("edit", "archive"):
        assert panel.send(f"{HOME}/new?about=fees", f"{HOME}/9/{deed}").status_code == 404


@on_one_database
def test_what_is_read_most_is_told_and_by_whom_is_not(panel: Browser, installation: Installation) -> None:  # noqa: F811
    add(installation)
    add(installation, BUDGET)
    with installation.store.write() as db:
        for day, channel, which, times in (("2026-11-01", "ussd", 2, 3), ("2026-10-01", "sms", 2, 1),
                                          ("2026-11-01", "sms", 1, 1), ("2025-11-01", "sms", 1, 9)):  # fmt: skip
            for _once in range(times):
                reads.count(db, which, channel, date.fromisoformat(day))
    page = panel.read(HOME)
    assert "Most read Since Dec 2025, by USSD and SMS." in page
    assert "Budget 2026 Ta Phou 4 Birth certificate All communes 1" in page
    assert "Month USSD SMS In all Nov 2026 3 0 3 Oct 2026 0 1 1" in panel.read(f"{HOME}/2")


# whose pages --------------------------------------------------------------------------------------


@pytest.fixture
def of_treas(panel: Browser, installation: Installation) -> Browser:  # noqa: F811
    """The same member of staff, with Treas alone."""
    with installation.store.write() as db:
        member = db.scalar(select(staff.staff.c.id).where(staff.staff.c.name == NAME))
        db.execute(staff.staff_communes.insert().values(staff_id=member, commune=TREAS))
    return panel


@on_one_database
def test_staff_of_one_commune_write_its_pages_and_none_for_all(of_treas: Browser, installation: Installation) -> None:
    add(installation)
    add(installation, BUDGET)
    assert "No page yet" in of_treas.read(HOME)
    assert "All communes" not in of_treas.get(f"{HOME}/new?about=fees").text
    assert fill_in(of_treas, **{"words-en": "", "words-km": ""}).status_code == 422
    assert count(installation) == 2
    assert fill_in(of_treas, commune=TA_PHOU).status_code == 404
    assert fill_in(of_treas, commune=TREAS).headers["Location"] == f"{HOME}/3"
    assert "Birth certificate Treas Fees" in of_treas.read(HOME)
    for page in (1, 2):
        assert of_treas.get(f"{HOME}/{page}").status_code == 404
        assert of_treas.send(HOME + "/3", f"{HOME}/{page}/archive", away="yes").status_code == 404


@on_one_database
@pytest.mark.parametrize("lang", ["km", "en"])
def test_no_page_has_a_script_of_its_own_or_an_inline_style(
    panel: Browser,  # noqa: F811
    installation: Installation,
    lang: str,
) -> None:
    panel.send("/admin/tallies", "/admin/language", lang=lang)
    add(installation)
    add(installation, BUDGET)
    for path in ("", "/new", "/new?about=fees", "/new?about=budget", "/new?about=notice", "/1", "/1/edit", "/2/edit"):
        answer = panel.get(f"{HOME}{path}")
        assert answer.status_code == 200
        assert not re.search(r"<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=", answer.text)
