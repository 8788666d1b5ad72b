"""Issues of groups in the panel, as a browser without scripts sees them."""

from __future__ import annotations

import csv
import html
import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from gateway import logins
from gateway.models import staff
from gateway.models.concerns import Solved
from gateway.promises import issues
from gateway.promises.issues import Issue, Wanted
from tests.conftest import COMMUNES, Installation
from tests.test_issues import FULLY, OPEN, PARTLY, PLAIN, TODAY
from tests.test_panel import PASSWORD, Browser, _quick_passwords, add, app, browser, panel, text  # noqa: F401

TA_PHOU, TREAS = COMMUNES[2], COMMUNES[3]
NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
FIELDS = {
    "subject": "No road to the school", "raised_by": "Ta Phou savings group", "to_whom": "Commune council",
    "commune": TA_PHOU, "since": "2023-03-01", "done": "", "solved": "open", "solved_on": "",
}  # fmt: skip
HEAD = "Group,Commune,Issue,To whom,Raised on,State,State since,What was done"


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


def raise_one(at: Installation, *changes: tuple[Solved, date], **what: Any) -> int:
    with at.store.write() as db:
        made = issues.add(db, replace(PLAIN, **what), TODAY, None, NOON)
        for solved, day in changes:
            issues.change(db, made, solved, day, "", TODAY, None, NOON)
    return made


def all_of(at: Installation) -> list[Issue]:
    with at.store.read() as db:
        return issues.listed(db, Wanted(), TODAY)


def fill_in(panel: Browser, **fields: str) -> TestResponse:  # noqa: F811
    return panel.send("/admin/issues/new", **FIELDS | fields)


def bring(panel: Browser, *lines: str, head: str = HEAD) -> TestResponse:  # noqa: F811
    page = panel.get("/admin/issues/import").text
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)
    assert token
    file = (io.BytesIO("\n".join((head, *lines)).encode()), "issues.csv")
    return panel.client.post("/admin/issues/import", data={"csrf_token": token[1], "file": file})


# one issue ----------------------------------------------------------------------------------------


def test_an_issue_is_added_and_its_state_changed(panel: Browser, installation: Installation) -> None:  # noqa: F811
    assert "No issue yet" in panel.read("/admin/issues")
    assert fill_in(panel).headers["Location"] == "/admin/issues/1"
    page = panel.read("/admin/issues/1")
    assert "The issue is kept." in page
    assert "Issues of groups · Ta Phou No road to the school" in page
    assert "Raised by Ta Phou savings group To whom Commune council Raised on 1 Mar 2023" in page
    answer = panel.send("/admin/issues/1", "/admin/issues/1/change", solved="partly", day="2023-09-01", note="Gravel")
    assert answer.headers["Location"] == "/admin/issues/1"
    page = panel.read("/admin/issues/1")
    assert "Partly solved since 1 Sep 2023" in page
    assert re.search(r"1 Sep 2023 Partly solved Gravel .* by sokha .* 1 Mar 2023 Not solved – ", page)
    assert "No road to the school Ta Phou Partly solved since 1 Sep 2023 1 Mar 2023" in panel.read("/admin/issues")


@on_one_database
def test_one_that_is_solved_already_is_added_with_its_day(panel: Browser, installation: Installation) -> None:  # noqa: F811
    fill_in(panel, solved="fully", solved_on="2023-09-01")
    assert [(one.solved, one.solved_on) for one in all_of(installation)] == [(FULLY, date(2023, 9, 1))]
    assert fill_in(panel, solved="fully", solved_on="2023-09-01").status_code == 302  # pressed twice
    assert len(all_of(installation)) == 1


