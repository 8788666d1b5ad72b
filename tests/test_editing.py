"""Two people edit one thing: the second is told what is there now, keeps what they typed, and may overwrite it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from admin import editing
from gateway import create_app
from gateway.contacts import contacts, groups
from gateway.contacts.contacts import Details
from gateway.forums import plans
from gateway.forums.facts import Forum
from gateway.menus.phrases import Name
from gateway.models.contacts import Role
from gateway.scorecard import rated, volunteers
from tests.conftest import COMMUNES, Installation
from tests.test_panel import Browser, add, on_one_database, text

TA_PHOU, TREAS = COMMUNES[2:]
MEANWHILE = "Somebody else changed this meanwhile."


@pytest.fixture(autouse=True)
def real_time(installation: Installation) -> Iterator[None]:
    with time_machine.travel(installation.clock.now, tick=False):
        yield


@dataclass
class Case:
    """A form that two open at once."""

    page: str
    """Where it stands."""
    action: str
    first: dict[str, Any]
    """What the first one types over what stands there."""
    second: dict[str, Any]
    there: str
    """What the second one is told."""
    also: Mapping[str, str] | None = None
    """A button."""


def things(at: Installation) -> dict[str, Case]:
    """One of each that can be edited."""
    now, today = at.clock.now, at.clock.now.date()
    round_id = at.open_round(TREAS)  # before the question is there: an open round would ask it
    with at.store.write() as db:
        details = Details(role=Role.PERSON, name="Bora", commune=TA_PHOU, consent="x")
        contact = contacts.add(db, at.keys, "+85510000001", details, today)
        group, other = groups.make(db, "CBO", now), groups.make(db, "Radio", now)
        groups.join(db, contact or 0, group)
        volunteer = volunteers.register(
            db, at.keys, at.settings, volunteers.Details("Chan", TA_PHOU, "010000002"), today
        )  # fmt: skip
        question = rated.add_question(db, "health", {"km": "ស្អាត", "km-Latn": "s'aat", "en": "clean"}, now)
        planned = Forum(
            id=0, code=TA_PHOU, commune=Name("តាផូ", "Ta Phou", "Ta Phou"), title={"en": "forum"}, inviter="RCEDO",
            starts=now + timedelta(days=20), venue={"en": "hall"}, note={}, callback="", groups=(), reminders=("eve",),
        )  # fmt: skip
        forum = plans.plan_forum(db, at.settings, planned, None, now)
    contact_page, forum_page = f"/admin/contacts/{contact}", f"/admin/forums/{forum}/edit"
    question_page, round_page = f"/admin/services/health/questions/{question}", f"/admin/rounds/{round_id}"
    return {
        "contact": Case(contact_page, contact_page, {"name": "Bora Chan"}, {"name": "Bora Sok"}, "Bora Chan"),
        "contact's commune": Case(contact_page, contact_page, {"commune": TREAS}, {"name": "Bora Sok"}, "Treas"),
        "contact's groups": Case(
            contact_page, contact_page, {"groups": [str(other)]}, {"name": "Bora Sok"}, "Radio",
        ),
        "group": Case(
            f"/admin/contacts/groups/{group}", f"/admin/contacts/groups/{group}/name", {"name": "CBOs"},
            {"name": "Groups"}, "CBOs",
        ),
        "volunteer": Case(
            f"/admin/volunteers/{volunteer}", f"/admin/volunteers/{volunteer}", {"name": "Chan Dara"},
            {"commune": TREAS}, "Chan Dara",
        ),
        "service": Case(
            "/admin/services/health", "/admin/services/health", {"name-en": "Clinic"}, {"name-en": "Hospital"},
            "Clinic",
        ),
        "question": Case(
            question_page, question_page, {"text-en": "tidy"}, {"text-en": "neat"}, "tidy",
        ),
        "forum": Case(
            forum_page, forum_page, {"venue-en": "school"}, {"title-en": "meeting"}, "school", {"do": "keep"},
        ),
        "forum's reminders": Case(
            forum_page, forum_page, {"reminders": []}, {"title-en": "meeting"}, "(nothing)", {"do": "keep"},
        ),
        "round": Case(
            round_page, f"{round_page}/until", {"until": "2026-12-24"}, {"until": "2026-12-31"}, "2026-12-24",
        ),
    }  # fmt: skip


CASES = (
    "contact", "contact's commune", "contact's groups", "group", "volunteer", "service", "question", "forum",
    "forum's reminders", "round",
)  # fmt: skip


@pytest.fixture
def app(installation: Installation) -> Flask:
    for name in ("Dara", "Sokha"):
        add(installation, name)
    return create_app(installation.settings)


def came_in(app: Flask, name: str) -> Browser:
    browser = Browser(app.test_client())
    assert browser.log_in(name, page="/admin/login?lang=en").status_code == 302
    return browser


def form_of(page: str, action: str) -> dict[str, Any]:
    """What stands in a form, as a browser would send it."""
    forms = re.findall(r"<form\b[^>]*>.*?</form>", page, re.DOTALL)
    one = next(
        form for form in forms if f'action="{action}"' in form or ("action=" not in form and 'name="name"' in form)
    )
    fields: dict[str, Any] = {}
    for tag in re.findall(r"<input\b[^>]*>", one):
        given = {name: html.unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}
        if "name" not in given or given["name"] == "csrf_token":
            continue
        if given.get("type") == "checkbox":
            fields.setdefault(given["name"], [])
            if re.search(r"\bchecked\b", tag):
                fields[given["name"]].append(given["value"])
        else:
            fields[given["name"]] = given.get("value", "")
    for name, options in re.findall(r'<select\b[^>]* name="([^"]+)"[^>]*>(.*?)</select>', one, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        fields[name] = chosen[1] if chosen else re.findall(r'<option value="([^"]*)"', options)[0]
    for name, words in re.findall(r'<textarea\b[^>]* name="([^"]+)"[^>]*>(.*?)</textarea>', one, re.DOTALL):
        fields[name] = html.unescape(words)
    return fields


@pytest.mark.parametrize("what", CASES)
def test_the_second_is_told_and_keeps_what_was_typed_and_then_overwrites(
    app: Flask, installation: Installation, what: str
) -> None:
    case = things(installation)[what]
    dara, sokha = came_in(app, "Dara"), came_in(app, "Sokha")
    shown = form_of(dara.get(case.page).text, case.action)
    assert shown.get(editing.FIELD), "the form has no version"
    also = dict(case.also or {})
    first = dara.send(case.page, case.action, **{**shown, **case.first, **also})
    assert first.status_code == 302, text(first)
    second = sokha.send(case.page, case.action, **{**shown, **case.second, **also})
    assert second.status_code == 422
    assert MEANWHILE in text(second)
    assert f"There now: {case.there}" in text(second)
    kept = form_of(second.text, case.action)
    assert {name: kept[name] for name in case.second} == case.second
    again = form_of(dara.get(case.page).text, case.action)
    assert {name: again[name] for name in case.first} == case.first  # nothing was overwritten unseen
    knowingly = sokha.send(case.page, case.action, **{**kept, **also})
    assert knowingly.status_code == 302, text(knowingly)
    after = form_of(dara.get(case.page).text, case.action)
    assert {name: after[name] for name in case.second} == case.second


@on_one_database
@pytest.mark.parametrize("what", CASES)
def test_a_double_click_and_saving_alone_are_no_collision(app: Flask, installation: Installation, what: str) -> None:
    case = things(installation)[what]
    dara = came_in(app, "Dara")
    also = dict(case.also or {})
    sent = {**form_of(dara.get(case.page).text, case.action), **case.first, **also}
    for _ in range(2):  # the second carries the digest of what was there before the first
        assert dara.send(case.page, case.action, **sent).status_code == 302
    fresh = {**form_of(dara.get(case.page).text, case.action), **case.second, **also}
    assert dara.send(case.page, case.action, **fresh).status_code == 302


@on_one_database
def test_a_form_that_is_looked_through_first_is_still_of_when_it_was_opened(
    app: Flask, installation: Installation
) -> None:
    """A forum is shown before it is kept: what somebody else kept in between is told."""
    case = things(installation)["forum"]
    dara, sokha = came_in(app, "Dara"), came_in(app, "Sokha")
    shown = form_of(dara.get(case.page).text, case.action)
    dara.send(case.page, case.action, **{**shown, **case.first, "do": "keep"})
    looked = sokha.send(case.page, case.action, **{**shown, **case.second, "do": "look"})
    assert looked.status_code == 200
    kept = sokha.send(case.page, case.action, **{**form_of(looked.text, case.action), "do": "keep"})
    assert kept.status_code == 422
    assert MEANWHILE in text(kept)


@on_one_database
def test_a_digest_is_of_what_one_reads(app: Flask) -> None:
    assert editing.digest({"name": " a  b ", "groups": ["2", "1"]}) == editing.digest(
        {"groups": ("1", "2"), "name": "a b"}
    )
    assert editing.digest({"name": ""}) == editing.digest({"name": None})
    assert editing.digest({"name": "a"}) != editing.digest({"name": "A"})
    with app.test_request_context("/", method="POST", data={}):
        assert editing.meanwhile({"name": "a"}, {"name": "b"}) == {}  # a form without one is taken as it is
