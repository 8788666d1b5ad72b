"""Places in the panel: which communes take part under which number, and a file of places."""

# ruff: noqa: F811 -- fixtures are asked for by their names

from __future__ import annotations

import io
import re

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from gateway import communes
from gateway.models.editions import newest, read_edition
from gateway.models.places import communes as table
from gateway.models.places import places
from tests.conftest import COMMUNES, Installation
from tests.test_panel import Browser, add, app, browser, panel, text  # noqa: F401

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HEADER = "code,level,unit,name_km,name_en\n"
PURSAT = """\
15,province,Province,ពោធិ៍សាត់,Pursat
1501,district,District,បាកាន,Bakan
150101,commune,Commune,បឹងបត់កណ្ដាល,Boeng Bat Kandaol
150102,commune,Commune,បឹងខ្នារ,Boeng Khnar
15010101,village,Village,ពោធិ៍ធំ,Pou Thum
"""


@pytest.fixture
def admin(app: Flask, installation: Installation) -> Browser:
    """An admin, reading English."""
    add(installation, "boss", "admin")
    browser = Browser(app.test_client())
    assert browser.log_in("boss", page="/admin/login?lang=en").status_code == 302
    return browser


def bring(browser: Browser, content: str | bytes, *, join: bool = False, name: str = "places.csv") -> TestResponse:
    page = browser.get("/admin/places/import").text
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)
    assert token
    data = content.encode() if isinstance(content, str) else content
    fields = {"csrf_token": token[1], "file": (io.BytesIO(data), name)} | ({"join": "yes"} if join else {})
    return browser.client.post("/admin/places/import", data=fields, content_type="multipart/form-data")


def take_in(browser: Browser, content: str, *, join: bool = False) -> str:
    look = bring(browser, content, join=join).headers["Location"]
    return text(browser.client.get(browser.send(look).headers["Location"]))


def members(at: Installation) -> dict[str, tuple[int, bool]]:
    with at.store.read() as db:
        return {row.code: (row.number, row.active) for row in db.execute(select(table))}


def on_menus(at: Installation) -> list[str]:
    """The communes that menus show from now on."""
    with at.store.read() as db:
        return [row[0] for row in read_edition(db, newest(db))["communes"]]


def rows(page: str) -> list[str]:
    """The lines of the list."""
    return re.findall(r"\d{6} .*?(?:Takes part|Takes no part|Switched off)(?: round open)?", page)


def test_the_programmes_communes_stand_there_by_their_numbers(admin: Browser, installation: Installation) -> None:
    installation.open_round(TREAS)
    page = admin.read("/admin/places")
    assert rows(page) == [
        "010303 Phnum Srok, Banteay Meanchey 6 Takes part",
        "010407 Preah Netr Preah, Banteay Meanchey 6 Takes part",
        "010806 Svay Chek, Banteay Meanchey 11 Takes part",
        "010807 Svay Chek, Banteay Meanchey 9 Takes part round open",
    ]
    one = admin.read(f"/admin/places/{TA_PHOU}")
    assert "Number 3 State Takes part In Khmer តាផូ In Latin letters Ta Phou District Svay Chek" in one
    assert "Villages (11) Ta Phou 01080601 Pongro 01080602" in one


@on_one_database
@pytest.mark.parametrize("path", ["999999", "0108", "01080601", "x", "%00"])
def test_what_is_no_commune_is_not_there(admin: Browser, path: str) -> None:
    assert admin.get(f"/admin/places/{path}").status_code == 404
    for deed in ("join", "switch"):
        assert admin.send("/admin/places/010806", f"/admin/places/{path}/{deed}").status_code == 404


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("boeng", ["150101", "150102"]),
        ("KANDAOL", ["150101"]),
        ("បឹងបត់កណ្ដាល", ["150101"]),
        ("បឹងបត់កណ្តាល", ["150101"]),  # coeng TA for coeng DA: they look alike
        ("កណ្តាល", ["150101"]),
        ("1501", ["150101", "150102"]),
        ("១៥០១០២", ["150102"]),
        ("15", ["150101", "150102"]),
        ("ta", ["010806"]),
        ("ea", ["010407", "010807"]),
        ("Battambang", []),
        ("%", []),
        ("99", []),
    ],
)
def test_a_commune_is_found_by_a_part_of_its_name_or_the_beginning_of_its_code(
    admin: Browser, wanted: str, found: list[str]
) -> None:
    take_in(admin, HEADER + PURSAT)
    page = admin.client.get("/admin/places", query_string={"find": wanted})
    assert [row[:6] for row in rows(text(page))] == found
    assert ("No commune of this name or code is known" in text(page)) is (not found)


