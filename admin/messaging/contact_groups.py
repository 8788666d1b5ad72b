"""Groups of contacts: made, renamed, filled, dissolved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from admin import audit, editing, scope
from admin.messaging.contact_form import groups_listed
from admin.messaging.contact_lines import LAST_ID, PAGE, lines
from admin.messaging.flaws import said
from admin.paging import page_of
from gateway.config import Settings
from gateway.contacts import groups
from gateway.contacts.contacts import Refused, mobile
from gateway.contacts.groups import Group
from gateway.menus.phrases import Phrase, Words
from gateway.models.contacts import Wanted, contact_of, find_contact
from gateway.models.contacts import groups as table
from gateway.models.store import Store
from gateway.privacy import Keys

_ = Words


def found(db: Connection, group: int) -> Group:
    """A group that is there."""
    return (groups.find(db, group) if group <= LAST_ID else None) or abort(404)


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/contacts/groups`, `/admin/contacts/groups/<id>`."""

    def list_page(typed: str, errors: dict[str, Phrase]) -> str:
        with store.read() as db:
            return render_template("admin/groups.html", groups=groups_listed(db), typed=typed, errors=errors)

    @panel.get("/contacts/groups", endpoint="contacts_groups")
    def page() -> str:
        return list_page("", {})

    @panel.post("/contacts/groups", endpoint="contacts_group_made")
    def made() -> Response | tuple[str, int]:
        typed = request.form.get("name", "")
        try:
            with store.write() as db:
                group = groups.make(db, groups.name_of(typed), now())
            audit.tell(name=groups.name_of(typed))
        except Refused as refusal:
            return list_page(typed, {"name": said(refusal)}), 422
        return redirect(url_for("admin.contacts_group", group=group))

    def group_page(group: int, errors: dict[str, Phrase], name: str | None = None, number: str = "") -> str:
        with store.read() as db:
            its = found(db, group)
            page, pages = page_of(its.members, PAGE)
            return render_template(
                "admin/group.html",
                group=its, lines=lines(db, keys, Wanted(group=group), (page - 1) * PAGE), page=page, pages=pages,
                version=editing.digest({"name": its.name}),
                uses=groups.uses(db, group, now()), errors=errors, number=number,
                name=its.name if name is None else name,
            )  # fmt: skip

    @panel.get("/contacts/groups/<int:group>", endpoint="contacts_group")
    def one(group: int) -> str:
        return group_page(group, {})

    @panel.post("/contacts/groups/<int:group>/name", endpoint="contacts_group_named")
    def rename(group: int) -> Response | tuple[str, int]:
        typed = request.form.get("name", "")
        try:
            with store.write() as db:
                editing.hold(db, table, min(group, LAST_ID))
                before = found(db, group).name
                errors = editing.meanwhile({"name": before}, {"name": typed})
                if not errors:
                    groups.rename(db, group, groups.name_of(typed))
        except Refused as refusal:
            errors = {"name": said(refusal)}
        if errors:
            return group_page(group, errors, name=typed), 422
        audit.tell(before=before, after=groups.name_of(typed))
        flash(_("The group has a new name.").msgid)
        return redirect(url_for("admin.contacts_group", group=group))

    _add_membership(panel, store, settings, keys, group_page)

    @panel.post("/contacts/groups/<int:group>/dissolve", endpoint="contacts_group_dissolved")
    def dissolve(group: int) -> Response | tuple[str, int]:
        with store.write() as db:
            in_use = groups.uses(db, group, now()) if group <= LAST_ID else []
            gone = not in_use and group <= LAST_ID and groups.dissolve(db, group)
        if in_use:  # the page says by what
            return group_page(group, {}), 409
        if not gone:
            audit.refused()
        else:  # a second time it is gone already, and that is what was wanted
            flash(_("The group is gone; its members are still among the contacts.").msgid)
        return redirect(url_for("admin.contacts_groups"))


def _add_membership(
    panel: Blueprint, store: Store, settings: Settings, keys: Keys, group_page: Callable[..., str]
) -> None:
    @panel.post("/contacts/groups/<int:group>/join", endpoint="contacts_group_joined")
    def join(group: int) -> Response | tuple[str, int]:
        typed = request.form.get("number", "")
        error: Phrase | None = None
        with store.write() as db:
            found(db, group)
            try:
                contact = contact_of(db, keys.lookup(mobile(typed, settings)))
            except Refused as refusal:
                error = said(refusal)
            else:
                if contact and scope.is_mine(db, "contact", contact):
                    groups.join(db, contact, group)
                else:
                    error = _("This number is not among the contacts.")
        if error:
            return group_page(group, {"number": error}, number=typed), 422
        flash(_("The contact is in the group.").msgid)
        return redirect(url_for("admin.contacts_group", group=group))

    @panel.post("/contacts/groups/<int:group>/leave/<int:contact>", endpoint="contacts_group_left")
    def leave(group: int, contact: int) -> Response:
        with store.write() as db:
            found(db, group)
            if contact <= LAST_ID and find_contact(db, contact):
                groups.leave(db, contact, group)
        flash(_("The contact is no longer in the group.").msgid)
        return redirect(url_for("admin.contacts_group", group=group))
