"""The approved comments as a file: commune, month, service and text, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence

from gateway import spreadsheets
from gateway.comments.comments import Approved
from gateway.menus.phrases import Phrase

Say = Callable[[Phrase], str]
"""Puts a phrase into the reader's language."""


def as_csv(told: Iterable[Approved], head: Sequence[Phrase], say: Say) -> bytes:
    """A line a comment."""
    return spreadsheets.as_csv([say(one) for one in head], (_cells(one, say) for one in told))


def as_xlsx(told: Iterable[Approved], head: Sequence[Phrase], say: Say) -> bytes:
    """One sheet; every cell is text."""
    out = io.BytesIO()
    with spreadsheets.workbook(out) as book:
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
    "csv": (spreadsheets.CSV, as_csv),
    "xlsx": (spreadsheets.XLSX, as_xlsx),
}
"""By the suffix of the file: its media type, and what makes it."""


def _cells(one: Approved, say: Say) -> tuple[str, str, str, str]:
    return (
        say(one.place) if one.place else "",
        f"{one.month:%Y-%m}",
        say(one.about) if one.about else "",
        one.text,
    )
