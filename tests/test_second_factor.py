"""The second factor: an app's codes or printed ones, who must have one, and who lost the phone."""

from __future__ import annotations

import html
import re
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update

from gateway import create_app, keyring, logins, second_factor, up
from gateway.config import Settings, load
from gateway.demo import Handed
from gateway.models import staff
from gateway.models.audit import audit_log
from gateway.supervisor import Child
from tests.conftest import Clock, Installation
from tests.test_panel import MONDAY, NAME, PASSWORD, Browser, on_one_database, text

TA_PHOU = "010806"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(MONDAY, tick=False) as traveller:
        yield traveller


@pytest.fixture
def app(installation: Installation, clock: object) -> Flask:
    """A programme that wants a second factor, with a login of each role."""
    with installation.store.write() as db:
        for name, role in ((NAME, "staff"), ("chief", "admin"), ("council", "council"), ("helper", "volunteer")):
            logins.add(db, name, role, [TA_PHOU] if role in logins.OF_COMMUNES else [])
            staff.reset_password(db, name, PASSWORD, one_time=False)
    return create_app(installation.settings.model_copy(update={"second_factor": True}))


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app.test_client())


def other(browser: Browser) -> Browser:
    return Browser(browser.client.application.test_client())


def enter(browser: Browser, name: str = NAME, password: str = PASSWORD) -> str:
    """Logs in with name and password; where that leads."""
    return browser.log_in(name, password, page="/admin/login?lang=en").headers["Location"]


def secret_on(page: str) -> str:
    found = re.search(r'<p class="key"><code>([A-Z2-7 ]+)</code>', page)
    assert found
    return found[1].replace(" ", "")


def set_up(browser: Browser, again: str = PASSWORD) -> pyotp.TOTP:
    """Brings the app into a phone, and types its code."""
    phone = pyotp.TOTP(secret_on(browser.get("/admin/self/factor/app").text))
    assert browser.send("/admin/self/factor/app", code=code_of(phone), again=again).status_code == 302
    return phone


def code_of(phone: pyotp.TOTP, steps: int = 0) -> str:
    return phone.at(datetime.now(UTC) + timedelta(seconds=30 * steps))


def printed(browser: Browser, again: str = PASSWORD) -> list[str]:
    """Shows a sheet of codes."""
    page = browser.send("/admin/self/factor", "/admin/self/factor/codes", again=again)
    assert page.status_code == 200, text(page)
    return re.findall(r"<li><code>(\d{5} \d{5})</code>", page.text)


def type_code(browser: Browser, code: str) -> int:
    return browser.send("/admin/login/code?lang=en", code=code).status_code


# setting it up ------------------------------------------------------------------------------------


def test_a_login_of_staff_sets_it_up_before_anything_else(browser: Browser, installation: Installation) -> None:
    assert enter(browser) == "/admin/"
    for path in ("/admin/", "/admin/tallies?commune=010806", "/admin/messages", "/admin/self", "/admin/nowhere"):
        assert browser.get(path).headers["Location"].startswith("/admin/self/factor?next=/admin/"), path
    assert (
        browser.send("/admin/self/factor", "/admin/services/new", name="x").headers["Location"] == "/admin/self/factor"
    )
    page = browser.get("/admin/self/factor?next=/admin/messages")
    assert "choose one of the two ways" in text(page)
    assert 'href="/admin/tallies"' not in page.text  # no way around it
    page = browser.get("/admin/self/factor/app?next=/admin/messages")
    address = re.search(r'href="(otpauth://[^"]+)"', page.text)
    assert address
    phone = pyotp.parse_uri(html.unescape(address[1]))
    assert (phone.issuer, phone.name) == ("Mati 127.0.0.1", NAME)
    assert secret_on(page.text) == phone.secret
    assert "<svg" in page.text
    assert "xmlns" not in page.text
    assert secret_on(browser.get("/admin/self/factor/app").text) == phone.secret  # read in the other language
    assert isinstance(phone, pyotp.TOTP)
    wrong = browser.send("/admin/self/factor/app?next=/admin/messages", code="000000")
    assert wrong.status_code == 422
    assert "not the code that the app shows" in text(wrong)
    assert browser.get("/admin/messages").status_code == 302
    done = browser.send("/admin/self/factor/app?next=/admin/messages", code=code_of(phone))
    assert done.headers["Location"] == "/admin/messages"
    assert browser.get("/admin/messages").status_code == 200
    with installation.store.read() as db:
        row = db.execute(select(staff.staff).where(staff.staff.c.name == NAME)).one()
    assert phone.secret.encode() not in row.factor


