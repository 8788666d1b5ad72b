"""Comments in the panel: switched on, read, cleaned, decided, taken as a file; as a browser without scripts sees it."""

from __future__ import annotations

import csv
import html
import io
import re
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from gateway import logins
from gateway.comments import comments as taking
from gateway.models import staff
from gateway.models.callers import remember
from gateway.models.comments import Verdict, comments
from gateway.models.services import services
from tests.conftest import COMMUNES, Installation
from tests.test_panel import PASSWORD, Browser, _quick_passwords, add, app, browser, panel, text  # noqa: F401
from tests.test_sms import ME, Phone, in_language

TA_PHOU, TREAS = COMMUNES[2], COMMUNES[3]
NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WORDS = "Mrs Sokha was late, call ០១២ ៣៤៥ ៦៧៨ or www.a.example/b <b>now</b>"


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def house(installation: Installation) -> Installation:
    """Health centre and school take comments; the phone is of Ta Phou."""
    with installation.store.write() as db:
        for service in ("health", "school"):
            taking.switch(db, service, NOON, on=True)
        remember(db, installation.keys.lookup(ME), commune=TA_PHOU)
    return installation


def written(at: Installation, *words: str, number: str = ME) -> list[str]:
    """Comments that people send; the ids of those that wait, in the order of the page."""
    for each in words:
        assert Phone(in_language(at, "en"), number).send(each)
    with at.store.read() as db:
        return [one.id for one in taking.waiting(db, at.keys, 0, 100)]


def row(at: Installation, comment: str) -> Any:
    with at.store.read() as db:
        return db.execute(select(comments).where(comments.c.id == comment)).one()


def decide(panel: Browser, comment: str, do: str = "approve", **fields: str) -> TestResponse:  # noqa: F811
    return panel.send(f"/admin/comments/{comment}", do=do, **fields)


# switching on -------------------------------------------------------------------------------------


@on_one_database
def test_comments_are_off_and_the_page_says_where_they_are_switched_on(panel: Browser) -> None:  # noqa: F811
    page = panel.read("/admin/comments")
    assert "Comments are off Where a service takes comments, people may write by SMS to 8550" in page
    assert 'href="/admin/services"' in panel.get("/admin/comments").text
    assert "Comments off People write them by SMS" in panel.read("/admin/services/health")


@on_one_database
def test_staff_switch_them_on_and_off(panel: Browser, installation: Installation) -> None:  # noqa: F811
    path = "/admin/services/health"
    assert panel.send(path, f"{path}/comments", on="yes").headers["Location"] == path
    assert "Comments on this service are taken from now on." in panel.read(path)
    assert "Taken on: Health centre" in panel.read("/admin/comments")
    assert panel.send(path, f"{path}/comments", on="no").status_code == 302
    assert "Comments off" in panel.read(path)
    assert panel.send(path, "/admin/services/nothing/comments", on="yes").status_code == 404


@on_one_database
def test_on_a_sensitive_service_only_an_admin_can_and_only_by_a_tick(app: Flask, installation: Installation) -> None:  # noqa: F811
    path = "/admin/services/police"

    def takes() -> bool:
        with installation.store.read() as db:
            return bool(db.scalar(select(services.c.comments).where(services.c.id == "police")))

    member = Browser(app.test_client())
    member.log_in(page="/admin/login?lang=en")
    assert "only an admin can let comments on it be taken" in member.read(path)
    assert member.send(path, f"{path}/comments", on="yes", agreed="yes").status_code == 403
    assert not takes()
    add(installation, "boss", "admin")
    boss = Browser(app.test_client())
    boss.log_in("boss", page="/admin/login?lang=en")
    answer = boss.send(path, f"{path}/comments", on="yes")
    assert (answer.status_code, takes()) == (422, False)
    assert "Tick that you are sure." in text(answer)
    assert boss.send(path, f"{path}/comments", on="yes", agreed="yes").status_code == 302
    assert takes()
    assert member.send(path, f"{path}/comments", on="no").status_code == 302  # anybody may switch it off
    assert not takes()


# reading ------------------------------------------------------------------------------------------


@on_one_database
def test_a_comment_is_shown_with_what_leads_to_somebody_marked(panel: Browser, house: Installation) -> None:  # noqa: F811
    (comment,) = written(house, f"COMMENT 2 {WORDS}")
    listed = panel.get("/admin/comments").text
    for page in (listed, panel.get(f"/admin/comments/{comment}").text):
        marked = [html.unescape(one) for one in re.findall(r'<mark class="\w+" title[^>]*>([^<]*)</mark>', page)]
        assert marked == ["Mrs Sokha", "០១២ ៣៤៥ ៦៧៨", "www.a.example/b"]
        assert "&lt;b&gt;now&lt;/b&gt;" in page
        assert ME not in page
    assert "Nov 2026 · Ta Phou · Health centre" in text(panel.get("/admin/comments"))
    page = panel.get(f"/admin/comments/{comment}").text
    area = re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)
    assert area
    assert html.unescape(area[1]) == "Mrs Sokha was late, call [លេខ] or [តំណ] <b>now</b>"
    assert '<option value="health" selected>' in page
    assert f'<option value="{TA_PHOU}" selected>' in page
    assert "removed at once and for good; nobody can bring them back" in text(panel.get(f"/admin/comments/{comment}"))


