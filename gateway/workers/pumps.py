"""`mati worker`: an RQ worker that is woken by jobs, and a pump for each provider that sends what is due.

The pumps are threads of the worker's own process, so that connections to providers live as long as it does;
a job does nothing but set a pump going.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer

from gateway.config import Settings
from gateway.models.store import DatabaseDown, Store
from gateway.privacy import Keys
from gateway.providers import all_senders
from gateway.workers.journal import FOLDER
from gateway.workers.outbox import Outbox
from gateway.workers.reconcile import Reconciler
from gateway.workers.wakeups import QUEUE

log = structlog.get_logger()

POLL_SECONDS = 5.0
"""So often a pump looks into the outbox unasked: a lost wake-up costs no more."""
STOP_SECONDS = 40.0
"""A micro-batch under way is finished: its deadline is 30 seconds."""
HEARTBEAT_SECONDS = 20
IDLE_SECONDS = 5
"""So long a worker that is frozen in the middle of a transaction holds up the others."""


class Signals:
    """Whether a signal told this process to stop.

    A plain flag: an Event has a lock, which the very thread that the signal interrupts may hold.
    """

    stop = False

    def hear(self) -> None:
        """From here on SIGINT and SIGTERM are heard. RQ hears them itself, but only while Redis is there."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._heard)

    def _heard(self, *_: object) -> None:
        self.stop = True


class Pump:
    """Sends one provider's messages, in a thread of its own."""

    def __init__(
        self, outbox: Outbox, name: str, signals: Signals, look_up: Callable[[], object] = lambda: None
    ) -> None:
        """`look_up` is called after each look into the outbox: it asks what became of messages in doubt."""
        self._outbox = outbox
        self._look_up = look_up
        self._signals = signals
        self._due = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"pump-{name}", daemon=True)

    def start(self) -> None:
        """Begins to look every few seconds, and whenever woken."""
        self._thread.start()

    def wake(self) -> None:
        """Looks now."""
        self._due.set()

    def stop(self) -> None:
        """Ends after the micro-batch under way."""
        self._stopped.set()
        self._due.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def drain(self) -> int:
        """Sends what is due, in this thread; returns how many messages were handed over."""
        return self._outbox.drain(lambda: self._signals.stop or self._stopped.is_set())

    @property
    def rest(self) -> float | None:
        """Seconds until the provider's rate lets more go of what is due; None when nothing more is."""
        return None if self._outbox.rest is None else min(self._outbox.rest, POLL_SECONDS)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._due.clear()
            rest = None
            try:
                self.drain()
                rest = self.rest
                self._look_up()
            except DatabaseDown as error:
                log.error("pump.database_down", error=type(error).__name__)
            except Exception as error:  # a pump that ended would be missed by nobody
                log.error("pump.failed", exc_info=error)
            self._due.wait(POLL_SECONDS if rest is None else rest)


_pumps: list[Pump] = []


def wake(_message: str) -> None:
    """The job: runs in the worker's process and sets its pumps going; the id tells RQ's own log what for."""
    for pump in _pumps:
        pump.wake()


class OutboxWorker(SimpleWorker):
    """RQ's worker with short leases: one that was killed is noticed within 20 seconds (DEPENDENCIES.md)."""

    signals: Signals
    max_connection_wait_time = POLL_SECONDS
    """So long it waits at most before it looks again for a Redis that is gone; RQ's own is a minute."""

    def handle_warm_shutdown_request(self) -> None:
        """Notes that a signal came: RQ itself leaves its loop the same way when Redis is gone."""
        self.signals.stop = True

    def _install_signal_handlers(self) -> None:
        super()._install_signal_handlers()  # type: ignore[no-untyped-call]
        self._stop_requested = self.signals.stop  # one may have come before

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """Seconds until a worker that is silent counts as dead."""
        return HEARTBEAT_SECONDS


def run(settings: Settings, burst: bool) -> None:
    """Works until told to stop; `burst`: until nothing is due."""
    signals = Signals()
    signals.hear()
    store, keys = Store(settings.database, idle_seconds=IDLE_SECONDS), Keys(settings)
    senders = all_senders(settings)
    _pumps[:] = [
        Pump(
            Outbox(store, keys, settings, sender, journals=settings.data_dir / FOLDER),
            sender.name,
            signals,
            look_up=Reconciler(store, keys, settings, sender).look,
        )
        for sender in senders
    ]
    try:
        if burst:
            _send_all(signals)
        else:
            for pump in _pumps:
                pump.start()
        _listen(settings.redis_url, burst, signals)
    except StopRequested:
        pass  # a signal that RQ's handler heard outside RQ's loop
    finally:
        for pump in _pumps:
            pump.stop()
        for sender in senders:
            sender.close()
        store.close()


def _send_all(signals: Signals) -> None:
    """Sends what is due, in this thread, at the providers' rates."""
    while not signals.stop:
        sent = sum(pump.drain() for pump in _pumps)
        rests = [pump.rest for pump in _pumps if pump.rest is not None]
        if rests:
            time.sleep(min(rests))
        elif not sent:
            return


def _listen(redis_url: str, burst: bool, signals: Signals) -> None:
    """Serves the wake-ups; while Redis is away the pumps go on by themselves."""
    logging.getLogger("rq").setLevel(logging.WARNING)
    while not signals.stop:
        try:
            queue = Queue(QUEUE, connection=Redis.from_url(redis_url), serializer=JSONSerializer)
            worker = OutboxWorker(
                [queue],
                connection=queue.connection,
                serializer=JSONSerializer,
                worker_ttl=30,
                maintenance_interval=5,
                job_monitoring_interval=5,
                log_job_description=False,
            )
            worker.signals = signals
            worker.work(burst=burst, logging_level="WARNING")
        except RedisError as error:  # also when it is told to stop, and cannot take its leave of a Redis that is gone
            log.warning("worker.redis_down", error=type(error).__name__, note="the outbox is sent all the same")
        if burst:
            return
        time.sleep(1.0)
