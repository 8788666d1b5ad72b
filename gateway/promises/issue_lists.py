"""A list of issues in a file: read, checked line by line. Nothing here changes the database."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from gateway.contacts.contacts import Refused as RefusedCell
from gateway.contacts.lists import Communes
from gateway.contacts.sheets import BadFile, Problem, Row, Sheet, shown
from gateway.contacts.sheets import Flaw as FileFlaw
from gateway.models.concerns import Solved
from gateway.promises.issues import Issue, Refused, checked, values_of
from gateway.text import fold, western_digits

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "raised_by": ("group", "raised by", "cbo", "ក្រុម", "លើកដោយ"),
    "commune": ("commune", "commune code", "sangkat", "khum", "ឃុំ", "សង្កាត់", "លេខកូដឃុំ"),
    "subject": ("subject", "issue", "concern", "បញ្ហា", "ប្រធានបទ"),
    "to_whom": ("to whom", "raised with", "authority", "ជូនអ្នកណា", "អាជ្ញាធរ"),
    "since": ("since", "raised on", "raised", "date", "ចាប់ពី", "ថ្ងៃលើក", "ថ្ងៃលើកឡើង"),
    "solved": ("state", "solved", "status", "ស្ថានភាព", "ដោះស្រាយ"),
    "solved_on": ("state since", "solved on", "ស្ថានភាពចាប់ពី", "ថ្ងៃដោះស្រាយ"),
    "done": ("what was done", "done", "action", "បានធ្វើអ្វី"),
}
"""What a column may be called. Case, spaces and punctuation do not matter, and neither does the order."""
NEEDED = ("raised_by", "subject", "to_whom", "since")
STATES: Mapping[Solved, tuple[str, ...]] = {
    Solved.OPEN: ("", "open", "not solved", "unsolved", "មិនទាន់ដោះស្រាយ", "បើក"),
    Solved.PARTLY: ("partly", "partly solved", "partially solved", "partial", "ដោះស្រាយខ្លះ", "ដោះស្រាយមួយផ្នែក"),
    Solved.FULLY: ("fully", "fully solved", "solved", "full", "ដោះស្រាយទាំងស្រុង", "បានដោះស្រាយ"),
}
MOST = 2000
"""Issues of a file."""
_DAY = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})|(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")


class ListFlaw(enum.StrEnum):
    """What can be wrong with a list of issues beyond a single issue."""

    NO_COLUMNS = "there is no column {columns}"
    NO_LINES = "the file has a header and no line below it"
    TOO_MANY = "more than {most} issues; bring them in two files"
    STATE = "{cell} is no state; write open, partly or fully"
    DAY = "{cell} is no day; write it as 2023-05-31, or as 31/05/2023"
    TWICE = "line {line} is the same issue"


@dataclass(frozen=True)
class Reading:
    """A file as it was understood."""

    issues: tuple[Issue, ...]
    ignored: tuple[str, ...]
    """Headings that mean nothing here."""


def sheet(file: str, data: bytes) -> Sheet:
    """A file as a table. Raises BadFile."""
    found = Sheet(file, data, COLUMNS, [COLUMNS[name][0] for name in NEEDED])
    missing = [COLUMNS[name][0] for name in NEEDED if name not in found.headings]
    if missing:
        raise BadFile(Problem(ListFlaw.NO_COLUMNS, found.header, values={"columns": ", ".join(missing)}))
    return found


def read(db: Connection, sheet: Sheet, today: date) -> Reading:
    """Every line as an issue. Raises BadFile with a problem for each cell that is wrong."""
    communes = Communes(db)
    issues: list[Issue] = []
    problems: list[Problem] = []
    lines: dict[tuple[object, ...], int] = {}
    rows = list(sheet.rows())
    if not rows:
        raise BadFile(Problem(ListFlaw.NO_LINES))
    if len(rows) > MOST:
        raise BadFile(Problem(ListFlaw.TOO_MANY, values={"most": str(MOST)}))
    for row in rows:
        if row.overfull:
            problems.append(Problem(FileFlaw.OVERFULL, row.line, row.row))
            continue
        issue, wrong = _issue(row, sheet, communes)
        try:
            kept = checked(db, issue, today)
        except Refused as refused:
            told = {one.cell for one in wrong}
            names = {name: sheet.headings.get(name, COLUMNS[name][0]) for name in refused.flaws}
            wrong += [
                Problem(flaw, row.line, row.row, names[name], values_of(name, flaw))
                for name, flaw in refused.flaws.items()
                if names[name] not in told
            ]
        if wrong:
            problems += wrong
            continue
        same = (fold(kept.raised_by), fold(kept.subject), fold(kept.to_whom), kept.since, kept.commune)
        if same in lines:
            problems.append(Problem(ListFlaw.TWICE, row.line, row.row, values={"line": str(lines[same])}))
        lines.setdefault(same, row.line)
        issues.append(kept)
    if problems:
        raise BadFile(*problems)
    return Reading(tuple(issues), tuple(sheet.ignored))


def _issue(row: Row, sheet: Sheet, communes: Communes) -> tuple[Issue, list[Problem]]:
    """A line as it is, and what in it cannot be understood."""
    wrong: list[Problem] = []

    def cell(name: str) -> str:
        return (row.cells.get(name) or "").strip()

    def refuse(name: str, flaw: str, **values: str) -> None:
        wrong.append(Problem(flaw, row.line, row.row, sheet.headings[name], values))

    def day(name: str) -> date | None:
        found = day_in(cell(name))
        if found is None and cell(name):
            refuse(name, ListFlaw.DAY, cell=shown(cell(name)))
        return found

    commune = None
    if cell("commune"):
        try:
            commune = communes.find(cell("commune"))
        except RefusedCell as refused:
            refuse("commune", refused.flaw, **refused.values)
    solved = next((state for state, words in STATES.items() if fold(cell("solved")) in map(fold, words)), None)
    if solved is None:
        refuse("solved", ListFlaw.STATE, cell=shown(cell("solved")))
    since, solved_on = day("since"), day("solved_on")
    texts = (cell("raised_by"), cell("subject"), cell("to_whom"))
    return Issue(*texts, since, commune, cell("done"), solved or Solved.OPEN, solved_on), wrong


def day_in(cell: str) -> date | None:
    """A day as a spreadsheet may write it, the year first or last; None where it is none."""
    found = _DAY.fullmatch(western_digits(cell))
    if found is None:
        return None
    year, month, day = (found[1], found[2], found[3]) if found[1] else (found[6], found[5], found[4])
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
