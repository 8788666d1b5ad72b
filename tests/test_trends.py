"""One round after the other, and two side by side: the figures, and what they tell together with all breakdowns."""

from __future__ import annotations

import csv
import io
import itertools
import random
import re
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.privacy import Cell, may_show
from gateway.scorecard import cells
from gateway.scorecard.breakdowns import By, Part, ServiceFigures, breakdown
from gateway.scorecard.scopes import TREND, scope_of
from gateway.scorecard.tallies import Change, Figures, monday
from tests.conftest import Installation
from tests.test_breakdowns import (
    MIXED,
    PONLEY,
    TA_PHOU,
    TEAN_KAM,
    Row,
    Where,
    keep,
    of,
    rated,
    rows_of,
    shown,
    unseen,
)
from tests.test_panel import Browser, _quick_passwords, app, browser, on_one_database, panel, text

__all__ = ["_quick_passwords", "app", "browser", "panel"]

HERE = f"/admin/tallies?commune={TA_PHOU}"


@pytest.fixture
def house(installation: Installation) -> Installation:
    """With an open round in all four communes."""
    installation.open_round()
    return installation


def next_round(house: Installation) -> int:
    """Closes the open one, and opens another one a fortnight later."""
    with house.store.read() as db:
        latest = next(iter(scope_of(db, TA_PHOU).rounds.values()))
    house.clock.forward(days=10)
    house.close_round(latest.id)
    house.clock.forward(days=4)
    return house.open_round()


def three_rounds(house: Installation) -> None:
    """The second is not shown."""
    keep(house, rows_of("4411111111"))
    keep(house, rows_of("444444411"), next_round(house))  # nine phones
    keep(house, rows_of("4444441111"), next_round(house))


def told(
    house: Installation, by: By | None, number: int | None = None, *, against: int | None = None, minimum: int = 10,
    code: str = TA_PHOU,
) -> ServiceFigures:  # fmt: skip
    """The health centre's."""
    with house.store.read() as db:
        scope = scope_of(db, code, number, against=against)
        return of(breakdown(db, scope, by, minimum, house.clock.now.date()))


# the figures ---------------------------------------------------------------------------------------


def test_rounds_follow_each_other_each_against_the_one_before(house: Installation) -> None:
    keep(house, rows_of("4411111111"))
    keep(house, rows_of("4444441111"), next_round(house))
    keep(house, rows_of("4441111111"), next_round(house))
    parts = told(house, By.ROUND).parts
    assert [(part.key, part.figures and part.figures.percent) for part in parts] == [("1", 20), ("2", 60), ("3", 30)]
    assert [part.change and part.change.points for part in parts] == [None, 40, -30]
    assert [part.span and part.span[0].isoformat() for part in parts] == ["2026-11-23", "2026-12-07", "2026-12-21"]
    assert parts == told(house, By.ROUND, 1).parts  # whichever is looked at


def test_a_round_that_is_not_shown_is_a_gap_without_a_change(house: Installation) -> None:
    three_rounds(house)
    parts = told(house, By.ROUND).parts
    assert [part.figures is not None for part in parts] == [True, False, True]
    assert [part.change for part in parts] == [None, None, None]


def test_several_communes_rounds_are_the_sums_of_what_each_shows(house: Installation) -> None:
    keep(house, rows_of("4411111111") + rows_of("4444411111", 50, commune=PONLEY))
    keep(house, rows_of("444", 90) + rows_of(MIXED, 150, commune=PONLEY), next_round(house))
    assert shown_rounds(told(house, By.ROUND, code="01")) == {"1": 20, "2": 10}


def shown_rounds(service: ServiceFigures) -> dict[str, int]:
    return {part.key: part.figures.n for part in service.parts if part.figures}


def test_only_the_latest_rounds_stand_beside_each_other(house: Installation) -> None:
    for _ in range(TREND + 1):
        next_round(house)
    assert [part.key for part in told(house, By.ROUND).parts] == [str(n) for n in range(3, TREND + 3)]


