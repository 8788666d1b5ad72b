"""Contacts, groups and files of them in the panel, as a browser without scripts sees them."""

# ruff: noqa: F811 -- fixtures are asked for by their names

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import pytest
import time_machine
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from admin.messaging.contact_files import FATES, MOST_BYTES
from admin.messaging.contact_form import ROLES
from admin.messaging.flaws import FLAWS
from gateway.bulk.letters import Audience
from gateway.config import Language
from gateway.contacts import contacts, groups, sheets
from gateway.contacts import lists as contact_lists
from gateway.contacts.contacts import Details
from gateway.contacts.intake import Fate
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.contacts import Role
from gateway.models.contacts import contacts as table
from gateway.models.messages import Kind, has_opted_out, opt_out
from gateway.models.uploads import uploads
from gateway.workers import housekeeping
from tests.conftest import Installation
from tests.test_panel import NAME, PASSWORD, Browser, add, app, browser, panel, text  # noqa: F401

SREY, BORA, CHAN = (f"+8551000000{n}" for n in (1, 2, 3))
TA_PHOU, TREAS = "010806", "010807"
LIST = "/admin/contacts"
Traveller = Any
"""What moves the time (time_machine does not name it)."""
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def real_time(installation: Installation) -> Iterator[Traveller]:
    """The panel's time is the installation's."""
    with time_machine.travel(installation.clock.now, tick=False) as travelling:
        yield travelling


@dataclass
class Desk:
    """A member of staff at the panel, and what stands behind it."""

    at: Installation
    browser: Browser

    def read(self, path: str = LIST) -> str:
        return self.browser.read(path)

    def send(self, page: str, path: str | None = None, **fields: object) -> TestResponse:
        return self.browser.send(page, path, **fields)  # type: ignore[arg-type]

    def after(self, page: str, path: str | None = None, **fields: object) -> str:
        """The page to which a form leads."""
        answer = self.send(page, path, **fields)
        assert answer.status_code == 302, text(answer)
        return self.read(answer.headers["Location"])

    def brings(self, content: str | bytes, name: str = "list.csv", **fields: str) -> TestResponse:
        data = content.encode() if isinstance(content, str) else content
        return self.send(f"{LIST}/import", file=(io.BytesIO(data), name), **({"consent": "", "group": ""} | fields))

    def knows(self, number: str, details: Details | None = None, *names: str) -> int:
        """Somebody who is there already."""
        with self.at.store.write() as db:
            made = contacts.add(
                db, self.at.keys, number, details or Details(Role.INSTITUTION), self.at.clock.now.date()
            )
            assert made is not None
            for name in names:
                group = groups.named(db).get(name.casefold()) or groups.make(db, name, self.at.clock.now)
                groups.join(db, made, group)
        return made

    def stops(self, number: str) -> None:
        with self.at.store.write() as db:
            opt_out(db, self.at.keys.lookup(number), self.at.clock.now.date(), "SMS")

    def has_stopped(self, number: str) -> bool:
        with self.at.store.read() as db:
            return has_opted_out(db, self.at.keys.lookup(number))

    def count(self) -> int:
        with self.at.store.read() as db:
            return db.scalar(select(func.count()).select_from(table)) or 0

    def waiting(self) -> list[bytes]:
        """Files that wait for a yes, as they lie in the database."""
        with self.at.store.read() as db:
            return list(db.scalars(select(uploads.c.content)))


@pytest.fixture
def desk(panel: Browser, installation: Installation) -> Desk:
    return Desk(installation, panel)


# the list -----------------------------------------------------------------------------------------


def test_without_contacts_the_page_says_how_they_come(desk: Desk) -> None:
    page = desk.read()
    assert "No contact yet" in page
    assert "Somebody who sends START to 8550 appears by themselves. Bring a file Add a contact" in page


