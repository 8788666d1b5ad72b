"""Placeholders in a text for many: `{name}`, or `{name|neighbour}` with what stands where there is no name."""

from __future__ import annotations

import re
from collections.abc import Mapping

KNOWN = ("name", "commune", "address")
_PLACEHOLDER = re.compile(r"\{([^{}|]*)(?:\|([^{}]*))?\}")


def unknown(text: str) -> list[str]:
    """The placeholders of a text that nothing is known to fill, as they are written."""
    return [found[0] for found in _PLACEHOLDER.finditer(text) if found[1].strip() not in KNOWN]


def needed(text: str) -> set[str]:
    """The placeholders of a text that have nothing to stand in for a missing value."""
    return {found[1].strip() for found in _PLACEHOLDER.finditer(text) if found[2] is None}


def is_personal(text: str) -> bool:
    """Whether the text differs from person to person."""
    return _PLACEHOLDER.search(text) is not None


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text for one person. A value that is missing and has nothing to stand in leaves nothing."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1].strip()) or found[2] or "", text)
