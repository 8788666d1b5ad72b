"""Rounds, services and questions in the panel, as a browser without scripts sees them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from gateway.models.editions import newest, publish, read_edition
from gateway.models.places import join_programme, places
from gateway.models.rounds import round_communes, round_indicators, round_services, rounds
from gateway.models.services import indicators, services
from gateway.scorecard import rated
from tests.conftest import COMMUNES, Installation
from tests.test_panel import Browser, add, app, browser, on_one_database, panel, rate, text  # noqa: F401

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
PONLEY, TA_PHOU = COMMUNES[0], COMMUNES[2]
WAITING = {"text-km": "រយៈពេលរង់ចាំ", "text-km-Latn": "Rong cham", "text-en": "The waiting time"}
MARKET = {"name-km": "ផ្សារ", "name-km-Latn": "Phsar", "name-en": "Market", "number": "6"}


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[Any]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def boss(app: Flask, installation: Installation) -> Browser:  # noqa: F811
    """An admin."""
    add(installation, "boss", "admin")
    browser = Browser(app.test_client())  # noqa: F811
    browser.log_in("boss", page="/admin/login?lang=en")
    return browser


def opened(panel: Browser, **change: Any) -> TestResponse:  # noqa: F811
    fields: dict[str, Any] = {"places": [PONLEY, TA_PHOU], "services": ["office", "health"], "until": ""}
    return panel.send("/admin/rounds/new", **fields | change)


def chosen(at: Installation, round_id: int = 1) -> tuple[set[str], set[str], set[str]]:
    """The communes, services and questions of a round."""
    with at.store.read() as db:
        return (
            set(db.scalars(select(round_communes.c.commune).where(round_communes.c.round_id == round_id))),
            set(db.scalars(select(round_services.c.service_id).where(round_services.c.round_id == round_id))),
            set(db.scalars(select(round_indicators.c.indicator_id).where(round_indicators.c.round_id == round_id))),
        )


def ticked(page: TestResponse, name: str) -> dict[str, bool]:
    """The boxes of a form: whether each is ticked."""
    found = re.findall(rf'<input[^>]* name="{name}" value="([^"]*)"([^>]*)>', page.text)
    return {html.unescape(value): "checked" in rest for value, rest in found}


# rounds -------------------------------------------------------------------------------------------


def test_the_first_page_says_what_a_round_is_and_leads_to_opening_one(panel: Browser) -> None:  # noqa: F811
    page = panel.read("/admin/rounds")
    assert "No round yet" in page
    assert 'href="/admin/rounds/new"' in panel.get("/admin/rounds").text
    form = panel.get("/admin/rounds/new")
    assert ticked(form, "places") == dict.fromkeys(COMMUNES, True)
    assert ticked(form, "services") == dict.fromkeys(("office", "health", "school", "window"), True)


def test_a_round_is_opened_listed_and_shown(panel: Browser, installation: Installation) -> None:  # noqa: F811
    with installation.store.write() as db:
        for english in ("The waiting time", "Medicine"):
            texts = {"km": "រង់ចាំ", "km-Latn": "Rong cham", "en": english}
            rated.add_question(db, "health", texts, NOON)  # type: ignore[arg-type]
    assert ticked(panel.get("/admin/rounds/new"), "questions") == {"health-1": True, "health-2": True}
    answer = opened(panel, questions=["health-2"], until="2026-12-20")
    assert answer.headers["Location"] == "/admin/rounds/1"
    assert chosen(installation) == ({PONLEY, TA_PHOU}, {"office", "health"}, {"health-2"})
    page = panel.read("/admin/rounds/1")
    assert "The round is open: people can rate from now on." in page
    assert "Round 1 Ponley, Ta Phou" in page
    assert "First day 23 Nov 2026 Last day 20 Dec 2026 (planned)" in page
    assert "Raters (n) not shown until 10 different phones rated" in page
    assert "1 Commune office 2 Health centre Medicine" in page
    assert "Round 1 Ponley, Ta Phou Open 23 Nov 2026 20 Dec 2026 planned not shown" in panel.read("/admin/rounds")
    rate(installation, "1234512345")
    assert "20 Dec 2026 planned 10" in panel.read("/admin/rounds")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"places": []}, "Choose a commune without an open round."),
        ({"places": ["999999"]}, "Choose a commune without an open round."),
        ({"places": [COMMUNES[1], TA_PHOU]}, "A round is open in Tean Kam. Close it first."),
        ({"services": []}, "Choose a service: a round without one has nothing to rate."),
        ({"services": ["police"]}, "Choose a service: a round without one has nothing to rate."),
        ({"until": "2026-11-22"}, "This day is over already."),
        ({"until": "soon"}, "Give a day, such as 2026-12-31."),
    ],
)
@on_one_database
def test_what_is_wrong_is_said_and_what_was_typed_stays(
    panel: Browser,  # noqa: F811
    installation: Installation,
    fields: dict[str, Any],
    says: str,
) -> None:
    installation.open_round(COMMUNES[1])
    answer = opened(panel, **fields)
    assert answer.status_code == 422
    assert says in text(answer)
    typed = {"places": [PONLEY, TA_PHOU], "services": ["office", "health"]} | fields
    free = {code for code in typed["places"] if code in COMMUNES and code != COMMUNES[1]}
    assert {code for code, is_ticked in ticked(answer, "places").items() if is_ticked} == free
    assert {s for s, is_ticked in ticked(answer, "services").items() if is_ticked} == set(typed["services"]) - {
        "police"
    }
    with installation.store.read() as db:
        assert len(db.execute(select(rounds)).all()) == 1


def test_a_form_sent_twice_opens_one_round(panel: Browser, installation: Installation) -> None:  # noqa: F811
    assert opened(panel).status_code == 302
    assert "A round is open in Ponley, Ta Phou. Close it first." in text(opened(panel))
    with installation.store.read() as db:
        assert len(db.execute(select(rounds)).all()) == 1


def test_where_every_commune_has_a_round_the_form_says_so(panel: Browser, installation: Installation) -> None:  # noqa: F811
    installation.open_round()
    assert "A round is open in every commune" in panel.read("/admin/rounds/new")


def test_many_communes_are_chosen_by_province_and_district(panel: Browser, installation: Installation) -> None:  # noqa: F811
    new = [
        f"{province}{district:02}{commune:02}"
        for province in ("20", "21")
        for district in (1, 2)
        for commune in range(1, 4)
    ]
    with installation.store.write() as db:
        above = sorted({code[:size] for code in new for size in (2, 4)})
        for code in (*above, *new):
            level = {2: "province", 4: "district", 6: "commune"}[len(code)]
            values = {"code": code, "level": level, "unit": level, "name_km": f"ក{code}", "name_en": f"P{code}"}
            db.execute(places.insert().values(values))
        join_programme(db, new)
        publish(db, NOON)
    installation.open_round(new[0])
    page = panel.read("/admin/rounds/new")
    assert "16 communes take part." in page
    assert "All of P20 without an open round" in page
    assert set(ticked(panel.get("/admin/rounds/new"), "places").values()) == {False}
    answer = opened(panel, places=["20", "2102", "210101"])
    assert answer.status_code == 302, text(answer)
    assert chosen(installation, 2)[0] == {*new[1:6], *new[9:12], "210101"}
    assert "9 communes" in panel.read("/admin/rounds")
    assert "P210101" in panel.read("/admin/rounds/2")
    again = opened(panel, places=["21", "210103"])
    assert chosen(installation, 3)[0] == {"210102", "210103"}
    assert again.status_code == 302


def test_the_last_day_can_be_changed_and_a_round_beyond_it_is_marked(
    panel: Browser,  # noqa: F811
    installation: Installation,
    at_noon: Any,
) -> None:
    opened(panel)
    assert panel.send("/admin/rounds/1", "/admin/rounds/1/until", until="2026-11-25").status_code == 302
    assert "Open, its last day is near" in panel.read("/admin/rounds")
    wrong = panel.send("/admin/rounds/1", "/admin/rounds/1/until", until="2026-11-22")
    assert wrong.status_code == 422
    assert "This day is over already." in text(wrong)
    at_noon.shift(3 * 24 * 3600)
    panel.log_in(page="/admin/login?lang=en") if "Log out" not in panel.read("/admin/rounds") else None
    assert "Open beyond its last day: close it" in panel.read("/admin/rounds")
    assert "Open beyond its last day: close it" in panel.read("/admin/rounds/1")
    assert panel.send("/admin/rounds/1", "/admin/rounds/1/until", until="").status_code == 302
    with installation.store.read() as db:
        assert db.scalar(select(rounds.c.until)) is None


def test_closing_says_what_it_destroys_asks_and_does_it(panel: Browser, installation: Installation) -> None:  # noqa: F811
    opened(panel)
    rate(installation, "123451234512")
    rate(installation, "12", service="1")
    page = panel.read("/admin/rounds/1/close")
    assert "Conversations of this round 14 " in page
    assert "SMS that came in, of all rounds: text and sender none" in page
    assert "Answers, with day and without a phone 14 " in page
    assert "Released figures 0 and what is enough to be released now" in page
    unsure = panel.send("/admin/rounds/1/close")
    assert unsure.status_code == 422
    assert "Tick that you have read what closing destroys." in text(unsure)
    assert panel.send("/admin/rounds/1/close", sure="yes").headers["Location"] == "/admin/rounds/1"
    page = panel.read("/admin/rounds/1")
    assert "The round is closed, and its key is destroyed." in page
    assert "State Closed First day 23 Nov 2026 Last day 23 Nov 2026 Raters (n) 12" in page
    assert "written anew in the background" not in page
    assert not list(installation.keys.folder.glob("round-*"))
    with installation.store.write() as db:
        db.execute(update(round_communes).where(round_communes.c.commune == PONLEY).values(forgotten=False))
    assert "The answers (communes: 1) are still being written anew in the background" in panel.read("/admin/rounds/1")
    assert panel.get("/admin/rounds/1/close").headers["Location"] == "/admin/rounds/1"
    with installation.store.read() as db:
        row = db.execute(select(rounds)).one()
    assert row.closed == date(2026, 11, 23)


def test_a_round_that_is_closed_twice_is_closed_once(panel: Browser, installation: Installation) -> None:  # noqa: F811
    opened(panel)
    token = {"csrf_token": re.search(r'csrf_token"[^>]* value="([^"]+)', panel.get("/admin/rounds/1/close").text)[1]}  # type: ignore[index]
    for _ in "12":
        assert panel.client.post("/admin/rounds/1/close", data={"sure": "yes"} | token).status_code == 302
    assert "Closed" in panel.read("/admin/rounds/1")
    with installation.store.read() as db:
        assert db.scalar(select(rounds.c.closed)) == date(2026, 11, 23)


@on_one_database
def test_few_conversations_are_not_counted_out(panel: Browser, installation: Installation) -> None:  # noqa: F811
    opened(panel)
    rate(installation, "123")
    page = panel.read("/admin/rounds/1/close")
    assert "Conversations of this round fewer than 10" in page
    assert "Answers, with day and without a phone fewer than 10" in page


@on_one_database
@pytest.mark.parametrize(
    "path",
    [
        "rounds/9",
        "rounds/9/close",
        "rounds/99999999999",
        "rounds?page=2",
        "services/nothing",
        "services/health/questions/office-1",
    ],
)
def test_what_is_not_there_is_said_so(panel: Browser, path: str) -> None:  # noqa: F811
    assert panel.get(f"/admin/{path}").status_code == 404


@on_one_database
@pytest.mark.parametrize("role", ["council", "volunteer"])
def test_councils_and_volunteers_see_none_of_it(app: Flask, installation: Installation, role: str) -> None:  # noqa: F811
    add(installation, "dara", role)
    installation.open_round()
    theirs = Browser(app.test_client())
    theirs.log_in("dara")
    for path in ("rounds", "rounds/new", "rounds/1", "rounds/1/close", "services", "services/health"):
        assert theirs.get(f"/admin/{path}").status_code == 403


# services and questions ---------------------------------------------------------------------------


def test_services_are_listed_with_what_rates_them_and_the_parts_of_a_letter(
    panel: Browser,  # noqa: F811
    installation: Installation,
) -> None:
    installation.open_round(PONLEY)
    page = panel.read("/admin/services")
    assert "2 Health centre on communes: 1 0" in page
    assert "5 Police post off sensitive – 0" in page
    assert "takes: Khmer 2 parts, Khmer in Latin letters 1 part, English 1 part." in page


def test_a_service_is_added_named_and_switched(panel: Browser, installation: Installation) -> None:  # noqa: F811
    answer = panel.send("/admin/services/new", **MARKET)
    assert answer.headers["Location"] == "/admin/services/market"
    assert "6 Market on" in panel.read("/admin/services/market")
    long = {"name-km": "ការិយាល័យច្រកចេញចូលតែមួយ", "name-km-Latn": "Phsar", "name-en": "Market, new and old"}
    refused = panel.send("/admin/services/market", **long)
    assert refused.status_code == 422
    assert "Too long for one screen by 8 signs." in text(refused)
    assert "Too long for a line of the weekly letter by 5 signs. Give a shorter name for it." in text(refused)
    assert 'value="Market, new and old"' in refused.text
    good = long | {"name-km": "ផ្សារថ្មី", "short-en": "Market"}
    assert panel.send("/admin/services/market", **good).status_code == 302
    page = panel.read("/admin/services/market")
    assert "The names are changed" in page
    assert "6 Market, new and old on" in page
    panel.send("/admin/services/market", "/admin/services/market/switch", on="no")
    assert "6 Market, new and old off" in panel.read("/admin/services/market")
    with installation.store.read() as db:
        row = db.execute(select(services).where(services.c.id == "market")).one()
        assert (row.number, row.name_km, row.short_en, row.active) == (6, "ផ្សារថ្មី", "Market", False)
        assert ["market", 6, "ផ្សារថ្មី", "Phsar", "Market, new and old"] in read_edition(db, newest(db))["services"]


@on_one_database
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name-en": " "}, "This is missing."),
        ({"name-km-Latn": "ផ្សារ"}, "Phones that show Latin letters only cannot show this."),
        ({"number": "5"}, "This number is taken, or was once. Choose another."),
        ({"number": "x"}, "This number is taken, or was once. Choose another."),
    ],
)
def test_a_service_that_cannot_be_added_is_refused_with_a_sentence(
    panel: Browser,  # noqa: F811
    change: dict[str, str],
    says: str,
) -> None:
    answer = panel.send("/admin/services/new", **MARKET | change)
    assert answer.status_code == 422
    assert says in text(answer)


def test_switching_off_what_is_rated_now_tells_what_happens_and_asks(
    panel: Browser,  # noqa: F811
    installation: Installation,
) -> None:
    installation.open_round()
    page = panel.read("/admin/services/health")
    assert "An open round rates it (communes: 4). It disappears from their menus at the next call" in page
    unsure = panel.send("/admin/services/health", "/admin/services/health/switch", on="no")
    assert unsure.status_code == 422
    assert "Tick that you are sure." in text(unsure)
    panel.send("/admin/services/health", "/admin/services/health/switch", on="no", sure="yes")
    assert "2 Health centre off" in panel.read("/admin/services/health")
    assert "2 Health centre switched off: it stands in no menu" in panel.read("/admin/rounds/1")


def test_a_sensitive_service_is_switched_on_by_an_admin_who_is_sure(
    panel: Browser,  # noqa: F811
    boss: Browser,
    installation: Installation,
) -> None:
    path = "/admin/services/police"
    assert "It is sensitive: only an admin can switch it on." in panel.read(path)
    assert panel.send(path, f"{path}/switch", on="yes", sure="yes").status_code == 403
    assert boss.send(path, f"{path}/switch", on="yes").status_code == 422
    with installation.store.read() as db:
        assert not db.scalar(select(services.c.active).where(services.c.id == "police"))
    assert boss.send(path, f"{path}/switch", on="yes", sure="yes").status_code == 302
    assert "5 Police post on" in boss.read(path)


def test_questions_are_added_ordered_worded_anew_and_archived(panel: Browser, installation: Installation) -> None:  # noqa: F811
    path = "/admin/services/health"
    assert "No question yet: callers give the score alone." in panel.read(path)
    assert panel.send(path, f"{path}/questions", **WAITING).status_code == 302
    panel.send(path, f"{path}/questions", **WAITING | {"text-en": "Medicine"})
    long = panel.send(path, f"{path}/questions", **WAITING | {"text-km": "ការយកចិត្តទុកដាក់របស់បុគ្គលិក"})
    assert long.status_code == 422
    assert "Too long for one screen by 8 signs." in text(long)
    assert 'value="ការយកចិត្តទុកដាក់របស់បុគ្គលិក"' in long.text
    panel.send(path, f"{path}/questions/health-2/up")
    assert re.search("Medicine.*The waiting time", panel.read(path))
    one = f"{path}/questions/health-2"
    assert panel.send(one, **WAITING | {"text-en": "Medicine and advice"}).status_code == 302
    installation.open_round()
    page = panel.read(one)
    assert "An open round asks this question, so its words stay." in page
    with installation.store.read() as db:
        assert db.scalar(select(indicators.c.text_en).where(indicators.c.id == "health-2")) == "Medicine and advice"
    panel.send(path, f"{one}/away", away="yes")
    page = panel.read(path)
    assert "The question is archived: nobody is asked it any more." in page
    assert "Archived (1)" in page
    with installation.store.read() as db:
        asked = read_edition(db, newest(db))["indicators"]
        assert [row[0] for row in asked["1"]] == ["health-1"]
    panel.send(path, f"{one}/away", away="no")
    with installation.store.read() as db:
        assert len(read_edition(db, newest(db))["indicators"]["1"]) == 2


@on_one_database
def test_an_eleventh_question_is_refused(panel: Browser) -> None:  # noqa: F811
    path = "/admin/services/health"
    for _ in range(10):
        assert panel.send(path, f"{path}/questions", **WAITING).status_code == 302
    eleventh = panel.send(path, f"{path}/questions", **WAITING)
    assert eleventh.status_code == 422
    assert "There are 10 questions about this service. Archive one first." in text(eleventh)
    panel.send(path, f"{path}/questions/health-1/away", away="yes")
    assert panel.send(path, f"{path}/questions", **WAITING).status_code == 302
    back = panel.send(path, f"{path}/questions/health-1/away", away="no")
    assert back.status_code == 422
    assert "There are 10 questions about this service. Archive one first." in text(back)


@on_one_database
def test_words_of_a_question_that_a_round_asks_cannot_be_posted_either(
    panel: Browser,  # noqa: F811
    installation: Installation,
) -> None:
    path = "/admin/services/health"
    panel.send(path, f"{path}/questions", **WAITING)
    installation.open_round()
    answer = panel.send(path, f"{path}/questions/health-1", **WAITING | {"text-en": "Queues"})
    assert answer.status_code == 422
    with installation.store.read() as db:
        assert db.scalar(select(indicators.c.text_en)) == "The waiting time"


@on_one_database
def test_all_of_it_is_there_in_khmer(app: Flask, installation: Installation) -> None:  # noqa: F811
    add(installation, "khmer")
    theirs = Browser(app.test_client())
    theirs.log_in("khmer", page="/admin/login?lang=km")
    installation.open_round()
    for path in ("rounds", "rounds/new", "rounds/1", "rounds/1/close", "services", "services/new", "services/health"):
        page = theirs.get(f"/admin/{path}")
        assert page.status_code == 200
        main = re.sub(r"<[^>]+>|[A-Z]{2,}", "", page.text.split("<main", 1)[1].split(">", 1)[1])
        assert not re.search("[a-z]{4,}", main), main
