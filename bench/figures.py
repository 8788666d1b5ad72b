"""How long staff wait for figures when there are many ratings.

Millions of invented ratings in 1,652 communes on PostgreSQL, eighty days of one round that lasts until today. Days are
counted, one after the other as the clock does it at night, until only today's ratings are not; then pages of the panel
are asked for by somebody who is logged in: made whole, without the network. A tenth of the ratings beside them shows
whether a page's cost grows.
"""

from __future__ import annotations

import random
import re
import secrets
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import text

from bench import table
from gateway import config, create_app, schema
from gateway.garbage import look_seldom
from gateway.models import rollups, staff
from gateway.models.answers import OVERALL, answers
from gateway.models.editions import publish
from gateway.models.store import Store, insert_many
from gateway.places import import_places
from gateway.privacy import HASH_BYTES, Keys
from gateway.scorecard.rounds import open_round

RATINGS = 5_000_000
PAGE, DAY, FLAT = 0.050, 1.0, 1.5
"""Seconds of a page, and of a day's counting; a page may take so many times what it takes at a tenth of the ratings."""
COMMUNES, DAYS = 1652, 80
PLACES = 15
"""So many communes are asked for, and a third as many districts."""
PASSWORD = "three words together"  # noqa: S105  # of an installation that is removed
SERVICES = ("office", "health", "school", "window")
WHOS = ("woman-15-30", "woman-31", "man-15-30", "man-31", "other", "unsaid")
PAGES = (
    *("commune", "commune by who", "commune by channel", "commune by week"),
    *("district", "district by commune", "district by week", "programme", "programme by province"),
)


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
        publish(db, datetime.now(UTC))
    return codes


def ratings(
    chance: random.Random, round_id: int, codes: Sequence[str], first: date, count: int
) -> Iterator[dict[str, Any]]:
    """So many answers; each phone rates three services on one day."""
    for code in codes:
        for _ in range(count // len(codes) // 3):
            rater = {
                "round_id": round_id, "commune": code, "indicator": OVERALL, "rater": secrets.token_bytes(HASH_BYTES),
                "phone": secrets.token_bytes(HASH_BYTES), "who": chance.choice(WHOS), "given": 1, "lead": True,
                "day": first + timedelta(days=chance.randrange(DAYS)),
                "channel": chance.choice(("ussd", "ussd", "sms", "assisted")),
            }  # fmt: skip
            for service in chance.sample(SERVICES, 3):
                yield rater | {"service_id": service, "score": chance.choice((1, 2, 3, 4, 4, 5))}


class Land:
    """An installation with so many ratings, all of its days counted but the last ones, and somebody logged in."""

    def __init__(self, folder: Path, url: str, count: int, uncounted: int) -> None:
        settings = config.load(data_dir=folder, database_url=url, second_factor=False)
        folder.mkdir()
        self.store, now = Store(settings.database), datetime.now(UTC)
        schema.initialise(settings, self.store, now)
        self._chance = random.Random(1)  # noqa: S311  # no secret
        self._codes = programme(self.store, folder)
        self._today = settings.day(now)
        first = self._today - timedelta(days=DAYS - 1)
        round_id = open_round(self.store, Keys(settings), self._codes, first, now)
        columns = [column.name for column in answers.columns]
        with self.store.write() as db:
            insert_many(db, answers, ratings(self._chance, round_id, self._codes, first, count), columns)
            rollups.roll(db, self._today - timedelta(days=uncounted + 1))
            staff.reset_password(db, "admin", PASSWORD, one_time=False)
        with self.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.execute(text("VACUUM ANALYZE"))
        self._browser = _logged_in(create_app(settings).test_client())

    def count_day(self, left: int) -> float:
        """Seconds in which one more day is counted, after which so many are left."""
        began = time.perf_counter()
        with self.store.write() as db:
            rollups.roll(db, self._today - timedelta(days=left + 1))
        return time.perf_counter() - began

    def page(self, name: str) -> float:
        """Seconds of a page: the median of some places'."""
        level, _, by = name.partition(" by ")
        some = self._chance.sample(self._codes, PLACES)
        places = {
            "commune": [f"commune={code}" for code in some],
            "district": [f"place={code[:4]}" for code in some[: PLACES // 3]],
            "programme": ["place=all"] * 3,
        }
        return median(_seconds(self._browser, place + (f"&by={by}" if by else "")) for place in places[level])


def measure(ground: table.Ground) -> table.Result:
    """Two installations, one with ten times the ratings of the other, asked in turns."""
    look_seldom()  # as the gateway's own processes
    most = int(RATINGS * ground.share)
    lands = {}
    for count in (most // 10, most):
        ground.say(f"writing {count:,} ratings")
        lands[count] = Land(ground.folder / str(count), ground.servers.postgres.new_database(), count, ground.rounds)
    days, pages = defaultdict(list), defaultdict(list)
    for turn in range(ground.rounds):
        for count, land in lands.items():
            days[count].append(land.count_day(ground.rounds - turn - 1))
    for turn in range(ground.rounds):
        for name in PAGES:
            for count, land in lands.items():
                pages[name, count].append(land.page(name))
        ground.say(f"{turn + 1} of {ground.rounds}")
    for land in lands.values():
        land.store.close()
    figures = [_figure(f"ms, {name}, {count:,} ratings", values) for (name, count), values in pages.items()]
    figures += [_figure(f"ms, a day counted, {count:,} ratings", values) for count, values in days.items()]
    return table.Result("Tallies", tuple(figures), _goals(most, days, pages))


def _goals(
    most: int, days: dict[int, list[float]], pages: dict[tuple[str, int], list[float]]
) -> tuple[table.Goal, ...]:
    goals = []
    for level in ("commune", "district", "programme"):
        took = {name: median(pages[name, most]) for name in PAGES if name.partition(" ")[0] == level}
        name, slowest = max(took.items(), key=lambda item: item[1])
        wanted = f"a page of a {level} under {PAGE * 1000:.0f} ms"
        goals.append(table.Goal(wanted, f"{slowest * 1000:.0f} ms at most ({name})", slowest < PAGE))
    day = median(days[most])
    goals.append(table.Goal(f"a day counted in under {DAY:.0f} s", f"{day:.2f} s", day < DAY))
    growth = {name: median(pages[name, most]) / median(pages[name, most // 10]) for name in PAGES}
    name, worst = max(growth.items(), key=lambda item: item[1])
    wanted = "a page's cost flat from a tenth of the ratings to all of them"
    goals.append(table.Goal(wanted, f"at most {worst:.2f} times ({name})", worst <= FLAT))
    return tuple(goals)


def _figure(what: str, seconds: Sequence[float]) -> table.Figure:
    return table.Figure(what, table.OURS, tuple(one * 1000 for one in seconds))


def _logged_in(browser: FlaskClient) -> FlaskClient:
    page = browser.get("/admin/login?lang=en").text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    answer = browser.post("/admin/login", data={"name": "admin", "password": PASSWORD, "csrf_token": token[1]})
    assert answer.status_code == 302, answer.text
    return browser


def _seconds(browser: FlaskClient, query: str) -> float:
    began = time.perf_counter()
    answer = browser.get(f"/admin/tallies?{query}")
    took = time.perf_counter() - began
    assert answer.status_code == 200, (query, answer.status_code)
    return took
