"""Forums in the panel, as a browser without scripts sees them."""

# ruff: noqa: F811 -- fixtures are asked for by their names

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from gateway.bulk import broadcasts as bulk
from gateway.models.broadcasts import broadcasts
from gateway.models.forums import forums
from gateway.models.messages import Kind
from tests.conftest import Clock, Installation
from tests.test_panel import NAME, PASSWORD, Browser, app, text  # noqa: F401
from tests.village import TA_PHOU, Village

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SREY, BORA, CHAN = (f"+8551000000{n}" for n in (1, 2, 3))
FIELDS = {
    "commune": TA_PHOU, "starts": "2026-12-09T08:30", "inviter": "RCEDO", "callback": "", "title-km": "វេទិកា",
    "title-km-Latn": "vetika", "title-en": "forum on services", "venue-km": "សាលាឃុំ", "venue-km-Latn": "sala khum",
    "venue-en": "commune hall", "note-km": "", "note-km-Latn": "", "note-en": "Free to attend, travel not paid",
}  # fmt: skip
REMINDERS = ["week", "eve", "morning"]


@pytest.fixture(autouse=True)
def real_time(installation: Installation) -> Iterator[None]:
    """The panel's time is the village's: Monday noon, until somebody moves it."""

    class Bound(Clock):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name == "now" and traveller is not None:
                traveller.move_to(value)

    traveller: Any = None
    with time_machine.travel(installation.clock.now, tick=False) as travelling:
        traveller = travelling
        installation.clock = Bound(installation.clock.now)
        yield


@pytest.fixture
def village(app: Flask, installation: Installation) -> Village:
    """Three people of Ta Phou who asked for reminders."""
    village = Village(installation)
    for number in (SREY, BORA, CHAN):
        village.joins(number, "en")
    return village


@dataclass
class Member(Browser):
    """A member of staff, reading English, who logs in anew when days have passed."""

    name: str = NAME

    def get(self, path: str, **how: object) -> TestResponse:
        answer = super().get(path, **how)
        if not answer.headers.get("Location", "").startswith("/admin/login"):
            return answer
        page = super().get("/admin/login?lang=en").text
        token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)
        assert token
        fields = {"name": self.name, "password": PASSWORD, "csrf_token": token[1]}
        self.client.post("/admin/login?lang=en", data=fields, base_url=self.base)
        return super().get(path, **how)


@pytest.fixture
def panel(app: Flask, village: Village) -> Member:
    """Who plans."""
    return Member(app.test_client())


@pytest.fixture
def second(app: Flask, village: Village) -> Member:
    """Who approves."""
    return Member(app.test_client(), name="dara")


def fill_in(browser: Browser, do: str = "keep", page: str = "/admin/forums/new", **fields: Any) -> TestResponse:
    values = {name.replace("_", "-"): value for name, value in fields.items()}
    return browser.send(page, do=do, **({"reminders": REMINDERS} | FIELDS | values))


def rows(village: Village) -> int:
    with village.at.store.read() as db:
        return db.scalar(select(func.count()).select_from(forums)) or 0


def broadcast_of(village: Village, kind: Kind) -> Any:
    with village.at.store.read() as db:
        return db.execute(select(broadcasts).where(broadcasts.c.kind == kind).order_by(broadcasts.c.id.desc())).first()


# planning -----------------------------------------------------------------------------------------


def test_an_empty_list_says_what_to_do(panel: Browser) -> None:
    page = panel.read("/admin/forums")
    assert "No forum yet" in page
    assert "Plan a forum" in page


def test_a_new_form_has_what_is_usual_and_who_invited_last(panel: Browser, village: Village) -> None:
    page = panel.get("/admin/forums/new").text
    assert all(f'value="{usual}"' in page for usual in ("វេទិកា", "sala khum", "Free to attend, travel not paid"))
    assert page.count(" checked") == 3
    village.plan(inviter="API")
    assert 'value="API"' in panel.get("/admin/forums/new").text


