"""Polls in the panel, as a browser without scripts sees them."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from gateway.bulk import broadcasts as sending
from gateway.bulk import polls
from gateway.bulk.letters import Audience
from gateway.config import LANGUAGES
from gateway.contacts.contacts import subscribe
from gateway.models.broadcasts import broadcasts
from gateway.models.contacts import groups
from gateway.models.installation import set_pause
from gateway.models.messages import Kind
from gateway.models.polls import polls as table
from tests.conftest import COMMUNES, Installation
from tests.test_panel import Browser, app, browser, panel, text  # noqa: F401
from tests.test_polls import CLEAR, phone

TA_PHOU = COMMUNES[2]
NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
FIELDS = {
    "km-0": "យល់ទេ?", "km-1": "យល់", "km-2": "មិនយល់", "en-0": "Clear?", "en-1": "Yes", "en-2": "No",
    "communes": TA_PHOU, "closes": "2026-11-30T12:00",
}  # fmt: skip


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def house(installation: Installation) -> Installation:
    """Thirty people of Ta Phou want messages, a third in each language."""
    with installation.store.write() as db:
        for i in range(30):
            subscribe(db, installation.keys, phone(i), language=LANGUAGES[i % 3], commune=TA_PHOU, source="x",
                      today=NOON.date())  # fmt: skip
    return installation


def ask(house: Installation, *, approved: bool = True, votes: str = "", closed: bool = False) -> int:
    """A poll, as far as it is to be."""
    at = house
    poll = polls.draft(at.store, at.keys, CLEAR, Audience(communes=(TA_PHOU,)), NOON + timedelta(days=7), 1, NOON)
    if approved:
        with at.store.write() as db:
            found = polls.find(db, poll)
            assert found
            sending.submit(db, at.settings, found.broadcast, NOON)
            sending.approve(db, at.settings, found.broadcast, 2, NOON)
    with at.store.write() as db:
        for caller, choice in enumerate(votes):
            assert polls.vote(db, at.keys, poll, phone(caller), int(choice), NOON)
    if closed:
        polls.close(at.store, at.keys, at.settings, poll, NOON)
    return poll


def fill_in(panel: Browser, do: str = "keep", **fields: Any) -> TestResponse:  # noqa: F811
    values = {name: value for name, value in (FIELDS | fields).items() if value is not None}
    return panel.send("/admin/polls/new", do=do, **values)


def count(house: Installation) -> tuple[int, int, int]:
    """Polls, broadcasts and keys."""
    with house.store.read() as db:
        rows = (len(db.execute(select(table)).all()), len(db.execute(select(broadcasts)).all()))
    return (*rows, len(list(house.keys.folder.glob("round-*"))))


# the form -----------------------------------------------------------------------------------------


def test_a_question_becomes_a_draft_that_leads_to_its_broadcast(panel: Browser, house: Installation) -> None:  # noqa: F811
    answer = fill_in(panel)
    assert answer.headers["Location"] == "/admin/polls/1"
    page = panel.read("/admin/polls/1")
    assert "The poll is a draft. Look through its broadcast, then ask for approval." in page
    assert "Polls · Draft Clear? Sending Nothing is sent yet." in page
    assert "Closes 30 Nov 2026, 12:00" in page
    assert 'href="/admin/broadcasts/1"' in panel.get("/admin/polls/1").text
    assert 'href="/admin/polls/1"' in panel.get("/admin/broadcasts/1").text
    with house.store.read() as db:
        row = db.execute(select(broadcasts)).one()
        plan = sending.plan_of(row)
    assert (plan.kind, plan.audience, row.poll) == (Kind.POLL, Audience(communes=(TA_PHOU,)), 1)
    assert plan.texts == {"km": "យល់ទេ?\n1 យល់\n2 មិនយល់", "en": "Clear?\n1 Yes\n2 No"}
    assert plan.expires == NOON + timedelta(days=7)
    assert "Clear? Draft 30 Nov 2026, 12:00" in panel.read("/admin/polls")


def test_a_form_sent_twice_makes_one_poll_and_one_that_was_changed_another(panel: Browser, house: Installation) -> None:  # noqa: F811
    twice = {fill_in(panel, once="abc").headers["Location"] for _ in "12"}
    assert twice == {"/admin/polls/1"}
    assert count(house) == (1, 1, 1)
    assert fill_in(panel, once="abc", **{"en-2": "Not at all"}).headers["Location"] not in twice
    assert count(house) == (2, 2, 2)


def test_the_look_tells_recipients_parts_and_cost_and_keeps_nothing(
    browser: Browser,  # noqa: F811
    house: Installation,
    app: Flask,  # noqa: F811
) -> None:
    from gateway import create_app

    priced = create_app(house.settings.model_copy(update={"price_per_segment": 0.02}))
    panel = Browser(priced.test_client())  # noqa: F811
    panel.log_in(page="/admin/login?lang=en")
    answer = fill_in(panel, "look", **{"en-0": "Clear? " * 30})
    assert answer.status_code == 200
    page = text(answer)
    # ten read English: two parts; twenty get the Khmer text, in one
    assert "Recipients 30 Parts in all 40 Cost 0.80 Begins when it is approved, not before 23 Nov 2026, 12:00" in page
    assert "យល់ទេ? 1 យល់ 2 មិនយល់" in page
    counted = "2 parts · characters: 220 (GSM-7) · recipients: 10 · about 0.40"
    assert counted in page  # and the same while one types:
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', answer.text)
    assert token
    while_typing = FIELDS | {"en-0": "Clear? " * 30, "en-2": "No", "csrf_token": token[1]}
    assert counted in text(panel.client.post("/admin/polls/count", data=while_typing))
    assert count(house) == (0, 0, 0)


@on_one_database
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"en-0": ""}, "There are answers in this language, but no question."),
        ({"en-2": " "}, "This answer stands in another language only."),
        ({"en-2": "yes"}, "This answer stands there twice."),
        ({"km-2": "", "en-2": ""}, "A poll has at least two answers."),
        ({"en-0": "Dear {name}?"}, "No braces here"),
        ({"en-0": "long " * 400}, "Too long: with its answers it has more than 10 parts."),
        (dict.fromkeys(FIELDS.keys() - {"communes", "closes"}, ""), "Write a question and its answers"),
        ({"communes": None}, "Choose who is asked: a group or a commune."),
        ({"communes": "999999"}, "Choose who is asked"),
        ({"communes": None, "groups": "77"}, "Choose who is asked"),
        ({"communes": None, "groups": "x"}, "Choose who is asked"),
        ({"closes": ""}, "Give the day and the time of the close."),
        ({"closes": "soon"}, "Give the day and the time of the close."),
        ({"closes": "2026-11-30"}, "Give the day and the time of the close."),
        ({"closes": "2026-11-23T12:00"}, "This time is over."),
        ({"closes": "0001-01-01T00:00"}, "This time is over."),
        ({"closes": "9999-12-31T23:59"}, "A poll is open for 60 days at most."),
    ],
)
def test_what_is_wrong_is_told_where_it_stands_and_what_was_typed_is_kept(
    panel: Browser,  # noqa: F811
    house: Installation,
    fields: Mapping[str, Any],
    says: str,
) -> None:
    answer = fill_in(panel, **fields)
    page = text(answer)
    assert answer.status_code == 422
    assert says in page
    assert "Nothing was kept yet." in page
    assert count(house) == (0, 0, 0)
    for name, value in (FIELDS | dict(fields)).items():
        if name[-2] == "-" and value:
            assert html.escape(value) in answer.text
    assert ('name="communes" value="010806" checked' in answer.text) is ("communes" not in fields)


@on_one_database
def test_a_close_before_anything_may_be_sent_is_refused(panel: Browser, house: Installation, at_noon: Any) -> None:  # noqa: F811
    at_noon.move_to(NOON + timedelta(hours=8))  # 20:00
    panel.log_in(page="/admin/login?lang=en")
    assert "too late to send before it begins: choose an end after 24 Nov 2026, 08:00" in text(
        fill_in(panel, closes="2026-11-24T07:00")
    )
    with house.store.write() as db:
        set_pause(db, (NOON.date(), NOON.date() + timedelta(days=10)))
    assert "before the pause ends: it cannot leave before 4 Dec 2026, 08:00" in text(fill_in(panel))
    assert count(house) == (0, 0, 0)


@on_one_database
def test_who_is_asked_may_be_nobody_yet(panel: Browser, installation: Installation) -> None:  # noqa: F811
    assert "Recipients 0 Nobody would be asked" in text(fill_in(panel, "look"))
    assert fill_in(panel).status_code == 302


@on_one_database
def test_a_poll_is_asked_once_more_from_an_old_one(panel: Browser, house: Installation) -> None:  # noqa: F811
    with house.store.write() as db:
        db.execute(groups.insert().values(name="CBO <b>network</b>", made=NOON))
    fill_in(panel, groups="1")
    page = panel.get("/admin/polls/new?like=1").text
    assert 'value="មិនយល់"' in page
    assert 'name="groups" value="1" checked' in page
    assert "CBO &lt;b&gt;network&lt;/b&gt;" in page
    for wrong in ("2", "0", "-1", "x", "99999999999999999999"):
        assert panel.get(f"/admin/polls/new?like={wrong}").status_code == 404


# a poll -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("votes", "says"),
    [
        ("", "No answer yet."),
        ("112", "Answers are coming in. Shares are shown once 10 different phones"),
        ("111111111111", "Answers are coming in. Shares are shown once 10 different phones"),
        (
            "111111111122233",
            "15 phones answered. ±25 points each. 1 Yes 67% 10 2 No 20% 3 3 Did not read it 13% 2",
        ),
    ],
)
def test_an_open_poll_shows_its_shares_from_ten_phones_on(
    panel: Browser,  # noqa: F811
    house: Installation,
    votes: str,
    says: str,
) -> None:
    poll = ask(house, votes=votes)
    page = panel.read(f"/admin/polls/{poll}")
    assert f"Polls · Open Was the budget booklet clear? Answers {says}" in page
    assert "0 of 30 done" in page
    assert "The result in a sentence" not in page  # it is told once, when it is closed
    shown = "Yes 67% 15" if len(votes) == 15 else "not shown –"
    assert f"Was the budget booklet clear? Open 30 Nov 2026, 12:00 {shown}" in panel.read("/admin/polls")


def test_a_closed_poll_gives_its_sentence_and_one_draft_of_a_notice(panel: Browser, house: Installation) -> None:  # noqa: F811
    poll = ask(house, votes="1" * 17 + "223")
    assert panel.send(f"/admin/polls/{poll}", f"/admin/polls/{poll}/result").status_code == 404  # not yet
    answer = panel.send(f"/admin/polls/{poll}", f"/admin/polls/{poll}/close")
    assert answer.headers["Location"] == f"/admin/polls/{poll}"
    page = panel.read(f"/admin/polls/{poll}")
    assert "The poll is closed. Nobody can tell any more who voted what." in page
    assert "Was the budget booklet clear? 85% of 20 answers: Yes (+-22 points)" in page
    assert "តើអ្នកយល់សៀវភៅថវិកាទេ? 85% នៃចម្លើយ 20៖ យល់ (±22 ចំណុច)" in page
    notices = {panel.send(f"/admin/polls/{poll}", f"/admin/polls/{poll}/result").headers["Location"] for _ in "12"}
    assert notices == {"/admin/broadcasts/2"}
    assert "See the notice of the result" in panel.read(f"/admin/polls/{poll}")
    assert count(house) == (1, 2, 0)
    again = panel.send(f"/admin/polls/{poll}", f"/admin/polls/{poll}/close")
    assert again.status_code == 302
    assert panel.read(f"/admin/polls/{poll}").count("The poll is closed.") == 0


@on_one_database
@pytest.mark.parametrize("votes", ["", "1", "111111111", "1111111111"])
def test_a_closed_poll_that_may_not_be_shown_reads_the_same_whatever_the_cause(
    panel: Browser,  # noqa: F811
    house: Installation,
    votes: str,
) -> None:
    poll = ask(house, votes=votes, closed=True)
    page = panel.read(f"/admin/polls/{poll}")
    assert (
        "Answers not shown not shown = fewer than 10 different phones, or all gave the same answer. "
        "Which of the two is never told. Sending 30 of 30 done 30 of 30 done Closed 23 Nov 2026, 12:00" in page
    )
    assert "Draft a notice" not in page


@on_one_database
def test_a_draft_can_be_dropped_and_its_key_goes(panel: Browser, house: Installation) -> None:  # noqa: F811
    poll = ask(house, approved=False)
    assert count(house)[2] == 1
    panel.send(f"/admin/polls/{poll}", f"/admin/polls/{poll}/close")
    assert count(house)[2] == 0
    assert "Not sent Was the budget" in panel.read(f"/admin/polls/{poll}")
    assert "It was never approved, so nobody was asked." in panel.read(f"/admin/polls/{poll}")


@on_one_database
def test_polls_come_in_pages_and_what_is_not_there_is_said(
    panel: Browser,  # noqa: F811
    house: Installation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "No poll yet A poll asks a group one question by SMS." in panel.read("/admin/polls")
    monkeypatch.setattr("admin.messaging.polls.PAGE", 2)
    for _ in "123":
        ask(house)
    assert "Page 1 of 2 Older" in panel.read("/admin/polls")
    assert "Newer Page 2 of 2" in panel.read("/admin/polls?page=2")
    for wrong in ("?page=3", "?page=0", "/4", "/99999999999999999999", "/x", "/4/close", "/4/result"):
        assert panel.get(f"/admin/polls{wrong}").status_code == 404
    for deed in ("close", "result"):
        assert panel.send("/admin/polls/1", f"/admin/polls/4/{deed}").status_code == 404


@on_one_database
@pytest.mark.parametrize("lang", ["km", "en"])
def test_no_page_of_a_poll_holds_a_number_or_a_script(panel: Browser, house: Installation, lang: str) -> None:  # noqa: F811
    panel.send("/admin/tallies", "/admin/language", lang=lang)
    poll = ask(house, votes="111111111122233", closed=True)
    for path in ("/admin/polls", f"/admin/polls/{poll}", "/admin/polls/new"):
        answer = panel.get(path)
        assert answer.status_code == 200
        assert not re.search(r"855\D?\d{8}|1000\d{4}", answer.text)
        assert not re.search(r"<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=", answer.text)
