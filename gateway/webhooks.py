"""The HTTP edge: verify, parse, converse, answer.

What a request gets (CONTRACT.md, Webhooks): 403 when it is not the provider's, 400 with a reason when it is
malformed, 503 while the database is down; on USSD each of the last two is a sentence, with 200, because
a phone shows nothing else.

The hooks stand before Flask, as a WSGI application of their own: Flask's request costs more than a whole step of a
conversation does (docs/performance.md).
"""

from __future__ import annotations

import functools
import ipaddress
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from flask import Flask
from flask_login import current_user
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from gateway.config import STAFF, Settings
from gateway.conversation import Conversations
from gateway.menus.phrases import Words
from gateway.models.store import DatabaseDown
from gateway.privacy import KeyProblem
from gateway.providers.base import (
    Call,
    InboundSms,
    InboxCheck,
    Malformed,
    OptOut,
    Provider,
    Receipt,
    UssdEnd,
    UssdStep,
)
from gateway.receipts import ReceiptDesk
from gateway.sms import SmsDesk

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_ = Words
log = structlog.get_logger()

PREFIX = "/hooks/"
MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Desks:
    """Who takes in what providers send."""

    providers: list[Provider]
    talks: Conversations
    sms: SmsDesk
    receipts: ReceiptDesk
    wake: Callable[[str], None]


class Hooks:
    """All addresses under /hooks/; what is no hook's goes on to Flask."""

    def __init__(self, app: Flask, desks: Desks, settings: Settings) -> None:
        self._flask = app.wsgi_app
        self._hooks = {
            (provider.name, event): Hook(provider, event, desks, settings, app)
            for provider in desks.providers
            for event in provider.events or ("",)
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a request."""
        if not environ["PATH_INFO"].startswith(PREFIX):
            return self._flask(environ, start_response)
        name, *rest = environ["PATH_INFO"].removeprefix(PREFIX).split("/")
        hook = self._hooks.get((name, rest[-1] if rest else ""))
        if hook is None or len(rest) != hook.parts or not all(rest):
            return self._flask(environ, start_response)
        return hook.reply(environ, rest[0] if hook.parts > 1 else "").send(start_response)


def mount(app: Flask, desks: Desks, settings: Settings) -> None:
    """Puts the hooks of all providers before an application."""
    app.wsgi_app = Hooks(app, desks, settings)  # type: ignore[method-assign]


@dataclass(frozen=True)
class Reply:
    """What a hook answers."""

    body: str
    content_type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    allow: str = ""
    """The methods that there are, where another one came."""

    def send(self, start_response: StartResponse) -> list[bytes]:
        """As WSGI has it. Nobody is to take a screen for a page."""
        data = self.body.encode()
        headers = [("Content-Type", self.content_type), ("Content-Length", str(len(data)))]
        headers += [("X-Content-Type-Options", "nosniff"), *([("Allow", self.allow)] if self.allow else [])]
        start_response(f"{self.status.value} {self.status.phrase}", headers)
        return [data]


class Hook:
    """One event of one provider."""

    def __init__(self, provider: Provider, event: str, desks: Desks, settings: Settings, app: Flask) -> None:
        self.parts = provider.token_in_path + bool(event)
        """Parts of its address after the provider's name."""
        self._provider = provider
        self._event = event
        self._desks = desks
        self._local = settings.is_local
        self._address = settings.address
        self._app = app

    def reply(self, environ: WSGIEnvironment, token: str) -> Reply:
        """The answer to a request."""
        if environ["REQUEST_METHOD"] not in self._provider.methods:
            return Reply("", status=HTTPStatus.METHOD_NOT_ALLOWED, allow=", ".join(self._provider.methods))
        try:
            body = get_input_stream(environ, max_content_length=MOST_BYTES).read()
        except RequestEntityTooLarge:
            return Reply(f"more than {MOST_BYTES:,} bytes\n", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        # a client that encodes nothing is refused, no more
        query = environ.get("QUERY_STRING", "").encode("latin-1").decode("ascii", "replace")
        call = Call(
            body=body,
            content_type=environ.get("CONTENT_TYPE", ""),
            query=query,
            url=f"{self._address}{environ['PATH_INFO']}?{query}".removesuffix("?"),
            headers={name[5:].replace("_", "-").lower(): environ[name] for name in environ if name[:5] == "HTTP_"},
            token=token,
            from_this_machine=self._local and _is_loopback(environ.get("REMOTE_ADDR")),
            by_staff=self._provider.for_staff and self._is_staff(environ),
        )
        if not self._provider.verify(call):
            log.warning("hook.refused", provider=self._provider.name, hook=self._event)
            return Reply("This request is not its provider's.", status=HTTPStatus.FORBIDDEN)
        try:
            return self._answer(call)
        except Malformed as error:
            log.warning("hook.malformed", provider=self._provider.name, hook=self._event, reason=str(error))
            if self._event == "ussd":
                return self._screen(_("Something went wrong. Please dial again."), call)
            return Reply(f"{error}\n", status=HTTPStatus.BAD_REQUEST)
        except (*DatabaseDown, KeyProblem) as error:
            log.error("hook.store_down", provider=self._provider.name, hook=self._event, error=type(error).__name__)
        except Exception as error:  # a villager gets a sentence, the provider a reason to come again
            log.error("hook.failed", provider=self._provider.name, hook=self._event, exc_info=error)
        if self._event == "ussd":
            return self._screen(_("Not possible just now. Nothing was kept. Please try again later."), call)
        return Reply("Not possible just now; please send it again.\n", status=HTTPStatus.SERVICE_UNAVAILABLE)

    def _answer(self, call: Call) -> Reply:
        match self._provider.parse(self._event, call):
            case UssdStep() as step:
                screen = self._desks.talks.ussd(step)
                return Reply(*self._provider.ussd_answer(screen.text, screen.ends, call))
            case UssdEnd() as end:
                self._desks.talks.ussd_ended(end)
            case InboundSms() as sms:
                answer = self._desks.sms.receive(sms)
                if answer is not None:
                    self._desks.wake(answer)
            case Receipt() as receipt:
                self._desks.receipts.receive(receipt)
            case OptOut() as notice:
                self._desks.sms.opted_out(notice)
            case InboxCheck() as check:
                return Reply(json.dumps({"messages": self._desks.sms.inbox(check)}), "application/json")
        return Reply(*self._provider.thanks())

    def _screen(self, words: Words, call: Call) -> Reply:
        return Reply(*self._provider.ussd_answer(self._desks.talks.say(words), True, call))

    def _is_staff(self, environ: WSGIEnvironment) -> bool:
        """Whether one of the programme's staff is logged in: a council could vote for itself here."""
        with self._app.request_context(environ):
            return current_user.is_authenticated and current_user.member.role in STAFF


@functools.lru_cache(maxsize=256)
def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False
