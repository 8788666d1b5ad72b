"""The tables, one file an aggregate. Importing this package knows them all."""

from gateway.models import (
    answers,
    callers,
    conversations,
    editions,
    health,
    installation,
    messages,
    places,
    rounds,
    services,
    staff,
)
from gateway.models.base import metadata

__all__ = [
    "answers",
    "callers",
    "conversations",
    "editions",
    "health",
    "installation",
    "messages",
    "metadata",
    "places",
    "rounds",
    "services",
    "staff",
]
