"""Staff with communes of their own: whatever lies outside is not there for them, and no list names it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from admin import rights, scope
from gateway import create_app
from gateway.bulk import broadcasts as bulk
from gateway.bulk import polls
from gateway.bulk.letters import Audience, Letter, recipients_of, write_letter
from gateway.bulk.poll_words import Asked
from gateway.contacts import contacts, groups
from gateway.contacts.contacts import Details
from gateway.forums import plans
from gateway.forums.facts import Forum
from gateway.menus.phrases import Name
from gateway.models import staff
from gateway.models.comments import comments
from gateway.models.concerns import group_issues, issue_changes
from gateway.models.contacts import Role
from gateway.models.information import information
from gateway.models.messages import Kind, messages
from gateway.models.promises import commitment_changes, commitments
from gateway.models.releases import council_replies
from gateway.scorecard import publishing, volunteers
from tests.conftest import COMMUNES, Installation
from tests.test_panel import PASSWORD, Browser, _quick_passwords, add, on_one_database, rate, text  # noqa: F401

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES


@pytest.fixture(autouse=True)
def real_time(installation: Installation) -> Iterator[None]:
    with time_machine.travel(installation.clock.now, tick=False):
        yield


@dataclass
class Place:
    """One of everything, of a commune; by the names of addresses' arguments."""

    at: Installation
    commune: str
    name: str
    number: str
    ids: dict[str, Any] = field(default_factory=dict)

    def settle(self) -> None:
        """Makes all of it."""
        at, now = self.at, self.at.clock.now
        ids = self.ids
        with at.store.write() as db:
            ids["commune"] = self.commune
            details = Details(role=Role.PERSON, name=f"Bora of {self.name}", commune=self.commune, consent="x")
            ids["contact"] = contacts.add(db, at.keys, self.number, details, now.date())
            ids["group"] = groups.make(db, f"CBO of {self.name}", now)
            groups.join(db, ids["contact"], ids["group"])
            here = Name(self.name, self.name, self.name)
            planned = Forum(
                id=0, code=self.commune, commune=here, title={"en": f"forum of {self.name}"}, inviter="RCEDO",
                starts=now + timedelta(days=20), venue={"en": "hall"}, note={}, callback="", groups=(), reminders=(),
            )  # fmt: skip
            ids["forum_id"] = plans.plan_forum(db, at.settings, planned, None, now)
            ids["broadcast"] = bulk.draft(
                db, kind=Kind.ANNOUNCEMENT, title=f"hours of {self.name}", texts={"en": "Open"},
                audience=Audience(groups=(ids["group"],)), author=None, key=self.name, now=now,
            )  # fmt: skip
            given = volunteers.Details(f"Chan of {self.name}", self.commune, "0" + str(int(self.number[4:]) + 5))
            ids["volunteer"] = volunteers.register(db, at.keys, at.settings, given, now.date())
            letter = Letter(
                Kind.NOTICE, f"notice of {self.name}", {"en": f"to {self.name}"}, now, now + timedelta(hours=5),
                audience=Audience(communes=(self.commune,)),
            )  # fmt: skip
            write_letter(db, at.settings, letter, recipients_of(db, letter.audience, at.settings), now)
            ids["message"] = db.scalars(messages.select().with_only_columns(messages.c.id).order_by(messages.c.created)
                                        .where(messages.c.text == f"to {self.name}")).one()  # fmt: skip
            ids["reply"] = self._row(db, council_replies, commune=self.commune, week=now.date(), text=self.name,
                                     received=now)  # fmt: skip
            ids["commitment"] = self._row(
                db, commitments, commune=self.commune, activity=f'{{"en": "wells of {self.name}"}}', responsible="x",
                due=now.date() + timedelta(days=90), created=now, changed=now,
            )  # fmt: skip
            self._row(db, commitment_changes, commitment=ids["commitment"], standing="planned", day=now.date(), at=now)
            ids["issue"] = self._row(
                db, group_issues, commune=self.commune, raised_by="CBO", subject=f"road of {self.name}", to_whom="x",
                since=now.date(), created=now, changed=now,
            )  # fmt: skip
            self._row(db, issue_changes, issue=ids["issue"], solved="open", day=now.date(), at=now)
            ids["page_id"] = self._row(
                db, information, commune=self.commune, about="fees", title=f'{{"en": "fees of {self.name}"}}',
                body='{"en": "x"}', source='{"en": "x"}', valid_from=now.date(), created=now, changed=now,
            )  # fmt: skip
            ids["comment"] = f"{self.commune:0>32}"
            sealed = at.keys.seal("x", "a comment")
            db.execute(comments.insert().values(
                id=ids["comment"], commune=self.commune, month=now.date().replace(day=1), words=sealed.data,
                words_key=sealed.key, same=f"{self.commune:0>16}".encode(),
            ))  # fmt: skip
        asked = Asked({"en": f"road of {self.name}?"}, ({"en": "yes"}, {"en": "no"}))
        ids["poll_id"] = polls.draft(
            at.store, at.keys, asked, Audience(communes=(self.commune,)), now + timedelta(days=5), None, now, self.name
        )

    def _row(self, db: Any, table: Any, **values: Any) -> int:
        return int(db.execute(table.insert().values(values)).inserted_primary_key[0])


