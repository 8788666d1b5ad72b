"""Somebody who keeps everything that ever left the programme, and solves for what is hidden.

Independent of the programme: it reads letters and pages as text, knows the calendar and the rules, and nothing else.
A figure is the counts of the five scores over *cells*, the weeks of a commune in which those who are in it rated. What
can be made of figures by adding and subtracting is solved by elimination; beside it, any two figures of one question
are subtracted, whatever they claim to be of. A claim names the figures it is made of, so that a judge who knows whose
answers were in each can tell whether it found somebody.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from itertools import combinations
from typing import Any, NamedTuple

FEW = 10
"""A group of fewer numbers counts as found."""
CALLED = {"Commune office": "office", "Health": "health", "School": "school", "One-window": "window"}
SCORE = "overall"
PART_OF_SCORE = "women"
"""A question that is no question of its own, but the score of some of those who gave one."""

FigureId = tuple[Any, ...]
Cell = Any
"""A commune, or a week, or who of those who rated in a week."""


class Letter(NamedTuple):
    """A weekly letter and the answer to `1`. `week` is its Monday."""

    commune: str
    week: date
    text: str
    details: str


class Page(NamedTuple):
    """A round's results as JSON, as they stood at the end of a week."""

    week: date
    text: str


@dataclass
class Kept:
    """All that was ever told."""

    letters: list[Letter] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)


class Figure(NamedTuple):
    """Counts of the scores 1 to 5, and of which cells they are."""

    id: FigureId
    cells: frozenset[Cell]
    counts: tuple[int, ...]


class Derived(NamedTuple):
    """A figure made of figures: how often each is taken, and what comes out."""

    of: Mapping[FigureId, Fraction]
    counts: tuple[Fraction, ...]


class Claim(NamedTuple):
    """What the attacker says to have found. `few`: a group; `alike`: many who gave one score, or were kept back so."""

    kind: str
    of: Mapping[FigureId, Fraction]
    where: Any = ()


Systems = Mapping[tuple[Any, ...], list[Figure]]


def attack(kept: Kept) -> list[Claim]:
    """Everything that is found."""
    claims: list[Claim] = []
    for name, figures in systems(kept).items():
        found = solve(figures)
        if name[0] == "commune":
            found += list(differences(figures))
        claims += [claim for derived in found for claim in _claims(derived)]
    return claims + list(kept_back(kept))


def systems(kept: Kept) -> Systems:
    """The figures in groups, in each of which one may be subtracted from another."""
    found: dict[tuple[Any, ...], list[Figure]] = defaultdict(list)
    pages = [(page.week, json.loads(page.text)) for page in kept.pages]
    rounds: dict[tuple[str, date], int] = {}
    for week, page in pages:
        for commune in page["communes"]:
            rounds[commune, week] = page["round_id"]
    for letter in kept.letters:
        for service, counts in _details(letter.details).items():
            if (letter.commune, letter.week) in rounds:
                system = ("commune", rounds[letter.commune, letter.week], letter.commune, service, SCORE)
                cells = frozenset((letter.week, part) for part in "wm")
                found[system].append(Figure(("letter", letter.commune, letter.week, service), cells, counts))
    for number, (week, page) in enumerate(pages):
        weeks = list(_weeks(date.fromisoformat(page["first"]), week))
        for commune, service, question, figures in _told(page):
            id_, counts = ("page", number, commune, service, question), tuple(figures["counts"])
            if commune == "*":
                found["weeks", page["round_id"], service, question].append(Figure(id_, frozenset(weeks), counts))
                if question == SCORE:
                    found["page", number, service].append(Figure(id_, frozenset(page["communes"]), counts))
                continue
            parts, asked = ("w", SCORE) if question == PART_OF_SCORE else ("wm", question)
            cells = frozenset((one, part) for one in weeks for part in parts)
            found["commune", page["round_id"], commune, service, asked].append(Figure(id_, cells, counts))
            if question == SCORE and len(page["communes"]) > 1:
                found["page", number, service].append(Figure(id_, frozenset([commune]), counts))
    return found


def solve(figures: Iterable[Figure]) -> list[Derived]:
    """Elimination over the cells: the smallest unions of cells that figures add up to, and what contradicts itself."""
    basis: dict[Cell, tuple[dict[Cell, Fraction], Derived]] = {}
    against: list[Derived] = []
    for figure in sorted(figures, key=lambda one: len(one.cells)):
        row = dict.fromkeys(figure.cells, Fraction(1))
        derived = Derived({figure.id: Fraction(1)}, tuple(map(Fraction, figure.counts)))
        for pivot in [cell for cell in row if cell in basis]:
            row, derived = _less(row, derived, row.get(pivot, Fraction(0)), *basis[pivot])
        if not row:
            against.append(derived)  # the same cells once more: nothing new, or somebody who came, went or changed
            continue
        pivot = max(row, key=repr)
        row, derived = _times(row, derived, 1 / row[pivot])
        for other, (cells, before) in list(basis.items()):
            if pivot in cells:
                basis[other] = _less(cells, before, cells[pivot], row, derived)
        basis[pivot] = (row, derived)
    return [derived for _, derived in basis.values()] + against


