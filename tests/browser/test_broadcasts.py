"""A broadcast in a browser: counted while one types, followed while it is sent."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select, update

from gateway.bulk import broadcasts as bulk
from gateway.bulk.letters import Audience
from gateway.config import Settings
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.contacts import Role, contacts, group_members, groups
from gateway.models.messages import Kind, State, messages
from gateway.models.store import Store
from gateway.privacy import Keys
from tests.browser.conftest import Demo

_count = itertools.count(1)


def log_in(page: Page, demo: Demo, path: str) -> None:
    page.goto(f"{demo.address}/admin/login?lang=en&next={path}")
    page.fill("input[name=name]", "demo")
    page.fill("input[name=password]", demo.password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"**{path}")


@pytest.fixture
def store(demo: Demo) -> Store:
    return Store(f"sqlite:///{demo.folder / 'mati.sqlite'}")


@pytest.fixture
def group(demo: Demo, store: Store) -> int:
    """A group of four people who read English, of its own for each test."""
    keys = Keys(Settings(data_dir=demo.folder))
    now, turn = datetime.now(UTC), next(_count)
    with store.write() as db:
        new = groups.insert().values(name=f"Four {turn}", made=now)
        made: int | None = db.scalar(new.returning(groups.c.id))
        for i in range(4):
            number = f"+855100{turn:02}9{i:02}"
            sealed = keys.seal_number(number)
            one = contacts.insert().values(
                phone=keys.lookup(number), number=sealed.data, number_key=sealed.key, operator="smart",
                role=Role.PERSON, language="en", source="import", since=date(2026, 11, 1),
            )  # fmt: skip
            member = db.scalar(one.returning(contacts.c.id))
            db.execute(group_members.insert().values(group_id=made, contact_id=member))
    assert made is not None
    return made


def test_a_text_is_counted_while_it_is_typed(page: Page, demo: Demo, group: int) -> None:
    log_in(page, demo, "/admin/broadcasts/new")
    page.fill("#title", "Opening hours")
    page.check(f'input[name=groups][value="{group}"]')
    place = page.locator('[data-counted="en"]')
    page.fill("#text-en", "Open until 5 pm")
    expect(place).to_contain_text("1 part · characters: 15 (GSM-7) · recipients: 4")
    page.locator("#text-en").press_sequentially(" – it’s free" + 60 * "!")
    expect(place).to_contain_text("2 parts with them, 1 part without")
    expect(place).to_contain_text("’ at character")
    page.click("text=Save and look at it")
    expect(page.locator("h2#who")).to_have_text("Recipients: 4 · 8 parts")
    page.click("text=Replace them, and save 4 parts")
    expect(page.locator("h2#who")).to_have_text("Recipients: 4 · 4 parts")
    page.click("text=Ask for approval")
    expect(page.locator("[role=status]").first).to_have_text("It waits now for somebody else to approve it.")
    expect(page.locator("main")).to_contain_text("Somebody else must approve it.")


def test_its_sending_is_followed_without_a_reload(page: Page, demo: Demo, store: Store, group: int) -> None:
    settings, now = Settings(data_dir=demo.folder), datetime.now(UTC)
    later = (now + timedelta(days=2)).replace(hour=5)  # no worker sends it meanwhile
    with store.write() as db:
        made = bulk.draft(
            db, kind=Kind.ANNOUNCEMENT, title="Followed", texts={"en": "Hello"}, audience=Audience(groups=(group,)),
            author=None, start=later, now=now,
        )  # fmt: skip
        bulk.submit(db, settings, made, now)
        bulk.approve(db, settings, made, 1, now)
        db.execute(update(broadcasts).where(broadcasts.c.id == made).values(start=now - timedelta(minutes=1)))
        ids = list(db.scalars(select(messages.c.id).where(messages.c.broadcast == made)))

    def deliver(which: list[str]) -> None:
        delivered = {"state": State.DELIVERED, "sent": datetime.now(UTC)}
        with store.write() as db:
            db.execute(update(messages).where(messages.c.id.in_(which)).values(delivered))

    log_in(page, demo, f"/admin/broadcasts/{made}")
    page.evaluate("document.body.dataset.same = 'page'")
    expect(page.locator("[data-progress]")).to_contain_text("0 of 4 done")
    deliver(ids[:3])
    expect(page.locator("[data-progress]")).to_contain_text("3 of 4 done")
    assert page.evaluate("document.body.dataset.same") == "page"
    page.click("text=Pause")
    expect(page.locator("main")).to_contain_text("Paused: what was not sent yet is kept back.")
    page.click("text=Go on")
    expect(page.locator("main .when .state")).to_have_text("Being sent")
    with store.write() as db:
        bulk.pause(db, settings, made, datetime.now(UTC))  # somebody else, meanwhile
    expect(page.locator("main .when .state")).to_have_text("Paused")
    page.click("text=Go on")
    deliver(ids)
    expect(page.locator("main .when .state")).to_have_text("Finished")
    expect(page.locator("text=Pause")).to_have_count(0)
    with store.read() as db:
        row = bulk.find(db, made)
    assert row
    assert row.stage == Stage.APPROVED
