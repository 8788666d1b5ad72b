"""Wake-ups: RQ jobs that say "look into the outbox" and carry an id, never content.

RQ loses and repeats jobs when a worker is killed (DEPENDENCIES.md), so nothing rests on them: workers look into
the outbox every few seconds by themselves. A wake-up only makes an answer quick.
"""

from __future__ import annotations

import time

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

log = structlog.get_logger()

QUEUE = "outbox"
JOB = "gateway.workers.pumps.wake"
PATIENCE_SECONDS = 0.5
PAUSE_SECONDS = 5.0
"""So long Redis is left alone after it did not answer: a webhook must not wait for it each time."""
KEPT_SECONDS = 60


class WakeUps:
    """Wakes workers. One object a process; safe for threads."""

    def __init__(self, redis_url: str) -> None:
        """Without a Redis it does nothing, and workers find the messages by themselves."""
        self._not_before = 0.0
        self._queue: Queue | None = None
        if redis_url:
            redis = Redis.from_url(redis_url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS)
            self._queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)

    def wake(self, message: str) -> None:
        """Tells a worker of a message in the outbox."""
        if self._queue is None or time.monotonic() < self._not_before:
            return
        try:
            self._queue.enqueue(
                JOB, message, description="wake up", ttl=KEPT_SECONDS, result_ttl=0, failure_ttl=KEPT_SECONDS
            )
        except RedisError as error:
            self._not_before = time.monotonic() + PAUSE_SECONDS
            log.warning("wakeup.lost", error=type(error).__name__, note="workers look by themselves every 5 seconds")