def test_contacts_stand_there_by_name_masked_and_with_who_has_stopped(desk: Desk) -> None:
    desk.knows(CHAN)
    desk.knows(SREY, Details(Role.COUNCILLOR, "Srey", commune=TA_PHOU), "CBO", "Chiefs")
    desk.knows(BORA, Details(Role.INSTITUTION, "Bora & Co", "Street 5"))
    desk.stops(BORA)
    page = desk.read()
    told = [
        "Contacts 3 Add a contact Bring a file Groups",
        "Bora & Co Street 5 +855 •• ••• •02 has stopped Institution – –",
        "Srey +855 •• ••• •01 Councillor Ta Phou CBO , Chiefs",
        "no name +855 •• ••• •03 Institution – –",
    ]
    assert [page.find(line) for line in told] == sorted(page.find(line) for line in told)
    assert all(line in page for line in told), page
    assert not re.search(r"855\D?\d{8}|0000\d\d", desk.browser.get(LIST).text)


def test_contacts_are_sifted_by_role_commune_group_and_name(desk: Desk) -> None:
    desk.knows(SREY, Details(Role.COUNCILLOR, "Sok 100%", commune=TA_PHOU), "A")
    desk.knows(BORA, Details(Role.INSTITUTION, "ស្រី", commune=TREAS), "B")
    desk.knows(CHAN, Details(Role.PERSON, "sok_dara", consent="x"))
    finds = {
        "role=councillor": {"01"}, "role=person": {"03"}, f"commune={TREAS}": {"02"}, "group=1": {"01"},
        "text=SOK": {"01", "03"}, "text=ស្រី": {"02"}, "text=%25": {"01"}, "text=_": {"03"}, "text=\\": set(),
        f"role=councillor&commune={TREAS}": set(), "group=99": set(), "group=99999999999999": {"01", "02", "03"},
        "role=boss&commune=&group=&text=": {"01", "02", "03"},
    }  # fmt: skip
    for query, found in finds.items():
        page = desk.read(f"{LIST}?{query}")
        assert set(re.findall(r"•(\d\d)", page)) == found, query
        assert ("No contact is like this" in page) == (not found)
    assert "2 of 3 contacts · show all" in desk.read(f"{LIST}?text=sok")
    assert 'value="councillor" selected' in desk.browser.get(f"{LIST}?role=councillor").text


def test_contacts_come_in_pages_of_fifty_that_keep_the_sieve(desk: Desk) -> None:
    lines = "".join(f"0100000{n:02},institution,Name {n:03}\n" for n in range(51))
    desk.after(f"{LIST}/import", desk.brings(f"number,role,name\n{lines}").headers["Location"])
    first, second = desk.read(f"{LIST}?role=institution"), desk.read(f"{LIST}?role=institution&page=2")
    assert (first.count("•"), second.count("•")) == (50 * 6, 6)
    assert "Page 1 of 2 Next" in first
    assert "Back Page 2 of 2" in second
    assert f'href="{LIST}?page=2&amp;role=institution"' in desk.browser.get(f"{LIST}?role=institution").text
    assert desk.browser.get(f"{LIST}?page=3").status_code == 404


@on_one_database
@pytest.mark.parametrize("lang", ["en", "km"])
def test_a_number_is_found_without_standing_in_an_address(desk: Desk, lang: str) -> None:
    made = desk.knows(SREY)
    desk.stops(CHAN)
    found = desk.send(LIST, f"{LIST}/find", number="010 000 001")
    assert found.headers["Location"] == f"{LIST}/{made}"
    assert "This number is not among the contacts. Numbers" not in desk.after(LIST, f"{LIST}/find", number=BORA)
    assert "It has asked for no more messages." in desk.after(LIST, f"{LIST}/find", number=CHAN)
    assert "Served are numbers with +855." in desk.after(LIST, f"{LIST}/find", number="+66812345678")
    desk.send(LIST, "/admin/language", lang=lang)
    assert desk.send(LIST, f"{LIST}/find", number="").status_code == 302


@on_one_database
def test_a_number_whose_key_is_gone_does_not_stop_the_pages(desk: Desk) -> None:
    made = desk.knows(SREY, None, "CBO")
    with desk.at.store.write() as db:
        db.execute(table.update().values(number_key=99))
    for path in (LIST, f"{LIST}/{made}", f"{LIST}/{made}/remove", f"{LIST}/groups/1"):
        assert "cannot be opened" in desk.read(path)


