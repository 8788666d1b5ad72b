"""Places from a CSV file, as spreadsheets save it: taken in whole, or not at all with a line per bad row."""

from __future__ import annotations

import codecs
import csv
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.contacts.sheets import MOST_PROBLEMS, BadFile
from gateway.models.editions import newest, publish, read_edition
from gateway.models.places import communes, places
from gateway.places import COLUMNS, SHIPPED, Imported, import_places
from tests.conftest import Installation

GAZETTEER = Path(__file__).parents[2] / "shared" / "data" / "gazetteer.csv"
HEADER = "code,level,unit,name_km,name_en"
PURSAT = """\
15,province,Province,ពោធិ៍សាត់,Pursat
1501,district,District,បាកាន,Bakan
150101,commune,Commune,បឹងបត់កណ្ដាល,Boeng Bat Kandaol
15010101,village,Village,ពោធិ៍ធំ,Pou Thum
"""
DOMAIN = {
    ("010303", "ពន្លៃ", "Ponley"): [
        "តាវង Ta Vong", "ពន្លៃ Ponley", "ស្វាយស Svay Sa", "ស្វាយខ្មៅ Svay Khmau", "គោគតាសុខ Kouk Ta Sokh",
        "ពោធិ៍រាំបុណ្យ Pou Roam Bon",
    ],
    ("010407", "ទានកាំ", "Tean Kam"): [
        "បន្ទាត់បោះ Bantoat Baoh", "ទានកាំលិច Tean Kam Lech", "ទានកាំជើង Tean Kam Cheung",
        "ទានកាំត្បូង Tean Kam Tboung", "អូរ Ou", "តាអ៊ុន Ta Un",
    ],
    ("010806", "តាផូ", "Ta Phou"): [
        "តាផូ Ta Phou", "ពង្រ Pongro", "តាស្រី Ta Srei", "ព្រេចកី Prech Kei", "គោកកី Kouk Kei", "ឃ្មាស់ Khmoas",
        "ថ្មី Thmei", "បារាយណ៍ Baray", "ផ្ចឹក Phchoek", "ព្រេចត្បូង Prech Tboung", "បន្ទាត់បោះ Bantoat Baoh",
    ],
    ("010807", "ទ្រាស", "Treas"): [
        "ពន្លៃថ្មី Ponley Thmei", "ចែង Chaeng", "ដូនណូយ Doun Nouy", "ប្រីយ៍ Prei", "ពន្លៃចាស់ Ponley Chas",
        "ទ្រាស Treas", "អំពិលព្រង់ Ampil Prong", "អូរកកោះ Ou Kakaoh", "តាវឹក Ta Voek",
    ],
}  # fmt: skip
"""DOMAIN.md, Places: the communes and their villages in order, suffix 01 onward."""

Known = dict[str, tuple[str, ...]]


@pytest.fixture
def here(installation: Installation, tmp_path: Path) -> Office:
    return Office(installation, tmp_path / "places.csv")


class Office:
    """Somebody with a file and the command to take it in."""

    def __init__(self, installation: Installation, path: Path) -> None:
        self.installation = installation
        self.path = path

    def takes_in(self, content: str | bytes | Path, *, join: bool = False) -> Imported:
        path = content if isinstance(content, Path) else self.path
        if not isinstance(content, Path):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        with self.installation.store.write() as db:
            return import_places(db, path, join=join)

    def is_told(self, content: str | bytes) -> list[str]:
        """What the refusal says, line by line; nothing may have changed."""
        before = self.known(), self.members()
        with pytest.raises(BadFile) as refusal:
            self.takes_in(content, join=True)
        assert (self.known(), self.members()) == before
        return str(refusal.value).splitlines()

    def forgets(self, province: str) -> None:
        with self.installation.store.write() as db:
            db.execute(places.delete().where(places.c.code.startswith(province)))

    def known(self) -> Known:
        with self.installation.store.read() as db:
            return {row.code: tuple(row)[1:] for row in db.execute(select(*(places.c[name] for name in COLUMNS)))}

    def members(self) -> list[tuple[int, str]]:
        with self.installation.store.read() as db:
            statement = select(communes.c.number, communes.c.code).order_by(communes.c.number)
            return [(row.number, row.code) for row in db.execute(statement)]


