"""The staff's panel, as a browser without scripts sees it."""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import pytest
import time_machine
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

import admin
from admin.figures import tallies as page_of_tallies
from admin.messaging.messages import KINDS, REASONS, STATES
from admin.wording import CATALOGUES
from gateway import config, create_app
from gateway.menus.phrases import Words
from gateway.menus.wording import catalogue
from gateway.models import messages, staff
from gateway.models.callers import find_caller
from gateway.models.installation import mark_demo
from gateway.models.messages import Draft, Kind, State
from gateway.providers.base import Reason, UssdStep
from tests.conftest import COMMUNES, TOKEN, Installation

NAME, PASSWORD = "sokha", "three words together"
TA_PHOU = COMMUNES[2]
MONDAY = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the kind of database."""


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(staff, "_hasher", quick)
    monkeypatch.setattr(staff, "_NOBODY", quick.hash("nobody"))


@dataclass
class Browser:
    """Reads pages, fills in forms with their tokens."""

    client: FlaskClient
    base: str = "http://localhost"

    def get(self, path: str, **how: object) -> TestResponse:
        return self.client.get(path, base_url=self.base, **how)

    def read(self, path: str) -> str:
        return text(self.get(path))

    def send(self, page: str, path: str | None = None, **fields: str) -> TestResponse:
        token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', self.get(page).text)
        assert token, f"no form on {page}"
        return self.client.post(path or page, data=fields | {"csrf_token": token[1]}, base_url=self.base)

    def log_in(self, name: str = NAME, password: str = PASSWORD, page: str = "/admin/login") -> TestResponse:
        return self.send(page, name=name, password=password)


def text(page: TestResponse) -> str:
    """What is read on a page, on one line."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page.text))).replace(" )", ")").strip()


