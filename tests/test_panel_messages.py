"""What staff decide about messages: those in doubt, and those refused for now."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.messages import Draft, Kind, State, messages, write
from gateway.providers.base import Reason
from tests.conftest import Installation
from tests.test_panel import Browser, app, browser, on_one_database, panel, text

__all__ = ["app", "browser", "panel"]  # fixtures

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


@pytest.fixture
def outbox(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    return Outbox(installation)


def decide(panel: Browser, page: str, decision: str, *ids: str) -> str:
    """What the page says after a decision."""
    answer = panel.send(page, "/admin/messages/decide", decision=decision, message=list(ids))  # type: ignore[arg-type]
    assert answer.status_code == 302
    return panel.read(answer.headers["Location"])


def buttons(page: str) -> list[str]:
    """The decisions that a page offers, in their order."""
    return re.findall(r'name="decision" value="[^"]+">([^<]+)<', page)
