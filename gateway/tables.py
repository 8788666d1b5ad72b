"""A tally as a table in the terminal."""

from __future__ import annotations

from gateway.menus.wording import render
from gateway.scorecard.tallies import ServiceTally, Tally

_HEAD = ("", "n", "female", "1", "2", "3", "4", "5", "mean", "median", "satisfied")


def as_table(tally: Tally, language: str, minimum: int) -> str:
    """One commune: a line a service, and what the figures mean."""
    rows = [_HEAD, *(_row(service, language) for service in tally.services)]
    widths = [max(len(row[column]) for row in rows if len(row) > 2) for column in range(len(_HEAD))]
    widths[0] = max(len(row[0]) for row in rows)
    lines = [
        f"{render(tally.commune_name, language)} ({tally.commune}), round {tally.round}, "
        f"{tally.first} to {tally.last}{', open' if tally.open else ''}"
    ]
    for row in rows:
        first = row[0].ljust(widths[0])
        rest = (
            [row[1]] if len(row) == 2 else [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        )
        lines.append("  ".join([first, *rest]).rstrip())
    lines.append(f"satisfied: scores 4 and 5 of n raters. not shown: fewer than {minimum} phones, or all alike.")
    return "\n".join(lines)


def _row(service: ServiceTally, language: str) -> tuple[str, ...]:
    label = f"{service.number} {render(service.name, language)}"
    shown = service.figures
    if shown is None:
        return label, "not shown"
    satisfied = f"{shown.satisfied:.0%} ±{shown.margin * 100:.0f}"
    counts = (str(count) for count in shown.counts)
    return label, str(shown.n), str(shown.female), *counts, f"{shown.mean:.2f}", f"{shown.median:g}", satisfied
