"""How often a password may be tried, counted in Redis for all processes, in each process alone while Redis is down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from flask import Flask, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import current_user

from gateway.config import Settings
from gateway.privacy import Keys

PER_NAME = "10 per 15 minutes"
PER_ADDRESS = "40 per 15 minutes"
"""An office shares one address."""
_View = TypeVar("_View", bound=Callable[..., object])


class Limits:
    """Counts tries by the name tried and by the address they come from."""

    def __init__(self, app: Flask, settings: Settings, keys: Keys) -> None:
        self._keys = keys
        self._limiter = Limiter(
            get_remote_address,
            app=app,
            storage_uri=_storage(settings.redis_url),
            storage_options={"socket_timeout": 1, "socket_connect_timeout": 1} if settings.redis_url else {},
            in_memory_fallback_enabled=True,
            key_prefix="mati-panel",
        )
        # webhooks never wait for a Redis that is down
        self._limiter.request_filter(lambda: request.blueprint != "admin")

    def guess(self, view: _View) -> _View:
        """For a view that takes a password: limits how often it may be posted to."""
        by_name = self._limiter.limit(PER_NAME, key_func=self._name, methods=["POST"])
        by_address = self._limiter.limit(PER_ADDRESS, methods=["POST"])
        return by_address(by_name(view))  # type: ignore[return-value]

    def again_at(self, now: datetime) -> datetime:
        """When the limit just met ends."""
        limit = self._limiter.current_limit
        return datetime.fromtimestamp(limit.reset_at, UTC) if limit else now + timedelta(minutes=15)

    def _name(self) -> str:
        """Whose password is tried, so that nobody who reads Redis or a log learns a name."""
        name = current_user.member.name if current_user.is_authenticated else request.form.get("name", "")
        return self._keys.lookup(f"login {name.strip().casefold()}").hex()


def _storage(redis_url: str) -> str:
    return redis_url.replace("unix://", "redis+unix://", 1) if redis_url else "memory://"
