"""The form of a broadcast: what is said in each language, to whom, when; counted while one types."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection, Row, func, select
from werkzeug.wrappers import Response

from admin.complaints import said
from admin.messages import KINDS
from admin.tallies import programme
from admin.wording import SPOKEN, Wording, spoken
from gateway import broadcasts as bulk
from gateway import hours, placeholders, strays
from gateway.complaints import Complaint, NotPossible, Wrong
from gateway.config import LANGUAGES, Language, Settings
from gateway.letters import Audience, count_by_language, worded_in
from gateway.menus.phrases import Phrase, Words
from gateway.models.broadcasts import Stage
from gateway.models.contacts import Role, contacts, group_members, groups
from gateway.models.messages import Kind
from gateway.models.store import Store
from gateway.previews import MOST_PARTS, Plan, tidy
from gateway.trials import EXAMPLES

_ = Words

LAST_ID = 2**31 - 1


@dataclass
class Form:
    """What stands in the form, as it was typed."""

    title: str = ""
    kind: str = Kind.ANNOUNCEMENT
    texts: Mapping[Language, str] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    communes: list[str] = field(default_factory=list)
    start: str = ""
    expires: str = ""
    seen: str = ""
    """The version that is being changed."""
    once: str = field(default_factory=lambda: secrets.token_hex(8))
    """Of a new one: however often it is sent, it makes one draft."""

    @classmethod
    def sent(cls) -> Form:
        """From the request."""
        given = request.form
        texts = {one: given.get(f"text-{one}", "") for one in LANGUAGES}
        lines = {name: given.get(name, "").strip() for name in ("title", "kind", "start", "expires", "seen", "once")}
        return cls(texts=texts, groups=given.getlist("groups"), communes=given.getlist("communes"), **lines)

    @classmethod
    def of(cls, row: Row[Any], settings: Settings) -> Form:
        """A draft, to be changed."""
        plan = bulk.plan_of(row)
        start, expires = (
            f"{moment.astimezone(settings.zone):%Y-%m-%dT%H:%M}" if moment else ""
            for moment in (plan.start, plan.expires)
        )
        chosen = ([str(group) for group in plan.audience.groups], list(plan.audience.communes))
        return cls(plan.title, plan.kind, plan.texts, *chosen, start, expires, row.changed.isoformat())

    def audience(self) -> Audience:
        """Who was ticked."""
        return Audience(tuple(int(one) for one in self.groups if one.isdecimal()), tuple(self.communes))

    def plan(self, settings: Settings, choice: Choice) -> tuple[Plan, list[Complaint]]:
        """What it says, and what of it cannot even be kept."""
        complaints, times = [], dict[str, datetime | None]()
        for name, text in (("start", self.start), ("expires", self.expires)):
            try:
                times[name] = hours.written(text, settings.zone) if text else None
            except ValueError:
                complaints.append(Complaint(Wrong.NO_TIME, {"example": "2026-12-01 09:00"}, name))
        if self.kind not in bulk.CHOSEN or not choice.has(self.audience()):
            abort(422)
        return Plan(Kind(self.kind), self.title, tidy(self.texts), self.audience(), **times), complaints


@dataclass(frozen=True)
class Choice:
    """Who may be ticked: groups and communes, with how many are in each."""

    groups: Mapping[str, Phrase]
    communes: Mapping[str, Phrase]

    def has(self, audience: Audience) -> bool:
        """Whether all of an audience may be ticked."""
        return {str(group) for group in audience.groups} <= set(self.groups) and set(audience.communes) <= set(
            self.communes
        )


def choice(db: Connection) -> Choice:
    """What there is to tick."""
    members = select(groups.c.id, groups.c.name, func.count(group_members.c.contact_id).label("n")).outerjoin(
        group_members, group_members.c.group_id == groups.c.id
    )
    people = select(contacts.c.commune, func.count()).where(contacts.c.role == Role.PERSON).group_by(contacts.c.commune)
    counts = {row[0]: row[1] for row in db.execute(people)}
    in_order = members.group_by(groups.c.id, groups.c.name).order_by(groups.c.name)
    return Choice(
        {str(row.id): _("{name} ({n})", name=row.name, n=str(row.n)) for row in db.execute(in_order)},
        {one.code: _("{name} ({n})", name=one.name, n=str(counts.get(one.code, 0))) for one in programme(db)},
    )


def named(db: Connection, audience: Audience) -> list[Phrase]:
    """An audience in words."""
    names = {row.id: row.name for row in db.execute(select(groups.c.id, groups.c.name))}
    places = {one.code: one.name for one in programme(db)}
    return [
        *(_("Group {name}", name=names.get(one, "?")) for one in audience.groups),
        *(_("People of {commune} who asked for messages", commune=places.get(one, one)) for one in audience.communes),
        *(_("Councillors of {commune}", commune=places.get(one, one)) for one in audience.councils),
        *(_("Whoever was told of the forum, or replied") for _one in audience.told),
    ]


def version() -> datetime | None:
    """The version of a broadcast that was on the page from which a form came."""
    try:
        return datetime.fromisoformat(request.form.get("seen", ""))
    except ValueError:
        return None


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/broadcasts/new`, `/admin/broadcasts/<id>/edit` and `…/copy`, `/admin/broadcasts/count`."""

    def wording() -> Wording:
        return Wording(spoken(current_user.member.language, settings.default_language), settings.zone)

    def page(db: Connection, form: Form, row: Row[Any] | None = None, complaints: list[Complaint] | None = None) -> str:
        errors = {one.about: said(one, wording()) for one in complaints or []}
        chosen = choice(db)
        return render_template(
            "admin/broadcast_form.html", form=form, row=row, errors=errors, groups=chosen.groups.items(),
            communes=chosen.communes.items(), kinds=[(str(one), KINDS[one]) for one in bulk.CHOSEN], words=SPOKEN,
            known=[f"{{{name}}}" for name in placeholders.KNOWN], counts=counted(db, form), price=settings.price_per_segment,
            default=settings.default_language, most=MOST_PARTS,
        )  # fmt: skip

    def counted(db: Connection, form: Form) -> dict[Language, tuple[strays.Cost, int]]:
        """What each text costs as an example recipient gets it, and how many get it."""
        texts = tidy(form.texts)
        people = count_by_language(db, form.audience(), settings) if form.audience() != Audience() else {}
        return {
            language: (
                strays.cost(placeholders.fill(text, EXAMPLES[language])),
                sum(count for theirs, count in people.items() if worded_in(texts, theirs, settings) == language),
            )
            for language, text in texts.items()
        }

    @panel.get("/broadcasts/new", endpoint="broadcasts_new")
    def empty() -> str:
        with store.read() as db:
            return page(db, Form())

    @panel.post("/broadcasts/new", endpoint="broadcasts_made")
    def filled() -> Response | tuple[str, int]:
        form, member = Form.sent(), current_user.member.id
        with store.write() as db:
            plan, complaints = form.plan(settings, choice(db))
            if complaints:
                return page(db, form, complaints=complaints), 422
            made = bulk.draft(
                db, kind=plan.kind, title=plan.title, texts=plan.texts, audience=plan.audience, author=member,
                start=plan.start, expires=plan.expires, key=f"form {form.once}", now=now(),
            )  # fmt: skip
            row = bulk.find(db, made)
            assert row is not None  # in one transaction
            if bulk.plan_of(row) != plan:  # sent once more from the browser's history, with changes
                try:
                    bulk.edit(db, settings, made, plan, member, now(), row.changed)
                except NotPossible as problem:
                    return page(db, form, complaints=list(problem.complaints)), 422
        return redirect(url_for("admin.broadcasts_one", broadcast=made))

    @panel.get("/broadcasts/<int:broadcast>/edit", endpoint="broadcasts_edit")
    def edit(broadcast: int) -> str | Response:
        with store.read() as db:
            row = own(db, broadcast)
            if row.stage not in (Stage.DRAFT, Stage.WAITING):
                return redirect(url_for("admin.broadcasts_one", broadcast=broadcast))
            return page(db, Form.of(row, settings), row)

    @panel.post("/broadcasts/<int:broadcast>/edit", endpoint="broadcasts_edited")
    def edited(broadcast: int) -> Response | tuple[str, int]:
        form, member = Form.sent(), current_user.member.id
        with store.write() as db:
            row = own(db, broadcast)
            plan, complaints = form.plan(settings, choice(db))
            twice = row.editor == member and bulk.plan_of(row) == plan  # a double click
            if not complaints and not twice:
                try:
                    bulk.edit(db, settings, broadcast, plan, member, now(), version())
                except NotPossible as problem:
                    complaints = list(problem.complaints)
                    form.seen = row.changed.isoformat()  # whoever saves again has been told
            if complaints:
                return page(db, form, row, complaints), 422
        return redirect(url_for("admin.broadcasts_one", broadcast=broadcast))

    @panel.post("/broadcasts/<int:broadcast>/cheaper", endpoint="broadcasts_cheaper")
    def cheaper(broadcast: int) -> Response:
        wish = request.form.get("language")
        with store.write() as db:
            row = own(db, broadcast)
            plan = bulk.plan_of(row)
            texts = {
                language: strays.cost(text).cheaper or text if language == wish else text
                for language, text in plan.texts.items()
            }
            plan = Plan(plan.kind, plan.title, texts, plan.audience, plan.start, plan.expires)
            try:
                bulk.edit(db, settings, broadcast, plan, current_user.member.id, now(), version())
            except NotPossible:
                flash(_("Somebody changed this meanwhile. Look at it again before you go on.").msgid)
        return redirect(url_for("admin.broadcasts_one", broadcast=broadcast))

    @panel.post("/broadcasts/<int:broadcast>/copy", endpoint="broadcasts_copy")
    def copy(broadcast: int) -> Response:
        with store.write() as db:
            row = own(db, broadcast)
            plan = bulk.plan_of(row)
            made = bulk.draft(
                db, kind=plan.kind, title=plan.title, texts=plan.texts, audience=plan.audience,
                author=current_user.member.id, now=now(),
            )  # fmt: skip
        return redirect(url_for("admin.broadcasts_edit", broadcast=made))

    @panel.post("/broadcasts/count", endpoint="broadcasts_count")
    def count() -> str:
        with store.read() as db:
            return render_template(
                "admin/broadcast_count.html", counts=counted(db, Form.sent()), words=SPOKEN, most=MOST_PARTS,
                price=settings.price_per_segment, alone=True,
            )  # fmt: skip

    def own(db: Connection, broadcast: int) -> Row[Any]:
        """One that staff write by themselves."""
        row = bulk.find(db, broadcast) if broadcast <= LAST_ID else None
        if row is None or row.kind not in bulk.CHOSEN or row.forum is not None or row.poll is not None:
            abort(404)
        return row
