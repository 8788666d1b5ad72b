"""300,000 receipts of 100,000 messages, shuffled, to one `mati web`: `python -m bench receipts`.

The messages stand in the table as accepted. Of each come three receipts, in any order among all others': a word that
it is on its way, its last word, and one of the two again.
"""

from __future__ import annotations

import itertools
import random
import resource
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from bench import load, table
from bench.bulk import Clock, Turn
from bench.chaos.ground import READY, TEXTS, TOKEN, Ground, numbers
from bench.chaos.held import until
from gateway.models.messages import PRIORITY, Kind, State, messages, opt_outs
from gateway.models.store import insert_many
from gateway.providers.africastalking import FAILURES
from gateway.providers.base import Reason

MESSAGES, TIMES, CONNECTIONS, GOAL = 100_000, 3, 64, 5_000
ON_THE_WAY = ("Sent", "Submitted", "Buffered")
ENDS: tuple[tuple[dict[str, str], tuple[State, Reason | None]], ...] = (
    *[({"status": "Success"}, (State.DELIVERED, None))] * 44,
    ({"status": "AbsentSubscriber"}, (State.UNDELIVERED, Reason.UNREACHABLE)),
    *(({"status": "Failed", "failureReason": word}, (State.UNDELIVERED, why)) for word, why in FAILURES.items()),
)
"""A message's last word, four times in five a good one, and where the message is to stand then."""
SEED = 4


@dataclass(frozen=True)
class Sent:
    """A message that was sent, and what its provider will say of it."""

    provider_id: str
    number: str
    words: tuple[dict[str, str], ...]
    ends: tuple[State, Reason | None]


@dataclass(frozen=True)
class Round:
    """What came of a round."""

    turn: Turn
    p99: float
    """Seconds."""
    load: float
    """Seconds of the load's own processor time a receipt."""
    wrong: int
    """Messages that do not stand where they should, and people whose opt-out is not known or should not be."""


def measure(ground: table.Ground) -> table.Result:
    """One round after the other, each with an installation of its own."""
    count = max(100, int(MESSAGES * ground.share))
    found = []
    for turn in range(ground.rounds):
        found.append(_play(ground, turn, count))
        ground.say(f"round {turn + 1} of {ground.rounds}: {found[-1].turn.rate:,.0f} receipts/s")
    what = {
        "receipts/s": [one.turn.rate for one in found],
        "p99, ms": [one.p99 * 1e3 for one in found],
        "processor time of its own process, µs a receipt": [one.turn.cpu * 1e6 for one in found],
        "the same with PostgreSQL's, µs a receipt": [one.turn.with_servers * 1e6 for one in found],
        "the load's own, µs a receipt": [one.load * 1e6 for one in found],
    }
    figures = tuple(table.Figure(name, table.OURS, tuple(values)) for name, values in what.items())
    wrong = sum(one.wrong for one in found)
    goals = (
        table.Goal(f">= {GOAL:,} receipts/s", f"{figures[0].median:,.0f}", figures[0].median >= GOAL),
        table.Goal("every state right", f"{wrong} wrong of {count * ground.rounds:,}", not wrong),
    )
    title = f"Receipts: of {count:,} messages {TIMES} each, shuffled, at {CONNECTIONS} connections"
    return table.Result(title, figures, goals)


def _play(ground: table.Ground, turn: int, count: int) -> Round:
    folder = ground.folder / str(turn)
    installation = Ground(ground.servers, folder, "africastalking")
    try:
        chance = random.Random(SEED + turn)  # noqa: S311  # no secret
        sent = _messages(chance, count)
        _write(installation, sent)
        web = installation.role("web")
        web.start()
        until("mati web", installation.is_up, READY)
        requests = [_request(installation.port, one, words) for one in sent for words in one.words]
        chance.shuffle(requests)
        clock, before = Clock([web], ground.servers), _own()
        came = load.closed(("127.0.0.1", installation.port), _sessions(requests), CONNECTIONS)
        found, own = clock.stop(len(requests)), _own() - before
        assert came.sessions == len(requests)
        return Round(found, came.quantile(0.99), own / len(requests), _wrong(installation, sent))
    finally:
        installation.stop()
        shutil.rmtree(folder)


def _messages(chance: random.Random, count: int) -> list[Sent]:
    found = []
    for number in numbers(count):
        words, ends = chance.choice(ENDS)
        both = ({"status": chance.choice(ON_THE_WAY)}, words)
        again = itertools.islice(itertools.cycle(chance.sample(both, 2)), TIMES - len(both))
        found.append(Sent(f"ATXid_{chance.randbytes(16).hex()}", number, (*both, *again), ends))
    return found


def _write(installation: Ground, sent: Sequence[Sent]) -> None:
    """Puts messages into the table as a provider has just taken them."""
    now, keys = datetime.now(UTC), installation.keys
    rows = []
    for one in sent:
        sealed = keys.seal_number(one.number)
        rows.append(
            {
                "id": secrets.token_hex(16), "kind": str(Kind.ANNOUNCEMENT), "state": str(State.ACCEPTED),
                "priority": PRIORITY[Kind.ANNOUNCEMENT], "phone": keys.lookup(one.number), "number": sealed.data,
                "number_key": sealed.key, "text": TEXTS["en"], "parts": 1, "provider": installation.provider,
                "provider_id": one.provider_id, "attempts": 1, "not_before": now,
                "expires": now + timedelta(hours=6), "created": now, "sent": now, "changed": now,
            }
        )  # fmt: skip
    with installation.store.write() as db:
        insert_many(db, messages, rows, list(rows[0]))


def _request(port: int, one: Sent, words: dict[str, str]) -> bytes:
    fields = {"id": one.provider_id, "phoneNumber": one.number, "networkCode": "45601", "retryCount": "0"} | words
    return load.form(port, f"/hooks/africastalking/{TOKEN}/receipt", fields)


def _sessions(requests: Sequence[bytes]) -> Iterator[load.Session]:
    """A session each: nothing but 200 counts."""
    return (((request, b""),) for request in requests)


def _own() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _wrong(installation: Ground, sent: Sequence[Sent]) -> int:
    with installation.store.read() as db:
        rows = db.execute(select(messages.c.provider_id, messages.c.state, messages.c.reason))
        stand = {row.provider_id: (row.state, row.reason) for row in rows}
        out = set(db.scalars(select(opt_outs.c.phone)))
    wanted = {installation.keys.lookup(one.number) for one in sent if one.ends[1] is Reason.OPTED_OUT}
    return sum(stand.get(one.provider_id) != one.ends for one in sent) + len(wanted ^ out)
