"""Broadcasts in the panel, as browsers without scripts see them: two members of staff, one village."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from admin.messaging.complaints import COMPLAINTS
from gateway import create_app
from gateway.bulk import broadcasts as bulk
from gateway.bulk.complaints import Wrong
from gateway.bulk.letters import Audience
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.messages import Kind, State, messages
from gateway.providers.base import Reason
from tests.conftest import COMMUNES, Installation
from tests.people import TA_PHOU, People, number
from tests.test_panel import NAME, Browser, add, app, text  # noqa: F401

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
FORM: dict[str, Any] = {
    "title": "Opening hours", "kind": Kind.ANNOUNCEMENT, "text-km": "សួស្តី", "text-en": "Hello {name|neighbour}",
    "communes": TA_PHOU,
}  # fmt: skip


@pytest.fixture(autouse=True)
def noon() -> Iterator[Any]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@dataclass
class Desk:
    """A member of staff at work."""

    at: Installation
    browser: Browser

    def write(self, page: str = "/admin/broadcasts/new", **fields: Any) -> TestResponse:
        """Fills in the form of a page and sends it, with what is hidden in it."""
        shown = self.browser.get(page).text
        hidden = dict(re.findall(r'<input type="hidden" name="(seen|once)" value="([^"]*)"', shown))
        given = {name: value for name, value in (FORM | hidden | fields).items() if value is not None}
        return self.browser.send(page, **given)

    def draft(self, **fields: Any) -> str:
        """A draft; returns the address of its page."""
        answer = self.write(**fields)
        assert answer.status_code == 302, text(answer)
        return answer.headers["Location"]

    def press(self, page: str, deed: str, **fields: Any) -> TestResponse:
        """Presses a button of a page, with what is hidden in its form."""
        shown = self.browser.get(page).text
        form = re.search(rf'<form[^>]*action="{page}/{deed}">(.*?)</form>', shown, re.DOTALL)
        assert form, f"no {deed} on {text(self.browser.get(page))}"
        hidden = re.findall(r'name="(\w+)" value="([^"]*)"', form[1])
        return self.browser.client.post(
            f"{page}/{deed}", data=dict(hidden) | fields, base_url=self.browser.base, follow_redirects=False
        )

    def reads(self, page: str) -> str:
        return self.browser.read(page)


@pytest.fixture
def people(installation: Installation) -> People:
    made = People(installation)
    for i, language in enumerate(("km", "km-Latn", "en", "en")):
        made.add(i, language, name=("", "", "Bopha", "")[i])  # type: ignore[arg-type]
    made.stop(3)
    return made


def at_work(app: Flask, installation: Installation, name: str) -> Desk:  # noqa: F811
    browser = Browser(app.test_client())
    assert browser.log_in(name, page="/admin/login?lang=en").status_code == 302
    return Desk(installation, browser)


@pytest.fixture
def author(app: Flask, installation: Installation, people: People) -> Desk:  # noqa: F811
    return at_work(app, installation, NAME)


@pytest.fixture
def second(app: Flask, installation: Installation, people: People) -> Desk:  # noqa: F811
    add(installation, "dara")
    return at_work(app, installation, "dara")


def stage(at: Installation, broadcast: int = 1) -> str:
    with at.store.read() as db:
        row = bulk.find(db, broadcast)
    assert row
    return str(row.stage)


def count(at: Installation, *where: Any) -> int:
    with at.store.read() as db:
        return db.scalar(select(func.count()).select_from(messages).where(*where)) or 0


# from the form to the outbox ----------------------------------------------------------------------


def test_from_an_empty_page_to_sent(author: Desk, second: Desk, people: People) -> None:
    assert "No broadcast yet A broadcast is one SMS to many" in author.reads("/admin/broadcasts")
    page = author.draft()
    assert page == "/admin/broadcasts/1"
    said = author.reads(page)
    assert "Recipients: 3 · 3 parts" in said
    assert "People of Ta Phou who asked for messages" in said
    assert "Left out, because they stopped: 1" in said
    assert "Khmer in Latin letters no text of their own: they get Khmer 1 UCS-2 1 1" in said
    assert "English 1 GSM-7 1 1" in said
    assert "Hello Bopha" in said
    assert "as soon as it is approved, not before 23 Nov 2026, 12:00" in said
    assert "Through about 23 Nov 2026, 12:00" in said
    assert "Approve" not in said

    assert author.press(page, "submit").headers["Location"] == page
    said = author.reads(page)
    assert "It waits now for somebody else to approve it." in said
    assert "You wrote this, or changed it last. Somebody else must approve it." in said
    assert "Approve and send" not in said

    assert "Approve and send to 3" in second.reads(page)
    assert second.press(page, "approve").headers["Location"] == page
    assert "Approved: its messages are in the outbox. Broadcasts · Announcement · Being sent" in second.reads(page)
    assert "0 of 3 done" in second.reads(page)
    assert f"Written by {NAME}, 23 Nov 2026, 12:00. Approved by dara, 23 Nov 2026, 12:00." in second.reads(page)
    assert sorted(row.text for row in people.written(1)) == ["Hello Bopha", "សួស្តី", "សួស្តី"]
    line = "Opening hours Announcement Being sent 0 of 3 0 of 3 23 Nov 2026, 12:00 3 3"
    assert line in author.reads("/admin/broadcasts")


def test_the_author_who_finds_the_way_around_the_button_is_refused(author: Desk) -> None:
    page = author.draft()
    author.press(page, "submit")
    answer = author.browser.send(page, f"{page}/approve")
    assert answer.status_code == 422
    assert "You wrote this, or changed it last. Somebody else must approve it." in text(answer)
    assert count(author.at) == 0


def test_double_clicks_do_it_once(author: Desk, second: Desk) -> None:
    token = re.search(r'name="once" value="(\w+)"', author.browser.get("/admin/broadcasts/new").text)
    assert token
    for _click in range(2):
        assert author.write(once=token[1]).headers["Location"] == "/admin/broadcasts/1"
    assert author.write(once=token[1], title="Changed").headers["Location"] == "/admin/broadcasts/1"  # back, and again
    page = "/admin/broadcasts/1"
    assert "Changed" in author.reads(page)
    shown = author.browser.get(f"{page}/edit").text
    seen = html.unescape(re.findall(r'name="seen" value="([^"]+)"', shown)[0])
    for _click in range(2):
        assert author.write(f"{page}/edit", seen=seen).status_code == 302
    for desk, deed in ((author, "submit"), (second, "approve"), (second, "pause"), (second, "resume"),
                       (second, "cancel")):  # fmt: skip
        assert desk.press(page, deed).status_code == 302
        assert desk.browser.send(page, f"{page}/{deed}").headers["Location"] == page
    assert stage(author.at) == Stage.CANCELLED
    assert count(author.at) == count(author.at, messages.c.state == State.CANCELLED) == 3


def test_after_the_way_back_nothing_goes_twice_and_the_person_is_told(author: Desk, second: Desk) -> None:
    page = author.draft()
    form = author.browser.get(f"{page}/edit").text
    seen, once = (html.unescape(re.findall(rf'name="{name}" value="([^"]+)"', form)[0]) for name in ("seen", "once"))
    author.press(page, "submit")
    old = re.search(rf'action="{page}/approve">(.*?)</form>', second.browser.get(page).text, re.DOTALL)
    assert old
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', old[1]))
    for said in ("Approved: its messages are in the outbox.", "This was done already. Nothing is done twice."):
        answer = second.browser.client.post(f"{page}/approve", data=fields)
        assert answer.headers["Location"] == page
        assert said in second.reads(page)
    typed = FORM | {"seen": seen, "once": once, "text-en": "other words"}
    answer = author.browser.send(page, f"{page}/edit", **typed)
    assert answer.status_code == 422
    assert "other words" in answer.text
    assert author.browser.get(f"{page}/edit").headers["Location"] == page
    answer = author.press(page, "copy")
    assert answer.status_code == 302  # the way to send it once more is a new one
    assert count(author.at) == 3
    assert "Hello" in author.reads(page)
    assert author.browser.get(page).headers["Cache-Control"] == "no-store"  # the way back loads it anew


def test_an_approver_whose_page_is_old_is_told(author: Desk, second: Desk, people: People) -> None:
    page = author.draft()
    author.press(page, "submit")
    old = second.browser.get(page).text
    people.add(7)
    form = re.search(rf'action="{page}/approve">(.*?)</form>', old, re.DOTALL)
    assert form
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[1]))
    answer = second.browser.client.post(f"{page}/approve", data=fields)
    assert answer.status_code == 422
    assert "Meanwhile it is for 4 people, in 4 parts. Look at it again before you go on." in text(answer)
    author.write(f"{page}/edit", **{"text-en": "other words"})
    author.press(page, "submit")
    answer = second.browser.client.post(f"{page}/approve", data=fields)
    assert "Somebody changed this meanwhile." in text(answer)
    assert count(author.at) == 0
    assert second.press(page, "approve").status_code == 302
    assert count(author.at) == 4


def test_of_two_who_change_one_draft_the_second_is_told_and_loses_nothing(author: Desk, second: Desk) -> None:
    page = author.draft()
    seen = html.unescape(re.findall(r'name="seen" value="([^"]+)"', second.browser.get(f"{page}/edit").text)[0])
    author.write(f"{page}/edit", **{"text-en": "first"})
    answer = second.write(f"{page}/edit", **{"text-en": "second", "seen": seen})
    assert answer.status_code == 422
    assert "Somebody changed this meanwhile. Look at it again before you go on. See how it is now" in text(answer)
    assert ">second</textarea>" in answer.text
    assert "first" in second.reads(page)
    again = html.unescape(re.findall(r'name="seen" value="([^"]+)"', answer.text)[0])
    assert second.write(f"{page}/edit", **{"text-en": "second", "seen": again}).status_code == 302
    assert "second" in author.reads(page)
    assert "Changed last by dara." in author.reads(page)


def test_without_a_second_person_one_button_sends(installation: Installation, people: People) -> None:
    add(installation, NAME)
    alone = create_app(installation.settings.model_copy(update={"second_approval": False}))
    desk = at_work(alone, installation, NAME)
    page = desk.draft()
    assert "Approve and send to 3" in desk.reads(page)
    assert desk.press(page, "approve").status_code == 302
    assert count(installation) == 3


# what is wrong is said ----------------------------------------------------------------------------


@on_one_database
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"title": ""}, "Give it a title"),
        ({"text-km": "", "text-en": " \u200b"}, "Write the text in at least one language."),
        ({"communes": None}, "Choose who gets it: a group or a commune."),
        ({"communes": COMMUNES[0]}, "Nobody would get it"),
        ({"text-en": "Hi {nam}"}, "English: There is no placeholder {nam}. There are {name} {commune} {address}."),
        ({"text-km": "សួស្តី {name}"}, "Khmer: 2 of them: no {name}. Write {name|neighbour}"),
        ({"text-en": "x" * 2000}, "English: This is 14 parts long; the most is 10."),
        ({"start": "2026-11-23T20:00"}, "The next possible time is 24 Nov 2026, 08:00."),
        ({"start": "2026-11-22T09:00"}, "This time is over. The next possible one is 23 Nov 2026, 12:01."),
        ({"expires": "2026-11-22T09:00"}, "It would be too late to send before it begins"),
    ],
)
def test_a_draft_may_be_unfinished_but_does_not_go(author: Desk, fields: dict[str, Any], says: str) -> None:
    page = author.draft(**fields)
    said = author.reads(page)
    assert "Before it can go" in said
    assert says in said
    assert "Ask for approval" not in said
    answer = author.browser.send(page, f"{page}/submit")
    assert answer.status_code == 422
    assert says.partition(": ")[2] in text(answer)
    assert stage(author.at) == Stage.DRAFT


@on_one_database
def test_a_time_that_is_none_is_told_beside_its_field_and_nothing_is_lost(author: Desk) -> None:
    answer = author.write(start="tomorrow", title="Fees & times")
    assert answer.status_code == 422
    assert "This is no time. Write it like 2026-12-01 09:00." in text(answer)
    assert 'value="Fees &amp; times"' in answer.text
    assert 'value="010806" checked' in answer.text
    assert ">Hello {name|neighbour}</textarea>" in answer.text
    assert "No broadcast yet" in author.reads("/admin/broadcasts")


@on_one_database
def test_a_stray_character_is_named_with_its_price_and_replaced_at_a_click(author: Desk) -> None:
    page = author.draft(**{"text-en": "It’s open " + "y" * 70, "text-km": ""})
    said = author.reads(page)
    assert "2 parts with them, 1 part without: ’ at character 3: instead ' U+2019 RIGHT SINGLE QUOTATION MARK" in said
    assert "Recipients: 3 · 6 parts" in said
    assert "Replace them, and save 3 parts" in said
    author.press(page, "cheaper")
    said = author.reads(page)
    assert "Recipients: 3 · 3 parts" in said
    assert "It's open" in said
    assert "U+2019" not in said


@on_one_database
def test_costs_are_shown_where_a_price_is_set(installation: Installation, people: People) -> None:
    add(installation, NAME)
    priced = create_app(installation.settings.model_copy(update={"price_per_segment": 0.04}))
    desk = at_work(priced, installation, NAME)
    said = desk.reads(desk.draft())
    assert "Recipients: 3 · 3 parts · 0.12" in said
    assert "English 1 GSM-7 1 1 0.04" in said
    assert "Metfone" in said
    assert "1 by simulator, 1 part, 0.04" in said


@on_one_database
def test_texts_are_counted_while_one_types(author: Desk) -> None:
    page = "/admin/broadcasts/new"
    counted = author.browser.send(page, "/admin/broadcasts/count", **FORM | {"text-km-Latn": "it’s " + 70 * "x"})
    assert counted.status_code == 200
    places = dict(re.findall(r'data-counted="([\w-]+)">(.*?)</div>\s*(?=<div data-counted|$)', counted.text, re.DOTALL))
    assert {name: words(said) for name, said in places.items()} == {
        "km": "1 part · characters: 6 (UCS-2) · recipients: 1 សួស្តី",
        "km-Latn": "2 parts · characters: 75 (UCS-2) · recipients: 1 These signs are not in the cheap alphabet, GSM-7."
        " 2 parts with them, 1 part without: ’ at character 3: instead ' U+2019 RIGHT SINGLE QUOTATION MARK"
        " Characters over the border of a part: 5. Without them it is one part less."
        " 1/2 it’s " + 62 * "x" + " 2/2 " + 8 * "x",
        "en": "1 part · characters: 11 (GSM-7) · recipients: 1 Hello Sokha",
    }  # fmt: skip
    assert count(author.at) == 0


@on_one_database
def test_what_is_written_stands_on_a_phone_with_its_parts_marked(author: Desk) -> None:
    page = author.browser.get(author.draft(**{"text-en": "Dear {name}, " + 150 * "y"}))
    phones = re.findall(r'<ol class="phones" lang="en">(.*?)</ol>', page.text, re.DOTALL)
    assert [words(one.replace("y", "")) for one in phones] == ["1/2 Dear Bopha, 2/2"]
    assert words(phones[0]).count("y") == 150
    assert 'class="mark"' not in author.browser.get(author.draft()).text


def words(part: str) -> str:
    """What is read in a part of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", part)).split())


