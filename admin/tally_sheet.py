"""What a page of the tallies shows, as a sheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from admin.tally_lines import name_of
from admin.wording import Wording
from gateway.menus.phrases import Words
from gateway.scorecard.breakdowns import Breakdown, By, Part, ServiceFigures

_ = Words

HEAD = (
    _("Place"), _("From"), _("To"), _("Service"), _("Part"), _("Raters (n)"), _("Phones"), _("Female"), _("Aged 15–30"),
    "1", "2", "3", "4", "5", _("Mean"), _("Median"), _("Satisfied, %"), _("± points"), _("Change, points"),
    _("Change, ± points"),
)  # fmt: skip


def as_csv(told: Breakdown, by: By | None, words: Wording) -> bytes:
    """A line a service, and one for each of its parts. UTF-8 with a mark, so that spreadsheets read Khmer."""
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    writer.writerow([words(one) for one in HEAD])
    scope = told.scope
    place = words(scope.name) if scope.name else words("All communes")
    for service, part in _lines(told):
        name = "" if part is service else part.key if by is By.WEEK else words(name_of(part))
        head = [place, told.first.isoformat(), told.last.isoformat(), words(name_of(service)), name]
        writer.writerow(head + _figures(part, words))
    return sheet.getvalue().encode("utf-8-sig")


def _lines(told: Breakdown) -> Iterator[tuple[ServiceFigures, Part]]:
    for service in told.services:
        yield service, service
        for part in service.parts:
            yield service, part


def _figures(part: Part, words: Wording) -> list[str | int | float]:
    figures, change = part.figures, part.change
    if figures is None:
        return [words("not shown")]
    return [
        figures.n, figures.numbers, figures.female, figures.young, *figures.counts, round(figures.mean, 2),
        figures.median, figures.percent, round(figures.margin * 100),
        *((change.points, change.margin) if change else ()),
    ]  # fmt: skip
