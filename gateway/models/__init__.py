"""The tables, one file an aggregate. Importing this package knows them all."""

from gateway.models import (
    answers,
    broadcasts,
    callers,
    contacts,
    conversations,
    editions,
    forums,
    health,
    installation,
    messages,
    pace,
    places,
    polls,
    releases,
    rounds,
    services,
    staff,
)
from gateway.models.base import metadata

__all__ = [
    "answers",
    "broadcasts",
    "callers",
    "contacts",
    "conversations",
    "editions",
    "forums",
    "health",
    "installation",
    "messages",
    "metadata",
    "pace",
    "places",
    "polls",
    "releases",
    "rounds",
    "services",
    "staff",
]