# times --------------------------------------------------------------------------------------------


def test_what_is_planned_for_later_begins_later(author: Desk, second: Desk, noon: Any) -> None:
    page = author.draft(start="2026-11-25T09:00", expires="2026-11-25T17:00")
    assert "Begins 25 Nov 2026, 09:00 Through about 25 Nov 2026, 09:00 Ends 25 Nov 2026, 17:00" in author.reads(page)
    author.press(page, "submit")
    second.press(page, "approve")
    assert "Approved, begins later" in author.reads(page)
    assert count(author.at, messages.c.not_before == datetime(2026, 11, 25, 2, 0, tzinfo=UTC)) == 3
    noon.move_to(datetime(2026, 11, 25, 2, 1, tzinfo=UTC))
    second = at_work(author.browser.client.application, author.at, "dara")
    assert "Being sent" in second.reads(page)


@on_one_database
def test_a_long_list_tells_that_a_night_comes_between(installation: Installation, people: People) -> None:
    add(installation, NAME)
    slow = create_app(installation.settings.model_copy(update={"simulator_rate": 3 / 36000}))
    desk = at_work(slow, installation, NAME)
    said = desk.reads(desk.draft())
    assert "Through about 24 Nov 2026, 11:00 Nothing is sent between 19:00 and 8:00: the rest goes on" in said


