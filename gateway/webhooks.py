"""The HTTP edge: verify, parse, converse, answer.

What a request gets (CONTRACT.md, Webhooks): 403 when it is not the provider's, 400 with a reason when it is
malformed, 503 while the database is down; on USSD each of the last two is a sentence, with 200, because
a phone shows nothing else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from flask import Blueprint, Response, jsonify, request
from flask_login import current_user

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

_ = Words
log = structlog.get_logger()

MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Desks:
    """Who takes in what providers send."""

    providers: list[Provider]
    talks: Conversations
    sms: SmsDesk
    receipts: ReceiptDesk
    wake: Callable[[str], None]


def blueprint(desks: Desks, settings: Settings) -> Blueprint:
    """The routes of all providers."""
    hooks = Blueprint("hooks", __name__, url_prefix="/hooks")
    for provider in desks.providers:
        token = "/<token>" if provider.token_in_path else ""
        for event in provider.events:
            hooks.add_url_rule(
                f"/{provider.name}{token}/{event}".rstrip("/"),
                endpoint=f"{provider.name}-{event}",
                view_func=Hook(provider, event, desks, settings),
                methods=list(provider.methods),
            )
    return hooks


class Hook:
    """One event of one provider."""

    def __init__(self, provider: Provider, event: str, desks: Desks, settings: Settings) -> None:
        self.__name__ = f"{provider.name}_{event}"  # Flask-Limiter asks for it
        self._provider = provider
        self._event = event
        self._desks = desks
        self._local = settings.is_local
        self._address = settings.address

    def __call__(self, token: str = "") -> Response:
        """Answers a request."""
        query = request.query_string.decode("ascii", "replace")  # a client that encodes nothing is refused, no more
        call = Call(
            body=request.get_data(cache=False),
            content_type=request.content_type or "",
            query=query,
            url=f"{self._address}{request.path}?{query}".removesuffix("?"),
            headers={name.lower(): value for name, value in request.headers},
            token=token,
            from_this_machine=self._local and _is_loopback(request.remote_addr),
            by_staff=self._provider.for_staff and _is_staff(),
        )
        if not self._provider.verify(call):
            log.warning("hook.refused", provider=self._provider.name, hook=self._event)
            return _plain("This request is not its provider's.", 403)
        try:
            return self._answer(call)
        except Malformed as error:
            log.warning("hook.malformed", provider=self._provider.name, hook=self._event, reason=str(error))
            if self._event == "ussd":
                return self._screen(_("Something went wrong. Please dial again."), call)
            return _plain(f"{error}\n", 400)
        except (*DatabaseDown, KeyProblem) as error:
            log.error("hook.store_down", provider=self._provider.name, hook=self._event, error=type(error).__name__)
        except Exception as error:  # a villager gets a sentence, the provider a reason to come again
            log.error("hook.failed", provider=self._provider.name, hook=self._event, exc_info=error)
        if self._event == "ussd":
            return self._screen(_("Not possible just now. Nothing was kept. Please try again later."), call)
        return _plain("Not possible just now; please send it again.\n", 503)

    def _answer(self, call: Call) -> Response:
        match self._provider.parse(self._event, call):
            case UssdStep() as step:
                screen = self._desks.talks.ussd(step)
                body, content_type = self._provider.ussd_answer(screen.text, screen.ends, call)
                return Response(body, content_type=content_type)
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
                return jsonify(messages=self._desks.sms.inbox(check))
        body, content_type = self._provider.thanks()
        return Response(body, content_type=content_type)

    def _screen(self, words: Words, call: Call) -> Response:
        body, content_type = self._provider.ussd_answer(self._desks.talks.say(words), True, call)
        return Response(body, content_type=content_type)


def _plain(text: str, status: int) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8")


def _is_staff() -> bool:
    """Whether one of the programme's staff is logged in: a council could vote for itself here."""
    return current_user.is_authenticated and current_user.member.role in STAFF


def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False
