"""The page of the tallies: what staff see of one breakdown at a time, and what they take with them."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime

import pytest
import time_machine

import admin.figures.tallies as page_of_tallies
from gateway.models.answers import OVERALL
from gateway.scorecard import breakdowns
from tests.conftest import Installation
from tests.test_breakdowns import MIXED, PONLEY, TA_PHOU, TEAN_KAM, TREAS, ask, keep, rows_of
from tests.test_panel import Browser, _quick_passwords, app, browser, on_one_database, panel, text

__all__ = ["_quick_passwords", "app", "browser", "panel"]

HERE = f"/admin/tallies?commune={TA_PHOU}"


@pytest.fixture
def house(installation: Installation) -> Installation:
    """With an open round in all four communes."""
    installation.open_round()
    return installation


def four_communes(house: Installation) -> None:
    keep(
        house,
        rows_of(MIXED)
        + rows_of("123451", 30, commune=TREAS)
        + rows_of("4444455555", 50, commune=PONLEY)
        + rows_of(MIXED * 2, 90, commune=TEAN_KAM),
    )


def test_parts_stand_under_their_service_as_bars_and_as_a_table(panel: Browser, house: Installation) -> None:
    keep(house, rows_of("1122334455", who="woman-15-30") + rows_of("444555111123", 50, who="man-31"))
    page = panel.read(f"{HERE}&by=who")
    assert "2 Health centre 45% ±21 points satisfied" in page
    assert "Raters (n) 22 Phones 22 Female 10 Aged 15–30 10 Mean 3.00 Median 3" in page
    bars, _, table = page.partition("These figures as a table")
    assert "Women 15–30 40% ±31 n 10 Women over 30 not shown Men 15–30 not shown Men over 30 50% ±28 n 12" in bars
    assert "Others not shown Did not say not shown" in bars
    assert (
        "Part Very dissatisfied: 1 Dissatisfied: 2 Acceptable: 3 Satisfied: 4 Very satisfied: 5 n Phones Female "
        "Aged 15–30 Mean Median Satisfied Change Women 15–30 2 2 2 2 2 10 10 10 10 3.00 3 40% ±31 – "
        "Women over 30 not shown"
    ) in table
    assert "satisfied = scores 4 and 5, of n raters" in page
    assert "or it would give away another part. Which of these is never told." in page
    assert "1 Commune office not shown" in page


def test_a_service_of_which_no_part_is_shown_says_so_once(panel: Browser, house: Installation) -> None:
    keep(house, rows_of("123456"[:5], who="woman-31") + rows_of("12345", 50, who="man-31"))
    page = panel.read(f"{HERE}&by=who")
    assert "No part of it is shown." in page
    assert "Women over 30" not in page


def test_assisted_stand_apart_on_demand(panel: Browser, house: Installation) -> None:
    keep(house, rows_of(MIXED, channel="assisted") + rows_of(MIXED * 2, 50))
    page = panel.read(f"{HERE}&by=channel")
    assert "Phone, by dialling 40% ±22 n 20 Phone, by SMS not shown Recorded by a volunteer 40% ±31 n 10" in page
    assert "Whoever a volunteer recorded counts as one phone." in page


def test_weeks_are_drawn_and_lead_to_a_page_of_their_own(browser: Browser, house: Installation) -> None:
    keep(house, rows_of(MIXED) + rows_of("4444444441", 50, days=7) + rows_of("123", 90, days=14))
    with time_machine.travel(datetime(2026, 12, 7, 3, tzinfo=UTC)):
        browser.log_in(page="/admin/login?lang=en")
        page = browser.get(f"{HERE}&by=week")
        # the round less two weeks would be three phones
        assert "Week from 23 Nov 2026 not shown Week from 30 Nov 2026 90% ±31 n 10" in text(page)
        assert page.text.count('class="gap"') == 2
        assert "A dashed column is not shown: 2 of 3." in text(page)
        keep(house, rows_of(MIXED) + rows_of("4444444441", 50, days=7) + rows_of(MIXED, 90, days=14))
        page = browser.get(f"{HERE}&by=week")
        assert page.text.count("<rect") == 3
        assert 'class="gap"' not in page.text
        links = re.findall(r'href="([^"]+week=2026-W49)"', page.text)
        week = browser.read(links[0].replace("&amp;", "&"))
        assert "Round 1 · week from 30 Nov 2026 to 6 Dec 2026" in week
        assert "2 Health centre 90% ±31 points satisfied How many" in week
        assert "No figures in this week" in browser.read(f"{HERE}&week=2027-W09")


def test_extra_questions_fold_out_under_their_service(panel: Browser, house: Installation) -> None:
    ask(house, "waiting", "price")
    keep(house, rows_of(MIXED * 2) + rows_of("4444455555", indicator="waiting") + rows_of("12", indicator="price"))
    page = panel.read(HERE)
    assert "Questions about it (2) waiting 100% ±31 n 10 price not shown" in page
    assert OVERALL not in page


def test_a_district_and_the_programme_are_sums_of_what_communes_show(panel: Browser, house: Installation) -> None:
    four_communes(house)
    page = panel.read("/admin/tallies?place=all&by=commune")
    assert "All communes open since 23 Nov 2026" in page
    assert "2 Health centre 55% ±15 points satisfied" in page  # 22 of 40
    assert "The sum of 3 of 4 communes: those that are shown." in page
    assert "Ponley 100% ±31 n 10 Tean Kam 40% ±22 n 20 Ta Phou 40% ±31 n 10 Treas not shown" in page
    district = panel.read("/admin/tallies?place=0108")
    assert "Svay Chek 0108 open since" in district
    assert "The sum of 1 of 2 communes" in district
    assert "Phnum Srok 100% ±31 n 10" in panel.read("/admin/tallies?place=all&by=district")


def test_the_communes_of_one_round_stand_together(panel: Browser, installation: Installation) -> None:
    first = installation.open_round(TA_PHOU, TREAS)
    keep(installation, rows_of(MIXED) + rows_of(MIXED, 30, commune=TREAS), first)
    assert "The 2 communes of this round" in panel.read(HERE)
    page = panel.read(f"/admin/tallies?group={first}&by=commune")
    assert "2 communes of one round" in page
    assert "Ta Phou 40% ±31 n 10 Treas 40% ±31 n 10" in page


def test_the_change_of_a_part_is_told_where_both_rounds_show_it(panel: Browser, house: Installation) -> None:
    keep(house, rows_of("4411111111") + rows_of("5555511111", 50, commune=TREAS))
    house.clock.forward(days=10)
    house.close_round(1)
    house.open_round()
    keep(house, rows_of("4444441111") + rows_of("5555555511", 50, commune=TREAS), 2)
    assert "60% ±31 +40 (±44)" in panel.read(f"{HERE}&by=who")
    assert "+40 points since round 1 (±44)" in panel.read(HERE)
    page = panel.read("/admin/tallies?place=0108&by=commune")
    assert "70% ±22 points satisfied +35 points since the rounds before (±31)" in page
    assert "Latest rounds Round 2 Round 1" in page
    assert "35% ±22 points satisfied First round here" in panel.read("/admin/tallies?place=0108&round=1")


@on_one_database
@pytest.mark.parametrize(
    "asked",
    [
        "commune=010806&by=score", "commune=010806&by=commune", "commune=010806&by=indicator",
        "commune=010806&week=47", "commune=010806&week=2026-W48&by=who", "commune=010806&week=2026-W99", "place=09",
        "place=01080", "place=0", "group=9", "group=0", "group=x", "group=99999999999999999999", "place=all&round=2",
        "place=all&round=-1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("page", ["tallies", "tallies.csv"])
def test_what_is_not_there_is_not_found(panel: Browser, house: Installation, page: str, asked: str) -> None:
    four_communes(house)
    assert panel.get(f"/admin/{page}?{asked}").status_code == 404


@on_one_database
def test_so_many_communes_are_offered_wider_parts_only(
    panel: Browser, house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    four_communes(house)
    ask(house, "waiting")
    for module in (breakdowns, page_of_tallies):
        monkeypatch.setattr(module, "MOST", 3)
    monkeypatch.setattr(page_of_tallies, "MANY", 3)
    page = panel.get("/admin/tallies?place=all")
    assert page.status_code == 200
    assert re.findall(r"by=(\w+)", page.text.partition("Figures by")[2].partition("</nav>")[0]) == ["district"]
    for by in ("who", "week", "channel", "commune"):
        assert panel.get(f"/admin/tallies?place=all&by={by}").status_code == 404
    assert panel.get("/admin/tallies?place=all&week=2026-W48").status_code == 404


@on_one_database
def test_before_any_round_every_place_says_so(panel: Browser) -> None:
    for asked in ("place=all", "place=0108", f"commune={TA_PHOU}"):
        assert "No round yet" in panel.read(f"/admin/tallies?{asked}")
    assert panel.get("/admin/tallies.csv?place=all").status_code == 404


def test_what_is_taken_along_is_what_the_page_shows(panel: Browser, house: Installation) -> None:
    keep(house, rows_of("1122334455", who="woman-15-30") + rows_of("444555111123", 50, who="man-31"))
    link = re.search(r'href="(/admin/tallies\.csv[^"]+)"', panel.get(f"{HERE}&by=who").text)
    assert link
    answer = panel.get(link[1].replace("&amp;", "&"))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="tallies-{TA_PHOU}-who.csv"'
    assert answer.data.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(answer.data.decode("utf-8-sig")))
    assert head[:6] == ["Place", "Round", "From", "To", "Service", "Part"]
    assert head[6:10] == ["Raters (n)", "Phones", "Female", "Aged 15–30"]
    health = [row for row in rows if row[4] == "Health centre"]
    assert [row[0] for row in health] == ["Ta Phou"] * 7
    assert health[0][6:] == ["22", "22", "10", "10", "6", "3", "3", "5", "5", "3.0", "3.0", "45", "21"]
    assert health[1][5:] == ["Women 15–30", "10", "10", "10", "10", "2", "2", "2", "2", "2", "3.0", "3.0", "40", "31"]
    assert health[2][5:] == ["Women over 30", "not shown"]
    assert next(row[5:] for row in rows if row[4] == "Commune office") == ["", "not shown"]


def test_it_is_for_staff_alone(app: object, browser: Browser, panel: Browser, house: Installation) -> None:
    panel.send("/admin/tallies", "/admin/logout")
    assert browser.get(f"/admin/tallies.csv?commune={TA_PHOU}").status_code == 302


def test_khmer_says_it_too(panel: Browser, house: Installation) -> None:
    keep(house, rows_of("1122334455", who="woman-15-30") + rows_of("444555111123", 50, who="man-31"))
    panel.send("/admin/tallies", "/admin/language", lang="km")
    page = panel.read(f"{HERE}&by=who")
    assert "ស្រី 15–30 40% ±31 n 10 ស្រីលើស 30 មិនបង្ហាញ" in page
    assert "Part" not in page