@on_one_database
def test_what_is_about_police_bribery_or_land_is_told(panel: Browser, house: Installation) -> None:  # noqa: F811
    (comment,) = written(house, "COMMENT 2 the police took money")
    assert "It may be about police, bribery or land" in panel.read("/admin/comments")
    assert "It may be about police, bribery or land" in panel.read(f"/admin/comments/{comment}")


def test_one_sent_by_many_is_read_once(panel: Browser, house: Installation) -> None:  # noqa: F811
    for i in range(4):
        (comment,) = written(house, "COMMENT good", number=f"+8551200{i:04}")
    page = panel.read("/admin/comments")
    assert "commune not known · no service named · sent 4 times" in page
    assert "To read 1" in page
    assert comment in panel.get("/admin/comments").text


@on_one_database
def test_pages_of_many(panel: Browser, house: Installation) -> None:  # noqa: F811
    for i in range(23):
        written(house, f"COMMENT 2 story {'abcdefghijklmnopqrstuvw'[i]}", number=f"+8551200{i:04}")
    assert "Page 1 of 2" in panel.read("/admin/comments")
    told = panel.read("/admin/comments") + panel.read("/admin/comments?page=2")
    assert sum(f"story {one} " in told for one in "abcdefghijklmnopqrstuvw") == 23
    for path in ("page=3", "page=0", "show=nothing", "show=turned+down", "show=approved&page=2"):
        assert panel.get(f"/admin/comments?{path}").status_code == 404


# deciding -----------------------------------------------------------------------------------------


def test_approved_the_text_and_its_tags_stay_and_nothing_else(panel: Browser, house: Installation) -> None:  # noqa: F811
    (comment,) = written(house, f"COMMENT {WORDS}")
    answer = decide(panel, comment, text=" A nurse was late. ", service="health", commune=TREAS)
    assert answer.headers["Location"] == "/admin/comments"
    page = panel.read("/admin/comments")
    assert "Approved: of the comment nothing is kept but this text." in page
    assert "No comment waits to be read." in page
    assert "Nov 2026 Treas Health centre A nurse was late." in panel.read("/admin/comments?show=approved")
    kept = row(house, comment)
    assert (kept.verdict, kept.words, kept.words_key, kept.text) == (Verdict.APPROVED, None, None, "A nurse was late.")
    assert (kept.commune, kept.service_id, kept.decided) == (TREAS, "health", NOON.date())


def test_turned_down_nothing_stays_but_the_count(panel: Browser, house: Installation) -> None:  # noqa: F811
    (comment,) = written(house, f"COMMENT 2 {WORDS}")
    assert decide(panel, comment, "turn-down", text="A nurse was late.").status_code == 302
    page = panel.read("/admin/comments")
    assert "Turned down: its words are gone." in page
    assert "Turned down so far: 1." in page
    kept = row(house, comment)
    assert (kept.verdict, kept.words, kept.text) == (Verdict.TURNED_DOWN, None, "")


@pytest.mark.parametrize(
    ("first", "second"), [("approve", "turn-down"), ("turn-down", "approve"), ("approve", "approve")]
)
def test_who_comes_second_is_told_and_changes_nothing(
    app: Flask,  # noqa: F811
    panel: Browser,  # noqa: F811
    house: Installation,
    first: str,
    second: str,
) -> None:
    (comment,) = written(house, "COMMENT 2 good")
    add(house, "dara")
    dara = Browser(app.test_client())
    dara.log_in("dara", page="/admin/login?lang=en")
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', dara.get(f"/admin/comments/{comment}").text)
    assert token
    assert decide(panel, comment, first, text="Good.").status_code == 302
    before = row(house, comment)
    fields = {"csrf_token": token[1], "do": second, "text": "Something else."}
    answer = dara.client.post(f"/admin/comments/{comment}", data=fields)
    assert answer.headers["Location"] == "/admin/comments"
    assert "This comment was decided already: its words are gone." in dara.read("/admin/comments")
    assert row(house, comment) == before
    assert dara.get(f"/admin/comments/{comment}").status_code == 302  # the back button


@on_one_database
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"text": ""}, "Nothing is left of it."),
        ({"text": "x" * 1001}, "Longer than 1000 signs."),
        ({"text": "ask 012-345-678"}, "There is still something like a phone number or a link."),
        ({"text": "fine", "service": "police"}, "Comments on this service are not taken."),
    ],
)
def test_what_may_not_stand_is_said_and_nothing_is_lost(
    panel: Browser,  # noqa: F811
    house: Installation,
    fields: dict[str, str],
    says: str,
) -> None:
    (comment,) = written(house, f"COMMENT 2 {WORDS}")
    answer = decide(panel, comment, **fields)
    assert answer.status_code == 422
    assert says in text(answer)
    assert "Nothing was decided yet." in text(answer)
    assert fields["text"] in html.unescape(answer.text)
    assert "Mrs Sokha" in answer.text  # as it was written
    assert row(house, comment).verdict == Verdict.WAITING


