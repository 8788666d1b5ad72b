"""Places from a CSV file: checked whole, then taken in whole or not at all."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from gateway.errors import Told
from gateway.models.places import LEVELS, join_programme, places
from gateway.models.store import insert
from gateway.text import western_digits

SHIPPED = Path(__file__).parent / "places.csv"
"""The four communes of DOMAIN.md with their province, districts and villages."""
COLUMNS = ("code", "level", "unit", "name_km", "name_en")
MOST_PROBLEMS = 20
_CHUNK = 1000


class BadFile(Told):
    """A file cannot be taken in; each line names the row and the cell and says what is wrong. Nothing was changed."""


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


def _read(path: Path) -> list[dict[str, str | None]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}") from None
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: no UTF-8 text (byte {error.start}); save the file as CSV UTF-8") from None
    if not text.strip():
        raise BadFile(f"{path}: the file is empty; it needs the columns {', '.join(COLUMNS)}")
    first = text.splitlines()[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=first.count), restkey="more")
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise BadFile(f"{path}: line 1: no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
    try:
        return [{**row, "line": str(reader.line_num)} for row in reader]
    except csv.Error as error:
        raise BadFile(f"{path}: line {reader.line_num}: {error}; is a quotation mark left open?") from None


def _checked(rows: list[dict[str, str | None]], known: set[str]) -> list[dict[str, str]]:
    problems: list[str] = []
    seen: dict[str, str | None] = {}
    good: list[dict[str, str]] = []
    here = {western_digits((row["code"] or "").strip()) for row in rows}
    for given in rows:
        line = given["line"]
        row = {name: (given[name] or "").strip() for name in COLUMNS}
        code = row["code"] = western_digits(row["code"])
        level = LEVELS.get(len(code)) if code.isascii() and code.isdigit() else None
        if level is None:
            problems.append(
                f"line {line}, code {code!r}: takes 2, 4, 6 or 8 digits as text; did a spreadsheet eat a leading 0?"
            )
        elif row["level"].lower() != level:
            problems.append(f"line {line}, level {row['level']!r}: a code of {len(code)} digits is a {level}")
        elif code in seen:
            problems.append(f"line {line}, code {code!r}: stands on line {seen[code]} too")
        elif len(code) > 2 and code[:-2] not in here and code[:-2] not in known:
            problems.append(
                f"line {line}, code {code!r}: {code[:-2]}, which it lies in, is not known and not in the file"
            )
        elif cut := [name for name in COLUMNS if given[name] is None]:
            problems.append(f"line {line}, {cut[0]}: the line ends before it")
        elif not row["name_km"]:
            problems.append(f"line {line}, name_km: is empty")
        else:
            good.append(row | {"level": level, "name_en": row["name_en"] or row["name_km"]})
        seen.setdefault(code, line)
    if problems:
        more = len(problems) - MOST_PROBLEMS
        tail = [f"and {more} more"] if more > 0 else []
        raise BadFile("\n".join([*problems[:MOST_PROBLEMS], *tail, "nothing was imported"]))
    return good
