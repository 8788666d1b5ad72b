"""The audit log: every deed leaves an entry, which an admin reads as a sentence; no number of a phone is in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from admin import audit
from admin.programme.audit_words import KINDS, SENTENCES, kind_of
from gateway import create_app
from gateway.bulk import broadcasts as bulk
from gateway.bulk.letters import Audience
from gateway.contacts import contacts
from gateway.contacts.contacts import Details
from gateway.forums import plans
from gateway.forums.facts import Forum
from gateway.menus.phrases import Name
from gateway.models import audit as model
from gateway.models import staff
from gateway.models.audit import audit_log, note
from gateway.models.contacts import Role
from gateway.models.messages import Draft, Kind, write
from gateway.workers import housekeeping
from tests.conftest import COMMUNES, Installation
from tests.test_panel import PASSWORD, Browser, add, on_one_database, text

TA_PHOU, TREAS = COMMUNES[2], COMMUNES[3]
BORA = "+85510000001"
Entry = tuple[str | None, str, dict[str, Any], dict[str, Any], int | None]


@pytest.fixture(autouse=True)
def real_time(installation: Installation) -> Iterator[None]:
    """The panel's time is the installation's."""
    with time_machine.travel(installation.clock.now, tick=False):
        yield


@pytest.fixture
def app(installation: Installation) -> Flask:
    for name, role in (("Dara", "admin"), ("Sokha", "staff")):
        add(installation, name, role)
    return create_app(installation.settings)


@pytest.fixture
def dara(app: Flask) -> Browser:
    """An admin, reading English."""
    return came_in(app, "Dara")


@pytest.fixture
def sokha(app: Flask) -> Browser:
    """A member of staff."""
    return came_in(app, "Sokha")


def came_in(app: Flask, name: str) -> Browser:
    browser = Browser(app.test_client())
    assert browser.log_in(name, page="/admin/login?lang=en").status_code == 302
    return browser


def entries(at: Installation) -> list[Entry]:
    """All entries: who, what, of what, details, status."""
    c = audit_log.c
    rows = select(staff.staff.c.name, c.deed, c.of, c.details, c.status).order_by(c.id)
    with at.store.read() as db:
        found = db.execute(rows.select_from(audit_log.outerjoin(staff.staff, staff.staff.c.id == c.member)))
        return [(row[0], row[1], json.loads(row[2]), json.loads(row[3]), row[4]) for row in found]


def last(at: Installation) -> Entry:
    return entries(at)[-1]


def log(browser: Browser, **wanted: str) -> str:
    """What stands on the page."""
    answer = browser.get("/admin/audit", query_string=wanted)
    assert answer.status_code == 200
    return text(answer)


def knows(at: Installation, number: str = BORA, name: str = "Bora", commune: str | None = TA_PHOU) -> int:
    """A contact; its id."""
    with at.store.write() as db:
        details = Details(role=Role.PERSON, name=name, commune=commune, consent="forum, 12 March")
        made = contacts.add(db, at.keys, number, details, at.clock.now.date())
    assert made
    return made


def writes(at: Installation, title: str = "Opening hours", commune: str = TA_PHOU) -> int:
    """A broadcast that waits for a second person; its id."""
    knows(at)
    with at.store.write() as db:
        made = bulk.draft(
            db, kind=Kind.ANNOUNCEMENT, title=title, texts={"en": "Open on Saturdays"},
            audience=Audience(communes=(commune,)), author=None, key=title, now=at.clock.now,
        )  # fmt: skip
        bulk.submit(db, at.settings, made, at.clock.now)
    return made


# all deeds ------------------------------------------------------------------------------------------


@on_one_database
def test_every_form_of_the_panel_has_a_sentence_in_the_log(app: Flask) -> None:
    forms = {
        rule.endpoint for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("admin.") and "POST" in (rule.methods or ())
    }  # fmt: skip
    said = {deed.partition(" ")[0] for deed in SENTENCES if not deed.startswith("mati")}
    assert forms - audit.QUIET - said == set(), "write a sentence for these in admin/programme/audit_words.py"
    assert said - forms == set(), "nobody can do these any more"
    assert forms >= audit.QUIET | audit.LOOKED_THROUGH
    assert {kind_of(deed) for deed in SENTENCES} <= KINDS.keys()


@on_one_database
def test_every_deed_of_an_address_has_a_sentence_of_its_own() -> None:
    from admin.meetings.forum_deeds import DEEDS as OF_FORUMS
    from admin.messaging.broadcast_deeds import DEEDS as OF_BROADCASTS

    wanted = {f"admin.broadcasts_do {deed}" for deed in OF_BROADCASTS} | {
        f"admin.forums_do {deed}" for deed in OF_FORUMS
    }
    assert wanted <= SENTENCES.keys()


@on_one_database
def test_every_thing_of_an_address_has_a_name_or_is_kept_as_it_is(app: Flask) -> None:
    args = {
        arg for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and rule.endpoint.startswith("admin.")
        for arg in rule.arguments
    }  # fmt: skip
    secret = {"token", "sitting", "upload"}
    assert args - audit.KEPT <= secret, "is this a secret? if not, add it to admin/audit.py"


# who, when, what -----------------------------------------------------------------------------------


def test_what_is_done_stands_in_the_log_with_who_and_when(
    installation: Installation, dara: Browser, sokha: Browser
) -> None:
    made = writes(installation)
    page, deed = f"/admin/broadcasts/{made}", f"/admin/broadcasts/{made}/approve"
    with installation.store.read() as db:
        seen = bulk.find(db, made).changed.isoformat()  # type: ignore[union-attr]
    assert sokha.send(page, deed, seen=seen, recipients="1", parts="1").status_code == 302
    told = {"name": "Opening hours", "people": 1, "parts": 1}
    assert last(installation) == ("Sokha", "admin.broadcasts_do", {"broadcast": made, "deed": "approve"}, told, 302)
    page_text = log(dara)
    assert (
        "23 Nov 2026, 12:00 Sokha approved the broadcast “Opening hours”. Ta Phou · People: 1 · Parts: 1" in page_text
    )
    assert page_text.index("approved the broadcast") < page_text.index("Sokha logged in.")  # the newest first


def test_what_was_refused_is_marked_as_not_done(installation: Installation, dara: Browser, sokha: Browser) -> None:
    assert sokha.send("/admin/contacts/groups", name="").status_code == 422
    assert last(installation)[1:] == ("admin.contacts_group_made", {}, {}, 422)
    assert "Sokha made the group (unnamed). was not done" in log(dara)
    sokha.send("/admin/contacts/groups", name="CBO")
    assert "Sokha made the group “CBO”. was not done" not in log(dara)
    assert "Sokha made the group “CBO”." in log(dara)


def test_what_is_answered_with_why_not_is_not_told_as_done(
    installation: Installation, dara: Browser, sokha: Browser
) -> None:
    """A form that leads on with a sentence on the next page: its status alone would say that it was done."""
    made = writes(installation)
    page, deed = f"/admin/broadcasts/{made}", f"/admin/broadcasts/{made}/approve"
    with installation.store.read() as db:
        seen = bulk.find(db, made).changed.isoformat()  # type: ignore[union-attr]
    for status in (302, 409):  # the second is a double click
        assert sokha.send(page, deed, seen=seen, recipients="1", parts="1").status_code == 302
        assert last(installation)[4] == status
    now = installation.clock.now
    with installation.store.write() as db:
        planned = Forum(
            id=0, code=TA_PHOU, commune=Name("", "", ""), title={"en": "health"}, inviter="RCEDO",
            starts=now + timedelta(days=9), venue={"en": "hall"}, note={}, callback="",
        )  # fmt: skip
        forum = plans.plan_forum(db, installation.settings, planned, staff.id_of(db, "Sokha"), now)
    page = f"/admin/forums/{forum}"
    assert sokha.send(page, f"{page}/attendance", total="30").status_code == 302
    assert "This can be done once it has begun." in sokha.read(page)
    assert last(installation)[1:] == ("admin.forums_attendance", {"forum_id": forum}, {"name": {"en": "health"}}, 409)
    assert "Sokha noted how many came to the forum “health”. was not done" in log(dara)


def test_what_breaks_off_in_the_middle_was_begun(
    installation: Installation, app: Flask, dara: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = knows(installation)

    def breaks(*_what: object, **_how: object) -> None:
        raise SystemExit  # the process dies

    monkeypatch.setattr(contacts, "remove", breaks)
    with pytest.raises(SystemExit):
        dara.send(f"/admin/contacts/{contact}/remove", stop="yes")
    assert last(installation) == ("Dara", "admin.contacts_removed", {"contact": contact}, {"name": "Bora"}, None)
    assert "Dara removed the contact “Bora”. begun; its end is not known" in log(dara)


def test_a_refusal_by_the_rights_or_a_forged_form_is_no_deed(installation: Installation, sokha: Browser) -> None:
    before = entries(installation)
    assert sokha.send("/admin/password", "/admin/pause/end").status_code == 403
    assert sokha.client.post("/admin/contacts/groups", data={"name": "x"}).status_code == 400
    assert entries(installation) == before


def test_a_form_that_is_only_looked_through_leaves_no_entry(installation: Installation, sokha: Browser) -> None:
    before = entries(installation)
    asked = {
        "en-0": "Is the road better?", "en-1": "yes", "en-2": "no", "communes": TA_PHOU, "closes": "2026-11-30T12:00",
    }  # fmt: skip
    knows(installation)
    assert sokha.send("/admin/polls/new", **asked).status_code == 200
    assert sokha.send("/admin/polls/new", "/admin/polls/count", **asked).status_code == 200
    assert entries(installation) == before
    assert sokha.send("/admin/polls/new", do="keep", **asked).status_code == 302
    assert last(installation)[1] == "admin.polls_made"


def test_a_recorded_respondent_leaves_no_minute(installation: Installation, sokha: Browser) -> None:
    installation.open_round()
    before = entries(installation)
    page = sokha.get(f"/admin/record?commune={TA_PHOU}").text
    token = re.search(r'name="token" value="([0-9a-f]{32})"', page)
    assert token
    fields = {"commune": TA_PHOU, "who": "woman-31", "score-health": "5", "token": token[1]}
    answer = sokha.send(f"/admin/record?commune={TA_PHOU}", "/admin/record", **fields)
    assert answer.status_code == 302, text(answer)
    assert "Recorded. 1 today." in sokha.read("/admin/record")
    assert entries(installation) == before


# coming in ------------------------------------------------------------------------------------------


def test_coming_and_going_is_noted_and_a_name_that_is_not_there_is_not_repeated(
    installation: Installation, app: Flask, dara: Browser
) -> None:
    stranger = Browser(app.test_client())
    assert stranger.log_in("Sokha", "wrong").status_code == 401
    assert stranger.log_in("010 000 001", "wrong").status_code == 401
    sokha = came_in(app, "Sokha")
    assert sokha.send("/admin/password", "/admin/logout").status_code == 302
    assert [(who, deed, status) for who, deed, _of, _details, status in entries(installation)] == [
        ("Dara", "admin.login", 302), ("Sokha", "admin.login", 401), (None, "admin.login", 401),
        ("Sokha", "admin.login", 302), ("Sokha", "admin.logout", 302),
    ]  # fmt: skip
    page = log(dara)
    assert "A login as Sokha was refused. was not done" in page
    assert "A login was refused: there is no such name. was not done" in page
    assert "Sokha logged out." in page


def test_commands_are_the_operators(installation: Installation, dara: Browser) -> None:
    from click.testing import CliRunner

    from gateway.cli import cli

    environment = {
        "DATA_DIR": str(installation.settings.data_dir),
        "DATABASE_URL": installation.settings.database_url or "",
    }
    for command in (["staff", "add", "Chan", "--role", "staff"], ["staff", "reset", "Chan"], ["purge"]):
        ran = CliRunner().invoke(cli, command, env=environment)
        assert ran.exit_code == 0, ran.output
        assert all(word not in json.dumps(entries(installation)) for word in re.findall(r"password (\S+)", ran.output))
    page = log(dara, who="operator")
    assert "The operator gave the login “Chan” a new password." in page
    assert "The operator added the login “Chan”. Role: staff" in page
    assert "The operator removed what is too old." in page
    assert "Dara logged in." not in page


# reading --------------------------------------------------------------------------------------------


def test_it_is_read_by_person_kind_and_day_page_by_page(installation: Installation, dara: Browser) -> None:
    with installation.store.write() as db:
        for n in range(60):
            at = installation.clock.now - timedelta(days=1, minutes=n)
            note(db, "admin.contacts_group_made", at, member=3, details={"name": f"group {n:02}"})
    assert "Page 1 of 2" in log(dara)
    assert "“group 59”" in log(dara, page="1")
    assert "“group 00”" in log(dara, page="2")
    assert dara.get("/admin/audit?page=3").status_code == 404
    assert "Dara logged in." not in log(dara, kind="contacts")
    assert "“group 59”" not in log(dara, kind="access")
    assert "“group 59”" not in log(dara, who="2")
    assert "“group 59”" in log(dara, who="3", day="2026-11-22")
    empty = log(dara, who="3", day="2026-11-23")
    assert "Nothing was done that fits." in empty
    for path in ("?kind=nothing", "?who=ក", "?page=0", "?who=99999999999"):
        assert dara.get(f"/admin/audit{path}").status_code in (200, 404), path
    assert dara.get("/admin/audit?kind=nothing").status_code == 404
    dara.send("/admin/audit?kind=contacts", "/admin/language", lang="km")
    assert "កំណត់ហេតុ" in dara.read("/admin/audit")


@on_one_database
def test_every_sentence_can_be_read_in_both_languages(installation: Installation, dara: Browser) -> None:
    """With and without what it needs."""
    with installation.store.write() as db:
        for deed in SENTENCES:
            endpoint, _blank, of = deed.partition(" ") if deed.startswith("admin.") else (deed, "", "")
            for details in ({}, {"name": {"km": "ឈ្មោះ", "en": "the name"}, "before": "a", "after": "b", "on": True}):
                note(db, endpoint, installation.clock.now, member=1, of={"deed": of} if of else {}, details=details)
    for language in ("en", "km"):
        dara.send("/admin/audit", "/admin/language", lang=language)
        for number in range(1, 5):
            page = log(dara, page=str(number))
            assert "{" not in page
            assert "admin." not in page


# what is not in it ----------------------------------------------------------------------------------

SPELT = (
    "+85510234567", "010234567", "010 234 567", "10234567", "10 234 567", "855 10 234 567", "(010) 234-567",
    "010.234.567", "០១០២៣៤៥៦៧", "០១០ ២៣៤ ៥៦៧", "00855-10-234-567", "0 1 0 2 3 4 5 6 7",
)  # fmt: skip


def test_no_number_is_in_it_however_it_is_typed(installation: Installation, dara: Browser) -> None:
    broadcast = writes(installation)
    for n, spelt in enumerate(SPELT):
        name = f"Bora {spelt} of {n}"
        person = {"role": "person", "consent": "x", "commune": TA_PHOU, "number": spelt, "name": name}
        dara.send("/admin/contacts/new", **person)
        dara.send("/admin/contacts/groups", name=name)
        dara.send("/admin/contacts", "/admin/contacts/find", number=spelt)
        dara.send("/admin/volunteers/new", name=name, number=spelt, commune=TA_PHOU)
        dara.send("/admin/logins", name=name, role="staff")
        dara.send("/admin/broadcasts/new", title=name, kind="announcement", communes=TA_PHOU, **{"text-en": spelt})
        dara.send(f"/admin/broadcasts/{broadcast}", f"/admin/broadcasts/{broadcast}/test", number=spelt, languages="en")
        dara.send("/admin/logins", "/admin/messages/decide", decision="went-out", message=spelt)
        Browser(dara.client.application.test_client()).log_in(name, spelt)
    with installation.store.read() as db:
        told = "\n".join(" ".join(map(str, row)) for row in db.execute(select(audit_log.c.of, audit_log.c.details)))
    digits = re.sub(r"[\s().\-/]", "", "".join(str(int(one)) if one.isdigit() else one for one in told))
    assert "Bora [number] of" in told
    assert "234567" not in digits


@on_one_database
@pytest.mark.parametrize("spelt", SPELT)
def test_a_number_is_blotted_out_in_every_spelling(spelt: str) -> None:
    for around in ("{}", "call {}", "លេខ{}", "{}ក", "({})"):
        left = model.blotted(around.format(spelt))
        digits = [one for one in left if one.isdigit()]
        assert len(digits) < 6, left
    for stays in ("2026-12-01", "forum 7", "010806", "RCEDO 2026", "a1234567890b"):
        assert model.blotted(stays) == stays


def test_a_password_and_words_of_a_message_are_not_in_it(installation: Installation, dara: Browser) -> None:
    fields = {"text-en": "the words of it", "communes": TA_PHOU, "kind": "announcement", "title": "Opening"}
    dara.send("/admin/broadcasts/new", **fields)
    dara.send("/admin/password", current=PASSWORD, new="my own words", again="my own words")
    told = json.dumps([one[2:4] for one in entries(installation)])
    assert "the words of it" not in told
    assert PASSWORD not in told
    assert "my own words" not in told


# a number on request --------------------------------------------------------------------------------


def test_a_number_is_shown_once_to_who_asks_and_the_log_keeps_who(
    installation: Installation, dara: Browser, sokha: Browser
) -> None:
    contact = knows(installation)
    page = f"/admin/contacts/{contact}"
    assert BORA not in sokha.get(page).text
    answer = sokha.send(page, f"{page}/number")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert BORA in text(answer)
    assert sokha.get(f"{page}/number").status_code in (404, 405)
    assert last(installation) == ("Sokha", "admin.contacts_number", {"contact": contact}, {"name": "Bora"}, 200)
    assert "Sokha looked at the whole number of the contact “Bora”." in log(dara)
    now = installation.clock.now
    with installation.store.write() as db:
        draft = Draft(Kind.REMINDER, BORA, "Come", "simulator", now, now + timedelta(hours=1))
        message = write(db, installation.keys, draft, now)
    page = f"/admin/messages/{message}"
    assert BORA not in sokha.get(page).text
    assert BORA in text(sokha.send(page, f"{page}/number"))
    assert last(installation) == ("Sokha", "admin.messages_number", {"message": message}, {}, 200)
    assert "Sokha looked at the whole number of a message." in sokha.read(page)  # its own history says so
    assert sokha.send(page, "/admin/messages/nothing/number").status_code == 404


# retention ------------------------------------------------------------------------------------------


def test_an_entry_goes_after_two_years(installation: Installation) -> None:
    now = installation.clock.now
    with installation.store.write() as db:
        note(db, "admin.logout", now - timedelta(days=2 * 365 + 1))
        note(db, "admin.logout", now - timedelta(days=2 * 365 - 1))
    done = housekeeping.purge(installation.store, installation.settings, now)
    assert [count for name, count in done.items() if "audit log" in name] == [1]
    assert len(entries(installation)) == 1
