"""The form of one contact: what was typed, what is wrong with it, what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request
from sqlalchemy import Connection, Row

from admin.figures.tallies import programme
from admin.messaging.flaws import FLAWS, said
from admin.scope import groups_seen
from admin.scope import mine as own_communes
from gateway.config import LANGUAGES, Settings
from gateway.contacts import groups
from gateway.contacts.contacts import ADDRESS, CONSENT, NAME, Details, Refused, lacking, mobile, words
from gateway.menus.phrases import Name, Phrase, Words
from gateway.models.contacts import Role

_ = Words

ROLES: Mapping[Role, Words] = {
    Role.PERSON: _("Person"),
    Role.INSTITUTION: _("Institution"),
    Role.COUNCILLOR: _("Councillor"),
}
SOURCES: Mapping[str, Words] = {
    "SMS": _("asked by SMS"),
    "USSD": _("asked in the menu"),
    "import": _("came in a file"),
    "panel": _("written down by staff"),
}
"""Where a contact comes from."""
BY_PHONE = ("SMS", "USSD")
"""Who asked like this agreed by asking."""
_TEXTS = (("name", NAME), ("address", ADDRESS), ("consent", CONSENT))


@dataclass(frozen=True)
class Form:
    """What was typed."""

    number: str = ""
    role: str = Role.PERSON
    name: str = ""
    address: str = ""
    language: str = ""
    commune: str = ""
    consent: str = ""
    groups: tuple[str, ...] = ()

    @classmethod
    def sent(cls) -> Form:
        """What came with the request."""
        given = request.form
        lines = {name: given.get(name, "") for name in cls.__dataclass_fields__ if name != "groups"}
        return cls(**lines, groups=tuple(given.getlist("groups")))

    @classmethod
    def of(cls, row: Row[Any], inside: list[tuple[int, str]]) -> Form:
        """A contact as it is."""
        kept = {
            name: getattr(row, name) or "" for name in ("role", "name", "address", "language", "commune", "consent")
        }
        return cls(**kept, groups=tuple(str(group) for group, _name in inside))

    @property
    def fields(self) -> Mapping[str, Any]:
        """What can be changed, by field (`editing`)."""
        return {name: value for name, value in vars(self).items() if name != "number"}

    def details(self, choice: Choice, *, agreed: bool = False) -> tuple[Details, dict[str, Phrase]]:
        """What it means, and what is wrong with it, by field."""
        errors: dict[str, Phrase] = {}
        texts: dict[str, str] = {}
        for name, most in _TEXTS:
            try:
                texts[name] = words(getattr(self, name), most)
            except Refused as refusal:
                errors[name] = said(refusal)
                texts[name] = ""
        details = Details(
            role=Role(self.role) if self.role in ROLES else Role.PERSON,
            language=next((one for one in LANGUAGES if one == self.language), None),
            commune=self.commune if self.commune in choice.communes else None,
            **texts,
        )
        missing: dict[str, Phrase] = {name: FLAWS[flaw] for name, flaw in lacking(details, agreed=agreed).items()}
        if choice.limited and details.commune is None:
            missing["commune"] = _("Choose one of your communes.")
        return details, missing | errors

    def e164(self, settings: Settings) -> str:
        """The number. Raises Refused."""
        return mobile(self.number, settings)

    def chosen(self, choice: Choice) -> list[int]:
        """The groups that were ticked and are still there."""
        return [int(group) for group in self.groups if group in choice.groups]


@dataclass(frozen=True)
class Choice:
    """What there is to choose from."""

    communes: Mapping[str, Phrase]
    groups: Mapping[str, Phrase]
    limited: bool = False
    """Whether a commune must be chosen: who has communes of their own sees nobody without one."""


def groups_listed(db: Connection) -> list[groups.Group]:
    """The groups that who is logged in may see."""
    seen = groups_seen(db)
    return [group for group in groups.listed(db) if seen is None or group.id in seen]


def choice(db: Connection, row: Row[Any] | None = None) -> Choice:
    """The programme's communes, a contact's own, all groups; to whom has communes of their own: of these."""
    communes: dict[str, Phrase] = {one.code: one.name for one in programme(db)}
    if row and row.commune:
        communes.setdefault(row.commune, Name(row.name_km, row.name_en, row.name_en))
    named: dict[str, Phrase] = {str(group.id): group.name for group in groups_listed(db)}
    return Choice(communes, named, own_communes(db) is not None)