@dataclass
class House:
    """Two communes with one of everything each, and a round of all four; a member of staff of Ta Phou alone."""

    at: Installation
    app: Flask
    here: Place
    there: Place
    round_id: int

    def browser(self, name: str = "Sokha") -> Browser:
        browser = Browser(self.app.test_client())
        assert browser.log_in(name, page="/admin/login?lang=en").status_code == 302
        return browser

    def rules(self) -> list[Rule]:
        return [rule for rule in self.app.url_map.iter_rules() if rule.endpoint.startswith("admin.")]

    def path(self, rule: Rule, place: Place) -> str:
        """An address of a rule, of a commune's things."""
        known = {
            **place.ids, "service_id": "health", "kind": "csv", "name": "panel.css", "rest": "nowhere", "number": "1",
            "round_id": self.round_id, "member": "1", "deed": "approve", "entry": "1",
        }  # fmt: skip

        def value(found: re.Match[str]) -> str:
            return found["first"] or str(known.get(found["name"], "nothing"))

        return re.sub(r"<(?:any\((?P<first>\w+)[^)]*\):|\w+:)?(?P<name>\w+)>", value, rule.rule)


@pytest.fixture
def house(installation: Installation) -> House:
    round_id = installation.open_round()
    rate(installation, "4455123455")
    rate(installation, "1111122222", service="3", commune=TREAS)
    installation.close_round(round_id)
    with installation.store.write() as db:
        publishing.publish(db, installation.settings, round_id, None, installation.clock.now)
    add(installation, "Sokha")
    add(installation, "Dara", "admin")
    with installation.store.write() as db:
        staff.set_communes(db, staff.id_of(db, "Sokha") or 0, [TA_PHOU])
    places = [
        Place(installation, TA_PHOU, "Ta Phou", "+85510700001"), Place(installation, TREAS, "Treas", "+85510800001"),
    ]  # fmt: skip
    for place in places:
        place.settle()
    return House(installation, create_app(installation.settings), places[0], places[1], round_id)


def send(browser: Browser, path: str, **fields: Any) -> TestResponse:
    """A form, whatever page it is from."""
    return browser.send("/admin/password", path, **fields)


def named_in(rule: Rule) -> set[str]:
    """The arguments of an address that are of a commune."""
    return {arg for arg in rule.arguments if scope.COMMUNES_OF.get(arg)}


# the table ------------------------------------------------------------------------------------------


@on_one_database
def test_every_argument_of_an_address_stands_in_the_table(house: House) -> None:
    args = {arg for rule in house.rules() for arg in rule.arguments}
    assert args - scope.COMMUNES_OF.keys() == set(), "say of which communes this is, in admin/scope.py"
    of_communes = {arg for arg in args if scope.COMMUNES_OF[arg]}
    assert of_communes <= house.here.ids.keys() | scope.SHARED, "add one of each commune to this test"
    assert {rule.endpoint for rule in house.rules()} >= rights.WIDE


def test_what_lies_in_another_commune_is_not_there(house: House) -> None:
    """Every address with one's own things and with another commune's; every deed on another commune's."""
    sokha, seen = house.browser(), set()
    for rule in house.rules():
        named = named_in(rule)
        if not named - scope.SHARED or not rights.may_open("staff", rule.endpoint, limited=True):
            continue
        if "GET" in (rule.methods or ()):
            outside = sokha.get(house.path(rule, house.there))
            assert outside.status_code == 404, rule
            assert "Treas" not in outside.text, rule
            inside = sokha.get(house.path(rule, house.here))
            if "weekly" not in rule.endpoint:  # no letter was written
                assert inside.status_code in (200, 302), (rule, inside.status_code)
                assert "Treas" not in inside.text, rule
        if "POST" in (rule.methods or ()):
            outside = send(sokha, house.path(rule, house.there), text="x", do="keep", sure="yes")
            assert outside.status_code == 404, rule
            assert "Treas" not in outside.text, rule
        seen |= named
    assert seen >= {"forum_id", "broadcast", "poll_id", "contact", "group", "volunteer", "reply", "message"}


