"""Staff's figures by one breakdown at a time: recounted from the answers, and attacked."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from gateway import privacy
from gateway.cli import cli
from gateway.models.answers import OVERALL, answers
from gateway.models.places import communes, places
from gateway.models.rollups import WOMEN, YOUNG, roll
from gateway.models.rounds import round_indicators
from gateway.models.services import indicators
from gateway.privacy import Cell, may_show, shown_beside
from gateway.scorecard import breakdowns
from gateway.scorecard.breakdowns import MOST, Breakdown, By, ServiceFigures, TooMany, as_json, breakdown
from gateway.scorecard.cells import Counts, add, visible_parts
from gateway.scorecard.scopes import WHOLE, scope_of
from gateway.scorecard.tallies import Figures, NothingToTell, monday, tallies
from tests.conftest import COMMUNES, Installation

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
MIXED = "1234512345"


@dataclass(frozen=True)
class Row:
    """A rating as the table keeps it."""

    phone: int
    score: int
    who: str | None = "woman-31"
    channel: str = "ussd"
    days: int = 0
    commune: str = TA_PHOU
    service: str = "health"
    indicator: str = OVERALL


def rows_of(scores: str, first: int = 0, **what: object) -> list[Row]:
    """A row a score, each from a phone of its own."""
    return [Row(first + i, int(score), **what) for i, score in enumerate(scores)]  # type: ignore[arg-type]


def keep(house: Installation, rows: Sequence[Row], round_id: int = 1) -> None:
    first = house.clock.now.date()
    leads = {(row.phone, row.service, row.indicator): row for row in reversed(rows)}
    values = [
        {
            "lead": leads[row.phone, row.service, row.indicator] is row, "round_id": round_id,
            "service_id": row.service, "indicator": row.indicator, "phone": row.phone.to_bytes(16),
            "rater": f"{row.phone}{row.who}".encode()[:16].ljust(16), "who": row.who, "commune": row.commune,
            "score": row.score, "day": first + timedelta(days=row.days), "channel": row.channel,
        }
        for row in rows
    ]  # fmt: skip
    with house.store.write() as db:
        db.execute(delete(answers).where(answers.c.round_id == round_id))
        if values:
            db.execute(insert(answers), values)


@pytest.fixture
def house(installation: Installation) -> Installation:
    """With an open round in all four communes."""
    installation.open_round()
    return installation


def read(
    house: Installation, by: By | None, code: str = TA_PHOU, number: int | None = None, *, group: int | None = None,
    minimum: int = 10,
) -> Breakdown:  # fmt: skip
    with house.store.read() as db:
        return breakdown(
            db, scope_of(db, code, number, group=group), by, minimum, house.clock.now.date() + timedelta(days=27)
        )


def of(told: Breakdown, service: str = "health") -> ServiceFigures:
    return next(one for one in told.services if one.key == service)


def shown(told: Breakdown, service: str = "health") -> dict[str, int]:
    """How many raters each shown part has."""
    return {part.key: part.figures.n for part in of(told, service).parts if part.figures}


# what is told --------------------------------------------------------------------------------------


def test_a_part_has_the_figures_of_its_answers(house: Installation) -> None:
    women = rows_of("1122334455", who="woman-15-30")
    men = rows_of("444555111123", 50, who="man-31")
    keep(house, women + men)
    told = of(read(house, By.WHO))
    assert told.figures == Figures(22, 22, 10, (6, 3, 3, 5, 5), 10)
    assert [part.key for part in told.parts] == ["woman-15-30", "woman-31", "man-15-30", "man-31", "other", "unsaid"]
    assert told.parts[0].figures == Figures(10, 10, 10, (2, 2, 2, 2, 2), 10)
    assert told.parts[3].figures == Figures(12, 12, 0, (4, 1, 1, 3, 3), 0)
    assert [told.parts[i].figures for i in (1, 2, 4, 5)] == [None] * 4


def test_who_said_nothing_and_who_hung_up_are_one_part(house: Installation) -> None:
    keep(house, rows_of("12345", who=None) + rows_of("12345", 50, who="unsaid") + rows_of(MIXED, 90))
    assert shown(read(house, By.WHO)) == {"woman-31": 10, "unsaid": 10}


def test_what_volunteers_recorded_stands_apart_by_channel(house: Installation) -> None:
    keep(
        house, rows_of(MIXED, channel="assisted") + rows_of(MIXED * 2, 50) + rows_of("123451234512", 90, channel="sms")
    )
    assert shown(read(house, By.CHANNEL)) == {"ussd": 20, "sms": 12, "assisted": 10}


def test_a_week_says_the_same_in_a_breakdown_and_in_a_tally_of_its_own(house: Installation) -> None:
    for counted in (False, True):
        keep(house, rows_of(MIXED, channel="assisted", days=8) + rows_of("12345", 30, days=8) + rows_of(MIXED * 2, 50))
        if counted:
            with house.store.write() as db:
                roll(db, house.clock.now.date() + timedelta(days=27))
        parts = of(read(house, By.WEEK)).parts
        assert [part.key for part in parts] == ["2026-W48", "2026-W49", "2026-W50", "2026-W51"]
        for part in parts:
            with house.store.read() as db:
                told = tallies(db, TA_PHOU, None, 10, date(2026, 12, 31), monday(part.key))[0]
            assert [one.figures for one in told.services if one.service == "health"] == [part.figures]
        # the assisted all came in the second week: less them it would be five phones
        assert {part.key for part in parts if part.figures} == set()


def ask(house: Installation, *names: str) -> None:
    """The round asks extra questions about the health centre."""
    with house.store.write() as db:
        for place, name in enumerate(names):
            text = {"text_km": f"{name} km", "text_latn": f"{name} latn", "text_en": name}
            db.execute(insert(indicators).values(id=name, service_id="health", place=place, **text))
            db.execute(insert(round_indicators).values(round_id=1, indicator_id=name))


def test_extra_questions_stand_under_their_service(house: Installation) -> None:
    ask(house, "waiting", "price")
    waiting = rows_of("4444455555", indicator="waiting")
    keep(house, rows_of(MIXED * 2) + waiting + rows_of("12345", indicator="price"))
    told = read(house, By.INDICATOR)
    assert [(part.key, part.name and part.name.en) for part in of(told).parts] == [
        ("waiting", "waiting"), ("price", "price"),
    ]  # fmt: skip
    assert shown(told) == {"waiting": 10}
    assert of(told).figures == Figures(20, 20, 20, (4, 4, 4, 4, 4))
    assert of(told, "school").parts == ()


def test_an_extra_question_does_not_tell_that_the_score_is_unanimous(house: Installation) -> None:
    ask(house, "waiting")
    keep(house, rows_of("4" * 12) + rows_of(MIXED, indicator="waiting"))
    assert shown(read(house, By.INDICATOR)) == {}


# more than one commune -----------------------------------------------------------------------------


def test_above_a_commune_figures_are_the_sums_of_what_communes_show(house: Installation) -> None:
    keep(
        house,
        rows_of(MIXED, commune=TA_PHOU)
        + rows_of("123451", 30, commune=TREAS)  # not shown, so in no sum
        + rows_of("1234512345123", 50, commune=PONLEY)
        + rows_of(MIXED * 2, 90, commune=TEAN_KAM),
    )
    told = read(house, By.COMMUNE, WHOLE)
    assert shown(told) == {PONLEY: 13, TEAN_KAM: 20, TA_PHOU: 10}
    assert [part.name.en for part in of(told).parts if part.name] == ["Ponley", "Tean Kam", "Ta Phou", "Treas"]
    total = of(told).figures
    assert total
    assert total.n == 43
    assert of(told).communes == 3
    assert shown(read(house, By.DISTRICT, WHOLE)) == {"0103": 13, "0104": 20, "0108": 10}
    assert shown(read(house, By.PROVINCE, WHOLE)) == {"01": 43}
    svay_chek = read(house, By.COMMUNE, "0108")
    assert svay_chek.scope.name
    assert svay_chek.scope.name.en == "Svay Chek"
    assert shown(svay_chek) == {TA_PHOU: 10}
    assert [part.key for part in of(svay_chek).parts] == [TA_PHOU, TREAS]


def test_a_district_by_who_is_the_sum_of_its_communes_whos(house: Installation) -> None:
    keep(
        house,
        rows_of(MIXED, commune=TA_PHOU) + rows_of(MIXED, 30, who="man-31")
        + rows_of(MIXED, 50, commune=TREAS) + rows_of(MIXED[:8], 90, who="man-31", commune=TREAS),
    )  # fmt: skip
    told = read(house, By.WHO, "0108")
    total = of(told).figures
    assert total
    assert total.n == 38
    assert shown(told) == {"woman-31": 10, "man-31": 10}  # Treas less ten women would be eight men


def test_communes_of_one_round_and_communes_with_rounds_of_their_own(installation: Installation) -> None:
    installation.open_round(TA_PHOU, TREAS)
    installation.clock.forward(days=1)
    installation.open_round(PONLEY)
    keep(installation, rows_of(MIXED) + rows_of(MIXED, 30, commune=TREAS))
    keep(installation, rows_of(MIXED, 50, commune=PONLEY), 2)
    assert list(read(installation, None, WHOLE, group=1).scope.rounds) == [TA_PHOU, TREAS]
    assert shown(read(installation, By.COMMUNE, group=2, code=WHOLE)) == {PONLEY: 10}
    told = read(installation, By.COMMUNE, WHOLE)
    assert shown(told) == {PONLEY: 10, TA_PHOU: 10, TREAS: 10}
    assert (told.first, told.scope.open) == (date(2026, 11, 23), True)


def test_the_change_is_against_each_communes_round_before(house: Installation) -> None:
    keep(house, rows_of("4411111111") + rows_of("5555511111", 50, commune=TREAS))
    house.clock.forward(days=10)
    house.close_round(1)
    house.open_round()
    keep(house, rows_of("4444441111") + rows_of("5555555511", 50, commune=TREAS), 2)
    told = of(read(house, By.COMMUNE, "0108"))
    assert told.change
    assert told.change.points == 70 - 35
    assert [part.change and part.change.points for part in told.parts] == [40, 30]
    assert [part.change and part.change.points for part in of(read(house, By.WHO)).parts][:2] == [None, 40]
    earlier = of(read(house, By.COMMUNE, "0108", 1))
    assert earlier.figures
    assert earlier.figures.percent == 35
    assert earlier.change is None


@pytest.mark.parametrize(
    ("code", "number", "group", "says"),
    [
        ("09", None, None, "no commune of '09' takes part"),
        ("019999", None, None, "no commune of '019999' takes part"),
        ("0%", None, None, "no commune of '0%' takes part"),
        (TREAS, None, None, f"{TREAS} has had no round yet"),
        (WHOLE, 2, None, "the programme has had no round 2 yet"),
        (WHOLE, 10**30, None, "the programme has had no round"),
        (WHOLE, None, 9, "no commune of 'the programme' takes part"),
    ],
)
def test_what_does_not_exist_is_said(
    installation: Installation, code: str, number: int | None, group: int | None, says: str
) -> None:
    installation.open_round(TA_PHOU)
    with pytest.raises(NothingToTell) as problem:
        read(installation, None, code, number, group=group)
    assert str(problem.value).startswith(says)


def test_so_many_communes_are_not_parted_finely(installation: Installation) -> None:
    codes = [f"99{i:04}" for i in range(MOST + 1)]
    with installation.store.write() as db:
        names = {"level": "commune", "unit": "Commune", "name_km": "", "name_en": ""}
        db.execute(insert(places), [{"code": code, **names} for code in codes])
        db.execute(
            insert(communes), [{"code": code, "number": 100 + i, "active": True} for i, code in enumerate(codes)]
        )
    installation.open_round(*codes)
    assert read(installation, By.DISTRICT, "99").by is By.DISTRICT
    for by in (By.WHO, By.WEEK, By.CHANNEL, By.INDICATOR):
        with pytest.raises(TooMany, match="choose a district"):
            read(installation, by, "99")
    with installation.store.write() as db:
        db.execute(update(communes).where(communes.c.code == codes[0]).values(active=False))
    read(installation, By.WHO, "99")


# counted once more ---------------------------------------------------------------------------------

ROWS = st.lists(
    st.builds(
        Row,
        phone=st.integers(0, 25),
        who=st.sampled_from([None, *breakdowns.WHOS]),
        channel=st.sampled_from(["ussd", "ussd", "sms", "assisted"]),
        score=st.sampled_from([1, 2, 3, 4, 4, 5]),
        days=st.sampled_from([0, 1, 7, 8, 15, 27]),
        commune=st.sampled_from([TA_PHOU, TA_PHOU, TREAS]),
    ),
    max_size=90,
    unique_by=lambda row: (row.phone, row.who),
)
PART_OF: Mapping[By, Callable[[Row], str]] = {
    By.WHO: lambda row: row.who or "unsaid",
    By.CHANNEL: lambda row: row.channel,
    By.WEEK: lambda row: breakdowns.written(date(2026, 11, 23) + timedelta(days=row.days)),
}


def may_be_shown(rows: Sequence[Row], minimum: int) -> bool:
    return len({row.phone for row in rows}) >= minimum and len({row.score for row in rows}) > 1


def check(told: Figures, rows: Sequence[Row]) -> None:
    """The same figures, counted from the rows."""
    scores = Counter(row.score for row in rows)
    assert told.counts == tuple(scores[score] for score in (1, 2, 3, 4, 5))
    assert told.n == len(rows)
    assert told.female == sum(row.who in WOMEN for row in rows)
    assert told.young == sum(row.who in YOUNG for row in rows)
    assert 5 <= told.numbers <= len({row.phone for row in rows})


def check_recount(house: Installation, rows: list[Row], minimum: int) -> None:
    keep(house, rows)
    with house.store.write() as db:
        roll(db, house.clock.now.date() + timedelta(days=10))
    for by, part_of in PART_OF.items():
        told = of(read(house, by, minimum=minimum))
        mine = [row for row in rows if row.commune == TA_PHOU]
        rest = mine
        for part in told.parts:
            if part.figures:
                inside = [row for row in mine if part_of(row) == part.key]
                check(part.figures, inside)
                assert may_be_shown(inside, minimum)
                rest = [row for row in rest if row not in inside]
        if told.figures is None:
            assert rest == mine
        elif rest:
            assert may_be_shown(rest, minimum), "the total less the parts shown tells on the rest"
        # above a commune nothing is told but sums of what communes tell
        treas = of(read(house, by, TREAS, minimum=minimum))
        district = of(read(house, by, "0108", minimum=minimum))
        assert [part.figures for part in district.parts] == [
            added(one.figures, other.figures) for one, other in zip(told.parts, treas.parts, strict=True)
        ]
        assert district.figures == added(told.figures, treas.figures)


def added(one: Figures | None, other: Figures | None) -> Figures | None:
    if not (one and other):
        return one or other
    counts = tuple(a + b for a, b in zip(one.counts, other.counts, strict=True))
    return Figures(one.n + other.n, one.numbers + other.numbers, one.female + other.female, counts,
                   one.young + other.young)  # fmt: skip


def test_a_recount_of_the_rows_gives_the_same_figures(house: Installation) -> None:
    @settings(
        max_examples=60 if house.store.is_sqlite else 15,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(rows=ROWS, minimum=st.sampled_from([5, 7, 10]))
    def recount(rows: list[Row], minimum: int) -> None:
        check_recount(house, rows, minimum)

    recount()


# attacked ------------------------------------------------------------------------------------------

_PRIME = 2**61 - 1
Where = tuple[str, str, int]
"""Channel, who and week: the cells that all three breakdowns together cut the answers into."""


def rated(chance: random.Random) -> list[tuple[int, Where, int]]:
    """Phones with what they gave. Volunteers come in one or two weeks and ask some whos, as volunteers do."""
    whos, weeks = ["women", "men", "others"], [1, 2, 3]
    came, asked = chance.sample(weeks, chance.choice([1, 1, 2])), chance.sample(whos, chance.choice([1, 2, 3]))
    channels = chance.choice([["ussd"], ["ussd", "ussd", "sms"]])
    found: dict[tuple[int, str], Where] = {}
    for phone in range(chance.randrange(12, 60)):
        if chance.random() < 0.4:
            who = chance.choice(asked)
            found[phone, who] = ("assisted", who, chance.choice(came))
            continue
        for _ in range(chance.choice([1, 1, 2])):
            who = chance.choices(whos, [5, 3, 1])[0]
            found[phone, who] = (chance.choice(channels), who, chance.choices(weeks, [5, 3, 1])[0])
    return [(phone, where, chance.choice([1, 2, 3, 4, 4, 5])) for (phone, _), where in found.items()]


def cells_of(people: Iterable[tuple[int, Where, int]]) -> dict[Where, Counts]:
    cells: dict[Where, list[int]] = {}
    led = set()
    for phone, where, score in people:
        cell = cells.setdefault(where, [0] * 8)
        cell[score - 1] += 1
        cell[5] += phone not in led
        led.add(phone)
    return {where: tuple(cell) for where, cell in cells.items()}


def unseen(known: list[list[int]]) -> list[list[int]]:
    """What equations leave open: the vectors that change none of them (a basis, modulo a prime)."""
    rows, width, pivots = [row[:] for row in known], len(known[0]), list[int]()
    for column in range(width):
        at = len(pivots)
        found = next((i for i in range(at, len(rows)) if rows[i][column]), None)
        if found is None:
            continue
        rows[at], rows[found] = rows[found], rows[at]
        inverse = pow(rows[at][column], -1, _PRIME)
        rows[at] = [value * inverse % _PRIME for value in rows[at]]
        for i, row in enumerate(rows):
            if i != at and row[column]:
                rows[i] = [(a - row[column] * b) % _PRIME for a, b in zip(row, rows[at], strict=True)]
        pivots.append(column)
    basis = []
    for free in set(range(width)) - set(pivots):
        vector = [0] * width
        vector[free] = 1
        for i, pivot in enumerate(pivots):
            vector[pivot] = -rows[i][free] % _PRIME
        basis.append(vector)
    return basis


def isolated(people: list[tuple[int, Where, int]], minimum: int, most: int = 3) -> Iterator[tuple[Where, ...]]:
    """An attacker who looks at the total and at all three breakdowns, and knows which cells are empty besides.

    Yields the groups of up to so many cells whose answers come out of the equations, and that are too few or alike.
    """
    cells = cells_of(people)
    wheres = list(cells)
    known = [[1] * len(wheres)]
    for place in range(3):
        inner: dict[tuple[Hashable, ...], Counts] = {}
        for where, cell in cells.items():
            inner[where[: place + 1]] = add(inner.get(where[: place + 1], (0,) * 8), cell)
        for part in visible_parts(inner, place + 1, minimum):
            known.append([int(where[place] == part) for where in wheres])
    open_ = unseen(known)
    for size in range(1, min(most, len(wheres) - 1) + 1):
        for group in itertools.combinations(range(len(wheres)), size):
            inside = [one for one in people if one[1] in {wheres[i] for i in group}]
            if len({phone for phone, _, _ in inside}) >= minimum and len({score for _, _, score in inside}) > 1:
                continue
            if all(sum(vector[i] for i in group) % _PRIME == 0 for vector in open_):
                yield tuple(wheres[i] for i in group)


def attack(cases: int) -> int:
    """In how many cases somebody is isolated."""
    hit = 0
    for seed in range(cases):
        people = rated(random.Random(seed))
        if may_show(Cell(total(cells_of(people))[:5], 99), 5):
            hit += any(True for _ in isolated(people, 5))
    return hit


def total(cells: dict[Where, Counts]) -> Counts:
    return tuple(sum(column) for column in zip(*cells.values(), strict=True))


def test_all_breakdowns_together_isolate_nobody() -> None:
    assert attack(400) == 0


def test_the_attack_succeeds_where_breakdowns_do_not_give_way_to_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy, "_exposing", lambda *_: [])
    assert attack(100) > 10


def test_the_attack_succeeds_where_siblings_are_exposed(monkeypatch: pytest.MonkeyPatch) -> None:
    def alone(parts: Sequence[dict[tuple[int, ...], Cell]], minimum: int) -> list[bool]:
        return [may_show(whole(part.values()), minimum) for part in parts]

    monkeypatch.setattr("gateway.scorecard.cells.shown_beside", alone)
    assert attack(100) > 10


def whole(cells: Iterable[Cell]) -> Cell:
    """Cells together."""
    found = list(cells)
    return Cell(tuple(map(sum, zip(*(one.counts for one in found), strict=True))), sum(one.numbers for one in found))


def cell(*counts: int) -> Cell:
    """A count of each score, each from a phone of its own."""
    return Cell(counts, sum(counts))


Parted = Mapping[tuple[int, ...], Cell]
NONE, FEW, MANY, MORE = (cell(0, 0, 0, 0, 0), cell(1, 1, 1, 0, 0), cell(5, 5, 5, 0, 5), cell(9, 9, 9, 0, 9))


@pytest.mark.parametrize(
    ("table", "shown"),
    [
        # parts down, the classes of another breakdown across
        ([[MANY, MANY], [MANY, MANY]], [True, True]),
        ([[MANY, NONE], [NONE, MANY]], [True, True]),  # the same parts by another name
        ([[MANY, FEW], [NONE, MORE]], [False, False]),  # the first less the first class is three phones
        ([[MANY, FEW], [NONE, MORE], [MORE, MORE]], [True, True, True]),  # a third has some of the first class, too
        ([[MANY, MANY], [NONE, MORE]], [True, True]),  # so many are beyond it that nobody is found
        ([[MANY, cell(0, 0, 12, 0, 0)], [NONE, MORE]], [False, False]),  # but not when those are alike
        ([[MANY, FEW, MANY], [FEW, MANY, MORE]], [True, True]),  # nothing lies in one part alone
        ([[MANY, NONE, FEW], [NONE, MANY, NONE], [FEW, FEW, MORE]], [True, False, False]),  # of the second class
        ([[MANY, MANY, NONE], [FEW, NONE, MORE]], [False, False]),  # two classes, but for three phones
    ],
)
def test_a_part_gives_way_where_it_tells_on_a_part_of_another_breakdown(
    table: list[list[Cell]], shown: list[bool]
) -> None:
    parts: list[Parted] = [{(column,): cell for column, cell in enumerate(row)} for row in table]
    assert shown_beside(parts, 10) == shown


def test_a_part_gives_way_to_what_two_other_breakdowns_tell_together() -> None:
    """A week in which all the assisted came, and of the others all the women: less both, it is three phones."""
    week: Parted = {(0, 1): MANY, (1, 0): MANY, (1, 1): FEW}
    others: Parted = {(1, 1): MORE}
    assert shown_beside([week, others], 10) == [False, False]
    assert shown_beside([{**week, (1, 1): MANY}, others], 10) == [True, True]


# the command ---------------------------------------------------------------------------------------


def run(house: Installation, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str]:
    for name in ("data_dir", "database_url"):
        monkeypatch.setenv(name.upper(), str(getattr(house.settings, name)))
    result = CliRunner().invoke(cli, ["tally", *words])
    return result.exit_code, result.output


def test_the_command_tells_parts_as_json(house: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(house, rows_of("1122334455", who="woman-15-30") + rows_of(MIXED, 50, who="man-31"))
    status, out = run(house, monkeypatch, "--commune", TA_PHOU, "--by", "who", "--json")
    assert status == 0
    told = [part for part in json.loads(out) if part["service"] == "health"]
    assert told[0] == {
        "part": "woman-15-30", "part_name": "Woman 15-30", "service": "health", "number": 2, "label": "Health centre",
        "n": 10, "numbers": 10, "female": 10, "counts": [2, 2, 2, 2, 2], "mean": 3.0, "median": 3.0, "satisfied": 0.4,
        "shown": True, "young": 10, "margin": 0.3099, "change": None,
    }  # fmt: skip
    assert told[1] == dict.fromkeys(told[0]) | {
        "part": "woman-31", "part_name": "Woman over 30", "service": "health", "number": 2, "label": "Health centre",
        "shown": False,
    }  # fmt: skip
    status, out = run(house, monkeypatch, "--by", "commune", "--json", "--lang", "km")
    assert {part["part_name"] for part in json.loads(out) if part["shown"]} == {"តាផូ"}


@pytest.mark.parametrize("by", list(By))
def test_the_command_tells_every_breakdown_as_a_table(
    house: Installation, monkeypatch: pytest.MonkeyPatch, by: By
) -> None:
    ask(house, "waiting")
    keep(house, rows_of(MIXED) + rows_of(MIXED, indicator="waiting"))
    status, out = run(house, monkeypatch, "--commune", TA_PHOU, "--by", by.value)
    assert status == 0
    head, *lines, notes = out.strip().splitlines()
    assert head.startswith(f"Ta Phou (010806) by {by}, 2026-11-23 to ")
    assert " ".join(lines[0].split()) == "n female 15-30 1 2 3 4 5 mean median satisfied change"
    assert any(line.startswith("2 Health centre") and line.endswith("3.00       3    40% ±31") for line in lines)
    name = {"commune": "Ta Phou", "district": "Svay Chek", "province": "Banteay Meanchey", "who": "Woman over 30",
            "channel": "USSD", "week": "2026-W48", "indicator": "waiting", "round": "1"}[by]  # fmt: skip
    assert any(line.startswith(f"  {name}") and "40% ±31" in line for line in lines)
    assert "fewer than 10 phones" in notes


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--by", "score"), "'score' is not one of 'commune', 'district', 'province', 'who', 'week', 'channel', "
                            "'indicator', 'round'"),
        (("--by", "who", "--week", "2026-W47"), "one breakdown at a time"),
    ],
)  # fmt: skip
def test_a_wrong_breakdown_is_a_usage_error(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    status, out = run(installation, monkeypatch, *words)
    assert status == 2
    assert says in out


def test_json_of_a_breakdown_has_a_line_for_every_part(house: Installation) -> None:
    told = as_json(read(house, By.WHO))
    assert len(told) == 4 * 6
    assert not any(part["shown"] for part in told)
