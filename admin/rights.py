"""Who may open which page of the panel: one table.

A page that nobody named is for the programme's staff, so that a council's or a volunteer's login sees nothing new by
mistake. What such a login sees, only ever of its own communes, its pages look up themselves (`staff_communes`).
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway import config

OPEN = ("admin.login", "admin.asset")
"""Pages without a login."""
ALWAYS = ("admin.logout", "admin.language", "admin.password")
"""Pages for every login, whatever its role, even with a one-time password."""

STAFF = frozenset(config.STAFF)
"""Who sees staff's figures; councils get what left the programme (DOMAIN.md, Privacy, two circles)."""
ADMIN = frozenset({"admin"})
COUNCIL = frozenset({"council"})
VOLUNTEER = frozenset({"volunteer"})
EVERYBODY = STAFF | COUNCIL | VOLUNTEER

PAGES: Mapping[str, frozenset[str]] = {
    "admin.home": EVERYBODY,  # leads each to its own first page
    "admin.nowhere": EVERYBODY,
    "admin.council": COUNCIL,
    "admin.record": STAFF | VOLUNTEER,
    "admin.logins": ADMIN,
    "admin.pause_set": ADMIN,
    "admin.pause_end": ADMIN,
}
"""By endpoint, or by the group it belongs to: what stands before its first `_`. All others: STAFF."""
FIRST: Mapping[str, str] = {"council": "admin.council", "volunteer": "admin.record"}
"""Where a role begins. All others: the tallies."""


def may_open(role: str, endpoint: str | None) -> bool:
    """Whether a login of this role may open a page."""
    name = endpoint or "admin.nowhere"
    return name in ALWAYS or role in PAGES.get(name, PAGES.get(name.partition("_")[0], STAFF))


def first_page(role: str) -> str:
    """The endpoint of the page at which a role begins."""
    return FIRST.get(role, "admin.tallies")