class TestShippedFile:
    def test_has_the_four_communes_and_their_villages_in_order(self, here: Office) -> None:
        known = here.known()
        for (code, km, en), villages in DOMAIN.items():
            assert known[code] == ("commune", "Commune", km, en)
            below = sorted(place for place in known if place.startswith(code) and len(place) == 8)
            assert below == [f"{code}{number:02}" for number in range(1, len(villages) + 1)]
            assert [" ".join(known[place][2:]) for place in below] == villages
            assert {known[place][:2] for place in below} == {("village", "Village")}
        assert sum(len(code) == 6 for code in known) == 4
        assert sum(len(code) == 8 for code in known) == 32

    def test_names_the_province_and_the_districts_above(self, here: Office) -> None:
        assert {code: place for code, place in here.known().items() if len(code) < 6} == {
            "01": ("province", "Province", "បន្ទាយមានជ័យ", "Banteay Meanchey"),
            "0103": ("district", "District", "ភ្នំស្រុក", "Phnum Srok"),
            "0104": ("district", "District", "ព្រះនេត្រព្រះ", "Preah Netr Preah"),
            "0108": ("district", "District", "ស្វាយចេក", "Svay Chek"),
        }

    def test_its_communes_have_the_numbers_of_the_posters(self, here: Office) -> None:
        assert here.members() == [(1, "010303"), (2, "010407"), (3, "010806"), (4, "010807")]

    def test_taking_it_in_again_changes_nothing(self, here: Office) -> None:
        before = here.known(), here.members()
        assert here.takes_in(SHIPPED, join=True) == Imported(places=0, joined=0)
        assert (here.known(), here.members()) == before
        with here.installation.store.write() as db:
            edition = newest(db)
            assert publish(db, here.installation.clock.now) == edition


TABLES = {
    "as it should be": f"{HEADER}\n{PURSAT}".encode(),
    "with a BOM": codecs.BOM_UTF8 + f"{HEADER}\n{PURSAT}".encode(),
    "with Windows line ends": f"{HEADER}\n{PURSAT}".replace("\n", "\r\n").encode(),
    "without a last line end": f"{HEADER}\n{PURSAT}".rstrip().encode(),
    "with semicolons": f"{HEADER}\n{PURSAT}".replace(",", ";").encode(),
    "with tabs": f"{HEADER}\n{PURSAT}".replace(",", "\t").encode(),
    "as UTF-16": f"{HEADER}\n{PURSAT}".encode("utf-16"),
    "as big-endian UTF-16": codecs.BOM_UTF16_BE + f"{HEADER}\n{PURSAT}".encode("utf-16-be"),
    "as Excel's Unicode text": codecs.BOM_UTF16_LE + f"{HEADER}\n{PURSAT}".replace(",", "\t").encode("utf-16-le"),
    "with quotation marks": "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in (HEADER, *PURSAT.splitlines())
    ).encode(),
    "with columns in another order and more of them": "\n".join(
        ",".join([*reversed(line.split(",")), "x"]) for line in (HEADER, *PURSAT.splitlines())
    ).encode(),
    "with blank lines and commas at the end": f"{HEADER}\n\n{PURSAT.replace('Pursat', 'Pursat,,')}\n\n".encode(),
    "with spaces around": f"{HEADER}\n{PURSAT}".replace("15,province", " 15 , province ").encode(),
    "with Khmer digits": f"{HEADER}\n{PURSAT}".translate(str.maketrans("0123456789", "០១២៣៤៥៦៧៨៩")).encode(),
    "with levels in capitals": f"{HEADER}\n{PURSAT}".replace("district", "District").encode(),
    "with villages before their commune": "\n".join([HEADER, *reversed(PURSAT.splitlines())]).encode(),
}


