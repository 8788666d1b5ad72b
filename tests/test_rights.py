"""Who may open what: every address of the application, with every role and with none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from admin import rights
from gateway import create_app, logins
from gateway.config import ROLES
from gateway.models import staff
from gateway.models.releases import council_replies
from gateway.models.volunteers import volunteers
from gateway.scorecard import publishing
from tests.conftest import COMMUNES, Installation
from tests.test_panel import PASSWORD, Browser, _quick_passwords, rate, text  # noqa: F401

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

OPEN = {"admin.login", "admin.login_code", "admin.join", "admin.asset"}
OWN = {
    "admin.logout", "admin.language", "admin.password", "admin.home", "admin.nowhere", "admin.self", "admin.self_end",
    "admin.self_end_others", "admin.factor", "admin.factor_app", "admin.factor_codes", "admin.factor_off",
    "admin.factor_seen", "admin.kept", "admin.kept_drop",
}  # fmt: skip
"""What every login may open."""
COUNCIL = OWN | {"admin.council", "admin.council_round", "admin.council_reply", "admin.council_promises"}
ADMIN_ALONE = {
    "admin.audit", "admin.places_join", "admin.places_switch", "admin.places_import", "admin.places_brought",
    "admin.places_look", "admin.places_taken_in", "admin.places_dropped",
    "admin.logins", "admin.logins_add", "admin.logins_reset", "admin.logins_end", "admin.pause_set", "admin.pause_end",
    "admin.logins_one", "admin.logins_change", "admin.logins_invite", "admin.logins_withdraw", "admin.logins_out",
    "admin.logins_deed_seen",
}  # fmt: skip
"""Written out here once more, so that a slip in the table is seen."""


@dataclass
class House:
    """The application with a login of each role; council and volunteer are Ta Phou's. Its first round is published."""

    at: Installation
    app: Flask

    def browser(self, role: str | None) -> Browser:
        """Somebody of a role, or nobody."""
        browser = Browser(self.app.test_client())
        if role:
            assert browser.log_in(f"a {role}", page="/admin/login?lang=en").status_code == 302
        return browser

    def rules(self) -> Iterator[Rule]:
        """The addresses of the panel."""
        return (rule for rule in self.app.url_map.iter_rules() if rule.endpoint.startswith("admin."))

    def path(self, rule: Rule) -> str:
        """An address of a rule, of what is there."""
        there = {"commune": TA_PHOU, "name": "panel.css", "rest": "nowhere", "service_id": "health", "kind": "csv"}

        def value(found: re.Match[str]) -> str:
            return found["first"] or there.get(found["name"], "1")

        return re.sub(r"<(?:any\((?P<first>\w+)[^)]*\):|\w+:)?(?P<name>\w+)>", value, rule.rule)


@pytest.fixture
def house(installation: Installation) -> House:
    round_id = installation.open_round()
    rate(installation, "4455123455")
    installation.close_round(round_id)
    with installation.store.write() as db:
        publishing.publish(db, installation.settings, round_id, None, datetime.now(UTC))
        for role in ROLES:
            logins.add(db, f"a {role}", role, [TA_PHOU] if role in logins.OF_COMMUNES else [])
            staff.reset_password(db, f"a {role}", PASSWORD, one_time=False)
    return House(installation, create_app(installation.settings))


def expected(role: str, endpoint: str) -> bool:
    """Whether a role may open a page, as it was decided."""
    if endpoint in OPEN | OWN or role == "admin":
        return not endpoint.startswith("admin.council")
    if role == "council":
        return endpoint in COUNCIL
    if role == "volunteer":
        return endpoint == "admin.record" or endpoint.startswith("admin.record_")
    return endpoint not in ADMIN_ALONE and not endpoint.startswith("admin.council")


@on_one_database
def test_the_table_says_what_was_decided(house: House) -> None:
    endpoints = {rule.endpoint for rule in house.rules()}
    assert {"admin.tallies", "admin.council", "admin.record", "admin.rounds", "admin.logins"} <= endpoints
    assert endpoints >= COUNCIL | ADMIN_ALONE
    for endpoint in sorted(endpoints - OPEN):
        for role in ROLES:
            assert rights.may_open(role, endpoint) == expected(role, endpoint), (role, endpoint)
    for role in ROLES:
        assert rights.may_open(role, rights.first_page(role))


@on_one_database
@pytest.mark.parametrize("role", ROLES)
def test_every_page_opens_for_its_roles_and_is_refused_to_the_others(house: House, role: str) -> None:
    browser = house.browser(role)
    seen = 0
    for rule in house.rules():
        if rule.endpoint in OPEN or "GET" not in (rule.methods or ()):
            continue
        answer = browser.get(house.path(rule))
        assert answer.status_code != 500, rule
        assert (answer.status_code == 403) != expected(role, rule.endpoint), (rule, answer.status_code)
        seen += 1
    assert seen > 30


@on_one_database
@pytest.mark.parametrize("role", ROLES)
def test_every_deed_is_refused_to_other_roles(house: House, role: str) -> None:
    browser = house.browser(role)
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', browser.get("/admin/password").text)
    assert token
    for rule in house.rules():
        if "POST" in (rule.methods or ()) and rule.endpoint not in OPEN and not expected(role, rule.endpoint):
            fields = {
                "csrf_token": token[1],
                "commune": TREAS,
                "text": "x",
                "role": "admin",
                "name": "x",
                "sure": "yes",
            }
            assert browser.client.post(house.path(rule), data=fields).status_code == 403, rule
    assert browser.get("/admin/password").status_code == 200