def test_it_shows_every_sentence_with_its_parts_and_what_goes_when_before_anything_is_kept(
    panel: Browser,
    village: Village,
) -> None:
    answer = fill_in(panel, "look", venue_km="សាលារៀនបឋមសិក្សាពន្លៃថ្មី")
    page = text(answer)
    assert answer.status_code == 200
    assert rows(village) == 0
    assert "Recipients 3" in page
    assert "RCEDO: Ta Phou forum on services, Wed 09/12 8:30, commune hall. Free to attend, travel not paid." in page
    assert "Parts: 1 · 143 characters, GSM-7" in page
    assert "Parts: 2 · 87 characters, UCS-2 Costs 2 times as much as one part." in page
    assert "Seven days before, at 09:00 2 Dec 2026, 09:00 On the eve, at 17:00 8 Dec 2026, 17:00" in page
    assert "left out: It begins less than 90 minutes after 08:00" in page
    for label in ("Invitation", "Reminder", "Answer to who comes", "If it is moved", "If it is cancelled"):
        assert label in page


def test_what_is_said_is_counted_while_one_types(panel: Browser, village: Village) -> None:
    page = "/admin/forums/new"
    typed = FIELDS | {"venue-en": "old school behind the pagoda of Ta Srei, by the river"}
    answer = panel.send(page, "/admin/forums/count", **typed)
    assert 'data-counted="said"' in answer.text
    assert "RCEDO: Ta Phou forum on services" in text(answer)
    assert "2/2" in text(answer)  # where the second part begins
    assert "Costs 2 times as much as one part." in text(answer)
    unfinished = panel.send(page, "/admin/forums/count", **typed | {"starts": ""})
    assert unfinished.status_code == 200
    assert "each message stands here as it is sent" in text(unfinished)
    assert rows(village) == 0


def test_it_is_kept_as_a_draft_and_goes_out_when_a_second_person_approves(
    panel: Browser,
    second: Browser,
    village: Village,
) -> None:
    where = fill_in(panel).headers["Location"]
    assert where == "/admin/forums/1"
    assert "Draft" in panel.read(where)
    assert panel.send(where, f"{where}/ask").status_code == 302
    assert "A second person has to approve the invitation" in panel.read(where)
    said = broadcast_of(village, Kind.INVITATION)
    page = f"/admin/broadcasts/{said.id}"
    assert f'href="{page}"' in second.get(where).text
    seen = dict(_hidden(second.get(page).text, f"{page}/approve"))
    second.send(page, f"{page}/approve", **seen)
    assert village.post() == 3
    page = panel.read(where)
    assert "Planned" in page
    assert "Invitation Sent 3 0 0" in page
    assert "2 Dec 2026, 09:00 Reminder seven days before Planned" in page


def test_sent_twice_it_is_one_forum(panel: Browser, village: Village) -> None:
    assert [fill_in(panel).headers["Location"] for _ in range(2)] == ["/admin/forums/1"] * 2
    assert rows(village) == 1
    assert "has a forum at this time already" in panel.read("/admin/forums")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("starts", "2026-11-22T08:30", "This time is over."),
        ("starts", "2026-11-23T12:00", "This time is over."),
        ("starts", "2028-11-23T12:00", "At most 300 days ahead"),
        ("starts", "", "Give the day and the time."),
        ("starts", "soon", "Give the day and the time."),
        ("commune", "999999", "Choose a commune"),
        ("inviter", " ", "Say who invites"),
        ("inviter", "R" * 31, "at most 30 signs"),
        ("title-en", "{name}", "No braces"),
        ("venue-en", "v" * 61, "at most 60 signs"),
        ("note-en", "n" * 101, "at most 100 signs"),
        ("callback", "ring me", "This is no phone number. Write it like 012 345 678."),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(
    panel: Browser,
    village: Village,
    field: str,
    value: str,
    says: str,
) -> None:
    answer = fill_in(panel, **{field: value})
    assert answer.status_code == 422
    assert says in text(answer)
    assert 'value="commune hall"' in answer.text or field == "venue-en"
    assert not value.strip() or field == "commune" or f'value="{value}"' in answer.text
    assert rows(village) == 0


