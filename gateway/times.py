"""What time it is."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The time, aware. Whoever works by a clock takes it as an argument, so that tests can move it."""
    return datetime.now(UTC)
