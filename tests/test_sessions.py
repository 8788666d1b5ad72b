"""Where one is logged in, how that ends, and what becomes of a form whose writer was logged out meanwhile."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
import time_machine
from flask import Flask
from sqlalchemy import event, select
from werkzeug.test import TestResponse

from admin.people.sessions import browser_name
from gateway import backup, create_app, keyring, logins
from gateway.models import staff
from gateway.models.contacts import contacts
from gateway.models.store import Store
from gateway.models.uploads import uploads
from gateway.workers import housekeeping
from tests.conftest import COMMUNES, Installation
from tests.test_panel import MONDAY, NAME, PASSWORD, Browser, on_one_database, text
from tests.test_second_factor import code_of, set_up

TA_PHOU = COMMUNES[2]
ANDROID = (
    "Mozilla/5.0 (Linux; Android 13; SM-A135F) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0 Mobile Safari/537.36"
)
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:120.0) Gecko/20100101 Firefox/120.0"
PHONE = "+85510000011"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(MONDAY, tick=False) as traveller:
        yield traveller


@pytest.fixture
def app(installation: Installation, clock: object) -> Flask:
    with installation.store.write() as db:
        staff.reset_password(db, "admin", PASSWORD, one_time=False)
        for name, role in ((NAME, "staff"), ("dara", "staff"), ("council", "council")):
            logins.add(db, name, role, [TA_PHOU] if role == "council" else [])
            staff.reset_password(db, name, PASSWORD, one_time=False)
    return create_app(installation.settings)


def enter(app: Flask, name: str = NAME, agent: str = WINDOWS) -> Browser:
    browser = Browser(app.test_client())
    browser.client.environ_base["HTTP_USER_AGENT"] = agent
    assert browser.log_in(name, page="/admin/login?lang=en").status_code == 302
    return browser


def is_in(browser: Browser) -> bool:
    return browser.get("/admin/self").status_code == 200


def token_of(page: TestResponse) -> str:
    found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page.text)
    assert found
    return found[1]


# the list -----------------------------------------------------------------------------------------


def test_one_sees_where_one_is_logged_in_and_ends_one_or_all_others(app: Flask, clock: time_machine.Traveller) -> None:
    phone = enter(app, agent=ANDROID)
    clock.shift(timedelta(minutes=10))
    laptop, third = enter(app), enter(app)
    page = laptop.read("/admin/self")
    assert "Firefox, Windows · this one since 23 Nov 2026, 09:10, last used 23 Nov 2026, 09:10" in page
    assert "Chrome, Android since 23 Nov 2026, 09:00, last used 23 Nov 2026, 09:00 Log out there" in page
    ends = re.findall(r'action="(/admin/self/places/[0-9a-f]+/end)"', laptop.get("/admin/self").text)
    assert len(ends) == 2
    assert laptop.send("/admin/self", ends[-1]).status_code == 302  # the phone: the one used longest ago
    assert (is_in(phone), is_in(laptop), is_in(third)) == (False, True, True)
    assert laptop.send("/admin/self", ends[-1]).status_code == 302  # a second click
    again = enter(app, agent=ANDROID)
    assert laptop.send("/admin/self", "/admin/self/places/end").status_code == 302
    assert [is_in(one) for one in (laptop, third, again)] == [True, False, False]


@on_one_database
def test_nobody_ends_a_login_of_somebody_else_but_an_admin(app: Flask, installation: Installation) -> None:
    sokha, dara, admin = enter(app), enter(app, "dara"), enter(app, "admin")
    with installation.store.read() as db:
        member = staff.id_of(db, "dara")
    path = re.findall(rf'"(/admin/logins/{member}/places/([0-9a-f]+)/end)"', admin.get(f"/admin/logins/{member}").text)
    assert len(path) == 1
    assert sokha.send("/admin/self", f"/admin/self/places/{path[0][1]}/end").status_code == 302
    assert is_in(dara)
    assert sokha.send("/admin/self", path[0][0]).status_code == 403
    assert admin.send("/admin/logins", path[0][0]).status_code == 302
    assert not is_in(dara)
    assert is_in(sokha)


@pytest.mark.parametrize("how", ["own password", "reset", "let in", "ended", "role"])
def test_what_ends_the_logins_of_a_member(app: Flask, installation: Installation, how: str) -> None:
    here, there, somebody = enter(app), enter(app), enter(app, "dara")
    with installation.store.read() as db:
        member = staff.id_of(db, NAME)
    assert member
    if how == "own password":
        fields = {"current": PASSWORD, "new": "something else", "again": "something else"}
        assert here.send("/admin/password", **fields).status_code == 302
        assert is_in(here)
    else:
        with installation.store.write() as db:
            match how:
                case "reset":
                    staff.reset_password(db, NAME, "by the operator")
                case "let in":
                    staff.let_in(db, member, "by an admin")
                case "ended":
                    logins.end(db, member)
                case "role":
                    logins.change(db, member, "council", [TA_PHOU])
        if how == "role":  # it goes on, as what it is now
            assert here.get("/admin/messages").status_code == 403
            assert "Ta Phou" in here.read("/admin/council")
            return
        assert not is_in(here)
    assert not is_in(there)
    assert is_in(somebody)


@on_one_database
def test_logging_out_ends_it_on_the_server_too(app: Flask) -> None:
    browser = enter(app)
    before = browser.client.get_cookie("mati")
    assert before
    browser.send("/admin/self", "/admin/logout")
    browser.client.set_cookie("mati", before.value)  # somebody copied it
    assert not is_in(browser)


@on_one_database
def test_the_database_holds_nothing_that_would_let_one_in(app: Flask, installation: Installation) -> None:
    browser = enter(app)
    with browser.client.session_transaction() as session:
        secret = session["_user_id"]
    with installation.store.read() as db:
        row = db.execute(select(staff.staff_sessions)).one()
    assert secret.encode() not in row.id
    assert row.id == installation.keys.lookup(f"panel session {secret}")
    browser.client.delete_cookie("mati")
    with browser.client.session_transaction() as session:
        session["_user_id"] = row.id.hex()
    assert not is_in(browser)


@on_one_database
def test_use_is_noted_once_a_minute_and_read_with_one_query(
    app: Flask, installation: Installation, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = enter(app)
    said: list[str] = []
    engines = []
    original = Store.__init__

    def noted(self: Store, *how: object, **more: object) -> None:
        original(self, *how, **more)  # type: ignore[arg-type]
        engines.append(self.engine)
        event.listen(self.engine, "before_cursor_execute", lambda *it: said.append(it[2]))

    monkeypatch.setattr(Store, "__init__", noted)
    counted = Browser(create_app(installation.settings).test_client())
    cookie = browser.client.get_cookie("mati")
    assert cookie
    counted.client.set_cookie("mati", cookie.value)

    def about_sessions() -> list[str]:
        said.clear()
        assert counted.get("/admin/password").status_code == 200
        return [statement.split()[0] for statement in said if "staff_sessions" in statement]

    assert about_sessions() == ["SELECT"]
    clock.shift(timedelta(seconds=59))
    assert about_sessions() == ["SELECT"]
    clock.shift(timedelta(seconds=1))
    assert about_sessions() == ["SELECT", "UPDATE"]
    assert about_sessions() == ["SELECT"]


@on_one_database
def test_old_ones_are_removed_and_none_is_in_a_backup(
    app: Flask, installation: Installation, clock: time_machine.Traveller
) -> None:
    enter(app)
    clock.shift(timedelta(days=6, hours=23))
    enter(app)
    now, store, settings = datetime.now(UTC), installation.store, installation.settings
    name = "logins in browsers, 7 days after they were used"
    assert housekeeping.due(store, settings, now)[name] == 0
    assert housekeeping.purge(store, settings, now + timedelta(hours=2)) == {name: 1}
    assert {staff.staff_sessions, staff.invitations} <= set(backup.LEFT_OUT)


@on_one_database
def test_with_another_master_key_nobody_stays_in(app: Flask, installation: Installation) -> None:
    enter(app)
    keyring.start_anew(installation.store, installation.keys, datetime.now(UTC))
    with installation.store.read() as db:
        for table in (staff.staff_sessions, staff.staff_codes, staff.invitations):
            assert not db.execute(select(table)).all()


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (ANDROID, "Chrome, Android"), (WINDOWS, "Firefox, Windows"), ("", ""), ("curl/8", ""),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/119.0 Safari/537.36", "Chrome, Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1", "Safari, iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/119.0 Safari/537.36 Edg/119.0", "Edge, Windows"),
        ("Mozilla/5.0 (Linux; U; Android 9; Redmi) UCBrowser/13.4 Mobile Safari/537.36", "UC Browser, Android"),
        ("Mozilla/5.0 (Linux; Android 12) SamsungBrowser/22.0 Chrome/111.0 Mobile", "Samsung Internet, Android"),
        ("<script>alert(1)</script> Firefox", "Firefox"),
    ],
)  # fmt: skip
def test_a_browser_is_called_what_people_call_it(agent: str, name: str) -> None:
    assert browser_name(agent) == name


# logged out while writing -------------------------------------------------------------------------


def write_contact(browser: Browser, **more: str) -> tuple[str, dict[str, str]]:
    """Somebody begins a form; what they type into it."""
    page = browser.get("/admin/contacts/new")
    fields = {"csrf_token": token_of(page), "name": "Chan Sothea", "role": "institution", "number": PHONE,
              "consent": "asked at the forum,\nបានសួរ", "language": "km"}  # fmt: skip
    return "/admin/contacts/new", fields | more


def saved(at: Installation) -> list[str]:
    with at.store.read() as db:
        return list(db.scalars(select(contacts.c.name)))


def send_again(browser: Browser, path: str) -> TestResponse:
    """Presses "Send it now" on the page of a form that was kept."""
    page = browser.get(path)
    form = re.search(r'<form class="deed" method="post" action="([^"]+)">(.*?)</form>', page.text, re.DOTALL)
    assert form
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[2]))
    areas = re.findall(r'<textarea name="([^"]+)" hidden>\n(.*?)</textarea>', form[2], re.DOTALL)
    fields |= {html.unescape(name): html.unescape(value) for name, value in areas}
    return browser.client.post(html.unescape(form[1]), data=fields)


@pytest.mark.parametrize("pause", [timedelta(minutes=61), timedelta(hours=14)], ids=["a long call", "overnight"])
def test_what_was_typed_comes_back_after_the_login_and_is_sent_once(
    app: Flask, installation: Installation, clock: time_machine.Traveller, pause: timedelta
) -> None:
    browser = enter(app)
    path, fields = write_contact(browser)
    clock.shift(pause)
    answer = browser.client.post(path, data=fields)
    assert answer.headers["Location"] == "/admin/login"
    assert saved(installation) == []
    page = browser.read("/admin/login")
    assert "You were logged out while you were writing. It is kept for an hour: log in, then send it." in page
    assert browser.log_in(NAME, "wrong").status_code == 401
    browser.read("/admin/login?lang=km")
    came = browser.log_in(page="/admin/login?lang=en")
    kept = came.headers["Location"]
    assert kept.startswith("/admin/kept/")
    page = browser.read(kept)
    assert "Send it now?" in page
    assert "Chan Sothea" in page
    assert "បានសួរ" in page
    assert send_again(browser, kept).status_code == 302
    assert saved(installation) == ["Chan Sothea"]
    assert browser.get(kept).status_code == 404
    with installation.store.read() as db:
        assert not db.execute(select(uploads)).all()


def test_a_second_click_on_send_it_now_changes_nothing(
    app: Flask, installation: Installation, clock: time_machine.Traveller
) -> None:
    browser = enter(app)
    path, fields = write_contact(browser)
    clock.shift(timedelta(hours=2))
    browser.client.post(path, data=fields)
    kept = browser.log_in(page="/admin/login?lang=en").headers["Location"]
    page = browser.get(kept)
    form = {"csrf_token": token_of(page), "kept_form": kept.rpartition("/")[2]} | fields
    form["csrf_token"] = token_of(page)
    assert browser.client.post(path, data=form).status_code == 302
    again = browser.client.post(path, data=form)
    assert again.headers["Location"] == "/admin/"
    assert "sent already" in browser.read("/admin/self")
    assert saved(installation) == ["Chan Sothea"]


@on_one_database
def test_what_is_wrong_in_it_is_said_on_its_own_page(
    app: Flask, installation: Installation, clock: time_machine.Traveller
) -> None:
    browser = enter(app)
    path, fields = write_contact(browser, number="12")
    clock.shift(timedelta(hours=2))
    browser.client.post(path, data=fields)
    answer = send_again(browser, browser.log_in(page="/admin/login?lang=en").headers["Location"])
    assert answer.status_code == 422
    assert 'value="Chan Sothea"' in answer.text


def test_it_comes_back_after_the_second_factor_and_a_new_password_too(
    installation: Installation, clock: time_machine.Traveller
) -> None:
    with installation.store.write() as db:
        staff.add_member(db, NAME, "staff", PASSWORD, one_time=False)
    app = create_app(installation.settings.model_copy(update={"second_factor": True}))
    browser = enter(app)
    phone = set_up(browser)
    path, fields = write_contact(browser)
    clock.shift(timedelta(hours=2))
    browser.client.post(path, data=fields)
    assert browser.log_in(page="/admin/login?lang=en").headers["Location"].startswith("/admin/login/code")
    assert saved(installation) == []
    answer = browser.send("/admin/login/code?lang=en", code=code_of(phone))
    assert answer.headers["Location"].startswith("/admin/kept/")
    path, fields = write_contact(browser)  # and once more, with a password that an admin gave meanwhile
    clock.shift(timedelta(hours=2))
    assert browser.client.post(path, data=fields).status_code == 302
    with installation.store.write() as db:
        staff.reset_password(db, NAME, PASSWORD)
    leads = browser.log_in(page="/admin/login?lang=en").headers["Location"]
    assert leads.startswith("/admin/password?next=/admin/kept/")
    to_factor = browser.send(leads, new="my own words", again="my own words").headers["Location"]
    onward = browser.get(to_factor).headers["Location"]
    assert onward.startswith("/admin/self/factor?next=/admin/kept/")
    page = browser.get(onward.replace("/factor?", "/factor/app?"))
    key = re.search(r'<p class="key"><code>([A-Z2-7 ]+)</code>', page.text)
    assert key
    back = browser.send(onward.replace("/factor?", "/factor/app?"), code=code_of(pyotp.TOTP(key[1].replace(" ", ""))))
    assert send_again(browser, back.headers["Location"]).status_code == 302
    assert saved(installation) == ["Chan Sothea"]


def test_only_its_writer_gets_it_back(app: Flask, installation: Installation, clock: time_machine.Traveller) -> None:
    browser = enter(app)
    path, fields = write_contact(browser)
    clock.shift(timedelta(hours=2))
    browser.client.post(path, data=fields)
    with browser.client.session_transaction() as session:
        form = session["form"]
    assert browser.log_in("dara", page="/admin/login?lang=en").headers["Location"] == "/admin/"
    assert browser.get(f"/admin/kept/{form}").status_code == 404
    browser.send("/admin/self", f"/admin/kept/{form}/drop")
    with installation.store.read() as db:
        row = db.execute(select(uploads)).one()
    assert b"Sothea" not in row.content  # sealed
    assert PHONE[4:] not in row.said + row.id
    browser.send("/admin/self", "/admin/logout")
    browser.log_in(page="/admin/login?lang=en")
    assert browser.get(f"/admin/kept/{form}").status_code == 200


@on_one_database
def test_it_is_kept_for_an_hour_or_until_it_is_thrown_away(
    app: Flask, installation: Installation, clock: time_machine.Traveller
) -> None:
    browser = enter(app)
    for thrown in (False, True):
        path, fields = write_contact(browser)
        clock.shift(timedelta(minutes=61))
        browser.client.post(path, data=fields)
        kept = browser.log_in(page="/admin/login?lang=en").headers["Location"]
        assert browser.get(kept).status_code == 200
        if thrown:
            assert browser.send(kept, f"{kept}/drop").status_code == 302
        else:
            clock.shift(timedelta(minutes=40))
            browser.get("/admin/self")
            clock.shift(timedelta(minutes=20))
        assert browser.get(kept).status_code == 404
    assert saved(installation) == []


@on_one_database
def test_a_form_in_another_tab_is_still_good_for_the_same_member(
    app: Flask, installation: Installation, clock: time_machine.Traveller
) -> None:
    browser = enter(app)
    path, fields = write_contact(browser)
    clock.shift(timedelta(hours=2))
    assert browser.get("/admin/messages").status_code == 302  # in another tab: logged out, and in again
    browser.log_in(page="/admin/login?lang=en")
    assert browser.client.post(path, data=fields).status_code == 302
    assert saved(installation) == ["Chan Sothea"]


@on_one_database
def test_a_form_of_who_was_here_before_is_not_sent_for_somebody_else(
    app: Flask, installation: Installation, clock: time_machine.Traveller
) -> None:
    browser = enter(app)
    path, fields = write_contact(browser)
    clock.shift(timedelta(hours=2))
    browser.get("/admin/messages")
    browser.log_in("dara", page="/admin/login?lang=en")
    assert browser.client.post(path, data=fields).status_code == 400
    assert saved(installation) == []


@on_one_database
def test_what_a_script_asked_meanwhile_does_not_lose_the_form(
    app: Flask, installation: Installation, clock: time_machine.Traveller
) -> None:
    browser = enter(app)
    path, fields = write_contact(browser)
    clock.shift(timedelta(hours=2))
    browser.client.post("/admin/broadcasts/count", data=fields, headers={"Sec-Fetch-Mode": "cors"})
    browser.client.post("/admin/broadcasts/count", data=fields)
    browser.get("/admin/broadcasts/1/progress")
    browser.client.post(path, data=fields)
    assert send_again(browser, browser.log_in(page="/admin/login?lang=en").headers["Location"]).status_code == 302
    assert saved(installation) == ["Chan Sothea"]


@on_one_database
@pytest.mark.parametrize(
    "path",
    [
        "/admin/password", "/admin/self/factor/app", "/admin/self/factor/codes", "/admin/self/factor/off",
        "/admin/self/places/end", "/admin/logins", "/admin/logins/1", "/admin/logins/1/reset", "/admin/logout",
        "/admin/language", "/admin/volunteers/1/login", "/admin/broadcasts/count",
    ],
)  # fmt: skip
def test_passwords_codes_and_logins_are_never_kept(
    app: Flask, installation: Installation, clock: time_machine.Traveller, path: str
) -> None:
    browser = enter(app, "admin")
    _path, fields = write_contact(browser)
    clock.shift(timedelta(hours=2))
    answer = browser.client.post(path, data=fields | {"current": PASSWORD, "new": "secret words", "lang": "en"})
    assert answer.headers["Location"] == "/admin/login"
    assert browser.log_in("admin", page="/admin/login?lang=en").headers["Location"] == "/admin/"
    with installation.store.read() as db:
        assert not db.execute(select(uploads)).all()


@on_one_database
@pytest.mark.parametrize(
    "what", ["no token", "a stranger's token", "never logged in", "logged out", "ended by an admin", "too large"]
)
def test_what_nobody_vouches_for_is_not_kept(
    app: Flask, installation: Installation, clock: time_machine.Traveller, what: str
) -> None:
    browser = enter(app)
    path, fields = write_contact(browser)
    match what:
        case "logged out":
            browser.send("/admin/self", "/admin/logout")
        case "never logged in":
            browser.client.delete_cookie("mati")
        case "ended by an admin":
            with installation.store.write() as db:
                logins.end(db, staff.id_of(db, NAME) or 0)
        case "no token":
            fields.pop("csrf_token")
        case "a stranger's token":
            fields["csrf_token"] = "invented"
        case "too large":
            fields["consent"] = "x" * 70_000
    clock.shift(timedelta(hours=2))
    assert browser.client.post(path, data=fields).headers["Location"] == "/admin/login"
    with installation.store.read() as db:
        assert not db.execute(select(uploads)).all()


@on_one_database
def test_the_form_leads_to_pages_of_the_panel_alone(
    app: Flask, installation: Installation, clock: time_machine.Traveller
) -> None:
    browser = enter(app)
    path, fields = write_contact(browser, next="https://evil.example", name='"><script>alert(1)</script>')
    clock.shift(timedelta(hours=2))
    browser.client.post(f'{path}?next=//evil.example&x="><script>', data=fields)
    page = browser.get(browser.log_in(page="/admin/login?lang=en").headers["Location"]).text
    actions = re.findall(r'action="([^"]*)"', page)
    assert all(action.startswith("/admin/") for action in actions)
    assert "<script>" not in page


@on_one_database
def test_a_file_is_chosen_again(app: Flask, installation: Installation, clock: time_machine.Traveller) -> None:
    browser = enter(app)
    _path, fields = write_contact(browser)
    import io

    clock.shift(timedelta(hours=2))
    sent: dict[str, object] = {**fields, "file": (io.BytesIO(b"number\n010000011\n"), "people.csv")}
    browser.client.post("/admin/contacts/import", data=sent, content_type="multipart/form-data")
    kept = browser.log_in(page="/admin/login?lang=en").headers["Location"]
    assert "has to be chosen again" in browser.read(kept)
    answer = send_again(browser, kept)
    assert answer.status_code == 422
    assert "Choose a file" in text(answer)