def test_who_sees_all_reaches_all(house: House) -> None:
    """So that the 404s above are those of the limit."""
    dara = house.browser("Dara")
    for rule in house.rules():
        if named_in(rule) - scope.SHARED and "GET" in (rule.methods or ()) and rights.may_open("admin", rule.endpoint):
            answer = dara.get(house.path(rule, house.there))
            assert answer.status_code in (200, 302) or "weekly" in rule.endpoint, (rule, answer.status_code)


def test_no_list_and_no_choice_names_another_commune(house: House) -> None:
    sokha, seen = house.browser(), 0
    for rule in house.rules():
        if rule.arguments - {"round_id", "kind"} or "GET" not in (rule.methods or ()):
            continue
        if not rights.may_open("staff", rule.endpoint, limited=True):
            continue
        answer = sokha.get(house.path(rule, house.here))
        if answer.status_code == 302:
            continue
        assert answer.status_code == 200, rule
        assert "Treas" not in answer.text, rule
        assert TREAS not in answer.text, rule
        seen += 1
    assert seen > 20
    for path, own in (
        ("/admin/forums", "forum of Ta Phou"), ("/admin/broadcasts", "hours of Ta Phou"),
        ("/admin/polls", "road of Ta"),
        ("/admin/contacts", "Bora of Ta Phou"), ("/admin/contacts/groups", "CBO of Ta Phou"),
        ("/admin/volunteers", "Chan of Ta Phou"), ("/admin/messages", "to Ta Phou"), ("/admin/tallies", "Ta Phou"),
        ("/admin/weekly/replies", "Ta Phou"), ("/admin/rounds", "Ta Phou"),
        (f"/admin/rounds/{house.round_id}", "Ta Phou"),
        ("/admin/broadcasts/new", "CBO of Ta Phou"), ("/admin/forums/new", "CBO of Ta Phou"),
        ("/admin/contacts/new", "CBO of Ta Phou"),
    ):  # fmt: skip
        assert own in sokha.read(path), path
        assert "Treas" in house.browser("Dara").read(path), path


# queries and forms ----------------------------------------------------------------------------------


def test_a_query_for_another_commune_finds_nothing(house: House) -> None:
    sokha, other = house.browser(), house.there.ids
    for query in (
        f"tallies?commune={TREAS}", f"tallies?place={TREAS}", "tallies?place=all", "tallies?place=0108",
        "tallies?place=01",
        f"tallies?group={house.round_id}", f"tallies.csv?commune={TREAS}", "tallies.csv?place=all",
        f"tallies.csv?group={house.round_id}", f"contacts?commune={TREAS}", f"contacts?group={other['group']}",
        f"forums/new?like={other['forum_id']}", f"polls/new?like={other['poll_id']}", f"record?commune={TREAS}",
        f"rounds/{house.round_id}/report?commune={TREAS}", f"rounds/{house.round_id}/text?commune={TREAS}",
        f"rounds/{house.round_id}/report.csv?commune={TA_PHOU}&commune={TREAS}",
    ):  # fmt: skip
        answer = sokha.get(f"/admin/{query}")
        assert answer.status_code == 404, query
        assert "Treas" not in answer.text, query
    for query in (
        f"tallies?commune={TA_PHOU}", f"tallies?place={TA_PHOU}", f"contacts?commune={TA_PHOU}",
        f"forums/new?like={house.here.ids['forum_id']}", f"polls/new?like={house.here.ids['poll_id']}",
        f"rounds/{house.round_id}/report?commune={TA_PHOU}", "tallies", "tallies.csv",
    ):  # fmt: skip
        assert sokha.get(f"/admin/{query}").status_code == 200, query


