"""The form of a broadcast: what is said in each language, to whom, when; counted while one types."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection, Row, func, select
from werkzeug.wrappers import Response

from admin import audit, scope
from admin.figures.tallies import programme
from admin.messaging.complaints import said
from admin.messaging.messages import KINDS
from admin.wording import SPOKEN, Wording, spoken
from gateway.bulk import broadcasts as bulk
from gateway.bulk import hours, placeholders, strays
from gateway.bulk.complaints import Complaint, NotPossible, Wrong
from gateway.bulk.letters import Audience, Texts, count_by_language, worded_in
from gateway.bulk.previews import MOST_PARTS, Plan, cost_of, tidy
from gateway.config import LANGUAGES, Language, Settings
from gateway.menus.phrases import Phrase, Words
from gateway.models.broadcasts import Stage
from gateway.models.contacts import Role, contacts, group_members, groups
from gateway.models.messages import Kind
from gateway.models.store import Store

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
        lines["once"] = lines["once"] or secrets.token_hex(8)
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

    def audience(self, choice: Choice) -> Audience:
        """Who was ticked. What has gone since then is passed over."""
        return Audience(
            tuple(int(one) for one in self.groups if one in choice.groups),
            tuple(one for one in self.communes if one in choice.communes),
        )

    def plan(self, settings: Settings, choice: Choice) -> tuple[Plan, list[Complaint]]:
        """What it says, and what of it cannot even be kept."""
        complaints, times = [], dict[str, datetime | None]()
        for name, text in (("start", self.start), ("expires", self.expires)):
            try:
                times[name] = hours.written(text, settings.zone) if text else None
            except ValueError:
                complaints.append(Complaint(Wrong.NO_TIME, {"example": "2026-12-01 09:00"}, name))
        kind = Kind(self.kind) if self.kind in bulk.CHOSEN else Kind.ANNOUNCEMENT
        title = " ".join(self.title.split())
        return Plan(kind, title, tidy(self.texts), self.audience(choice), **times), complaints


@dataclass(frozen=True)
class Choice:
    """Who may be ticked: groups and communes, with how many are in each."""

    groups: Mapping[str, Phrase]
    communes: Mapping[str, Phrase]


def choice(db: Connection) -> Choice:
    """What there is to tick."""
    members = select(groups.c.id, groups.c.name, func.count(group_members.c.contact_id).label("n")).outerjoin(
        group_members, group_members.c.group_id == groups.c.id
    )
    people = select(contacts.c.commune, func.count()).where(contacts.c.role == Role.PERSON).group_by(contacts.c.commune)
    counts = {row[0]: row[1] for row in db.execute(people)}
    in_order, seen = members.group_by(groups.c.id, groups.c.name).order_by(groups.c.name), scope.groups_seen(db)
    rows = [row for row in db.execute(in_order) if seen is None or row.id in seen]
    return Choice(
        {str(row.id): _("{name} ({n})", name=row.name, n=str(row.n)) for row in rows},
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


def found(db: Connection, broadcast: int) -> Row[Any]:
    """A broadcast that is there."""
    return (bulk.find(db, broadcast) if broadcast <= LAST_ID else None) or abort(404)


def is_own(row: Row[Any]) -> bool:
    """Whether its words are changed here: what a forum or a poll says is changed there.

    What asks about a promise was written by the clock, and staff mend it.
    """
    return row.kind in (*bulk.CHOSEN, Kind.CHECK) and row.forum is None and row.poll is None


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/broadcasts/new`, `/admin/broadcasts/<id>/edit`, `…/cheaper` and `…/copy`, `/admin/broadcasts/count`."""

    def page(db: Connection, form: Form, row: Row[Any] | None = None, complaints: list[Complaint] | None = None) -> str:
        wording = Wording(spoken(current_user.member.language, settings.default_language), settings.zone)
        chosen = choice(db)
        return render_template(
            "admin/broadcast_form.html", form=form, row=row, groups=chosen.groups.items(),
            errors={one.about: said(one, wording) for one in complaints or []}, communes=chosen.communes.items(),
            told=bool(row and bulk.plan_of(row).audience.told),
            kinds=[(str(one), KINDS[one]) for one in ([Kind.CHECK] if _asks(row) else bulk.CHOSEN)],
            default=settings.default_language,
            known=[f"{{{name}}}" for name in placeholders.KNOWN], **_counted(db, settings, form),
        )  # fmt: skip

    @panel.get("/broadcasts/new", endpoint="broadcasts_new")
    def empty() -> str:
        with store.read() as db:
            return page(db, Form())

    @panel.post("/broadcasts/new", endpoint="broadcasts_made")
    def filled() -> Response | tuple[str, int]:
        form = Form.sent()
        with store.write() as db:
            plan, complaints = form.plan(settings, choice(db))
            if not complaints:
                made, complaints = _keep_new(db, settings, plan, form.once, now())
            if complaints:
                return page(db, form, complaints=complaints), 422
        audit.tell(name=plan.title)
        return redirect(url_for("admin.broadcasts_one", broadcast=made))

    @panel.get("/broadcasts/<int:broadcast>/edit", endpoint="broadcasts_edit")
    def edit(broadcast: int) -> str | Response:
        with store.read() as db:
            row = own(db, broadcast)
            if row.stage in (Stage.DRAFT, Stage.WAITING):
                return page(db, Form.of(row, settings), row)
        return redirect(url_for("admin.broadcasts_one", broadcast=broadcast))

    @panel.post("/broadcasts/<int:broadcast>/edit", endpoint="broadcasts_edited")
    def edited(broadcast: int) -> Response | tuple[str, int]:
        form = Form.sent()
        with store.write() as db:
            row = own(db, broadcast)
            plan, complaints = form.plan(settings, choice(db))
            plan = _as_promised(row, plan)
            twice = row.editor == current_user.member.id and bulk.plan_of(row) == plan  # a second click
            if not complaints and not twice:
                complaints = _change(db, settings, broadcast, plan, version(), now())
                form.seen = row.changed.isoformat()  # whoever is told of another's change may save again
            if complaints:
                return page(db, form, row, complaints), 422
        if plan.title != row.title:
            audit.tell(before=row.title, after=plan.title)
        return redirect(url_for("admin.broadcasts_one", broadcast=broadcast))

    @panel.post("/broadcasts/<int:broadcast>/cheaper", endpoint="broadcasts_cheaper")
    def cheaper(broadcast: int) -> Response:
        wish = request.form.get("language")
        with store.write() as db:
            plan = bulk.plan_of(own(db, broadcast))
            said = {one: strays.cost(text).cheaper or text for one, text in plan.texts.items() if one == wish}
            if _change(db, settings, broadcast, replace(plan, texts={**plan.texts, **said}), version(), now()):
                flash(_("Somebody changed this meanwhile. Look at it again before you go on.").msgid)
                audit.refused()
        return redirect(url_for("admin.broadcasts_one", broadcast=broadcast))

    @panel.post("/broadcasts/<int:broadcast>/copy", endpoint="broadcasts_copy")
    def copy(broadcast: int) -> Response:
        with store.write() as db:
            row = own(db, broadcast)
            # a copy of what asks about a promise does not ask: no answer to it would be counted
            kind = Kind.ANNOUNCEMENT if _asks(row) else Kind(row.kind)
            plan = replace(bulk.plan_of(row), kind=kind, start=None, expires=None)
            made, _complaints = _keep_new(db, settings, plan, secrets.token_hex(8), now())
        return redirect(url_for("admin.broadcasts_edit", broadcast=made))

    @panel.post("/broadcasts/count", endpoint="broadcasts_count")
    def count() -> str:
        with store.read() as db:
            return render_template("admin/broadcast_count.html", **_counted(db, settings, Form.sent()))

    def own(db: Connection, broadcast: int) -> Row[Any]:
        row = found(db, broadcast)
        return row if is_own(row) else abort(404)