# while it runs ------------------------------------------------------------------------------------


@pytest.fixture
def sent(author: Desk, second: Desk) -> str:
    """The page of one that runs: a message delivered, one refused for now, one waiting."""
    page = author.draft()
    author.press(page, "submit")
    second.press(page, "approve")
    with author.at.store.write() as db:
        phones = [author.at.keys.lookup(number(i)) for i in range(2)]
        change = update(messages)
        db.execute(change.where(messages.c.phone == phones[0]).values(state=State.DELIVERED, sent=NOON))
        refused = {"state": State.REFUSED, "reason": Reason.NO_BALANCE, "for_now": True}
        db.execute(change.where(messages.c.phone == phones[1]).values(refused))
    return page


def test_how_far_it_is_and_why_not_farther(sent: str, second: Desk) -> None:
    said = second.reads(sent)
    assert "2 of 3 done 1 segments a second · 1 part left" in said
    assert "Waiting 1 Delivered 1 Refused 1 1: Our account at the provider is empty." in said
    assert "Try again what was refused for now: 1" in said
    fragment = second.browser.get(f"{sent}/progress")
    assert text(fragment).startswith("2 of 3 done")
    assert f'data-live="{sent}/progress"' in fragment.text
    assert f'<noscript><p><a class="btn btn-outline-primary" href="{sent}">' in fragment.text


