"""Figures: from what people pressed to what staff read, on both databases."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import mean, median

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from gateway.models.answers import OVERALL, answers
from gateway.models.places import communes
from gateway.models.services import services
from gateway.providers.base import UssdStep
from gateway.scorecard.tallies import NothingToTell, ServiceTally, Tally, as_json, monday, tallies
from tests.conftest import COMMUNES, Installation

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
HIDDEN = {"n": None, "numbers": None, "female": None, "counts": None, "mean": None, "median": None, "satisfied": None}
WHO = {"1": "woman-15-30", "2": "woman-31", "3": "man-15-30", "4": "man-31", "6": "other", "7": "unsaid"}
WOMEN = {"woman-15-30", "woman-31"}


@pytest.fixture
def house(installation: Installation) -> Installation:
    """With an open round in all four communes."""
    installation.open_round()
    return installation


def number(index: int) -> str:
    """Numbers that are not assigned (DOMAIN.md, Phones)."""
    return f"+85510{index:06d}"


def rate(house: Installation, caller: int, *paths: str, commune: str = "3") -> None:
    """Somebody dials, from welcome to thanks: each path is a service, a score and a who (`2*5*1`)."""
    for path in paths:
        house.clock.forward(seconds=1)
        talks = house.conversations()
        session = f"{caller}-{house.clock.now.isoformat()}"
        dialled = tuple(path.split("*"))
        screen = talks.ussd(UssdStep("africastalking", session, number(caller), path=dialled))
        if "3 EN" in screen.text:  # the first time: welcome and commune
            talks.ussd(UssdStep("africastalking", session, number(caller), path=(*dialled, "1", commune)))


def read(house: Installation, round_: int | None = None, week: str | None = None, commune: str = TA_PHOU) -> Tally:
    with house.store.read() as db:
        minimum = house.settings.min_raters
        today = house.clock.now.astimezone(house.settings.zone).date()
        return tallies(db, commune, round_, minimum, today, monday(week) if week else None)[0]


def of(tally: Tally, service: str) -> ServiceTally:
    return next(each for each in tally.services if each.service == service)


# what is told --------------------------------------------------------------------------------------


def test_the_figures_of_a_round_are_those_that_people_gave(house: Installation) -> None:
    scores = "112223334455"  # six of twelve at 3 or below in the middle: the median lies between 3 and 3
    for caller, (score, who) in enumerate(zip(scores, "112233446677", strict=True), 1):
        rate(house, caller, f"2*{score}*{who}")
    assert as_json(read(house)) == {
        "commune": TA_PHOU,
        "commune_name": "Ta Phou",
        "round": 1,
        "from": "2026-11-23",
        "to": "2026-11-23",
        "services": [
            {"service": "office", "number": 1, "label": "Commune office", **HIDDEN, "shown": False},
            {
                "service": "health",
                "number": 2,
                "label": "Health centre",
                "n": 12,
                "numbers": 12,
                "female": 4,
                "counts": [2, 3, 3, 2, 2],
                "mean": 2.9167,  # 35 of 12
                "median": 3.0,
                "satisfied": 0.3333,  # 4 of 12
                "shown": True,
            },
            {"service": "school", "number": 3, "label": "Primary school", **HIDDEN, "shown": False},
            {"service": "window", "number": 4, "label": "One-window office", **HIDDEN, "shown": False},
        ],
    }


@pytest.mark.parametrize(
    ("scores", "counts", "mean_", "median_", "satisfied", "margin"),
    [
        ("1111155555", [5, 0, 0, 0, 5], 3.0, 3.0, 0.5, 0.31),
        ("2222244444", [0, 5, 0, 5, 0], 3.0, 3.0, 0.5, 0.31),
        ("33333444445", [0, 0, 5, 5, 1], 3.6364, 4.0, 0.5455, 0.30),
        ("3333344444", [0, 0, 5, 5, 0], 3.5, 3.5, 0.5, 0.31),
        ("12345123451234512345123", [5, 5, 5, 4, 4], 2.8696, 3.0, 0.3478, 0.20),  # the margin in DOMAIN.md
        ("1222222222", [1, 9, 0, 0, 0], 1.9, 2.0, 0.0, 0.31),
    ],
)
def test_measures(
    house: Installation, scores: str, counts: list[int], mean_: float, median_: float, satisfied: float, margin: float
) -> None:
    for caller, score in enumerate(scores, 1):
        rate(house, caller, f"2*{score}*1")
    tally = read(house)
    figures = of(tally, "health").figures
    assert figures is not None
    assert round(figures.margin, 2) == margin
    told = as_json(tally)["services"][1]
    assert {key: told[key] for key in ("n", "counts", "mean", "median", "satisfied")} == {
        "n": len(scores), "counts": counts, "mean": mean_, "median": median_, "satisfied": satisfied,
    }  # fmt: skip


def test_names_come_in_the_language_asked_for(house: Installation) -> None:
    tally = read(house)
    assert as_json(tally, "km")["commune_name"] == "តាផូ"
    assert [service["label"] for service in as_json(tally, "km-Latn")["services"]][:2] == [
        "Rothbal khum", "Mondol sokhapheap",
    ]  # fmt: skip
    json.dumps(as_json(tally, "km"))


def test_a_rating_counts_in_the_commune_it_was_given_for(house: Installation) -> None:
    for caller in range(1, 11):
        rate(house, caller, f"2*{caller % 5 + 1}*1", commune="1")
    assert of(read(house, commune=PONLEY), "health").figures is not None
    assert of(read(house), "health").figures is None


def test_what_was_scored_before_hanging_up_counts_and_is_no_womans(house: Installation) -> None:
    for caller in range(1, 11):
        rate(house, caller, f"2*{caller % 5 + 1}")
    figures = of(read(house), "health").figures
    assert figures is not None
    assert (figures.n, figures.numbers, figures.female) == (10, 10, 0)


def test_the_last_answer_wins(house: Installation) -> None:
    for caller in range(1, 12):
        rate(house, caller, "2*1*1", f"2*{4 + caller % 2}*1")
    figures = of(read(house), "health").figures
    assert figures is not None
    assert figures.counts == (0, 0, 0, 5, 6)


def test_who_is_under_15_or_withdraws_is_not_counted(house: Installation) -> None:
    for caller in range(1, 13):
        rate(house, caller, f"2*{caller % 5 + 1}*1")
    rate(house, 13, "2*5*5")
    withdrawing = ("8", "9", "1", "1")  # menu, more, withdraw, yes
    for step in range(5):
        house.conversations().ussd(UssdStep("africastalking", "s12", number(12), path=withdrawing[:step]))
    figures = of(read(house), "health").figures
    assert figures is not None
    assert figures.n == 11


# what is not told ----------------------------------------------------------------------------------


def test_nine_numbers_are_not_shown_and_ten_are(house: Installation) -> None:
    for caller in range(1, 10):
        rate(house, caller, f"2*{caller % 5 + 1}*1")
    assert as_json(read(house))["services"][1] == {
        "service": "health", "number": 2, "label": "Health centre", **HIDDEN, "shown": False,
    }  # fmt: skip
    rate(house, 10, "2*1*1")
    assert as_json(read(house))["services"][1]["n"] == 10


def test_two_who_share_a_phone_are_two_raters_and_one_number(house: Installation) -> None:
    for caller in range(1, 10):
        rate(house, caller, f"2*{caller % 5 + 1}*1", "2*3*3")
    assert of(read(house), "health").figures is None  # eighteen raters, nine numbers
    rate(house, 10, "2*5*2")
    figures = of(read(house), "health").figures
    assert figures is not None
    assert (figures.n, figures.numbers, figures.female) == (19, 10, 10)


def test_two_alike_on_one_phone_are_one_rater(house: Installation) -> None:
    for caller in range(1, 11):
        rate(house, caller, "2*1*2", f"2*{caller % 5 + 1}*2")
    figures = of(read(house), "health").figures
    assert figures is not None
    assert (figures.n, figures.numbers) == (10, 10)


@pytest.mark.parametrize("score", "12345")
def test_unanimous_answers_are_not_shown(house: Installation, score: str) -> None:
    for caller in range(1, 13):
        rate(house, caller, f"2*{score}*1")
    assert of(read(house), "health").figures is None


def test_no_setting_shows_fewer_than_five_numbers(house: Installation) -> None:
    for caller in range(1, 5):
        rate(house, caller, f"2*{caller}*1")
    with house.store.read() as db:
        assert of(tallies(db, TA_PHOU, None, 1, house.clock.now.date())[0], "health").figures is None
    rate(house, 5, "2*5*1")
    with house.store.read() as db:
        assert of(tallies(db, TA_PHOU, None, 1, house.clock.now.date())[0], "health").figures is not None


# weeks ---------------------------------------------------------------------------------------------


def weeks(house: Installation, *raters: int) -> None:
    """So many numbers rate in each week from the first on, with scores that differ."""
    caller = 100
    for many in raters:
        for index in range(many):
            rate(house, caller, f"2*{index % 5 + 1}*1")
            caller += 1
        house.clock.forward(days=7)


def shown_weeks(house: Installation) -> list[int | None]:
    figures = [of(read(house, week=f"2026-W{week}"), "health").figures for week in (48, 49, 50, 51)]
    return [each.n if each else None for each in figures]


@pytest.mark.parametrize(
    ("raters", "shown"),
    [
        ((10, 0, 12, 0), [10, None, 12, None]),
        ((10, 11, 12, 13), [10, 11, 12, 13]),
        ((9, 0, 0, 0), [None, None, None, None]),
        # three alone, and the round less the shown week would tell what they said: then that week is hidden as well
        ((10, 3, 0, 0), [None, None, None, None]),
        # the smallest of those shown goes with them
        ((12, 3, 11, 14), [12, None, None, 14]),
        # hidden together they are not ten of which one can be certain: the largest part counts
        ((9, 9, 20, 0), [None, None, None, None]),
    ],
)
def test_a_week_is_shown_when_the_rest_of_the_round_stays_hidden_too(
    house: Installation, raters: tuple[int, ...], shown: list[int | None]
) -> None:
    weeks(house, *raters)
    assert shown_weeks(house) == shown


def test_a_week_is_told_by_its_dates_and_an_empty_one_shows_nothing(house: Installation) -> None:
    weeks(house, 10)
    told = as_json(read(house, week="2026-W48"))
    assert (told["from"], told["to"], told["services"][1]["n"]) == ("2026-11-23", "2026-11-29", 10)
    told = as_json(read(house, week="2027-W01"))
    assert (told["from"], told["to"]) == ("2027-01-04", "2027-01-10")
    assert not any(service["shown"] for service in told["services"])


def test_a_day_is_a_day_in_cambodia(house: Installation) -> None:
    """Sunday evening in London is Monday in Phnom Penh: another week."""
    house.clock.now = datetime(2026, 11, 29, 16, 59, tzinfo=UTC)
    for caller in range(1, 11):
        house.clock.now = datetime(2026, 11, 29, 16, 59, 0, caller, tzinfo=UTC)
        rate(house, caller, f"2*{caller % 5 + 1}*1")
        house.clock.now = datetime(2026, 11, 29, 17, 0, 0, caller, tzinfo=UTC)
        rate(house, caller + 20, f"2*{caller % 5 + 1}*1")
    assert shown_weeks(house)[:2] == [10, 10]


@pytest.mark.parametrize("week", ["2026-47", "2026-W54", "2026-W00", "W47", "2026W47", "next", "", "x-W1", "2026-W"])
def test_what_is_no_week_is_refused(week: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the caller says what is wrong)
        monday(week)


def test_weeks_begin_on_mondays_and_are_counted_as_iso_does() -> None:
    assert [monday(week) for week in ("2026-W01", "2026-W53", "2027-W01")] == [
        date(2025, 12, 29), date(2026, 12, 28), date(2027, 1, 4),
    ]  # fmt: skip


# rounds and communes ------------------------------------------------------------------------------


def test_an_earlier_round_is_told_by_its_number_and_the_open_one_without(house: Installation) -> None:
    for caller in range(1, 11):
        rate(house, caller, f"2*{caller % 5 + 1}*1")
    house.clock.forward(days=10)
    house.close_round(1)
    house.clock.forward(days=1)
    assert read(house).round == 1  # the last, as long as none is open
    house.open_round(TA_PHOU)
    house.clock.forward(days=2)
    first, now = as_json(read(house, 1)), as_json(read(house))
    assert (first["from"], first["to"], first["services"][1]["n"]) == ("2026-11-23", "2026-12-03", 10)
    assert (now["round"], now["from"], now["to"]) == (2, "2026-12-04", "2026-12-06")
    assert not any(service["shown"] for service in now["services"])


def test_a_service_switched_off_in_the_middle_keeps_its_figures(house: Installation) -> None:
    for caller in range(1, 11):
        rate(house, caller, f"2*{caller % 5 + 1}*1")
    with house.store.write() as db:
        db.execute(update(services).where(services.c.id == "health").values(active=False))
    assert of(read(house), "health").figures is not None


def test_all_communes_that_had_a_round_are_told_in_their_order(installation: Installation) -> None:
    installation.open_round(TREAS, PONLEY)
    with installation.store.read() as db:
        found = tallies(db, None, None, 10, installation.clock.now.date())
    assert [tally.commune for tally in found] == [PONLEY, TREAS]


@pytest.mark.parametrize(
    ("commune", "round_", "says"),
    [
        ("019999", None, f"commune '019999' takes no part; those that do: {PONLEY}, {TEAN_KAM}, {TREAS}"),
        ("", None, f"commune '' takes no part; those that do: {PONLEY}, {TEAN_KAM}, {TREAS}"),
        (TA_PHOU, None, "commune '010806' takes no part"),  # switched off
        (TEAN_KAM, None, "commune 010407 has had no round yet"),
        (PONLEY, 2, "commune 010303 has had no round 2 yet"),
    ],
)
def test_what_does_not_exist_is_said_and_what_does(
    installation: Installation, commune: str, round_: int | None, says: str
) -> None:
    installation.open_round(PONLEY)
    with installation.store.write() as db:
        db.execute(update(communes).where(communes.c.code == TA_PHOU).values(active=False))
    with installation.store.read() as db, pytest.raises(NothingToTell) as problem:
        tallies(db, commune, round_, 10, installation.clock.now.date())
    assert str(problem.value).startswith(says)


# counted once more ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A rating as the table keeps it."""

    phone: int
    who: str | None
    service: str
    score: int
    days: int


