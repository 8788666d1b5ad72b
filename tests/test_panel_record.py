"""Recording a respondent on the panel, as a browser without scripts does it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from admin.rights import may_open
from gateway.models import staff
from gateway.models.answers import answers
from gateway.models.staff import set_communes
from gateway.models.volunteers import ASSISTED, recorded, volunteers
from tests.conftest import COMMUNES, Installation
from tests.test_panel import PASSWORD, Browser, add, app, browser, on_one_database, panel, text
from tests.test_rights import OPEN, OWN

__all__ = ["app", "browser", "panel"]

PONLEY, _TEAN_KAM, TA_PHOU, TREAS = COMMUNES
RECORD, UNDO = "/admin/record", "/admin/record/undo"
HERE = f"{RECORD}?commune={TA_PHOU}"


@pytest.fixture(autouse=True)
def real_time(installation: Installation) -> Iterator[object]:
    """The panel's time is the installation's."""
    with time_machine.travel(installation.clock.now, tick=False) as travelling:
        yield travelling


@pytest.fixture
def volunteer(installation: Installation, app: Flask) -> Browser:
    """A volunteer's login in Ta Phou, reading English, while a round is open everywhere."""
    installation.open_round()
    add(installation, "dara", "volunteer")
    with installation.store.write() as db:
        set_communes(
            db, db.execute(select(staff.staff.c.id).where(staff.staff.c.name == "dara")).scalar_one(), [TA_PHOU]
        )
    theirs = Browser(app.test_client())
    assert theirs.log_in("dara", page="/admin/login?lang=en").headers["Location"] == RECORD
    return theirs


def form(page: str) -> dict[str, str]:
    """What is hidden in the page's form."""
    return {name: re.search(f'name="{name}" value="([^"]+)"', page)[1] for name in ("token", "commune")}  # type: ignore[index]


def fill(reader: Browser, page: str = RECORD, **fields: str) -> str:
    """The page after Save."""
    answer = reader.send(
        page, RECORD, **form(reader.get(page).text), **{name.replace("_", "-"): v for name, v in fields.items()}
    )
    if answer.status_code == 302:
        return reader.read(answer.headers["Location"])
    assert answer.status_code == 422
    return text(answer)


def kept(at: Installation) -> list[tuple[str, str, int, str | None, str]]:
    with at.store.read() as db:
        rows = db.execute(select(answers))
        return sorted((row.commune, row.service_id, row.score, row.who, row.channel) for row in rows)


def noted(at: Installation) -> int:
    with at.store.read() as db:
        return db.scalar(select(func.coalesce(func.sum(recorded.c.respondents), 0))) or 0


def test_a_volunteer_records_one_respondent_after_another(volunteer: Browser, installation: Installation) -> None:
    page = volunteer.read(RECORD)
    assert "Record a respondent Ta Phou" in page
    assert "2 Health centre 1 Very dissatisfied 2 Dissatisfied 3 Acceptable 4 Satisfied 5 Very satisfied" in page
    assert "Recorded. 1 today." in fill(volunteer, score_health="5", who="woman-15-30")
    assert "Recorded. 2 today." in fill(volunteer, score_health="2", score_school="1", who="unsaid")
    assert kept(installation) == [
        (TA_PHOU, "health", 2, "unsaid", ASSISTED),
        (TA_PHOU, "health", 5, "woman-15-30", ASSISTED),
        (TA_PHOU, "school", 1, "unsaid", ASSISTED),
    ]
    with installation.store.read() as db:
        assert db.scalar(select(func.count(answers.c.phone.distinct()))) == 2
        assert [row.name for row in db.execute(select(volunteers))] == ["dara"]


def test_the_same_form_sent_twice_is_recorded_once(volunteer: Browser, installation: Installation) -> None:
    hidden = form(volunteer.get(RECORD).text)
    fields = {**hidden, "score-health": "5", "who": "man-31"}
    for said in ("Recorded. 1 today.", "This one was recorded already. 1 today."):
        answer = volunteer.send(RECORD, **fields)
        assert said in volunteer.read(answer.headers["Location"])
    assert len(kept(installation)) == noted(installation) == 1


def test_the_same_form_sent_at_once_is_recorded_once(
    volunteer: Browser, installation: Installation, app: Flask
) -> None:
    fill(volunteer, score_health="1", who="man-31")
    for respondent in range(2, 6):
        page = volunteer.get(RECORD).text
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        cookie = volunteer.client.get_cookie("mati")
        assert token
        assert cookie
        fields = {**form(page), "csrf_token": token[1], "score-health": "5", "score-school": "4", "who": "man-31"}
        together = threading.Barrier(4)

        def press(client: FlaskClient, fields: dict[str, str] = fields, go: threading.Barrier = together) -> int:
            go.wait()
            return client.post(RECORD, data=fields, base_url=volunteer.base).status_code

        browsers = [app.test_client() for _each in range(4)]
        for each in browsers:
            each.set_cookie("mati", cookie.value)
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(press, browsers)) == {302}
        assert noted(installation) == respondent
    assert len(kept(installation)) == 1 + 2 * 4