def test_any_earlier_round_may_stand_beside(house: Installation) -> None:
    three_rounds(house)
    beside = told(house, By.WHO, 3, against=1)
    assert beside.change == Change(40, 44)
    assert beside.change.may_be_chance
    woman = next(part for part in beside.parts if part.key == "woman-31")
    assert woman.before
    assert woman.before.counts == (8, 0, 0, 2, 0)
    assert told(house, None, 3).before is None  # the one before it is not shown
    assert told(house, None, 1, against=1).before is None
    assert told(house, None, 1, against=3).before is None  # nothing later is before it


@pytest.mark.parametrize(
    ("points", "margin", "chance"), [(4, 5, True), (5, 5, True), (-5, 5, True), (6, 5, False), (-6, 5, False)]
)
def test_a_change_within_its_margin_may_be_chance(points: int, margin: int, chance: bool) -> None:
    assert Change(points, margin).may_be_chance is chance


# attacked ------------------------------------------------------------------------------------------

Place = tuple[int, Where]
"""A round, and the cell in it."""
WHO = {"women": "woman-31", "men": "man-31", "others": "other"}


def kept(
    house: Installation, round_id: int, people: list[tuple[int, Where, int]]
) -> dict[Place, list[tuple[int, int]]]:
    """Keeps what people gave; returns phone and score by where they stand."""
    rows, found = [], dict[Place, list[tuple[int, int]]]()
    week = house.clock.now.date().isocalendar().week
    for phone, (channel, who, after), score in people:
        rows.append(Row(phone, score, WHO[who], channel, days=7 * (after - 1)))
        found.setdefault((round_id, (channel, WHO[who], week + after - 1)), []).append((phone, score))
    keep(house, rows, round_id)
    return found


def all_told(house: Installation, minimum: int) -> Iterator[tuple[int, By | None, str, Figures]]:
    """Every figure of every page: of which round, of what part of it."""
    for number in (1, 2):
        for by in (None, By.CHANNEL, By.WHO, By.WEEK):
            service = told(house, by, number, minimum=minimum)
            yield from _of(service, number, None)
            for part in service.parts:
                yield from _of(part, number, by)
    for part in told(house, By.ROUND, minimum=minimum).parts:
        yield from _of(part, int(part.key), None)
    for by in (None, By.CHANNEL, By.WHO):
        beside = told(house, by, 2, against=1, minimum=minimum)
        for part, its in ((beside, None), *((part, by) for part in beside.parts)):
            if part.before:
                yield 1, its, part.key, part.before


def _of(part: Part, number: int, by: By | None) -> Iterator[tuple[int, By | None, str, Figures]]:
    if part.figures:
        yield number, by, part.key, part.figures


def lies_in(place: Place, number: int, by: By | None, key: str) -> bool:
    round_id, (channel, who, week) = place
    its = {None: key, By.CHANNEL: channel, By.WHO: who, By.WEEK: week}[by]
    return round_id == number and its == (monday(key).isocalendar().week if by is By.WEEK else key)


def isolated(house: Installation, places: dict[Place, list[tuple[int, int]]], minimum: int) -> list[tuple[Place, ...]]:
    """The groups of up to two cells whose answers come out of all that is told, and that are too few or alike."""
    wheres = list(places)
    known = [[0] * len(wheres)]
    for number, by, key, figures in all_told(house, minimum):
        row = [int(lies_in(place, number, by, key)) for place in wheres]
        scores = [score for place, inside in zip(wheres, row, strict=True) if inside for _, score in places[place]]
        assert figures.counts == tuple(scores.count(score) for score in range(1, 6))
        known.append(row)
    open_ = unseen(known)
    found = []
    for group in itertools.chain(*(itertools.combinations(range(len(wheres)), size) for size in (1, 2))):
        inside = [answer for i in group for answer in places[wheres[i]]]
        few = len({phone for phone, _ in inside}) < minimum or len({score for _, score in inside}) == 1
        if few and all(sum(vector[i] for i in group) % (2**61 - 1) == 0 for vector in open_):
            found.append(tuple(wheres[i] for i in group))
    return found


