"""The demonstration: invented people whose ratings go through the real menus, in the four communes of DOMAIN.md.

Two rounds are dialled and closed, so that a stranger sees figures and a change; a third is open and empty. The first
is public, the second before the councils: a council's login sees it, the public results do not.
The share of the satisfied rises as in DOMAIN.md's table, row 4: about 40 %, then about 60 %.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from gateway import demo_information, demo_people, demo_promises, demo_voices, logins
from gateway.config import Language, Settings
from gateway.conversation import Conversations
from gateway.errors import Told
from gateway.models import staff
from gateway.models.editions import newest
from gateway.models.installation import is_demo, mark_demo
from gateway.models.store import DatabaseDown, Store
from gateway.privacy import Keys
from gateway.providers.base import UssdStep
from gateway.scorecard import publishing, rated, rounds

LOGIN = "demo"
COLLEAGUE = "dara"
"""Who approves what the demonstration's login wrote; with the same password."""
COUNCIL = "council"
"""The login of a council, with the same password."""
COMMUNES = ("010303", "010407", "010806", "010807")
RATERS = {"010303": 52, "010407": 38, "010806": 64, "010807": 47}
"""Invented raters a round in each commune."""
LIKED = {"1": 0.0, "2": 0.05, "3": -0.05, "4": 0.12}
"""How much better or worse than the round's share a service is liked, by its number."""
SHARES = (0.40, 0.60)
"""The share of the satisfied in the first and the second round (DOMAIN.md, table, row 4)."""
QUESTIONS: dict[str, tuple[dict[Language, str], ...]] = {
    "health": (
        {"km": "រយៈពេលរង់ចាំ", "km-Latn": "Rong cham yur", "en": "The waiting time"},
        {"km": "មានថ្នាំគ្រប់", "km-Latn": "Mean thnam krob", "en": "Medicine is there when needed"},
    ),
    "window": (
        {"km": "តម្លៃតាមតារាង", "km-Latn": "Thlai tam tareang", "en": "The fees are those on the list"},
        {"km": "ការពន្យល់នីតិវិធី", "km-Latn": "Ponyol nitevithi", "en": "Staff explain what to bring"},
    ),
}
"""What is asked beside the score, by service."""
ASKED = "24"
"""The numbers of the services with questions."""
UNDER_15 = "5"
"""The digit of who is under 15, and so is asked nothing more."""
FEW = ("010407", "3")
"""A service that so few rate in one commune that its figures are not shown."""


class NotADemo(Told):
    """The folder holds real data."""


@dataclass(frozen=True)
class Handed:
    """What the demonstration hands to whoever started it."""

    tokens: str
    """For Africa's Talking: those of the settings, or one made here."""
    password: str

    @property
    def env(self) -> dict[str, str]:
        """For the processes of the gateway."""
        return {"AFRICASTALKING_WEBHOOK_TOKENS": self.tokens}

    def curl(self, settings: Settings) -> str:
        """A line to paste: the first request of a call."""
        return (
            f"  curl {settings.address}/hooks/africastalking/{self.tokens.split(',')[0]}/ussd \\\n"
            "    -d sessionId=ATUid_1 -d phoneNumber=%2B85510000001 -d networkCode=45601 \\\n"
            f"    -d 'serviceCode={settings.ussd_code}' -d text="
        )


def must_fit(settings: Settings, store: Store) -> None:
    """Raises NotADemo where real data are."""
    try:
        if not store.revision():
            return
        with store.read() as db:
            if newest(db) and not is_demo(db):
                raise NotADemo(
                    f"{settings.data_dir} holds real data; choose another folder with: --demo --data demo-data"
                )
    except DatabaseDown:
        return


def prepare(settings: Settings, store: Store) -> Handed:
    """Invents the data where they are not there yet; they are there whole or not at all."""
    handed = _handed(settings)
    with store.read() as db:
        if is_demo(db):
            return handed
    seed(settings, store, settings.day(datetime.now(UTC)))
    with store.write() as db:
        if not staff.add_member(db, LOGIN, "admin", handed.password, one_time=False):
            staff.reset_password(db, LOGIN, handed.password, one_time=False)
        for name, role, communes in ((COLLEAGUE, "staff", ()), (COUNCIL, "council", COMMUNES[2:3])):
            logins.add(db, name, role, communes)
            staff.reset_password(db, name, handed.password, one_time=False)
        mark_demo(db)
    return handed


def with_its_token(settings: Settings) -> Settings:
    """The settings as the gateway sees them: a demonstration that was started here made its own webhook token."""
    if not _path(settings).exists() or settings.africastalking_webhook_tokens:
        return settings
    return settings.model_copy(update={"africastalking_webhook_tokens": (_handed(settings).tokens,)})


