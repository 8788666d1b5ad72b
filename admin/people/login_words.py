"""What is said of logins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.logins import Flaw
from gateway.menus.phrases import Words

_ = Words

ROLES: Mapping[str, Words] = {
    "admin": _("Admin: everything, and who may log in"),
    "staff": _("Staff: figures, messages, rounds"),
    "council": _("Council: what was released of its communes"),
    "volunteer": _("Volunteer: records what people say"),
}
CALLED: Mapping[str, Words] = {
    "admin": _("admin"),
    "staff": _("staff"),
    "council": _("council"),
    "volunteer": _("volunteer"),
}
FLAWS: Mapping[Flaw, tuple[str, Words]] = {
    Flaw.NAME: ("name", _("Give a name, of at most 60 characters.")),
    Flaw.ROLE: ("role", _("Choose a role.")),
    Flaw.TAKEN: ("name", _("This name has a login already. A new link or password for it is in the list below.")),
    Flaw.NO_COMMUNE: ("commune", _("A council's and a volunteer's login needs a commune.")),
    Flaw.NO_NEED: ("commune", _("An admin sees all communes: choose none.")),
    Flaw.UNKNOWN: ("commune", _("This commune takes no part in the programme.")),
    Flaw.LAST_ADMIN: ("role", _("This is the only admin. Let somebody else be one first.")),
}
"""The field that is wrong, and what is said of it."""


@dataclass(frozen=True)
class Given:
    """What was just made for somebody to come in with; it is on this one page."""

    name: str
    link: str = ""
    password: str = ""
