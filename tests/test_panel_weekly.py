"""Weekly letters and the pause in the staff's panel, as a browser without scripts sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import pytest
import time_machine
from sqlalchemy import delete, update

from gateway.models.contacts import contacts
from gateway.models.installation import pause, set_pause
from gateway.models.messages import State, messages
from gateway.scorecard import weekly
from tests.conftest import COMMUNES, Installation
from tests.test_panel import Browser, add, app, browser, panel, text  # noqa: F401
from tests.test_weekly import WEEK, Councils, at, councils  # noqa: F401

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """A Monday, an hour after the letters."""
    with time_machine.travel(at("2026-11-30 09:00"), tick=False) as clock:
        yield clock


@pytest.fixture
def told(councils: Councils) -> Councils:  # noqa: F811
    """Ta Phou's council was told of one service; Tean Kam has no councillor."""
    with councils.house.store.write() as db:
        db.execute(delete(contacts).where(contacts.c.commune == TEAN_KAM))
    councils.rate(range(23), "45123")
    councils.tick("2026-11-30 08:00")
    return councils


def row_of(page: str, commune: str) -> str:
    """A letter's line in the list, up to the next one."""
    return page.partition("State ")[2].partition(f" {commune} ")[2].partition("Nov 2026 to")[0]


# the list -----------------------------------------------------------------------------------------


@on_one_database
def test_before_the_first_letter_the_page_says_when_it_comes_and_what_it_takes(panel: Browser) -> None:  # noqa: F811
    page = panel.read("/admin/weekly")
    assert "The next time: 7 Dec 2026, 08:00." in page
    assert "No letter yet" in page
    assert "a councillor's number is in Contacts" in page
    assert "once 10 different phones have rated it" in page
    assert "No reply yet" in panel.read("/admin/weekly/replies")


def test_the_list_tells_what_went_out_and_how_it_stands(panel: Browser, told: Councils) -> None:  # noqa: F811
    with told.house.store.write() as db:
        mine = messages.c.broadcast == told.broadcast(TREAS)
        db.execute(update(messages).where(mine).values(state=State.DELIVERED))
    page = panel.read("/admin/weekly")
    assert row_of(page, "Ta Phou").startswith("1 of 4 Waiting 1")
    assert row_of(page, "Treas").startswith("0 of 4 Delivered 1")
    assert page.count("23 Nov 2026 to 29 Nov 2026") == 4  # three letters, and the one that is missing


def test_a_missing_letter_is_named_with_why_and_written_once_a_number_is_there(
    panel: Browser,  # noqa: F811
    told: Councils,
) -> None:
    page = panel.read("/admin/weekly")
    assert "No letter about 23 Nov 2026 to 29 Nov 2026 Tean Kam : no councillor's number Add one in Contacts" in page
    assert "Write it now" not in page
    told.councillor(TEAN_KAM, 20)
    assert "Tean Kam : not written yet Write it now" in panel.read("/admin/weekly")
    for says in ("The letter is in the outbox.", "It was written already; nothing goes out twice."):
        done = panel.send("/admin/weekly", "/admin/weekly/write", commune=TEAN_KAM, week=WEEK.isoformat())
        assert done.status_code == 302
        page = panel.read("/admin/weekly")
        assert says in page
        assert "No letter about" not in page
    assert len(told.sent(TEAN_KAM)) == 1


@on_one_database
def test_why_is_told_of_councils_that_stopped_and_in_a_pause(panel: Browser, told: Councils) -> None:  # noqa: F811
    from gateway.models.messages import opt_out

    number = told.councillor(TEAN_KAM, 20)
    told.pause(date(2026, 11, 30), date(2026, 12, 5))
    assert "Tean Kam : held back by the pause" in panel.read("/admin/weekly")
    with told.house.store.write() as db:
        opt_out(db, told.house.keys.lookup(number), WEEK, "sms")
        set_pause(db, None)
    assert "Tean Kam : all councillors have asked for no more messages" in panel.read("/admin/weekly")
    page = panel.send("/admin/weekly", "/admin/weekly/write", commune=TEAN_KAM, week=WEEK.isoformat())
    assert page.status_code == 302
    assert "Nobody can get it" in panel.read("/admin/weekly")


@on_one_database
def test_only_the_letter_that_is_due_can_be_written(panel: Browser, told: Councils) -> None:  # noqa: F811
    told.councillor(TEAN_KAM, 20)
    for fields in (
        {"commune": TEAN_KAM, "week": "2026-11-16"}, {"commune": TEAN_KAM}, {"commune": "999999", "week": "2026-11-23"},
        {"week": "2026-11-23"},
    ):  # fmt: skip
        assert panel.send("/admin/weekly", "/admin/weekly/write", **fields).status_code == 404
    assert told.sent(TEAN_KAM) == []