@on_one_database
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"subject": " "}, "This is missing."),
        ({"raised_by": "x" * 101}, "Too long: at most 100 characters."),
        ({"since": ""}, "Give a day."),
        ({"since": "tomorrow"}, "Give a day."),
        ({"since": "2027-01-01"}, "This day is still to come."),
        ({"since": "0203-01-01"}, "This day is before 1990."),
        ({"commune": "999999"}, "Choose a commune of the programme."),
        ({"solved": "partly"}, "Give a day."),
        ({"solved": "partly", "solved_on": "2023-02-28"}, "This is before the day on which it was raised."),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    panel: Browser,  # noqa: F811
    installation: Installation,
    fields: dict[str, str],
    says: str,
) -> None:
    answer = fill_in(panel, **fields)
    assert answer.status_code == 422
    assert says in text(answer)
    assert f'value="{(FIELDS | fields)["to_whom"]}"' in answer.text
    assert (
        f'id="{next(iter(fields)) if len(fields) == 1 and "solved" not in fields else "solved_on"}-wrong"'
        in answer.text
    )
    assert all_of(installation) == []


@on_one_database
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"solved": "partly", "day": "2023-02-28"}, "This is before the day on which it was raised."),
        ({"solved": "partly", "day": "2026-11-24"}, "This day is still to come."),
        ({"solved": "partly", "day": ""}, "Give a day."),
        ({"solved": "nothing", "day": "2023-09-01"}, "This is missing."),
        ({"solved": "open", "day": "2023-09-01"}, "It stands so already."),
    ],
)
def test_a_bad_change_is_said_and_kept_in_the_form(
    panel: Browser,  # noqa: F811
    installation: Installation,
    fields: dict[str, str],
    says: str,
) -> None:
    issue = raise_one(installation)
    answer = panel.send(f"/admin/issues/{issue}", f"/admin/issues/{issue}/change", note="my words", **fields)
    if fields["solved"] == "open":
        assert answer.status_code == 302  # with a note it is news
        answer = panel.send(f"/admin/issues/{issue}", f"/admin/issues/{issue}/change", note="", **fields)
    else:
        assert 'value="my words"' in answer.text
    assert answer.status_code == 422
    assert says in text(answer)


@on_one_database
def test_a_wrong_entry_is_taken_out_and_an_issue_that_is_none_removed(
    panel: Browser,  # noqa: F811
    installation: Installation,
) -> None:
    issue = raise_one(installation, (FULLY, date(2023, 9, 1)))
    page = f"/admin/issues/{issue}"
    with installation.store.read() as db:
        entry, first = (one.id for one in issues.history(db, issue))
    assert panel.send(page, f"{page}/history/{entry}/out").headers["Location"] == page
    assert "The entry is taken out." in panel.read(page)
    panel.send("/admin/password", f"{page}/history/{entry}/out")
    assert "This entry is gone already." in panel.read(page)
    panel.send("/admin/password", f"{page}/history/{first}/out")
    assert [one.solved for one in all_of(installation)] == [OPEN]
    assert panel.send(page, f"{page}/remove").headers["Location"] == "/admin/issues"
    assert "The issue and its history are removed." in panel.read("/admin/issues")
    for path in (page, f"{page}/edit", "/admin/issues/0", "/admin/issues/99999999999999999999"):
        assert panel.get(path).status_code == 404


@on_one_database
def test_editing_and_somebody_else_who_edits_meanwhile(app: Flask, panel: Browser, installation: Installation) -> None:  # noqa: F811
    issue = raise_one(installation)
    path = f"/admin/issues/{issue}/edit"
    version = re.search(r'name="version" value="(\w+)"', panel.get(path).text)
    assert version
    fields = {name: value for name, value in FIELDS.items() if not name.startswith("solved")}
    assert panel.send(path, **fields | {"subject": "A road", "version": version[1]}).status_code == 302
    assert "A road" in panel.read("/admin/issues")
    answer = panel.send(path, **fields | {"subject": "No road at all", "version": version[1]})
    assert answer.status_code == 422
    assert "Somebody else changed this meanwhile." in text(answer)
    assert "There now: A road" in text(answer)
    assert 'value="No road at all"' in answer.text
    assert panel.send(path, **fields | {"since": "2027-01-01"}).status_code == 422


# lists and shares ---------------------------------------------------------------------------------


