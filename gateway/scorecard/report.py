"""The Citizens' Rating Report of a closed round, for one commune or a group: what stands in it.

All figures are `results`: released blocks, nothing else. `report_page` makes it a page, `report_files` spreadsheets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, select

from gateway.config import FLOOR
from gateway.errors import Told
from gateway.menus.phrases import Name, Words
from gateway.models.installation import is_demo
from gateway.models.places import places
from gateway.models.rounds import round_communes
from gateway.scorecard import report_words
from gateway.scorecard.report_after import After, after
from gateway.scorecard.report_points import points_of
from gateway.scorecard.results import NoResults, Results, find_round, results


class StillOpen(Told):
    """The round is open: what may be told of it is whole only when it is closed."""


@dataclass(frozen=True)
class Report:
    """What a report says. Dates are inclusive."""

    results: Results
    last: date
    """The day on which the round closed."""
    where: tuple[tuple[Words, ...], ...]
    """Each commune, with its district and province."""
    points: tuple[Words, ...]
    """For the forum."""
    after: After
    """What was promised since, and what people wrote and read."""
    minimum: int
    """Distinct numbers that a figure stands on."""
    invented: bool
    """Whether it is a demonstration's."""

    @property
    def notes(self) -> list[Words]:
        """What is not shown, and why; and what was destroyed."""
        services = self.results.services
        said = [report_words.why_hidden(self.minimum)]
        if hidden := [service.name for service in services if service.figures is None]:
            said.append(report_words.services_hidden(hidden))
        if len(self.results.communes) > 1:
            said.append(report_words.SUMS)
        if any(one.change and set(one.by_commune or ()) != set(one.before_by_commune or ()) for one in services):
            said.append(report_words.OTHER_COMMUNES)
        return [*said, report_words.LEFT_INSIDE, report_words.NOBODY_KNOWS]


def report_of(db: Connection, codes: Sequence[str], number: int, minimum: int, today: date) -> Report:
    """The report of the first commune's N-th round; further communes must have shared it.

    Raises NoResults when there is no such round, StillOpen when it is not closed yet.
    """
    round_id = find_round(db, codes[0], number)
    shared = select(round_communes.c.commune).where(round_communes.c.round_id == round_id)
    mine = set(db.scalars(shared))
    if strangers := [code for code in codes if code not in mine]:
        raise NoResults(
            f"commune {strangers[0]} took no part in round {number} of commune {codes[0]}; those that did:"
            f" {', '.join(sorted(mine))}"
        )
    return of_round(db, round_id, codes, minimum, today)


def of_round(db: Connection, round_id: int, codes: Sequence[str] | None, minimum: int, today: date) -> Report:
    """The report of a round, of some of its communes or of all, as of a day. Raises NoResults, StillOpen."""
    found = results(db, round_id, codes)
    if found.last is None:
        raise StillOpen(f"round {found.number} of commune {next(iter(found.communes))} is open; close it first")
    return Report(
        results=found,
        last=found.last,
        where=tuple(_where(db, code) for code in found.communes),
        points=points_of(found),
        after=after(db, round_id, found.communes, found.first, found.last, today),
        minimum=max(minimum, FLOOR),
        invented=is_demo(db),
    )


def _where(db: Connection, code: str) -> tuple[Words, ...]:
    """A commune, its district, its province."""
    above = select(places).where(places.c.code.in_([code[:2], code[:4], code])).order_by(places.c.code.desc())
    return tuple(
        report_words.UNITS[row.unit].given(name=Name(row.name_km, row.name_en, row.name_en))
        for row in db.execute(above)
    )