@pytest.fixture
def app(installation: Installation) -> Flask:
    add(installation, NAME)
    return create_app(installation.settings)


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Somebody who has not logged in."""
    return Browser(app.test_client())


@pytest.fixture
def panel(browser: Browser) -> Browser:
    """A member of staff, reading English."""
    assert browser.log_in(page="/admin/login?lang=en").status_code == 302
    return browser


def add(at: Installation, name: str, role: str = "staff", *, one_time: bool = False) -> None:
    with at.store.write() as db:
        assert staff.add_member(db, name, role, PASSWORD, one_time=one_time)


def rate(at: Installation, scores: str, service: str = "2", commune: str = TA_PHOU, who: str = "2") -> None:
    """Each score from a phone of its own, in the order of the phones."""
    talks = at.conversations()
    for i, score in enumerate(scores):
        number = f"+85510{int(service):02}{i:04}"
        with at.store.read() as db:
            known = find_caller(db, at.keys.lookup(number))
        entry = () if known else ("1", str(COMMUNES.index(commune) + 1))
        session = secrets.token_hex(8)
        for path in ((), (*entry, service, score, who)):
            talks.ussd(UssdStep("simulator", session, number, path=path))


# coming in ----------------------------------------------------------------------------------------


def test_the_right_password_leads_to_the_first_page_and_the_login_is_noted(
    browser: Browser, installation: Installation
) -> None:
    assert browser.get("/admin/").headers["Location"] == "/admin/login?next=/admin/"
    assert browser.log_in().headers["Location"] == "/admin/"
    assert browser.get("/admin/tallies").status_code == 200
    with installation.store.read() as db:
        assert db.scalar(
            staff.staff.select().with_only_columns(staff.staff.c.last_login).where(staff.staff.c.name == NAME)
        )


def test_wrong_name_and_wrong_password_are_told_alike(browser: Browser) -> None:
    answers = [browser.log_in("nobody", PASSWORD), browser.log_in(NAME, "wrong"), browser.log_in("", "")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({text(answer) for answer in answers}) == 1
    assert browser.get("/admin/tallies").status_code == 302


@on_one_database
def test_no_page_is_open_without_a_login(app: Flask, browser: Browser) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin")]
    closed = {rule.endpoint for rule in rules} - {"admin.login", "admin.login_code", "admin.join", "admin.asset"}
    assert {"admin.tallies", "admin.messages", "admin.password", "admin.logout", "admin.language"} <= closed
    for rule in rules:
        if rule.endpoint in closed:
            for method in (rule.methods or set()) - {"OPTIONS"}:
                path = re.sub("<[^>]+>", "1", re.sub(r"<any\((\w+)[^>]*>", r"\1", rule.rule))
                answer = browser.client.open(path, method=method)
                assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/admin/login"), rule


@on_one_database
@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/admin/messages?state=refused", "/admin/messages?state=refused"),
        ("/admin/tallies?commune=010806&round=2", "/admin/tallies?commune=010806&round=2"),
        ("https://evil.example/admin/", "/admin/"),
        ("//evil.example/admin/", "/admin/"),
        ("/\\evil.example", "/admin/"),
        ("/admin/\\evil.example", "/admin/"),
        ("/admin/\r\nSet-Cookie: a=b", "/admin/"),
        ("javascript:alert(1)", "/admin/"),
        ("/handset", "/admin/"),
        ("", "/admin/"),
    ],
)
def test_after_the_login_one_comes_to_the_page_one_wanted_if_it_is_ours(
    browser: Browser, target: str, leads_to: str
) -> None:
    browser.get("/admin/login")
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', browser.get("/admin/login").text)
    assert token
    fields = {"name": NAME, "password": PASSWORD, "csrf_token": token[1]}
    answer = browser.client.post("/admin/login", query_string={"next": target}, data=fields)
    assert answer.headers["Location"] == leads_to


@on_one_database
def test_logging_out_ends_it(panel: Browser) -> None:
    assert panel.send("/admin/tallies", "/admin/logout").headers["Location"] == "/admin/login"
    assert panel.get("/admin/tallies").status_code == 302
    assert "Log in" in panel.read("/admin/login")  # still in English


@on_one_database
@pytest.mark.parametrize(("pauses", "inside"), [([59], True), ([61], False), ([50] * 14, True), ([50] * 15, False)])
def test_a_login_ends_after_an_hour_unused_and_after_half_a_day(
    browser: Browser, pauses: list[int], inside: bool
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        browser.log_in(page="/admin/login?lang=en")
        browser.get("/admin/tallies")
        for minutes in pauses:
            clock.shift(timedelta(minutes=minutes))
            answer = browser.get("/admin/tallies")
        assert (answer.status_code == 200) is inside
        assert ("You were logged out" in browser.read("/admin/login")) is not inside


def test_a_new_password_ends_every_other_login(app: Flask, panel: Browser, installation: Installation) -> None:
    elsewhere = Browser(app.test_client())
    elsewhere.log_in()
    fields = {"current": PASSWORD, "new": "something else", "again": "something else"}
    assert panel.send("/admin/password", **fields).status_code == 302
    assert "Your password was changed." in panel.read("/admin/tallies")
    assert elsewhere.get("/admin/tallies").status_code == 302
    with installation.store.write() as db:
        staff.reset_password(db, NAME, "by the operator")
    assert panel.get("/admin/tallies").status_code == 302


@on_one_database
@pytest.mark.parametrize(
    ("current", "new", "again", "says"),
    [
        (PASSWORD, "too short", "too short", "at least 10 characters"),
        (PASSWORD, "long enough 1", "long enough 2", "not the same"),
        ("wrong", "long enough", "long enough", "current password is not right"),
        (PASSWORD, PASSWORD, PASSWORD, "must be different"),
        (PASSWORD, "", "", "at least 10 characters"),
    ],
)
def test_a_password_that_will_not_do_is_refused_with_the_reason(
    panel: Browser, current: str, new: str, again: str, says: str
) -> None:
    answer = panel.send("/admin/password", current=current, new=new, again=again)
    assert answer.status_code == 422
    assert says in text(answer)


def test_a_one_time_password_must_be_changed_first(browser: Browser, installation: Installation) -> None:
    add(installation, "new", one_time=True)
    answer = browser.log_in("new", page="/admin/login?lang=en&next=/admin/messages")
    assert answer.headers["Location"] == "/admin/password?next=/admin/messages"
    for path in ("/admin/", "/admin/tallies", "/admin/messages", "/admin/nowhere"):
        assert browser.get(path).headers["Location"] == "/admin/password"
    assert "for one time" in browser.read("/admin/password")
    same = browser.send("/admin/password", new=PASSWORD, again=PASSWORD)
    assert "must be different" in text(same)
    done = browser.send("/admin/password?next=/admin/messages", new="my own words", again="my own words")
    assert done.headers["Location"] == "/admin/messages"
    assert browser.get("/admin/messages").status_code == 200


@on_one_database
@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("staff", 200), ("council", 403), ("volunteer", 403)])
def test_live_figures_are_for_staff_alone(browser: Browser, installation: Installation, role: str, status: int) -> None:
    add(installation, f"a {role}", role)
    browser.log_in(f"a {role}", page="/admin/login?lang=en")
    assert {browser.get(path).status_code for path in ("/admin/tallies", "/admin/messages")} == {status}
    assert browser.get("/admin/password").status_code == 200


@on_one_database
@pytest.mark.parametrize("path", ["/admin/login", "/admin/logout", "/admin/password", "/admin/language"])
def test_a_form_without_its_token_changes_nothing(panel: Browser, path: str, installation: Installation) -> None:
    fields = {"lang": "km", "current": PASSWORD, "new": "a stranger's", "again": "a stranger's"}
    for token in ({}, {"csrf_token": "invented"}):
        answer = panel.client.post(path, data=fields | token)
        assert answer.status_code == 400
        assert "Nothing was changed" in text(answer) or path == "/admin/login"
    assert "Log out" in panel.read("/admin/tallies")
    with installation.store.read() as db:
        assert staff.verify(db, NAME, PASSWORD)


@on_one_database
def test_webhooks_need_no_token_of_a_form(browser: Browser) -> None:
    fields = {"sessionId": "1", "phoneNumber": "+85510000001", "serviceCode": "*855#", "text": ""}
    answer = browser.client.post(f"/hooks/africastalking/{TOKEN}/ussd", data=fields)
    assert answer.text.startswith("CON ")
    assert "Cookie" not in answer.headers.get("Vary", "")


@on_one_database
def test_while_the_database_is_down_a_page_says_so(panel: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("down"))

    monkeypatch.setattr("admin.people.sessions.staff_sessions.find", down)
    monkeypatch.setattr("admin.panel.is_demo", down)
    answer = panel.get("/admin/tallies")
    assert answer.status_code == 503
    assert "Not possible just now" in text(answer)


# trying passwords ---------------------------------------------------------------------------------


@on_one_database
@pytest.mark.parametrize("redis_url", ["", "redis://127.0.0.1:1/0"])
def test_a_name_is_tried_ten_times_in_a_quarter_of_an_hour(installation: Installation, redis_url: str) -> None:
    """Without Redis, and with one that is down."""
    for name in (NAME, "other"):
        add(installation, name)
    browser = Browser(create_app(installation.settings.model_copy(update={"redis_url": redis_url})).test_client())
    with time_machine.travel(MONDAY, tick=False) as clock:
        for _ in range(10):
            assert browser.log_in(password="wrong").status_code == 401
        clock.shift(timedelta(minutes=3))
        late = browser.log_in(page="/admin/login?lang=en")
        assert late.status_code == 429
        assert int(late.headers["Retry-After"]) == pytest.approx(12 * 60, abs=1)
        assert "Try again at 09:15" in text(late)
        assert browser.log_in(NAME.upper()).status_code == 429
        assert browser.log_in("other").status_code == 302
        clock.shift(timedelta(minutes=13))
        assert Browser(browser.client.application.test_client()).log_in().status_code == 302


@on_one_database
def test_who_knows_the_password_logs_in_as_often_as_they_like(browser: Browser) -> None:
    for _ in range(3):
        for _ in range(4):
            assert browser.log_in(password="wrong").status_code == 401
        assert browser.log_in().status_code == 302
        assert browser.send("/admin/tallies", "/admin/logout").status_code == 302


@on_one_database
def test_an_address_tries_forty_times_whatever_the_names(browser: Browser) -> None:
    tries = [browser.log_in(f"name{i}").status_code for i in range(41)]
    assert tries == [401] * 40 + [429]


@on_one_database
def test_no_name_and_no_password_is_logged(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    add(installation, "chanthou")
    browser = Browser(create_app(installation.settings).test_client())
    for _ in range(11):
        browser.log_in("chanthou", "secret-one")
    assert browser.log_in("bopha", "secret-two").status_code == 401
    said = capsys.readouterr().err
    assert "panel.login_refused" in said
    for word in ("chanthou", "bopha", "secret"):
        assert word not in said


# what goes with every page ------------------------------------------------------------------------


@on_one_database
@pytest.mark.parametrize(("public", "secure"), [("http://127.0.0.1:8000", False), ("https://mati.example.org", True)])
def test_the_cookie_is_kept_from_scripts_and_other_sites(installation: Installation, public: str, secure: bool) -> None:
    add(installation, NAME)
    app = create_app(installation.settings.model_copy(update={"public_url": public}))
    browser = Browser(app.test_client(), public)
    answer = browser.log_in()
    assert answer.status_code == 302
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert ("Secure" in cookie) is secure


@on_one_database
@pytest.mark.parametrize("path", ["/", "/admin/login", "/admin/tallies", "/admin/messages", "/admin/nowhere"])
def test_pages_carry_their_protection_and_no_inline_script_or_style(panel: Browser, path: str) -> None:
    if path == "/admin/login":
        panel = Browser(panel.client.application.test_client())
    answer = panel.get(path)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert path == "/" or answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=|https?://", answer.text)


@on_one_database
@pytest.mark.parametrize("lang", ["km", "en"])
def test_a_first_page_weighs_less_than_40_kb(panel: Browser, installation: Installation, lang: str) -> None:
    installation.open_round()
    for service in "1234":
        rate(installation, "1234543215", service)
    panel.send("/admin/tallies", "/admin/language", lang=lang)
    gzip = {"headers": {"Accept-Encoding": "gzip"}}
    files = re.findall(r'<link rel="stylesheet" href="([^"]+)"', panel.get(f"/admin/tallies?commune={TA_PHOU}").text)
    pages = [panel.get(path, **gzip) for path in (f"/admin/tallies?commune={TA_PHOU}", *files)]
    assert len(files) == 2
    assert {page.headers["Content-Encoding"] for page in pages} == {"gzip"}
    assert sum(len(page.data) + len(str(page.headers)) for page in pages) < 40_000


@on_one_database
def test_style_sheets_are_kept_for_a_year_and_not_sent_twice(browser: Browser) -> None:
    path = re.findall(r'href="(/admin/static/panel\.[^"]+)"', browser.get("/admin/login").text)[0]
    first = browser.get(path)
    assert "immutable" in first.headers["Cache-Control"]
    assert first.headers["Vary"] == "Accept-Encoding"
    assert "Set-Cookie" not in first.headers
    assert browser.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    assert browser.get("/admin/static/panel.css").status_code == 404
    assert browser.get("/admin/static/..%2fpanel.py").status_code in (302, 404)


# tallies ------------------------------------------------------------------------------------------


def test_figures_of_ten_phones_are_shown_with_what_they_mean(panel: Browser, installation: Installation) -> None:
    installation.open_round()
    rate(installation, "4455123455", who="1")
    rate(installation, "45", who="4")
    page = panel.read(f"/admin/tallies?commune={TA_PHOU}")
    assert "Ta Phou 010806" in page
    assert "2 Health centre 75% ±28 points satisfied" in page
    assert "Score Very dissatisfied: 1" in page
    assert "Raters 1 1 1 4 5" in page
    assert "Raters (n) 12 Phones 10 Female 10 Aged 15–30 10 Mean 3.92 Median 4" in page
    assert "First round here, so no change yet" in page
    assert "satisfied = scores 4 and 5, of n raters" in page
    assert "not shown = fewer than 10 different phones, or all gave the same answer" in page


@pytest.mark.parametrize("scores", ["445512345", "4444444444", "5", ""], ids=["9 phones", "unanimous", "1", "none"])
def test_what_may_not_be_told_reads_the_same_whatever_the_cause(
    panel: Browser, installation: Installation, scores: str
) -> None:
    installation.open_round()
    rate(installation, scores)
    page = panel.read(f"/admin/tallies?commune={TA_PHOU}")
    assert page.endswith(
        "No figures yet A service appears here once 10 different phones have rated it and their answers differ. "
        "People of this commune dial *855# or send RATE to 8550. 1 Commune office not shown 2 Health centre not shown "
        "3 Primary school not shown 4 One-window office not shown not shown = fewer than 10 different phones, "
        "or all gave the same answer. Which of the two is never told."
    )


def test_change_is_told_in_points_where_both_rounds_are_shown(panel: Browser, installation: Installation) -> None:
    first = installation.open_round()
    rate(installation, "4411111111", "1")  # 20 %
    rate(installation, "4444444411", "2")  # 80 %
    rate(installation, "44", "3")
    installation.close_round(first)
    installation.clock.forward(days=7)
    installation.open_round()
    rate(installation, "4444441111", "1")  # 60 %
    rate(installation, "4444444111", "2")  # 70 %
    rate(installation, "4444444111", "3")
    page = panel.read(f"/admin/tallies?commune={TA_PHOU}")
    assert "1 Commune office 60% ±31 points satisfied +40 points since round 1 (±44)" in page
    assert "2 Health centre 70% ±31 points satisfied −10 points since round 1 (±44)" in page
    assert "3 Primary school 70% ±31 points satisfied Not shown in round 1, so no change" in page
    assert "4 One-window office not shown" in page
    assert page == panel.read(f"/admin/tallies?commune={TA_PHOU}&round=2")
    earlier = panel.read(f"/admin/tallies?commune={TA_PHOU}&round=1")
    assert "Round 1 · 23 Nov 2026 to 23 Nov 2026" in earlier
    assert "1 Commune office 20% ±31 points satisfied First round here" in earlier


@on_one_database
def test_before_any_round_the_page_says_what_one_is(panel: Browser) -> None:
    assert "No round yet A round is the time in which" in panel.read("/admin/tallies")
    assert panel.get("/admin/tallies?round=1").status_code == 404


@on_one_database
def test_a_closed_round_without_figures_says_so(panel: Browser, installation: Installation) -> None:
    installation.close_round(installation.open_round())
    assert "No figures in this round No service was rated by 10" in panel.read("/admin/tallies")


@on_one_database
@pytest.mark.parametrize(
    "path",
    [
        "tallies?commune=999999", "tallies?commune=0108", "tallies?round=2", "tallies?round=0",
        "tallies?round=one", "tallies?round=99999999999999999999", "messages?state=lost", "messages?page=2",
        "messages?page=0", "nowhere", "tallies/x", "tallies?commune=<script>",
    ],
)  # fmt: skip
def test_what_is_not_there_gets_a_page_that_leads_on(panel: Browser, installation: Installation, path: str) -> None:
    installation.open_round()
    answer = panel.get(f"/admin/{path}")
    assert answer.status_code == 404
    assert "Choose a commune: Ponley Tean Kam Ta Phou Treas" in text(answer)
    assert "<script>" not in answer.text


@on_one_database
def test_many_communes_are_a_list_to_choose_from(
    panel: Browser, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.open_round()
    monkeypatch.setattr(page_of_tallies, "FEW", 3)
    page = panel.get(f"/admin/tallies?commune={TA_PHOU}").text
    assert '<option value="010806" selected>Ta Phou 010806</option>' in page


@on_one_database
@pytest.mark.parametrize("demo", [False, True])
def test_invented_data_are_called_so_on_every_page(panel: Browser, installation: Installation, demo: bool) -> None:
    installation.open_round()
    if demo:
        with installation.store.write() as db:
            mark_demo(db)
    for path in ("/admin/tallies", "/admin/messages", "/admin/password", "/admin/nowhere"):
        assert ("all data are invented" in panel.read(path)) is demo
    assert ('href="/handset"' in panel.get("/admin/tallies").text) is demo


@pytest.mark.parametrize(
    ("counts", "widths"),
    [
        ((1, 1, 1, 1, 1), (20, 20, 20, 20, 20)),
        ((0, 0, 1, 2, 0), (0, 0, 33, 67, 0)),
        ((1, 0, 0, 0, 999), (1, 0, 0, 0, 100)),
    ],
)
def test_a_bar_shows_everything_that_is_not_nothing(counts: tuple[int, ...], widths: tuple[int, ...]) -> None:
    assert page_of_tallies.widths(counts) == widths


# languages ----------------------------------------------------------------------------------------


def test_the_language_is_chosen_before_the_login_and_kept_after_it(
    app: Flask, browser: Browser, installation: Installation
) -> None:
    installation.open_round()
    assert 'lang="km"' in browser.get("/admin/login").text
    assert "Log in" in browser.read("/admin/login?lang=en")
    assert 'lang="km"' in browser.get("/admin/login?lang=fr").text
    browser.log_in(page="/admin/login?lang=en")
    answer = browser.send("/admin/tallies", "/admin/language", lang="km", back=f"/admin/tallies?commune={TA_PHOU}")
    assert answer.headers["Location"] == f"/admin/tallies?commune={TA_PHOU}"
    assert "តាផូ 010806 ជុំទី 1" in browser.read(f"/admin/tallies?commune={TA_PHOU}")
    again = Browser(app.test_client())
    again.log_in()
    assert "លទ្ធផល" in again.read("/admin/tallies?lang=en")
    assert browser.send("/admin/tallies", "/admin/language", lang="fr", back="//evil").headers["Location"] == "/admin/"
    assert "លទ្ធផល" in browser.read("/admin/tallies")


def test_khmer_says_the_same_figures(panel: Browser, installation: Installation) -> None:
    installation.open_round()
    rate(installation, "4455123455", who="1")
    panel.send("/admin/tallies", "/admin/language", lang="km")
    page = panel.read(f"/admin/tallies?commune={TA_PHOU}")
    assert "2 មណ្ឌលសុខភាព 70% ±31 ចំណុច ពេញចិត្ត" in page
    assert "មិនបង្ហាញ = ទូរស័ព្ទផ្សេងគ្នាតិចជាង 10" in page
    assert "open since" not in page


def sentences() -> Iterator[str]:
    """What the panel's code and templates say."""
    for path in Path(admin.__file__).parent.rglob("*"):
        if path.suffix in (".py", ".html"):
            yield from (
                double or single
                for double, single in re.findall(r"""\b_\(\s*(?:"([^"]+)"|'([^']+)')""", path.read_text())
            )


