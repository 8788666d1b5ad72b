"""The report as a file of any kind, by its suffix; for spreadsheets the same figures as on the page.

A cell with text is text: a name that begins with = + - @ becomes no formula in whatever opens the file.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gateway import spreadsheets
from gateway.config import Language
from gateway.menus.phrases import Phrase
from gateway.menus.rating import SCORES
from gateway.menus.wording import render
from gateway.scorecard import report_after, report_words
from gateway.scorecard.report import Report
from gateway.scorecard.report_page import compare, page, pdf, shares
from gateway.scorecard.tallies import Change, Figures
from gateway.spreadsheets import Cell

if TYPE_CHECKING:
    import xlsxwriter

_COMMON = ("file_code", "commune", "file_round", "file_from", "file_to", "file_number", "service", "question")
_FIGURES = (
    "respondents", "numbers", "female", "young", "mean", "median", "file_satisfied", "file_margin", "change",
    "file_change_margin",
)  # fmt: skip
_PROMISED = ("file_code", "commune", "activity", "responsible", "due", "cost", "standing")
_SCORE = ("score", "count", "file_share")


@dataclass(frozen=True)
class Line:
    """One question in one commune, or in all of a group together."""

    code: str
    commune: Phrase | None
    """None: all communes together."""
    number: int
    service: Phrase
    question: Phrase | None
    """None: the service as a whole."""
    figures: Figures | None
    change: Change | None


def lines_of(report: Report) -> Iterator[Line]:
    """Service by service: as a whole, by commune in a group, then its extra questions."""
    results = report.results
    code, commune = next(iter(results.communes.items())) if len(results.communes) == 1 else ("", None)
    for service in results.services:
        number, name = service.number, service.name
        yield Line(code, commune, number, name, None, service.figures, service.change)
        if service.by_commune is not None:
            for part, place in results.communes.items():
                now = service.by_commune.get(part)
                yield Line(part, place, number, name, None, now, compare(service, part))
        for question in service.indicators:
            yield Line(code, commune, number, name, question.text, question.figures, None)


def as_csv(report: Report, language: Language) -> bytes:
    """A line a score, each with the figures of its question; UTF-8 with its mark, as spreadsheets want it."""
    rows = (
        (*_common(report, line, language), *score, *_figures(line, language))
        for line in lines_of(report)
        for score in _scores(line)
    )
    return spreadsheets.as_csv(_head((*_COMMON, *_SCORE, *_FIGURES), language), rows)


def as_xlsx(report: Report, language: Language) -> bytes:
    """A line a question, a line a score, a line a promise, and what the words mean: a sheet each."""
    say = partial(render, language=language)
    out = io.BytesIO()
    with spreadsheets.workbook(out) as book:
        bold, wrap = book.add_format({"bold": True, "text_wrap": True}), book.add_format({"text_wrap": True})
        scores = [f"{label} {score}" for score in range(1, 6) for label in _head(("score",), language)]
        whole = [
            (*_common(report, line, language), *_figures(line, language), *_counts(line)) for line in lines_of(report)
        ]
        head = [*_head((*_COMMON, *_FIGURES), language), *scores]
        _sheet(book, bold, _label("file_figures", language), head, whole)
        long = [(*_common(report, line, language), *score) for line in lines_of(report) for score in _scores(line)]
        _sheet(book, bold, _label("file_scores", language), _head((*_COMMON, *_SCORE), language), long)
        if report.after.promises:
            _sheet(book, bold, _label("promises", language)[:31], _head(_PROMISED, language), _promised(report, say))
        notes = book.add_worksheet(_label("file_notes", language))
        notes.set_column(0, 0, 100)
        for row, note in enumerate((*report.points, *report_words.DEFINITIONS, *report.notes)):
            notes.write_string(row, 0, say(note), wrap)
    return out.getvalue()


def as_html(report: Report, language: Language) -> bytes:
    """The page."""
    return page(report, language).html.encode()


def as_pdf(report: Report, language: Language) -> bytes:
    """The page on A4. Raises NoPdf."""
    return pdf(page(report, language).html)


KINDS: Mapping[str, tuple[str, Callable[[Report, Language], bytes]]] = {
    ".html": ("text/html; charset=utf-8", as_html),
    ".pdf": ("application/pdf", as_pdf),
    ".csv": (spreadsheets.CSV, as_csv),
    ".xlsx": (spreadsheets.XLSX, as_xlsx),
}
"""What there is, by the suffix of the file: its media type, and what makes it."""


def _sheet(
    book: xlsxwriter.Workbook, bold: object, name: str, head: Sequence[str], rows: Sequence[Sequence[Cell]]
) -> None:
    sheet = book.add_worksheet(name)
    sheet.set_column(0, len(head), 12)
    sheet.set_column(1, 1, 20)
    sheet.set_column(6, 7, 28)
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, head, bold)
    for number, row in enumerate(rows, 1):
        sheet.write_row(number, 0, row)


def _common(report: Report, line: Line, language: Language) -> tuple[Cell, ...]:
    say = partial(render, language=language)
    return (
        line.code,
        say(line.commune) if line.commune else _label("file_all", language),
        report.results.number,
        report.results.first.isoformat(),
        report.last.isoformat(),
        line.number,
        say(line.service),
        say(line.question) if line.question else _label("file_overall", language),
    )


def _promised(report: Report, say: Callable[[Phrase], str]) -> list[tuple[Cell, ...]]:
    """A line a promise."""
    found: list[tuple[Cell, ...]] = []
    for one in report.after.promises:
        told = one.commitment
        found.append((
            told.commune, say(told.commune_name), say(told.label), told.responsible, told.due.isoformat(),
            say(told.price) if told.price else "", say(one.standing),
        ))  # fmt: skip
    return found


def _figures(line: Line, language: Language) -> tuple[Cell, ...]:
    shown = line.figures
    if shown is None:
        return (_label("hidden", language), *[""] * (len(_FIGURES) - 1))
    change: tuple[Cell, Cell] = (line.change.points, line.change.margin) if line.change else ("", "")
    return (
        shown.n, shown.numbers, shown.female, shown.young, round(shown.mean, 2), shown.median, shown.percent,
        report_words.margin(shown), *change,
    )  # fmt: skip


def _counts(line: Line) -> tuple[Cell, ...]:
    return line.figures.counts if line.figures else ("",) * len(SCORES)


def _scores(line: Line) -> Iterator[tuple[Cell, ...]]:
    """A line a score; of what is not shown one line without any."""
    if line.figures is None:
        yield ("", "", "")
        return
    for score, (count, share) in enumerate(zip(line.figures.counts, shares(line.figures), strict=True), 1):
        yield (score, count, share)


def _head(names: Sequence[str], language: Language) -> list[str]:
    return [_label(name, language) for name in names]


def _label(name: str, language: Language) -> str:
    return render({**report_words.LABELS, **report_after.LABELS}[name], language)
