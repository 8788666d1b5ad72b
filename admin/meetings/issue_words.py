"""What the pages about issues share: states in words and colours, what is wrong with one, the one of an address."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from flask import abort
from sqlalchemy import Connection

from gateway.contacts.sheets import Problem
from gateway.menus.phrases import Words
from gateway.models.concerns import Solved
from gateway.promises import issues
from gateway.promises.issue_lists import ListFlaw
from gateway.promises.issues import Flaw, Issue

_ = Words

LAST_ID = 2**31 - 1
STATES: Mapping[Solved, Words] = {
    Solved.FULLY: _("Fully solved"),
    Solved.PARTLY: _("Partly solved"),
    Solved.OPEN: _("Not solved"),
}
"""How far an issue is solved, in the order of a bar."""
COLOURS: Mapping[Solved, str] = {Solved.FULLY: "s5", Solved.PARTLY: "s4", Solved.OPEN: "s3"}
"""Of the parts of a bar (panel.css)."""
FLAWS: Mapping[str, Words] = {
    Flaw.EMPTY: _("This is missing."),
    Flaw.TOO_LONG: _("Too long: at most {most} characters."),
    Flaw.NO_DAY: _("Give a day."),
    Flaw.FUTURE: _("This day is still to come."),
    Flaw.LONG_AGO: _("This day is before 1990. Is the year right?"),
    Flaw.BEFORE_RAISED: _("This is before the day on which it was raised."),
    Flaw.AFTER_CHANGES: _("There is a change of it before this day. Take that out of its history first."),
    Flaw.SAME: _("It stands so already. Note what is new, or change nothing."),
    Flaw.COMMUNE: _("Choose a commune of the programme."),
    ListFlaw.NO_COLUMNS: _("There is no column {columns}. Is the first line the header?"),
    ListFlaw.NO_LINES: _("The file has a header and no line below it."),
    ListFlaw.TOO_MANY: _("More than {most} issues. Bring them in two files."),
    ListFlaw.STATE: _("{cell} is no state. Write open, partly or fully."),
    ListFlaw.DAY: _("{cell} is no day. Write it as 2023-05-31, or as 31/05/2023."),
    ListFlaw.TWICE: _("Line {line} is the same issue."),
}
"""What can be wrong with an issue, or a list of them; with a file as such: `flaws`."""


def said(flaws: Mapping[str, Flaw]) -> dict[str, Words]:
    """What is wrong, by field."""
    return {name: FLAWS[flaw].given(**issues.values_of(name, flaw)) for name, flaw in flaws.items()}


def said_of(problem: Problem) -> Words | None:
    """What is wrong in a list; None: it is told as of every file."""
    words = FLAWS.get(problem.flaw)
    return words.given(**problem.values) if words else None


def found(db: Connection, issue: int, today: date) -> Issue:
    """The issue of an address; else the page that says that nothing is there."""
    return (issues.find(db, issue, today) if 0 < issue <= LAST_ID else None) or abort(404)