def two_rounds(house: Installation, chance: random.Random, minimum: int) -> list[tuple[Place, ...]]:
    """Rates two rounds anew, and attacks them."""
    places = kept(house, 1, rated(chance)) | kept(house, 2, rated(chance))
    return isolated(house, places, minimum)


@on_one_database
@settings(deadline=None, max_examples=40, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.randoms(use_true_random=False), minimum=st.sampled_from([5, 10]))
def test_trend_total_and_breakdowns_together_isolate_nobody(
    house: Installation, chance: random.Random, minimum: int
) -> None:
    with house.store.read() as db:
        if scope_of(db, TA_PHOU).latest == 1:
            db.rollback()
            next_round(house)
    assert two_rounds(house, chance, minimum) == []


@on_one_database
def test_without_the_rule_for_what_stands_beside_the_same_attack_finds_somebody(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_round(house)
    monkeypatch.setattr(
        cells,
        "shown_beside",
        lambda parts, minimum: [
            may_show(Cell(tuple(map(sum, zip(*(one.counts for one in part.values()), strict=True))),
                          sum(one.numbers for one in part.values())), minimum)
            for part in parts
        ],
    )  # fmt: skip
    assert any(two_rounds(house, random.Random(seed), 5) for seed in range(20))


# the pages -----------------------------------------------------------------------------------------


def test_a_trend_is_drawn_with_its_gaps_and_told_in_words(panel: Browser, house: Installation) -> None:
    three_rounds(house)
    page = panel.get(f"{HERE}&by=round")
    assert page.text.count("<rect") == 3
    assert page.text.count('class="gap"') == 1
    words = text(page)
    assert "The share of the satisfied; the thin line is its margin. A dashed column is not shown: 1 of 3." in words
    assert "Round 1 23 Nov 2026 – 3 Dec 2026 20% ±31 n 10 Round 2 7 Dec 2026 – 17 Dec 2026 not shown Round 3" in words
    assert "Each round stands by itself" in words
    links = re.findall(r'href="([^"]+round=1)"', page.text)
    assert "Round 1 · 23 Nov 2026 to 3 Dec 2026" in panel.read(links[0].replace("&amp;", "&"))


def test_what_was_shown_once_stands_in_the_trend_though_the_latest_round_shows_nothing(
    panel: Browser, house: Installation
) -> None:
    keep(house, rows_of("4411111111"))
    next_round(house)
    page = panel.read(f"{HERE}&by=round")
    assert "Not shown in this round" in page
    assert "20% ±31 n 10" in page
    assert "No figures yet" not in page


@on_one_database
def test_one_round_has_no_trend_and_none_beside_it(panel: Browser, house: Installation) -> None:
    keep(house, rows_of(MIXED))
    page = panel.get(HERE)
    assert "by=round" not in page.text
    assert "Side by side" not in page.text
    for wrong in ("by=round", "against=1", "against=2", "against=0", "against=x", "against=-1"):
        assert panel.get(f"{HERE}&{wrong}").status_code == 404


def test_two_rounds_stand_side_by_side(panel: Browser, house: Installation) -> None:
    three_rounds(house)
    start = panel.get(HERE)
    assert re.findall(r"against=(\d)", start.text) == ["2", "1"]
    page = panel.read(f"{HERE}&round=3&against=1")
    assert re.search(r"Round 1 20% ±31 points satisfied .* Round 3 60% ±31 points satisfied", page)
    assert "+40 points from one to the other (±44): within the margin, it may be chance" in page
    assert page == panel.read(f"{HERE}&round=1&against=3").replace("Khmer", "Khmer")  # the earlier one comes first
    hidden = panel.read(f"{HERE}&round=3&against=2")
    assert "Round 2 not shown Round 3 60%" in hidden
    assert "Not shown in both, so no change" in hidden
    parts = panel.read(f"{HERE}&round=3&against=1&by=who")
    assert "Women over 30 Round 1 20% ±31 n 10 Round 3 60% ±31 n 10 +40 points (±44)" in parts
    wide = panel.read("/admin/tallies?place=all&round=3&against=1")
    assert "The sum of the communes that are shown: 1 of 4, and 1 of 4." in wide
    for wrong in ("week", "round"):
        assert panel.get(f"{HERE}&round=3&against=1&by={wrong}").status_code == 404
    assert panel.get(f"{HERE}&round=3&against=3").status_code == 404


def test_a_clear_change_is_not_called_chance(panel: Browser, house: Installation) -> None:
    keep(house, rows_of("1" * 60 + "4"))
    keep(house, rows_of("4" * 60 + "1"), next_round(house))
    page = panel.read(HERE)
    assert "+96 points since round 1 (±18)" in page
    assert "it may be chance" not in page


def test_what_is_taken_along_has_each_round_in_a_line_of_its_own(panel: Browser, house: Installation) -> None:
    three_rounds(house)

    def sheet(asked: str) -> list[list[str]]:
        answer = panel.get(f"/admin/tallies.csv?commune={TA_PHOU}&{asked}")
        rows = csv.reader(io.StringIO(answer.data.decode("utf-8-sig")))
        return [row for row in rows if row[4] == "Health centre"]

    whole, *parts = sheet("by=round")
    assert whole[1:6] == ["3", "2026-12-21", "2026-12-21", "Health centre", ""]
    assert [row[1:6] for row in parts] == [
        ["1", "2026-11-23", "2026-12-03", "Health centre", "Round 1"],
        ["2", "2026-12-07", "2026-12-17", "Health centre", "Round 2"],
        ["3", "2026-12-21", "2026-12-21", "Health centre", "Round 3"],
    ]
    assert [row[6] for row in parts] == ["10", "not shown", "10"]
    before, now = sheet("round=3&against=1")
    assert before[1:4] == ["1", "2026-11-23", "2026-12-03"]
    assert before[10:] == ["8", "0", "0", "2", "0", "1.6", "1.0", "20", "31"]
    assert now[10:] == ["4", "0", "0", "6", "0", "2.8", "4.0", "60", "31", "40", "44"]


def test_it_is_also_an_excel_file_with_the_same_lines(panel: Browser, house: Installation) -> None:
    three_rounds(house)
    answer = panel.get(f"/admin/tallies.xlsx?commune={TA_PHOU}&round=3&against=1")
    assert answer.headers["Content-Disposition"] == (f'attachment; filename="tallies-{TA_PHOU}-services-beside-1.xlsx"')
    assert answer.headers["Content-Type"].startswith("application/vnd.openxmlformats")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as book:
        words = book.read("xl/sharedStrings.xml").decode()
        assert "Health centre" in words
        assert "not shown" in words
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")
    assert panel.get(f"/admin/tallies.pdf?commune={TA_PHOU}").status_code == 404


def test_a_trend_is_read_in_khmer_too(panel: Browser, house: Installation) -> None:
    three_rounds(house)
    panel.send("/admin/tallies", "/admin/language", lang="km")
    page = panel.read(f"{HERE}&by=round")
    assert "មិនបង្ហាញ" in page
    for english in ("Each round", "The share", "A dashed", "Download", "Side by side"):
        assert english not in page
        assert english not in panel.read(f"{HERE}&round=3&against=1")


def test_the_command_tells_rounds(house: Installation) -> None:
    three_rounds(house)
    with house.store.read() as db:
        scope = scope_of(db, TEAN_KAM)
        assert shown(breakdown(db, scope, By.ROUND, 10, house.clock.now.date())) == {}
