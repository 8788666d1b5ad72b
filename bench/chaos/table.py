"""The table: the figures of each row, and whether they are what they must be."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.chaos.audit import Audit
from bench.chaos.rows import Row

LONGEST_PAUSE = 10.0
"""Seconds within which sending goes on."""
MARKS = ("<!-- written by make chaos -->", "<!-- until here -->")
HEAD = (
    "row",
    "faults",
    "lost",
    "sent twice",
    "in doubt",
    "of at most",
    "left in doubt",
    "longest pause",
    "messages/s",
    "",
)


@dataclass(frozen=True)
class Figures:
    """What became of a row."""

    row: Row
    faults: int
    audit: Audit
    doubted: int
    """So often a message came to be in doubt."""
    pause: float
    rate: float
    problems: tuple[str, ...]

    @property
    def failures(self) -> list[str]:
        """What is not as it must be."""
        found = list(self.problems)
        allowed = self.row.may_doubt(self.faults)
        if self.audit.lost:
            found.append(f"{self.audit.lost:,} lost")
        if self.audit.twice:
            found.append(f"{self.audit.twice:,} sent twice")
        if self.doubted > allowed:
            found.append(f"{self.doubted:,} in doubt, but at most {allowed:,} may be")
        if self.audit.doubtful and not self.row.leaves_doubt:
            found.append(f"{self.audit.doubtful:,} left in doubt ({self.audit.doubtful_taken:,} of them were taken)")
        if self.pause > LONGEST_PAUSE:
            found.append(f"nothing was sent for {self.pause:.1f} s")
        return found

    @property
    def well(self) -> bool:
        """Whether the row passes."""
        return not self.failures


def line(figures: Figures) -> str:
    """A row as it is done."""
    return (
        f"{figures.row.name:<11} {figures.faults:>6,} faults  {figures.audit.lost} lost  {figures.audit.twice} twice  "
        f"{figures.doubted:,} in doubt  {figures.audit.doubtful} left  {figures.pause:.1f} s  {figures.rate:.0f}/s  "
        f"{'passes' if figures.well else 'FAILS: ' + '; '.join(figures.failures)}"
    )


def text(played: Sequence[Figures], messages: int, seconds: float) -> str:
    """The table in Markdown, with when and on what it was made."""
    rows = [HEAD, *map(_cells, played)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    when = f"{messages:,} messages a row. {datetime.now(UTC):%d %B %Y}, {seconds / 60:.0f} minutes; {machine()}."
    wrong = [f"- {figures.row.name}: {failure}" for figures in played for failure in figures.failures]
    return "\n".join([when, "", *lines, *(["", *wrong] if wrong else []), ""])


def quote(page: Path, written: str) -> None:
    """Puts the table into a page of the docs, between its two marks."""
    before, _, rest = page.read_text().partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    page.write_text(f"{before}{MARKS[0]}\n{written}{MARKS[1]}{after}")


def machine() -> str:
    """What it was measured on."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores ({model}), {platform.system()}, Python {platform.python_version()}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _cells(figures: Figures) -> tuple[str, ...]:
    audit, row = figures.audit, figures.row
    return (
        row.what,
        f"{figures.faults:,}",
        f"{audit.lost:,}",
        f"{audit.twice:,}",
        f"{figures.doubted:,}",
        f"{row.may_doubt(figures.faults):,}",
        f"{audit.doubtful:,}",
        f"{figures.pause:.1f} s",
        f"{figures.rate:.0f}",
        "passes" if figures.well else "FAILS",
    )