# one contact --------------------------------------------------------------------------------------

PERSON = {"number": "010 000 001", "role": "person", "name": "ស្រី", "commune": TA_PHOU, "consent": "forum"}


def test_a_contact_is_added_changed_and_removed(desk: Desk) -> None:
    desk.knows(BORA, None, "CBO")
    assert "The contact was added." in desk.after(f"{LIST}/new", groups=["1", "77"], **PERSON)
    page = desk.read(f"{LIST}/2")
    assert "Number +855 •• ••• •01 Show the number Since 23 Nov 2026, written down by staff" in page
    assert 'value="1" checked' in desk.browser.get(f"{LIST}/2").text
    changed = {"role": "councillor", "name": "Srey", "commune": TREAS, "language": "en", "address": "x", "consent": ""}
    assert "The contact was changed." in desk.after(f"{LIST}/2", **changed)
    assert "Srey x +855 •• ••• •01 Councillor Treas –" in desk.read()
    assert "Remove this contact? Name Srey Number +855 •• ••• •01 They asked" in desk.read(f"{LIST}/2/remove")
    assert "The contact was removed." in desk.after(f"{LIST}/2/remove")
    assert desk.count() == 1
    assert not desk.has_stopped(SREY)


WRONG = {
    "number": ({"number": "8.55E+10"}, "A spreadsheet rounded this number"),
    "no number": ({"number": ""}, "This is missing."),
    "landline": ({"number": "023 880 880"}, "Not the number of a mobile phone"),
    "formula": ({"name": "=x"}, "It begins with =, and a spreadsheet"),
    "long": ({"address": "x" * 301}, "Longer than 300 characters."),
    "no consent": ({"consent": ""}, "Write where and when this person agreed"),
    "no commune": ({"role": "councillor", "commune": ""}, "A councillor needs a commune"),
    "known": ({"number": BORA}, "This number is among the contacts already."),
    "stopped": ({"number": CHAN}, "Only its owner can change that, by sending ON."),
}


@on_one_database
@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(desk: Desk, what: str) -> None:
    desk.knows(BORA)
    desk.stops(CHAN)
    change, told = WRONG[what]
    answer = desk.send(f"{LIST}/new", **(PERSON | change))
    assert answer.status_code == 422
    assert "Nothing was kept yet. Mend what is marked below." in text(answer)
    assert told in text(answer)
    for typed in (PERSON | change).values():
        assert not typed or f'value="{typed}"' in answer.text
    assert ("See the contact with this number" in text(answer)) is (what == "known")
    assert desk.count() == 1


@on_one_database
def test_somebody_who_asked_by_phone_needs_no_consent_noted(desk: Desk) -> None:
    with desk.at.store.write() as db:
        language: Language = "km"
        today = desk.at.clock.now.date()
        contacts.subscribe(db, desk.at.keys, SREY, language=language, commune=TA_PHOU, source="SMS", today=today)
    assert "asked by SMS" in desk.read(f"{LIST}/1")
    assert "They agreed by asking." in desk.read(f"{LIST}/1")
    desk.after(f"{LIST}/1", role="person", name="Srey", commune=TA_PHOU)
    desk.knows(BORA)
    assert desk.send(f"{LIST}/2", role="person", name="Bora").status_code == 422


@on_one_database
def test_who_is_removed_on_request_is_stopped(desk: Desk) -> None:
    made = desk.knows(SREY)
    desk.after(f"{LIST}/{made}/remove", stop="yes")
    assert desk.has_stopped(SREY)
    desk.knows(BORA)  # so that there is a form to send
    assert desk.after(LIST, f"{LIST}/{made}/remove", stop="yes").startswith("Contacts")


@on_one_database
@pytest.mark.parametrize("path", ["99", "99/remove", "99999999999999", "groups/99", "groups/99999999999999", "nobody"])
def test_what_is_not_there_is_not_there(desk: Desk, path: str) -> None:
    assert desk.browser.get(f"{LIST}/{path}").status_code == 404


