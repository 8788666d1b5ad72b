"""The whole loop, as phones and staff meet it over HTTP: rate, report, forum, promise, check, outcome.

Villagers have phones (USSD by Africa's Talking, SMS by the simulator), staff have the panel; between them are the real
clock's tasks and a worker. Time is moved.
"""

# ruff: noqa: F811 -- fixtures are asked for by their names

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.providers.simulator import SimulatorSender
from gateway.workers.clock import Clock as Schedule
from gateway.workers.clock import tasks
from gateway.workers.outbox import Outbox
from tests.conftest import TOKEN, Installation
from tests.test_panel import Browser, app, text  # noqa: F401
from tests.test_panel_commitments import FIELDS as COMMITMENT
from tests.test_panel_forums import FIELDS as FORUM
from tests.test_panel_forums import REMINDERS, Member, real_time  # noqa: F401
from tests.village import TA_PHOU, Village

pytestmark = pytest.mark.slow
PEOPLE = [f"+85510000{n:03}" for n in range(14)]
LATE = "+85512000001"
"""Who has not rated, and calls at the end."""
SCORES = "12432154213245"
SAID = "11121321411232"
"""What each says of the promise: six it was done, four partly, two not, one does not know, by the first thirteen."""
STOPPED = PEOPLE[13]


@dataclass
class Town:
    """Phones, staff's browsers, the clock and a worker around one gateway."""

    village: Village
    web: FlaskClient
    panel: Member
    """Who writes."""
    second: Member
    """Who approves."""
    _ids: itertools.count[int] = field(default_factory=itertools.count)
    _seen: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def at(self) -> Installation:
        return self.village.at

    def dials(self, number: str, *digits: str) -> str:
        """A USSD session, request by request; the last screen."""
        session = f"ATUid_{next(self._ids)}"
        for end in range(len(digits) + 1):
            fields = {"sessionId": session, "phoneNumber": number, "networkCode": "45606", "serviceCode": "*855#",
                      "text": "*".join(digits[:end])}  # fmt: skip
            answer = self.web.post(f"/hooks/africastalking/{TOKEN}/ussd", data=fields)
            assert answer.status_code == 200
        return answer.text

    def texts(self, number: str, words: str) -> str:
        """An SMS to the gateway; what came back."""
        sms = {"id": f"sms {next(self._ids)}", "from": number, "to": "855", "text": words}
        assert self.web.post("/hooks/simulator/sms", json=sms).status_code == 200
        self.work()
        return next(iter(self.inbox(number)), "")

    def inbox(self, number: str) -> list[str]:
        """What a phone got since the last look."""
        look = {"number": number, "shown": []}
        answer = self.web.post("/hooks/simulator/inbox", json=look)
        there: dict[str, str] = {one["id"]: one["text"] for one in answer.json["messages"]}  # type: ignore[index]
        seen = self._seen[number]
        self._seen[number] = seen | there.keys()
        return [words for message, words in there.items() if message not in seen]

    def work(self) -> None:
        """A worker sends what is due, at the provider's rate."""
        while Outbox(self.at.store, self.at.keys, self.at.settings, SimulatorSender(self.at.settings)).drain():
            self.at.clock.forward(seconds=1)

    def tick(self) -> None:
        """The clock does what is due, and a worker sends it."""
        at = self.at
        Schedule(at.store, at.settings.zone, tasks(at.store, at.keys, at.settings)).look(at.clock.now)
        self.work()

    def until(self, day: date, hour: int = 12) -> None:
        """Days pass; the clock looks on each."""
        while self.village.now.date() < day:
            self.village.at_time(timedelta(days=1), hour)
            self.tick()

    def approved(self, kind: str) -> str:
        """The second member finds on the home page what waits, and approves it; the text of its page."""
        home = self.second.read("/admin/")
        assert "aits for your approval: “" in home
        assert f"({kind})" in home
        found = re.findall(r'href="/admin/broadcasts/(\d+)"', self.second.get("/admin/broadcasts").text)
        page = f"/admin/broadcasts/{max(map(int, found))}"
        read = self.second.read(page)
        assert kind in read
        assert "Approved" in text(self._done(page, "approve"))
        self.work()
        return read

    def _done(self, page: str, deed: str) -> TestResponse:
        answer = self.second.send(page, f"{page}/{deed}")
        assert answer.status_code == 302, text(answer)
        return self.second.get(page)


@pytest.fixture
def town(app: Flask, installation: Installation) -> Town:
    village = Village(installation)
    return Town(village, app.test_client(), Member(app.test_client()), Member(app.test_client(), name="dara"))