def test_everything_is_said_in_khmer_with_its_values_and_nothing_is_left_over() -> None:
    khmer = catalogue("km", CATALOGUES)
    assert set(khmer) == set(sentences())
    for english, translated in khmer.items():
        assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", translated)), english


@pytest.mark.parametrize(
    ("closed", "words"), [(State, STATES), (Kind, KINDS), (Reason, REASONS)], ids=["states", "kinds", "reasons"]
)
def test_every_state_kind_and_reason_has_its_words(closed: type[StrEnum], words: Mapping[str, Words]) -> None:
    assert set(closed) == set(words)


# messages -----------------------------------------------------------------------------------------


@pytest.fixture
def outbox(installation: Installation) -> Installation:
    """Five messages, the last one first in time."""
    rows = [
        (Kind.ANSWER, "+85510000021", State.DELIVERED, None, 1),
        (Kind.ANSWER, "+85512000022", State.UNDELIVERED, Reason.UNREACHABLE, 1),
        (Kind.TEST, "+85588000023", State.REFUSED, Reason.NO_BALANCE, 2),
        (Kind.ANSWER, "+85510000024", State.UNCONFIRMED, "said of +85510000024: strange", 1),
        (Kind.ANSWER, "+85510000025", State.QUEUED, None, 0),
    ]
    with installation.store.write() as db:
        for age, (kind, number, state, reason, attempts) in enumerate(rows):
            at = MONDAY - timedelta(hours=age)
            words = "secret of the caller" if kind == Kind.ANSWER else "a test to 088 000 023 +85588000023"
            draft = Draft(kind, number, words, "simulator", at, at + timedelta(hours=1))
            message = messages.write(db, installation.keys, draft, at)
            change = update(messages.messages).where(messages.messages.c.id == message)
            db.execute(change.values(state=state, reason=reason, attempts=attempts))
    return installation