@on_one_database
def test_what_is_not_there_is_not_found(panel: Browser, house: Installation) -> None:  # noqa: F811
    written(house, "COMMENT 2 good")
    assert panel.get("/admin/comments/1").status_code == 404
    for path in ("/admin/comments/1", "/admin/comments/1/remove"):
        assert panel.send("/admin/password", path, do="approve", text="x").status_code == 404


@on_one_database
def test_an_approved_text_can_still_be_removed(panel: Browser, house: Installation) -> None:  # noqa: F811
    (comment,) = written(house, "COMMENT 2 good")
    decide(panel, comment, text="Good.", service="health")
    approved = "/admin/comments?show=approved"
    assert panel.send(approved, f"/admin/comments/{comment}/remove").headers["Location"] == approved
    assert "The text is removed." in panel.read(approved)
    panel.send("/admin/password", f"/admin/comments/{comment}/remove")
    assert "It was removed already." in panel.read(approved)
    assert "No text is approved yet." in panel.read(approved)
    assert row(house, comment).text == ""


# the file -----------------------------------------------------------------------------------------


def approve_all(panel: Browser, house: Installation, **texts: str) -> None:  # noqa: F811
    for i, (service, said) in enumerate(texts.items()):
        (comment,) = written(house, f"COMMENT {WORDS} {service}", number=f"+8551200{i:04}")
        decide(panel, comment, text=said, service=service, commune=TA_PHOU)


def test_the_file_has_commune_month_service_and_text_and_nothing_else(panel: Browser, house: Installation) -> None:  # noqa: F811
    approve_all(panel, house, health="The nurse,\nwas late", school="=1+1")
    written(house, "COMMENT 2 this one waits")
    answer = panel.get("/admin/comments/approved.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="comments-2026-11-23.csv"'
    lines = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert lines == [
        ["Commune", "Month", "Service", "Comment"],
        ["Ta Phou", "2026-11", "Health centre", "The nurse,\nwas late"],
        ["Ta Phou", "2026-11", "Primary school", "'=1+1"],
    ]
    sheet = panel.get("/admin/comments/approved.xlsx")
    assert sheet.headers["Content-Type"].startswith("application/vnd.openxml")
    with zipfile.ZipFile(io.BytesIO(sheet.data)) as book:
        strings = re.findall(r"<t[^>]*>([^<]*)</t>", book.read("xl/sharedStrings.xml").decode())
        cells = book.read("xl/worksheets/sheet1.xml").decode()
    assert set(strings) == {"Commune", "Month", "Service", "Comment", "Ta Phou", "2026-11", "Health centre",
                            "Primary school", "The nurse,\nwas late", "=1+1"}  # fmt: skip
    assert "<f>" not in cells
    for kind in ("pdf", "html", "nothing"):
        assert panel.get(f"/admin/comments/approved.{kind}").status_code == 404


# who sees what ------------------------------------------------------------------------------------


@on_one_database
def test_staff_with_communes_of_their_own_read_those_alone(app: Flask, panel: Browser, house: Installation) -> None:  # noqa: F811
    with house.store.write() as db:
        remember(db, house.keys.lookup("+85512000001"), commune=TREAS)
        logins.add(db, "treas", "staff", [TREAS])
        staff.reset_password(db, "treas", PASSWORD, one_time=False)
    written(house, "COMMENT 2 of ta phou", "COMMENT 2 of nowhere", number=ME)
    written(house, "COMMENT 2 of treas", number="+85512000001")
    theirs = Browser(app.test_client())
    theirs.log_in("treas", page="/admin/login?lang=en")
    page = theirs.read("/admin/comments")
    assert "of treas" in page
    assert "of ta phou" not in page
    assert "To read 1" in page
    with house.store.read() as db:
        other = next(one.id for one in taking.waiting(db, house.keys, 0, 9) if one.commune == TA_PHOU)
        mine = next(one.id for one in taking.waiting(db, house.keys, 0, 9) if one.commune == TREAS)
    assert theirs.get(f"/admin/comments/{other}").status_code == 404
    assert f'value="{TA_PHOU}"' not in theirs.get(f"/admin/comments/{mine}").text
    assert decide(theirs, mine, text="Good.", commune=TREAS).status_code == 302
    assert "Good." in theirs.get("/admin/comments/approved.csv").text


@on_one_database
def test_the_pages_in_khmer(panel: Browser, house: Installation) -> None:  # noqa: F811
    (comment,) = written(house, "COMMENT 2 good")
    panel.send("/admin/comments", "/admin/language", lang="km", back="/admin/comments")
    assert "មតិពលរដ្ឋ" in panel.read("/admin/comments")
    assert "មណ្ឌលសុខភាព" in panel.read(f"/admin/comments/{comment}")
