"""Places from a CSV file: checked whole, then taken in whole or not at all."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from gateway.contacts.sheets import BadFile, Problem, Row, Sheet, read_bytes
from gateway.models.places import LEVELS, communes, join_programme, places
from gateway.models.store import insert
from gateway.text import western_digits

SHIPPED = Path(__file__).parent / "places.csv"
"""The four communes of DOMAIN.md with their province, districts and villages."""
COLUMNS = ("code", "level", "unit", "name_km", "name_en")
_CHUNK = 1000


class PlaceFlaw(enum.StrEnum):
    """What can be wrong with a file of places."""

    NO_COLUMNS = "no column {missing}; it needs {columns}"
    CODE = "takes 2, 4, 6 or 8 digits as text; did a spreadsheet eat a leading 0?"
    LEVEL = "a code of {digits} digits is a {level}"
    TWICE = "stands on line {line} too"
    NOWHERE = "{above}, which it lies in, is not known and not in the file"
    CUT = "the line ends before it"
    NAMELESS = "is empty"


@dataclass(frozen=True)
class Imported:
    """What an import did: places new or changed, and communes that joined the programme."""

    places: int
    joined: int


@dataclass(frozen=True)
class Plan:
    """What a file would do."""

    new: Sequence[dict[str, str]]
    """Places that are not known yet, in the order of the file."""
    changed: Sequence[dict[str, str]]
    """Places that are known, with what is to stand from now on."""
    same: int
    joining: Sequence[str]
    """The codes of its communes that have no part in the programme yet."""


def sheet(file: str, data: bytes) -> Sheet:
    """A file as a table. Raises BadFile."""
    read = Sheet(file, data, {name: (name,) for name in COLUMNS})
    missing = [name for name in COLUMNS if name not in read.headings]
    if missing:
        lacking = {"missing": ", ".join(missing), "columns": ", ".join(COLUMNS)}
        raise BadFile(Problem(PlaceFlaw.NO_COLUMNS, read.header, values=lacking), file=read.file)
    return read


def plan(db: Connection, table: Sheet) -> Plan:
    """What a file would do (`code,level,unit,name_km,name_en`). Raises BadFile.

    Codes are text of 2, 4, 6 or 8 digits, each level's a prefix of the next. An English name that is empty is the
    Khmer one: the national gazetteer has such a village.
    """
    columns = (places.c[name] for name in COLUMNS)
    known = {row.code: dict(row._mapping) for row in db.execute(select(*columns))}
    rows = _checked(list(table.rows()), set(known))
    members = set(db.scalars(select(communes.c.code)))
    return Plan(
        [row for row in rows if row["code"] not in known],
        [row for row in rows if row["code"] in known and known[row["code"]] != row],
        sum(known.get(row["code"]) == row for row in rows),
        sorted(row["code"] for row in rows if row["level"] == "commune" and row["code"] not in members),
    )


def take_in(db: Connection, table: Sheet, *, join: bool) -> Imported:
    """Takes in a file; `join`: its communes take part from now on, numbered in the order of their codes.

    Raises BadFile.
    """
    found = plan(db, table)
    rows = [*found.new, *found.changed]
    for start in range(0, len(rows), _CHUNK):
        statement = insert(places, db.dialect.name).values(rows[start : start + _CHUNK])
        changed = {name: statement.excluded[name] for name in COLUMNS[1:]}
        db.execute(statement.on_conflict_do_update(index_elements=[places.c.code], set_=changed))
    return Imported(len(rows), join_programme(db, list(found.joining)) if join else 0)


def import_places(db: Connection, path: Path, *, join: bool) -> Imported:
    """The same with a file on disk."""
    return take_in(db, sheet(str(path), read_bytes(path)), join=join)


def _checked(rows: list[Row], known: set[str]) -> list[dict[str, str]]:
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    good: list[dict[str, str]] = []
    here = {western_digits((row.cells["code"] or "").strip()) for row in rows}

    def wrong(cell: str, flaw: PlaceFlaw, **values: str) -> None:
        problems.append(Problem(flaw, given.line, given.row, cell, values))

    for given in rows:
        row = {name: (given.cells[name] or "").strip() for name in COLUMNS}
        code = row["code"] = western_digits(row["code"])
        level = LEVELS.get(len(code)) if code.isascii() and code.isdigit() else None
        cell = f"code {code!r}"
        if level is None:
            wrong(cell, PlaceFlaw.CODE)
        elif row["level"].lower() != level:
            wrong(f"level {row['level']!r}", PlaceFlaw.LEVEL, digits=str(len(code)), level=level)
        elif code in seen:
            wrong(cell, PlaceFlaw.TWICE, line=str(seen[code]))
        elif len(code) > 2 and code[:-2] not in here and code[:-2] not in known:
            wrong(cell, PlaceFlaw.NOWHERE, above=code[:-2])
        elif cut := [name for name in COLUMNS if given.cells[name] is None]:
            wrong(cut[0], PlaceFlaw.CUT)
        elif not row["name_km"]:
            wrong("name_km", PlaceFlaw.NAMELESS)
        else:
            good.append(row | {"level": level, "name_en": row["name_en"] or row["name_km"]})
        seen.setdefault(code, given.line)
    if problems:
        raise BadFile(*problems)
    return good
