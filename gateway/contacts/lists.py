"""Lists of contacts in a file: read, checked line by line, duplicates merged. Nothing here changes the database.

A list has one line a contact and needs one column, the number. What a cell may say is said once, in the tables below.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Connection, select

from gateway.config import Language, Settings
from gateway.contacts.contacts import ADDRESS, CONSENT, NAME, Refused, mobile, words
from gateway.contacts.groups import names_in
from gateway.contacts.sheets import BadFile, Problem, Row, Sheet, shown
from gateway.contacts.sheets import Flaw as FileFlaw
from gateway.models.contacts import Role
from gateway.models.places import places
from gateway.privacy import Keys
from gateway.text import fold, western_digits

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "number": ("number", "phone", "phone number", "telephone", "telephone number", "tel", "mobile", "mobile number",
               "mobile phone", "contact number", "លេខទូរស័ព្ទ", "លេខទូរសព្ទ", "ទូរស័ព្ទ", "ទូរសព្ទ", "លេខ"),
    "name": ("name", "full name", "institution", "organisation", "organization", "ឈ្មោះ", "នាម", "ឈ្មោះពេញ",
             "ឈ្មោះស្ថាប័ន", "ស្ថាប័ន", "អង្គការ"),
    "role": ("role", "តួនាទី"),
    "language": ("language", "lang", "ភាសា"),
    "commune": ("commune", "commune code", "sangkat", "khum", "ឃុំ", "សង្កាត់", "ឃុំ/សង្កាត់", "លេខកូដឃុំ", "កូដឃុំ"),
    "address": ("address", "អាសយដ្ឋាន", "ទីតាំង"),
    "groups": ("group", "groups", "ក្រុម"),
    "consent": ("consent", "agreed", "ការយល់ព្រម", "យល់ព្រម"),
}  # fmt: skip
"""What a column may be called. Case, spaces and punctuation do not matter, and neither does the order."""

ROLES: Mapping[Role, tuple[str, ...]] = {
    Role.PERSON: ("person", "people", "villager", "citizen", "បុគ្គល", "ប្រជាពលរដ្ឋ", "ពលរដ្ឋ", "អ្នកភូមិ"),
    Role.INSTITUTION: ("institution", "organisation", "organization", "ngo", "ស្ថាប័ន", "អង្គការ"),
    Role.COUNCILLOR: ("councillor", "councilor", "council", "commune council", "commune councillor", "ក្រុមប្រឹក្សា",
                      "ក្រុមប្រឹក្សាឃុំ", "សមាជិកក្រុមប្រឹក្សា", "សមាជិកក្រុមប្រឹក្សាឃុំ"),
}  # fmt: skip
SPOKEN: Mapping[Language, tuple[str, ...]] = {
    "km": ("km", "khmer", "ខ្មែរ", "ភាសាខ្មែរ"),
    "km-Latn": ("km-Latn", "abc", "khmer abc", "khmer latin", "latin"),
    "en": ("en", "english", "អង់គ្លេស", "ភាសាអង់គ្លេស"),
}

_UNITS = ("ឃុំ", "សង្កាត់", "khum", "sangkat", "commune")
_MOST_CODES = 5
_TELL_EVERY = 5000


class ListFlaw(enum.StrEnum):
    """What can be wrong with a list beyond a single cell of a contact."""

    NO_NUMBERS = "no column for the numbers; head it: number, or លេខទូរស័ព្ទ. Is the first line the header?"
    NO_LINES = "the file has a header and no line below it"
    ROLE = "{cell} is no role; write person, institution or councillor"
    LANGUAGE = "{cell} is no language; write km, km-Latn (Khmer in Latin letters) or en"
    COMMUNE = "{cell} is no commune that is known here; write its code of 6 digits or its name"
    COMMUNES = "{cell} is the name of several communes; write one of the codes {codes}"
    ANOTHER = "line {line} has the same number and says something else here; keep what is right"
    NO_CONSENTS = (
        "no consent is noted, and {n} of them are new people; write for each of them in a column consent, or once for "
        "the whole file, where and when they agreed to get messages"
    )


@dataclass(frozen=True)
class Wholesale:
    """What is said once for every line of a file; a line's own cell goes before it."""

    role: Role | None = None
    consent: str = ""
    groups: frozenset[str] = frozenset()
    """Everybody is in these too."""

    @classmethod
    def of(cls, role: str | None, consent: str, group: str) -> Wholesale:
        """From what was typed. Raises Refused."""
        return cls(Role(role) if role else None, words(consent, CONSENT), names_in(group))


@dataclass(slots=True)
class Entry:
    """A contact as the file has it. What it does not say is empty or None."""

    number: str
    phone: bytes
    line: int
    row: int
    role: Role | None
    language: Language | None
    commune: str | None
    name: str
    address: str
    consent: str
    groups: frozenset[str]
    lines: dict[str, int] = field(default_factory=dict)
    """Where what was merged into it stands, by column."""


@dataclass
class Reading:
    """A file as it was understood."""

    sheet: Sheet
    entries: list[Entry]
    problems: list[Problem]
    merged: int
    """Lines whose number stood further up already."""