def test_a_form_for_another_commune_is_not_taken(house: House) -> None:
    sokha, other = house.browser(), house.there.ids
    for path, fields in (
        ("contacts/new", {"commune": TREAS, "number": "010999999", "role": "person", "consent": "x"}),
        ("forums/new", {"commune": TREAS, "do": "keep"}),
        ("volunteers/new", {"commune": TREAS, "name": "x", "number": "010999998"}),
        ("broadcasts/new", {"communes": [TA_PHOU, TREAS], "title": "x", "text-en": "x"}),
        ("broadcasts/count", {"communes": [TREAS]}),
        ("polls/new", {"communes": [TREAS]}),
        ("weekly/write", {"commune": TREAS}),
        ("messages/decide", {"decision": "went-out", "message": [other["message"]]}),
        ("record", {"commune": TREAS}),
    ):
        answer = send(sokha, f"/admin/{path}", **fields)
        assert answer.status_code == 404, path
        assert "Treas" not in answer.text, path
    # a group that reaches elsewhere is passed over, as one that is gone
    made = send(sokha, "/admin/broadcasts/new", title="x", kind="announcement", groups=[str(other["group"])],
                **{"text-en": "x"})  # fmt: skip
    assert made.status_code == 302
    with house.at.store.read() as db:
        row = bulk.find(db, int(made.headers["Location"].rpartition("/")[2]))
    assert Audience.from_json(row.audience) == Audience()  # type: ignore[union-attr]


def test_a_contact_elsewhere_is_not_told_of(house: House) -> None:
    sokha = house.browser()
    own_group = f"/admin/contacts/groups/{house.here.ids['group']}"
    assert "not among the contacts" in text(send(sokha, f"{own_group}/join", number="010 800 001"))
    found = send(sokha, "/admin/contacts/find", number="010 800 001")
    assert found.headers["Location"] == "/admin/contacts"
    assert send(sokha, "/admin/contacts/find", number="010 700 001").headers["Location"].endswith("/1")
    nowhere = {"number": "010 999 999", "role": "institution", "name": "Radio", "consent": "x", "commune": ""}
    answer = send(sokha, "/admin/contacts/new", **nowhere)
    assert answer.status_code == 422
    assert "Choose one of your communes." in text(answer)


def test_a_group_with_a_member_elsewhere_is_not_ones_own_and_stays_as_it_is(house: House) -> None:
    with house.at.store.write() as db:
        mixed = groups.make(db, "All CBOs", house.at.clock.now)
        groups.join(db, house.here.ids["contact"], mixed)
        groups.join(db, house.there.ids["contact"], mixed)
    sokha, contact = house.browser(), house.here.ids["contact"]
    assert sokha.get(f"/admin/contacts/groups/{mixed}").status_code == 404
    assert "All CBOs" not in sokha.read(f"/admin/contacts/{contact}")
    assert "All CBOs" not in sokha.read("/admin/contacts")
    kept = {"role": "person", "name": "Bora", "commune": TA_PHOU, "consent": "x"}
    assert send(sokha, f"/admin/contacts/{contact}", **kept).status_code == 302
    with house.at.store.read() as db:
        inside = groups.groups_of(db, [contact])[contact]
    assert [name for _id, name in inside] == ["All CBOs"]  # the own one was taken out, the hidden one was not


# what concerns all ----------------------------------------------------------------------------------


def test_what_concerns_all_communes_is_not_done_with_a_limit(house: House) -> None:
    sokha = house.browser()
    for rule in house.rules():
        if rule.endpoint in rights.WIDE:
            for method in (rule.methods or set()) & {"GET", "POST"}:
                path = house.path(rule, house.here)
                answer = sokha.get(path) if method == "GET" else send(sokha, path)
                assert answer.status_code == 403, (method, rule)
    shut = {house.path(rule, house.here) for rule in house.rules() if rule.endpoint in rights.WIDE}
    for path in (
        "/admin/rounds", f"/admin/rounds/{house.round_id}", f"/admin/rounds/{house.round_id}/text", "/admin/contacts",
        f"/admin/contacts/groups/{house.here.ids['group']}", "/admin/volunteers",
    ):  # fmt: skip
        page = sokha.get(path).text
        assert not [one for one in shut if f'href="{one}"' in page or f'action="{one}"' in page], path


def test_staff_without_a_limit_and_admins_do_as_before(house: House) -> None:
    with house.at.store.write() as db:
        staff.set_communes(db, staff.id_of(db, "Sokha") or 0, [])
        staff.set_communes(db, staff.id_of(db, "Dara") or 0, [TA_PHOU])  # means nothing for an admin
    for name in ("Sokha", "Dara"):
        browser = house.browser(name)
        assert browser.get("/admin/rounds/new").status_code == 200
        assert "Bora of Treas" in browser.read("/admin/contacts")
        assert browser.get(f"/admin/tallies?commune={TREAS}").status_code == 200
    assert PASSWORD
