"""How long callers wait when they come at their own time: `python -m bench latency`.

1,000 steps a second, whether or not earlier ones were answered, first with nothing beside them, then while a worker
sends 100,000 messages to a stub of Africa's Talking and the clock goes.
"""

from __future__ import annotations

from bench import load, table
from bench.chaos.ground import TOKEN, Ground
from bench.ussd import Peer, known_callers

STEPS_A_SECOND = 1000.0
PAUSE = 2.0
"""Seconds in which a caller reads and presses a key."""
QUIET_SECONDS, BUSY_SECONDS = 8.0, 15.0
MESSAGES = 100_000
SHARES = ((0.5, "p50, ms"), (0.99, "p99, ms"), (0.999, "p99.9, ms"))
BESIDE = ("nothing beside them", f"{MESSAGES:,} messages sent beside them")


def measure(ground: table.Ground) -> table.Result:
    """Each round anew, so that the messages last."""
    found: dict[str, list[load.Measured]] = {beside: [] for beside in BESIDE}
    sent: list[float] = []
    for turn in range(ground.rounds):
        ground.say(f"round {turn + 1} of {ground.rounds}")
        gateway = Ground(ground.servers, ground.folder / f"round {turn}", "africastalking")
        try:
            known_callers(gateway.store, gateway.keys, gateway.settings)
            (group,) = gateway.write_contacts(int(MESSAGES * ground.share))
            gateway.start_stub()
            gateway.start_roles()
            peer = Peer(table.OURS, gateway.held["web"], gateway.port, f"/hooks/africastalking/{TOKEN}/ussd")
            _offer(peer, 1.0)
            found[BESIDE[0]].append(_offer(peer, QUIET_SECONDS * ground.share))
            gateway.write_letter(group)
            gateway.role("worker").start()
            busy = _offer(peer, BUSY_SECONDS * ground.share)
            found[BESIDE[1]].append(busy)
            sent.append(gateway.summary()["accepted"] / busy.seconds)
        finally:
            gateway.stop()
    figures = [
        table.Figure(f"{what}, {beside}", table.OURS, tuple(1000 * one.quantile(share) for one in measured))
        for beside, measured in found.items()
        for share, what in SHARES
    ]
    figures.append(table.Figure("messages/s beside them", table.OURS, tuple(sent)))
    by_what = {figure.what: figure.median for figure in figures}
    goals = []
    for beside in BESIDE:
        p99, last = by_what[f"p99, ms, {beside}"], by_what[f"p99.9, ms, {beside}"]
        goals.append(table.Goal(f"p99 at most 10 ms, {beside}", f"{p99:.1f} ms", p99 <= 10))
        goals.append(table.Goal(f"p99.9 less than a second, {beside}", f"{last:.0f} ms", last < 1000))
    title = f"{STEPS_A_SECOND:,.0f} steps a second that come at their own time"
    return table.Result(title, tuple(figures), tuple(goals))


def _offer(peer: Peer, seconds: float) -> load.Measured:
    return load.offered(("127.0.0.1", peer.port), peer.sessions(), STEPS_A_SECOND, PAUSE, seconds)