@on_one_database
def test_a_providers_own_words_are_shown_without_numbers(sent: str, second: Desk) -> None:
    with second.at.store.write() as db:
        db.execute(update(messages).values(state=State.REFUSED, reason="said of +85510000024: <b>strange</b>"))
    said = second.browser.get(sent).text
    assert "said of [number]: &lt;b&gt;strange" in said


def test_it_is_held_back_goes_on_and_is_tried_again(sent: str, second: Desk) -> None:
    at = second.at
    assert "Paused: what was not sent yet is kept back." in text(follow(second, sent, "pause"))
    assert count(at, messages.c.state == State.HELD) == 1
    assert "Held back 1" in second.reads(sent)
    assert "It goes on." in text(follow(second, sent, "resume"))
    assert "What was refused for now is tried again." in text(follow(second, sent, "retry"))
    assert count(at, messages.c.state == State.QUEUED) == 2
    said = text(follow(second, sent, "cancel"))
    assert "Cancelled: what was not sent yet will not be." in said
    assert "Waiting" not in said
    assert count(at, messages.c.state == State.CANCELLED) == 2


def test_what_is_through_cannot_be_cancelled(sent: str, second: Desk) -> None:
    with second.at.store.write() as db:
        db.execute(update(messages).values(state=State.DELIVERED, for_now=False))
    said = second.reads(sent)
    assert "Finished" in said
    assert "Cancel it" not in said
    assert "data-live" not in second.browser.get(sent).text
    answer = second.browser.send(sent, f"{sent}/cancel")
    assert answer.status_code == 422
    assert "There is nothing left to cancel: all of it was sent, or ended." in text(answer)
    assert stage(second.at) == Stage.APPROVED


