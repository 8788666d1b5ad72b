"""The demonstration's voices in words: comments on a service, and issues that groups raised. All are invented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from gateway.comments import comments
from gateway.comments.redaction import proposed
from gateway.models.concerns import Solved
from gateway.privacy import Keys
from gateway.promises import issues
from gateway.promises.issues import Issue

TAKEN_ON = "window"
APPROVED = (
    ("អ្នកធ្វើការនិយាយល្អ តែត្រូវរង់ចាំយូរ។", 0),
    ("The office was closed on Friday afternoon.", 2),
    ("Seva la or, pontae rong cham yur.", 3),
)
"""Texts, and the place of their commune."""
WAITING = (
    ("បងស្រីចាន់ គិតថ្លៃលើសតារាង។ ហៅខ្ញុំ ០១០ ០០០ ០០១", 2),
    ("Mrs Sokha came at ten, see www.example.org/office or call 010 000 002", 2),
    ("Mean neak rong cham chroen pek nov prek", 1),
)
GROUPS = ("Women's savings group (invented)", "Youth research team (invented)", "Farmers' cooperative (invented)")


@dataclass(frozen=True)
class _Raised:
    """An issue: how many days ago it was raised, and solved so far since."""

    subject: str
    to_whom: str
    place: int
    days: int
    solved: tuple[tuple[Solved, int, str], ...] = ()


RAISED: Sequence[_Raised] = (
    _Raised("No fees are posted at the commune office", "Commune council", 0, 700, ((Solved.FULLY, 580, "A board"),)),
    _Raised("The road to the school floods", "District", 1, 640, ((Solved.PARTLY, 420, "Two culverts of five"),)),
    _Raised("No toilet for girls at the primary school", "School director", 2, 600,
            ((Solved.PARTLY, 390, "Site chosen"), (Solved.FULLY, 120, "Built"))),
    _Raised("The health centre closes at three", "Health centre", 2, 520, ((Solved.PARTLY, 400, "Open until four"),)),
    _Raised("The well of the village is dry from March on", "Commune council", 3, 480),
    _Raised("Birth certificates take two months", "One-window office", 0, 300, ((Solved.PARTLY, 100, "Three weeks"),)),
    _Raised("No light on the market road", "District", 1, 210),
    _Raised("Rubbish is burnt beside the school", "Commune council", 3, 90, ((Solved.FULLY, 20, "Moved"),)),
)  # fmt: skip


def seed(db: Connection, keys: Keys, communes: Sequence[str], today: date, now: datetime) -> None:
    """One service takes comments: some are approved, some wait. Issues of two years."""
    comments.switch(db, TAKEN_ON, now, on=True)
    for words, place in APPROVED:
        comments.take(db, keys, words, communes[place], TAKEN_ON, today)
    for one in comments.waiting(db, keys, 0, len(APPROVED)):
        comments.approve(db, one.id, proposed(one.words), one.commune, one.service, None, today)
    for words, place in WAITING:
        comments.take(db, keys, words, communes[place], TAKEN_ON, today)
    for i, raised in enumerate(RAISED):
        since = today - timedelta(days=raised.days)
        issue = Issue(GROUPS[i % len(GROUPS)], raised.subject, raised.to_whom, since, communes[raised.place])
        made = issues.add(db, issue, today, None, now)
        for solved, ago, note in raised.solved:
            issues.change(db, made, solved, today - timedelta(days=ago), note, today, None, now)
