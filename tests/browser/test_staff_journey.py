"""A day of the staff, by what is written on the pages: they log in with a second factor, bring contacts, plan a forum,
invite to it with a second person's approval, watch the invitation go, and read the tallies.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from admin.wording import Wording
from gateway.bulk.hours import next_possible
from gateway.config import Settings
from gateway.models.broadcasts import broadcasts
from gateway.models.messages import State, messages
from gateway.models.store import Store
from tests.browser.conftest import WIDTHS, Demo

PASSWORD = "three quiet buffaloes"
HEAD = "number,name,language,groups,consent\n"
_count = itertools.count(1)
SEEN = "visible=true"
Say = Callable[..., str]


class Desk:
    """Somebody of the staff at the panel, who goes by the words of the pages."""

    def __init__(self, page: Page, demo: Demo, language: str) -> None:
        self.page, self.demo, self.language = page, demo, language
        self.say: Say = Wording(language, Settings(data_dir=demo.folder).zone)

    def log_in(self, name: str, password: str) -> None:
        self.page.goto(f"{self.demo.address}/admin/login?lang={self.language}")
        self.write("Name", name)
        self.write("Password", password)
        self.press("Log in")

    def choose_password(self) -> None:
        """At the first login, with a one-time password."""
        self.write("New password", PASSWORD)
        self.write("New password again", PASSWORD)
        self.press("Change the password")
        expect(self.page.get_by_role("status").first).to_be_visible()  # it is stored: only now may one go on

    def go_to(self, group: str, label: str) -> None:
        """By the pages at the top; on a phone they fold into one line."""
        top = self.page.get_by_role("banner")
        folded = top.get_by_text(self.say("Pages"), exact=True)
        (folded if folded.is_visible() else top.get_by_text(self.say(group), exact=True)).locator(SEEN).first.click()
        top.get_by_role("link", name=self.say(label), exact=True).locator(SEEN).click()

    def write(self, label: str, text: str, **values: str) -> None:
        self.page.get_by_label(self.say(label, **values), exact=True).first.fill(text)

    def press(self, label: str, **values: str) -> None:
        self.page.get_by_role("button", name=self.say(label, **values), exact=True).click()

    def follow(self, label: str, **values: str) -> None:
        self.page.get_by_role("link", name=self.say(label, **values), exact=True).first.click()

    def choose(self, what: str, label: str, **values: str) -> None:
        """One of several links beside each other."""
        among = self.page.get_by_role("navigation", name=self.say(what), exact=True)
        among.get_by_role("link", name=self.say(label, **values), exact=True).click()

    def reads(self, text: str, **values: str) -> None:
        expect(self.page.locator("main")).to_contain_text(self.say(text, **values))

    def fits(self) -> None:
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


@pytest.fixture(params=["km", "en"])
def desk(request: pytest.FixtureRequest, page: Page, demo: Demo) -> Desk:
    """At phone and at desktop width, in Khmer and in English."""
    return Desk(page, demo, request.param)


@pytest.fixture
def another(browser: Browser, demo: Demo) -> Iterator[Desk]:
    """The second person, at a desktop, reading English."""
    width, height = WIDTHS["desktop"]
    context = browser.new_context(viewport={"width": width, "height": height})
    yield Desk(context.new_page(), demo, "en")
    context.close()


def new_login(demo: Demo, name: str) -> str:
    """An operator makes it; returns the one-time password."""
    found = re.search(r"one-time password (\S+)", demo.mati("staff", "add", name, "--role", "staff"))
    assert found
    return found[1]


def test_from_the_login_to_the_tallies(desk: Desk, another: Desk, demo: Demo, tmp_path: Path) -> None:
    turn = next(_count)
    log_in_with_a_second_factor(desk, f"Sokha {turn}")
    bring_contacts(desk, tmp_path, turn)
    plan_a_forum(desk, turn)
    approve(another, f"Dara {turn}", desk.page.url)
    watch(desk)
    read_tallies(desk)


def log_in_with_a_second_factor(desk: Desk, name: str) -> None:
    given = new_login(desk.demo, name)
    desk.log_in(name, given)
    desk.choose_password()
    desk.page.get_by_role("link", name=name).click()
    desk.follow("Set up")
    desk.follow("Set up the app")
    desk.page.get_by_text(desk.say("It cannot be scanned: type this key")).click()
    app = pyotp.TOTP(desk.page.locator("code").inner_text().replace(" ", ""))
    desk.write("Code of the app", app.at(int(time.time()) - 30))  # the next one is for the login: each opens once
    desk.press("Set up the app")
    expect(desk.page.get_by_role("heading", level=1)).to_have_text(desk.say("Second factor"))
    desk.press("Log out")
    desk.log_in(name, PASSWORD)
    desk.write("Code of the app, or a printed code", "000000")
    desk.press("Log in")
    desk.reads("This code is not right, or was used already. The app shows a new one every half minute.")
    desk.write("Code of the app, or a printed code", app.now())
    desk.press("Log in")
    expect(desk.page.get_by_role("banner")).to_contain_text(name)


def bring_contacts(desk: Desk, folder: Path, turn: int) -> None:
    file = folder / "network.csv"
    rows = [f"0100{turn:02}80{i},Person {i},en,Network {turn},forum in March\n" for i in range(4)]
    file.write_text(HEAD + "".join(rows) + "12,Nobody,en,,forum in March\n", encoding="utf-8")
    desk.go_to("Messages", "Contacts")
    desk.follow("Bring a file")
    desk.page.get_by_label(desk.say("File"), exact=True).set_input_files(file)
    desk.press("Look at it")
    desk.reads("Nothing was taken in. Mend this in the file, save it, and choose it again.")
    wrong = desk.page.get_by_role("row").filter(has=desk.page.get_by_role("cell").filter(has_text=re.compile("^6")))
    expect(wrong).to_have_count(1)  # its line, and only that
    desk.fits()
    file.write_text(HEAD + "".join(rows), encoding="utf-8")
    desk.page.get_by_label(desk.say("File"), exact=True).set_input_files(file)
    desk.press("Look at it")
    desk.reads("Nothing was taken in yet. The file is kept sealed for {n} minutes, then it is forgotten.", n="60")
    desk.fits()
    desk.press("Take it in")
    expect(desk.page.get_by_role("status").first).to_contain_text("4")


def plan_a_forum(desk: Desk, turn: int) -> None:
    desk.go_to("Meeting people", "Forums")
    desk.follow("Plan a forum")
    desk.page.get_by_label(desk.say("Commune"), exact=True).select_option("010407")
    starts = datetime.now(UTC) + timedelta(days=20 + turn)
    desk.write("Begins", f"{starts:%Y-%m-%d}T08:30")
    desk.write("Who invites", "RCEDO")
    desk.page.get_by_label(f"Network {turn}", exact=True).check()
    desk.press("Show what is said")
    expect(desk.page.locator(".phone").first).to_contain_text("RCEDO")
    desk.fits()
    desk.press("Keep as a draft")
    desk.press("Ask for approval")
    desk.reads("It waits now for somebody else to approve it.")


def approve(second: Desk, name: str, forum: str) -> None:
    given = new_login(second.demo, name)
    second.log_in(name, given)
    second.choose_password()
    second.page.goto(forum)
    second.follow("Look through it and approve")
    button = second.page.get_by_role("button", name=re.compile("^Approve and send to"))
    button.dblclick()
    second.reads("Approved: its messages are in the outbox.")


def watch(desk: Desk) -> None:
    """The invitation goes while one looks on."""
    desk.page.reload()
    desk.page.locator("main").get_by_role("link", name=desk.say("Invitation")).first.click()
    desk.page.wait_for_url("**/admin/broadcasts/*")
    play_the_provider_at_night(desk)
    done = desk.page.locator("main .when .state")
    expect(done).to_have_text(desk.say("Finished"), timeout=40_000)
    desk.fits()


def play_the_provider_at_night(desk: Desk) -> None:
    """Between 19:00 and 8:00 nothing is sent: then it is told to have begun, and sent while one looks on."""
    settings, now = Settings(data_dir=desk.demo.folder), datetime.now(UTC)
    if next_possible(now, settings.zone, None) > now:
        broadcast = int(desk.page.url.rsplit("/", 1)[1])
        store = Store(f"sqlite:///{desk.demo.folder / 'mati.sqlite'}")
        with store.write() as db:
            db.execute(update(broadcasts).where(broadcasts.c.id == broadcast).values(start=now))
            db.execute(update(messages).where(messages.c.broadcast == broadcast).values(not_before=now))
        desk.page.reload()
        with store.write() as db:
            db.execute(update(messages).where(messages.c.broadcast == broadcast).values(state=State.DELIVERED))


def read_tallies(desk: Desk) -> None:
    desk.go_to("Figures", "Tallies")
    desk.choose("Commune", {"km": "ទានកាំ", "en": "Tean Kam"}[desk.language])
    desk.choose("Round", "Round {n}", n="2")
    desk.reads("satisfied = scores 4 and 5, of n raters")
    desk.reads("not shown")
    desk.choose("Figures by", "Rounds")
    desk.reads("The share of the satisfied; the thin line is its margin.")
    desk.fits()
    desk.choose("Figures by", "Services")
    desk.choose("Side by side", "Round {n}", n="1")
    desk.reads("within the margin, it may be chance")
    desk.fits()
