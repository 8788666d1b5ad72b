"""Who may open which page of the panel: one table.

A page that nobody named is for the programme's staff, so that a council's or a volunteer's login sees nothing new by
mistake. What such a login sees, only ever of its own communes, its pages look up themselves (`staff_communes`).
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway import config

OPEN = ("admin.login", "admin.login_code", "admin.join", "admin.asset")
"""Pages without a login."""
ALWAYS = ("admin.logout", "admin.language", "admin.password")
"""Pages for every login, whatever its role, even with a one-time password."""
FACTOR = (*ALWAYS, "admin.factor", "admin.factor_app", "admin.factor_codes", "admin.factor_off",
          "admin.factor_seen")  # fmt: skip
"""Pages for a login that has to set up its second factor first."""

STAFF = frozenset(config.STAFF)
"""Who sees staff's figures; councils get what left the programme (DOMAIN.md, Privacy, two circles)."""
ADMIN = frozenset({"admin"})
COUNCIL = frozenset({"council"})
VOLUNTEER = frozenset({"volunteer"})
EVERYBODY = STAFF | COUNCIL | VOLUNTEER

PAGES: Mapping[str, frozenset[str]] = {
    "admin.home": EVERYBODY,  # leads councils and volunteers to their own first page
    "admin.nowhere": EVERYBODY,
    "admin.self": EVERYBODY,
    "admin.factor": EVERYBODY,
    "admin.kept": EVERYBODY,
    "admin.council": COUNCIL,
    "admin.record": STAFF | VOLUNTEER,
    "admin.logins": ADMIN,
    "admin.audit": ADMIN,
    "admin.places_join": ADMIN,
    "admin.places_switch": ADMIN,
    "admin.places_import": ADMIN,
    "admin.places_brought": ADMIN,
    "admin.places_look": ADMIN,
    "admin.places_taken_in": ADMIN,
    "admin.places_dropped": ADMIN,
    "admin.pause_set": ADMIN,
    "admin.pause_end": ADMIN,
}
"""By endpoint, or by the group it belongs to: what stands before its first `_`. All others: STAFF."""
WIDE = frozenset(
    f"admin.{name}"
    for name in (
        "rounds_new", "rounds_made", "rounds_until", "rounds_close", "rounds_closed",
        "rounds_publish", "rounds_published", "rounds_unpublish",
        "rounds_services", "rounds_service", "rounds_service_new", "rounds_service_made", "rounds_service_named",
        "rounds_service_switched", "rounds_service_comments",
        "rounds_question", "rounds_question_made", "rounds_question_worded", "rounds_question_up",
        "rounds_question_away",
        "issues_import", "issues_brought", "issues_look", "issues_taken_in", "issues_dropped",
        "contacts_import", "contacts_brought", "contacts_look", "contacts_taken_in", "contacts_dropped",
    )
)  # fmt: skip
"""What concerns all communes, or brings contacts of any: not for staff with communes of their own (`scope`)."""
FIRST: Mapping[str, str] = {"council": "admin.council", "volunteer": "admin.record"}
"""Where a role begins. All others: what needs them today."""


def may_open(role: str, endpoint: str | None, *, limited: bool = False) -> bool:
    """Whether a login of this role may open a page; `limited`: staff with communes of their own."""
    name = endpoint or "admin.nowhere"
    if limited and name in WIDE:
        return False
    return name in ALWAYS or role in PAGES.get(name, PAGES.get(name.partition("_")[0], STAFF))


def first_page(role: str) -> str:
    """The endpoint of the page at which a role begins."""
    return FIRST.get(role, "admin.home")