def test_the_share_of_a_year_is_shown_with_its_definition(panel: Browser, installation: Installation) -> None:  # noqa: F811
    for i in range(50):
        changes = [(FULLY, date(2023, 9, 1))] if i < 6 else [(PARTLY, date(2023, 9, 1))] if i < 31 else []
        raise_one(installation, *changes, subject=f"Issue {i}")
    page = panel.read("/admin/issues?year=2023")
    assert "2023 62% of 50: 6 fully, 25 partly" in page
    assert "2026 so far 57% of 44: 0 fully, 25 partly" in page
    assert (
        "Of the issues on the list in a year (raised by its end, not fully solved before it began): the share that was"
        " partly or fully solved by its end." in page
    )
    assert "Page 1 of 2" in page
    assert "s5 w12" in panel.get("/admin/issues?year=2023").text
    fully = panel.read("/admin/issues?year=2023&solved=fully")
    assert "6 of 50 issues · as they stood at the end of 2023" in fully
    assert panel.get("/admin/issues?page=3").status_code == 404


@on_one_database
def test_filters_narrow_the_list_and_its_file(panel: Browser, installation: Installation) -> None:  # noqa: F811
    raise_one(installation, (PARTLY, date(2024, 2, 1)), subject="=Road", done="Two\nlines")
    raise_one(installation, subject="Light", raised_by="Youth", commune=TREAS, since=date(2024, 1, 1))
    for query, there in (
        (f"commune={TREAS}", {"Light"}), ("group=Youth", {"Light"}), ("solved=partly", {"=Road"}),
        ("year=2023", {"=Road"}), ("year=2024", {"=Road", "Light"}), ("group=Nobody", set()), ("", {"=Road", "Light"}),
    ):  # fmt: skip
        page = html.unescape(panel.get(f"/admin/issues?{query}").text)
        assert {subject for subject in ("=Road", "Light") if f">{subject}</a>" in page} == there, query
        rows = list(csv.reader(io.StringIO(panel.get(f"/admin/issues/issues.csv?{query}").data.decode("utf-8-sig"))))
        assert {row[3].removeprefix("'") for row in rows[1:]} == there
    assert rows[0] == ["Group", "Commune code", "Place", "Issue", "To whom", "Raised on", "State", "State since",
                       "What was done"]  # fmt: skip
    assert rows[2] == ["Ta Phou savings group", TA_PHOU, "Ta Phou", "'=Road", "Commune council", "2023-03-01", "partly",
                       "2024-02-01", "Two\nlines"]  # fmt: skip
    assert "No issue is like this." in panel.read("/admin/issues?group=Nobody")
    for query in ("year=1", "year=x", "solved=x", "commune=999999", "page=0"):
        assert panel.get(f"/admin/issues?{query}").status_code == 404


# a file -------------------------------------------------------------------------------------------


def test_a_file_is_looked_at_and_taken_in_once(panel: Browser, installation: Installation) -> None:  # noqa: F811
    raise_one(installation)
    answer = bring(
        panel,
        "Ta Phou savings group,Ta Phou,No road to the school,Commune council,2023-03-01,fully,2024-01-01,",
        "Youth,,No light,District,01/05/2023,partly,2023-09-01,Poles",
    )
    look = answer.headers["Location"]
    page = panel.read(look)
    assert "Issues 2 Fully solved 1 Partly solved 1" in page
    assert "No light Partly solved since 1 Sep 2023 1 May 2023 Youth District" in page
    assert len(all_of(installation)) == 1
    assert panel.send(look, look).headers["Location"] == "/admin/issues"
    assert "Taken in: 1 new issues; 1 were there already." in panel.read("/admin/issues")
    assert [(one.subject, one.solved) for one in all_of(installation)] == [
        ("No light", PARTLY), ("No road to the school", OPEN),
    ]  # fmt: skip
    assert panel.send("/admin/password", look).headers["Location"] == "/admin/issues/import"
    assert len(all_of(installation)) == 2


