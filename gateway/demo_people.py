"""The demonstration's contacts and its forum: invented people who asked for reminders, councillors, a network.

The forum's invitation waits for approval, so that a stranger meets that step first; nothing goes out by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

from sqlalchemy import Connection

from gateway.config import Language, Settings
from gateway.contacts import contacts, groups
from gateway.forums import plans as forum_plans
from gateway.forums.facts import Forum
from gateway.menus.phrases import Name
from gateway.models.contacts import Role
from gateway.privacy import Keys

LANGUAGES: tuple[Language, ...] = ("km", "km-Latn", "km", "en")
NETWORK = "Network"
MEMBERS = ("Women's savings group", "Youth research team", "Farmers' cooperative", "School support committee")
FORUM_AFTER = timedelta(days=10)


def seed(
    db: Connection, keys: Keys, settings: Settings, callers: Mapping[str, Sequence[str]], today: date, now: datetime
) -> None:
    """Contacts in every commune of `callers` (numbers by commune), a group, and a forum in the last commune but one."""
    for place, (code, numbers) in enumerate(callers.items()):
        for i, number in enumerate(numbers[::2]):  # every other one asked for reminders
            language = LANGUAGES[i % len(LANGUAGES)]
            contacts.subscribe(db, keys, number, language=language, commune=code, source="SMS", today=today)
        for i, language in enumerate(LANGUAGES[:2]):
            details = contacts.Details(
                role=Role.COUNCILLOR, name=f"Councillor {i + 1} (invented)", language=language, commune=code
            )
            contacts.add(db, keys, f"+8551108{place}{i:03d}", details, today)
    network = groups.make(db, NETWORK, now)
    for i, name in enumerate(MEMBERS):
        details = contacts.Details(role=Role.INSTITUTION, name=f"{name} (invented)", language="en")
        member = contacts.add(db, keys, f"+8551109{i:04d}", details, today)
        if member is not None:
            groups.join(db, member, network)
    forum = forum_plans.plan_forum(db, settings, _forum(network, today, settings), None, now)
    forum_plans.ask(db, settings, forum, None, now)


def _forum(network: int, today: date, settings: Settings) -> Forum:
    return Forum(
        id=0,
        code="010806",
        commune=Name("តាផូ", "Ta Phou", "Ta Phou"),
        title={"km": "វេទិកា", "km-Latn": "vetika", "en": "forum on services"},
        inviter="RCEDO",
        starts=datetime.combine(today + FORUM_AFTER, time(8, 30), settings.zone),
        venue={"km": "សាលាឃុំ", "km-Latn": "sala khum", "en": "commune hall"},
        note={"en": "Free to attend, travel not paid"},
        callback="",
        groups=(network,),
        reminders=("week", "eve", "morning"),
    )
