"""Tables as spreadsheets save them: whatever separates the cells, told of by line and cell."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from gateway.contacts.sheets import MOST_PROBLEMS, BadFile, Flaw, Problem, Sheet, read_bytes, shown

COLUMNS = {"number": ("number", "phone number", "លេខទូរស័ព្ទ"), "name": ("name", "ឈ្មោះ")}
PLAIN = "number,name\n1,Sok\n2,Dara\n"
WAYS = {
    "as it should be": PLAIN.encode(),
    "with a BOM": codecs.BOM_UTF8 + PLAIN.encode(),
    "with semicolons": PLAIN.replace(",", ";").encode(),
    "with tabs": PLAIN.replace(",", "\t").encode(),
    "as UTF-16": PLAIN.encode("utf-16"),
    "as big-endian UTF-16 with tabs": codecs.BOM_UTF16_BE + PLAIN.replace(",", "\t").encode("utf-16-be"),
    "with Windows line ends": PLAIN.replace("\n", "\r\n").encode(),
    "with the line ends of old Macs": PLAIN.replace("\n", "\r").encode(),
    "without a last line end": PLAIN.rstrip().encode(),
    "with empty lines": PLAIN.replace("\n", "\n\n,\n").encode(),
    "with empty lines above the header": b"\n,,\n" + PLAIN.encode(),
    "with empty columns at the end": b"number,name,,\n1,Sok,,\n2,Dara,,\n",
    "with everything in quotation marks": b'"number","name"\n"1","Sok"\n"2","Dara"\n',
    "in another order": b"name,number\nSok,1\nDara,2\n",
    "in capitals": b" NUMBER , Name:\n1,Sok\n2,Dara\n",
    "in Khmer": "លេខទូរស័ព្ទ,ឈ្មោះ\n1,Sok\n2,Dara\n".encode(),
    "in Khmer, with spaces of no width": "លេខ\u200bទូរស័ព្ទ;\u200bឈ្មោះ\n1;Sok\n2;Dara\n".encode(),
    "with commas in a heading and semicolons between": b'"Remark, if any";number;name\nx;1;Sok\nx;2;Dara\n',
}


def cells(sheet: Sheet) -> list[tuple[str | None, str | None]]:
    return [(row.cells["number"], row.cells["name"]) for row in sheet.rows()]


@pytest.mark.parametrize("way", WAYS)
def test_tables_are_read_however_they_were_saved(way: str) -> None:
    assert cells(Sheet("list.csv", WAYS[way], COLUMNS)) == [("1", "Sok"), ("2", "Dara")]


def test_columns_go_by_what_they_are_called_in_the_file_and_others_are_named() -> None:
    sheet = Sheet("list.csv", "ឈ្មោះ,Remark,Phone number,012345678\nx,y,z,0\n".encode(), COLUMNS)
    assert sheet.headings == {"name": "ឈ្មោះ", "number": "Phone number"}
    assert sheet.ignored == ["'Remark'", "…"]


def test_lines_are_those_of_the_file_and_rows_those_of_the_spreadsheet() -> None:
    content = 'number,name\n1,Sok\n\n2,"two\nlines\nmore"\n3,Dara\n'
    places = [(row.line, row.row, row.cells["number"]) for row in Sheet("f", content.encode(), COLUMNS).rows()]
    assert places == [(2, 2, "1"), (4, 4, "2"), (7, 5, "3")]
    assert str(Problem("is wrong", 7, 5, "name")) == "line 7 (row 5), name: is wrong"
    assert str(Problem("is wrong", 4, 4)) == "line 4: is wrong"


def test_lines_that_end_early_or_late_say_so() -> None:
    short, long, fair = Sheet("f", b"number,name,\n1\n2,Dara,,x\n3,Bora,,\n", COLUMNS).rows()
    assert (short.cells, short.overfull) == ({"number": "1", "name": None}, False)
    assert (long.cells, long.overfull) == ({"number": "2", "name": "Dara"}, True)
    assert not fair.overfull


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "f: the file is empty; it needs the columns number, name"),
    "nothing but a BOM": (codecs.BOM_UTF8 + b"\r\n", "f: the file is empty"),
    "nothing but separators": (b",,\n,,\n", "f: the file is empty"),
    "an .xlsx": (b"PK\x03\x04\x14\x00", "f: a workbook (.xlsx, .xls or .ods) is no UTF-8 text"),
    "an .xls": (b"\xd0\xcf\x11\xe0\xa1\xb1", "f: a workbook"),
    "Latin-1": ("number,name\n1,José\n".encode("latin-1"), "f: no UTF-8 text (byte 17); save the file as CSV UTF-8"),
    "half a character of UTF-16": (codecs.BOM_UTF16_LE + b"n", "f: no UTF-8 text"),
    "UTF-16 without its mark": (PLAIN.encode("utf-16-le"), "f: line 1: a NUL character"),
    "a NUL": (b"number,name\n1,So\0k\n", "f: line 2: a NUL character"),
    "the same column twice": (
        b"number,name,Phone Number\n1,x,2\n",
        "f: line 1: two columns mean the same, 'number' and",
    ),
    "a quotation mark left open": (b'number,name\n1,Sok\n2,"Dara\n3,x\n', "f: line 3: the cells cannot be told apart"),
    "a quotation mark in the middle": (b'number,name\n1,"Sok" x\n', "f: line 2: the cells cannot be told apart"),
    "a cell of 10 MB": (b"number,name\n1,x\n2," + b"x" * 10_000_000, "f: line 3: the cells cannot be told apart"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_table_is_refused_with_its_reason(what: str) -> None:
    content, told = BAD[what]
    with pytest.raises(BadFile) as refusal:
        list(Sheet("f", content, COLUMNS).rows())
    assert str(refusal.value).startswith(told)
    assert "\n" not in str(refusal.value)


def test_a_line_of_ten_megabytes_is_one_line() -> None:
    (row,) = Sheet("f", b"number,name\n1,Sok" + b"," * 10_000_000, COLUMNS).rows()
    assert (row.cells["name"], row.overfull) == ("Sok", False)


def test_the_first_problems_are_told_and_the_rest_counted() -> None:
    told = str(BadFile(*(Problem("is wrong", line) for line in range(1, 31)))).splitlines()
    assert told[:2] == ["line 1: is wrong", "line 2: is wrong"]
    assert told[MOST_PROBLEMS:] == ["and 10 more", "nothing was imported"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"gone\.csv: No such file"):
        read_bytes(tmp_path / "gone.csv")


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("Ta Phou", "'Ta Phou'"), ("  a \n b ", "'a b'"), ("010806", "'010806'"), ("012345678", "…"),
        ("call ០១២ ៣៤៥ ៦៧៨", "…"), ("x" * 50, repr("x" * 39 + "…")),
    ],
)  # fmt: skip
def test_a_cell_is_repeated_only_where_it_is_no_phone_number(cell: str, told: str) -> None:
    assert shown(cell) == told


def test_braces_of_a_file_are_no_placeholders() -> None:
    problem = Problem(Flaw.TWO_COLUMNS, 1, values={"first": "'{x}'", "second": "'{0}'"})
    assert str(problem) == "line 1: two columns mean the same, '{x}' and '{0}'; keep one"
    assert str(Problem("a {brace} stays", 2)) == "line 2: a {brace} stays"