@pytest.mark.parametrize("what", ["title", "venue"])
def test_a_text_is_needed_in_one_language_only(panel: Browser, village: Village, what: str) -> None:
    empty = {f"{what}-km": "", f"{what}-km-Latn": "", f"{what}-en": ""}
    assert "in at least one language" in text(fill_in(panel, **empty))
    assert fill_in(panel, **empty | {f"{what}-km": "វត្ត"}).status_code == 302


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("012 000 001", "012000001"), ("+85512000001", "012000001"), ("០១២ ០០០ ០០១", "012000001"), ("1294", "1294"),
     ("+66 81 000 0001", "+66810000001")],
)  # fmt: skip
def test_the_number_to_ask_is_kept_as_people_dial_it(
    panel: Browser,
    village: Village,
    typed: str,
    kept: str,
) -> None:
    fill_in(panel, callback=typed)
    assert village.forum(1).callback == kept


def test_at_night_a_forum_may_begin_but_nothing_is_said_then(panel: Browser, village: Village) -> None:
    page = text(fill_in(panel, "look", starts="2026-12-09T20:00"))
    assert "On the eve, at 17:00 8 Dec 2026, 17:00" in page
    assert "In the morning, at 08:00 9 Dec 2026, 08:00" in page


def test_a_change_before_the_approval_changes_the_invitation(panel: Browser, village: Village) -> None:
    forum = village.plan()
    page = f"/admin/forums/{forum}/edit"
    assert 'value="2026-12-09T08:30"' in panel.get(page).text
    assert fill_in(panel, page=page, venue_en="pagoda", starts="2026-12-10T14:00").status_code == 302
    assert "Thu 10/12 14:00, pagoda." in panel.read(f"/admin/forums/{forum}")
    village.approve(forum)
    assert panel.get(page).status_code == 302  # from now on it is moved


def test_without_anybody_to_invite_a_second_person_can_approve_it_all_the_same(
    panel: Browser,
    second: Browser,
    village: Village,
) -> None:
    where = fill_in(panel, commune="010807").headers["Location"]
    assert "Nobody of this commune has asked for messages yet" in panel.read(where)
    assert "Approve it" not in panel.read(where)
    panel.send(where, f"{where}/unsaid")
    assert "Somebody else must approve it" in panel.read(where)
    second.send(where, f"{where}/unsaid")
    assert "Planned" in panel.read(where)


def test_another_like_it_takes_all_but_the_time(panel: Browser, village: Village) -> None:
    forum = village.plan(venue={"en": "pagoda"})
    page = panel.get(f"/admin/forums/new?like={forum}").text
    assert 'value="pagoda"' in page
    assert "2026-12-09" not in page


# changes ------------------------------------------------------------------------------------------


def test_a_move_shows_what_is_said_to_how_many_then_waits_for_approval(panel: Browser, village: Village) -> None:
    forum = village.invited()
    where = f"/admin/forums/{forum}"
    fields = {"starts": "2026-12-16T08:30", "venue-km": "សាលាឃុំ", "venue-en": "commune hall"}
    page = text(panel.send(f"{where}/move", do="look", **fields))
    assert "Recipients 3" in page
    assert "RCEDO: Ta Phou forum 09/12 moved to Wed 16/12 8:30, commune hall." in page
    assert "once a second person has approved it" in page
    assert village.forum(forum).revision == 1
    assert panel.send(f"{where}/move", do="keep", **fields).headers["Location"] == where
    page = panel.read(where)
    assert "Moved, but people were not told yet" in page
    assert "Notice of the move Waits for approval" in page
    notice = broadcast_of(village, Kind.NOTICE)
    assert "09/12 moved to Wed 16/12 8:30, commune hall." in panel.read(f"/admin/broadcasts/{notice.id}")
    assert village.post() == 0
    village.approve(forum)
    village.tick()
    assert "Notice of the move Sent 3 0 0" in panel.read(where)


def test_a_move_near_its_time_goes_at_once(panel: Browser, village: Village) -> None:
    forum = village.invited()
    village.at_time(village.forum(forum).starts - timedelta(days=1), 18)
    where = f"/admin/forums/{forum}"
    fields = {"starts": "2026-12-16T08:30", "venue-en": "commune hall"}
    assert "at once, until 21:00" in text(panel.send(f"{where}/move", do="look", **fields))
    panel.send(f"{where}/move", do="keep", **fields)
    assert "Planned" in panel.read(where)
    village.post()
    assert "moved to Wed 16/12" in village.inbox(SREY)[1]


