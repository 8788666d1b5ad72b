"""Tables of what providers say and what we say to them, and the one way to run them.

Each provider's table is a test module beside this one: `CASES_IN` and `CASES_OUT`, run by `take_in` and `send_out`.
In each case no secret and no number may be in any log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from flask import Flask
from flask_login import LoginManager

from gateway import logs, webhooks
from gateway.config import Settings
from gateway.menus.engine import Screen
from gateway.menus.phrases import Words
from gateway.menus.wording import render
from gateway.providers.base import (
    Event,
    InboundSms,
    InboxCheck,
    OptOut,
    Outcome,
    Outgoing,
    Provider,
    Receipt,
    Sender,
    UssdEnd,
    UssdStep,
)
from tests.wire.server import Got, Reply, WireServer

SCREEN = Screen("សេវា៖\n1 A\n2 B", False)
"""What every USSD request is answered with here."""
SECONDS = 3.0


@dataclass(frozen=True)
class In:
    """A request that a provider, or a stranger, makes; what it is answered; what we take it for."""

    label: str
    path: str
    """With its query; `{token}` is put in."""
    body: str | bytes = b""
    status: int = 200
    answer: str | None = None
    """A part of the body answered; None: any."""
    events: tuple[Event, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/x-www-form-urlencoded"
    method: str = "POST"
    sign: Callable[[In, Settings], Mapping[str, str]] | None = None
    """Headers that depend on the request."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What is set otherwise than in the other cases: for who makes the provider."""


@dataclass(frozen=True)
class Out:
    """Messages to send, what the provider answers, and what must come of it."""

    label: str
    replies: Reply | Callable[[Got], Reply]
    outcomes: tuple[Outcome | type, ...]
    """For each message; a type where its texts do not matter."""
    messages: tuple[Outgoing, ...] = (Outgoing("m1", "+85510000001", "Hello"),)
    requests: tuple[Mapping[str, Any], ...] | None = None
    """What each request must have, by any of method, path, form, json, query, headers, body; None: not looked at."""
    seconds: float = SECONDS
    settings: Mapping[str, Any] = field(default_factory=dict)


class Desk:
    """Takes everything in and remembers it."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def ussd(self, step: UssdStep) -> Screen:
        self.events.append(step)
        return SCREEN

    def ussd_ended(self, end: UssdEnd) -> None:
        self.events.append(end)

    def receive(self, event: InboundSms | Receipt) -> None:
        self.events.append(event)

    def opted_out(self, notice: OptOut) -> None:
        self.events.append(notice)

    def inbox(self, check: InboxCheck) -> list[dict[str, str]]:
        self.events.append(check)
        return []

    def say(self, words: Words) -> str:
        return render(words, "en")


def served(provider: Provider, settings: Settings, desk: Any) -> Flask:
    """An application with the provider's webhooks alone; `desk` takes in what comes."""
    app = Flask("wire")
    LoginManager(app)
    desks = webhooks.Desks([provider], talks=desk, sms=desk, receipts=desk, wake=lambda _: None)
    webhooks.mount(app, desks, settings)
    return app


def take_in(case: In, provider: Provider, settings: Settings, secrets: Sequence[str], token: str = "") -> None:
    """Makes the request over Flask and checks answer, events and log."""
    desk = Desk()
    app = served(provider, settings, desk)
    headers = dict(case.headers) | (dict(case.sign(case, settings)) if case.sign else {})
    with captured() as lines:
        answer = app.test_client().open(
            case.path.format(token=token),
            method=case.method,
            data=case.body,
            headers=headers,
            content_type=case.content_type,
        )
    assert answer.status_code == case.status, answer.get_data(as_text=True)
    if case.answer is not None:
        assert case.answer in answer.get_data(as_text=True)
    assert tuple(desk.events) == case.events
    _check_log(lines, [*secrets, token], case.events)


def send_out(case: Out, make: Callable[[str], Sender], secrets: Sequence[str]) -> None:
    """Sends to a local server that answers by the case's script; `make` builds the sender for its address."""
    script = case.replies if callable(case.replies) else (lambda _, reply=case.replies: reply)
    with WireServer(script) as server, captured() as lines:
        sender = make(server.url)
        try:
            outcomes = sender.send(case.messages, case.seconds)
        finally:
            sender.close()
        got = list(server.got)
    assert len(outcomes) == len(case.outcomes)
    for outcome, expected in zip(outcomes, case.outcomes, strict=True):
        assert isinstance(outcome, expected) if isinstance(expected, type) else outcome == expected
    if case.requests is not None:
        assert len(got) == len(case.requests)
        for request, wanted in zip(got, case.requests, strict=True):
            for name, value in wanted.items():
                found = getattr(request, name)
                if isinstance(value, Mapping):
                    found = {key: found.get(key) for key in value}
                assert found == value, name
    _check_log(lines, secrets, case.messages)


class captured:  # it reads as what it does
    """All log lines while it lasts, as they would be written: ours and those of libraries."""

    def __enter__(self) -> list[str]:
        self._lines: list[str] = []
        logs.set_up(logging.DEBUG)
        self._handler = logging.getLogger().handlers[0]
        keep = self._lines

        class Keep(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                keep.append(self.format(record))

        self._keeper = Keep(logging.DEBUG)
        self._keeper.setFormatter(self._handler.formatter)
        logging.getLogger().handlers[:] = [self._keeper]
        return self._lines

    def __exit__(self, *_: object) -> None:
        logging.getLogger().handlers[:] = []
        logging.getLogger().setLevel(logging.WARNING)
        structlog.reset_defaults()


def _check_log(lines: Sequence[str], secrets: Sequence[str], told: Sequence[object]) -> None:
    numbers = {number for thing in told if (number := getattr(thing, "number", None))}
    for secret in filter(None, {*secrets, *numbers, *(number.lstrip("+") for number in numbers)}):
        assert not any(secret in line for line in lines), "a secret or a number is in the log"