# groups -------------------------------------------------------------------------------------------


def test_a_group_is_made_filled_renamed_emptied_and_dissolved(desk: Desk) -> None:
    assert "No group yet" in desk.read(f"{LIST}/groups")
    page = desk.after(f"{LIST}/groups", name="  Village  chiefs ")
    assert "Village chiefs 0 Add a contact Bring a file Nobody is in this group yet." in page
    desk.knows(SREY, Details(Role.INSTITUTION, "Srey"))
    group = f"{LIST}/groups/1"
    for _ in range(2):  # a double press does no harm
        assert "Village chiefs 1" in desk.after(group, f"{group}/join", number="010 000 001")
    assert "Village chiefs 1" in desk.read(f"{LIST}/groups")
    assert "Srey +855 •• ••• •01 Institution – Take out" in desk.read(group)
    assert "Chiefs of villages 1" in desk.after(group, f"{group}/name", name="Chiefs of villages")
    for _ in range(2):
        assert "Chiefs of villages 0" in desk.after(group, f"{group}/leave/1")
    for _ in range(2):
        assert "No group yet" in desk.after(f"{LIST}/groups", f"{group}/dissolve")
    assert desk.count() == 1


@on_one_database
def test_what_is_wrong_with_a_group_is_said_at_its_field(desk: Desk) -> None:
    desk.knows(SREY, None, "CBO")
    desk.after(f"{LIST}/groups", name="Other")
    for name, told in {
        "": "This is missing.", "cbo": "There is a group of this name already.", "a, b": "A group's name has no comma",
        "=x": "It begins with =", "x" * 61: "Longer than 60 characters.",
    }.items():  # fmt: skip
        for path in (f"{LIST}/groups", f"{LIST}/groups/2/name"):
            answer = desk.send(f"{LIST}/groups/2", path, name=name)
            assert answer.status_code == 422
            assert told in text(answer)
            assert not name or f'value="{name}"' in answer.text
    for number, told in {BORA: "This number is not among the contacts.", "12": "Too short"}.items():
        answer = desk.send(f"{LIST}/groups/2", f"{LIST}/groups/2/join", number=number)
        assert (answer.status_code, told in text(answer)) == (422, True)


@on_one_database
def test_a_group_is_not_dissolved_while_something_is_to_go_to_it(desk: Desk) -> None:
    desk.knows(SREY, None, "CBO")
    now = desk.at.clock.now
    with desk.at.store.write() as db:
        db.execute(
            broadcasts.insert().values(
                kind=Kind.ANNOUNCEMENT, title="Meeting", texts='{"km": "x"}', audience=Audience(groups=(1,)).to_json(),
                stage=Stage.DRAFT, created=now, changed=now,
            )
        )  # fmt: skip
    assert "It cannot be dissolved while these go to it: Meeting" in desk.read(f"{LIST}/groups/1")
    assert desk.send(f"{LIST}/groups/1", f"{LIST}/groups/1/dissolve").status_code == 409
    assert "CBO 1" in desk.read(f"{LIST}/groups")
    with desk.at.store.write() as db:
        db.execute(broadcasts.update().values(stage=Stage.CANCELLED))
    desk.after(f"{LIST}/groups/1", f"{LIST}/groups/1/dissolve")


# files --------------------------------------------------------------------------------------------


def test_a_file_is_looked_at_and_then_taken_in_once(desk: Desk) -> None:
    desk.knows(BORA, Details(Role.INSTITUTION, "Bora"))
    desk.stops(CHAN)
    lines = f"ស្រី,{SREY},តាផូ,CBO\nBora,{BORA},,\n,{CHAN},,\nស្រី,010000001,,\n"
    looked = desk.brings(f"ឈ្មោះ,លេខទូរស័ព្ទ,ឃុំ,ក្រុម,Remark\n{lines}", role="institution")
    page = looked.headers["Location"]
    told = desk.read(page)
    assert (
        "list.csv New 1 Changed 0 Unchanged 1 Left out: they have asked for no more messages 1"
        " Lines that repeat a number, joined with the one above 1 New groups CBO Columns left aside 'Remark'"
    ) in told
    assert "ស្រី +855 •• ••• •01 Institution Ta Phou The programme's CBO new" in told
    assert "Bora +855 •• ••• •02 Institution – The programme's – unchanged" in told
    assert "+855 •• ••• •03 Institution – The programme's – has stopped: left out" in told
    assert desk.count() == 1
    assert "Taken in: 1 new, 0 changed, 1 unchanged, 1 left out" in desk.after(page)
    assert desk.count() == 2
    assert desk.waiting() == []
    again = desk.send(LIST, page)  # pressed twice
    assert again.headers["Location"] == f"{LIST}/import"
    assert "taken in already" in desk.read(f"{LIST}/import")


