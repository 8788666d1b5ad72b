"""The public results, as any phone sees them: without a login, without a cookie, light, and only what is public."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from sqlalchemy import update

import gateway
from gateway import create_app
from gateway.menus.wording import catalogue
from gateway.models.installation import mark_demo, set_pause
from gateway.models.promises import Standing, checks
from gateway.promises.commitments import Commitment, set_standing
from gateway.promises.commitments import add as add_commitment
from gateway.wording import CATALOGUES
from tests.conftest import COMMUNES, Installation
from tests.test_panel import PASSWORD, Browser, add, text
from tests.test_publishing import Programme, at, programme  # noqa: F401

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
ONE = f"/results/{TA_PHOU}/1"
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """The first day on which the round of `programme` is public, when it was published on 1 December."""
    with time_machine.travel(at("2026-12-08 00:00"), tick=False) as clock:
        yield clock


@pytest.fixture
def app(programme: Programme) -> Flask:  # noqa: F811
    programme.publish("2026-12-01 09:00")
    return create_app(programme.house.settings)


@pytest.fixture
def reader(app: Flask) -> Browser:
    """Anybody."""
    return Browser(app.test_client())


# what is told --------------------------------------------------------------------------------------


def test_a_round_is_told_with_all_that_makes_its_figures_understood(reader: Browser) -> None:
    page = reader.read(f"{ONE}?lang=en")
    for says in (
        "Ta Phou, round 1 Svay Chek district · 23 Nov 2026 to 30 Nov 2026",
        "Satisfied = scores 4 and 5, of n raters.",
        "2 Health centre 70% ±31 satisfied",
        "1 Very dissatisfied 1", "3 Acceptable 1", "5 Very satisfied 4",
        "n 10: 10 female, 0 aged 15-30 · mean 3.80 · median 4",
        "3 Primary school not shown",
        "not shown = fewer than 10 different phones, or all gave the same answer.",
        "The figures were fixed when the round closed on 30 Nov 2026. Public since 8 Dec 2026.",
    ):  # fmt: skip
        assert says in page, says
    khmer = reader.read(ONE)
    assert "តាផូ ជុំទី 1 ស្រុកស្វាយចេក" in khmer
    assert "2 មណ្ឌលសុខភាព 70% ±31 ពេញចិត្ត" in khmer
    assert "Satisfied" not in khmer


def test_the_change_is_told_once_both_rounds_are_public(
    programme: Programme,  # noqa: F811
    reader: Browser,
    clock: time_machine.Traveller,
) -> None:
    programme.hold_round("1155123455")
    programme.publish("2026-12-15 09:00")
    clock.move_to(at("2026-12-22 09:00"))
    page = reader.read(f"/results/{TA_PHOU}/2?lang=en")
    assert "50% ±31 satisfied −20 points since round 1 (±44)" in page
    assert "Round 2 Round 1" in page
    (second,) = json.loads(reader.get(f"/results.json?commune={TA_PHOU}").text)[:1]
    assert next(one["change"] for one in second["services"] if one["number"] == 2) == {"points": -20, "margin": 44}


def test_the_list_names_communes_with_their_districts_and_is_searched(reader: Browser) -> None:
    page = reader.read("/results/?lang=en")
    assert "Ta Phou 010806 · Svay Chek district Round 1 23 Nov 2026 to 30 Nov 2026 Treas 010807" in page
    found = reader.read("/results/?lang=en&q=ta+phou")
    assert "Ta Phou" in found
    assert "Treas" not in found
    assert "No commune of that name has published results." in reader.read("/results/?lang=en&q=Paris")
    assert "តាផូ" in reader.read("/results/?q=តាផូ")


def test_the_list_and_the_data_come_in_pages(reader: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.results_pages.PAGE", 3)
    first, second = reader.read("/results/?lang=en"), reader.read("/results/?lang=en&page=2")
    assert ("More" in first, "Treas" in first) == (True, False)
    assert ("More" in second, "Treas" in second) == (False, True)
    data = reader.get("/results.json?lang=en")
    assert len(json.loads(data.text)) == 3
    following = re.fullmatch('<(.+)>; rel="next"', data.headers["Link"])
    assert following
    rest = reader.get(following[1])
    assert [one["commune"] for one in json.loads(rest.text)] == [TREAS]
    assert "Link" not in rest.headers


def test_the_data_have_the_form_of_a_tally_and_say_more(reader: Browser) -> None:
    answer = reader.get(f"/results.json?commune={TA_PHOU}")
    assert answer.content_type == "application/json"
    (round_,) = json.loads(answer.text)
    assert {name: value for name, value in round_.items() if name != "services"} == {
        "commune": TA_PHOU, "commune_name": "Ta Phou", "round": 1, "from": "2026-11-23", "to": "2026-11-30",
        "public_on": "2026-12-08",
    }  # fmt: skip
    office, health = round_["services"][:2]
    assert health == {
        "service": "health", "number": 2, "label": "Health centre", "n": 10, "numbers": 10, "female": 10,
        "counts": [1, 1, 1, 3, 4], "mean": 3.8, "median": 4.0, "satisfied": 0.7, "shown": True, "margin": 0.3099,
        "change": None, "indicators": health["indicators"],
    }  # fmt: skip
    assert office["shown"] is False
    assert {office[name] for name in ("n", "numbers", "female", "mean", "satisfied", "margin", "change")} == {None}
    assert json.loads(reader.get("/results.json?lang=km").text)[0]["commune_name"] == "ពន្លៃ"


# what is not ---------------------------------------------------------------------------------------


def test_nothing_is_told_before_its_day_in_a_pause_or_when_it_was_taken_back(
    programme: Programme,  # noqa: F811
    reader: Browser,
    clock: time_machine.Traveller,
) -> None:
    def is_told() -> bool:
        page, listed, data = reader.get(ONE), reader.read("/results/?lang=en"), reader.get("/results.json").text
        told = page.status_code == 200
        assert (told, told) == ("Ta Phou" in listed, "010806" in data)
        assert told or ("Nothing to read here" in reader.read(f"{ONE}?lang=en") and "No results yet" in listed)
        return told

    assert is_told()
    clock.move_to(at("2026-12-07 23:59"))
    assert not is_told()
    with programme.house.store.write() as db:
        set_pause(db, (date(2026, 12, 7), date(2026, 12, 9)))
    for moment, told in (("2026-12-08 00:00", False), ("2026-12-09 23:59", False), ("2026-12-10 00:00", True)):
        clock.move_to(at(moment))
        assert is_told() is told, moment
    programme.unpublish("2026-12-10 09:00")
    assert not is_told()


@on_one_database
@pytest.mark.parametrize(
    "path",
    [
        "/results/999999/1", f"/results/{TA_PHOU}/2", f"/results/{TA_PHOU}/0", "/results/010806/99999999999999999999",
        "/results/%00/1", "/results/x/1", "/results/1/2/3", f"/results/{TA_PHOU}", f"/results/{TA_PHOU}/x",
        "/results/?page=0", "/results/?page=2", "/results/?page=99999999999999999999", "/results.json?page=2",
        "/results.json?commune=%00",
    ],
)  # fmt: skip
def test_what_is_not_there_gets_a_page_that_leads_on(reader: Browser, path: str) -> None:
    answer = reader.get(path)
    assert answer.status_code == 404
    assert "លទ្ធផលទាំងអស់" in text(answer)


@on_one_database
@pytest.mark.parametrize("query", ["page=x", "lang=x", "q=%00", "q=%F0%9F%98%80", "lang=km-Latn", "q=" + "x" * 2000])
def test_odd_questions_do_no_harm(reader: Browser, query: str) -> None:
    assert reader.get(f"/results/?{query}").status_code == 200
    assert reader.get(f"/results.json?{query}").status_code == 200


@on_one_database
def test_what_was_searched_is_shown_as_text(reader: Browser) -> None:
    page = reader.get("/results/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script" not in page


# how it comes --------------------------------------------------------------------------------------


@on_one_database
def test_no_cookie_is_set_and_none_is_asked_for(app: Flask, programme: Programme) -> None:  # noqa: F811
    add(programme.house, "sokha", "council")
    browser = Browser(app.test_client())
    browser.log_in("sokha", PASSWORD)
    for someone in (Browser(app.test_client()), browser):
        for path in ("/", "/results/", ONE, "/results.json", "/results/nothing"):
            answer = someone.get(path)
            assert "Set-Cookie" not in answer.headers, path
            assert "Cookie" not in answer.headers.get("Vary", ""), path


@on_one_database
@pytest.mark.parametrize("path", ["/results/", ONE, "/results/nothing"])
def test_pages_carry_their_protection_and_no_script(reader: Browser, path: str) -> None:
    answer = reader.get(path)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<style|<script|\sstyle=|\son[a-z]+=|https?://", answer.text)


@on_one_database
@pytest.mark.parametrize("path", ["/results/", ONE, "/results.json"])
def test_a_copy_may_be_kept_for_minutes_and_is_not_sent_twice(reader: Browser, path: str) -> None:
    first = reader.get(path, headers={"Accept-Encoding": "gzip"})
    assert first.headers["Cache-Control"] == "public, max-age=300"
    plain = reader.get(path)
    assert plain.headers["ETag"] == first.headers["ETag"]
    again = reader.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    other = reader.get(f"{path}?lang=en" if path != "/results.json" else "/results.json?lang=km")
    assert other.headers["ETag"] != first.headers["ETag"]


@on_one_database
def test_what_was_taken_back_is_not_said_to_be_unchanged(programme: Programme, reader: Browser) -> None:  # noqa: F811
    tags = {path: reader.get(path).headers["ETag"] for path in (ONE, "/results/", "/results.json")}
    programme.unpublish("2026-12-08 09:00")
    answers = {path: reader.get(path, headers={"If-None-Match": tag}).status_code for path, tag in tags.items()}
    assert answers == {ONE: 404, "/results/": 200, "/results.json": 200}


@on_one_database
@pytest.mark.parametrize("lang", ["km", "en"])
def test_a_page_with_its_styles_weighs_less_than_40_kb_even_uncompressed(reader: Browser, lang: str) -> None:
    page = reader.get(f"{ONE}?lang={lang}")
    files = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
    assert len(files) == 2
    assert sum(len(one.data) for one in (page, *(reader.get(file) for file in files))) < 40_000


@on_one_database
def test_invented_data_are_called_so_and_the_first_page_leads_here(
    programme: Programme,  # noqa: F811
    reader: Browser,
) -> None:
    assert "invented" not in reader.read(ONE)
    with programme.house.store.write() as db:
        mark_demo(db)
    assert "Demonstration: all data are invented." in reader.read(ONE)
    assert 'href="/results/"' in reader.get("/").text


def test_before_anything_is_public_the_page_says_how_to_take_part(installation: Installation) -> None:
    page = Browser(create_app(installation.settings).test_client()).read("/results/?lang=en")
    assert "No results yet" in page
    assert "dial *855#" in page


# the words -----------------------------------------------------------------------------------------


def test_everything_is_said_in_khmer_with_its_values_and_nothing_is_left_over() -> None:
    inside = Path(gateway.__file__).parent
    said: set[str] = set()
    for path in [*inside.glob("templates/result*.html"), *inside.rglob("*.py")]:
        source = path.read_text()
        if path.suffix == ".html" or "_ = Sentence\n" in source:
            said |= {a or b for a, b in re.findall(r"""\b_\(\s*(?:"([^"]+)"|'([^']+)')""", source)}
    khmer = catalogue("km", CATALOGUES)
    assert set(khmer) == said
    for english, translated in khmer.items():
        assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", translated)), english


