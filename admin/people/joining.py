"""The page of an invitation: who opens its link sets the password of their login, and is in.

The link's token is in the address, so this page sends no Referer (`gateway.headers`), our log blots it out
(`gateway.logs`), and after a week or its one use it opens nothing.
"""

from __future__ import annotations

import structlog
from flask import Blueprint, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin.people.access import SHORTEST, Door, PasswordForm, complaint
from gateway import invitations
from gateway.menus.phrases import Words
from gateway.models.staff import find_member

_ = Words
log = structlog.get_logger()


def add_routes(panel: Blueprint, door: Door) -> None:
    """`/admin/join/<token>`."""
    store, keys = door.store, door.keys

    @panel.route("/join/<token>", methods=["GET", "POST"], endpoint="join")
    def join(token: str) -> Response | tuple[str, int]:
        with store.read() as db:
            invited = invitations.find(db, keys, token, door.now())
        if invited is None:
            if current_user.is_authenticated:  # a second click on the form that let them in
                return redirect(url_for("admin.home"))
            return render_template("admin/error.html", what="no invitation"), 404
        name = invited.member.name
        if current_user.is_authenticated:
            return render_template("admin/error.html", what="another's invitation", name=name), 409
        form, wrong = PasswordForm(), None
        if form.validate_on_submit():
            wrong = complaint(form.new.data or "", form.again.data or "")
            if wrong is None:
                with store.write() as db:
                    member_id = invitations.accept(db, keys, token, form.new.data, door.now())
                    member = find_member(db, member_id) if member_id else None
                if member is None:  # it was used in this moment
                    return render_template("admin/error.html", what="no invitation"), 404
                log.info("panel.invitation_accepted", member=member.id)
                return door.enter(member, None)
        page = render_template(
            "admin/join.html", form=form, wrong=wrong, name=name, shortest=SHORTEST, expires=invited.expires
        )
        return page, 422 if wrong else 200
