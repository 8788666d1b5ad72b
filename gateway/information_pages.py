"""Information pages for who has a browser: what holds in a commune today, and what holds everywhere. No login."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from flask import Blueprint, Response, abort, request
from sqlalchemy import Connection, select

from gateway.information import pages
from gateway.information.made import Texts, everywhere
from gateway.information.pages import Standing, Wanted
from gateway.menus.phrases import Name
from gateway.models.information import information
from gateway.models.installation import is_demo
from gateway.models.places import communes, places
from gateway.models.store import Store
from gateway.text import fold

MOST = 100
"""Pages of a commune, or communes of a list, that are shown."""


def add_routes(public: Blueprint, store: Store, today: Callable[[], date], page: Callable[..., Response]) -> None:
    """`/information/?q=name`, `/information/<commune>`."""

    @public.get("/information/", endpoint="information")
    def listed() -> Response:
        wanted = request.args.get("q", "").strip()
        with store.read() as db:
            found = _with_pages(db, fold(wanted))
            return page(
                "results_information.html", is_demo(db), at_list=True, wanted=wanted, found=found[:MOST],
                more=len(found) > MOST, shown=_valid(db, "", today()),
            )  # fmt: skip

    @public.get("/information/<commune>", endpoint="information_of")
    def single(commune: str) -> Response:
        with store.read() as db:
            name = dict(_communes(db, commune)).get(commune) or abort(404)
            shown = _valid(db, commune, today()) + _valid(db, "", today())
            return page("results_information.html", is_demo(db), at_list=True, name=name, shown=shown)


def _valid(db: Connection, commune: str, day: date) -> list[tuple[pages.Page, Name, Name, Name]]:
    """Pages that hold, each with title, text and source in the languages."""
    found = pages.listed(db, Wanted(commune=commune, standing=Standing.VALID), day, 0, MOST)
    return [(one, _name(one.title), _name(one.body), _name(everywhere(one.source))) for one in found]


def _name(texts: Texts) -> Name:
    return Name(texts["km"], texts["km-Latn"], texts["en"])


def _communes(db: Connection, code: str | None = None) -> list[tuple[str, Name]]:
    """The communes that take part, or one of them."""
    names = select(communes.c.code, places.c.name_km, places.c.name_en).join(places, places.c.code == communes.c.code)
    those = communes.c.active if code is None else communes.c.active & (communes.c.code == code)
    rows = db.execute(names.where(those).order_by(communes.c.number))
    return [(row.code, Name(row.name_km, row.name_en, row.name_en)) for row in rows]


def _with_pages(db: Connection, wanted: str) -> list[tuple[str, Name]]:
    """The communes that are looked for, by name or code; without a wish those with pages of their own."""
    if wanted:
        return [
            (code, name) for code, name in _communes(db)
            if wanted == code or any(wanted in fold(one) for one in (name.km, name.en))
        ]  # fmt: skip
    own = set(db.scalars(select(information.c.commune).where(~information.c.archived).distinct()))
    return [(code, name) for code, name in _communes(db) if code in own]
