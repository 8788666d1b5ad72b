"""Delivery receipts: after a while, one after the other, twice or out of order when asked, again when not taken."""

from __future__ import annotations

import asyncio
import random

from gateway.stub.hooks import FAILURES, Callback, Hooks
from gateway.stub.provider import Played, Taken

FIRST_PAUSE = 1.0
"""Seconds before a receipt that was not taken is sent again; each further pause is twice as long."""


class Receipts:
    """Sends what a provider says of the messages it took."""

    def __init__(self, provider: Played, hooks: Hooks) -> None:
        self._provider, self._hooks = provider, hooks
        self._setup, self._counts = provider.setup, provider.ledger.counts
        self._random = random.Random(self._setup.seed)  # noqa: S311  # no secret
        self._under_way: set[asyncio.Task[None]] = set()

    def expect(self, taken: Taken) -> None:
        """Receipts of this message are due from now on."""
        plan = self._provider.receipts(taken)
        copies = [plan, *(self._provider.receipts(taken) for _ in range(1, self._setup.receipt_copies))]
        plan = [one for same in zip(*copies, strict=True) for one in same]  # made anew: some have an id of their own
        if not plan:
            return
        if self._setup.reorder:
            self._random.shuffle(plan)
        self._counts["receipts_waiting"] += len(plan)
        task = asyncio.get_running_loop().create_task(self._deliver(plan))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def stop(self) -> None:
        """Sends no more."""
        for task in self._under_way:
            task.cancel()

    async def _deliver(self, plan: list[Callback]) -> None:
        for callback in plan:
            late = self._random.uniform(0, 4) if self._setup.reorder else 1
            await asyncio.sleep(self._setup.receipt_delay * late)
            await self._send(callback)

    async def _send(self, callback: Callback) -> None:
        for attempt in range(self._provider.repeats + 1):
            if attempt:
                await asyncio.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
                self._counts["receipts_repeated"] += 1
            if await self._taken(callback):
                self._counts["receipts_sent"] += 1
                break
        else:
            self._counts["receipts_failed"] += 1
        self._counts["receipts_waiting"] -= 1

    async def _taken(self, callback: Callback) -> bool:
        url = self._hooks.address + callback.path
        try:
            answer = await self._hooks.call(callback, self._provider.sign(callback, url))
        except FAILURES:
            return False
        return 200 <= answer.status < 300