@on_one_database
def test_a_long_list_is_paged_the_newest_week_first(
    panel: Browser,  # noqa: F811
    told: Councils,
    clock: time_machine.Traveller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("admin.figures.weekly.PAGE", 3)
    told.tick("2026-12-07 08:00")
    clock.move_to(at("2026-12-07 09:00"))
    panel.log_in(page="/admin/login?lang=en")
    first, second = panel.read("/admin/weekly"), panel.read("/admin/weekly?page=2")
    assert first.count("30 Nov 2026 to 6 Dec 2026") == 4  # with the heading of what is missing
    assert second.count("23 Nov 2026 to 29 Nov 2026") == 3
    assert "Page 2 of 2" in second
    for page in ("0", "3", "x"):
        assert panel.get(f"/admin/weekly?page={page}").status_code == (200 if page == "x" else 404)


# one letter ---------------------------------------------------------------------------------------


def test_a_letter_shows_what_was_told_in_each_language_and_the_counts(panel: Browser, told: Councils) -> None:  # noqa: F811
    page = panel.read(f"/admin/weekly/{told.broadcast()}")
    assert "Ta Phou 23 Nov 2026 to 29 Nov 2026" in page
    assert "តាផូ 23-29/11 %ពេញចិត្ត (នាក់,ប្រែ) សុខភាព 43 (23,ថ្មី)" in page
    assert "Ta Phou 23-29/11 % satisfied (raters,change) Health 43 (23,new)" in page
    assert "satisfied = scores 4 and 5, of n raters" in page
    assert "Health 43% ±20 points satisfied Told for the first time" in page
    assert "Raters 5 4 4 5 5" in page
    assert "Raters (n) 23 Phones 23 Female 23" in page
    for missing in ("999", "0"):
        assert panel.get(f"/admin/weekly/{missing}").status_code == 404


def test_it_is_sent_again_once_however_often_the_button_is_pressed(panel: Browser, told: Councils) -> None:  # noqa: F811
    at_ = f"/admin/weekly/{told.broadcast()}"
    told.councillor(TA_PHOU, 11)
    page = panel.get(at_).text
    assert "to all numbers of this council, 2 by now" in page
    copy = re.search(r'name="copy" value="(\d+)"', page)
    assert copy
    for says in ("The letter is in the outbox.", "It was written already; nothing goes out twice."):
        assert panel.send(at_, f"{at_}/again", copy=copy[1]).status_code == 302
        assert says in panel.read("/admin/weekly")
    assert len(told.sent(TA_PHOU)) == 3
    assert len(set(told.sent(TA_PHOU))) == 1
    page = panel.read(at_)
    assert "sent again by sokha · Waiting 2" in page
    assert 'name="copy" value="3"' in panel.get(at_).text
    assert "sent again, copy 2" in panel.read("/admin/weekly")


@on_one_database
def test_it_is_not_sent_again_without_a_number_a_copy_or_in_a_pause(panel: Browser, told: Councils) -> None:  # noqa: F811
    at_ = f"/admin/weekly/{told.broadcast()}"
    for copy in ("1", "0", "-1", "x", "4"):
        assert panel.send(at_, f"{at_}/again", copy=copy).status_code == 404
    told.pause(date(2026, 11, 30), date(2026, 12, 5))
    panel.send(at_, f"{at_}/again", copy="2")
    assert "There is a pause: nothing leaves before its end." in panel.read("/admin/weekly")
    told.pause(date(2026, 12, 1), date(2026, 12, 5))
    with told.house.store.write() as db:
        db.execute(delete(contacts))
    assert "Yes, send it again" not in panel.read(at_)
    panel.send("/admin/pause", f"{at_}/again", copy="2")
    assert "Nobody can get it" in panel.read("/admin/weekly")
    assert len(told.sent(TA_PHOU)) == 1


# what councils wrote ------------------------------------------------------------------------------


def test_a_councils_reply_is_read_once_and_says_by_whom(panel: Browser, told: Councils) -> None:  # noqa: F811
    with told.house.store.write() as db:
        weekly.file_reply(db, told.broadcast(), "Open until 5pm <b>now</b>. Call 012 345 678", at("2026-11-30 08:30"))
    assert "Councils' replies 1 new" in panel.read("/admin/weekly")
    page = panel.read("/admin/weekly/replies")
    assert (
        "Ta Phou · about 23 Nov 2026 to 29 Nov 2026 · 30 Nov 2026, 08:30 Open until 5pm <b>now</b>. Call [number]"
        in page
    )
    assert "Open until 5pm" in panel.read(f"/admin/weekly/{told.broadcast()}")
    for _ in "twice":
        assert panel.send("/admin/weekly/replies", "/admin/weekly/replies/1/read").status_code == 302
    page = panel.read("/admin/weekly/replies")
    assert "Read by sokha" in page
    assert "Mark as read" not in page
    assert "1 new" not in panel.read("/admin/weekly")
    assert panel.send("/admin/weekly/replies", "/admin/weekly/replies/9/read").status_code == 404


@on_one_database
def test_the_first_reader_stays_the_reader(browser: Browser, panel: Browser, told: Councils) -> None:  # noqa: F811
    with told.house.store.write() as db:
        weekly.file_reply(db, told.broadcast(), "Noted", at("2026-11-30 08:30"))
    panel.send("/admin/weekly/replies", "/admin/weekly/replies/1/read")
    add(told.house, "dara")
    panel.send("/admin/weekly", "/admin/logout")
    panel.log_in("dara")
    panel.send("/admin/weekly/replies", "/admin/weekly/replies/1/read")
    panel.send("/admin/weekly", "/admin/language", lang="en")
    assert "Read by sokha" in panel.read("/admin/weekly/replies")


# the pause ----------------------------------------------------------------------------------------


@pytest.fixture
def boss(browser: Browser, installation: Installation) -> Browser:  # noqa: F811
    """An admin, reading English."""
    add(installation, "boss", "admin")
    assert browser.log_in("boss", page="/admin/login?lang=en").status_code == 302
    return browser


def set_to(house: Installation) -> tuple[date, date] | None:
    with house.store.read() as db:
        return pause(db)


def test_an_admin_sets_changes_and_takes_away_the_pause(
    boss: Browser, installation: Installation, clock: time_machine.Traveller
) -> None:
    assert "No pause is set." in boss.read("/admin/pause")
    boss.send("/admin/pause", first="2026-12-01", last="2026-12-18")
    page = boss.read("/admin/pause")
    assert "The pause is set." in page
    assert "Set: from 1 Dec 2026 to 18 Dec 2026." in page
    for other in ("/admin/tallies", "/admin/messages", "/admin/weekly"):
        assert "Pause from 1 Dec 2026 to 18 Dec 2026 : no tally, poll, invitation or result leaves." in boss.read(other)
    boss.send("/admin/pause", first="2026-11-30", last="2026-12-10")
    assert set_to(installation) == (date(2026, 11, 30), date(2026, 12, 10))
    assert "Under way: from 30 Nov 2026 to 10 Dec 2026." in boss.read("/admin/pause")
    for _ in "twice":
        assert boss.send("/admin/pause", "/admin/pause/end").status_code == 302
    assert set_to(installation) is None
    assert "Pause from" not in boss.read("/admin/tallies")


@on_one_database
def test_a_pause_that_is_over_is_no_banner(boss: Browser, installation: Installation) -> None:
    with installation.store.write() as db:
        set_pause(db, (date(2026, 11, 1), date(2026, 11, 29)))
    page = boss.read("/admin/pause")
    assert "The last one was from 1 Nov 2026 to 29 Nov 2026." in page
    assert "Pause from" not in page


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        ("", "", "Give a day, such as 2026-12-31."),
        ("2026-12-01", "31/12/2026", "Give a day, such as 2026-12-31."),
        ("2026-12-18", "2026-12-01", "The last day is before the first."),
        ("2026-11-01", "2026-11-29", "This day is over already."),
        ("2026-12-01", "2062-12-18", "That is more than a year; is the year right?"),
    ],
)
@on_one_database
def test_wrong_days_are_told_and_what_was_typed_stays(
    boss: Browser, installation: Installation, first: str, last: str, says: str
) -> None:
    page = boss.send("/admin/pause", first=first, last=last)
    assert page.status_code == 422
    assert says in text(page)
    assert f'value="{first}"' in page.text
    assert f'value="{last}"' in page.text
    assert set_to(installation) is None


@on_one_database
def test_staff_see_the_pause_and_cannot_change_it(panel: Browser, installation: Installation) -> None:  # noqa: F811
    with installation.store.write() as db:
        set_pause(db, (date(2026, 12, 1), date(2026, 12, 18)))
    page = panel.read("/admin/pause")
    assert "Set: from 1 Dec 2026 to 18 Dec 2026." in page
    assert "Only an admin can set or take away the pause." in page
    assert panel.send("/admin/pause", first="2026-12-01", last="2026-12-02").status_code == 403
    assert panel.send("/admin/pause", "/admin/pause/end").status_code == 403
    assert set_to(installation) == (date(2026, 12, 1), date(2026, 12, 18))