@on_one_database
def test_a_second_click_on_setting_up_does_no_harm(browser: Browser) -> None:
    enter(browser)
    page = browser.get("/admin/self/factor/app")
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page.text)
    phone = pyotp.TOTP(secret_on(page.text))
    before = browser.client.get_cookie("mati")
    assert token
    assert before
    fields = {"csrf_token": token[1], "code": code_of(phone)}
    assert browser.client.post("/admin/self/factor/app", data=fields).status_code == 302
    browser.client.set_cookie("mati", before.value)  # the second click was on its way already
    assert browser.client.post("/admin/self/factor/app", data=fields).status_code == 302


@on_one_database
@pytest.mark.parametrize(("name", "must"), [(NAME, True), ("chief", True), ("council", False), ("helper", False)])
def test_admins_and_staff_must_have_one_the_others_may(browser: Browser, name: str, must: bool) -> None:
    enter(browser, name)
    assert ("/self/factor" in browser.get("/admin/self").headers.get("Location", "")) is must
    phone = set_up(browser)
    again = other(browser)
    assert enter(again, name).startswith("/admin/login/code")
    assert type_code(again, code_of(phone, 1)) == 302
    assert again.get("/admin/self").status_code == 200


@on_one_database
def test_where_the_setting_is_off_nobody_must_and_who_has_one_is_asked(
    installation: Installation, clock: object
) -> None:
    with installation.store.write() as db:
        staff.add_member(db, NAME, "staff", PASSWORD, one_time=False)
    browser = Browser(create_app(installation.settings).test_client())
    enter(browser)
    assert browser.get("/admin/messages").status_code == 200
    set_up(browser)
    assert enter(other(browser)).startswith("/admin/login/code")


@on_one_database
def test_who_comes_with_a_one_time_password_chooses_one_first(browser: Browser, installation: Installation) -> None:
    with installation.store.write() as db:
        password = logins.add(db, "new", "staff", [])
    assert enter(browser, "new", password).startswith("/admin/password")
    assert browser.get("/admin/self/factor").headers["Location"] == "/admin/password"
    browser.send("/admin/password", new="my own words", again="my own words")
    assert browser.get("/admin/messages").headers["Location"] == "/admin/self/factor?next=/admin/messages"


# logging in ---------------------------------------------------------------------------------------


def test_a_right_password_alone_opens_nothing(browser: Browser) -> None:
    enter(browser)
    phone = set_up(browser)
    half = other(browser)
    assert half.log_in(page="/admin/login?lang=en&next=/admin/messages").headers["Location"] == (
        "/admin/login/code?lang=en&next=/admin/messages"
    )
    for path in ("/admin/", "/admin/messages", "/admin/self", "/admin/password", "/admin/self/factor"):
        assert half.get(path).headers["Location"].startswith("/admin/login?next="), path
    page = half.get("/admin/login/code?lang=en&next=/admin/messages")
    assert 'autocomplete="one-time-code"' in page.text
    assert 'inputmode="numeric"' in page.text
    assert NAME not in page.text
    came = half.send("/admin/login/code?lang=en&next=/admin/messages", code=code_of(phone, 1))
    assert came.headers["Location"] == "/admin/messages"
    assert half.get("/admin/messages").status_code == 200


@on_one_database
def test_half_a_login_does_not_open_the_handset_of_a_public_address(app: Flask, installation: Installation) -> None:
    public = installation.settings.model_copy(update={"second_factor": True, "public_url": "http://mati.example.org"})
    browser = Browser(create_app(public).test_client())
    enter(browser)
    phone = set_up(browser)
    assert browser.get("/handset").status_code == 200
    half = other(browser)
    enter(half)
    assert half.get("/handset").status_code == 404
    assert type_code(half, code_of(phone, 1)) == 302
    assert half.get("/handset").status_code == 200