def test_a_commune_takes_part_under_the_next_number_and_menus_show_it(
    admin: Browser, installation: Installation
) -> None:
    take_in(admin, HEADER + PURSAT)
    assert members(installation).keys() == set(COMMUNES)
    found = admin.get("/admin/places?find=150102").text
    assert "Let it take part" in found
    for _ in range(2):  # a double click
        answer = admin.send("/admin/places?find=150102", "/admin/places/150102/join")
        assert answer.headers["Location"] == "/admin/places/150102"
    assert members(installation)["150102"] == (5, True)
    assert "150101" not in members(installation)
    assert on_menus(installation) == [*COMMUNES, "150102"]
    assert "Number 5 State Takes part" in admin.read("/admin/places/150102")


def test_a_number_never_changes_and_is_never_given_again(admin: Browser, installation: Installation) -> None:
    take_in(admin, HEADER + PURSAT)
    admin.send("/admin/places/150101", "/admin/places/150101/join")
    admin.send("/admin/places/150101", "/admin/places/150101/switch", on="")
    assert members(installation)["150101"] == (5, False)
    assert on_menus(installation) == list(COMMUNES)
    assert "150101 Bakan, Pursat 1 Switched off" in rows(admin.read("/admin/places"))
    admin.send("/admin/places/150102", "/admin/places/150102/join")
    assert members(installation)["150102"] == (6, True)
    admin.send("/admin/places/150101", "/admin/places/150101/switch", on="yes")
    assert members(installation)["150101"] == (5, True)
    assert on_menus(installation) == [*COMMUNES, "150101", "150102"]


def test_while_a_round_is_open_a_commune_is_not_switched_off(admin: Browser, installation: Installation) -> None:
    round_id = installation.open_round(TREAS)
    page = admin.get(f"/admin/places/{TREAS}").text
    assert "Switch off" not in page
    assert "cannot be switched off: its posters are in use" in page
    answer = admin.send(f"/admin/places/{TREAS}", f"/admin/places/{TREAS}/switch", on="")
    assert "A round is open there. Close it first" in admin.read(answer.headers["Location"])
    assert members(installation)[TREAS] == (4, True)
    installation.close_round(round_id)
    admin.send(f"/admin/places/{TREAS}", f"/admin/places/{TREAS}/switch", on="")
    assert members(installation)[TREAS] == (4, False)
    assert on_menus(installation) == [PONLEY, TEAN_KAM, TA_PHOU]


# a file -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("join", [False, True])
def test_a_file_is_looked_at_first_and_taken_in_then(admin: Browser, installation: Installation, join: bool) -> None:
    changed = "010806,commune,Commune,តាផូ,Ta Pho\n010807,commune,Commune,ទ្រាស,Treas\n"
    answer = bring(admin, HEADER + changed + PURSAT, join=join)
    look = answer.headers["Location"]
    page = admin.read(look)
    told = "2" if join else "none: they can be let in one by one"
    assert f"New 5 Changed 1 Unchanged 1 Communes that will take part {told}" in page
    assert "010806 commune តាផូ Ta Pho changed 15 province ពោធិ៍សាត់ Pursat new" in page
    assert "No commune of this name or code" in admin.read("/admin/places?find=150101")  # nothing was taken in yet
    done = text(admin.client.get(admin.send(look).headers["Location"]))
    assert f"Taken in: 6 places new or changed, {2 if join else 0} communes take part from now on." in done
    assert ("150101" in members(installation)) is join
    assert on_menus(installation) == [*COMMUNES, *(["150101", "150102"] if join else [])]
    with installation.store.read() as db:
        assert db.scalar(select(places.c.name_en).where(places.c.code == TA_PHOU)) == "Ta Pho"
        assert read_edition(db, newest(db))["communes"][2][3] == "Ta Pho"
    again = admin.client.get(admin.send(f"/admin/places/{TA_PHOU}", look).headers["Location"])
    assert "taken in already, or waited too long" in text(again)


