"""How the providers do: who takes messages, who rests, what waits, and what changed of that with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, render_template
from sqlalchemy import ColumnElement, Connection, Row, func, select

from admin.messaging.messages import BADLY, REASONS, STATES, WELL
from admin.wording import Value
from gateway.config import Settings
from gateway.menus.phrases import Phrase, Words
from gateway.models.health import provider_changes, provider_health
from gateway.models.installation import is_paused
from gateway.models.messages import QUEUED, State, messages
from gateway.models.store import Store
from gateway.phones import scrub
from gateway.providers import sending
from gateway.providers.base import Reason
from gateway.routing import FAILURES, REST
from gateway.workers.policy import kinds_now

_ = Words

MANY_FAILURES = 3
"""So many in a row are told; two happen to everybody."""
LONG = timedelta(minutes=15)
"""So long a message that may go waits for its turn only where there are many."""
RECENT = timedelta(hours=24)
CHANGES = 30
"""So many of the last changes are told."""
ADVICE: Mapping[Reason, Words] = {
    Reason.NO_BALANCE: _("Fill up the account at the provider."),
    Reason.SETUP: _("The operator mends the account or the settings; this says what is wrong: mati check"),
    Reason.THROTTLED: _("If it goes on, the operator sets a lower rate for this provider."),
    Reason.NO_ROUTE: _("Ask the provider for a way to this phone company, or let another provider serve it (ROUTES)."),
}
"""What to do where it is not: wait, and run `mati check`."""


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a provider, in a sentence with values."""

    words: Words
    values: Mapping[str, Value]


@dataclass(frozen=True)
class Health:
    """How a provider does."""

    name: str
    is_first_choice: bool
    """Whether PROVIDERS names it; others send only what came by them, or by a route."""
    rate: float
    """Segments a second, at most."""
    failures: int
    """In a row."""
    rests_until: datetime | None
    accepted: datetime | None
    """When it last took a message."""
    stuck: bool
    """Whether a message that may go has waited long, and nothing went meanwhile."""
    reason: str | None
    """Of its last rest."""

    def rests(self, now: datetime) -> bool:
        """Whether it is left alone now."""
        return self.rests_until is not None and self.rests_until > now

    def trouble(self, now: datetime) -> Trouble | None:
        """What is wrong with it."""
        of: dict[str, Value] = {"provider": self.name}
        if self.rests(now):
            assert self.rests_until is not None
            of |= {"until": self.rests_until, "n": self.failures}
            return Trouble(_("{provider} failed {n} times in a row and is left alone until {until}."), of)
        if self.failures >= MANY_FAILURES:
            return Trouble(_("{provider} failed {n} times in a row."), of | {"n": self.failures})
        if self.stuck and self.accepted:
            words = _("Messages wait for {provider}, which has taken none since {when}.")
            return Trouble(words, of | {"when": self.accepted})
        return Trouble(_("Messages wait for {provider}, which has taken none yet."), of) if self.stuck else None

    @property
    def advice(self) -> Words:
        """What to do about it."""
        known = next((one for one in Reason if one == self.reason), None)
        wait = _("It is tried again by itself. If it goes on, the operator can run: mati check")
        return ADVICE.get(known, wait) if known and self.failures else wait


def all_health(db: Connection, settings: Settings, now: datetime) -> list[Health]:
    """Every provider that may send, the preferred one first."""
    kept = {row.provider: row for row in db.execute(select(provider_health))}
    paused = is_paused(db, settings.day(now))
    before = now - LONG
    kinds = kinds_now(now, settings.zone, paused) & kinds_now(before, settings.zone, paused)
    found = []
    for name in sending(settings):
        row = kept.get(name)
        quiet = row is None or row.accepted is None or row.accepted < before
        late = (QUEUED, messages.c.provider == name, messages.c.not_before < before, messages.c.kind.in_(kinds))
        stuck = quiet and db.execute(select(messages.c.id).where(*late).limit(1)).first() is not None
        found.append(
            Health(
                name, name in settings.providers, getattr(settings, f"{name}_rate"), row.failures if row else 0,
                row.rests_until if row else None, row.accepted if row else None, stuck,
                _last_reason(db, name) if row and row.failures else None,
            )
        )  # fmt: skip
    return found


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/providers`."""

    @panel.get("/providers", endpoint="providers")
    def page() -> str:
        moment = now()
        with store.read() as db:
            found = all_health(db, settings, moment)
            waiting = _by_provider(db, QUEUED)
            due = _by_provider(db, QUEUED, messages.c.not_before <= moment)
            went = _went(db, moment - RECENT)
            changes = db.execute(select(provider_changes).order_by(provider_changes.c.id.desc()).limit(CHANGES)).all()
        return render_template(
            "admin/providers.html",
            providers=found, waiting=waiting, due=due, went=went, states=STATES, well=WELL, badly=BADLY, now=moment,
            changes=[(row, told(row)) for row in changes], failures=FAILURES, rest=REST.seconds // 60,
        )  # fmt: skip


def told(row: Row[Any]) -> Phrase:
    """The reason of a change, in words."""
    known = next((words for reason, words in REASONS.items() if reason == row.reason), None)
    return known or scrub(row.reason)


def _last_reason(db: Connection, name: str) -> str | None:
    mine = (provider_changes.c.provider == name) & (provider_changes.c.change == "rests")
    reason = select(provider_changes.c.reason).where(mine).order_by(provider_changes.c.id.desc()).limit(1)
    found: str | None = db.scalar(reason)
    return found


def _by_provider(db: Connection, *which: ColumnElement[bool]) -> Mapping[str, int]:
    counted = select(messages.c.provider, func.count().label("n")).where(*which).group_by(messages.c.provider)
    return {row.provider: row.n for row in db.execute(counted)}


def _went(db: Connection, since: datetime) -> Mapping[str, Sequence[tuple[State, int]]]:
    """What became of the messages written since, by provider."""
    m = messages.c
    counted = select(m.provider, m.state, func.count()).where(m.created >= since).group_by(m.provider, m.state)
    found: dict[str, dict[State, int]] = {}
    for name, state, count in db.execute(counted):
        found.setdefault(name, {})[State(state)] = count
    return {name: [(one, by[one]) for one in State if one in by] for name, by in found.items()}