class TestGoodFiles:
    def test_are_taken_in_however_they_were_saved(self, here: Office) -> None:
        before = here.known()
        for way, content in TABLES.items():
            assert here.takes_in(content) == Imported(places=4, joined=0), way
            assert here.known() == before | {
                "15": ("province", "Province", "ពោធិ៍សាត់", "Pursat"),
                "1501": ("district", "District", "បាកាន", "Bakan"),
                "150101": ("commune", "Commune", "បឹងបត់កណ្ដាល", "Boeng Bat Kandaol"),
                "15010101": ("village", "Village", "ពោធិ៍ធំ", "Pou Thum"),
            }, way
            here.forgets("15")

    def test_twice_change_nothing(self, here: Office) -> None:
        assert here.takes_in(f"{HEADER}\n{PURSAT}", join=True) == Imported(places=4, joined=1)
        after = here.known(), here.members()
        assert here.takes_in(f"{HEADER}\n{PURSAT}", join=True) == Imported(places=0, joined=0)
        assert (here.known(), here.members()) == after

    def test_join_only_when_asked_and_are_numbered_on(self, here: Office) -> None:
        here.takes_in(f"{HEADER}\n{PURSAT}")
        assert len(here.members()) == 4
        more = "150102,commune,Commune,មេទឹក,Me Tuek\n010301,commune,Commune,ណាំតៅ,Nam Tau\n"
        assert here.takes_in(f"{HEADER}\n{PURSAT}{more}", join=True) == Imported(places=2, joined=3)
        assert here.members()[4:] == [(5, "010301"), (6, "150101"), (7, "150102")]

    def test_without_an_english_name_go_by_the_khmer_one(self, here: Office) -> None:
        here.takes_in(rows("15,province,Province,ពោធិ៍សាត់, "))
        assert here.known()["15"] == ("province", "Province", "ពោធិ៍សាត់", "ពោធិ៍សាត់")

    def test_may_lie_below_what_is_known_already(self, here: Office) -> None:
        assert here.takes_in(f"{HEADER}\n01030307,village,Village,ថ្មី,Thmei\n").places == 1

    def test_bring_a_new_name_to_the_menus(self, here: Office) -> None:
        assert here.takes_in(f"{HEADER}\n010303,commune,Commune,ពន្លៃ,Ponlei\n").places == 1
        with here.installation.store.write() as db:
            body = read_edition(db, publish(db, here.installation.clock.now))
        assert body["communes"][0] == ["010303", 1, "ពន្លៃ", "Ponlei", None]


def rows(*lines: str) -> str:
    return "\n".join([HEADER, *lines])


PROVINCE, DISTRICT = "15,province,Province,ពោធិ៍សាត់,Pursat", "1501,district,District,បាកាន,Bakan"
BAD_ROWS = {
    "a lost leading zero": (
        rows("1,province,Province,បន្ទាយមានជ័យ,Banteay Meanchey"),
        "line 2, code '1': takes 2, 4, 6 or 8 digits as text; did a spreadsheet eat a leading 0?",
    ),
    "a lost leading zero of a village": (
        rows(PROVINCE, "1030301,village,Village,តាវង,Ta Vong"),
        "line 3, code '1030301': takes 2, 4, 6 or 8 digits as text; did a spreadsheet eat a leading 0?",
    ),
    "a code as a spreadsheet rounds it": (
        rows("1.03E+07,village,Village,តាវង,Ta Vong"),
        "line 2, code '1.03E+07': takes 2, 4, 6 or 8 digits as text; did a spreadsheet eat a leading 0?",
    ),
    "no code": (rows(",province,Province,x,y"), "line 2, code '': takes 2, 4, 6 or 8 digits as text"),
    "a level of another length": (
        rows("15,commune,Commune,ពោធិ៍សាត់,Pursat"),
        "line 2, level 'commune': a code of 2 digits is a province",
    ),
    "an unknown parent": (
        rows(PROVINCE, "150101,commune,Commune,បឹងបត់កណ្ដាល,Boeng Bat Kandaol"),
        "line 3, code '150101': 1501, which it lies in, is not known and not in the file",
    ),
    "a duplicate": (rows(PROVINCE, DISTRICT, PROVINCE), "line 4, code '15': stands on line 2 too"),
    "an empty Khmer name": (rows("15,province,Province,,Pursat"), "line 2, name_km: is empty"),
    "a name of nothing but spaces": (rows("15,province,Province, ,Pursat"), "line 2, name_km: is empty"),
    "a line that ends early": (rows("15,province,Province,ពោធិ៍សាត់"), "line 2, name_en: the line ends before it"),
    "a line with a code alone": (rows("15,province"), "line 2, unit: the line ends before it"),
}
BAD_FILES: dict[str, tuple[str | bytes, str]] = {
    "an empty file": ("", "the file is empty; it needs the columns code, level, unit, name_km, name_en"),
    "a file of nothing but a BOM": (codecs.BOM_UTF8 + b"\r\n", "the file is empty"),
    "no header": (PURSAT, "line 1: no column code, level, unit, name_km, name_en"),
    "a header without a column": (
        "code,level,unit,name_km\n15,province,Province,x\n",
        "line 1: no column name_en; it needs code, level, unit, name_km, name_en",
    ),
    "no UTF-8 text": (
        f"{HEADER}\n15,province,Province,x,Prov\xe9\n".encode("latin-1"),
        "no UTF-8 text (byte 59); save the file as CSV UTF-8",
    ),
    "half a character of UTF-16": (codecs.BOM_UTF16_LE + b"c", "no UTF-8 text"),
    "a spreadsheet": (b"PK\x03\x04\x14\x00\x08\x08\xff\xfe", "no UTF-8 text"),
    "a quotation mark left open": (
        f'{HEADER}\n15,province,Province,"{"x" * 140_000}\n',
        "is a quotation mark left open?",
    ),
}


