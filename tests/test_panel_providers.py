"""How the providers do, as staff read it."""

# ruff: noqa: F811 -- fixtures are asked for by their names

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import insert, update

from gateway import create_app
from gateway.models.health import provider_changes, provider_health
from gateway.models.messages import Draft, Kind, State, messages, write
from gateway.providers.base import Reason
from tests.conftest import Installation
from tests.test_panel import NAME, Browser, add, app, browser, panel, text  # noqa: F401

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def two(installation: Installation) -> Browser:
    """A panel with two providers, and a third that only answers."""
    settings = installation.settings.model_copy(
        update={
            "providers": ("africastalking", "simulator"), "africastalking_username": "sandbox",
            "africastalking_api_key": "key", "http_send_url": "http://127.0.0.1:1/send", "africastalking_rate": 2.5,
        }
    )  # fmt: skip
    add(installation, NAME)
    browser = Browser(create_app(settings).test_client())
    assert browser.log_in(page="/admin/login?lang=en").status_code == 302
    return browser


def queue(at: Installation, provider: str, later: timedelta = timedelta(), state: State = State.QUEUED) -> None:
    with at.store.write() as db:
        draft = Draft(Kind.ANSWER, "+85510000021", "Hello", provider, NOON + later, NOON + timedelta(days=1))
        made = write(db, at.keys, draft, NOON)
        db.execute(update(messages).where(messages.c.id == made).values(state=state))


def test_each_provider_tells_how_it_does_and_what_waits(two: Browser, installation: Installation) -> None:
    with installation.store.write() as db:
        db.execute(
            insert(provider_health).values(
                provider="africastalking",
                failures=6,
                rests_until=NOON + timedelta(minutes=3),
                accepted=NOON - timedelta(hours=1),
            )
        )
        db.execute(insert(provider_health).values(provider="simulator", failures=0, accepted=NOON))
        for minutes, change, reason, by, n in (
            (60, "rests", str(Reason.GATEWAY_DOWN), "simulator", 31),
            (50, "back", "it takes messages again", None, 0),
            (2, "rests", str(Reason.NO_BALANCE), None, 0),
            (1, "rests", "said of +85510000024: strange", None, 0),
        ):
            db.execute(
                insert(provider_changes).values(
                    at=NOON - timedelta(minutes=minutes),
                    provider="africastalking",
                    change=change,
                    reason=reason,
                    taken_over_by=by,
                    messages=n,
                )
            )
    queue(installation, "africastalking")
    queue(installation, "africastalking", timedelta(hours=2))
    for state in (State.DELIVERED, State.DELIVERED, State.REFUSED):
        queue(installation, "simulator", state=state)
    page = two.read("/admin/providers")
    assert (
        "africastalking africastalking failed 6 times in a row and is left alone until 23 Nov 2026, 12:03. "
        "It is tried again by itself. If it goes on, the operator can run: mati check "
        "Took the last message 23 Nov 2026, 11:00 Failures in a row 6 Left alone until 23 Nov 2026, 12:03 "
        "Waiting for it 2 1 of them for later At most 2.5 parts a second Used first for all" in page
    )
    assert (
        "simulator Takes messages Took the last message 23 Nov 2026, 12:00 Failures in a row 0 Waiting for it 0 "
        "At most 1,000 parts a second Used when one before it rests, or by a route "
        "Messages of the last 24 hours Delivered 2 Refused 1" in page
    )
    assert "http No message has gone by it yet" in page
    assert "Used for answers to what came by it, or by a route" in page
    told = [
        "23 Nov 2026, 11:59 africastalking Left alone said of [number]: strange –",
        "23 Nov 2026, 11:58 africastalking Left alone Our account at the provider is empty. –",
        "23 Nov 2026, 11:10 africastalking In use again –",
        "23 Nov 2026, 11:00 africastalking Left alone The provider is down; it is tried again. 31 messages by simul",
    ]
    assert [page.find(line) for line in told] == sorted(page.find(line) for line in told)
    assert all(line in page for line in told)


@on_one_database
@pytest.mark.parametrize(
    ("reason", "says"),
    [
        (Reason.NO_BALANCE, "Fill up the account at the provider."),
        (Reason.SETUP, "The operator mends the account or the settings"),
        (Reason.THROTTLED, "If it goes on, the operator sets a lower rate"),
        (Reason.GATEWAY_DOWN, "It is tried again by itself."),
    ],
)
def test_what_to_do_depends_on_the_reason(two: Browser, installation: Installation, reason: Reason, says: str) -> None:
    with installation.store.write() as db:
        db.execute(insert(provider_health).values(provider="simulator", failures=5))
        db.execute(
            insert(provider_changes).values(
                at=NOON, provider="simulator", change="rests", reason=str(reason), messages=0
            )
        )
    assert f"simulator failed 5 times in a row. {says}" in two.read("/admin/providers")


@on_one_database
def test_before_anything_was_sent_the_page_says_what_it_is_for(panel: Browser) -> None:
    page = panel.read("/admin/providers")
    assert "simulator No message has gone by it yet" in page
    assert "No provider has failed so far." in page
    assert "the operator sees with: mati check" in page