@pytest.mark.parametrize("language", ["en", "km"])
def test_what_was_downloaded_can_be_brought_again(
    panel: Browser,  # noqa: F811
    installation: Installation,
    language: str,
) -> None:
    panel.send("/admin/issues", "/admin/language", lang=language, back="/admin/issues")
    raise_one(installation, (PARTLY, date(2024, 2, 1)), done="Two\nlines, and a comma")
    before = all_of(installation)
    sheet = panel.get("/admin/issues/issues.csv").data.decode("utf-8-sig")
    with installation.store.write() as db:
        issues.remove(db, before[0].id)
    look = bring(panel, *sheet.splitlines()[1:], head=sheet.splitlines()[0]).headers["Location"]
    panel.send(look, look)
    assert [replace(one, id=0) for one in all_of(installation)] == [replace(one, id=0) for one in before]


@on_one_database
def test_a_bad_file_says_line_by_line_what_is_wrong(panel: Browser, installation: Installation) -> None:  # noqa: F811
    answer = bring(
        panel, ",,No road,Council,2023-05-31,,,", "A,Nowhere,B,C,May 2023,solved maybe,,", "A,,B,C,2023-01-01,,,"
    )
    assert answer.status_code == 422
    page = text(answer)
    assert "2 Group This is missing." in page
    assert "3 Raised on 'May 2023' is no day. Write it as 2023-05-31, or as 31/05/2023." in page
    assert "3 State 'solved maybe' is no state. Write open, partly or fully." in page
    assert "3 Commune 'Nowhere' is no commune that is known here." in page
    assert all_of(installation) == []
    assert "This is a workbook." in text(bring(panel, head="PK\x03\x04"))
    assert "There is no column group, subject, to whom, since." in text(bring(panel, "1", head="a"))
    page_token = panel.send("/admin/issues/import")
    assert page_token.status_code == 422
    assert "Choose a file." in text(page_token)


@on_one_database
def test_a_file_can_be_left_and_one_of_contacts_is_none_of_issues(panel: Browser, installation: Installation) -> None:  # noqa: F811
    look = bring(panel, "A,,B,C,2023-01-01,,,").headers["Location"]
    assert panel.get(look.replace("issues", "contacts")).status_code == 302
    assert panel.send(look, f"{look}/drop").headers["Location"] == "/admin/issues/import"
    assert panel.get(look).headers["Location"] == "/admin/issues/import"
    assert all_of(installation) == []


# who sees what ------------------------------------------------------------------------------------


@on_one_database
def test_staff_with_communes_of_their_own_keep_to_them(app: Flask, installation: Installation) -> None:  # noqa: F811
    with installation.store.write() as db:
        logins.add(db, "treas", "staff", [TREAS])
        staff.reset_password(db, "treas", PASSWORD, one_time=False)
    other = raise_one(installation, subject="Of Ta Phou")
    raise_one(installation, subject="Of several", commune=None)
    mine = raise_one(installation, subject="Of Treas", commune=TREAS)
    theirs = Browser(app.test_client())
    theirs.log_in("treas", page="/admin/login?lang=en")
    page = theirs.read("/admin/issues")
    assert "Of Treas" in page
    assert "Of Ta Phou" not in page
    assert "Of several" not in page
    assert "of 1: 0 fully" in page
    assert "Bring a file" not in page
    assert theirs.get(f"/admin/issues/{mine}").status_code == 200
    for path in (f"/admin/issues/{other}", f"/admin/issues/{other}/edit"):
        assert theirs.get(path).status_code == 404
    assert theirs.get("/admin/issues/import").status_code == 403
    assert f'value="{TA_PHOU}"' not in theirs.get("/admin/issues/new").text
    assert fill_in(theirs, commune=TA_PHOU).status_code == 404
    assert fill_in(theirs, commune="").status_code == 422
    assert fill_in(theirs, commune=TREAS).status_code == 302


@on_one_database
def test_the_pages_in_khmer(panel: Browser, installation: Installation) -> None:  # noqa: F811
    issue = raise_one(installation)
    panel.send("/admin/issues", "/admin/language", lang="km", back="/admin/issues")
    assert "បញ្ហារបស់ក្រុម" in panel.read("/admin/issues")
    assert "តាផូ" in panel.read(f"/admin/issues/{issue}")