class TestBadFiles:
    def test_are_refused_with_a_line_per_bad_row(self, here: Office) -> None:
        for what, (content, line) in BAD_ROWS.items():
            told = here.is_told(content)
            assert len(told) == 2, what
            assert told[0].startswith(line), what
            assert told[1] == "nothing was imported", what

    def test_are_refused_as_a_whole(self, here: Office) -> None:
        for what, (content, line) in BAD_FILES.items():
            told = here.is_told(content)
            assert len(told) == 1, what
            assert told[0].startswith(f"{here.path}: "), what
            assert line in told[0], what

    def test_that_are_not_there_are_named(self, here: Office, tmp_path: Path) -> None:
        with pytest.raises(BadFile, match=r"elsewhere\.csv: No such file"):
            here.takes_in(tmp_path / "elsewhere.csv")

    def test_are_never_taken_in_by_half(self, here: Office) -> None:
        """The rows before the bad one are good: none of them comes in."""
        told = here.is_told(f"{HEADER}\n{PURSAT}16,province,Province,,\n")
        assert told == ["line 6, name_km: is empty", "nothing was imported"]
        assert "15" not in here.known()

    def test_with_many_bad_rows_tell_of_the_first_and_count_the_rest(self, here: Office) -> None:
        told = here.is_told(rows(*(f"{number},province,Province,x,y" for number in range(100, 150))))
        assert len(told) == MOST_PROBLEMS + 2
        assert told[0].startswith("line 2, code '100'")
        assert told[-2:] == [f"and {50 - MOST_PROBLEMS} more", "nothing was imported"]

    def test_leave_other_writes_of_the_transaction_alone(self, here: Office) -> None:
        here.path.write_text(rows("1,province,Province,x,y"))
        with here.installation.store.write() as db:
            with pytest.raises(BadFile):
                import_places(db, here.path, join=True)
            db.execute(places.insert().values(code="99", level="province", unit="Province", name_km="x", name_en="y"))
        assert "99" in here.known()


@pytest.mark.skipif(not GAZETTEER.exists(), reason=f"no gazetteer at ../{'/'.join(GAZETTEER.parts[-3:])}")
class TestGazetteer:
    def test_is_taken_in_whole_within_seconds(self, here: Office) -> None:
        before = len(here.known())
        began = time.monotonic()
        first = here.takes_in(GAZETTEER, join=True)
        took = time.monotonic() - began
        with GAZETTEER.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
        names = {
            row["code"]: (row["name_km"].strip(), row["name_en"].strip() or row["name_km"].strip()) for row in lines
        }
        assert here.known() == {row["code"]: (row["level"], row["unit"], *names[row["code"]]) for row in lines}
        assert first == Imported(places=len(lines) - before, joined=1652 - 4)
        assert [number for number, _code in here.members()] == list(range(1, 1653))
        assert here.takes_in(GAZETTEER, join=True) == Imported(0, 0)
        assert took < 20, f"{len(lines)} places took {took:.1f} s"
