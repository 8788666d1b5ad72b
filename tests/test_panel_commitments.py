"""Commitments in the panel, as a browser without scripts sees it; and what a council's login sees of them."""

# ruff: noqa: F811 -- fixtures are asked for by their names

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from admin.meetings.commitment_words import COLOURS, FLAWS, NOT_MONEY, STANDINGS
from gateway import logins
from gateway.bulk.letters import Audience
from gateway.models import staff
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.installation import set_pause
from gateway.models.messages import Kind
from gateway.models.promises import Standing, check_answers, checks
from gateway.models.promises import commitments as table
from gateway.models.releases import council_replies
from gateway.promises import asking, commitments, money, rules
from gateway.promises.checks import CheckFigures, as_counts
from gateway.promises.commitments import Source
from gateway.promises.money import Currency
from tests.conftest import COMMUNES
from tests.test_commitments import TODAY, add, closed_round, find, promise, stand
from tests.test_panel import PASSWORD, Browser, app, text  # noqa: F401
from tests.test_panel_forums import Member, panel, real_time, second, village  # noqa: F401
from tests.village import TA_PHOU, Village

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NEW = "/admin/commitments/new"
FIELDS = {
    "commune": TA_PHOU, "forum": "", "round": "", "activity-km": "ជីកអណ្តូង", "activity-km-Latn": "chik andaung",
    "activity-en": "A well dug", "responsible": "commune council", "proposed_by": "", "place": "", "quantity": "",
    "starts": "", "due": "2027-02-01", "beneficiaries": "", "female": "", "currency": "USD", "cost": "",
}  # fmt: skip


def fill_in(browser: Browser, page: str = NEW, do: str = "keep", **fields: str) -> TestResponse:
    named = {name.replace("__", "-"): value for name, value in fields.items()}
    return browser.send(page, do=do, **(FIELDS | named))


def only(village: Village) -> Any:
    with village.at.store.read() as db:
        return db.execute(select(table)).one()


def drafts(village: Village) -> list[Any]:
    with village.at.store.read() as db:
        return list(db.execute(select(broadcasts).where(broadcasts.c.kind == Kind.RESULT)))


def test_everything_that_can_be_wrong_or_stand_somewhere_has_its_words() -> None:
    assert FLAWS.keys() == set(rules.Flaw)
    assert NOT_MONEY.keys() == set(money.Flaw)
    assert STANDINGS.keys() == COLOURS.keys() == set(Standing)


# writing down -------------------------------------------------------------------------------------


def test_an_empty_list_says_what_to_do(panel: Browser) -> None:
    page = panel.read("/admin/commitments")
    assert "No commitment yet Write down here what was promised at a forum" in page
    assert "Download" not in page


def test_one_is_written_down_and_shown_with_all_of_it(panel: Browser, village: Village) -> None:
    answered = closed_round(village)
    answer = fill_in(
        panel, proposed_by="Women's group", place="Pongro", quantity="1 well", starts="2026-12-01",
        beneficiaries="៤១០", female="230", cost="4,257.33", source__1="local", amount__1="1,257.33",
        source__4="UNDEF", amount__4="៣០០០ USD",
    )  # fmt: skip
    assert answer.status_code == 302, text(answer)
    page = panel.read(answer.headers["Location"])
    for says in (
        "Commitments · Ta Phou · Round 1", "A well dug The council says Planned since 23 Nov 2026 · due 1 Feb 2027",
        "Villagers say not shown", "Who is responsible commune council", "Proposed by Women's group", "Place Pongro",
        "Quantity 1 well", "Starts 1 Dec 2026", "Beneficiaries 410, of them 230 women", "Cost 4,257.33 USD",
        "local pays 1,257.33 USD", "UNDEF pays 3,000 USD", "Khmer ជីកអណ្តូង", "no forum: written down by staff",
    ):  # fmt: skip
        assert says in page, says
    kept = only(village)
    assert (kept.round_id, kept.cost, kept.beneficiaries) == (answered, 425733, 410)
    assert find(village, kept.id).sources == (
        Source("local", 125733, Currency.USD), Source("UNDEF", 300000, Currency.USD),
    )  # fmt: skip


def test_a_second_press_of_the_button_keeps_one(panel: Browser, village: Village) -> None:
    assert fill_in(panel).headers["Location"] == fill_in(panel).headers["Location"]
    assert only(village)


