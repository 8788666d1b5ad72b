"""What closing a round destroys, so that nobody who holds all our data can link an answer to a number any more.

Each step matters; tests/test_after_closing.py plays who has everything, and wins where one is left out:

1. The round's key goes, under which its raters and numbers are hashed, and which of its numbers were in blocks.
2. Its conversations go, and numbers and words of what was said by SMS: they hold the answers beside the number.
3. Its answers are written anew: under hashes that are none, an own one for each question, so that neither last week's
   backup nor what one phone answered on several days says more; in an order that says nothing (PostgreSQL's rows tell
   the order in which they came); and with the day only where it fits at least ten numbers. What other tables keep of
   a number, contacts and callers, gives away its commune, and by which channel it wrote on which day: so a day stays
   where ten numbers rated by that channel in that commune; the others of a week stand together, if they are ten; those
   left lose their day.
4. The files of the database are cleared of what was there (models/traces.py).

Of the first two all but the key is one transaction, then comes a short one a commune. What was stopped half-way, or
takes longer than somebody at the panel waits, the clock finishes.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, delete, distinct, func, select, update

from gateway.models.answers import NO_DAY, answers
from gateway.models.conversations import purge_round
from gateway.models.editions import publish
from gateway.models.messages import forget_talks
from gateway.models.rollups import count_anew, hold_counts
from gateway.models.rounds import round_communes, rounds
from gateway.models.store import Store, insert_many
from gateway.models.traces import has_left, leave_no_trace, note_left
from gateway.privacy import HASH_BYTES, Keys
from gateway.scorecard.bursts import forget_near
from gateway.scorecard.releases import forget_released

ENOUGH = 10
"""Distinct numbers that must be left to choose from, whatever the setting for figures (DOMAIN.md, Privacy)."""
A_WHILE = 20.0
"""Seconds, in which whoever closes a round waits; the clock goes on from there."""
BREATH = 0.1
"""Seconds between two communes, at most: whoever waits for SQLite's one lock looks only so often."""

Days = Mapping[tuple[str, date], date]
"""By channel and day: the day that is kept. The others stay as they are."""


def close(store: Store, keys: Keys, round_id: int, day: date, now: datetime) -> None:
    """Closes a round, and makes it forget. Repeats do no harm, and finish what was stopped half-way."""
    of_round = rounds.c.id == round_id
    with store.write() as db:
        db.execute(update(rounds).where(of_round, rounds.c.closed.is_(None)).values(closed=day))
        db.execute(update(round_communes).where(round_communes.c.round_id == round_id).values(open=False))
        forget_released(db, round_id)
        forget_near(db, round_id)
        purge_round(db, round_id, now)
        forget_talks(db)
        publish(db, now)
        note_left(db)
    finish(store, keys)


def finish(store: Store, keys: Keys, *, at_night: bool = False) -> int:
    """Takes the steps after that, of all rounds that are closed, as far as they come in a while.

    Returns how many communes' answers it wrote anew, and one more where it cleared the files.
    """
    end = time.monotonic() + A_WHILE
    c = round_communes.c
    with store.read() as db:
        closed = select(c.round_id, c.commune, rounds.c.key).join(rounds, rounds.c.id == c.round_id)
        unfinished = closed.where(rounds.c.closed.is_not(None), ~c.forgotten).order_by(c.round_id, c.commune)
        left = db.execute(unfinished).all()
    for key in {row.key for row in left}:
        keys.destroy_round(key)
    for done, (round_id, commune, _) in enumerate(left):
        began = time.monotonic()
        if began > end:
            return done
        with store.write() as db:
            write_anew(db, round_id, commune)
        if store.is_sqlite:
            time.sleep(min(time.monotonic() - began, BREATH))
    with store.read() as db:
        are_left = has_left(db)
    cleared = are_left and leave_no_trace(store, at_night=at_night)
    return len(left) + (1 if cleared else 0)


def write_anew(db: Connection, round_id: int, commune: str) -> None:
    """Writes a commune's answers of a closed round anew: other hashes, another order, fewer days."""
    c = round_communes.c
    of_commune = (c.round_id == round_id) & (c.commune == commune)
    if db.scalar(select(c.forgotten).where(of_commune).with_for_update()) is not False:
        return  # somebody else was faster: rows read before that must not be written once more
    hold_counts(db)
    mine = (answers.c.round_id == round_id) & (answers.c.commune == commune)
    days = kept_days(db, round_id, commune)
    secret = secrets.token_bytes(HASH_BYTES)  # for this once: nobody can do it again

    def other(what: bytes, service: str, indicator: str) -> bytes:
        return hmac.digest(secret, f"{service}\0{indicator}\0".encode() + what, "sha256")[:HASH_BYTES]

    rows = [dict(row) for row in db.execute(select(answers).where(mine)).mappings()]
    for row in rows:
        question = row["service_id"], row["indicator"]
        row["rater"], row["phone"] = (other(row[name], *question) for name in ("rater", "phone"))
        row["day"] = days.get((row["channel"], row["day"]), row["day"])
    note_left(db)
    db.execute(delete(answers).where(mine))
    insert_many(db, answers, sorted(rows, key=lambda row: row["rater"]), [column.name for column in answers.columns])
    count_anew(db, round_id, commune)
    db.execute(update(round_communes).where(of_commune).values(forgotten=True))


def kept_days(db: Connection, round_id: int, commune: str) -> Days:
    """The days on which too few numbers rated a commune, and what is kept of them."""
    a = answers.c
    mine = (a.round_id == round_id, a.commune == commune, a.day != NO_DAY)
    few = select(a.channel, a.day).where(*mine).group_by(a.channel, a.day)
    few_days = few.having(func.count(distinct(a.phone)) < ENOUGH).subquery()
    on_them = (few_days.c.channel == a.channel) & (few_days.c.day == a.day)
    found = select(a.channel, a.day, a.phone).join(few_days, on_them).where(*mine).distinct()
    weeks = defaultdict[tuple[str, date], dict[date, set[bytes]]](lambda: defaultdict(set))
    for channel, day, phone in db.execute(found):
        weeks[channel, day - timedelta(days=day.weekday())][day].add(phone)
    kept: dict[tuple[str, date], date] = {}
    for (channel, _), phones in weeks.items():
        enough = len(set[bytes]().union(*phones.values())) >= ENOUGH
        kept |= {(channel, day): max(phones) if enough else NO_DAY for day in phones}
    return kept