ROWS = st.lists(
    st.builds(
        Row,
        phone=st.integers(0, 14),
        who=st.sampled_from([None, *WHO.values()]),
        service=st.sampled_from(["health", "school"]),
        score=st.sampled_from([1, 2, 3, 4, 4, 5]),
        days=st.integers(0, 27),
    ),
    max_size=80,
    unique_by=lambda row: (row.phone, row.who, row.service),
)
TEN_AND_ONE = [Row(phone, None, "health", phone % 5 + 1, 0 if phone < 10 else 7) for phone in range(11)]


def keep(house: Installation, rows: list[Row]) -> None:
    first = house.clock.now.date()
    with house.store.write() as db:
        db.execute(delete(answers))
        leads = {(row.phone, row.service): row for row in reversed(rows)}
        values = [
            {
                "lead": leads[row.phone, row.service] is row, "round_id": 1, "service_id": row.service,
                "rater": f"{row.phone}{row.who}".encode()[:16].ljust(16), "indicator": OVERALL,
                "phone": bytes([row.phone]) * 16, "who": row.who, "commune": TA_PHOU,
                "score": row.score, "day": first + timedelta(days=row.days), "channel": "ussd",
            }
            for row in rows
        ]  # fmt: skip
        if values:
            db.execute(answers.insert(), values)


