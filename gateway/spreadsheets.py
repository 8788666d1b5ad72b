"""Tables as files for spreadsheets: CSV and XLSX. A cell with text is text, and never becomes a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xlsxwriter

Cell = str | int | float
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Lines below their headings; UTF-8 with its mark, so that spreadsheets read Khmer."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def workbook(out: io.BytesIO) -> xlsxwriter.Workbook:
    """A workbook to fill in a `with` block; what looks like a formula, a link or a number in it is text."""
    import xlsxwriter  # 2 MB, which a web server does without until somebody wants a workbook

    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    return xlsxwriter.Workbook(out, options)


def harmless(cell: Cell) -> Cell:
    """A text that a spreadsheet would take for a formula, quoted; a number stays one."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
