"""Tables that a spreadsheet saved as CSV: read whatever separates the cells, told of by line and cell.

What is wrong with a file is a list of problems, in sentences with values, so that the panel can say them in Khmer.
No problem repeats what may be a phone number.
"""

from __future__ import annotations

import csv
import enum
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import Told
from gateway.text import fold

MOST_PROBLEMS = 20
"""So many are told; the rest are counted."""
LONGEST_SHOWN = 40
_SEPARATORS = ",;\t"
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How .xlsx and .ods begin, and the older .xls."""
_MOST_DIGITS = 6
"""A commune's code has so many, a phone number more."""


class Flaw(enum.StrEnum):
    """What can be wrong with any file."""

    UNREADABLE = "{reason}"
    EMPTY = "the file is empty; it needs the columns {columns}"
    WORKBOOK = "a workbook (.xlsx, .xls or .ods) is no UTF-8 text; in the spreadsheet, save it as CSV UTF-8"
    NOT_TEXT = "no UTF-8 text (byte {byte}); save the file as CSV UTF-8"
    NUL = "a NUL character: the file is damaged, or UTF-16 without its mark; save it as CSV UTF-8"
    TWO_COLUMNS = "two columns mean the same, {first} and {second}; keep one"
    BROKEN = "the cells cannot be told apart from here on; is a quotation mark left open?"
    OVERFULL = "more cells than the header has; is there a comma in a cell without quotation marks around it?"


@dataclass(frozen=True)
class Problem:
    """What is wrong, and where: a line of the file, a row of the spreadsheet, a cell by its heading."""

    flaw: str
    line: int = 0
    """0: the file as a whole."""
    row: int = 0
    """0: the same as the line. A cell with line breaks makes lines of a file, but not rows of a spreadsheet."""
    cell: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        row = f" (row {self.row})" if self.row and self.row != self.line else ""
        where = ", ".join(part for part in (f"line {self.line}{row}" if self.line else "", self.cell) if part)
        said = self.flaw.format(**self.values) if self.values else str(self.flaw)
        return f"{where}: {said}" if where else said


class BadFile(Told):
    """A file cannot be taken in; each line names the row and the cell and says what is wrong. Nothing was changed."""

    def __init__(self, *problems: Problem, file: str = "") -> None:
        self.problems = problems
        """All of them; the message tells the first ones."""
        if file:
            super().__init__(f"{file}: {problems[0]}")
            return
        more = len(problems) - MOST_PROBLEMS
        tail = [f"and {more} more"] if more > 0 else []
        super().__init__("\n".join([*map(str, problems[:MOST_PROBLEMS]), *tail, "nothing was imported"]))


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: its first line in the file, its row in a spreadsheet, its cells by column."""

    line: int
    row: int
    cells: Mapping[str, str | None]
    """None: the line ends before it."""
    overfull: bool
    """It has a cell under no heading."""


class Sheet:
    """A table with its columns found by their headings, in any order."""

    def __init__(
        self, file: str, data: bytes, columns: Mapping[str, Sequence[str]], needed: Sequence[str] = ()
    ) -> None:
        """Raises BadFile. `columns`: what each may be called; case, spaces and punctuation do not matter.

        `needed`: those without which a file is of no use, for the message about an empty one; all, if not given.
        """
        self.file = file
        self.text = _decoded(file, data)
        """The file, whatever it was encoded in."""
        meanings = {fold(heading): column for column, headings in columns.items() for heading in headings}
        self._separator, self.header, names = self._find_header(meanings, ", ".join(needed or columns))
        found = [meanings.get(fold(name)) for name in names]
        self.headings: Mapping[str, str] = {}
        """What each column that was found is called in this file."""
        for name, column in zip(names, found, strict=True):
            if column in self.headings:
                both = {"first": shown(self.headings[column]), "second": shown(name)}
                raise BadFile(Problem(Flaw.TWO_COLUMNS, self.header, values=both), file=file)
            if column:
                self.headings[column] = name.strip()
        self.ignored = [shown(name) for name, column in zip(names, found, strict=True) if name.strip() and not column]
        """Headings that mean nothing here."""
        self._columns = [(place, column) for place, column in enumerate(found) if column]
        self._width = max((place for place, name in enumerate(names, 1) if name.strip()), default=0)

    def rows(self) -> Iterator[Row]:
        """The lines below the header, without the empty ones. Raises BadFile where the cells cannot be told apart."""
        for line, row, cells in self._records(self._separator):
            if line > self.header:
                yield Row(
                    line,
                    row,
                    {column: cells[place] if place < len(cells) else None for place, column in self._columns},
                    any(cell.strip() for cell in cells[self._width :]),
                )

    def _find_header(self, meanings: Mapping[str, str], needed: str) -> tuple[str, int, list[str]]:
        """The separator, the header's line, its cells: by the separator that finds the most columns."""
        found: list[tuple[int, int, str, int, list[str]]] = []
        broken: BadFile | None = None
        for separator in _SEPARATORS:
            try:
                line, _, names = next(self._records(separator), (0, 0, []))
            except BadFile as error:  # so it may be by the wrong separator
                broken = broken or error
            else:
                known = sum(fold(name) in meanings for name in names)
                found.append((known, len(names), separator, line, names))
        if not found:
            raise broken or AssertionError
        _, _, separator, line, names = max(found, key=lambda one: one[:2])
        if not any(map(fold, names)):
            raise BadFile(Problem(Flaw.EMPTY, values={"columns": needed}), file=self.file)
        return separator, line, names

    def _records(self, separator: str) -> Iterator[tuple[int, int, list[str]]]:
        """Line, row and cells of what is not empty."""
        # newline=None: line ends of Windows and of old Macs, too
        reader = csv.reader(io.StringIO(self.text, newline=None), delimiter=separator, strict=True)
        row, line = 0, 1
        try:
            for row, cells in enumerate(reader, 1):
                if any(map(str.strip, cells)):
                    yield line, row, cells
                line = reader.line_num + 1
        except csv.Error:
            raise BadFile(Problem(Flaw.BROKEN, line, row + 1), file=self.file) from None


def read_bytes(path: Path) -> bytes:
    """What is in a file. Raises BadFile."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadFile(Problem(Flaw.UNREADABLE, values={"reason": error.strerror or ""}), file=str(path)) from None


def shown(cell: str) -> str:
    """A cell as a problem may repeat it: short, and nothing that may be a phone number."""
    text = " ".join(cell.split())
    if len(re.findall(r"\d", text)) > _MOST_DIGITS:
        return "…"
    return repr(text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…")


def _decoded(file: str, data: bytes) -> str:
    if data.startswith(_WORKBOOKS):
        raise BadFile(Problem(Flaw.WORKBOOK), file=file)
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(Problem(Flaw.NOT_TEXT, values={"byte": str(error.start)}), file=file) from None
    if "\0" in text:
        raise BadFile(Problem(Flaw.NUL, text.count("\n", 0, text.index("\0")) + 1), file=file)
    return text
