"""Invitations: a link by which somebody sets the password of a login, once; and what an admin does with logins."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from gateway import create_app, invitations, logins
from gateway.cli import main
from gateway.models import staff
from tests.conftest import COMMUNES, Installation
from tests.test_panel import MONDAY, PASSWORD, Browser, on_one_database, text

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(MONDAY, tick=False) as traveller:
        yield traveller


@pytest.fixture
def app(installation: Installation, clock: object) -> Flask:
    with installation.store.write() as db:
        staff.reset_password(db, "admin", PASSWORD, one_time=False)
    return create_app(installation.settings)


@pytest.fixture
def admin(app: Flask) -> Browser:
    browser = Browser(app.test_client())
    assert browser.log_in("admin", page="/admin/login?lang=en").status_code == 302
    return browser


def other(browser: Browser) -> Browser:
    return Browser(browser.client.application.test_client())


def link_on(page: str) -> str:
    """The path of the link on a page."""
    found = re.search(r'<p class="password link"><code>http://[^/]+(/admin/join/[0-9a-f]{40})</code>', page)
    assert found
    return found[1]


def invite(admin: Browser, name: str = "Bopha", role: str = "staff", **more: str) -> str:
    return link_on(admin.send("/admin/logins", name=name, role=role, **more).text)


def accept(browser: Browser, link: str, password: str = "my own words") -> int:
    return browser.send(f"{link}?lang=en", link, new=password, again=password).status_code


def id_of(at: Installation, name: str) -> int:
    with at.store.read() as db:
        found = staff.id_of(db, name)
    assert found
    return found


# the link -----------------------------------------------------------------------------------------


def test_who_opens_the_link_chooses_a_password_and_is_in(admin: Browser, installation: Installation) -> None:
    link = invite(admin, " Bopha  Chan ", "council", commune=TREAS)
    assert link not in admin.get("/admin/logins").text
    assert "Bopha Chan council Treas – invited until 30 Nov 2026, 09:00" in admin.read("/admin/logins")
    bopha = other(admin)
    page = bopha.read(f"{link}?lang=en")
    assert "Welcome, Bopha Chan" in page
    assert "good until 30 Nov 2026, 09:00" in page
    assert 'lang="km"' in bopha.get(f"{link}?lang=km").text
    answer = bopha.send(f"{link}?lang=en", new="my own words", again="my own words")
    assert answer.headers["Location"] == "/admin/council"
    assert "Treas 010807" in bopha.read("/admin/council")  # in English, as the page was
    assert "invited" not in admin.read("/admin/logins")
    assert other(admin).log_in("Bopha Chan", "my own words").status_code == 302


def test_a_link_opens_once(admin: Browser) -> None:
    link = invite(admin)
    page = other(admin).get(link)
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page.text)
    assert token
    assert accept(other(admin), link) == 302
    late = other(admin)
    answer = late.get(f"{link}?lang=en")
    assert answer.status_code == 404
    assert "Ask who sent it for a new one" in text(answer)
    assert late.get("/admin/login").status_code == 200
    page = late.get("/admin/login")
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page.text)
    assert token
    fields = {"csrf_token": token[1], "new": "somebody else's", "again": "somebody else's"}
    assert late.client.post(link, data=fields).status_code == 404
    assert late.log_in("Bopha", "somebody else's").status_code == 401


@on_one_database
def test_a_second_click_on_the_form_leads_on(admin: Browser) -> None:
    link = invite(admin)
    bopha = other(admin)
    page = bopha.get(link)
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page.text)
    assert token
    fields = {"csrf_token": token[1], "new": "my own words", "again": "my own words"}
    assert bopha.client.post(link, data=fields).status_code == 302
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', bopha.get("/admin/self").text)
    assert token
    assert bopha.client.post(link, data=fields | {"csrf_token": token[1]}).headers["Location"] == "/admin/"


@on_one_database
@pytest.mark.parametrize(("later", "status"), [(timedelta(days=7, seconds=-1), 200), (timedelta(days=7), 404)])
def test_a_link_is_good_for_a_week(
    admin: Browser, clock: time_machine.Traveller, later: timedelta, status: int
) -> None:
    link = invite(admin)
    clock.shift(later)
    assert other(admin).get(link).status_code == status


def test_a_link_that_is_too_old_is_renewed_and_the_old_one_dies(
    admin: Browser, installation: Installation, clock: time_machine.Traveller
) -> None:
    link = invite(admin)
    clock.shift(timedelta(days=8))
    admin.log_in("admin", page="/admin/login?lang=en")
    assert "The link is too old." in admin.read("/admin/logins")
    member = id_of(installation, "Bopha")
    assert "Withdraw the invitation" in admin.read(f"/admin/logins/{member}")
    new = link_on(admin.send("/admin/logins", f"/admin/logins/{member}/invite").text)
    assert new != link
    assert other(admin).get(link).status_code == 404
    assert accept(other(admin), new) == 302
    assert admin.send("/admin/logins", f"/admin/logins/{member}/invite").status_code == 404  # she has come


def test_an_invitation_is_withdrawn_and_its_name_is_free_again(admin: Browser, installation: Installation) -> None:
    link = invite(admin, role="volunteer", commune=TREAS)
    member = id_of(installation, "Bopha")
    for _click in range(2):
        assert admin.send("/admin/logins", f"/admin/logins/{member}/withdraw").status_code == 302
    assert other(admin).get(link).status_code == 404
    assert "Bopha" not in admin.read("/admin/logins")
    assert other(admin).get(invite(admin)).status_code == 200


@on_one_database
def test_who_has_come_is_not_withdrawn(admin: Browser, installation: Installation) -> None:
    accept(other(admin), invite(admin))
    member = id_of(installation, "Bopha")
    admin.send("/admin/logins", f"/admin/logins/{member}/withdraw")
    assert other(admin).log_in("Bopha", "my own words").status_code == 302


@on_one_database
def test_before_the_link_is_used_nobody_can_log_in(admin: Browser) -> None:
    invite(admin)
    for password in ("", "my own words", "Bopha"):
        assert other(admin).log_in("Bopha", password).status_code == 401


@on_one_database
@pytest.mark.parametrize(
    ("new", "again", "says"), [("short", "short", "Too short"), ("x" * 10, "y" * 10, "not the same")]
)
def test_a_password_that_will_not_do_leaves_the_link_good(admin: Browser, new: str, again: str, says: str) -> None:
    link = invite(admin)
    bopha = other(admin)
    answer = bopha.send(f"{link}?lang=en", new=new, again=again)
    assert answer.status_code == 422
    assert says in text(answer)
    assert accept(bopha, link) == 302


@on_one_database
@pytest.mark.parametrize("token", ["x", "0" * 40, "%00", "0" * 5000, "../login", "ឃុំ"])
def test_a_link_that_was_guessed_opens_nothing(admin: Browser, token: str) -> None:
    answer = other(admin).get(f"/admin/join/{token}")
    assert answer.status_code in (302, 404)


@on_one_database
def test_the_link_of_somebody_else_does_not_change_who_is_logged_in(admin: Browser) -> None:
    link = invite(admin)
    answer = admin.get(link)
    assert answer.status_code == 409
    assert "You are logged in as admin, and this link is for Bopha" in text(answer)
    assert accept(other(admin), link) == 302


@on_one_database
def test_a_forged_form_sets_no_password(admin: Browser) -> None:
    link = invite(admin)
    fields = {"new": "a stranger's", "again": "a stranger's"}
    for token in ({}, {"csrf_token": "invented"}):
        assert other(admin).client.post(link, data=fields | token).status_code == 400
    assert other(admin).get(link).status_code == 200


def test_staff_who_were_invited_set_up_the_second_factor_next(installation: Installation, clock: object) -> None:
    with installation.store.write() as db:
        by = staff.id_of(db, "admin")
        assert by
        token = invitations.invite(db, installation.keys, "Bopha", "staff", [], by, "form", MONDAY)
    wanted = installation.settings.model_copy(update={"second_factor": True})
    bopha = Browser(create_app(wanted).test_client())
    assert accept(bopha, f"/admin/join/{token}") == 302
    assert bopha.get("/admin/messages").headers["Location"].startswith("/admin/self/factor?")


@on_one_database
def test_the_link_is_in_no_log_no_header_and_no_table(
    admin: Browser, installation: Installation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = Browser(create_app(installation.settings).test_client())  # here, so that its log is read
    admin.log_in("admin", page="/admin/login?lang=en")
    link = invite(admin)
    token = link.rpartition("/")[2]
    bopha = other(admin)
    page = bopha.get(link)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert token not in str(page.headers)
    with monkeypatch.context() as patch:  # an error's line names the address

        def broken(*_: object) -> None:
            raise RuntimeError("broken")

        patch.setattr("admin.people.joining.invitations.find", broken)
        bopha.client.application.config["PROPAGATE_EXCEPTIONS"] = False
        assert bopha.get(link).status_code in (500, 503)
    assert accept(bopha, link) == 302
    said = capsys.readouterr().err
    assert "Exception on /admin/join/[token]" in said
    assert token not in said
    again = invite(admin, "Dara").rpartition("/")[2]
    with installation.store.read() as db:
        kept = [row.token for row in db.execute(select(staff.invitations))]
    assert len(kept) == 1
    assert kept[0] != again.encode()
    assert kept[0].hex() not in again


def test_the_server_keeps_no_log_of_addresses() -> None:
    """granian's own default, and `mati web` does not change it."""
    import inspect

    from granian.server import Server

    from gateway.commands import running

    assert inspect.signature(Server.__init__).parameters["log_access"].default is False
    assert "log_access" not in inspect.getsource(running)


