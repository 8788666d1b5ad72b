"""A stub in a thread of this process, and the gateway's own side of each provider, set up for it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests

from gateway.config import Settings
from gateway.providers.africastalking import AfricasTalking
from gateway.providers.africastalking_send import AfricasTalkingSender
from gateway.providers.android import Android, AndroidSender
from gateway.providers.base import Call, Event, Provider, Sender
from gateway.providers.http import Http
from gateway.providers.http_send import HttpSender
from gateway.providers.kannel import Kannel
from gateway.providers.kannel_send import KannelSender
from gateway.providers.somleng import Somleng, SomlengSender
from gateway.providers.twilio import Twilio
from gateway.providers.twilio_send import TwilioSender
from gateway.stub import Setup, Stub
from tests.wire.server import Got

TOKEN = "stub-token-0123456789abcdef0123456789"
SECRET = "5d41402abc4b2a76b9719d911017c592"
UUID = "0b1f5f0c-6f6c-4a3e-9d2c-2f1f0f0e0d0c"
SENDERS: dict[str, type[Sender]] = {
    "africastalking": AfricasTalkingSender,
    "twilio": TwilioSender,
    "somleng": SomlengSender,
    "kannel": KannelSender,
    "android": AndroidSender,
    "http": HttpSender,
}
PROVIDERS: dict[str, type[Provider]] = {
    "africastalking": AfricasTalking,
    "twilio": Twilio,
    "somleng": Somleng,
    "kannel": Kannel,
    "android": Android,
    "http": Http,
}


class Playing:
    """A running stub."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self.provider = stub.setup.provider
        self.url = stub.url

    def summary(self) -> dict[str, int]:
        """Only what is not zero."""
        counts: dict[str, int] = requests.get(f"{self.url}/_summary", timeout=5).json()
        return {name: count for name, count in counts.items() if count}

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in requests.get(f"{self.url}/_log", timeout=5).text.splitlines()]

    def phone(self, event: str, **fields: str) -> requests.Response:
        fields["from"] = fields.pop("sender")
        return requests.post(f"{self.url}/_phone/{event}", json=fields, timeout=5)

    @contextmanager
    def sender(self, hooks: str = "http://127.0.0.1:1", **changes: Any) -> Iterator[Sender]:
        """The gateway's own sender, for this stub."""
        sender = SENDERS[self.provider](settings(self.url, hooks, **changes))
        yield sender
        sender.close()


@contextmanager
def playing(provider: str, **options: Any) -> Iterator[Playing]:
    """A stub for as long as the block lasts."""
    secret = {"token": SECRET, "secret": SECRET} if provider == "android" else {"token": TOKEN, "secret": SECRET}
    stub = Stub(Setup(provider, **{"receipt_delay": 0.01, "settings": settings(), **secret, **options}))
    loop, ready = asyncio.new_event_loop(), threading.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(stub.start())
        ready.set()
        loop.run_forever()
        stub.stop()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(5)
    try:
        yield Playing(stub)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


def settings(stub: str = "http://127.0.0.1:1", hooks: str = "http://127.0.0.1:1", **changes: Any) -> Settings:
    """A gateway's at the address `hooks`, which sends to `stub`."""
    values: dict[str, Any] = {
        "public_url": hooks,
        "africastalking_username": "mati", "africastalking_api_key": SECRET, "africastalking_base_url": stub,
        "africastalking_webhook_tokens": (TOKEN,),
        "twilio_account_sid": f"AC{'5' * 32}", "twilio_auth_token": SECRET, "twilio_from": "+85512345678",
        "twilio_base_url": stub,
        "somleng_account_sid": UUID, "somleng_auth_token": SECRET, "somleng_from": "8550", "somleng_base_url": stub,
        "kannel_send_url": f"{stub}/cgi-bin/sendsms", "kannel_username": "mati", "kannel_password": SECRET,
        "kannel_sender": "8550", "kannel_webhook_tokens": (TOKEN,),
        "android_base_url": stub, "android_username": "sms", "android_password": SECRET, "android_signing_key": SECRET,
        "http_send_url": f"{stub}/send", "http_webhook_tokens": (TOKEN,), "http_reference_field": "ref",
    }  # fmt: skip
    return Settings.model_construct(**values | changes)


def understood(provider: str, got: Got, hooks: str, **changes: Any) -> Event | None:
    """What the gateway takes a stub's call for; fails when it would refuse it."""
    path, _, query = got.path.partition("?")
    parts = path.split("/")  # "", hooks, the provider, perhaps a token, perhaps an event
    event = parts[-1] if len(parts) > 3 else ""
    call = Call(
        body=got.body,
        content_type=got.headers.get("content-type", ""),
        query=query,
        url=hooks + got.path,
        headers=got.headers,
        token=parts[3] if len(parts) == 5 else "",
    )
    ours = PROVIDERS[provider](settings(hooks=hooks, **changes))
    assert parts[1:3] == ["hooks", provider]
    assert event in ours.events
    assert got.method in ours.methods
    assert got.headers["host"] == urlsplit(hooks).netloc
    assert ours.verify(call), "the gateway would refuse it"
    return ours.parse(event, call)


def until(what: Callable[[], object], seconds: float = 5.0) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)