def test_one_that_is_over_serves_for_a_new_one(sent: str, second: Desk) -> None:
    answer = second.press(sent, "copy")
    assert answer.headers["Location"] == "/admin/broadcasts/2/edit"
    shown = second.browser.get("/admin/broadcasts/2/edit").text
    assert ">Hello {name|neighbour}</textarea>" in shown
    assert 'value="010806" checked' in shown
    assert stage(second.at, 2) == Stage.DRAFT


def follow(desk: Desk, page: str, deed: str) -> TestResponse:
    assert desk.press(page, deed).status_code == 302
    return desk.browser.get(page)


# a test to oneself --------------------------------------------------------------------------------


def test_a_test_goes_to_ones_own_phone(author: Desk, people: People) -> None:
    page = author.draft()
    answer = author.press(page, "test", number="010 000 021", languages="en")
    assert answer.status_code == 302
    said = author.browser.get(page)
    assert "The test is on its way. It should arrive within a minute." in text(said)
    assert "000021" not in said.text.replace(" ", "")
    (row,) = people.written()
    assert (row.kind, row.text, people.number_of(row)) == (Kind.TEST, "Hello Sokha", "+85510000021")


@on_one_database
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"number": "hello", "languages": "en"}, "This is no number of a mobile phone that we send to."),
        ({"number": number(3), "languages": "en"}, "This number has stopped. Send ON from it to 8550 first."),
        ({"number": "010 000 021", "languages": "km-Latn"}, "Write the text in at least one language."),
    ],
)
def test_a_test_that_cannot_arrive_is_told(author: Desk, fields: dict[str, Any], says: str) -> None:
    page = author.draft()
    answer = author.browser.send(page, f"{page}/test", **fields)
    assert answer.status_code == 422
    assert says in text(answer)
    assert count(author.at) == 0