def test_messages_tell_what_became_of_them_and_why(panel: Browser, outbox: Installation) -> None:
    page = panel.read("/admin/messages")
    assert "All 5 Waiting 1 Delivered 1 Not delivered 1 Refused 1 Uncertain 1 Time" in page
    told = [
        "23 Nov 2026, 09:00 Answer to a person +855 •• ••• •21 Delivered simulator 1 1",
        "+855 •• ••• •22 Not delivered The phone was off or out of reach. simulator",
        "Test a test to",
        "+855 •• ••• •23 Refused Our account at the provider is empty. simulator 1 2",
        "+855 •• ••• •24 Uncertain said of [number]: strange simulator",
        "23 Nov 2026, 05:00 Answer to a person +855 •• ••• •25 Waiting simulator 1 0",
    ]
    assert [page.find(line) for line in told] == sorted(page.find(line) for line in told)
    assert all(line in page for line in told)


@on_one_database
@pytest.mark.parametrize("lang", ["en", "km"])
def test_no_whole_number_and_no_answers_text_is_in_the_page(panel: Browser, outbox: Installation, lang: str) -> None:
    panel.send("/admin/tallies", "/admin/language", lang=lang)
    page = panel.get("/admin/messages").text
    assert "secret of the caller" not in page
    assert not re.search(r"855\D?\d{8}|0000\d\d", page)