@on_one_database
def test_nobody_gets_in_without_a_login(house: House) -> None:
    browser = house.browser(None)
    for rule in house.rules():
        if rule.endpoint not in OPEN:
            for method in (rule.methods or set()) - {"OPTIONS"}:
                answer = browser.client.open(house.path(rule), method=method)
                assert answer.headers["Location"].partition("?")[0] == "/admin/login", rule


@on_one_database
def test_outside_the_panel_a_login_changes_nothing(house: House) -> None:
    paths = [
        re.sub("<[^>]+>", "1", rule.rule)
        for rule in house.app.url_map.iter_rules()
        if not rule.rule.startswith("/admin") and "GET" in (rule.methods or ())
    ]
    assert {"/", "/results/", "/results.json", "/healthz"} <= set(paths)
    without: Mapping[str, int] = {path: house.browser(None).get(path).status_code for path in paths}
    assert 500 not in without.values()
    for role in ROLES:
        browser = house.browser(role)
        assert {path: browser.get(path).status_code for path in paths} == without


@on_one_database
@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("staff", 200), ("council", 404), ("volunteer", 404)])
def test_the_handset_of_a_public_address_is_for_staff_alone(house: House, role: str, status: int) -> None:
    """Whoever dials there rates: a council could vote for itself."""
    settings = house.at.settings.model_copy(update={"public_url": "http://mati.example.org"})
    browser = House(house.at, create_app(settings)).browser(role)
    assert browser.get("/handset").status_code == status
    body = {"session": "1", "number": "+85510000001", "path": [], "to": "*855#", "text": "1"}
    refused = browser.client.post("/hooks/simulator/ussd", json=body).status_code == 403
    assert refused == (status == 404)


# one's own communes ---------------------------------------------------------------------------------


@on_one_database
def test_a_councils_login_sees_its_own_commune_and_no_other(house: House) -> None:
    browser = house.browser("council")
    assert browser.get("/admin/").headers["Location"] == "/admin/council"
    assert "Ta Phou 010806" in browser.read("/admin/council")
    assert browser.get(f"/admin/council/{TA_PHOU}/1").status_code == 200
    for path in (
        f"/admin/council?commune={TREAS}", f"/admin/council/{TREAS}/1", f"/admin/council/{TA_PHOU}/2",
        "/admin/council?commune=", "/admin/council?commune=0108", "/admin/council/%00/1", "/admin/council?commune=%00",
        f"/admin/council/{TA_PHOU}/99999999999999999999", f"/admin/council/{TA_PHOU}/0",
    ):  # fmt: skip
        answer = browser.get(path)
        assert answer.status_code == 404, path
        assert "Treas" not in text(answer)


@on_one_database
def test_a_councils_login_writes_for_its_own_commune_alone(house: House) -> None:
    browser = house.browser("council")
    fields = {"about": "round 1", "text": "We shall open until 5."}
    assert browser.send("/admin/council", f"/admin/council/{TREAS}/reply", **fields).status_code == 404
    assert browser.send("/admin/council", f"/admin/council/{TA_PHOU}/reply", **fields).status_code == 302
    with house.at.store.read() as db:
        assert [row.commune for row in db.execute(select(council_replies))] == [TA_PHOU]


@on_one_database
def test_a_volunteers_login_begins_with_recording_and_reads_no_figure(house: House) -> None:
    browser = house.browser("volunteer")
    assert browser.get("/admin/").headers["Location"] == "/admin/record"
    page = browser.read("/admin/record")
    assert "Treas" not in page
    assert "%" not in page
    with house.at.store.read() as db:
        assert all(row.commune == TA_PHOU for row in db.execute(select(volunteers)))


def test_a_login_that_ended_is_out_at_once_and_can_be_let_in_again(house: House) -> None:
    browser, admin = house.browser("council"), house.browser("admin")
    with house.at.store.read() as db:
        member = db.execute(select(staff.staff.c.id).where(staff.staff.c.name == "a council")).scalar_one()
        me = db.execute(select(staff.staff.c.id).where(staff.staff.c.name == "a admin")).scalar_one()
    assert admin.send("/admin/logins", f"/admin/logins/{member}/end").status_code == 302
    assert browser.get("/admin/council").headers["Location"].startswith("/admin/login")
    assert browser.log_in("a council").status_code == 401
    page = text(admin.send("/admin/logins", f"/admin/logins/{member}/reset"))
    password = re.search(r"One-time password of a council (\S+)", page)
    assert password
    assert browser.log_in("a council", password[1]).headers["Location"].startswith("/admin/password")
    assert password[1] not in admin.read("/admin/logins")
    for deed in ("end", "reset"):  # nobody locks themselves out
        assert admin.send("/admin/logins", f"/admin/logins/{me}/{deed}").status_code == 404
        assert admin.send("/admin/logins", f"/admin/logins/999/{deed}").status_code == 404


@on_one_database
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "", "role": "staff"}, "Give a name"),
        ({"name": "x" * 61, "role": "staff"}, "Give a name"),
        ({"name": "Sok", "role": "king"}, "Choose a role"),
        ({"name": "Sok"}, "Choose a role"),
        ({"name": "Sok", "role": "council"}, "needs a commune"),
        ({"name": "Sok", "role": "volunteer"}, "needs a commune"),
        ({"name": "Sok", "role": "council", "commune": "999999"}, "takes no part"),
        ({"name": "a staff", "role": "staff"}, "has a login already"),
    ],
)
def test_a_login_that_cannot_be_added_says_why_and_keeps_what_was_typed(
    house: House, fields: dict[str, str], says: str
) -> None:
    admin = house.browser("admin")
    answer = admin.send("/admin/logins", **fields)
    assert answer.status_code == 422
    assert says in text(answer)
    assert f'value="{fields["name"]}"' in answer.text
