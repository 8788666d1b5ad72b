"""One contact: added, changed, removed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection, Row
from werkzeug.wrappers import Response

from admin import audit, editing, scope
from admin.messaging.contact_form import BY_PHONE, ROLES, SOURCES, Choice, Form, choice
from admin.messaging.contact_lines import LAST_ID, found, line, numbered
from admin.messaging.flaws import said
from admin.wording import SPOKEN
from gateway.config import Settings
from gateway.contacts import contacts, groups
from gateway.contacts.contacts import Refused
from gateway.menus.phrases import Phrase, Words
from gateway.models.contacts import contact_of
from gateway.models.contacts import contacts as table
from gateway.models.messages import has_opted_out
from gateway.models.store import Store
from gateway.privacy import Keys

_ = Words


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/contacts/new`, `/admin/contacts/<id>` and its `/number`, `/admin/contacts/<id>/remove`."""

    def today() -> date:
        return settings.day(now())

    def form_page(form: Form, errors: dict[str, Phrase], row: Row[Any] | None = None, known: int | None = None) -> str:
        with store.read() as db:
            options = choice(db, row)
            inside = _inside(db, row.id, options) if row else []
        return render_template(
            "admin/contact.html",
            version=editing.digest(Form.of(row, inside).fields) if row else "",
            form=form, errors=errors, known=known, roles=ROLES, languages_of=SPOKEN,
            communes=options.communes, groups=options.groups, row=row, line=line(keys, row, inside) if row else None,
            source=SOURCES.get(row.source, row.source) if row else None, by_phone=BY_PHONE,
        )  # fmt: skip

    @panel.get("/contacts/new", endpoint="contacts_new")
    def new() -> str:
        return form_page(Form(groups=tuple(request.args.getlist("group"))), {})

    @panel.post("/contacts/new", endpoint="contacts_add")
    def add() -> Response | tuple[str, int]:
        form, known, mine = Form.sent(), None, None
        with store.write() as db:
            options = choice(db)
            details, errors = form.details(options)
            try:
                number = form.e164(settings)
            except Refused as refusal:
                errors["number"] = said(refusal)
            else:
                known = contact_of(db, keys.lookup(number))
                mine = known if known and scope.is_mine(db, "contact", known) else None
                errors |= _taken(db, keys.lookup(number), known)
            if not errors:
                made = contacts.add(db, keys, number, details, today())
                groups.put_in(db, made or abort(409), form.chosen(options))
                audit.tell(name=details.name, role=details.role)
        if errors:
            return form_page(form, errors, known=mine), 422
        flash(_("The contact was added.").msgid)
        return redirect(url_for("admin.contacts"))

    @panel.get("/contacts/<int:contact>", endpoint="contacts_one")
    def one(contact: int) -> str:
        with store.read() as db:
            row = found(db, contact)
            inside = _inside(db, contact, choice(db, row))
        return form_page(Form.of(row, inside), {}, row)

    @panel.post("/contacts/<int:contact>", endpoint="contacts_change")
    def change(contact: int) -> Response | tuple[str, int]:
        form = Form.sent()
        with store.write() as db:
            editing.hold(db, table, min(contact, LAST_ID))
            row = found(db, contact)
            options = choice(db, row)
            inside = _inside(db, contact, options)
            details, errors = form.details(options, agreed=row.source in BY_PHONE)
            choices: editing.Choices = {
                "role": ROLES, "commune": options.communes, "language": SPOKEN, "groups": options.groups,
            }  # fmt: skip
            errors = errors or editing.meanwhile(Form.of(row, inside).fields, form.fields, choices)
            if not errors:
                contacts.change(db, contact, details)
                hidden = [group for group, _name in groups.groups_of(db, [contact]).get(contact, [])]
                hidden = [group for group in hidden if str(group) not in options.groups]
                groups.put_in(db, contact, [*form.chosen(options), *hidden])
        if errors:
            return form_page(form, errors, row), 422
        flash(_("The contact was changed.").msgid)
        return redirect(url_for("admin.contacts"))

    _add_deeds(panel, store, keys, today)


def _inside(db: Connection, contact: int, options: Choice) -> list[tuple[int, str]]:
    """The groups of a contact, of those that may be seen."""
    inside = groups.groups_of(db, [contact]).get(contact, [])
    return [(group, name) for group, name in inside if str(group) in options.groups]


def _add_deeds(panel: Blueprint, store: Store, keys: Keys, today: Callable[[], date]) -> None:
    @panel.post("/contacts/<int:contact>/number", endpoint="contacts_number")
    def number(contact: int) -> str:  # an answer to the form itself: it stands in no address, and in no history
        with store.read() as db:
            row = found(db, contact)
        return numbered(keys, row, row.name, url_for("admin.contacts_one", contact=contact))

    @panel.get("/contacts/<int:contact>/remove", endpoint="contacts_remove")
    def ask(contact: int) -> str:
        with store.read() as db:
            row = found(db, contact)
            inside = _inside(db, contact, choice(db, row))
        return render_template("admin/contact_remove.html", line=line(keys, row, inside))

    @panel.post("/contacts/<int:contact>/remove", endpoint="contacts_removed")
    def removed(contact: int) -> Response:
        if contact <= LAST_ID:
            stop = bool(request.form.get("stop"))
            with store.write() as db:
                gone = contacts.remove(db, contact, stop=today() if stop else None)
            audit.tell(stop=stop) if gone else audit.refused()
            if gone:  # a second time it is gone already, and that is what was wanted
                flash(_("The contact was removed.").msgid)
        return redirect(url_for("admin.contacts"))


def _taken(db: Connection, phone: bytes, known: int | None) -> dict[str, Phrase]:
    """Why a number cannot be added."""
    if known:
        return {"number": _("This number is among the contacts already.")}
    if has_opted_out(db, phone):
        return {
            "number": _("This number has asked for no more messages. Only its owner can change that, by sending ON.")
        }
    return {}
