"""A file that was brought, on its way in: it is kept sealed until the yes, for an hour (models/uploads.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from flask import flash, redirect, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin import audit
from gateway.menus.phrases import Words
from gateway.models.store import Store
from gateway.models.uploads import Upload, drop_upload, find_upload, keep
from gateway.privacy import Keys

_ = Words


class Shelf:
    """The files of one kind that wait. Its pages are `admin.<page>_import`, `_look` and those beside them."""

    def __init__(self, store: Store, keys: Keys, now: Callable[[], datetime], page: str, mark: str) -> None:
        """`mark`: what is said of each file of this kind, and of no other."""
        self._store, self._keys, self._now, self._page, self._mark = store, keys, now, page, mark

    def keep(self, name: str, said: Mapping[str, str], text: str) -> Response:
        """Keeps a file that can be read; leads to the look at it."""
        with self._store.write() as db:
            kept = keep(db, self._keys, current_user.member.id, name, said, text, self._now())
        audit.tell(name=name)
        return redirect(url_for(f"admin.{self._page}_look", upload=kept))

    def mine(self, upload: str) -> Upload | None:
        """A file of this kind that whoever is logged in brought within the hour."""
        with self._store.read() as db:
            found = find_upload(db, self._keys, upload, current_user.member.id, self._now())
        return found if found and self._mark in found.said else None

    def too_late(self) -> Response:
        """What is said when it waits no more."""
        audit.refused()
        flash(_("This file was taken in already, or waited too long. Choose it again if it is not in yet.").msgid)
        return redirect(url_for(f"admin.{self._page}_import"))

    def drop(self, upload: str) -> Response:
        """It is not to be taken in."""
        if self.mine(upload):
            with self._store.write() as db:
                drop_upload(db, upload)
        flash(_("The file was not taken in.").msgid)
        return redirect(url_for(f"admin.{self._page}_import"))
