"""What was promised to communes, as an edition of the programme has it (models/editions.py)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from gateway.menus.phrases import Name
from gateway.text import in_gsm7

STAYS = timedelta(days=365)
"""So long after its day a promise is in the menu: the list must not grow for ever."""


@dataclass(frozen=True)
class Promise:
    """Something that was promised to a commune."""

    id: int
    activity: Name
    due: date
    standing: str
    """How far the council says it is: a `models.promises.Standing`."""
    check: int | None = None
    """The question whether it was done, while it is asked."""
    counts: tuple[int, ...] | None = None
    """How many said that it was done, partly and not; None where that is not told."""


class Promised:
    """All promises of an edition."""

    def __init__(self, rows: Iterable[Mapping[str, Any]], pause: Iterable[str]) -> None:
        self._of: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            self._of.setdefault(row["commune"], []).append(row)
        self._pause = [date.fromisoformat(day) for day in pause]

    def to(self, commune: str, today: date) -> list[Promise]:
        """What was promised to a commune, as it is told on a day: what is asked about first, then what is due first.

        What villagers said is not told in a pause, nor before councils had time to read it.
        """
        is_pause = bool(self._pause) and self._pause[0] <= today <= self._pause[1]
        found = [_promise(row, today, is_pause) for row in self._of.get(commune, ())]
        there = [one for one in found if one.check is not None or one.due + STAYS >= today]
        return sorted(there, key=lambda one: (one.check is None, one.due, one.id))

    def asked(self, check: int, today: date) -> Promise | None:
        """The promise that a question is about, while it is asked."""
        everywhere = (one for rows in self._of.values() for one in rows)
        row = next((row for row in everywhere if row["check"] == check), None)
        return _promise(row, today, True) if row else None


def _promise(row: Mapping[str, Any], today: date, is_pause: bool) -> Promise:
    is_told = not is_pause and row["told"] is not None and date.fromisoformat(row["told"]) <= today
    km, latn, en = row["activity"]
    return Promise(
        id=row["id"],
        activity=Name(km, in_gsm7(latn), in_gsm7(en)),
        due=date.fromisoformat(row["due"]),
        standing=row["standing"],
        check=row["check"],
        counts=tuple(row["counts"]) if is_told else None,
    )