@on_one_database
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"who": "man-31"}, "Choose a score for at least one service."),
        ({"score_health": "5"}, "Choose who they are."),
        ({"score_health": "6", "who": "man-31"}, "Choose a score for at least one service."),
        ({"score_health": "", "who": "man-31"}, "Choose a score for at least one service."),
        ({"score_police": "5", "who": "man-31"}, "Choose a score for at least one service."),
        ({"score_health": "5", "who": "somebody"}, "Choose who they are."),
    ],
)
def test_what_is_missing_is_said_and_what_was_chosen_stays(
    volunteer: Browser, installation: Installation, fields: dict[str, str], said: str
) -> None:
    answer = volunteer.send(
        RECORD, **form(volunteer.get(RECORD).text), **{name.replace("_", "-"): v for name, v in fields.items()}
    )
    assert answer.status_code == 422
    assert said in text(answer)
    checked = set(re.findall(r'name="([^"]+)" value="([^"]+)"(?: required)? checked', answer.text))
    meant = {(name.replace("_", "-"), value) for name, value in fields.items()}
    assert checked == {pair for pair in meant if pair in {("score-health", "5"), ("who", "man-31")}}
    assert kept(installation) == []


def test_the_last_one_is_taken_back_and_only_that(volunteer: Browser, installation: Installation) -> None:
    assert "Take the last one back" not in volunteer.read(RECORD)
    fill(volunteer, score_health="5", who="man-31")
    assert "Take the last one back" in fill(volunteer, score_health="1", who="man-31")
    answer = volunteer.send(RECORD, UNDO)
    page = volunteer.read(answer.headers["Location"])
    assert "The last one was taken back. 1 today." in page
    assert "Take the last one back" not in page
    assert [row[2] for row in kept(installation)] == [5]
    again = volunteer.send(RECORD, UNDO)
    assert "There is nothing to take back." in volunteer.read(again.headers["Location"])
    assert noted(installation) == 1


def test_after_the_round_closed_nothing_is_recorded_or_taken_back(
    volunteer: Browser, installation: Installation
) -> None:
    fill(volunteer, score_health="5", who="man-31")
    hidden = form(volunteer.get(RECORD).text)
    token = re.search(r'name="csrf_token" value="([^"]+)"', volunteer.get(RECORD).text)
    assert token
    installation.close_round(1)
    late = volunteer.client.post(
        RECORD, data={**hidden, "csrf_token": token[1], "score-health": "1", "who": "man-31"}, base_url=volunteer.base
    )
    assert late.status_code == 422
    assert "The round is closed. Nothing was recorded." in text(late)
    undo = volunteer.client.post(UNDO, data={"csrf_token": token[1]}, base_url=volunteer.base)
    assert "The round is closed. What was recorded stays." in volunteer.read(undo.headers["Location"].split("?")[0])
    assert [row[2] for row in kept(installation)] == [5]


def test_nothing_is_kept_of_who_is_under_15(volunteer: Browser, installation: Installation) -> None:
    assert "Under 15: thank them. Nothing was kept." in fill(volunteer, score_health="5", who="under-15")
    assert kept(installation) == []
    assert noted(installation) == 0


def test_a_volunteer_records_in_their_own_communes_alone(volunteer: Browser, installation: Installation) -> None:
    assert volunteer.get(f"{RECORD}?commune={PONLEY}").status_code == 404
    hidden = form(volunteer.get(RECORD).text) | {"commune": PONLEY}
    answer = volunteer.send(RECORD, **hidden, **{"score-health": "5", "who": "man-31"})
    assert answer.status_code == 404
    assert kept(installation) == []


@on_one_database
def test_a_volunteer_sees_nothing_else_of_the_panel(volunteer: Browser, app: Flask) -> None:
    """Whatever pages there are: all but one's own password, language and leaving are closed."""
    own = {"admin.record", "admin.record_save", "admin.record_undo"}
    token = re.search(r'name="csrf_token" value="([^"]+)"', volunteer.get(RECORD).text)
    assert token
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/admin") or rule.endpoint in own | OPEN | OWN:
            continue
        assert not may_open("volunteer", rule.endpoint), rule
        path = re.sub("<[^>]+>", "1", re.sub(r"<any\((\w+)[^>]*>", r"\1", rule.rule))
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            data = {"csrf_token": token[1]} if method == "POST" else {}
            answer = volunteer.client.open(path, method=method, data=data, base_url=volunteer.base)
            assert answer.status_code == 403, (method, rule)
    page = volunteer.get(RECORD).text
    assert "/admin/tallies" not in page
    assert "/admin/volunteers" not in page
    assert volunteer.get("/admin/").headers["Location"] == RECORD


def test_staff_record_in_any_commune_with_an_open_round(panel: Browser, installation: Installation) -> None:
    assert "No round is open" in panel.read(RECORD)
    installation.open_round(PONLEY, TA_PHOU)
    page = panel.read(RECORD)
    assert "Choose the commune first." in page
    assert "Treas" not in page
    assert panel.get(f"{RECORD}?commune={TREAS}").status_code == 404
    assert "Recorded. 1 today." in fill(panel, HERE, score_health="5", who="woman-31")
    assert kept(installation) == [(TA_PHOU, "health", 5, "woman-31", ASSISTED)]
    assert "sokha Ta Phou" in panel.read("/admin/volunteers")


def test_a_council_does_not_record(installation: Installation, app: Flask) -> None:
    installation.open_round()
    add(installation, "council", "council")
    theirs = Browser(app.test_client())
    theirs.log_in("council", PASSWORD)
    assert theirs.get(RECORD).status_code == 403