def test_from_the_ratings_to_what_came_of_them(town: Town) -> None:
    panel, at = town.panel, town.at

    # a round is opened, and people rate their health centre; thirteen want news of forums
    chosen: dict[str, Any] = {"places": [TA_PHOU], "services": ["office", "health"], "until": ""}
    answer = panel.send("/admin/rounds/new", **chosen)
    assert answer.headers["Location"] == "/admin/rounds/1", text(answer)
    for n, number in enumerate(PEOPLE):
        last = town.dials(number, "1", "3", "2", SCORES[n], str(1 + n % 4))
        assert last.startswith("END អរគុណ!"), last
        assert town.dials(number, "8", "1", "1").startswith("END ")
    assert "ON" in town.texts(STOPPED, "off")

    # it closes, is published, and its report says how few are satisfied
    town.until(date(2026, 11, 30))
    assert panel.send("/admin/rounds/1/close", sure="yes").headers["Location"] == "/admin/rounds/1"
    assert panel.send("/admin/rounds/1/publish").status_code == 302
    report = panel.read("/admin/rounds/1/report")
    assert "Health centre" in report
    assert "36%" in report  # five of fourteen gave 4 or 5

    # a forum is planned and announced; somebody says they come
    announced: dict[str, Any] = FORUM | {"do": "keep", "reminders": REMINDERS}
    planned = panel.send("/admin/forums/new", **announced)
    forum = planned.headers["Location"]
    assert panel.send(forum, f"{forum}/ask").status_code == 302
    town.approved("Invitation")
    assert "វេទិកា" in town.inbox(PEOPLE[0])[0]
    assert town.inbox(STOPPED) == []
    assert "09/12" in town.texts(PEOPLE[0], "3")
    town.until(date(2026, 12, 10))
    assert panel.send(forum, f"{forum}/attendance", total="31", women="18", men="13").status_code == 302
    for number in PEOPLE:
        town.inbox(number)

    # there the council promised something: it stands in the menu
    fields = COMMITMENT | {"forum": forum.rpartition("/")[2], "round": "1", "due": "2026-12-20", "do": "keep",
                           "activity-km": "បើកមណ្ឌលសុខភាពដល់ម៉ោង 5", "activity-km-Latn": "Baek mondol dol mong 5",
                           "activity-en": "Health centre open until 5 pm"}  # fmt: skip
    made = panel.send("/admin/commitments/new", **fields)
    promise = made.headers["Location"]
    page = panel.read(promise)
    assert "The council says Planned" in page
    assert "Villagers are asked whether it was done once it is due" in page
    assert "មុន 20/12។ ឃុំ៖ គ្រោងធ្វើ។" in town.dials(PEOPLE[1], "1")

    # the council says that it is done; on the day after it was due villagers are asked, once somebody approved the SMS
    town.until(date(2026, 12, 19))
    done = {"standing": "under way", "day": "2026-12-18", "note": ""}
    assert panel.send(promise, f"{promise}/standing", **done).status_code == 302
    town.until(date(2026, 12, 21))
    assert all(town.inbox(number) == [] for number in PEOPLE)
    read = town.approved("Check of a promise")
    assert "Whoever was told of the forum, or replied" in read
    for n, number in enumerate(PEOPLE[:13]):
        (question,) = town.inbox(number)
        assert question.startswith("RCEDO៖ "), question
        assert "ធ្វើឬនៅ? 1=ហើយ 2=ខ្លះ 3=ទេ 4=មិនដឹង OFF=ឈប់" in question
        if n < 11:
            assert town.texts(number, SAID[n]).startswith("អ្នកជា៖")
            assert town.texts(number, str(1 + n % 4)).startswith("អរគុណ! បានទទួលហើយ។")
        else:  # by the menu
            last = town.dials(number, "1", SAID[n], str(1 + n % 4))
            assert last == "END អរគុណ! បានទទួលហើយ។", last
    assert town.inbox(STOPPED) == []
    assert "Villagers say 58% yes of 12" in panel.read(promise)

    # then the council says that it is done; the two stand beside each other
    done = {"standing": "done", "day": "2026-12-21", "note": "New hours are on the door"}
    assert panel.send(promise, f"{promise}/standing", **done).status_code == 302
    page = panel.read(promise)
    assert "The council says Done since 21 Dec 2026" in page
    assert "Villagers say 58% yes of 12 yes 7 partly 3 no 2 6 of them women. 1 more do not know." in page
    assert "Villagers are asked until 18 Feb 2027: what they say by then is for staff only." in page

    # you said, we did: told to the commune
    (entry,) = re.findall(r'name="entry" value="(\d+)"', panel.get(promise).text)
    draft = panel.send(promise, f"{promise}/tell", entry=entry).headers["Location"].removesuffix("/edit")
    assert panel.send(draft, f"{draft}/submit").status_code == 302
    town.approved("Result")
    for number in PEOPLE[:13]:
        assert town.inbox(number) == ["ឃុំឆ្លើយ៖ បើកមណ្ឌលសុខភាពដល់ម៉ោង 5 ធ្វើរួចហើយ។"]
    assert town.inbox(STOPPED) == []

    # the check closes, and its figure reaches everybody a week after the council
    town.until(date(2027, 2, 19))
    assert list(at.settings.keys.glob("round-*.key")) == []
    screen = town.dials(LATE, "9", "1", "3", "1")
    assert "ឃុំ៖ រួចហើយ។" in screen
    town.until(date(2027, 2, 26))
    screen = town.dials(LATE, "1")
    assert screen == "CON បើកមណ្ឌលសុខភាពដល់ម៉ោង 5។ ឃុំ៖ រួចហើយ អ្នកភូមិ៖ 58% ថាធ្វើហើយ ក្នុង 12 នាក់។\n0 ថយ"
    public = Browser(town.web).read(f"/results/{TA_PHOU}/1?lang=en")
    assert "Health centre open until 5 pm , by 20 Dec 2026 Council: done; villagers: 58% yes of 12" in public