def seed(settings: Settings, store: Store, today: date) -> None:
    """Two rounds dialled and closed, a third opened today."""
    keys = Keys(settings)
    chance = random.Random(2026)
    clock = _Clock(settings)
    conversations = Conversations(store, keys, settings, now=lambda: clock.now)
    callers = {code: [_number(commune, i) for i in range(RATERS[code])] for commune, code in enumerate(COMMUNES)}
    total = sum(RATERS.values()) * len(SHARES)
    done = 0
    with store.write() as db:
        for service, texts in QUESTIONS.items():
            for text in texts:
                rated.add_question(db, service, text, clock.now)
    held = []
    for index, share in enumerate(SHARES):
        first = today - timedelta(days=63 - 35 * index)
        clock.set(first, 8 * 60)
        round_id = rounds.open_round(store, keys, COMMUNES, first, clock.now)
        held.append(round_id)
        for code in COMMUNES:
            for number in callers[code]:
                clock.set(first + timedelta(days=chance.randrange(28)), chance.randrange(6 * 60, 20 * 60))
                for path in _paths(chance, code, share, known=index > 0):
                    _dial(conversations, number, path)
                done += 1
                _progress(done, total)
        last = first + timedelta(days=27)
        clock.set(last, 21 * 60)
        rounds.close_round(store, keys, round_id, last, clock.now, settings.min_raters)
        clock.set(last + timedelta(days=1), 8 * 60)
        with store.write() as db:  # before there are councillors: nothing goes out by itself
            publishing.publish(db, settings, round_id, None, clock.now)
    clock.set(today, 0)
    rounds.open_round(store, keys, COMMUNES, today, clock.now, indicators=())  # the shortest way, for who tries it
    with store.write() as db:
        demo_people.seed(db, keys, settings, callers, today, clock.now)
        demo_information.seed(db, today, clock.now)
        demo_promises.seed(db, settings, COMMUNES, held, today, clock.now)
        demo_voices.seed(db, keys, COMMUNES, today, clock.now)


@dataclass
class _Clock:
    settings: Settings
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def set(self, day: date, minute: int) -> None:
        self.now = datetime.combine(day, time(minute // 60, minute % 60), self.settings.zone)


def _number(commune: int, index: int) -> str:
    """An invented number: a six-digit subscriber that starts with 0 is not assigned (DOMAIN.md, Phones)."""
    prefix = ("10", "12", "88", "97")[index % 4]
    return f"+855{prefix}0{commune + 1}{index:04d}"


def _paths(chance: random.Random, code: str, share: float, known: bool) -> Iterator[list[str]]:
    """What one caller dials: one to three services, the first time after welcome and commune."""
    who = chance.choices("1234567", weights=(24, 33, 15, 20, 2, 2, 4))[0]
    services = [s for s in "1234" if (code, s) != FEW or chance.random() < 0.12]
    for service in chance.sample(services, min(len(services), chance.choice((1, 2, 2, 3)))):
        satisfied = chance.random() < share + LIKED[service]
        score = chance.choice("4445") if satisfied else chance.choice("112223333")
        hung_up = chance.random() < 0.05
        entry = [] if known else ["1", str(COMMUNES.index(code) + 1)]
        known = True
        if hung_up:
            yield [*entry, service, score]
        else:
            questions = 2 if service in ASKED and who != UNDER_15 else 0
            yield [*entry, service, score, who, *(_answer(chance, satisfied) for _ in range(questions))]


def _answer(chance: random.Random, satisfied: bool) -> str:
    """To an extra question: near to the score, and one in ten does not answer."""
    return "6" if chance.random() < 0.1 else chance.choice("3445" if satisfied else "12234")


def _dial(conversations: Conversations, number: str, path: list[str]) -> None:
    session = f"demo-{secrets.token_hex(8)}"
    for end in (*range(len(path) - 1), len(path)):  # the last two at once: there are thousands of requests
        conversations.ussd(UssdStep("simulator", session, number, path=tuple(path[:end])))


def _progress(done: int, total: int) -> None:
    if not sys.stderr.isatty():
        if done in {1, total}:
            print("inventing ratings for the demonstration…" if done == 1 else "done", file=sys.stderr, flush=True)
        return
    filled = 30 * done // total
    line = f"\rinventing raters [{'#' * filled}{' ' * (30 - filled)}] {done} of {total}"
    print(line, end="\n" if done == total else "", file=sys.stderr, flush=True)


def _path(settings: Settings) -> Path:
    return settings.data_dir / "demo.json"


def _handed(settings: Settings) -> Handed:
    path = _path(settings)
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump({"token": secrets.token_urlsafe(32), "password": staff.new_password()}, file)
    values = json.loads(path.read_text())
    given = ",".join(settings.africastalking_webhook_tokens)
    return Handed(given or values["token"], values["password"])