@on_one_database
def test_the_page_of_the_code_is_for_who_knew_the_password_not_long_ago(
    browser: Browser, clock: time_machine.Traveller
) -> None:
    assert other(browser).get("/admin/login/code").headers["Location"].startswith("/admin/login")
    enter(browser)
    phone = set_up(browser)
    late = other(browser)
    enter(late)
    clock.shift(timedelta(minutes=4, seconds=59))
    assert late.get("/admin/login/code").status_code == 200
    page = late.get("/admin/login/code").text
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)
    assert token
    clock.shift(timedelta(seconds=1))
    answer = late.client.post("/admin/login/code?lang=en", data={"csrf_token": token[1], "code": code_of(phone)})
    assert answer.headers["Location"] == "/admin/login?lang=en"
    assert "Enter your name and password again" in late.read("/admin/login?lang=en")
    assert late.get("/admin/self").status_code == 302


@on_one_database
def test_a_half_finished_login_ends_with_its_password(browser: Browser, installation: Installation) -> None:
    enter(browser)
    phone = set_up(browser)
    half = other(browser)
    enter(half)
    page = half.get("/admin/login/code")
    with installation.store.write() as db:
        member = staff.id_of(db, NAME)
        assert member
        staff.choose_password(db, member, "another one")
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page.text)
    assert token
    answer = half.client.post("/admin/login/code", data={"csrf_token": token[1], "code": code_of(phone, 1)})
    assert answer.headers["Location"].startswith("/admin/login?") or answer.headers["Location"] == "/admin/login"
    assert half.get("/admin/self").status_code == 302


