"""Contacts: numbers as people write them down, who comes and goes by phone, lists in files."""

from __future__ import annotations

import codecs
import csv
import io
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gateway.cli import cli
from gateway.config import Language, Settings
from gateway.contacts import contacts, groups
from gateway.contacts import intake as contact_intake
from gateway.contacts import lists as contact_lists
from gateway.contacts.contacts import Details, Flaw, Refused, mobile, subscribe, unsubscribe
from gateway.contacts.intake import Fate, Plan
from gateway.contacts.lists import Communes, Wholesale
from gateway.contacts.sheets import BadFile
from gateway.errors import Told
from gateway.models.contacts import Role, group_members
from gateway.models.contacts import contacts as table
from gateway.models.contacts import groups as groups_table
from gateway.models.messages import has_opted_out, opt_out
from gateway.models.places import places
from gateway.privacy import Sealed
from tests.conftest import Installation

SREY, BORA, CHAN = (f"+8551000000{n}" for n in (1, 2, 3))
TA_PHOU, TREAS, PONLEY = "010806", "010807", "010303"
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the kind of database."""

Known = dict[str, dict[str, Any]]


@pytest.fixture
def office(installation: Installation, tmp_path: Path) -> Office:
    return Office(installation)


@dataclass
class Office:
    """Somebody with lists and the means to take them in."""

    at: Installation

    def takes_in(self, content: str | bytes, **said: str) -> Plan:
        reading = self.reads(content, **said)
        with self.at.store.write() as db:
            return contact_intake.take_in(db, self.at.keys, reading, self.at.clock.now.date(), self.at.clock.now)

    def would(self, content: str | bytes, **said: str) -> Plan:
        reading = self.reads(content, **said)
        with self.at.store.read() as db:
            return contact_intake.plan(db, reading)

    def reads(self, content: str | bytes, role: str = "", consent: str = "", group: str = "") -> contact_lists.Reading:
        sheet = contact_lists.sheet("list.csv", content.encode() if isinstance(content, str) else content)
        with self.at.store.read() as db:
            communes = Communes(db)
        wholesale = Wholesale.of(role, consent, group)
        return contact_lists.read(sheet, communes, self.at.keys, self.at.settings, wholesale)

    def is_told(self, content: str | bytes, **said: str) -> list[str]:
        """What the refusal says, line by line; nothing may have changed."""
        before = self.known()
        with pytest.raises(BadFile) as refusal:
            self.takes_in(content, **said)
        assert self.known() == before
        return str(refusal.value).splitlines()

    def known(self) -> Known:
        """Everybody by number, with the groups they are in."""
        with self.at.store.read() as db:
            inside: dict[int, set[str]] = {}
            members = select(group_members.c.contact_id, groups_table.c.name).join(groups_table)
            for contact, group in db.execute(members):
                inside.setdefault(contact, set()).add(group)
            return {
                self.at.keys.open_number(Sealed(row.number_key, row.number)): {
                    "role": row.role, "name": row.name, "address": row.address, "language": row.language,
                    "commune": row.commune, "source": row.source, "consent": row.consent, "operator": row.operator,
                    "groups": inside.get(row.id, set()),
                }
                for row in db.execute(select(table))
            }  # fmt: skip

    def anew(self) -> Office:
        """The office with nobody in it."""
        with self.at.store.write() as db:
            for one in (group_members, table, groups_table):
                db.execute(one.delete())
        return self

    def names(self) -> dict[str, str]:
        return {number: one["name"] for number, one in self.known().items()}

    def subscribes(
        self, number: str, language: Language | None = "km", commune: str | None = TA_PHOU, source: str = "SMS"
    ) -> None:
        with self.at.store.write() as db:
            today = self.at.clock.now.date()
            subscribe(db, self.at.keys, number, language=language, commune=commune, source=source, today=today)

    def unsubscribes(self, number: str) -> None:
        with self.at.store.write() as db:
            unsubscribe(db, self.at.keys, number)

    def stops(self, number: str) -> None:
        with self.at.store.write() as db:
            opt_out(db, self.at.keys.lookup(number), self.at.clock.now.date(), "SMS")

    def has_stopped(self, number: str) -> bool:
        with self.at.store.read() as db:
            return has_opted_out(db, self.at.keys.lookup(number))


# numbers ------------------------------------------------------------------------------------------

GOOD = {
    "+85510000001": SREY, "85510000001": SREY, "010000001": SREY, "10000001": SREY, "00855 10 000 001": SREY,
    "010 000 001": SREY, "០១០ ០០០ ០០១": SREY, "010-000-001": SREY, "(010) 000.001": SREY, "+855 (0)10 000 001": SREY,
    "010\u200b000\u00a0001": SREY, "\u202a+85510000001\u202c": SREY, "\ufeff010000001": SREY,
    "855010000001": SREY, '="010000001"': SREY, "'010000001": SREY, "10000001.0": SREY, "85510000001.00": SREY,
    "10,000,001": SREY, "0971234567": "+855971234567", "+855971234567": "+855971234567",
}  # fmt: skip
WRONG = {
    "": Flaw.EMPTY, "   ": Flaw.EMPTY, "8.55E+10": Flaw.ROUNDED, "8,55E+10": Flaw.ROUNDED, "8.55e10": Flaw.ROUNDED,
    "៨.៥៥E+១០": Flaw.ROUNDED, "010000001 / 010000002": Flaw.SEVERAL, "010000001/2": Flaw.SEVERAL,
    "010000001; 010000002": Flaw.SEVERAL, "010000001,010000002": Flaw.SEVERAL, "010000001\n010000002": Flaw.SEVERAL,
    "010000001 ឬ 010000002": Flaw.SEVERAL, "010000001 or 010000002": Flaw.SEVERAL, "N/A": Flaw.NOT_DIGITS,
    "none": Flaw.NOT_DIGITS, "010000001 wife": Flaw.NOT_DIGITS, "=A1": Flaw.NOT_DIGITS, "?": Flaw.NOT_DIGITS,
    "1294": Flaw.SHORT, "115": Flaw.SHORT, "010 0000": Flaw.LENGTH, "01000000123": Flaw.LENGTH,
    "010000001 010000002": Flaw.LENGTH, "023 880 880": Flaw.NOT_MOBILE, "+85523880880": Flaw.NOT_MOBILE,
    "+66812345678": Flaw.ABROAD, "66812345678": Flaw.ABROAD, "+254711000111": Flaw.ABROAD,
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path)  # type: ignore[call-arg]


@pytest.mark.parametrize("written", GOOD)
def test_numbers_are_repaired(here: Settings, written: str) -> None:
    assert mobile(written, here) == GOOD[written]


@pytest.mark.parametrize("written", WRONG)
def test_numbers_that_cannot_be_are_refused_with_the_reason_and_not_repeated(here: Settings, written: str) -> None:
    with pytest.raises(Refused) as refusal:
        mobile(written, here)
    assert refusal.value.flaw is WRONG[written]
    assert "0000" not in str(refusal.value)


def test_other_countries_are_served_where_the_settings_say_so(here: Settings) -> None:
    both = here.model_copy(update={"countries": ("855", "66")})
    assert mobile("+66 81 234 5678", both) == "+66812345678"
    with pytest.raises(Refused, match="numbers with \\+855, \\+66"):
        mobile("+254711000111", both)


# by phone -----------------------------------------------------------------------------------------


class TestAskingByPhone:
    def test_makes_a_contact_that_gets_reminders_again_after_a_stop(self, office: Office) -> None:
        office.stops(SREY)
        office.subscribes(SREY, source="USSD")
        assert not office.has_stopped(SREY)
        assert office.known() == {
            SREY: {"role": "person", "name": "", "address": "", "language": "km", "commune": TA_PHOU, "source": "USSD",
                   "consent": "", "operator": "smart", "groups": set()},
        }  # fmt: skip

    def test_twice_is_once_and_the_last_language_and_commune_count(self, office: Office) -> None:
        office.subscribes(SREY)
        office.subscribes(SREY, "en", TREAS)
        office.subscribes(SREY, None, None)
        assert [(one["language"], one["commune"]) for one in office.known().values()] == [("en", TREAS)]

    def test_keeps_what_staff_wrote_down(self, office: Office) -> None:
        office.takes_in(f"number,name,address,group,consent\n{SREY},Srey,Pongro,CBO,forum\n")
        office.subscribes(SREY, "en", TREAS)
        (one,) = office.known().values()
        assert (one["name"], one["address"], one["groups"], one["language"]) == ("Srey", "Pongro", {"CBO"}, "en")

    @pytest.mark.parametrize("role", ["institution", "councillor"])
    def test_leaves_an_institution_and_a_councillor_what_they_are(self, office: Office, role: str) -> None:
        office.takes_in(f"number,role,commune\n{SREY},{role},{PONLEY}\n")
        before = office.known()
        office.stops(SREY)
        office.subscribes(SREY, "en", TREAS)
        assert office.known() == before
        assert not office.has_stopped(SREY)
        office.unsubscribes(SREY)
        assert office.known() == before

    def test_to_stop_removes_a_person_and_a_person_alone(self, office: Office) -> None:
        office.subscribes(SREY)
        office.subscribes(BORA)
        office.unsubscribes(SREY)
        office.unsubscribes(SREY)
        office.unsubscribes(CHAN)
        assert list(office.known()) == [BORA]


# files --------------------------------------------------------------------------------------------

KHMER = """\
ល.រ,ឈ្មោះ,លេខទូរស័ព្ទ,តួនាទី,ភាសា,ឃុំ,អាសយដ្ឋាន,ក្រុម,ការយល់ព្រម
១,ស្រី,០១០ ០០០ ០០១,ប្រជាពលរដ្ឋ,ខ្មែរ,តាផូ,ភូមិពង្រ,CBO; ស្រ្តី,វេទិកា ១២ មីនា
២,បុរ៉ា,០១០ ០០០ ០០២,ក្រុមប្រឹក្សា,,ឃុំទ្រាស,,,
"""
ENGLISH = """\
Consent;Groups;Address;Commune code;Language;Role;Phone number;Full name
វេទិកា ១២ មីនា;ស្រ្តី | cbo;ភូមិពង្រ;10806;km;Person;855 10 000 001;ស្រី
;;;Treas commune;;Councillor;010000002;បុរ៉ា
"""
TWO: Known = {
    SREY: {"role": "person", "name": "ស្រី", "address": "ភូមិពង្រ", "language": "km", "commune": TA_PHOU,
           "source": "import", "consent": "វេទិកា ១២ មីនា", "operator": "smart", "groups": {"CBO", "ស្រ្តី"}},
    BORA: {"role": "councillor", "name": "បុរ៉ា", "address": "", "language": None, "commune": TREAS,
           "source": "import", "consent": "", "operator": "smart", "groups": set()},
}  # fmt: skip


def counts(done: Plan) -> tuple[int, int, int, int]:
    """New, changed, unchanged, stopped."""
    new, changed, same, stopped = (done.count(fate) for fate in (Fate.NEW, Fate.CHANGED, Fate.SAME, Fate.STOPPED))
    return new, changed, same, stopped


class TestLists:
    def test_are_understood_in_khmer_and_in_english(self, office: Office) -> None:
        done = office.takes_in(KHMER)
        assert counts(done) == (2, 0, 0, 0)
        assert done.reading.sheet.ignored == ["'ល.រ'"]
        assert office.known() == TWO
        assert counts(office.takes_in(ENGLISH)) == (0, 0, 2, 0)
        assert office.known() == TWO

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
    def test_twice_change_nothing(self, office: Office, encoding: str) -> None:
        office.takes_in(KHMER.encode(encoding))
        for content in (
            KHMER.encode(encoding),
            KHMER.replace("\n", "\r\n").encode(),
            KHMER.replace(",", "\t").encode(),
        ):
            done = office.takes_in(content)
            assert counts(done) == (0, 0, 2, 0)
            assert not done.new_groups
        assert office.known() == TWO

    def test_add_and_correct_and_never_take_away(self, office: Office) -> None:
        office.takes_in(KHMER)
        done = office.takes_in(f"number,name,address,group,commune\n{SREY},Srey,,NGO,\n{BORA},,,,\n{CHAN},,,,",
                               role="institution")  # fmt: skip
        assert counts(done) == (1, 2, 0, 0)  # both become institutions
        known = office.known()
        assert known[SREY] == TWO[SREY] | {"name": "Srey", "role": "institution", "groups": {"CBO", "ស្រ្តី", "NGO"}}
        assert known[BORA] == TWO[BORA] | {"role": "institution"}

    def test_put_somebody_who_is_known_into_a_group_and_change_nothing_else(self, office: Office) -> None:
        office.takes_in(KHMER)
        done = office.takes_in(f"number,group\n{SREY},cbo\n{BORA},CBO\n")
        assert (counts(done), done.new_groups) == ((0, 1, 1, 0), ())
        assert office.known() == TWO | {BORA: TWO[BORA] | {"groups": {"CBO"}}}

    def test_say_who_somebody_is_but_a_councillor_who_is_a_person_too_stays_one(self, office: Office) -> None:
        office.subscribes(SREY)
        office.takes_in(f"number,role,commune\n{SREY},councillor,{TREAS}\n")
        assert (office.known()[SREY]["role"], office.known()[SREY]["commune"]) == ("councillor", TREAS)
        done = office.takes_in(f"number,role,consent\n{SREY},person,forum\n{SREY},,\n")
        assert counts(done) == (0, 1, 0, 0)
        assert (office.known()[SREY]["role"], office.known()[SREY]["consent"]) == ("councillor", "forum")

    def test_leave_out_and_count_who_has_stopped_whatever_they_say(self, office: Office) -> None:
        office.takes_in(f"number,role,name\n{SREY},institution,Srey\n")
        office.stops(SREY)
        office.stops(BORA)
        done = office.takes_in(
            f"number,name,group\n{SREY},Other,A\n{BORA},Bora,A\n{CHAN},Chan,\n", consent="forum", group=""
        )
        assert counts(done) == (1, 0, 0, 2)
        assert office.names() == {SREY: "Srey", CHAN: "Chan"}
        assert not done.new_groups  # nobody would be in it

    def test_take_what_is_said_once_for_all_where_a_line_says_nothing(self, office: Office) -> None:
        office.takes_in(
            f"number,role,consent\n{SREY},,\n{BORA},person,at home\n", role="institution", consent="forum", group="NPDP"
        )
        known = office.known()
        assert {(one["role"], one["consent"]) for one in known.values()} == {
            ("institution", "forum"), ("person", "at home"),
        }  # fmt: skip
        assert all(one["groups"] == {"NPDP"} for one in known.values())

    def test_of_institutions_and_councillors_need_no_consent(self, office: Office) -> None:
        office.takes_in(f"name,address,number\nRCEDO,Sisophon,{SREY}\n", role="institution")
        assert office.known()[SREY]["address"] == "Sisophon"

    def test_join_lines_of_one_number_that_complete_each_other(self, office: Office) -> None:
        done = office.takes_in(
            "number,name,commune,group,role,consent\n010000001,Srey,,A,person,forum\n+85510000001,SREY,,,,\n"
            "10000001,,Ta Phou,B,councillor,\n"
        )
        assert (counts(done), done.reading.merged) == ((1, 0, 0, 0), 2)
        one = office.known()[SREY]
        assert (one["name"], one["commune"], one["groups"], one["role"]) == ("Srey", TA_PHOU, {"A", "B"}, "councillor")

    def test_do_the_same_in_a_dry_run_and_leave_everything_as_it_was(self, office: Office) -> None:
        office.takes_in(f"number,role,name\n{SREY},institution,Srey\n")
        before = office.known()
        content = f"number,role,name,group\n{SREY},,Other,A\n{BORA},institution,,B\n"
        would = office.would(content)
        assert office.known() == before
        done = office.takes_in(content)
        assert (counts(would), would.new_groups) == (counts(done), done.new_groups) == ((1, 1, 0, 0), ("A", "B"))
        assert [step.details for step in would.steps] == [step.details for step in done.steps]

    def test_make_groups_that_are_not_there_by_name_whatever_the_case(self, office: Office) -> None:
        with office.at.store.write() as db:
            groups.make(db, "Village chiefs", office.at.clock.now)
        done = office.takes_in(f"number,role,group\n{SREY},institution,VILLAGE CHIEFS; new\n")
        assert done.new_groups == ("new",)
        assert office.known()[SREY]["groups"] == {"Village chiefs", "new"}


def test_two_who_take_in_the_same_list_at_once_and_a_start_in_between_make_each_contact_once(office: Office) -> None:
    numbers = [f"010000{n:03}" for n in range(400)]
    content = "number,role,name,group\n" + "".join(f"{number},institution,N,CBO\n" for number in numbers)
    with ThreadPoolExecutor(3) as hands:
        imports = [hands.submit(office.takes_in, content) for _ in range(2)]
        start = hands.submit(office.subscribes, "+85510000399")
        done = sorted(counts(one.result()) for one in imports)
        start.result()
    assert done[0] == (0, 0, 400, 0)
    assert done[1] in ((400, 0, 0, 0), (399, 1, 0, 0))
    assert len(office.known()) == 400
    assert all(one["groups"] == {"CBO"} and one["role"] == "institution" for one in office.known().values())


COMMUNES = {
    "010806": TA_PHOU, "10806": TA_PHOU, "០១០៨០៦": TA_PHOU, "Ta Phou": TA_PHOU, "taphou": TA_PHOU, "TA-PHOU": TA_PHOU,
    "តាផូ": TA_PHOU, "តា\u200bផូ": TA_PHOU, "ឃុំតាផូ": TA_PHOU, "ឃុំ តាផូ": TA_PHOU, "Khum Ta Phou": TA_PHOU,
    "Ta Phou commune": TA_PHOU, "Ponley": PONLEY, "ពន្លៃ": PONLEY,
}  # fmt: skip


class TestCommunes:
    @on_one_database
    def test_are_found_by_code_and_by_name_in_either_script(self, office: Office) -> None:
        with office.at.store.read() as db:
            communes = Communes(db)
        assert {cell: communes.find(cell) for cell in COMMUNES} == COMMUNES

    @on_one_database
    def test_whose_name_is_ambiguous_are_refused_with_the_codes(self, office: Office) -> None:
        with office.at.store.write() as db:
            for code, name in (("150101", "Ponley"), ("150102", "Tang")):
                db.execute(
                    places.insert().values(code=code, level="commune", unit="Commune", name_km=name, name_en=name)
                )
        told = office.is_told(f"number,commune,role\n{SREY},Ponley,institution\n{BORA},Tang,institution\n")
        assert told[0] == (
            "line 2, commune: 'Ponley' is the name of several communes; write one of the codes 010303, 150101"
        )
        assert len(told) == 2

    @on_one_database
    @pytest.mark.parametrize("cell", ["Nowhere", "010899", "01", "01080601", "1.08E+04"])
    def test_that_are_not_known_are_refused(self, office: Office, cell: str) -> None:
        told = office.is_told(f"number,commune,role\n{SREY},{cell},institution\n")
        assert told[0].startswith("line 2, commune: ")
        assert "is no commune that is known here" in told[0]


BAD_CELLS: Mapping[str, tuple[str, str]] = {
    "a rounded number": ("8.55E+10,,", "line 2, number: a spreadsheet rounded this number"),
    "two numbers": ("010000001/010000002,,", "line 2, number: more than one number"),
    "no number": (",Srey,", "line 2, number: is empty"),
    "a landline": ("023880880,,", "line 2, number: not the number of a mobile phone"),
    "a formula": (f'{SREY},"=HYPERLINK(""http://x"")",', "line 2, name: begins with ="),
    "a command": (f"{SREY},+cmd|' /C calc'!A0,", "line 2, name: begins with +"),
    "a minus": (f"{SREY},-2+3,", "line 2, name: begins with -"),
    "an at sign": (f"{SREY},@SUM(1),", "line 2, name: begins with @"),
    "a formula as a role": (f"{SREY},,=1+1", "line 2, role: '=1+1' is no role"),
    "an unknown role": (f"{SREY},,boss", "line 2, role: 'boss' is no role; write person, institution or councillor"),
    "a number for a role": (f"{SREY},,012345678", "line 2, role: … is no role"),
    "a name of a page": (f"{SREY},{'x' * 101},", "line 2, name: longer than 100 characters"),
    "a councillor of nowhere": (f"{SREY},,councillor", "line 2, commune: a councillor needs a commune"),
    "a comma without quotation marks": (f"{SREY},Srey,person,Pongro", "line 2: more cells than the header has"),
    "a person without consent": (f"{SREY},Srey,person", "no consent is noted, and 1 of them are new people"),
}
BAD_LISTS: Mapping[str, tuple[bytes, str]] = {
    "nothing": (b"", "list.csv: the file is empty; it needs the columns number"),
    "no header": (f"{SREY},Srey\n{BORA},Bora\n".encode(), "list.csv: line 1: no column for the numbers; head it"),
    "nothing but a header": (b"number,name\n\n,\n", "list.csv: the file has a header and no line below it"),
    "a workbook": (b"PK\x03\x04\xff\xfe", "list.csv: a workbook (.xlsx, .xls or .ods) is no UTF-8 text"),
    "a NUL": (codecs.BOM_UTF16_LE + "number\n0100\0".encode("utf-16-le"), "list.csv: line 2: a NUL character"),
    "another encoding": ("number,name\n010000001,Jos\xe9".encode("cp1252"), "list.csv: no UTF-8 text (byte 25)"),
    "two columns of numbers": (b"number,Phone\n1,2\n", "list.csv: line 1: two columns mean the same"),
}


class TestBadLists:
    @on_one_database
    @pytest.mark.parametrize("what", BAD_CELLS)
    def test_are_refused_by_line_and_cell(self, office: Office, what: str) -> None:
        line, told = BAD_CELLS[what]
        said = office.is_told(f"number,name,role\n{line}\n", role="institution")
        assert said[0].startswith(told)
        assert said[1:] == ["nothing was imported"]

    @on_one_database
    @pytest.mark.parametrize("what", BAD_LISTS)
    def test_are_refused_as_a_whole(self, office: Office, what: str) -> None:
        content, told = BAD_LISTS[what]
        (said,) = office.is_told(content)
        assert said.startswith(told)

    def test_are_never_taken_in_by_half(self, office: Office) -> None:
        assert len(office.is_told(f"number,role,group\n{SREY},institution,A\n{BORA},institution,=x\n")) == 2
        with office.at.store.read() as db:
            assert not groups.listed(db)

    @on_one_database
    def test_name_both_lines_of_a_number_with_two_names(self, office: Office) -> None:
        told = office.is_told(
            "ឈ្មោះ,phone,language,role\nSrey,010000001,,institution\nBora,010000002,km,institution\n"
            "Sok,+855 10 000 001,,councillor\n,10000002,en,\n,010000003,,institution\nChan,010000003,,\n"
            "Chen,010000003,,\n"
        )
        assert told == [
            "line 4, ឈ្មោះ: line 2 has the same number and says something else here; keep what is right",
            "line 4, role: line 2 has the same number and says something else here; keep what is right",
            "line 5, language: line 3 has the same number and says something else here; keep what is right",
            "line 8, ឈ្មោះ: line 7 has the same number and says something else here; keep what is right",
            "nothing was imported",
        ]

    @on_one_database
    def test_tell_the_first_problems_in_the_order_of_lines_and_count_the_rest(self, office: Office) -> None:
        told = office.is_told("number,consent\n" + "".join(f"{n},\n" for n in range(100, 150)))
        assert told[0].startswith("line 2, number: too short")
        assert told[20:] == ["and 30 more", "nothing was imported"]

    @on_one_database
    def test_never_repeat_a_number(self, office: Office) -> None:
        numbers = [
            "012345678/012345679",
            "0123456789012",
            "tel 012345678",
            "+66812345678",
            "023123456",
            SREY,
            "010000001",
        ]
        lines = "".join(f"{number},{number[:5]} Name {n},012345678,012345678,\n" for n, number in enumerate(numbers))
        with pytest.raises(BadFile) as refusal:
            office.takes_in(f"phone,name,language,commune,012345678\n{lines}")
        told = " ".join(map(str, refusal.value.problems))
        assert "line 8" in told
        assert not [digits for digits in ("12345", "81234", "000001", "23123") if digits in told]


# what holds for every list ------------------------------------------------------------------------

NUMBERS = [f"+855100000{n:02}" for n in range(12)]
LINE = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["", "Srey", "Bora"]),
        "role": st.sampled_from(["", "person", "institution", "councillor"]),
        "language": st.sampled_from(["", "km", "en"]),
        "commune": st.just(TA_PHOU),
        "address": st.sampled_from(["", "Pongro"]),
        "group": st.sets(st.sampled_from(["A", "B", "C"])).map(";".join),
        "consent": st.just("forum"),
    }
)
LISTS = st.dictionaries(st.sampled_from(NUMBERS), LINE, min_size=1)
WAYS = (
    lambda number: number, lambda number: "0" + number[4:], lambda number: number[1:],
    lambda number: f"{number[:4]} {number[4:6]} {number[6:9]} {number[9:]}",
)  # fmt: skip
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def as_csv(lines: Sequence[tuple[str, Mapping[str, str]]]) -> str:
    out = io.StringIO()
    columns = ("number", "name", "role", "language", "commune", "address", "group", "consent")
    writer = csv.DictWriter(out, columns)
    writer.writeheader()
    writer.writerows({"number": number, **line} for number, line in lines)
    return out.getvalue()


@on_one_database
class TestEveryList:
    @MANY
    @given(LISTS, LISTS)
    def test_taken_in_twice_is_as_taken_in_once(self, office: Office, first: Any, second: Any) -> None:
        office.anew().takes_in(as_csv(list(first.items())))
        office.takes_in(as_csv(list(second.items())))
        once = office.known()
        done = office.takes_in(as_csv(list(second.items())))
        assert office.known() == once
        assert counts(done) == (0, 0, len(second), 0)

    @MANY
    @given(LISTS, st.randoms(use_true_random=False))
    def test_means_the_same_in_any_order(self, office: Office, lines: Any, chance: Any) -> None:
        office.anew().takes_in(as_csv(list(lines.items())))
        one_way = office.known()
        shuffled = list(lines.items())
        chance.shuffle(shuffled)
        office.anew().takes_in(as_csv(shuffled))
        assert office.known() == one_way

    @MANY
    @given(LISTS, st.data())
    def test_with_lines_torn_apart_is_joined_again(self, office: Office, lines: Any, data: st.DataObject) -> None:
        """Each line in pieces that hold a part of its cells each, the number written in different ways."""
        torn = []
        for number, line in lines.items():
            pieces: list[dict[str, str]] = [{}, {}, {}]
            for column, cell in line.items():
                for place in data.draw(st.sets(st.integers(0, 2), min_size=1)):
                    pieces[place][column] = cell
            torn += [(data.draw(st.sampled_from(WAYS))(number), piece) for piece in pieces]
        office.anew().takes_in(as_csv(list(lines.items())))
        whole = office.known()
        office.anew()
        done = office.takes_in(as_csv(data.draw(st.permutations(torn))))
        assert office.known() == whole
        assert done.reading.merged == len(torn) - len(lines)


# groups -------------------------------------------------------------------------------------------


@on_one_database
def test_groups_are_made_once_whatever_the_case_and_members_outlive_them(office: Office) -> None:
    now = office.at.clock.now
    office.takes_in(f"number,role,group\n{SREY},institution,CBO\n")
    with office.at.store.write() as db:
        cbo = groups.named(db)["cbo"]
        with pytest.raises(Refused, match="there is a group of this name"):
            groups.make(db, "cbo", now)
        other = groups.make(db, groups.name_of("  Village   chiefs "), now)
        with pytest.raises(Refused, match="there is a group of this name"):
            groups.rename(db, other, "Cbo")
        groups.rename(db, cbo, "cbo")
        assert [(one.name, one.members) for one in groups.listed(db)] == [("Village chiefs", 0), ("cbo", 1)]
        assert groups.dissolve(db, cbo)
        assert not groups.dissolve(db, cbo)
    assert office.known()[SREY]["groups"] == set()


@pytest.mark.parametrize("name", ["", " - ", "a, b", "a;b", "a|b", "=a", "x" * 61, "!!"])
def test_a_groups_name_is_one_name(name: str) -> None:
    with pytest.raises(Refused):
        groups.name_of(name)


# staff --------------------------------------------------------------------------------------------


def test_somebody_whom_staff_remove_on_request_comes_back_with_no_file(office: Office) -> None:
    today = office.at.clock.now.date()
    with office.at.store.write() as db:
        made = contacts.add(db, office.at.keys, SREY, Details(Role.INSTITUTION, "RCEDO"), today)
        assert made is not None
        assert contacts.add(db, office.at.keys, SREY, Details(Role.INSTITUTION, "again"), today) is None
        assert contacts.change(db, made, Details(Role.INSTITUTION, "API", language="en"))
    assert (office.known()[SREY]["name"], office.known()[SREY]["language"]) == ("API", "en")
    with office.at.store.write() as db:
        assert contacts.remove(db, made, stop=today)
        assert not contacts.remove(db, made, stop=today)
        assert not contacts.change(db, made, Details(Role.INSTITUTION))
    assert office.has_stopped(SREY)
    assert counts(office.takes_in(f"number,role\n{SREY},institution\n")) == (0, 0, 0, 1)
    office.subscribes(SREY)
    assert list(office.known()) == [SREY]


# the command --------------------------------------------------------------------------------------


@dataclass
class Shell:
    """Somebody who types `mati contacts import`."""

    office: Office
    file: Path

    def types(self, content: str | bytes, *options: str) -> Result:
        self.file.write_bytes(content.encode() if isinstance(content, str) else content)
        return CliRunner().invoke(cli, ["contacts", "import", str(self.file), *options])


@pytest.fixture
def shell(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("DATA_DIR", str(office.at.settings.data_dir))
    monkeypatch.setenv("DATABASE_URL", office.at.settings.database_url)
    return Shell(office, tmp_path / "list.csv")


class TestTheCommand:
    def test_says_what_would_happen_then_does_it_then_has_nothing_to_do(self, shell: Shell) -> None:
        content = f"number,name,group,Remark\n{SREY},Srey,CBO,x\n{SREY},,,\n{BORA},,,\n{CHAN},,,\n"
        options = ("--consent", "Forum Ta Phou 12 March", "--group", "March")
        shell.office.stops(CHAN)
        told = (
            "2 new, 0 changed, 0 unchanged\nleft out, for they have asked for no more messages: 1\n"
            "lines joined with one above that has the same number: 1\nnew groups: CBO, March\n"
            "columns not used: 'Remark'\n"
        )
        assert shell.types(content, *options, "--dry-run").output == told + "dry run: nothing was changed\n"
        assert shell.office.known() == {}
        assert shell.types(content, *options).output == told
        assert shell.office.known()[BORA]["consent"] == "Forum Ta Phou 12 March"
        assert shell.types(content, *options).output.startswith("0 new, 0 changed, 2 unchanged\n")

    @on_one_database
    def test_takes_in_the_networks_list_of_institutions(self, shell: Shell) -> None:
        lines = "".join(f"Institution {n},Street {n},010 000 0{n:02}\n" for n in range(66))
        output = shell.types(f"Name,Address,Number\n{lines}", "--role", "institution", "--group", "NPDP").output
        assert output == "66 new, 0 changed, 0 unchanged\nnew groups: NPDP\n"
        assert {one["role"] for one in shell.office.known().values()} == {"institution"}

    @on_one_database
    def test_refuses_in_one_piece_with_what_to_mend(self, shell: Shell) -> None:
        result = shell.types(f"number,name\n8.55E+10,\n{SREY},=x\n", "--role", "institution")
        assert isinstance(result.exception, Told)
        assert str(result.exception).splitlines() == [
            "line 2, number: a spreadsheet rounded this number and its digits are gone; format the column as text, "
            "then type it again",
            "line 3, name: begins with =, and a spreadsheet would take it for a formula; write it without",
            "nothing was imported",
        ]

    @on_one_database
    @pytest.mark.parametrize("option", [("--group", "=x"), ("--consent", "+x"), ("--role", "boss")])
    def test_refuses_wrong_options_as_usage(self, shell: Shell, option: tuple[str, str]) -> None:
        assert shell.types(f"number\n{SREY}\n", *option).exit_code == 2
        assert shell.office.known() == {}


# many ---------------------------------------------------------------------------------------------


def test_ten_thousand_lines_are_taken_in_within_seconds(office: Office) -> None:
    """A tenth of what `mati contacts import` is measured with: 100,000 lines, 15 seconds at most."""
    lines = [
        (f"0{10 + n % 3} {n:06}", {"name": f"ឈ្មោះ {n}", "commune": "តាផូ", "group": f"g{n % 5}", "consent": "x"})
        for n in range(10_000)
    ]
    began = time.monotonic()
    assert counts(office.takes_in(as_csv(lines))) == (10_000, 0, 0, 0)
    assert counts(office.takes_in(as_csv(lines))) == (0, 0, 10_000, 0)
    took = time.monotonic() - began
    assert took < 15, f"twice 10,000 lines took {took:.1f} s"