def test_from_the_page_of_a_forum_its_commune_and_round_are_there_already(panel: Browser, village: Village) -> None:
    answered = closed_round(village)
    forum = village.invited()
    village.at_time(village.forum(forum).starts, 12)
    link = f"{NEW}?forum={forum}"
    assert f'href="{link}"' in panel.get(f"/admin/forums/{forum}").text
    page = panel.get(link).text
    assert f'<option value="{TA_PHOU}" selected>' in page
    assert f'<option value="{forum}" selected>Ta Phou: forum on services, 9 Dec 2026' in page
    fill_in(panel, link, forum=str(forum))
    assert (only(village).forum, only(village).round_id) == (forum, answered)
    assert "Promised at Ta Phou: forum on services, 9 Dec 2026" in panel.read("/admin/commitments/1")
    assert "What was promised A well dug due 1 Feb 2027" in panel.read(f"/admin/forums/{forum}")


@pytest.mark.parametrize(
    ("fields", "name", "says"),
    [
        ({"starts": "2027-03-01"}, "due", "It is due before it starts."),
        ({"due": ""}, "due", "Say until when."),
        ({"due": "soon"}, "due", "Give a day such as"),
        ({"due": "2206-01-01"}, "due", "Is the year right?"),
        ({"cost": "-5"}, "cost", "An amount cannot be negative."),
        ({"cost": "5 USD and 3 KHR"}, "cost", "Two currencies. Write the amount in one, USD or KHR."),
        ({"cost": "4000 KHR"}, "cost", "This is in KHR, the commitment in USD."),
        ({"cost": "1.005"}, "cost", "More than two digits behind the point."),
        ({"cost": "10.50", "currency": "KHR"}, "cost", "Riels have no cents."),
        ({"cost": "99999999999"}, "cost", "More than 10,000,000 USD. Is there a digit too many?"),
        ({"cost": "much"}, "cost", "much is no amount of money."),
        ({"cost": "10", "source__1": "a", "amount__1": "11"}, "cost", "Those who pay give 11 USD together"),
        ({"source__3": "UNDEF", "amount__3": "500 KHR"}, "amount-3", "This is in KHR, the commitment in USD."),
        ({"source__2": "UNDEF"}, "amount-2", "Write an amount, such as 4,257.33."),
        ({"amount__2": "12"}, "source-2", "Say who pays this."),
        ({"source__2": "a", "amount__2": "1", "source__5": "A", "amount__5": "1"}, "source-5", "stands here twice"),
        ({"beneficiaries": "5", "female": "6"}, "female", "More than there are in all."),
        ({"beneficiaries": "-5"}, "beneficiaries", "This cannot be negative."),
        ({"beneficiaries": "some"}, "beneficiaries", "Write a whole number, in digits."),
        ({"activity__km": ""}, "activity-km", "villagers read it in this language"),
        ({"activity__km": "ក" * 80}, "activity-km", "Too long for a villager's screen: 80 characters, 54 fit."),
        ({"activity__en": "{name}"}, "activity-en", "No braces here"),
        ({"responsible": ""}, "responsible", "This is missing."),
        ({"commune": "999999"}, "commune", "Choose a commune of the programme."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost(
    panel: Browser, village: Village, fields: dict[str, str], name: str, says: str
) -> None:
    answer = fill_in(panel, quantity="17 wells", **fields)
    assert answer.status_code == 422
    wrong = re.search(rf'<p class="wrong" id="{name}-wrong">([^<]+)</p>', answer.text)
    assert wrong, re.findall(r'id="([^"]+)-wrong"', answer.text)
    assert says in wrong[1].replace("&#39;", "'")
    assert "Nothing was kept yet." in text(answer)
    assert 'value="17 wells"' in answer.text
    with village.at.store.read() as db:
        assert db.execute(select(table)).all() == []


def test_more_lines_for_who_pays_keep_what_was_typed(panel: Browser, village: Village) -> None:
    page = fill_in(panel, do="more", cost="500", source__5="UNDEF", amount__5="oops").text
    assert 'name="amount-10"' in page
    assert 'name="amount-11"' not in page
    assert 'value="oops"' in page
    assert "wrong" not in page
    answer = fill_in(panel, rows="10", cost="500", source__5="UNDEF", amount__5="400", source__9="x", amount__9="1")
    assert answer.status_code == 302
    assert [one.name for one in find(village, 1).sources] == ["UNDEF", "x"]
    assert 'name="amount-6"' not in panel.get("/admin/commitments/1/edit").text


# changing -----------------------------------------------------------------------------------------


def test_a_change_is_kept_and_how_far_it_is_stays(panel: Browser, village: Village) -> None:
    made = add(village, promise(currency=Currency.USD, cost=500, sources=(Source("a", 500, Currency.USD),)))
    stand(village, made, Standing.DONE)
    page = f"/admin/commitments/{made}/edit"
    assert 'name="amount-1" type="text" value="5"' in panel.get(page).text
    assert fill_in(panel, page, place="Pongro").status_code == 302
    kept = find(village, made)
    assert (kept.place, kept.cost, kept.sources, kept.standing) == ("Pongro", None, (), Standing.DONE)


def test_one_that_villagers_were_asked_about_stays_in_its_commune(panel: Browser, village: Village) -> None:
    made = add(village)
    check(village, made, None)
    answer = fill_in(panel, f"/admin/commitments/{made}/edit", commune=COMMUNES[0], place="Pongro")
    assert answer.status_code == 422
    assert "it stays in its commune. Write a new one for the other commune." in text(answer)
    assert 'value="Pongro"' in answer.text
    assert find(village, made).commune == TA_PHOU


def test_two_who_change_it_at_once_do_not_overwrite_each_other_unseen(panel: Browser, village: Village) -> None:
    made = add(village)
    page = f"/admin/commitments/{made}/edit"
    seen = re.search(r'name="version" value="([^"]+)"', panel.get(page).text)
    assert seen
    fill_in(panel, page, place="Pongro")
    answer = fill_in(panel, page, place="Thmei", version=seen[1])
    assert answer.status_code == 422
    assert "Somebody else changed this meanwhile." in text(answer)
    assert "There now: Pongro" in text(answer)
    assert 'value="Thmei"' in answer.text
    assert find(village, made).place == "Pongro"


def test_how_far_it_is_changes_with_a_history(panel: Browser, village: Village) -> None:
    made = add(village)
    page = f"/admin/commitments/{made}"
    panel.send(page, f"{page}/standing", standing="under way", day="2026-11-20", note="stones are there")
    panel.send(page, f"{page}/standing", standing="done", day="២០២៦-១១-២៣", note="")
    shown = panel.read(page)
    assert "The council says Done since 23 Nov 2026" in shown
    assert "20 Nov 2026 Under way stones are there" in shown
    assert shown.index("23 Nov 2026 Done") < shown.index("20 Nov 2026 Under way")
    assert "by sokha" in shown


@pytest.mark.parametrize(
    ("standing", "day", "says"),
    [
        ("done", "2026-11-24", "This day has not come yet."),
        ("done", "yesterday", "Give a day such as 2026-11-23."),
        ("broken", "2026-11-23", "Choose how far it is."),
    ],
)
def test_a_state_that_cannot_be_is_refused(
    panel: Browser, village: Village, standing: str, day: str, says: str
) -> None:
    page = f"/admin/commitments/{add(village)}"
    answer = panel.send(page, f"{page}/standing", standing=standing, day=day, note="because of rain")
    assert answer.status_code == 422
    assert says in text(answer)
    assert 'value="because of rain"' in answer.text
    assert find(village, 1).standing == Standing.PLANNED


def test_it_is_hidden_from_villagers_and_shown_again(panel: Browser, village: Village) -> None:
    page = f"/admin/commitments/{add(village)}"
    panel.send(page, f"{page}/shown", shown="no")
    assert not find(village, 1).shown
    assert "not shown to villagers" in panel.read("/admin/commitments")
    panel.send(page, f"{page}/shown", shown="yes")
    assert find(village, 1).shown


def test_one_entered_by_mistake_is_removed_after_a_question(panel: Browser, village: Village) -> None:
    page = f"/admin/commitments/{add(village)}"
    assert "it is gone for good, with its history" in panel.read(f"{page}/remove")
    assert panel.send(f"{page}/remove").headers["Location"] == "/admin/commitments"
    assert panel.get(page).status_code == 404


def test_one_of_which_villagers_were_told_is_not_removed(panel: Browser, village: Village) -> None:
    page = f"/admin/commitments/{add(village)}"
    panel.send(page, f"{page}/tell", entry="1")
    assert f"{page}/remove" not in panel.get(page).text
    assert "so it stays" in panel.read(f"{page}/remove")
    panel.send(page, f"{page}/remove")
    assert "so it stays. Hide it instead." in panel.read(page)
    assert find(village, 1)


@pytest.mark.parametrize("path", ["9", "0", "99999999999999999999", "9/edit", "9/remove"])
def test_of_what_does_not_exist_it_says_so(panel: Browser, path: str) -> None:
    assert panel.get(f"/admin/commitments/{path}").status_code == 404


def test_of_what_does_not_exist_nothing_is_done(panel: Browser, village: Village) -> None:
    add(village)
    for number in ("9", "99999999999999999999"):
        for path in ("edit", "standing", "shown", "tell", "remove"):
            there = f"/admin/commitments/{number}/{path}"
            fields = {"do": "keep", "standing": "done", "day": "2026-11-23", "entry": "1"}
            assert panel.send("/admin/commitments/1", there, **fields).status_code in (404, 422), there
        assert panel.send("/admin/commitments/1", f"/admin/weekly/replies/{number}/pass").status_code == 404
        assert panel.get(f"{NEW}?forum={number}").status_code == 200


# lists --------------------------------------------------------------------------------------------


@pytest.fixture
def plans(village: Village) -> int:
    """A plan of Ta Phou after a round, one of Ponley, and one more after no round; the id of the round."""
    answered = closed_round(village)
    cost: dict[str, Any] = {"currency": Currency.USD, "beneficiaries": 100, "female": 60}
    paid = (Source("local", 50_33, Currency.USD), Source("UNDEF", 200_00, Currency.USD))
    stand(village, add(village, round_id=answered, cost=250_33, sources=paid, **cost), Standing.DONE)
    stand(village, add(village, round_id=answered, place="b", due=TODAY - timedelta(days=9)), Standing.UNDER_WAY)
    stand(village, add(village, commune=COMMUNES[0], round_id=answered), Standing.DROPPED)
    add(village, place="c", activity={"km": "=1+1", "en": "@sum"}, responsible="+council")
    return answered


def test_the_list_adds_up_plan_by_plan(panel: Browser, plans: int) -> None:
    page = panel.read("/admin/commitments")
    for says in (
        "4 priority actions in 2 plans, 1 done Done 1 Under way 1 Planned 1 Dropped 1",
        "In no plan 1, which answer no round", "Cost 250.33 USD known of 1 of 3",
        "Who pays 50.33 USD local + 200 USD UNDEF", "Beneficiaries 100, of them 60 women",
        "Ponley, Round 1 0 of 1 done", "Ta Phou, Round 1 1 of 2 done · 1 overdue",
        "Under way, overdue 14 Nov 2026 commune council",
    ):  # fmt: skip
        assert says in page, says
    assert 'class="s5 w50"' in panel.get("/admin/commitments").text


@pytest.mark.parametrize(
    ("query", "says", "rows"),
    [
        ("commune=010303", "1 priority action in 1 plan, 0 done", 1),
        ("commune=010806&round=1", "2 priority actions in 1 plan, 1 done", 2),
        ("standing=done", "1 priority action in 1 plan, all done", 1),
        ("standing=overdue", "1 priority action in 1 plan, 0 done", 1),
        ("commune=010807", "No commitment is like this.", 0),
    ],
)
def test_the_list_is_of_what_is_asked(panel: Browser, plans: int, query: str, says: str, rows: int) -> None:
    answer = panel.get(f"/admin/commitments?{query}")
    assert says in text(answer)
    assert f"{rows} of 4 commitments" in text(answer)
    assert len(re.findall(r'href="/admin/commitments/\d+"', answer.text)) == rows


@pytest.mark.parametrize("query", ["standing=broken", "commune=999999", "round=77", "round=x", "page=2", "page=0"])
def test_of_a_list_that_cannot_be_it_says_so(panel: Browser, plans: int, query: str) -> None:
    assert panel.get(f"/admin/commitments?{query}").status_code == 404


def test_a_long_list_is_paged(panel: Browser, village: Village) -> None:
    for number in range(31):
        add(village, place=str(number))
    assert "Page 1 of 2" in panel.read("/admin/commitments")
    assert len(re.findall(r'href="/admin/commitments/\d+"', panel.get("/admin/commitments?page=2").text)) == 1


def test_the_sheet_has_the_same_lines_and_no_cell_becomes_a_formula(panel: Browser, plans: int) -> None:
    answer = panel.get("/admin/commitments.csv?commune=010806")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="commitments-2026-11-23.csv"'
    head, *lines = csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig")))
    assert len(lines) == 3
    rows = [dict(zip(head, line, strict=True)) for line in lines]
    done = next(row for row in rows if row["State"] == "Done")
    assert (done["Commune code"], done["Cost"], done["Currency"]) == ("010806", "250.33", "USD")
    assert done["Who pays"] == "local: 50.33; UNDEF: 200"
    strange = rows[-1]
    assert (strange["Activity"], strange["Who is responsible"]) == ("'@sum", "'+council")
    assert not [cell for line in lines for cell in line if cell[:1] in ("=", "+", "-", "@")]


# what villagers say -------------------------------------------------------------------------------


def check(village: Village, commitment: int, said: CheckFigures | None, *, closed: bool = True) -> None:
    with village.at.store.write() as db:
        values = {"opened": TODAY - timedelta(days=9), "until": TODAY, "counts": as_counts(said) if closed else None}
        db.execute(checks.insert().values(commitment=commitment, closed=TODAY if closed else None, **values))


def test_what_villagers_say_stands_beside_what_the_council_says(panel: Browser, village: Village) -> None:
    made = add(village)
    stand(village, made, Standing.DONE)
    check(village, made, CheckFigures(21, 6, 7, 3, female=17))
    page = panel.read(f"/admin/commitments/{made}")
    assert "The council says Done" in page
    assert "Villagers say 62% yes of 34 yes 21 partly 6 no 7 17 of them women. 3 more do not know." in page
    assert "how many said that it was done." in page


def test_what_may_not_be_shown_is_not_shown(panel: Browser, village: Village) -> None:
    made = add(village)
    check(village, made, None)
    assert "Villagers say not shown" in panel.read(f"/admin/commitments/{made}")


def test_as_long_as_villagers_are_asked_it_says_until_when(panel: Browser, village: Village) -> None:
    made = add(village)
    check(village, made, None, closed=False)
    assert "Villagers are asked until 23 Nov 2026" in panel.read(f"/admin/commitments/{made}")


# telling villagers --------------------------------------------------------------------------------


def test_what_came_of_it_is_drafted_edited_approved_and_sent(panel: Member, second: Member, village: Village) -> None:
    made = add(village, forum=village.invited())
    for number in list(village.phones.inboxes):
        village.inbox(number)
    page = f"/admin/commitments/{made}"
    panel.send(page, f"{page}/standing", standing="done", day="2026-11-23", note="")
    entry = re.search(r'name="entry" value="(\d+)"', panel.get(page).text)
    assert entry
    answer = panel.send(page, f"{page}/tell", entry=entry[1])
    form = answer.headers["Location"]
    assert form.endswith("/edit")
    assert "Commune replies: health centre open until 5pm from 1 April: done." in panel.get(form).text
    (row,) = drafts(village)
    fields = {"title": row.title, "kind": "result", "communes": TA_PHOU, "text-en": "Commune replies: open until 5pm."}
    seen = re.search(r'name="seen" value="([^"]*)"', panel.get(form).text)
    assert seen
    assert panel.send(form, **fields, seen=seen[1]).status_code == 302
    (row,) = drafts(village)
    assert '"told": [1]' in row.audience  # no form shows them, and none loses them
    where = f"/admin/broadcasts/{row.id}"
    assert "It is about a commitment:" in panel.read(where)
    _press(panel, where, "submit")
    assert "not approved yet" in panel.read(page)
    _press(second, where, "approve")
    village.post()
    assert {one for box in village.phones.inboxes.values() for one in box} == {"Commune replies: open until 5pm."}
    assert "Done – 23 Nov 2026, 12:00 by sokha told" in panel.read(page)


def _press(browser: Browser, where: str, deed: str) -> None:
    """Presses a button of a broadcast, with all that its form holds."""
    page = browser.get(where).text
    form = re.search(rf'<form[^>]*action="{where}/{deed}">(.*?)</form>', page, re.DOTALL)
    assert form, f"no button {deed}"
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form[1]))
    fields |= dict.fromkeys(re.findall(r'type="checkbox"[^>]*name="([^"]+)"', form[1]), "yes")
    fields.pop("csrf_token")
    assert browser.send(where, f"{where}/{deed}", **fields).status_code == 302


def test_a_second_click_leads_to_the_same_draft(panel: Browser, village: Village) -> None:
    page = f"/admin/commitments/{add(village)}"
    first = panel.send(page, f"{page}/tell", entry="1").headers["Location"]
    again = panel.send(page, f"{page}/tell", entry="1").headers["Location"]
    assert first == f"{again}/edit"
    assert len(drafts(village)) == 1
    assert panel.send(page, f"{page}/tell", entry="77").status_code == 404


def test_a_councils_reply_is_passed_on_once_staff_have_edited_it(panel: Browser, village: Village) -> None:
    with village.at.store.write() as db:
        values = {"commune": TA_PHOU, "week": TODAY, "text": "Open until 5pm, call 012 345 678."}
        db.execute(council_replies.insert().values(**values, received=village.at.clock.now))
    page = "/admin/weekly/replies"
    answer = panel.send(page, f"{page}/1/pass")
    assert "Commune replies: Open until 5pm, call [number]." in panel.get(answer.headers["Location"]).text
    shown = panel.read(page)
    assert "Passed on to villagers: not approved yet" in shown
    assert "Read by sokha" in shown
    assert panel.send(page, f"{page}/1/pass").headers["Location"] == "/admin/broadcasts/1"
    assert len(drafts(village)) == 1
    assert panel.send(page, f"{page}/77/pass").status_code == 404


# a council's login --------------------------------------------------------------------------------


@pytest.fixture
def council(app: Flask, village: Village) -> Browser:
    """The login of Ta Phou's council."""
    with village.at.store.write() as db:
        logins.add(db, "council", "council", [TA_PHOU])
        staff.reset_password(db, "council", PASSWORD, one_time=False)
    browser = Browser(app.test_client())
    assert browser.log_in("council", page="/admin/login?lang=en").status_code == 302
    return browser


PROMISES = f"/admin/council/{TA_PHOU}/promises"


def test_a_council_sees_how_its_promises_stand_and_what_villagers_said(council: Browser, village: Village) -> None:
    assert "No commitment yet." in council.read(PROMISES)
    asked, live, hidden = add(village), add(village, place="b"), add(village, place="c", activity={"km": "លាក់"})
    add(village, commune=COMMUNES[0], activity={"km": "ឆ្ងាយ"})
    stand(village, asked, Standing.DONE, note="all open")
    check(village, asked, CheckFigures(21, 6, 7, 3, female=17))
    check(village, live, None, closed=False)
    with village.at.store.write() as db:
        commitments.show(db, hidden, False, village.at.clock.now)
    assert "2 commitments of the commune, 1 of them done." in council.read("/admin/council")
    page = council.read(PROMISES)
    assert "Done since 23 Nov 2026 · due 23 Dec 2026 · commune council · all open 62% yes of 34" in page
    assert page.count("Villagers say : not shown") + page.count("Villagers say: not shown") == 1
    assert "លាក់" not in page
    assert "ឆ្ងាយ" not in page
    with village.at.store.write() as db:
        set_pause(db, (TODAY, TODAY + timedelta(days=9)))
    assert "62%" not in council.read(PROMISES)


def test_a_figure_that_still_moves_is_for_staff_alone(council: Browser, panel: Browser, village: Village) -> None:
    made = add(village)
    check(village, made, None, closed=False)
    with village.at.store.write() as db:
        answers = [{"check_id": 1, "rater": bytes([n] * 16), "phone": bytes([n] * 16), "choice": n % 2 + 1}
                   for n in range(12)]  # fmt: skip
        db.execute(check_answers.insert(), answers)
    assert "Villagers say 50% yes of 12" in panel.read(f"/admin/commitments/{made}")
    page = council.read(PROMISES)
    assert "Villagers say: not shown" in page
    assert "12" not in page.replace("23 Dec", "")


def test_a_council_sees_and_does_nothing_of_what_is_staffs(council: Browser, village: Village) -> None:
    add(village)
    for path in ("/admin/commitments", "/admin/commitments/1", "/admin/commitments.csv", NEW):
        assert council.get(path).status_code == 403
    assert council.get(f"/admin/council/{COMMUNES[0]}/promises").status_code == 404


def test_a_council_replies_about_a_promise_and_staff_read_it(
    council: Browser, panel: Browser, village: Village
) -> None:
    made, elsewhere = add(village), add(village, commune=COMMUNES[0])
    send = f"/admin/council/{TA_PHOU}/reply"
    for _click in range(2):
        answer = council.send(PROMISES, send, about=f"promise {made}", text="The doctor stays until 5.")
        assert answer.headers["Location"] == PROMISES
    with village.at.store.read() as db:
        (row,) = db.execute(select(council_replies)).all()
    assert (row.commitment, row.round_id, row.text) == (made, None, "The doctor stays until 5.")
    says = "about the commitment: health centre open until 5pm from 1 April"
    assert says in panel.read("/admin/weekly/replies")
    assert says in council.read("/admin/council")
    for wrong in (f"promise {elsewhere}", "promise 99", "promise x", "promise 99999999999999"):
        assert council.send(PROMISES, send, about=wrong, text="hm").status_code == 422


def test_staff_of_other_communes_see_none_of_it(panel: Browser, village: Village) -> None:
    made = add(village)
    with village.at.store.write() as db:
        staff.set_communes(db, village.author, [COMMUNES[0]])
    assert "No commitment yet" in panel.read("/admin/commitments")
    assert panel.get(f"/admin/commitments/{made}").status_code == 404
    assert panel.get(f"/admin/commitments/{made}/edit").status_code == 404
    assert f'value="{TA_PHOU}"' not in panel.get(NEW).text


def test_no_number_is_on_any_page(panel: Browser, village: Village) -> None:
    made = add(village, forum=village.invited())
    pages = ("/admin/commitments", f"/admin/commitments/{made}", f"/admin/commitments/{made}/edit", NEW)
    for page in pages:
        assert "1000000" not in panel.get(page).text


def test_pages_are_whole_in_khmer(panel: Browser, village: Village, plans: int) -> None:
    with village.at.store.write() as db:
        db.execute(update(staff.staff).values(language="km"))
    panel.send("/admin/commitments", "/admin/language", lang="km")
    page = panel.read("/admin/commitments")
    assert "សកម្មភាពអាទិភាព 4 ក្នុងផែនការ 2 ធ្វើរួច 1" in page
    assert "50.33 ដុល្លារ local + 200 ដុល្លារ UNDEF" in page


def test_staff_end_the_question_before_its_time(panel: Browser, village: Village) -> None:
    made = add(village)
    page, at = f"/admin/commitments/{made}", village.at
    assert "Ask no more" not in panel.read(page)
    assert asking.begin(at.store, at.keys, at.settings, made, at.clock.now)
    assert "Ask no more What villagers said becomes counts" in panel.read(page)
    for _ in "ab":  # a second click finds it done
        answer = panel.send(page, f"{page}/asked")
        assert answer.headers["Location"] == page
        assert "Villagers are asked no more." in panel.read(page)
    with at.store.read() as db:
        assert db.execute(select(checks.c.key, checks.c.closed)).one() == (None, TODAY)
    assert list(at.settings.keys.glob("round-*.key")) == []


def test_what_the_clock_wrote_to_ask_villagers_is_mended_and_still_asks(panel: Browser, village: Village) -> None:
    """Who asks stands before it; its kind, and who was told of the forum, no form changes."""
    forum = village.invited()
    made, at = add(village, forum=forum), village.at
    assert asking.begin(at.store, at.keys, at.settings, made, at.clock.now)

    def sms() -> Any:
        with at.store.read() as db:
            return db.execute(select(broadcasts).where(broadcasts.c.kind == Kind.CHECK)).one()

    before = sms()
    assert before.stage == Stage.WAITING
    page = f"/admin/broadcasts/{before.id}"
    assert "Check of a promise" in panel.read(f"{page}/edit")
    words = {"text-km": "API៖ ធ្វើឬនៅ? 1=ហើយ 2=ខ្លះ 3=ទេ 4=មិនដឹង", "text-km-Latn": "", "text-en": ""}
    fields = {"title": "Asked by API", "kind": "announcement", "communes": TA_PHOU, "start": "", "expires": "",
              "seen": before.changed.isoformat(), **words}  # fmt: skip
    assert panel.send(f"{page}/edit", **fields).headers["Location"] == page
    after = sms()
    assert (after.title, after.stage, after.commitment, after.key) == (
        "Asked by API", Stage.DRAFT, made, before.key,
    )  # fmt: skip
    assert Audience.from_json(after.audience) == Audience(communes=(TA_PHOU,), told=(forum,))