def test_messages_are_filtered_by_state(panel: Browser, outbox: Installation) -> None:
    page = panel.read("/admin/messages?state=refused")
    assert "•23" in page
    assert "•21" not in page
    assert "No message is in this state." in panel.read("/admin/messages?state=expired")


@on_one_database
def test_a_number_whose_key_is_gone_does_not_stop_the_page(panel: Browser, outbox: Installation) -> None:
    with outbox.store.write() as db:
        db.execute(update(messages.messages).values(number_key=99))
    assert panel.read("/admin/messages").count("cannot be opened") == 5


def test_messages_come_in_pages_of_fifty(panel: Browser, installation: Installation) -> None:
    with installation.store.write() as db:
        for i in range(51):
            at = MONDAY - timedelta(minutes=i)
            draft = Draft(Kind.ANSWER, f"+855100000{i:02}", "x", "simulator", at, at + timedelta(hours=1))
            messages.write(db, installation.keys, draft, at)
    first, second = panel.read("/admin/messages"), panel.read("/admin/messages?page=2")
    assert (first.count("+855"), second.count("+855")) == (50, 1)
    assert "Page 1 of 2 Older" in first
    assert "•50 Waiting" in second
    assert "Newer Page 2 of 2" in second
    assert 'href="/admin/messages?state=queued&amp;page=2"' in panel.get("/admin/messages?state=queued").text


@on_one_database
def test_without_messages_the_page_says_when_one_comes(panel: Browser) -> None:
    assert "No message yet" in panel.read("/admin/messages")
    assert "writes to 8550" in panel.read("/admin/messages")


@on_one_database
def test_the_least_number_of_phones_is_a_setting(installation: Installation) -> None:
    add(installation, NAME)
    installation.open_round()
    rate(installation, "4455123")
    five = Browser(create_app(config.load(**installation.settings.model_dump() | {"min_raters": 5})).test_client())
    five.log_in(page="/admin/login?lang=en")
    assert "2 Health centre 57%" in five.read(f"/admin/tallies?commune={TA_PHOU}")
    assert "fewer than 5 different phones" in five.read(f"/admin/tallies?commune={TA_PHOU}")