def test_what_is_wrong_with_a_file_is_told_by_line_and_nothing_is_kept(desk: Desk) -> None:
    answer = desk.brings(
        f'name,phone\n"=HYPERLINK(""x"")",8.55E+10\n"a\nb",023880880\nSrey,{SREY}\nBora,{SREY}\n', group="CBO"
    )
    assert answer.status_code == 422
    page = text(answer)
    for told in (
        "2 name It begins with =", "2 phone A spreadsheet rounded this number", "3 phone Not the number of a mobile",
        "6 (row 5) name Line 5 has the same number", "– – 1 of them are new people without a consent",
    ):  # fmt: skip
        assert told in page, page
    assert 'value="CBO"' in answer.text
    assert desk.waiting() == []
    assert "0000001" not in answer.text
    many = text(desk.brings("phone\n" + "1\n" * 30, role="institution"))
    assert many.count("Too short") == 20
    assert "and 10 more" in many


FILES: Mapping[str, tuple[bytes, str]] = {
    "empty": (b"", "The file is empty."),
    "a workbook": (b"PK\x03\x04\xff", "This is a workbook."),
    "a picture": (b"\x89PNG\r\n\x1a\n", "This is no text in UTF-8."),
    "no header": (f"{SREY},x\n".encode(), "There is no column for the numbers."),
    "a header alone": (b"number\n", "The file has a header and no line below it."),
}


@on_one_database
@pytest.mark.parametrize("what", FILES)
def test_a_file_of_the_wrong_kind_is_refused_with_what_to_do(desk: Desk, what: str) -> None:
    content, told = FILES[what]
    answer = desk.brings(content, "My list 012345678.xlsx")
    assert (answer.status_code, told in text(answer)) == (422, True)
    assert "012345678.xlsx" not in answer.text


@on_one_database
def test_no_file_at_all_and_wrong_words_beside_it_are_told_at_their_fields(desk: Desk) -> None:
    answer = desk.send(f"{LIST}/import", consent="=x", group="a;b", role="boss")
    assert answer.status_code == 422
    for told in ("Choose a file.", "It begins with =", "A group's name has no comma"):
        assert told in text(answer)


@on_one_database
@pytest.mark.parametrize(("megabytes", "status"), [(9, 422), (11, 413), (50, 413)])
def test_a_file_may_have_ten_megabytes(desk: Desk, megabytes: int, status: int) -> None:
    answer = desk.brings(b"x" * (megabytes * 1024 * 1024))
    assert answer.status_code == status
    if status == 413:
        assert "This is too large" in text(answer)
        assert f"A file may have {MOST_BYTES // 1024 // 1024} MB" in text(answer)


@on_one_database
def test_other_forms_are_small_and_a_stranger_brings_nothing(desk: Desk) -> None:
    answer = desk.send(f"{LIST}/new", name="x" * 70_000)
    assert (answer.status_code, "This is too large" in text(answer)) == (413, True)
    stranger = Browser(desk.browser.client.application.test_client())
    sent = stranger.client.post(f"{LIST}/import", data={"file": (io.BytesIO(b"x" * 9_000_000), "x.csv")})
    assert sent.status_code == 302
    assert "/admin/login" in sent.headers["Location"]