class Communes:
    """The communes known here, by code and by name in either script."""

    def __init__(self, db: Connection) -> None:
        self._names: dict[str, set[str]] = {}
        self._codes = set[str]()
        rows = db.execute(select(places.c.code, places.c.name_km, places.c.name_en).where(places.c.level == "commune"))
        for code, *names in rows:
            self._codes.add(code)
            for name in names:
                self._names.setdefault(_closed(name), set()).add(code)

    def find(self, cell: str) -> str:
        """The code of the commune that a cell names. Raises Refused."""
        code = western_digits("".join(cell.split()))
        if code.isascii() and code.isdigit():
            code = code.zfill(6)  # what a spreadsheet leaves of 010806
            if code in self._codes:
                return code
            raise Refused(ListFlaw.COMMUNE, cell=shown(cell))
        name = _closed(cell)
        found = self._names.get(name) or self._names.get(_without_unit(name), set())
        if not found:
            raise Refused(ListFlaw.COMMUNE, cell=shown(cell))
        if len(found) > 1:
            codes = sorted(found)
            more = f" (+{len(codes) - _MOST_CODES})" if len(codes) > _MOST_CODES else ""
            raise Refused(ListFlaw.COMMUNES, cell=shown(cell), codes=", ".join(codes[:_MOST_CODES]) + more)
        (code,) = found
        return code


def sheet(file: str, data: bytes) -> Sheet:
    """A file as a table. Raises BadFile."""
    return Sheet(file, data, COLUMNS, ("number",))


def read(
    sheet: Sheet,
    communes: Communes,
    keys: Keys,
    settings: Settings,
    wholesale: Wholesale,
    tell: Callable[[int, bool], object] = lambda _lines, _last: None,
) -> Reading:
    """Every line understood, or a problem for each cell that is not. Raises BadFile when it is no list at all.

    The same number twice is one contact when both lines say the same, or complete each other; where they
    contradict each other, both are named. `tell` hears now and then how many lines are done, and whether they
    were the last.
    """
    if "number" not in sheet.headings:
        raise BadFile(Problem(ListFlaw.NO_NUMBERS, sheet.header), file=sheet.file)
    by_number: dict[str, Entry] = {}
    problems: list[Problem] = []
    understand = _reader(communes, settings)
    count = merged = 0
    for count, row in enumerate(sheet.rows(), 1):
        said: dict[str, object] = {}
        if row.overfull:
            problems.append(Problem(FileFlaw.OVERFULL, row.line, row.row))
            continue  # its cells may stand under the wrong headings
        for column, heading in sheet.headings.items():
            try:
                said[column] = understand[column](row.cells[column] or "")
            except Refused as refusal:
                problems.append(_problem(refusal, row, heading))
        number = cast(str | None, said.get("number"))
        if number is None:
            continue
        entry = _entry(number, keys, row, said, wholesale)
        first = by_number.setdefault(number, entry)
        if first is not entry:
            merged += 1
            problems.extend(_merge(first, entry, sheet))
        if count % _TELL_EVERY == 0:
            tell(count, False)
    if not count:
        raise BadFile(Problem(ListFlaw.NO_LINES), file=sheet.file)
    tell(count, True)
    return Reading(sheet, list(by_number.values()), problems, merged)


def _reader(communes: Communes, settings: Settings) -> Mapping[str, Callable[[str], object]]:
    """What understands the cells of each column."""
    roles = {fold(word): role for role, names in ROLES.items() for word in names}
    languages = {fold(word): language for language, names in SPOKEN.items() for word in names}

    def role(cell: str) -> Role | None:
        found = roles.get(fold(cell))
        if cell.strip() and found is None:
            raise Refused(ListFlaw.ROLE, cell=shown(cell))
        return found

    def language(cell: str) -> Language | None:
        found = languages.get(fold(cell))
        if cell.strip() and found is None:
            raise Refused(ListFlaw.LANGUAGE, cell=shown(cell))
        return found

    return {
        "number": lambda cell: mobile(cell, settings),
        "name": lambda cell: words(cell, NAME),
        "address": lambda cell: words(cell, ADDRESS),
        # in these the same is said on many lines
        "consent": _once(lambda cell: words(cell, CONSENT)),
        "groups": _once(names_in),
        "role": _once(role),
        "language": _once(language),
        "commune": _once(lambda cell: communes.find(cell) if cell.strip() else None),
    }


def _once(understand: Callable[[str], object]) -> Callable[[str], object]:
    return functools.lru_cache(maxsize=4096)(understand)


def _entry(number: str, keys: Keys, row: Row, said: Mapping[str, Any], wholesale: Wholesale) -> Entry:
    return Entry(
        number=number,
        phone=keys.lookup(number),
        line=row.line,
        row=row.row,
        role=said.get("role") or wholesale.role,
        language=said.get("language"),
        commune=said.get("commune"),
        name=said.get("name", ""),
        address=said.get("address", ""),
        consent=said.get("consent") or wholesale.consent,
        groups=said.get("groups", frozenset()) | wholesale.groups,
    )


def _merge(first: Entry, again: Entry, sheet: Sheet) -> Iterator[Problem]:
    """Puts what a later line says of the same number into the first; tells where the two contradict each other."""
    for column in ("name", "role", "language", "commune", "address"):
        before, after = getattr(first, column), getattr(again, column)
        if column == "role" and after is Role.PERSON:  # whoever is a councillor may have asked for reminders, too
            after = before or after
        if not after or (before and fold(before) == fold(after)):
            continue
        if not before or before is Role.PERSON:
            setattr(first, column, after)
            first.lines[column] = again.line
        else:
            values = {"line": str(first.lines.get(column, first.line))}
            yield Problem(ListFlaw.ANOTHER, again.line, again.row, sheet.headings.get(column, column), values)
    first.consent = first.consent or again.consent
    first.groups |= again.groups


def _problem(refusal: Refused, row: Row, heading: str) -> Problem:
    return Problem(refusal.flaw, row.line, row.row, heading, refusal.values)


def _closed(name: str) -> str:
    """A name to match by, without the spaces that people put differently."""
    return fold(name).replace(" ", "")


def _without_unit(name: str) -> str:
    for unit in _UNITS:
        if name.startswith(unit):
            return name.removeprefix(unit)
    return name.removesuffix("commune")
