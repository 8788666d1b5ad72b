"""What a row of the benchmark found, and the table that says it: figures with their spread, goals reached or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.chaos.servers import Servers
from bench.chaos.table import machine

MARKS = ("<!-- written by make bench -->", "<!-- until here -->")
OURS = "mati"
_SAID = {True: "reached", False: "falls short"}
HEAD = ("", "", "min", "median", "max", "Mati's is")


@dataclass(frozen=True)
class Figure:
    """One measured thing of the gateway or of a peer: a value for each round."""

    what: str
    """With its unit, such as `sessions/s at 64 connections`. Figures of the same `what` are set beside each other."""
    who: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Of the rounds."""
        return median(self.values)


@dataclass(frozen=True)
class Goal:
    """What issue 9 wants of a row, and what was found."""

    wanted: str
    found: str
    reached: bool


@dataclass(frozen=True)
class Result:
    """What a row found."""

    title: str
    figures: tuple[Figure, ...]
    goals: tuple[Goal, ...]


@dataclass(frozen=True)
class Ground:
    """What a row is measured on."""

    servers: Servers
    """PostgreSQL and Valkey, running."""
    folder: Path
    """Its own, empty."""
    rounds: int
    """So often each figure is taken, all of them in turns."""
    share: float
    """Of a whole run's seconds and messages: less than 1 for a look."""
    say: Callable[[str], None]
    """A line on how far it is."""


Measure = Callable[[Ground], Result]
"""A row."""


def text(results: Sequence[Result], rounds: int) -> str:
    """The tables in Markdown, with when and on what they were made."""
    when = f"{rounds} round{'s' if rounds > 1 else ''}. {datetime.now(UTC):%d %B %Y}; {machine()}."
    return "\n".join([when, *(line for result in results for line in _table(result))]) + "\n"


def quote(page: Path, written: str) -> None:
    """Puts the tables into a page of the docs, between its two marks."""
    before, _, rest = page.read_text().partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    page.write_text(f"{before}{MARKS[0]}\n{written}{MARKS[1]}{after}")


def number(value: float) -> str:
    """A value with three digits that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _table(result: Result) -> list[str]:
    ours = {figure.what: figure for figure in result.figures if figure.who == OURS}
    rows = [HEAD]
    last = ""
    for figure in sorted(result.figures, key=lambda figure: [f.what for f in result.figures].index(figure.what)):
        what, last = ("" if figure.what == last else figure.what), figure.what
        mine = ours.get(figure.what)
        ratio = f"{number(mine.median / figure.median)} ×" if mine and mine is not figure and figure.median else ""
        spread = (number(min(figure.values)), number(figure.median), number(max(figure.values)))
        rows.append((what, figure.who, *spread, ratio))
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    goals = [
        f"- {goal.wanted}: {goal.found}, {'**reached**' if goal.reached else '**falls short**'}"
        for goal in result.goals
    ]
    return ["", f"### {result.title}", "", *lines, *(["", *goals] if goals else [])]