def _as_promised(row: Row[Any], plan: Plan) -> Plan:
    """A plan with what no form shows, and none loses: who was told of the forum, that it asks about a promise."""
    kind = Kind.CHECK if _asks(row) else plan.kind
    return replace(plan, kind=kind, audience=replace(plan.audience, told=bulk.plan_of(row).audience.told))


def _asks(row: Row[Any] | None) -> bool:
    """Whether it asks about a promise."""
    return row is not None and row.kind == Kind.CHECK


def counted(db: Connection, settings: Settings, texts: Texts, audience: Audience) -> dict[str, Any]:
    """What each text costs, as an example recipient gets it, and how many get it: what a page counts with."""
    people = count_by_language(db, audience, settings) if audience != Audience() else {}
    counts: dict[Language, tuple[strays.Cost, int]] = {
        language: (
            cost_of(language, text),
            sum(count for theirs, count in people.items() if worded_in(texts, theirs, settings) == language),
        )
        for language, text in texts.items()
    }
    return {"counts": counts, "words": SPOKEN, "most": MOST_PARTS, "price": settings.price_per_segment}


def _counted(db: Connection, settings: Settings, form: Form) -> dict[str, Any]:
    return counted(db, settings, tidy(form.texts), form.audience(choice(db)))


def _keep_new(db: Connection, settings: Settings, plan: Plan, once: str, now: datetime) -> tuple[int, list[Complaint]]:
    """A new draft, made once however often its form is sent; what was changed in between is kept, too."""
    made = bulk.draft(
        db, kind=plan.kind, title=plan.title, texts=plan.texts, audience=plan.audience,
        author=current_user.member.id, start=plan.start, expires=plan.expires, key=f"form {once}", now=now,
    )  # fmt: skip
    row = found(db, made)
    return made, [] if bulk.plan_of(row) == plan else _change(db, settings, made, plan, row.changed, now)


def _change(
    db: Connection, settings: Settings, broadcast: int, plan: Plan, seen: datetime | None, now: datetime
) -> list[Complaint]:
    try:
        bulk.edit(db, settings, broadcast, plan, current_user.member.id, now, seen)
    except NotPossible as problem:
        return list(problem.complaints)
    return []