def may_be_shown(rows: list[Row], minimum: int) -> bool:
    return len({row.phone for row in rows}) >= minimum and len({row.score for row in rows}) > 1


def check_recount(house: Installation, rows: list[Row], minimum: int) -> None:
    keep(house, rows)
    first, today = house.clock.now.date(), house.clock.now.date() + timedelta(days=27)
    with house.store.read() as db:
        whole = tallies(db, TA_PHOU, None, minimum, today)[0]
        by_week = [tallies(db, TA_PHOU, None, minimum, today, first + timedelta(days=7 * w))[0] for w in range(4)]
    for service in ("office", "health", "school"):
        mine = [row for row in rows if row.service == service]
        check(of(whole, service), mine, shown=may_be_shown(mine, minimum))
        hidden: list[Row] = []
        some = False
        for week, tally in enumerate(by_week):
            part = [row for row in mine if row.days // 7 == week]
            figures = of(tally, service)
            check(figures, part, shown=figures.figures is not None, whole=False)
            some |= figures.figures is not None
            if figures.figures is None:
                hidden += part
            else:
                assert may_be_shown(part, minimum)
        if some and hidden:
            assert may_be_shown(hidden, minimum), "the round less the weeks shown tells on the rest"


def check(told: ServiceTally, rows: list[Row], *, shown: bool, whole: bool = True) -> None:
    """The same figures, counted from the rows."""
    assert (told.figures is not None) == shown
    if told.figures is None:
        return
    scores = [row.score for row in rows]
    count = Counter(scores)
    assert told.figures.n == len(rows)
    numbers = len({row.phone for row in rows})
    assert told.figures.numbers == numbers if whole else 5 <= told.figures.numbers <= numbers
    assert told.figures.female == sum(row.who in WOMEN for row in rows)
    assert told.figures.counts == tuple(count[score] for score in (1, 2, 3, 4, 5))
    assert told.figures.mean == pytest.approx(mean(scores))
    assert told.figures.median == median(scores)
    assert told.figures.satisfied == pytest.approx(sum(score >= 4 for score in scores) / len(rows))


def test_a_recount_of_the_rows_gives_the_same_figures(house: Installation) -> None:
    @settings(
        max_examples=120 if house.store.is_sqlite else 40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @example(rows=[], minimum=10)
    @example(rows=TEN_AND_ONE, minimum=10)
    @given(rows=ROWS, minimum=st.sampled_from([5, 7, 10]))
    def recount(rows: list[Row], minimum: int) -> None:
        check_recount(house, rows, minimum)

    recount()
