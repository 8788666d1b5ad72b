"""Contacts: who asked for messages, institutions, councillors. Numbers are masked; who has stopped is marked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin import scope
from admin.messaging import contact_editing, contact_files, contact_groups
from admin.messaging.contact_form import ROLES, Form, groups_listed
from admin.messaging.contact_lines import LAST_ID, PAGE, lines, wording_for
from admin.messaging.flaws import said
from admin.paging import page_of
from gateway.config import Settings
from gateway.contacts.contacts import Refused
from gateway.menus.phrases import Name, Words
from gateway.models.contacts import (
    Role,
    Wanted,
    communes_of_contacts,
    contact_of,
    count_contacts,
)
from gateway.models.messages import has_opted_out
from gateway.models.store import Store
from gateway.privacy import Keys

_ = Words


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/contacts?role=…&group=…&commune=…&text=…&page=…`; one contact, groups and files add theirs."""
    contact_editing.add_routes(panel, store, settings, keys, now)
    contact_groups.add_routes(panel, store, settings, keys, now)
    contact_files.add_routes(panel, store, settings, keys, now)

    @panel.get("/contacts", endpoint="contacts")
    def page() -> str:
        given = request.args
        role, group = given.get("role", ""), given.get("group", type=int)
        wanted = Wanted(
            role=Role(role) if role in ROLES else None,
            group=group if group is None or 0 < group <= LAST_ID else None,
            commune=given.get("commune") or None,
            text=given.get("text", ""),
        )
        with store.read() as db:
            wanted = replace(wanted, within=scope.mine(db))
            all_ = Wanted(within=wanted.within)
            everybody = count_contacts(db, all_)
            total = everybody if wanted == all_ else count_contacts(db, wanted)
            number, pages = page_of(total, PAGE)
            return render_template(
                "admin/contacts.html",
                lines=lines(db, keys, wanted, (number - 1) * PAGE),
                wanted=wanted, everybody=everybody, total=total, page=number, pages=pages, roles=ROLES,
                groups={str(one.id): one.name for one in groups_listed(db)},
                communes={code: Name(km, en, en) for code, km, en in communes_of_contacts(db, wanted.within)},
                sms_number=settings.sms_number,
            )  # fmt: skip

    @panel.post("/contacts/find", endpoint="contacts_find")
    def find() -> Response:
        try:
            number = Form.sent().e164(settings)
        except Refused as refusal:
            flash(wording_for(settings)(said(refusal)))
            return redirect(url_for("admin.contacts"))
        with store.read() as db:
            contact = contact_of(db, keys.lookup(number))
            if contact and not scope.is_mine(db, "contact", contact):
                contact = None
            stopped = has_opted_out(db, keys.lookup(number))
        if contact:
            return redirect(url_for("admin.contacts_one", contact=contact))
        if stopped:
            flash(_("This number is not among the contacts. It has asked for no more messages.").msgid)
        else:
            flash(_("This number is not among the contacts.").msgid)
        return redirect(url_for("admin.contacts"))