def differences(figures: list[Figure]) -> Iterator[Derived]:
    """Any figure less any other, whatever they are of."""
    different = list({figure.counts: figure for figure in figures}.values())
    for one, other in combinations(different, 2):
        counts = tuple(Fraction(a - b) for a, b in zip(one.counts, other.counts, strict=True))
        yield Derived({one.id: Fraction(1), other.id: Fraction(-1)}, counts)


def kept_back(kept: Kept) -> Iterator[Claim]:
    """Scores that are not shown although enough numbers gave one: they must all be the same.

    Who answered an extra question about a service has given it a score before.
    """
    for page in kept.pages:
        shown: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for commune, service, question, figures in _told(json.loads(page.text)):
            if commune != "*" and question != PART_OF_SCORE:
                shown[commune, service][question] = figures["numbers"]
        for (commune, service), numbers in shown.items():
            if max(numbers.values()) - numbers.get(SCORE, 0) >= FEW:
                yield Claim("kept back", {}, (commune, service, page.week))


def surplus(kept: Kept) -> list[str]:
    """Lines of letters that tell more than the counts told beside and before them: shares and changes."""
    found: list[str] = []
    last: dict[tuple[str, str], set[int]] = defaultdict(set)
    for week in sorted({one.week for one in kept.letters} | {one.week for one in kept.pages}):
        for letter in [one for one in kept.letters if one.week == week]:
            counts = _details(letter.details)
            for service, percent, n, change in _shares(letter.text):
                before, told = last[letter.commune, service], counts[service]
                explained = change == "new" or any(percent - one == int(change) for one in before)
                if sum(told) != n or _percent(told) != percent or not explained:
                    found.append(f"{letter.commune} {week} {service} {percent} ({n},{change})")
                before.add(percent)
        for page in (json.loads(one.text) for one in kept.pages if one.week == week):
            for commune, service, question, figures in _told(page):
                if question == SCORE:
                    last[commune, service].add(_percent(figures["counts"]))
    return found


def _claims(derived: Derived) -> Iterator[Claim]:
    size = sum(map(abs, derived.counts))
    if 0 < size < FEW:
        yield Claim("few", derived.of)
    elif sum(1 for count in derived.counts if count) == 1:
        yield Claim("alike", derived.of)


def _told(page: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Commune (`*`: all of the page), service, question and figures of all that a page shows."""
    codes = list(page["communes"])
    whole = codes[0] if len(codes) == 1 else "*"
    for service in page["services"]:
        if service["figures"]:
            yield whole, service["service"], SCORE, service["figures"]
        for question in service["indicators"]:
            if question["figures"]:
                yield whole, service["service"], question["id"], question["figures"]
        for commune, figures in (service["by_commune"] or {}).items():
            yield commune, service["service"], SCORE, figures


def _details(text: str) -> dict[str, tuple[int, ...]]:
    lines = re.findall(r"^(.+) (\d+),(\d+),(\d+),(\d+),(\d+) \(\d+,\d+\)$", text, re.MULTILINE)
    return {CALLED[name]: tuple(map(int, counts)) for name, *counts in lines}


def _shares(text: str) -> Iterator[tuple[str, int, int, str]]:
    for name, percent, n, change in re.findall(r"^(.+) (\d+) \((\d+),(new|0|[+-]\d+)\)$", text, re.MULTILINE):
        yield CALLED[name], int(percent), int(n), change


def _percent(counts: Iterable[int]) -> int:
    told = Counter(dict(enumerate(counts, 1)))
    return round(100 * (told[4] + told[5]) / told.total())


def _weeks(first: date, last: date) -> Iterator[date]:
    week = first - timedelta(days=first.weekday())
    while week <= last:
        yield week
        week += timedelta(days=7)


def _times(row: dict[Cell, Fraction], derived: Derived, by: Fraction) -> tuple[dict[Cell, Fraction], Derived]:
    if by == 1:
        return row, derived
    of = {id_: much * by for id_, much in derived.of.items()}
    return {cell: much * by for cell, much in row.items()}, Derived(of, tuple(count * by for count in derived.counts))


def _less(
    row: dict[Cell, Fraction], derived: Derived, times: Fraction, other: dict[Cell, Fraction], taken: Derived
) -> tuple[dict[Cell, Fraction], Derived]:
    """A row less so many times another."""
    if not times:
        return row, derived
    left, of = dict(row), dict(derived.of)
    for mine, theirs in ((left, other), (of, taken.of)):
        for key, much in theirs.items():
            mine[key] = mine.get(key, Fraction(0)) - times * much
            if not mine[key]:
                del mine[key]
    counts = tuple(a - times * b for a, b in zip(derived.counts, taken.counts, strict=True))
    return left, Derived(of, counts)
