"""Figures as tables in the terminal."""

from __future__ import annotations

from gateway.menus.wording import render
from gateway.scorecard.breakdowns import Breakdown, Part, label_of
from gateway.scorecard.tallies import Figures, Tally

_HEAD = ("", "n", "female", "1", "2", "3", "4", "5", "mean", "median", "satisfied")


def as_table(tally: Tally, language: str, minimum: int) -> str:
    """One commune: a line a service, and what the figures mean."""
    rows = [(f"{one.number} {render(one.name, language)}", one.figures) for one in tally.services]
    return "\n".join(
        [
            f"{render(tally.commune_name, language)} ({tally.commune}), round {tally.round}, "
            f"{tally.first} to {tally.last}{', open' if tally.open else ''}",
            *_lines(_HEAD, [(label, *_cells(figures)) for label, figures in rows]),
            f"satisfied: scores 4 and 5 of n raters. not shown: fewer than {minimum} phones, or all alike.",
        ]
    )


def parts_table(told: Breakdown, language: str, minimum: int) -> str:
    """One breakdown: for each service a line for the whole, and one for each part."""
    scope = told.scope
    where = f"{render(scope.name, language)} ({scope.code})" if scope.name else "All communes"
    head = (*_HEAD[:3], "15-30", *_HEAD[3:], "change")
    rows: list[tuple[str, ...]] = []
    for service in told.services:
        name = f"{service.number} {render(label_of(service), language)}"
        rows.append((name, *_wide(service)))
        rows += [(f"  {render(label_of(part), language)}", *_wide(part)) for part in service.parts]
    return "\n".join(
        [
            f"{where} by {told.by}, {told.first} to {told.last}{', open' if scope.open else ''}",
            *_lines(head, rows),
            "satisfied: scores 4 and 5 of n raters. change: points since the round before. "
            f"not shown: fewer than {minimum} phones, or all alike, or it would give away another part.",
        ]
    )


def _lines(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Columns under each other; a row of two cells says that it has no figures."""
    rows = [head, *rows]
    widths = [max(len(row[column]) for row in rows if len(row) > 2) for column in range(len(head))]
    widths[0] = max(len(row[0]) for row in rows)
    lines = []
    for row in rows:
        first = row[0].ljust(widths[0])
        rest = (
            [row[1]] if len(row) == 2 else [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        )
        lines.append("  ".join([first, *rest]).rstrip())
    return lines


def _cells(shown: Figures | None) -> tuple[str, ...]:
    if shown is None:
        return ("not shown",)
    satisfied = f"{shown.satisfied:.0%} ±{shown.margin * 100:.0f}"
    counts = (str(count) for count in shown.counts)
    return str(shown.n), str(shown.female), *counts, f"{shown.mean:.2f}", f"{shown.median:g}", satisfied


def _wide(part: Part) -> tuple[str, ...]:
    """With the young, and the change."""
    if part.figures is None:
        return ("not shown",)
    n, female, *rest = _cells(part.figures)
    change = f"{part.change.points:+d} ±{part.change.margin}" if part.change else ""
    return n, female, str(part.figures.young), *rest, change