def test_a_waiting_notice_can_be_hurried_when_the_time_is_near(panel: Browser, village: Village) -> None:
    forum = village.invited()
    where = f"/admin/forums/{forum}"
    village.at_time(village.forum(forum).starts - timedelta(days=2), 12)
    panel.send(f"{where}/cancel", do="keep")
    assert "Tell them at once" not in panel.read(where)
    village.at_time(timedelta(days=1), 12)
    assert "Tell them at once" in panel.read(where)
    panel.send(where, f"{where}/hurry")
    village.post()
    assert "CANCELLED" in village.inbox(SREY)[1]


def test_a_notice_that_was_dropped_can_be_written_again(panel: Browser, village: Village) -> None:
    forum = village.invited()
    where = f"/admin/forums/{forum}"
    panel.send(f"{where}/cancel", do="keep")
    notice = broadcast_of(village, Kind.NOTICE)
    with village.at.store.write() as db:
        bulk.cancel(db, village.at.settings, notice.id, village.at.clock.now)
    assert "its notice was ended before it was approved" in panel.read(where)
    assert "Cancelled, but people were not told yet" in panel.read("/admin/forums")
    panel.send(where, f"{where}/again")
    panel.send(where, f"{where}/ask")
    village.approve(forum)
    village.post()
    assert "CANCELLED" in village.inbox(SREY)[1]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"starts": "2026-11-20T08:30", "venue-en": "x"}, "This time is over."),
        ({"starts": "", "venue-en": "x"}, "Give the day and the time."),
        ({"starts": "2026-12-16T08:30"}, "Say where it is"),
    ],
)
def test_a_move_that_cannot_be_is_refused(
    panel: Browser,
    village: Village,
    fields: dict[str, str],
    says: str,
) -> None:
    forum = village.invited()
    answer = panel.send(f"/admin/forums/{forum}/move", do="keep", **fields)
    assert answer.status_code == 422
    assert says in text(answer)
    assert village.forum(forum).revision == 1


def test_a_move_to_the_same_time_and_place_is_refused(panel: Browser, village: Village) -> None:
    forum = village.invited()
    venue = {f"venue-{language}": place for language, place in village.forum(forum).venue.items()}
    answer = panel.send(f"/admin/forums/{forum}/move", do="keep", starts="2026-12-09T08:30", **venue)
    assert "It is at this time and place already." in text(answer)


def test_a_cancellation_shows_what_is_said_and_is_done_once(panel: Browser, village: Village) -> None:
    forum = village.invited()
    where = f"/admin/forums/{forum}"
    page = panel.read(f"{where}/cancel")
    assert "Recipients 3" in page
    assert "Ta Phou forum Wed 09/12 is CANCELLED." in page
    for _ in range(2):
        panel.send("/admin/forums", f"{where}/cancel", do="keep")
    assert "Cancelled, but people were not told yet" in panel.read(where)
    village.approve(forum)
    village.post()
    assert len(village.inbox(SREY)) == 2
    assert "Cancelled" in panel.read("/admin/forums")
    assert panel.get(f"{where}/cancel").status_code == panel.get(f"{where}/move").status_code == 302


# afterwards ---------------------------------------------------------------------------------------


@pytest.fixture
def over(village: Village) -> int:
    """A forum of this morning, to which two phones announced five people."""
    forum = village.invited()
    village.replies(forum, SREY, 3)
    village.replies(forum, BORA, 2)
    village.replies(forum, CHAN, 0)
    village.at_time(village.forum(forum).starts, 12)
    return forum


def test_who_came_stands_beside_who_said_so(panel: Browser, village: Village, over: int) -> None:
    where = f"/admin/forums/{over}"
    assert "5 people say they come, from 3 phones" in panel.read(where)
    panel.send(where, f"{where}/attendance", total="៤", women="3", men="1")
    page = panel.read(where)
    assert "5 people said to come, from 3 phones that replied. 4 came. Women: 3. Men: 1." in page
    assert "commune hall Over 5 4" in panel.read("/admin/forums")


