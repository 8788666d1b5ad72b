"""Issues of groups: their history, the share solved of a year (DOMAIN.md, table, row 8), lists of them in a file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gateway.contacts.groups import make
from gateway.contacts.sheets import BadFile
from gateway.models.concerns import Solved, group_issues
from gateway.promises import issue_lists, issues
from gateway.promises.issue_lists import day_in
from gateway.promises.issues import Flaw, Issue, Refused, Share, Wanted, shares
from tests.conftest import COMMUNES, Installation

TA_PHOU, TREAS = COMMUNES[2], COMMUNES[3]
TODAY = date(2026, 11, 23)
OPEN, PARTLY, FULLY = Solved.OPEN, Solved.PARTLY, Solved.FULLY
PLAIN = Issue("Ta Phou savings group", "No road to the school", "Commune council", date(2023, 3, 1), TA_PHOU)
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def raise_one(at: Installation, issue: Issue = PLAIN, *changes: tuple[Solved, date]) -> int:
    """An issue that was changed so."""
    with at.store.write() as db:
        made = issues.add(db, issue, TODAY, None, at.clock.now)
        for solved, day in changes:
            issues.change(db, made, solved, day, "", TODAY, None, at.clock.now)
    return made


def one(at: Installation, issue: int) -> Issue:
    with at.store.read() as db:
        found = issues.find(db, issue, TODAY)
    assert found
    return found


# the share of a year ------------------------------------------------------------------------------


def test_the_figures_of_2023_come_out_of_what_was_entered(installation: Installation) -> None:
    """2023: 6 fully and 25 partly of 50 is 62 %; what had been solved before it is not on its list."""
    at = installation
    for i in range(56):
        raised = date(2022, 5, 1) if i < 20 else date(2023, 2, 1)
        changes = []
        if i >= 50:  # solved the year before
            raised, changes = date(2021, 5, 1), [(FULLY, date(2022, 12, 31))]
        elif i % 8 == 0 and i < 48:
            changes = [(PARTLY, date(2023, 4, 1)), (FULLY, date(2023, 12, 31))]
        elif i % 2 and i < 50:
            changes = [(PARTLY, date(2023, 6, 1))]
        else:
            changes = [(FULLY, date(2024, 1, 1))]  # too late for 2023
        raise_one(at, replace(PLAIN, subject=f"Issue {i}", since=raised), *changes)
    with at.store.read() as db:
        found = {share.year: share for share in issues.shares_of(db, Wanted(), TODAY)}
        listed = issues.listed(db, Wanted(year=2023), TODAY)
    assert found[2023].counts == {FULLY: 6, PARTLY: 25, OPEN: 19}
    assert (found[2023].listed, found[2023].percent, found[2023].is_over) == (50, 62, True)
    assert sorted(issue.solved for issue in listed) == sorted([FULLY] * 6 + [PARTLY] * 25 + [OPEN] * 19)
    assert (found[2024].listed, found[2024].counts[FULLY]) == (44, 19)
    assert (found[2026].listed, found[2026].is_over) == (25, False)
    assert 2020 not in found


@pytest.mark.parametrize(
    ("days", "years"),
    [
        ([(date(2023, 1, 1), OPEN)], {2023: OPEN, 2024: OPEN, 2025: OPEN, 2026: OPEN}),
        ([(date(2023, 12, 31), OPEN)], {2023: OPEN, 2024: OPEN, 2025: OPEN, 2026: OPEN}),
        ([(date(2023, 1, 1), OPEN), (date(2023, 12, 31), FULLY)], {2023: FULLY}),
        ([(date(2023, 1, 1), OPEN), (date(2024, 1, 1), FULLY)], {2023: OPEN, 2024: FULLY}),
        ([(date(2024, 6, 1), OPEN), (date(2024, 6, 1), PARTLY)], {2024: PARTLY, 2025: PARTLY, 2026: PARTLY}),
        # solved, then not after all: back on the list in the year after
        ([(date(2023, 1, 1), OPEN), (date(2023, 2, 1), FULLY), (date(2025, 3, 1), OPEN)], {2023: FULLY, 2026: OPEN}),
        ([(TODAY, OPEN)], {2026: OPEN}),
    ],
)
def test_a_year_lists_what_was_raised_by_its_end_and_not_solved_before_it(
    days: list[tuple[date, Solved]], years: dict[int, Solved]
) -> None:
    found = {share.year: share.counts for share in shares([days], TODAY)}
    assert {year: next(state for state, n in counts.items() if n) for year, counts in found.items()} == years


def test_nothing_raised_is_no_share() -> None:
    assert shares([], TODAY) == []
    assert Share(2023, {FULLY: 1, PARTLY: 1, OPEN: 1}).percent == 67


_days = st.dates(date(2019, 1, 1), TODAY)


@st.composite
def _histories(draw: st.DrawFn) -> list[list[tuple[date, Solved]]]:
    made = []
    for _ in range(draw(st.integers(0, 12))):
        days = sorted(draw(st.lists(_days, min_size=1, max_size=5)))
        states = [OPEN, *draw(st.lists(st.sampled_from(Solved), min_size=len(days) - 1, max_size=len(days) - 1))]
        made.append(list(zip(days, states, strict=True)))
    return made


@settings(max_examples=300, deadline=None)
@given(_histories())
def test_every_year_is_as_a_recount_day_by_day_has_it(histories: list[list[tuple[date, Solved]]]) -> None:
    """Each issue is walked through day by day, and looked at on the last days of the years."""
    seen: dict[int, dict[Solved, int]] = {}
    for days in histories:
        state: Solved | None = None
        at_end: dict[int, Solved | None] = {2018: None}
        day = date(2019, 1, 1)
        while day <= TODAY:
            for since, solved in days:
                if since == day:
                    state = solved
            if (day.month, day.day) == (12, 31) or day == TODAY:
                at_end[day.year] = state
            day += timedelta(days=1)
        for year in range(2019, 2027):
            ended = at_end[year]
            if ended is not None and at_end[year - 1] is not FULLY:
                seen.setdefault(year, dict.fromkeys(Solved, 0))[ended] += 1
    assert {share.year: share.counts for share in shares(histories, TODAY)} == seen


# one issue ----------------------------------------------------------------------------------------


def test_an_issue_is_open_since_it_was_raised_and_changes_by_its_history(installation: Installation) -> None:
    issue = raise_one(installation)
    assert replace(one(installation, issue), id=0, place=None) == replace(PLAIN, solved_on=date(2023, 3, 1))
    with installation.store.write() as db:
        issues.change(db, issue, PARTLY, date(2023, 9, 1), " half\n of it ", TODAY, None, installation.clock.now)
        issues.change(db, issue, FULLY, date(2024, 2, 1), "", TODAY, None, installation.clock.now)
        told = [(entry.solved, entry.day, entry.note, entry.is_first) for entry in issues.history(db, issue)]
        assert db.scalar(select(group_issues.c.solved)) == FULLY
    assert told == [
        (FULLY, date(2024, 2, 1), "", False),
        (PARTLY, date(2023, 9, 1), "half of it", False),
        (OPEN, date(2023, 3, 1), "", True),
    ]
    assert (one(installation, issue).solved, one(installation, issue).solved_on) == (FULLY, date(2024, 2, 1))


def test_an_entry_that_was_wrong_is_taken_out(installation: Installation) -> None:
    issue = raise_one(installation, PLAIN, (PARTLY, date(2023, 9, 1)), (FULLY, date(2023, 10, 1)))
    with installation.store.write() as db:
        full, partly, first = issues.history(db, issue)
        assert issues.take_out(db, issue, full.id, installation.clock.now)
        assert not issues.take_out(db, issue, full.id, installation.clock.now)
        assert not issues.take_out(db, issue, first.id, installation.clock.now)
        assert db.scalar(select(group_issues.c.solved)) == PARTLY
        other = issues.add(db, replace(PLAIN, subject="Another"), TODAY, None, installation.clock.now)
        assert not issues.take_out(db, other, partly.id, installation.clock.now)


def test_a_later_entry_may_be_of_an_earlier_day(installation: Installation) -> None:
    issue = raise_one(installation, PLAIN, (FULLY, date(2024, 9, 1)), (PARTLY, date(2023, 9, 1)))
    assert one(installation, issue).solved is FULLY
    with installation.store.read() as db:
        assert {share.year: share.counts[PARTLY] for share in issues.shares_of(db, Wanted(), TODAY)} == {
            2024: 0,
            2023: 1,
        }


def test_two_on_one_day_the_later_entry_counts(installation: Installation) -> None:
    issue = raise_one(installation, PLAIN, (FULLY, date(2024, 9, 1)), (PARTLY, date(2024, 9, 1)))
    assert one(installation, issue).solved is PARTLY
    raise_again = (FULLY, date(2024, 9, 1))
    with installation.store.write() as db:
        issues.change(db, issue, *raise_again, "", TODAY, None, installation.clock.now)
    assert one(installation, issue).solved is FULLY


def test_the_same_issue_twice_is_one(installation: Installation) -> None:
    assert raise_one(installation) == raise_one(installation)
    assert raise_one(installation) != raise_one(installation, replace(PLAIN, commune=None))


def test_one_that_comes_with_its_state_has_both_entries(installation: Installation) -> None:
    issue = raise_one(installation, replace(PLAIN, solved=PARTLY, solved_on=date(2023, 5, 1)))
    with installation.store.read() as db:
        assert [entry.solved for entry in issues.history(db, issue)] == [PARTLY, OPEN]


def test_a_group_of_contacts_is_known_by_its_name(installation: Installation) -> None:
    with installation.store.write() as db:
        group = make(db, "Savings", installation.clock.now)
    raise_one(installation, replace(PLAIN, raised_by="savings"))
    with installation.store.read() as db:
        assert db.scalar(select(group_issues.c.group_id)) == group


@pytest.mark.parametrize(
    ("changes", "flaws"),
    [
        ({"subject": "  "}, {"subject": Flaw.EMPTY}),
        ({"raised_by": "", "to_whom": "—"}, {"raised_by": Flaw.EMPTY, "to_whom": Flaw.EMPTY}),
        ({"subject": "x" * 301}, {"subject": Flaw.TOO_LONG}),
        ({"done": "x" * 1001}, {"done": Flaw.TOO_LONG}),
        ({"since": None}, {"since": Flaw.NO_DAY}),
        ({"since": TODAY + timedelta(days=1)}, {"since": Flaw.FUTURE}),
        ({"since": date(1889, 5, 1)}, {"since": Flaw.LONG_AGO}),
        ({"commune": "999999"}, {"commune": Flaw.COMMUNE}),
        ({"commune": "010101"}, {"commune": Flaw.COMMUNE}),
        ({"solved": PARTLY}, {"solved_on": Flaw.NO_DAY}),
        ({"solved": PARTLY, "solved_on": date(2023, 2, 28)}, {"solved_on": Flaw.BEFORE_RAISED}),
        ({"solved": FULLY, "solved_on": TODAY + timedelta(days=1)}, {"solved_on": Flaw.FUTURE}),
    ],
)  # fmt: skip
@on_one_database
def test_what_is_wrong_with_an_issue_is_said_field_by_field(
    installation: Installation, changes: dict[str, object], flaws: dict[str, Flaw]
) -> None:
    with pytest.raises(Refused) as refused:
        raise_one(installation, replace(PLAIN, **changes))  # type: ignore[arg-type]
    assert refused.value.flaws == flaws
    with installation.store.read() as db:
        assert issues.listed(db, Wanted(), TODAY) == []


@pytest.mark.parametrize(
    ("solved", "day", "note", "flaws"),
    [
        (FULLY, None, "", {"day": Flaw.NO_DAY}),
        (FULLY, TODAY + timedelta(days=1), "", {"day": Flaw.FUTURE}),
        (FULLY, date(2023, 2, 28), "", {"day": Flaw.BEFORE_RAISED}),
        (OPEN, date(2023, 3, 2), "", {"solved": Flaw.SAME}),
        (PARTLY, date(2023, 9, 2), "", {"solved": Flaw.SAME}),
        (FULLY, TODAY, "x" * 301, {"note": Flaw.TOO_LONG}),
    ],
)
@on_one_database
def test_what_is_wrong_with_a_change_is_said(
    installation: Installation, solved: Solved, day: date | None, note: str, flaws: dict[str, Flaw]
) -> None:
    issue = raise_one(installation, PLAIN, (PARTLY, date(2023, 9, 1)))
    with installation.store.write() as db, pytest.raises(Refused) as refused:
        issues.change(db, issue, solved, day, note, TODAY, None, installation.clock.now)
    assert refused.value.flaws == flaws
    with installation.store.read() as db:
        assert len(issues.history(db, issue)) == 2


@on_one_database
def test_the_same_state_with_a_note_is_news(installation: Installation) -> None:
    issue = raise_one(installation)
    with installation.store.write() as db:
        issues.change(db, issue, OPEN, TODAY, "asked again", TODAY, None, installation.clock.now)
        assert [entry.note for entry in issues.history(db, issue)] == ["asked again", ""]
    assert one(installation, issue).solved_on == date(2023, 3, 1)  # it stands so since then


@on_one_database
def test_editing_moves_the_day_it_was_raised_but_not_behind_its_changes(installation: Installation) -> None:
    issue = raise_one(installation, PLAIN, (PARTLY, date(2023, 9, 1)))
    changed = replace(PLAIN, id=issue, subject="A road", since=date(2023, 8, 31), commune=None, done="Two\r\nlines ")
    with installation.store.write() as db:
        issues.edit(db, changed, TODAY, installation.clock.now)
        assert issues.history(db, issue)[-1].day == date(2023, 8, 31)
    assert (one(installation, issue).subject, one(installation, issue).done) == ("A road", "Two\nlines")
    assert one(installation, issue).solved is PARTLY
    with installation.store.write() as db, pytest.raises(Refused) as refused:
        issues.edit(db, replace(changed, since=date(2023, 9, 2)), TODAY, installation.clock.now)
    assert refused.value.flaws == {"since": Flaw.AFTER_CHANGES}


@on_one_database
def test_lists_are_by_year_state_commune_and_group(installation: Installation) -> None:
    first = raise_one(installation, PLAIN, (FULLY, date(2023, 9, 1)))
    second = raise_one(installation, replace(PLAIN, raised_by="Youth", since=date(2024, 1, 1), commune=TREAS))
    third = raise_one(installation, replace(PLAIN, raised_by="Youth", since=date(2022, 1, 1), commune=None))

    def ids(**wanted: object) -> list[int]:
        with installation.store.read() as db:
            return [issue.id for issue in issues.listed(db, Wanted(**wanted), TODAY)]  # type: ignore[arg-type]

    assert ids() == [second, first, third]
    assert ids(year=2023) == [first, third]
    assert ids(year=2024) == [second, third]
    assert ids(year=2023, solved=FULLY) == [first]
    assert ids(year=2023, solved=OPEN) == [third]
    assert ids(solved=FULLY) == [first]
    assert ids(commune=TREAS) == [second]
    assert ids(raised_by="Youth") == [second, third]
    assert ids(within={TA_PHOU}) == [first]
    with installation.store.write() as db:
        assert issues.groups_of(db) == ["Ta Phou savings group", "Youth"]
        assert issues.groups_of(db, {TREAS}) == ["Youth"]
        issues.remove(db, first)
        assert issues.history(db, first) == []
    assert ids() == [second, third]


# lists in a file ----------------------------------------------------------------------------------

HEAD = "Group,Commune,Issue,To whom,Raised on,State,State since,What was done"


def read(at: Installation, *lines: str, head: str = HEAD) -> issue_lists.Reading:
    with at.store.read() as db:
        return issue_lists.read(db, issue_lists.sheet("x.csv", "\n".join((head, *lines)).encode()), TODAY)


@on_one_database
def test_a_list_is_read_line_by_line(installation: Installation) -> None:
    found = read(
        installation,
        "Savings,Ta Phou,No road,Council,2023-05-31,partly,01/09/2023,Half of it",
        "Youth,,No light,District,៣១/៥/២០២៣,,,",
        "Youth,10807,No water,District,31.5.2023,Solved,2024-01-01,",
    )
    assert found.issues == (
        Issue("Savings", "No road", "Council", date(2023, 5, 31), TA_PHOU, "Half of it", PARTLY, date(2023, 9, 1)),
        Issue("Youth", "No light", "District", date(2023, 5, 31)),
        Issue("Youth", "No water", "District", date(2023, 5, 31), TREAS, "", FULLY, date(2024, 1, 1)),
    )


@on_one_database
@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        ([",,No road,Council,2023-05-31,,,"], ["line 2, Group: this is missing"]),
        (["A,,B,C,May 2023,,,"], ["line 2, Raised on: 'May 2023' is no day; write it as 2023-05-31, or as 31/05/2023"]),
        (["A,,B,C,2030-01-01,,,"], ["line 2, Raised on: this day is still to come"]),
        (["A,,B,C,2023-01-01,partly,2022-01-01,"],
         ["line 2, State since: this is before the day on which it was raised"]),
        (["A,,B,C,2023-01-01,partly,,"], ["line 2, State since: give a day"]),
        (["A,,B,C,2023-01-01,done,,"], ["line 2, State: 'done' is no state; write open, partly or fully"]),
        (["A,Nowhere,B,C,2023-01-01,,,"],
         ["line 2, Commune: 'Nowhere' is no commune that is known here; write its code of 6 digits or its name"]),
        (["A,,B,C,2023-01-01,,,", "a,,b.,c,1/1/2023,,,"], ["line 3: line 2 is the same issue"]),
        (["A,,B,C,2023-01-01,,,", f",,{'x' * 301},C,2023-01-01,,,"],
         ["line 3, Group: this is missing", "line 3, Issue: longer than 300 characters"]),
        ([], ["the file has a header and no line below it"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_list_is_said_by_line_and_column(
    installation: Installation, lines: list[str], problems: list[str]
) -> None:
    with pytest.raises(BadFile) as bad:
        read(installation, *lines)
    assert [str(problem) for problem in bad.value.problems] == problems


@on_one_database
def test_a_list_without_its_columns_says_which(installation: Installation) -> None:
    with pytest.raises(BadFile) as bad:
        read(installation, "a,b", head="Group,Subject")
    assert str(bad.value.problems[0]) == "line 1: there is no column to whom, since"


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("2023-05-31", date(2023, 5, 31)), ("31/5/2023", date(2023, 5, 31)), ("២០២៣-០៥-៣១", date(2023, 5, 31)),
        ("2023-02-30", None), ("31/5/23", None), ("May", None), ("", None),
    ],
)  # fmt: skip
def test_days_as_spreadsheets_write_them(cell: str, day: date | None) -> None:
    assert day_in(cell) == day