# two clicks ---------------------------------------------------------------------------------------


def test_two_clicks_on_add_make_one_login_and_show_a_link_that_works(admin: Browser) -> None:
    """The answer to the first click never reaches the screen."""
    page = admin.get("/admin/logins").text
    once = re.search(r'name="once" value="([^"]+)"', page)
    assert once
    first = invite(admin, "Bopha", once=once[1])
    assert invite(admin, "Bopha", once=once[1]) == first
    answer = admin.send("/admin/logins", name="Bopha", role="staff", once="another form")
    assert answer.status_code == 422
    assert "has a login already" in text(answer)
    assert accept(other(admin), first) == 302
    assert admin.send("/admin/logins", name="Bopha", role="staff", once=once[1]).status_code == 422  # "back", later


def test_two_clicks_at_the_same_moment(admin: Browser, installation: Installation) -> None:
    by, found, barrier = id_of(installation, "admin"), list[str](), threading.Barrier(2)

    def click() -> None:
        barrier.wait()
        with installation.store.write() as db:
            found.append(invitations.invite(db, installation.keys, "Bopha", "staff", [], by, "form", MONDAY))

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert len(set(found)) == 1
    assert other(admin).get(f"/admin/join/{found[0]}").status_code == 200


# roles, communes, ends ----------------------------------------------------------------------------