@pytest.mark.parametrize(
    ("total", "women", "men", "says"),
    [
        ("", "", "", "Say how many came in all."),
        ("", "3", "1", "Say how many came in all."),
        ("4", "3", "2", "Women and men together are 5, more than came in all."),
        ("-1", "", "", "Write a whole number"),
        ("some", "", "", "Write a whole number"),
        ("4.5", "", "", "Write a whole number"),
        ("9999999", "", "", "Write a whole number"),
        ("4", "x", "", "Write a whole number"),
    ],
)
def test_an_attendance_that_cannot_be_is_refused(
    panel: Browser,
    village: Village,
    over: int,
    total: str,
    women: str,
    men: str,
    says: str,
) -> None:
    where = f"/admin/forums/{over}"
    answer = panel.send(where, f"{where}/attendance", total=total, women=women, men=men)
    assert answer.status_code == 422
    assert says in text(answer)
    assert f'value="{total}"' in answer.text
    assert village.forum(over).attended is None


@pytest.mark.parametrize(("total", "women", "men"), [("4", "", ""), ("4", "3", ""), ("4", "0", "4"), ("0", "0", "0")])
def test_women_and_men_may_be_left_out(
    panel: Browser, village: Village, over: int, total: str, women: str, men: str
) -> None:
    where = f"/admin/forums/{over}"
    assert panel.send(where, f"{where}/attendance", total=total, women=women, men=men).status_code == 302
    found = village.forum(over)
    assert [str(found.attended), str(found.women or "0"), str(found.men or "0")] == [total, women or "0", men or "0"]


def test_what_came_of_it_is_shown_then_kept_as_a_draft(panel: Browser, village: Village, over: int) -> None:
    where = f"/admin/forums/{over}/outcome"
    page = text(panel.send(where, do="look", **{"outcome-en": "41 came. The well is repaired by May."}))
    assert "RCEDO: Ta Phou forum 09/12: 41 came. The well is repaired by May." in page
    assert "Recipients 3" in page
    answer = panel.send(where, do="keep", **{"outcome-en": "41 came. The well is repaired by May."})
    said = broadcast_of(village, Kind.RESULT)
    assert answer.headers["Location"] == f"/admin/broadcasts/{said.id}"
    assert "41 came. The well" in panel.read(f"/admin/forums/{over}")
    for wrong in ({"outcome-en": ""}, {"outcome-en": "{x}"}, {"outcome-en": "x" * 301}):
        assert panel.send(where, do="keep", **wrong).status_code == 422


def test_before_it_began_nobody_can_be_counted(panel: Browser, village: Village) -> None:
    forum = village.invited()
    where = f"/admin/forums/{forum}"
    panel.send(where, f"{where}/attendance", total="4")
    assert "This can be done once it has begun." in panel.read(where)
    assert village.forum(forum).attended is None


# the list -----------------------------------------------------------------------------------------


def test_the_list_has_what_is_ahead_and_what_is_past_page_by_page(panel: Browser, village: Village) -> None:
    for days in range(1, 24):
        village.plan(starts=village.now + timedelta(days=days))
    village.at_time(timedelta(days=22), 13)
    page = panel.read("/admin/forums")
    assert page.count("Draft") == 1
    assert page.count("Never approved") == 20
    assert "Page 1 of 2" in page
    second_page = panel.read("/admin/forums?page=2")
    assert second_page.count("Never approved") == 2
    assert "Ahead" not in second_page
    assert panel.get("/admin/forums?page=3").status_code == 404


@pytest.mark.parametrize("path", ["9", "0", "99999999999999999999", "9/edit", "9/move", "9/cancel", "9/outcome"])
def test_of_what_does_not_exist_it_says_so(panel: Browser, path: str) -> None:
    assert panel.get(f"/admin/forums/{path}").status_code == 404


def test_no_number_of_a_villager_is_on_any_page(panel: Browser, village: Village, over: int) -> None:
    for page in ("/admin/forums", f"/admin/forums/{over}", f"/admin/forums/{over}/outcome"):
        assert not [number for number in (SREY, BORA, CHAN) if number[4:] in panel.get(page).text]


def _hidden(page: str, action: str) -> Iterator[tuple[str, str]]:
    """The hidden fields of the form that posts to an address."""
    form = page.split(f'action="{action}"', 1)[1].split("</form>", 1)[0]
    for field in re.findall(r"<input[^>]*>", form):
        name, value = re.search(r'name="([^"]+)"', field), re.search(r'value="([^"]*)"', field)
        if name and value and name[1] != "csrf_token":
            yield name[1], value[1]