@on_one_database
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "The file is empty. It needs the columns code, level, unit, name_km, name_en."),
        ("code,level\n15,province\n", "Columns that are missing: unit, name_km, name_en."),
        (b"PK\x03\x04 a workbook", "This is a workbook."),
        (b"\xff\xfa\x00", "This is no text in UTF-8."),
        (f"{HEADER}1,province,Province,x,y\n", "2 code '1' A code has 2, 4, 6 or 8 digits"),
        (f"{HEADER}15,commune,Commune,x,y\n", "2 level 'commune' A code of 2 digits is a province."),
        (f"{HEADER}150101,commune,Commune,x,y\n", "2 code '150101' 1501, in which it lies, is not known"),
        (f"{HEADER}15,province,Province,x,y\n15,province,Province,x,y\n", "3 code '15' It stands on line 2 too."),
        (f"{HEADER}15,province,Province,,y\n", "2 name_km This is missing."),
        (f"{HEADER}15,province,Province,x\n", "2 name_en The line ends before this column."),
    ],
)
def test_a_file_that_will_not_do_says_what_is_wrong_where_and_changes_nothing(
    admin: Browser, installation: Installation, content: str | bytes, says: str
) -> None:
    with installation.store.read() as db:
        before = db.execute(select(places)).all()
    answer = bring(admin, content, join=True)
    assert answer.status_code == 422
    assert says in text(answer)
    assert 'value="yes" checked' in answer.text  # what was ticked is kept
    with installation.store.read() as db:
        assert db.execute(select(places)).all() == before


@on_one_database
def test_without_a_file_the_page_says_so(admin: Browser) -> None:
    answer = admin.send("/admin/places/import")
    assert answer.status_code == 422
    assert "Choose a file." in text(answer)


@on_one_database
def test_a_file_larger_than_ten_megabytes_is_refused(admin: Browser) -> None:
    assert bring(admin, b"x" * (11 * 1024 * 1024)).status_code == 413


@on_one_database
def test_a_file_of_contacts_is_none_of_places(admin: Browser) -> None:
    """Both wait in one place for the yes."""
    look = bring(admin, HEADER + PURSAT).headers["Location"]
    other = look.replace("/places/", "/contacts/")
    assert admin.get(other).headers["Location"] == "/admin/contacts/import"
    assert admin.get(look).status_code == 200


@on_one_database
def test_staff_look_and_only_an_admin_changes(panel: Browser, installation: Installation) -> None:
    page = panel.get("/admin/places").text
    assert "Bring a file" not in page
    assert "Switch off" not in panel.get(f"/admin/places/{TA_PHOU}").text
    assert panel.get("/admin/places/import").status_code == 403
    for deed in ("join", "switch"):
        assert panel.send(f"/admin/places/{TA_PHOU}", f"/admin/places/{TA_PHOU}/{deed}").status_code == 403
    assert members(installation)[TA_PHOU] == (3, True)


@on_one_database
def test_many_communes_come_in_pages_and_a_search_ends_at_fifty(admin: Browser, installation: Installation) -> None:
    lines = "".join(f"1501{n:02},commune,Commune,ឃុំ {n},Khum {n}\n" for n in range(1, 61))
    take_in(admin, HEADER + "15,province,Province,x,y\n1501,district,District,x,y\n" + lines, join=True)
    first, second = admin.read("/admin/places"), admin.read("/admin/places?page=2")
    assert (len(rows(first)), len(rows(second))) == (50, 14)
    assert admin.get("/admin/places?page=3").status_code == 404
    found = admin.read("/admin/places?find=khum")
    assert len(rows(found)) == communes.MOST
    assert "There may be more." in found


@on_one_database
def test_before_any_commune_takes_part_the_page_says_what_to_do(admin: Browser, installation: Installation) -> None:
    with installation.store.write() as db:
        db.execute(table.delete())
    assert "No commune takes part yet Find one above" in admin.read("/admin/places")
