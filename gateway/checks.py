"""`mati check`: what is configured, reachable, missing; and the webhook addresses to paste at the provider."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import requests
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import select

from gateway.config import Settings
from gateway.models.installation import is_demo
from gateway.models.messages import Draft, Kind, State, messages, write
from gateway.models.store import Store, StoreProblem
from gateway.models.traces import kept_by_server
from gateway.privacy import KeyProblem, Keys
from gateway.routing import choose
from gateway.times import utc_now
from gateway.workers.policy import QUIET_TO, is_quiet
from gateway.workers.wakeups import WakeUps

WAIT_SECONDS = 5
TEST_SECONDS = 15.0
TEST_EXPIRES = timedelta(hours=12)
_UNDER_WAY = (State.QUEUED, State.CLAIMED, State.SENDING)


@dataclass(frozen=True)
class Finding:
    """One line of the check: `well` is False when somebody has to act, None when it only informs."""

    what: str
    says: str
    well: bool | None = True


def run(settings: Settings, show_tokens: bool, say: Callable[[str], object]) -> bool:
    """Says each finding; whether all is well."""
    well = True
    for finding in findings(settings, show_tokens):
        mark = {True: "ok", False: "!!", None: "--"}[finding.well]
        say(f"{mark}  {finding.what:<16} {finding.says}")
        well = well and finding.well is not False
    return well


def send_test(settings: Settings, number: str, say: Callable[[str], object]) -> bool:
    """Sends one test message by the provider that serves the number and says what became of it."""
    store, now = Store(settings.database), utc_now()
    with store.write() as db:
        provider = choose(db, settings, number, now)
        draft = Draft(Kind.TEST, number, "Mati: test.", provider, now, now + TEST_EXPIRES)
        message = write(db, Keys(settings), draft, now)
    WakeUps(settings.redis_url).wake(message)
    until = time.monotonic() + TEST_SECONDS
    while True:
        with store.read() as db:
            row = db.execute(select(messages.c.state, messages.c.reason).where(messages.c.id == message)).one()
        if row.state not in _UNDER_WAY or time.monotonic() > until:
            break
        time.sleep(0.3)
    well = row.state in (State.ACCEPTED, State.DELIVERED)
    why = f" ({row.reason})" if row.reason else ""
    if row.state == State.QUEUED:
        quiet = is_quiet(utc_now(), settings.zone)
        why = f": nothing but answers goes out before {QUIET_TO}:00" if quiet else ": is a worker running? mati up"
    say(f"{'ok' if well else '!!'}  {'test SMS':<16} {provider}: {row.state}{why}")
    return well


def findings(settings: Settings, show_tokens: bool) -> Iterator[Finding]:
    """Everything there is to tell."""
    yield from _database(settings)
    yield _keys(settings)
    yield _queue(settings)
    yield _public_address(settings)
    sends = ", ".join(settings.providers)
    yield Finding("PROVIDERS", f"{sends} sends" + ("; no real phone is reached" if sends == "simulator" else ""), None)
    yield from _hooks(settings, show_tokens)


def _database(settings: Settings) -> Iterator[Finding]:
    if not settings.database_url and not (settings.data_dir / "mati.sqlite").exists():
        yield Finding("database", f"none in {settings.data_dir}; set DATA_DIR, or run: mati init", False)
        return
    store = Store(settings.database)
    try:
        store.must_be_current()
        with store.read() as db:
            demo = is_demo(db)
            kept = kept_by_server(db)
    except StoreProblem as problem:
        yield Finding("database", str(problem), False)
        return
    yield Finding("database", store.url.render_as_string(hide_password=True))
    if kept:
        says = f"PostgreSQL keeps what a closing deletes for a while: {', '.join(kept)}; see docs/privacy.md"
        yield Finding("its log", says, None)
    if demo:
        yield Finding("data", "INVENTED, for the demonstration; never show these figures as real ones", None)


def _keys(settings: Settings) -> Finding:
    try:
        Keys(settings)
    except KeyProblem as problem:
        return Finding("keys", f"{problem}; or run: mati init", False)
    if settings.keys.exists() and stat.S_IMODE(settings.keys.stat().st_mode) & 0o077:
        return Finding("keys", f"others can read {settings.keys}; run: chmod 700 {settings.keys}", False)
    return Finding("keys", str(settings.keys))


def _queue(settings: Settings) -> Finding:
    if not settings.redis_url:
        return Finding("REDIS_URL", "not set: `mati up` brings its own; other roles need it", None)
    try:
        Redis.from_url(settings.redis_url, socket_timeout=WAIT_SECONDS).ping()
    except RedisError as error:
        return Finding("REDIS_URL", f"cannot be reached ({type(error).__name__}); is the server running?", False)
    return Finding("REDIS_URL", "answers")


def _public_address(settings: Settings) -> Finding:
    if settings.public_url is None and not settings.is_local:
        return Finding("PUBLIC_URL", "not set; providers need the address they see", False)
    try:
        answer = requests.get(f"{settings.address}/healthz", timeout=WAIT_SECONDS)
    except requests.RequestException as error:
        reason = type(error).__name__
        return Finding("PUBLIC_URL", f"{settings.address} does not answer ({reason}); is the gateway up?", False)
    if answer.status_code != 200 or answer.text != "ok\n":
        return Finding("PUBLIC_URL", f"{settings.address} is not this gateway (it answers {answer.status_code})", False)
    return Finding("PUBLIC_URL", f"{settings.address} answers" + (", here only" if settings.is_local else ""))


_BY_TOKEN = {
    "africastalking": {
        "ussd": "USSD callback",
        "ussd-end": "USSD end of session",
        "sms": "incoming SMS",
        "receipt": "delivery reports",
        "optout": "bulk SMS opt-out",
    },
    "kannel": {  # the address of its receipts goes along with each message
        "sms?id=%I&from=%p&to=%P&text=%b&coding=%c&charset=%C&time=%T&smsc=%i": "get-url of the sms-service"
    },
    "http": {"ussd": "USSD requests", "sms": "incoming SMS", "receipt": "delivery reports"},
}

_TWILIO = {"sms": "a message comes in", "receipt": "status callback (sent along with each message)"}


def _hooks(settings: Settings, show_tokens: bool) -> Iterator[Finding]:
    for name, hooks in _BY_TOKEN.items():
        tokens = getattr(settings, f"{name}_webhook_tokens")
        if not tokens:
            yield Finding(name, f"off: {name.upper()}_WEBHOOK_TOKENS is not set", None)
        for token in tokens:
            shown = token if show_tokens else f"{token[:3]}…{token[-2:]}"
            for hook, what in hooks.items():
                yield Finding(name, f"{what}: {settings.address}/hooks/{name}/{shown}/{hook}", None)
    for name, auth_token in (("twilio", settings.twilio_auth_token), ("somleng", settings.somleng_auth_token)):
        if not auth_token:
            yield Finding(name, f"off: {name.upper()}_AUTH_TOKEN is not set", None)
            continue
        for hook, what in _TWILIO.items():
            yield Finding(name, f"{what}: {settings.address}/hooks/{name}/{hook}", None)
    android = f"every event: {settings.address}/hooks/android"
    yield Finding("android", android if settings.android_signing_key else "off: ANDROID_SIGNING_KEY is not set", None)
