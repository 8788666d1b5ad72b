"""Logs: one JSON line an event, on stderr; what looks like a phone number or a token of an address is blotted out."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.phones import scrub

_SHORTEST_NUMBER = 10**7
_HOOK = re.compile(r"(/hooks/[a-z]+/|/admin/join/)[^/\s?]{16,}")
"""A provider's address, and the link of an invitation."""


def set_up(level: int = logging.INFO) -> None:
    """Sends our own lines and those of the libraries the same way."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        blot_out,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("alembic", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def blot_out(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The last guard: no value of a line may hold a number or a token."""
    return {name: value if name in ("timestamp", "level") else _blotted(value) for name, value in event.items()}


def _blotted(value: Any) -> Any:
    if isinstance(value, str):
        return _HOOK.sub(r"\1[token]", scrub(value))
    if isinstance(value, list | tuple):
        return [_blotted(item) for item in value]
    if isinstance(value, dict):
        return {_blotted(str(key)): _blotted(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and abs(value) < _SHORTEST_NUMBER:
        return value
    return _blotted(str(value))
