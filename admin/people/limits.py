"""How often a password or a code may be tried, counted in Redis for all processes, in each alone while it is down.

This is `limits`, the engine of Flask-Limiter, without Flask-Limiter itself: that looks at every request of the
application, webhooks too, and fails on views that are no functions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError

from gateway.config import Settings
from gateway.privacy import Keys

log = structlog.get_logger()

PER_NAME = parse("10 per 15 minutes")
PER_ADDRESS = parse("40 per 15 minutes")
"""An office shares one address."""
CODES_PER_NAME = parse("20 per day")
"""Codes have six digits: who knows the password and guesses for a year has one chance in 45."""
_SECONDS = 1
"""So long a login waits for a Redis that does not answer."""


class Limits:
    """Counts tries by the name tried and by the address they come from."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self._keys = keys
        self._counters = [FixedWindowRateLimiter(MemoryStorage())]
        if settings.redis_url:
            address = settings.redis_url.replace("unix://", "redis+unix://", 1)
            shared = storage_from_string(address, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)
            self._counters.insert(0, FixedWindowRateLimiter(shared))

    def refused_until(self, name: str, address: str, *, code: bool = False) -> datetime | None:
        """Counts a try; `code`: of a second factor. None when it may go ahead; else when the next one may."""
        beside = (CODES_PER_NAME, self._name(name)) if code else (PER_ADDRESS, self._keyed(f"panel address {address}"))
        tries = ((PER_NAME, self._name(name)), beside)
        for counter in self._counters[:-1]:
            try:
                return self._count(counter, tries)
            except RedisError as error:
                log.warning("panel.limits_alone", error=type(error).__name__)
        return self._count(self._counters[-1], tries)

    def forget(self, name: str) -> None:
        """Whoever knows the password, and the code where one is asked, has not guessed: the tries begin anew."""
        for counter in self._counters:
            with contextlib.suppress(RedisError):
                counter.clear(PER_NAME, "mati", self._name(name))
                counter.clear(CODES_PER_NAME, "mati", self._name(name))

    def _count(self, counter: FixedWindowRateLimiter, tries: Sequence[tuple[RateLimitItem, str]]) -> datetime | None:
        until = None
        for limit, key in tries:
            if not counter.hit(limit, "mati", key):
                end = datetime.fromtimestamp(counter.get_window_stats(limit, "mati", key).reset_time, UTC)
                until = max(until, end) if until else end
        return until

    def _name(self, name: str) -> str:
        return self._keyed(f"panel name {name.strip().casefold()}")

    def _keyed(self, who: str) -> str:
        """So that nobody who reads Redis learns a name."""
        return self._keys.lookup(who).hex()
