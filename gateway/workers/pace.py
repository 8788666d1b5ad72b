"""A provider's rate, in segments a second, shared by all workers: a token bucket.

It stands in Redis, where one script reads Redis' own clock and takes what is there; what is lost with Redis (a restart,
FLUSHALL) costs one burst. While Redis is away, or where there is none, the same arithmetic works on a row of the
database, by the database's clock.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection, func, select, update

from gateway.config import Settings
from gateway.models.pace import paces
from gateway.models.store import Store, insert, insert_new
from gateway.times import utc_now
from gateway.workers.wakeups import PATIENCE_SECONDS, PAUSE_SECONDS

log = structlog.get_logger()

TAKE = """
local rate, most, first, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local kept = redis.call('HMGET', KEYS[1], 'segments', 'at')
local level = most
if kept[1] and kept[2] then
    level = math.min(most, tonumber(kept[1]) + math.max(0, now - tonumber(kept[2])) * rate)
end
local granted = 0
if level >= math.min(first, most) then
    granted = math.max(first, math.min(wanted, math.floor(level)))
end
level = level - granted
redis.call('HSET', KEYS[1], 'segments', string.format('%.6f', level), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil((most - level) / rate) + 1)
return {granted, string.format('%.6f', level)}
"""
"""`granted` below, where Redis is. A bucket that is forgotten is full, so it may be forgotten when it would be."""

LEAST_SECONDS = 0.01
"""So long is waited at least: a rounding must make nobody ask again and again."""


@dataclass(frozen=True)
class Grant:
    """How many segments may go now, and how many are left: fewer than none after a message larger than a bucket."""

    segments: int
    left: float


def granted(level: float, most: float, first: int, wanted: int) -> int:
    """Of so many segments wanted, as many as there are. None before the `first` message fits, or the bucket is full."""
    return max(first, min(wanted, int(level))) if level >= min(first, most) else 0


class Pace:
    """One provider's rate. Used by one thread."""

    def __init__(self, store: Store, settings: Settings, provider: str) -> None:
        self._store = store
        self._provider = provider
        self.rate: float = getattr(settings, f"{provider}_rate")
        self.most = max(self.rate, 1.0)
        """Segments in a full bucket: what goes in a second, so that no pause is made up in a burst."""
        self._not_before = 0.0
        self._redis: Redis | None = None
        if settings.redis_url:
            patience = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
            self._redis = Redis.from_url(settings.redis_url, **patience)
            self._take = self._redis.register_script(TAKE)

    def take(self, first: int, wanted: int) -> Grant:
        """Takes up to `wanted` segments, for messages of which the first has `first`.

        Either none, or at least those of the first message: one of more segments than the bucket holds goes when it
        is full, and the others wait until that is paid for.
        """
        if (redis := self._awake()) is not None:
            try:
                said = self._take(keys=[self._key], args=[self.rate, self.most, first, wanted], client=redis)
                segments, left = cast(Sequence[bytes], said)
                return Grant(int(segments), float(left))
            except RedisError as error:
                self._leave_alone(error)
        with self._store.write() as db:
            return self._take_here(db, first, wanted)

    def give_back(self, segments: int) -> None:
        """What was taken and not used; below zero: what was used and not taken."""
        if not segments:
            return
        if (redis := self._awake()) is not None:
            try:
                redis.hincrbyfloat(self._key, "segments", segments)
                return
            except RedisError as error:
                self._leave_alone(error)
        with self._store.write() as db:
            mine = paces.c.provider == self._provider
            db.execute(update(paces).where(mine).values(segments=paces.c.segments + segments))

    def seconds_until(self, segments: float, left: float) -> float:
        """How long it takes until there are so many, or the bucket is full; a moment at least."""
        missing: float = min(segments, self.most) - left
        return max(LEAST_SECONDS, missing / self.rate)

    @property
    def _key(self) -> str:
        return f"mati:pace:{self._provider}"

    def _awake(self) -> Redis | None:
        return self._redis if time.monotonic() >= self._not_before else None

    def _leave_alone(self, error: RedisError) -> None:
        self._not_before = time.monotonic() + PAUSE_SECONDS
        log.warning("pace.redis_down", error=type(error).__name__, note="the rate is kept in the database meanwhile")

    def _take_here(self, db: Connection, first: int, wanted: int) -> Grant:
        mine = paces.c.provider == self._provider
        insert_new(db, insert(paces, db.dialect.name).values(provider=self._provider, segments=self.most, at=utc_now()))
        row = db.execute(select(paces.c.segments, paces.c.at).where(mine).with_for_update()).one()
        now = utc_now() if self._store.is_sqlite else db.scalars(select(func.clock_timestamp())).one()
        passed = max(0.0, (now - row.at).total_seconds())
        level = min(self.most, row.segments + passed * self.rate)
        segments = granted(level, self.most, first, wanted)
        db.execute(update(paces).where(mine).values(segments=level - segments, at=now))
        return Grant(segments, level - segments)