def test_a_role_and_communes_are_changed_and_hold_at_once(admin: Browser, installation: Installation) -> None:
    link = invite(admin, role="council", commune=TREAS)
    bopha = other(admin)
    accept(bopha, link)
    member = id_of(installation, "Bopha")
    assert bopha.get("/admin/messages").status_code == 403
    page = admin.get(f"/admin/logins/{member}").text
    version = re.search(r'name="version" value="([^"]+)"', page)
    assert version
    saved = admin.send(f"/admin/logins/{member}", role="staff", commune=TA_PHOU, version=version[1])
    assert saved.status_code == 302
    assert bopha.get("/admin/tallies").status_code == 200
    assert "Bopha staff Ta Phou" in admin.read("/admin/logins")
    assert admin.send(f"/admin/logins/{member}", role="staff").status_code == 302
    assert "Bopha staff all" in admin.read("/admin/logins")


@on_one_database
def test_who_saves_over_what_somebody_else_saved_is_told(admin: Browser, installation: Installation) -> None:
    invite(admin, role="council", commune=TREAS)
    member = id_of(installation, "Bopha")
    version = re.search(r'name="version" value="([^"]+)"', admin.get(f"/admin/logins/{member}").text)
    assert version
    admin.send(f"/admin/logins/{member}", role="council", commune=PONLEY)
    answer = admin.send(f"/admin/logins/{member}", role="council", commune=TA_PHOU, version=version[1])
    assert answer.status_code == 422
    assert "Somebody else changed this meanwhile" in text(answer)
    assert "There now: Ponley" in text(answer)