@pytest.mark.parametrize(("steps", "opens"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_is_good_one_step_before_and_after(
    browser: Browser, clock: time_machine.Traveller, steps: int, opens: bool
) -> None:
    enter(browser)
    phone = set_up(browser)
    clock.shift(timedelta(minutes=5))
    again = other(browser)
    enter(again)
    assert (type_code(again, code_of(phone, steps)) == 302) is opens


def test_a_code_opens_once_and_none_before_it_any_more(browser: Browser, clock: time_machine.Traveller) -> None:
    enter(browser)
    phone = set_up(browser)
    spied = other(browser)
    enter(spied)
    assert type_code(spied, code_of(phone)) == 401  # the one it was set up with
    clock.shift(timedelta(minutes=1))
    first, before = code_of(phone), code_of(phone, -1)
    assert type_code(spied, first) == 302
    for code in (first, before):
        late = other(browser)
        enter(late)
        assert type_code(late, code) == 401
        assert "was used already" in text(late.send("/admin/login/code?lang=en", code=code))


@on_one_database
def test_digits_are_taken_in_khmer_with_spaces_and_hyphens(browser: Browser, clock: time_machine.Traveller) -> None:
    enter(browser)
    phone = set_up(browser)
    khmer = str.maketrans("0123456789", "០១២៣៤៥៦៧៨៩")
    for typed in ("{}".format, lambda code: code.translate(khmer), lambda code: f" {code[:3]} {code[3:]} ",
                  lambda code: f"{code[:3]}-{code[3:]}"):  # fmt: skip
        clock.shift(timedelta(minutes=1))
        again = other(browser)
        enter(again)
        assert type_code(again, typed(code_of(phone))) == 302


@on_one_database
@pytest.mark.parametrize("typed", ["", "abcdef", "12345", "1234567", "½½½½½½", "0" * 5000, "\x00", "😀", "١٢٣"])
def test_what_is_no_code_is_a_wrong_code(browser: Browser, typed: str) -> None:
    enter(browser)
    set_up(browser)
    again = other(browser)
    enter(again)
    assert type_code(again, typed) == 401


@on_one_database
def test_wrong_codes_are_limited_even_for_who_knows_the_password(
    browser: Browser, clock: time_machine.Traveller
) -> None:
    enter(browser)
    phone = set_up(browser)
    clock.shift(timedelta(minutes=16))
    guesser, statuses = other(browser), []
    for _ in range(4):  # the right password in between does not begin the count anew
        if guesser.log_in().status_code == 429:
            break
        statuses += [type_code(guesser, "000000") for _ in range(3)]
    assert statuses.count(401) <= 10
    assert 429 in statuses or guesser.log_in().status_code == 429
    right = other(browser)
    assert right.log_in().status_code == 429
    clock.shift(timedelta(minutes=16))
    assert enter(right).startswith("/admin/login/code")
    assert type_code(right, code_of(phone)) == 302


@on_one_database
def test_codes_are_limited_by_the_day_too(browser: Browser, clock: time_machine.Traveller) -> None:
    enter(browser)
    set_up(browser)
    tried = 0
    for _ in range(8):
        clock.shift(timedelta(minutes=16))
        guesser = other(browser)
        enter(guesser)
        tried += [type_code(guesser, "000000") for _ in range(5)].count(401)
    assert tried == 20


# printed codes ------------------------------------------------------------------------------------


def test_printed_codes_open_once_each_and_die_with_a_new_sheet(browser: Browser, installation: Installation) -> None:
    enter(browser)
    codes = printed(browser)
    assert len(set(codes)) == 10
    assert browser.get("/admin/messages").status_code == 200  # they are a second factor, too
    assert "Codes that are left: 10" in browser.read("/admin/self/factor")
    assert not any(code in browser.get("/admin/self/factor").text for code in codes)
    again = other(browser)
    enter(again)
    assert type_code(again, codes[0]) == 302
    assert "Codes that are left: 9" in again.read("/admin/messages")
    late = other(browser)
    enter(late)
    assert type_code(late, codes[0]) == 401
    new = printed(again)
    for code, status in ((codes[1], 401), (new[0].replace(" ", ""), 302)):
        assert type_code(late, code) == status
    with installation.store.read() as db:
        kept = b"".join(db.scalars(select(staff.staff_codes.c.code)))
    assert not any(code.replace(" ", "").encode() in kept for code in new)


@on_one_database
def test_a_code_of_one_login_opens_no_other(browser: Browser) -> None:
    enter(browser)
    codes = printed(browser)
    chief = other(browser)
    enter(chief, "chief")
    printed(chief)
    again = other(browser)
    enter(again, "chief")
    assert type_code(again, codes[0]) == 401


@on_one_database
def test_after_the_last_printed_code_a_new_sheet_comes_first(browser: Browser, clock: time_machine.Traveller) -> None:
    enter(browser)
    for code in printed(browser):
        clock.shift(timedelta(minutes=5))
        last = other(browser)
        enter(last)
        assert type_code(last, code) == 302
    assert last.get("/admin/messages").headers["Location"].startswith("/admin/self/factor")
    page = last.get("/admin/self/factor")
    assert "A printed code was used. Codes that are left: 0." in text(page)
    assert "No printed code is left. Make a new sheet now" in text(page)
    assert 'href="/admin/tallies"' not in page.text  # no way around it
    assert len(printed(last)) == 10
    assert last.get("/admin/messages").status_code == 200


@pytest.mark.parametrize(("name", "first"), [(NAME, "/admin/messages"), ("council", "/admin/council")])
def test_after_the_last_but_one_a_new_sheet_or_an_app_comes_first(
    browser: Browser, clock: time_machine.Traveller, name: str, first: str
) -> None:
    enter(browser, name)
    codes = printed(browser)
    for code in codes[:-1]:
        assert browser.get(first).status_code == 200
        clock.shift(timedelta(minutes=5))
        last = other(browser)
        enter(last, name)
        assert type_code(last, code) == 302
    for one in (last, browser):  # wherever they are logged in
        assert one.get(first).headers["Location"] == f"/admin/self/factor?next={first}"
    assert "One printed code is left. Make a new sheet now" in text(last.get("/admin/self/factor"))
    set_up(last)
    assert last.get(first).status_code == 200


def use_up(browser: Browser, installation: Installation, name: str) -> None:
    """Uses all printed codes of a login, and leaves."""
    enter(browser, name)
    codes = printed(browser)
    with installation.store.write() as db:
        member = staff.id_of(db, name)
        assert member
        now = Clock(MONDAY).now
        assert all(second_factor.use(db, installation.keys, member, code, now) for code in codes)
    browser.send("/admin/self/factor", "/admin/logout")


@pytest.mark.parametrize("how", ["by an admin", "by the operator"])
@pytest.mark.parametrize("name", [NAME, "council"])
def test_who_left_without_a_code_does_not_come_in_by_the_password_alone(
    browser: Browser, installation: Installation, name: str, how: str
) -> None:
    use_up(browser, installation, name)
    answer = browser.log_in(name, PASSWORD, page="/admin/login?lang=en")
    assert answer.status_code == 403
    assert "All your printed codes are used. Ask an admin for a reset" in text(answer)
    for path in ("/admin/self/factor", "/admin/self/factor/app", "/admin/login/code", "/admin/self"):
        assert browser.get(path).headers["Location"].startswith("/admin/login"), path
    assert browser.log_in(name, "wrong", page="/admin/login?lang=en").status_code == 401
    with installation.store.read() as db:
        member = staff.id_of(db, name)
    if how == "by an admin":
        chief = other(browser)
        enter(chief, "chief")
        set_up(chief)
        assert "used up" in chief.read("/admin/logins")
        assert "all printed codes are used: they cannot log in" in chief.read(f"/admin/logins/{member}")
        page = text(chief.send("/admin/logins", f"/admin/logins/{member}/reset"))
        found = re.search(rf"One-time password of {name} (\S+)", page)
        assert found
        password = found[1]
    else:
        password = "from-the-console"
        with installation.store.write() as db:
            staff.reset_password(db, name, password)
    assert enter(browser, name, password).startswith("/admin/password")
    browser.send("/admin/password", new="my own words", again="my own words")
    set_up(browser)
    assert browser.get("/admin/self").status_code == 200


@on_one_database
def test_what_a_shut_out_login_tries_is_counted_and_in_the_audit_log(
    browser: Browser, installation: Installation, clock: object
) -> None:
    use_up(browser, installation, NAME)
    statuses = [browser.log_in().status_code for _ in range(12)]
    assert statuses[0] == 403
    assert statuses[-1] == 429
    with installation.store.read() as db:
        rows = db.execute(select(audit_log.c.member, audit_log.c.deed).where(audit_log.c.status == 403)).all()
        assert {tuple(row) for row in rows} == {(staff.id_of(db, NAME), "admin.login")}


# changing it --------------------------------------------------------------------------------------


def test_another_phone_asks_for_the_password_or_a_code(browser: Browser, clock: time_machine.Traveller) -> None:
    enter(browser)
    old = set_up(browser)
    clock.shift(timedelta(minutes=2))
    new = pyotp.TOTP(secret_on(browser.get("/admin/self/factor/app").text))
    assert new.secret != old.secret
    for again in ("", "wrong", "000000"):
        answer = browser.send("/admin/self/factor/app", code=code_of(new), again=again)
        assert answer.status_code == 422
        assert "Neither your password nor a code" in text(answer)
    assert browser.send("/admin/self/factor/app", code=code_of(new), again=code_of(old)).status_code == 302
    clock.shift(timedelta(minutes=2))
    late = other(browser)
    enter(late)
    assert type_code(late, code_of(old)) == 401
    assert type_code(late, code_of(new)) == 302


def test_what_a_role_needs_is_not_taken_away_unless_there_is_the_other(browser: Browser) -> None:
    enter(browser)
    set_up(browser)

    def off(what: str, again: str) -> tuple[int, str]:
        answer = browser.send("/admin/self/factor", "/admin/self/factor/off", what=what, again=again)
        return answer.status_code, text(answer)

    status, said = off("app", PASSWORD)
    assert status == 422
    assert "set up the other one first" in said
    printed(browser)
    assert off("app", "wrong")[0] == 422
    assert off("app", PASSWORD)[0] == 302
    assert off("app", PASSWORD)[0] == 302  # a second click
    assert off("codes", PASSWORD)[0] == 422
    assert off("nonsense", PASSWORD)[0] == 302
    assert enter(other(browser)).startswith("/admin/login/code")


@on_one_database
def test_a_council_may_take_its_own_away(browser: Browser) -> None:
    enter(browser, "council")
    set_up(browser)
    answer = browser.send("/admin/self/factor", "/admin/self/factor/off", what="app", again=PASSWORD)
    assert answer.status_code == 302
    assert enter(other(browser), "council") == "/admin/council"
    printed(browser)
    answer = browser.send("/admin/self/factor", "/admin/self/factor/off", what="codes", again=PASSWORD)
    assert answer.status_code == 302
    assert enter(other(browser), "council") == "/admin/council"


@on_one_database
def test_saying_the_password_again_is_limited(browser: Browser) -> None:
    enter(browser, "council")
    set_up(browser)
    tries = [
        browser.send("/admin/self/factor", "/admin/self/factor/off", what="app", again="wrong").status_code
        for _ in range(12)
    ]
    assert tries[0] == 422
    assert tries[-1] == 429


# who lost the phone -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["by an admin", "by the operator"])
def test_who_lost_the_phone_gets_a_password_and_sets_it_up_anew(
    browser: Browser, installation: Installation, how: str
) -> None:
    enter(browser)
    old = set_up(browser)
    printed(browser)
    with installation.store.read() as db:
        member = staff.id_of(db, NAME)
    if how == "by an admin":
        chief = other(browser)
        enter(chief, "chief")
        set_up(chief)
        assert "the second factor is taken away with it" in chief.read(f"/admin/logins/{member}")
        page = text(chief.send("/admin/logins", f"/admin/logins/{member}/reset"))
        assert "A second factor that was set up is gone" in page
        found = re.search(rf"One-time password of {NAME} (\S+)", page)
        assert found
        password = found[1]
    else:
        password = "from-the-console"
        with installation.store.write() as db:
            staff.reset_password(db, NAME, password)
    assert browser.get("/admin/messages").headers["Location"].startswith("/admin/login")
    again = other(browser)
    assert enter(again, NAME, password).startswith("/admin/password")
    again.send("/admin/password", new="my own words", again="my own words")
    assert again.get("/admin/messages").headers["Location"].startswith("/admin/self/factor")
    assert set_up(again).secret != old.secret
    with installation.store.read() as db:
        assert not db.execute(select(staff.staff_codes).where(staff.staff_codes.c.staff_id == member)).all()


def test_the_secret_is_sealed_anew_when_keys_rotate(browser: Browser, installation: Installation) -> None:
    enter(browser)
    phone = set_up(browser)
    keyring.rotate(installation.store, installation.keys, wait=lambda _: None)
    with installation.store.read() as db:
        assert db.scalar(select(staff.staff.c.factor_key).where(staff.staff.c.name == NAME)) == 2
    again = other(browser)
    enter(again)
    assert type_code(again, code_of(phone, 1)) == 302


@on_one_database
def test_a_secret_whose_key_is_gone_opens_nothing_and_breaks_nothing(
    browser: Browser, installation: Installation
) -> None:
    enter(browser)
    phone = set_up(browser)
    with installation.store.write() as db:
        db.execute(update(staff.staff).where(staff.staff.c.factor.is_not(None)).values(factor_key=99))
    again = other(browser)
    enter(again)
    assert type_code(again, code_of(phone, 1)) == 401


@on_one_database
def test_no_code_and_no_secret_is_logged(
    app: Flask, installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = installation.settings.model_copy(update={"second_factor": True})
    browser = Browser(create_app(wanted).test_client())  # here, so that its log is read
    enter(browser)
    phone = set_up(browser)
    codes = printed(browser)
    again = other(browser)
    enter(again)
    used = code_of(phone, 1)
    type_code(again, "123456")
    type_code(again, used)
    said = capsys.readouterr().err
    assert "panel.code_refused" in said
    for secret in (phone.secret, used, "123456", *codes, *(code.replace(" ", "") for code in codes)):
        assert secret not in said


def test_of_two_who_come_with_one_code_at_once_one_gets_in(app: Flask, installation: Installation) -> None:
    keys, store, now = installation.keys, installation.store, Clock(MONDAY).now
    secret = second_factor.new_secret()
    with store.write() as db:
        member = staff.id_of(db, NAME)
        assert member
        second_factor.set_app(db, keys, member, secret, 0)
    code = pyotp.TOTP(secret).at(now)
    with store.write() as db:
        assert [second_factor.use(db, keys, member, code, now) for _ in range(2)] == [True, False]


# the demonstration --------------------------------------------------------------------------------


@on_one_database
@pytest.mark.parametrize(
    ("demo", "said", "handed"), [(True, None, "false"), (True, "true", "true"), (False, None, None)]
)
def test_the_demonstration_asks_for_none_unless_it_is_told_to(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, demo: bool, said: str | None, handed: str | None
) -> None:
    """What its web server is told: nothing is started here."""
    told: list[Mapping[str, str]] = []

    class Seen:
        def __init__(self, children: list[Child], *_: object, **__: object) -> None:
            told.extend(child.env for child in children if child.name == "web")

        def run(self) -> int:
            return 0

    monkeypatch.setattr("gateway.up.Supervisor", Seen)
    monkeypatch.setattr("gateway.demo.prepare", lambda *_: Handed("t" * 40, PASSWORD))
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    if said:
        monkeypatch.setenv("SECOND_FACTOR", said)
    port = free_port()
    assert up.up(load(data_dir=settings.data_dir, port=port, redis_url="redis://127.0.0.1:1/0"), demo) == 0
    assert [env.get("SECOND_FACTOR") for env in told] == [handed]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
