"""The approved comments as a file: commune, month, service and text, and nothing else."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence

import xlsxwriter

from gateway.comments.comments import Approved
from gateway.menus.phrases import Phrase
from gateway.scorecard.report_files import harmless

Say = Callable[[Phrase], str]
"""Puts a phrase into the reader's language."""


def as_csv(told: Iterable[Approved], head: Sequence[Phrase], say: Say) -> bytes:
    """UTF-8 with its mark, so that spreadsheets read Khmer; no cell becomes a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([say(one) for one in head])
    writer.writerows([harmless(cell) for cell in _cells(one, say)] for one in told)
    return out.getvalue().encode("utf-8-sig")


def as_xlsx(told: Iterable[Approved], head: Sequence[Phrase], say: Say) -> bytes:
    """One sheet; every cell is text."""
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        sheet = book.add_worksheet()
        bold, wrap = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
        for column, width in enumerate((20, 10, 28, 90)):
            sheet.set_column(column, column, width)
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, [say(one) for one in head], bold)
        for row, one in enumerate(told, 1):
            for column, cell in enumerate(_cells(one, say)):
                sheet.write_string(row, column, cell, wrap)
    return out.getvalue()


KINDS: Mapping[str, tuple[str, Callable[[Iterable[Approved], Sequence[Phrase], Say], bytes]]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", as_xlsx),
}
"""By the suffix of the file: its media type, and what makes it."""


def _cells(one: Approved, say: Say) -> tuple[str, str, str, str]:
    return (
        say(one.place) if one.place else "",
        f"{one.month:%Y-%m}",
        say(one.about) if one.about else "",
        one.text,
    )