@on_one_database
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"role": "king"}, "Choose a role"), ({}, "Choose a role"), ({"role": "council"}, "needs a commune"),
        ({"role": "volunteer"}, "needs a commune"), ({"role": "council", "commune": "999999"}, "takes no part"),
        ({"role": "admin", "commune": TREAS}, "An admin sees all communes"),
    ],
)  # fmt: skip
def test_a_change_that_will_not_do_says_why(
    admin: Browser, installation: Installation, fields: dict[str, str], says: str
) -> None:
    invite(admin)
    answer = admin.send(f"/admin/logins/{id_of(installation, 'Bopha')}", **fields)
    assert answer.status_code == 422
    assert says in html.unescape(text(answer))


def test_there_is_always_an_admin_left(admin: Browser, installation: Installation) -> None:
    me = id_of(installation, "admin")
    for path in ("", "/end", "/reset", "/withdraw"):
        status = admin.send("/admin/logins", f"/admin/logins/{me}{path}", role="staff").status_code
        assert status in (302, 404), path
    assert admin.get("/admin/logins").status_code == 200
    with installation.store.write() as db:
        for deed in (lambda: logins.end(db, me), lambda: logins.change(db, me, "staff", [])):
            with pytest.raises(logins.Refused, match="the only admin"):
                deed()
        logins.add(db, "second", "admin", [])
        logins.change(db, me, "staff", [])
        with pytest.raises(logins.Refused, match="second is the only admin"):
            logins.end(db, staff.id_of(db, "second") or 0)


def test_of_two_admins_who_take_leave_of_each_other_one_stays(installation: Installation) -> None:
    with installation.store.write() as db:
        logins.add(db, "second", "admin", [])
    first, second = (id_of(installation, name) for name in ("admin", "second"))
    refused: list[str] = []

    def end_second() -> None:
        try:
            with installation.store.write() as db:
                logins.end(db, second)
        except logins.Refused as refusal:
            refused.append(str(refusal))

    other_one = threading.Thread(target=end_second)
    with installation.store.write() as db:
        logins.end(db, first)
        other_one.start()
        other_one.join(0.5)  # waits for this transaction
        assert other_one.is_alive()
    other_one.join()
    assert refused == ["second is the only admin: let somebody else be one first"]
    with installation.store.read() as db:
        admins = select(staff.staff.c.name).where(staff.staff.c.active, staff.staff.c.role == "admin")
        assert list(db.scalars(admins)) == ["second"]


def test_a_login_that_ended_keeps_nothing_open(admin: Browser, installation: Installation) -> None:
    link = invite(admin)
    member = id_of(installation, "Bopha")
    assert admin.send("/admin/logins", f"/admin/logins/{member}/end").status_code == 302
    assert other(admin).get(link).status_code == 404
    assert "Let in again" in admin.read(f"/admin/logins/{member}")
    page = text(admin.send("/admin/logins", f"/admin/logins/{member}/reset"))
    password = re.search(r"One-time password of Bopha (\S+)", page)
    assert password
    assert other(admin).log_in("Bopha", password[1]).headers["Location"].startswith("/admin/password")


# the command --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["add", "Sok", "--role", "staff"], 0, "Sok (staff), one-time password"),
        (["add", "Sok", "--role", "staff", "--commune", TREAS], 0, f"Sok (staff of {TREAS}), one-time password"),
        (["add", "Sok", "--role", "council", "--commune", f"{TREAS},{PONLEY}"], 0, f"council of {TREAS}, {PONLEY}"),
        (["add", "Sok", "--role", "admin", "--commune", TREAS], 2, "sees all communes"),
        (["add", "Sok", "--role", "council"], 2, "needs a commune"),
        (["add", "Sok", "--role", "staff", "--commune", "999999"], 1, "takes no part"),
        (["reset", "admin"], 0, "the second factor is gone"),
        (["reset", "nobody"], 1, "there is no login nobody"),
    ],
)
@on_one_database
def test_the_command_says_what_it_did(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str], code: int, says: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("DATA_DIR", str(installation.settings.data_dir))
    monkeypatch.setattr("sys.argv", ["mati", "staff", *words])
    with pytest.raises(SystemExit) as done:
        main()
    said = capsys.readouterr()
    assert done.value.code in ((code, None) if not code else (code,))
    assert says in (said.out if not code else said.err)