def test_a_file_waits_sealed_for_an_hour_and_for_who_brought_it(desk: Desk, real_time: Traveller) -> None:
    looked = desk.brings(f"number,name\n{SREY},Srey\n", role="institution").headers["Location"]
    (sealed,) = desk.waiting()
    assert b"0000001" not in sealed
    assert b"Srey" not in sealed
    add(desk.at, "dara")
    other = Browser(desk.browser.client.application.test_client())
    other.log_in("dara")
    assert other.get(looked).headers["Location"] == f"{LIST}/import"
    assert other.send(f"{LIST}/import", looked).status_code == 302
    assert desk.count() == 0
    desk.brings(f"number\n{BORA}\n", role="institution")
    assert len(desk.waiting()) == 1  # the last one brought
    real_time.shift(timedelta(minutes=59))
    desk.read()
    looked = desk.brings(f"number\n{SREY}\n", role="institution").headers["Location"]
    real_time.shift(timedelta(minutes=59))
    assert "Take it in" in desk.read(looked)
    real_time.shift(timedelta(minutes=1))
    assert desk.browser.get(looked).headers["Location"] == f"{LIST}/import"
    housekeeping.purge(desk.at.store, desk.at.settings, desk.at.clock.now + timedelta(hours=4))
    assert desk.waiting() == []


@on_one_database
def test_a_file_that_is_not_wanted_is_forgotten_at_once(desk: Desk) -> None:
    looked = desk.brings(f"number\n{SREY}\n", role="institution").headers["Location"]
    assert "The file was not taken in." in desk.after(looked, f"{looked}/drop")
    assert desk.waiting() == []
    assert desk.count() == 0


@on_one_database
def test_what_changed_between_the_look_and_the_yes_counts(desk: Desk) -> None:
    looked = desk.brings(f"number\n{SREY}\n{BORA}\n", role="institution").headers["Location"]
    desk.stops(SREY)
    assert "Taken in: 1 new, 0 changed, 0 unchanged, 1 left out" in desk.after(looked)


@on_one_database
def test_nothing_that_is_said_or_logged_repeats_a_number(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.after(f"{LIST}/new", **PERSON)
    looked = desk.brings(f"number\n{BORA}\n{CHAN}\n", role="institution").headers["Location"]
    pages = [desk.browser.get(path).text for path in (LIST, looked, f"{LIST}/1", f"{LIST}/1/remove")]
    desk.after(looked)
    cookie = str(desk.browser.client.get_cookie("mati"))
    said = "".join(capsys.readouterr()) + json.dumps(pages) + cookie
    assert not [number for number in (SREY, BORA, CHAN) if number[4:] in said or number[6:] in said]


@on_one_database
@pytest.mark.parametrize("path", ["", "/new", "/1", "/1/remove", "/groups", "/groups/1", "/import"])
@pytest.mark.parametrize("lang", ["en", "km"])
def test_pages_have_nothing_inline_and_no_sentence_without_its_values(desk: Desk, path: str, lang: str) -> None:
    desk.knows(SREY, None, "CBO")
    desk.send(LIST, "/admin/language", lang=lang)
    answer = desk.browser.get(LIST + path)
    assert answer.status_code == 200
    assert not re.search(r"<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=|https?://|{\w+}", answer.text)
    assert answer.text.count('aria-current="page"') == 2  # in each of the two menus


@pytest.mark.parametrize(
    ("closed", "words"),
    [
        *((one, FLAWS) for one in (contacts.Flaw, groups.GroupFlaw, contact_lists.ListFlaw, sheets.Flaw)),
        (Fate, FATES),
        (Role, ROLES),
    ],
)
def test_every_flaw_fate_and_role_has_its_words(closed: type[StrEnum], words: Mapping[StrEnum, object]) -> None:
    assert set(closed) <= set(words)


def test_a_flaw_says_the_same_values_in_the_panel_as_in_the_command() -> None:
    for flaw, said in FLAWS.items():
        if flaw not in (sheets.Flaw.EMPTY, sheets.Flaw.NOT_TEXT, sheets.Flaw.UNREADABLE):
            assert set(re.findall(r"{\w+}", flaw)) == set(re.findall(r"{\w+}", said.msgid)), flaw