# what was promised --------------------------------------------------------------------------------


@on_one_database
def test_what_was_promised_stands_below_with_what_villagers_say(
    programme: Programme,  # noqa: F811
    reader: Browser,
    clock: time_machine.Traveller,
) -> None:
    """Figures of a check that closed, a week after it did; nothing of it in a pause."""
    house = programme.house
    day = date(2026, 11, 30)
    well = {"km": "ជួសជុលអណ្តូង", "en": "Repair the well"}
    with house.store.write() as db:
        for activity, shown in ((well, True), ({"km": "លាក់", "en": "Hidden"}, False)):
            one = Commitment(id=0, commune=TA_PHOU, activity=activity, responsible="x", due=day, shown=shown)
            made = add_commitment(db, house.settings, one, None, house.clock.now)
            if shown:
                set_standing(db, made, Standing.DONE, day, "", None, house.clock.now)
                frozen = json.dumps({"said": [21, 5, 8, 3], "female": 17})
                db.execute(checks.insert().values(
                    commitment=made, opened=day, until=day, closed=date(2026, 12, 1), counts=frozen
                ))  # fmt: skip
    page = reader.read(f"{ONE}?lang=en")
    assert "What was promised Repair the well , by 30 Nov 2026 Council: done; villagers: 62% yes of 34" in page
    assert "(partly 5, no 8, do not know 3; female 17) Villagers' share: of those who said" in page
    assert "Hidden" not in page
    khmer = reader.read(ONE)
    assert "ជួសជុលអណ្តូង , មុន" in khmer
    assert "ឃុំ៖ រួចហើយ អ្នកភូមិ៖ 62% ថាធ្វើហើយ ក្នុង 34 នាក់ (ខ្លះ 5 ទេ 8 មិនដឹង 3។ ស្រី 17)" in khmer
    with house.store.write() as db:
        db.execute(update(checks).values(closed=date(2026, 12, 2)))
    early = reader.read(f"{ONE}?lang=en")
    assert "Council: done" in early
    assert "villagers" not in early
    with house.store.write() as db:
        set_pause(db, (date(2026, 12, 10), date(2026, 12, 12)))
    clock.move_to(at("2026-12-11 09:00"))
    assert "Repair the well" not in reader.read(f"{ONE}?lang=en")
