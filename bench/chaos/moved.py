"""`python moved.py worker`: a role of the gateway by a clock of its own; CHAOS_CLOCK names a file with its lead.

The file holds seconds, and is read at each look at the time, so that the clock can be moved while the role runs.
Nothing but the gateway's own time is moved (`gateway.times.utc_now`): leases, due times, quiet hours.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from gateway import times

CLOCK = "CHAOS_CLOCK"
_true_now = times.utc_now


def moved_now() -> datetime:
    """The time by the moved clock."""
    return _true_now() + timedelta(seconds=float(Path(os.environ[CLOCK]).read_text()))


if __name__ == "__main__":
    times.utc_now = moved_now  # before the modules that take it from there are loaded
    from gateway.cli import main

    main()
