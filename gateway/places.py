"""Places from a CSV file: checked whole, then taken in whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from gateway.contacts.sheets import BadFile, Problem, Row, Sheet, read_bytes
from gateway.models.places import LEVELS, join_programme, places
from gateway.models.store import insert
from gateway.text import western_digits

SHIPPED = Path(__file__).parent / "places.csv"
"""The four communes of DOMAIN.md with their province, districts and villages."""
COLUMNS = ("code", "level", "unit", "name_km", "name_en")
_CHUNK = 1000


@dataclass(frozen=True)
class Imported:
    """What an import did: places new or changed, and communes that joined the programme."""

    places: int
    joined: int


def import_places(db: Connection, path: Path, *, join: bool) -> Imported:
    """Takes in a CSV file of places (`code,level,unit,name_km,name_en`); `join`: its communes take part from now on.

    Codes are text of 2, 4, 6 or 8 digits, each level's a prefix of the next. An English name that is empty is the
    Khmer one: the national gazetteer has such a village. Communes that join are numbered in the order of their
    codes. Raises BadFile.
    """
    columns = (places.c[name] for name in COLUMNS)
    known = {row.code: dict(row._mapping) for row in db.execute(select(*columns))}
    rows = _checked(_read(path), set(known))
    new = [row for row in rows if known.get(row["code"]) != row]
    for start in range(0, len(new), _CHUNK):
        statement = insert(places, db.dialect.name).values(new[start : start + _CHUNK])
        changed = {name: statement.excluded[name] for name in COLUMNS[1:]}
        db.execute(statement.on_conflict_do_update(index_elements=[places.c.code], set_=changed))
    found = sorted(row["code"] for row in rows if row["level"] == "commune")
    return Imported(len(new), join_programme(db, found) if join else 0)


def _read(path: Path) -> list[Row]:
    sheet = Sheet(str(path), read_bytes(path), {name: (name,) for name in COLUMNS})
    missing = [name for name in COLUMNS if name not in sheet.headings]
    if missing:
        lacking = f"no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}"
        raise BadFile(Problem(lacking, sheet.header), file=sheet.file)
    return list(sheet.rows())


def _checked(rows: list[Row], known: set[str]) -> list[dict[str, str]]:
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    good: list[dict[str, str]] = []
    here = {western_digits((row.cells["code"] or "").strip()) for row in rows}

    def wrong(cell: str, why: str) -> None:
        problems.append(Problem(why, given.line, given.row, cell))

    for given in rows:
        row = {name: (given.cells[name] or "").strip() for name in COLUMNS}
        code = row["code"] = western_digits(row["code"])
        level = LEVELS.get(len(code)) if code.isascii() and code.isdigit() else None
        cell = f"code {code!r}"
        if level is None:
            wrong(cell, "takes 2, 4, 6 or 8 digits as text; did a spreadsheet eat a leading 0?")
        elif row["level"].lower() != level:
            wrong(f"level {row['level']!r}", f"a code of {len(code)} digits is a {level}")
        elif code in seen:
            wrong(cell, f"stands on line {seen[code]} too")
        elif len(code) > 2 and code[:-2] not in here and code[:-2] not in known:
            wrong(cell, f"{code[:-2]}, which it lies in, is not known and not in the file")
        elif cut := [name for name in COLUMNS if given.cells[name] is None]:
            wrong(cut[0], "the line ends before it")
        elif not row["name_km"]:
            wrong("name_km", "is empty")
        else:
            good.append(row | {"level": level, "name_en": row["name_en"] or row["name_km"]})
        seen.setdefault(code, given.line)
    if problems:
        raise BadFile(*problems)
    return good
