"""How often Python looks for garbage that refers to itself."""

from __future__ import annotations

import gc

SELDOM = 10_000
"""So many new objects, instead of 700, between two looks. There is little of it here, and each look goes through what
a process holds: it took 40 % of the time in which a long list is put into the outbox (bench/queueing.py)."""


def look_seldom(*, from_here: bool = False) -> None:
    """For a process that runs for long; `from_here`: what there is by now stays, and is not looked through again."""
    if from_here:
        gc.collect()
        gc.freeze()
    gc.set_threshold(SELDOM)
