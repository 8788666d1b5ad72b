"""What a page of the tallies shows, as a sheet."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from admin.figures.tally_lines import name_of
from admin.wording import Wording
from gateway import spreadsheets
from gateway.menus.phrases import Words
from gateway.scorecard.breakdowns import Breakdown, By, Part, ServiceFigures
from gateway.scorecard.scopes import span_of
from gateway.scorecard.tallies import Change, Figures
from gateway.spreadsheets import Cell

_ = Words

HEAD = (
    _("Place"), _("Round"), _("From"), _("To"), _("Service"), _("Part"), _("Raters (n)"), _("Phones"), _("Female"),
    _("Aged 15–30"), "1", "2", "3", "4", "5", _("Mean"), _("Median"), _("Satisfied, %"), _("± points"),
    _("Change, points"), _("Change, ± points"),
)  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """What is on the page."""

    told: Breakdown
    by: By | None
    against: int | None
    """The number of the round that stands beside it."""
    today: date


def as_csv(shown: Shown, words: Wording) -> bytes:
    """A line a service, or a part of it."""
    return spreadsheets.as_csv([words(one) for one in HEAD], _rows(shown, words))


def as_xlsx(shown: Shown, words: Wording) -> bytes:
    """The same in one sheet."""
    out = io.BytesIO()
    with spreadsheets.workbook(out) as book:
        sheet = book.add_worksheet()
        sheet.set_column(0, len(HEAD), 11)
        sheet.set_column(4, 5, 26)
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, [words(one) for one in HEAD], book.add_format({"bold": True, "text_wrap": True}))
        for number, row in enumerate(_rows(shown, words), 1):
            sheet.write_row(number, 0, row)
    return out.getvalue()


KINDS: Mapping[str, tuple[str, Callable[[Shown, Wording], bytes]]] = {
    "csv": (spreadsheets.CSV, as_csv),
    "xlsx": (spreadsheets.XLSX, as_xlsx),
}
"""What there is, by the suffix of the file: its media type, and what makes it."""


def _rows(shown: Shown, words: Wording) -> Iterator[list[Cell]]:
    """A line a service, and one for each of its parts; two of each where two rounds stand beside each other."""
    told, scope = shown.told, shown.told.scope
    place = words(scope.name) if scope.name else words("All communes")
    numbers = {one.number for one in scope.rounds.values()}
    number: Cell = numbers.pop() if len(numbers) == 1 else ""
    for service, part in _parts(told):
        what: list[Cell] = [words(name_of(service)), "" if part is service else _called(part, shown.by, words)]
        if shown.against:
            days = _days(span_of(scope.before.values(), shown.today))
            yield [place, shown.against, *days, *what, *_figures(part.before, None, words)]
        its: Cell = int(part.key) if part.span else number
        days = _days(part.span or (told.first, told.last))
        yield [place, its, *days, *what, *_figures(part.figures, part.change, words)]


def _parts(told: Breakdown) -> Iterator[tuple[ServiceFigures, Part]]:
    for service in told.services:
        yield service, service
        for part in service.parts:
            yield service, part


def _called(part: Part, by: By | None, words: Wording) -> str:
    return part.key if by is By.WEEK else words(name_of(part, by))


def _days(span: tuple[date, date]) -> list[Cell]:
    return [day.isoformat() for day in span]


def _figures(figures: Figures | None, change: Change | None, words: Wording) -> list[Cell]:
    if figures is None:
        return [words("not shown")]
    return [
        figures.n, figures.numbers, figures.female, figures.young, *figures.counts, round(figures.mean, 2),
        figures.median, figures.percent, round(figures.margin * 100),
        *((change.points, change.margin) if change else ()),
    ]  # fmt: skip