# the list -----------------------------------------------------------------------------------------


def test_the_list_is_filtered_and_paged(author: Desk) -> None:
    at = author.at
    with at.store.write() as db:
        for i in range(31):
            bulk.draft(db, kind=Kind.REMINDER, title=f"t{i}", texts={"en": "x"}, audience=Audience(), author=None,
                       now=NOON)  # fmt: skip
        db.execute(update(broadcasts).where(broadcasts.c.id == 1).values(stage=Stage.CANCELLED))
    said = author.reads("/admin/broadcasts")
    assert "All 31 Drafts 30 Cancelled 1" in said
    assert "Page 1 of 2 Older" in said
    assert "t0 Reminder Cancelled" in author.reads("/admin/broadcasts?page=2")
    assert "t0 Reminder Cancelled" in author.reads("/admin/broadcasts?stage=cancelled")
    assert "No broadcast is in this state." in author.reads("/admin/broadcasts?stage=waiting")


@on_one_database
@pytest.mark.parametrize(
    "path", ["broadcasts/9", "broadcasts/9/edit", "broadcasts/9/progress", "broadcasts/99999999999999999999",
             "broadcasts?stage=lost", "broadcasts?page=2", "broadcasts?page=0", "broadcasts/x"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(author: Desk, path: str) -> None:
    assert author.browser.get(f"/admin/{path}").status_code == 404


@on_one_database
@pytest.mark.parametrize("deed", ["submit", "approve", "pause", "resume", "cancel", "retry", "test", "copy", "edit"])
def test_nothing_is_done_with_what_is_not_there(author: Desk, deed: str) -> None:
    assert author.browser.send("/admin/broadcasts/new", f"/admin/broadcasts/9/{deed}").status_code == 404


@on_one_database
def test_what_a_forum_wrote_is_not_changed_here(author: Desk) -> None:
    with author.at.store.write() as db:
        bulk.draft(db, kind=Kind.INVITATION, title="t", texts={"en": "x"}, audience=Audience(communes=(TA_PHOU,)),
                   author=None, now=NOON)  # fmt: skip
    assert "Change it" not in author.reads("/admin/broadcasts/1")
    assert author.browser.get("/admin/broadcasts/1/edit").status_code == 404


@on_one_database
def test_in_khmer_too(author: Desk) -> None:
    page = author.draft()
    author.browser.send(page, "/admin/language", lang="km")
    assert "អ្នកទទួល៖ 3" in author.reads(page)
    for path in ("/admin/broadcasts", page, f"{page}/edit", "/admin/broadcasts/new"):
        assert "Broadcast" not in author.reads(path)


@on_one_database
def test_the_script_is_served_and_no_page_needs_it_inline(author: Desk) -> None:
    shown = author.browser.get("/admin/broadcasts/new").text
    path = re.findall(r'<script src="(/admin/static/broadcasts\.[^"]+)"', shown)[0]
    script = author.browser.get(path)
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    for page in ("/admin/broadcasts/new", author.draft()):
        assert not re.search(r"<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=", author.browser.get(page).text)


def test_the_panel_says_the_same_as_the_command() -> None:
    assert {wrong: words.msgid for wrong, words in COMPLAINTS.items()} == {wrong: wrong.value for wrong in Wrong}
