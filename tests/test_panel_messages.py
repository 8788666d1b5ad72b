"""What staff decide about messages: those in doubt, and those refused for now."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select, update

from gateway import create_app
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.installation import set_pause
from gateway.models.messages import Draft, Kind, State, messages, write
from gateway.providers.base import Reason
from tests.conftest import Installation
from tests.test_panel import NAME, Browser, add, on_one_database

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
DOUBT = {"state": State.UNCONFIRMED, "reason": Reason.NO_ANSWER, "attempts": 1}
GIVEN_UP = {"state": State.REFUSED, "reason": Reason.THROTTLED, "attempts": 8, "for_now": True}
FOR_GOOD = {"state": State.REFUSED, "reason": Reason.BAD_NUMBER, "attempts": 1}
DOUBTFUL = "/admin/messages?state=unconfirmed"
REFUSED = "/admin/messages?state=refused"


@dataclass
class Outbox:
    """Rows of it."""

    installation: Installation

    def put(self, row: dict[str, Any], number: str = "+85510000001", *, hours: int = 1, **other: Any) -> str:
        """A message that expires in so many hours; its id."""
        now = self.installation.clock.now
        draft = Draft(Kind.REMINDER, number, "Come to the forum", "simulator", now, now + timedelta(hours=hours))
        with self.installation.store.write() as db:
            message = write(db, self.installation.keys, draft, now)
            db.execute(update(messages).where(messages.c.id == message).values(row | other))
        return message

    def row(self, message: str) -> Any:
        with self.installation.store.read() as db:
            return db.execute(select(messages).where(messages.c.id == message)).one()

    def states(self, *ids: str) -> list[State]:
        return [State(self.row(message).state) for message in ids]


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def panel(installation: Installation) -> Browser:
    """A member of staff, reading English."""
    add(installation, NAME)
    browser = Browser(create_app(installation.settings).test_client())
    assert browser.log_in(page="/admin/login?lang=en").status_code == 302
    return browser


@pytest.fixture
def outbox(installation: Installation) -> Outbox:
    return Outbox(installation)


def decide(panel: Browser, page: str, decision: str, *ids: str) -> str:
    """What the page says after a decision."""
    answer = panel.send(page, "/admin/messages/decide", decision=decision, message=list(ids))  # type: ignore[arg-type]
    assert answer.status_code == 302
    return panel.read(answer.headers["Location"])


def buttons(panel: Browser, page: str) -> list[str]:
    """The decisions that a page offers, in their order."""
    return re.findall(r'name="decision" value="[^"]+">(?:<button[^>]*>)?([^<]+)<', panel.get(page).text)


# in doubt -----------------------------------------------------------------------------------------


def test_what_is_in_doubt_can_be_counted_as_sent_or_sent_again(panel: Browser, outbox: Outbox) -> None:
    there, lost, another = (outbox.put(DOUBT) for _ in range(3))
    page = panel.read(DOUBTFUL)
    assert "Nobody knows whether these went out." in page
    assert "the person gets it twice" in page
    one = ["It went out", "Send again"]
    assert buttons(panel, DOUBTFUL) == ["All of these went out", "Send all of these again", *one * 3]
    assert "Noted: counted as sent." in decide(panel, DOUBTFUL, "went-out", there)
    assert "Noted: it goes out again." in decide(panel, DOUBTFUL, "send-again", lost)
    assert outbox.states(there, lost, another) == [State.ACCEPTED, State.QUEUED, State.UNCONFIRMED]
    row = outbox.row(lost)
    assert (row.attempts, row.reason, row.not_before) == (0, None, NOON)
    assert outbox.row(there).reason is None
    assert buttons(panel, DOUBTFUL) == one  # of one, nothing is said of all


def test_all_that_are_shown_are_decided_at_once(panel: Browser, outbox: Outbox) -> None:
    shown = [outbox.put(DOUBT) for _ in range(3)]
    hidden = re.search(r"<form[^>]*decide.*?</form>", panel.get(DOUBTFUL).text, re.DOTALL)
    assert hidden
    assert sorted(re.findall(r'name="message" value="(\w+)"', hidden[0])) == sorted(shown)
    decide(panel, DOUBTFUL, "send-again", *shown)
    assert outbox.states(*shown) == [State.QUEUED] * 3
    assert "No message is in this state." in panel.read(DOUBTFUL)


def test_a_second_click_changes_nothing_and_says_so(panel: Browser, outbox: Outbox) -> None:
    message = outbox.put(DOUBT)
    decide(panel, DOUBTFUL, "send-again", message)
    before = outbox.row(message)
    for decision in ("send-again", "went-out", "try-again"):
        assert "Nothing was changed" in decide(panel, DOUBTFUL, decision, message)
    assert outbox.row(message) == before


@on_one_database
@pytest.mark.parametrize("state", sorted(set(State) - {State.UNCONFIRMED, State.REFUSED}))
def test_only_what_is_in_doubt_or_given_up_is_decided(panel: Browser, outbox: Outbox, state: State) -> None:
    """Whatever is sent by hand: what is just going out, above all, is left alone."""
    message = outbox.put({"state": state, "for_now": True})
    for decision in ("send-again", "went-out", "try-again"):
        assert "Nothing was changed" in decide(panel, DOUBTFUL, decision, message)
    assert outbox.states(message) == [state]
    assert buttons(panel, f"/admin/messages?state={state}") == []


def test_what_is_too_old_is_not_sent_again(panel: Browser, outbox: Outbox) -> None:
    message, given_up = outbox.put(DOUBT, hours=0), outbox.put(GIVEN_UP, hours=0)
    assert buttons(panel, DOUBTFUL) == ["It went out"]
    assert buttons(panel, REFUSED) == []
    assert "too late to send" in decide(panel, DOUBTFUL, "send-again", message)
    decide(panel, REFUSED, "try-again", given_up)
    assert outbox.states(message, given_up) == [State.UNCONFIRMED, State.REFUSED]


@on_one_database
@pytest.mark.parametrize(("stage", "goes"), [(Stage.APPROVED, True), (Stage.PAUSED, True), (Stage.CANCELLED, False)])
def test_what_was_cancelled_is_not_sent_again(panel: Browser, outbox: Outbox, stage: Stage, goes: bool) -> None:
    with outbox.installation.store.write() as db:
        values = {"kind": Kind.REMINDER, "title": "x", "texts": "{}", "audience": "{}", "stage": stage,
                  "created": NOON, "changed": NOON}  # fmt: skip
        (broadcast,) = db.execute(broadcasts.insert().values(values)).inserted_primary_key or (0,)
    doubt = outbox.put(DOUBT, broadcast=broadcast)
    given_up = outbox.put(GIVEN_UP, "+85510000002", broadcast=broadcast)
    decide(panel, DOUBTFUL, "send-again", doubt)
    decide(panel, REFUSED, "try-again", given_up)
    assert outbox.states(doubt, given_up) == ([State.QUEUED] * 2 if goes else [State.UNCONFIRMED, State.REFUSED])


# refused for now ----------------------------------------------------------------------------------


def test_what_was_refused_for_now_is_tried_again_and_what_was_for_good_is_not(panel: Browser, outbox: Outbox) -> None:
    given_up, for_good = outbox.put(GIVEN_UP), outbox.put(FOR_GOOD)
    assert "refused only for now" in panel.read(REFUSED)
    assert buttons(panel, REFUSED) == ["Try all of these again", "Try again"]
    assert "Noted: it is tried again." in decide(panel, REFUSED, "try-again", given_up, for_good)
    assert outbox.states(given_up, for_good) == [State.QUEUED, State.REFUSED]
    row = outbox.row(given_up)
    assert (row.attempts, row.for_now, row.reason, row.not_before) == (0, False, None, NOON)
    assert "refused only for now" not in panel.read(REFUSED)


# forms --------------------------------------------------------------------------------------------


@on_one_database
def test_decisions_are_offered_where_they_are_explained_and_nowhere_else(panel: Browser, outbox: Outbox) -> None:
    outbox.put(DOUBT)
    outbox.put(GIVEN_UP)
    assert buttons(panel, "/admin/messages") == []


@on_one_database
@pytest.mark.parametrize(("decision", "status"), [("forget", 404), ("", 404), ("went-out", 302)])
def test_a_form_made_by_hand_does_no_harm(panel: Browser, outbox: Outbox, decision: str, status: int) -> None:
    message = outbox.put(DOUBT)
    where = "/admin/messages/decide"
    assert panel.send(DOUBTFUL, where, decision=decision, message="nobody's").status_code == status
    assert panel.client.post(where, data={"decision": "went-out", "message": message}).status_code == 400  # no token
    assert panel.get(where).status_code == 404
    assert outbox.states(message) == [State.UNCONFIRMED]


# one message --------------------------------------------------------------------------------------


def history(panel: Browser, message: str) -> str:
    return panel.read(f"/admin/messages/{message}")


def test_a_messages_page_tells_its_whole_history(panel: Browser, outbox: Outbox) -> None:
    at = outbox.installation
    with at.store.write() as db:
        row = {"kind": Kind.REMINDER, "title": "forum", "texts": "{}", "audience": "{}", "stage": Stage.APPROVED,
               "author": 1, "approver": 2, "created": NOON, "changed": NOON, "approved": NOON}  # fmt: skip
        broadcast = db.execute(broadcasts.insert().values(row)).inserted_primary_key[0]  # type: ignore[index]
    message = outbox.put(DOUBT, number="+85510000021", broadcast=broadcast, provider_id="AT-7", language="km",
                         sent=NOON + timedelta(minutes=2), changed=NOON + timedelta(minutes=3))  # fmt: skip
    page = history(panel, message)
    for told in (
        "Reminder Uncertain Come to the forum", "Number +855 •• ••• •21", "Written 23 Nov 2026, 12:00 · forum · admin",
        f"Approved 23 Nov 2026, 12:00 · {NAME}", "Language Khmer", "Attempts 1",
        "Handed over 23 Nov 2026, 12:02 · simulator · AT-7",
        "Last news 23 Nov 2026, 12:03 · Uncertain The provider did not answer in time",
        "To decide Nobody knows whether it went out.",
    ):  # fmt: skip
        assert told in page
    assert "+85510000021" not in panel.get(f"/admin/messages/{message}").text
    assert f'href="/admin/messages/{message}"' in panel.get("/admin/messages").text


def test_what_is_decided_on_its_page_leads_back_there_and_stays_in_its_history(panel: Browser, outbox: Outbox) -> None:
    message, other = outbox.put(DOUBT), outbox.put(DOUBT, number="+85510000002")
    page = f"/admin/messages/{message}"
    assert buttons(panel, page) == ["It went out", "Send again"]
    answer = panel.send(page, "/admin/messages/decide", decision="send-again", message=message, back="one")
    assert answer.headers["Location"] == page
    after = history(panel, message)
    assert "Noted: it goes out again." in after
    assert f"What staff did 23 Nov 2026, 12:00 {NAME} decided about messages. Send again" in after
    assert "What staff did" not in history(panel, other)
    assert panel.get("/admin/messages/nothing").status_code == 404


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"state": State.QUEUED}, "Waits for It is next"),
        ({"state": State.HELD}, "Waits for Its broadcast is paused."),
        (
            {"state": State.QUEUED, "attempts": 2, "not_before": NOON + timedelta(minutes=10)},
            "Waits for It is tried again after a while: 2 tries so far. 23 Nov 2026, 12:10",
        ),
        ({"state": State.QUEUED, "not_before": NOON + timedelta(days=1)}, "It is to leave later. 24 Nov 2026, 12:00"),
    ],
)
def test_what_has_not_left_says_what_it_waits_for(
    panel: Browser, outbox: Outbox, row: dict[str, Any], says: str
) -> None:
    assert says in history(panel, outbox.put(row))
    assert "Waits for" not in history(panel, outbox.put(FOR_GOOD, number="+85510000002"))


@on_one_database
def test_it_waits_for_the_morning_and_for_the_end_of_a_pause(panel: Browser, outbox: Outbox) -> None:
    message = outbox.put({"state": State.QUEUED}, hours=90)
    other = Browser(panel.client.application.test_client())
    with time_machine.travel(NOON + timedelta(hours=9), tick=False):  # 21:00 there
        other.log_in(page="/admin/login?lang=en")
        assert "Waits for It waits for the morning" in history(other, message)
    with outbox.installation.store.write() as db:
        set_pause(db, (NOON.date(), NOON.date() + timedelta(days=2)))
    assert "Waits for There is a pause" in history(panel, message)


@on_one_database
def test_an_answers_words_are_not_on_its_page(panel: Browser, outbox: Outbox) -> None:
    message = outbox.put({"kind": Kind.ANSWER, "state": State.DELIVERED, "text": "secret of the caller"})
    page = history(panel, message)
    assert "secret of the caller" not in page
    assert "What is answered to a person is not shown." in page
    gone = outbox.put({"state": State.DELIVERED, "phone": None, "number": None, "number_key": None, "text": ""})
    assert "Number no longer kept" in history(panel, gone)
    assert panel.send("/admin/password", f"/admin/messages/{gone}/number").status_code == 404
