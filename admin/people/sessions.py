"""Logins that end: after an hour without use, after half a day in any case, with a changed password, by a button.

The cookie holds a secret and what belongs to this browser; who is logged in with it stands in the database
(`gateway.models.staff_sessions`), so that a login can be ended from elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta

from flask import Flask, flash, request, session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

from gateway.menus.phrases import Words
from gateway.models import staff_sessions
from gateway.models.staff import Member, find_member, note_login
from gateway.models.staff_sessions import MARK, Sitting
from gateway.models.store import Store
from gateway.privacy import Keys

_ = Words

HALF = timedelta(minutes=5)
"""So long a right password waits for its code."""
_SECRET, _LANGUAGE, _HALF, _LEFT, _FORM, _TOKEN = "_user_id", "lang", "half", "left", "form", "csrf_token"


class Account(UserMixin):  # type: ignore[misc]
    """A member in this browser, as Flask-Login knows one."""

    def __init__(self, secret: str, sitting: Sitting) -> None:
        self.secret = secret
        self.sitting = sitting
        self.member = sitting.member

    def get_id(self) -> str:
        """What the cookie holds."""
        return self.secret


class Sessions:
    """Who is logged in. `current_user` of Flask-Login is the Account, or nobody."""

    def __init__(self, app: Flask, store: Store, keys: Keys, now: Callable[[], datetime]) -> None:
        self._store = store
        self._keys = keys
        self._now = now
        # how long a cookie's signature is good: a form that was left open overnight still tells whose it was
        app.config["PERMANENT_SESSION_LIFETIME"] = staff_sessions.KEPT
        manager = LoginManager()
        manager.session_protection = None  # a phone's address changes with its network
        manager.user_loader(self._load)
        # not init_app: it would read the cookie of every webhook and style sheet, for a "remember me" we do not have
        app.login_manager = manager  # type: ignore[attr-defined]

    def begin(self, member: Member) -> None:
        """Logs a member in, with nothing left of what the cookie held before.

        But for who was logged out while writing, and comes back: their forms are still good.
        """
        came_back = session.get(_LEFT) == member.id
        kept = {name: session[name] for name in (_TOKEN, _FORM) if came_back and name in session}
        session.clear()
        session.update(kept)
        with self._store.write() as db:
            note_login(db, member.id, self._now())
        self._enter(member.id)

    def renew(self, member: Member) -> None:
        """Keeps the login of a member whose password changed; their other logins have ended."""
        self._enter(member.id)

    def touch(self) -> None:
        """Notes that the login is in use."""
        if self._now() - current_user.sitting.seen >= MARK:
            with self._store.write() as db:
                staff_sessions.touch(db, current_user.sitting, self._now())
        if session.get(_LANGUAGE) != current_user.member.language:
            session[_LANGUAGE] = current_user.member.language

    def end(self) -> None:
        """Logs out; only the language stays, so that the login page is in the one just read."""
        with self._store.write() as db:
            staff_sessions.end(db, current_user.sitting)
        self._leave()

    @property
    def last_language(self) -> str | None:
        """The language last read in this browser."""
        return session.get(_LANGUAGE)

    # a right password, and no code yet ----------------------------------------------------------

    def begin_half(self, member: Member) -> None:
        """Notes that somebody knew the password; it opens nothing but the page that asks for the code."""
        session[_HALF] = [member.id, _mark(member), int(self._now().timestamp())]

    def half(self) -> Member | None:
        """Who knew the password, not long ago."""
        member_id, mark, since = session.get(_HALF) or (0, "", 0)
        if not 0 <= self._now().timestamp() - since < HALF.total_seconds():
            session.pop(_HALF, None)
            return None
        with self._store.read() as db:
            member = find_member(db, member_id)
        return member if member and _mark(member) == mark else None

    # a login that ended by itself ---------------------------------------------------------------

    def left(self) -> int | None:
        """Whose login in this browser has ended by itself. None: nobody's, or somebody ended it."""
        if _SECRET not in session:
            return session.get(_LEFT)
        with self._store.read() as db:
            return staff_sessions.whose(db, self._keys, session[_SECRET])

    def tell_if_expired(self, form: str | None = None) -> None:
        """Where a login has just ended by itself: forgets it, and says so on the next page.

        For the same member the forms that stand open in this browser stay good, and `form` is given back.
        """
        if _SECRET in session:
            kept = {_LEFT: self.left(), _TOKEN: session.get(_TOKEN)}
            self._leave()
            session.update({name: value for name, value in kept.items() if kept[_LEFT] and value})
            if not form:
                flash(_("You were logged out, for safety. Please log in again.").msgid)
        if form:
            session[_FORM] = form
            flash(_("You were logged out while you were writing. It is kept for an hour: log in, then send it.").msgid)

    def take_form(self) -> str | None:
        """The form that was kept for who has just logged in, told once."""
        form: str | None = session.pop(_FORM, None)
        return form

    def _enter(self, member_id: int) -> None:
        now = self._now()
        with self._store.write() as db:
            secret = staff_sessions.begin(db, self._keys, member_id, browser_name(request.user_agent.string), now)
            sitting = staff_sessions.find(db, self._keys, secret, now)
        assert sitting is not None  # in one transaction
        login_user(Account(secret, sitting))

    def _leave(self) -> None:
        language = self.last_language
        logout_user()
        session.clear()
        if language:
            session[_LANGUAGE] = language

    def _load(self, secret: str) -> Account | None:
        with self._store.read() as db:
            sitting = staff_sessions.find(db, self._keys, secret, self._now())
        return Account(secret, sitting) if sitting else None


def browser_name(agent: str) -> str:
    """What people call their browser, from its header: `Chrome, Android`. Empty where it says nothing known."""
    names = [next((name for sign, name in signs if re.search(sign, agent)), "") for signs in (_BROWSERS, _SYSTEMS)]
    return ", ".join(name for name in names if name)


def _mark(member: Member) -> str:
    """With another password, what was begun with the one before has ended."""
    return hashlib.sha256(member.password.encode()).hexdigest()[:16]


_BROWSERS = (
    (r"Edg", "Edge"), (r"OPR/|Opera", "Opera"), (r"SamsungBrowser", "Samsung Internet"), (r"UC ?Browser", "UC Browser"),
    (r"Firefox|FxiOS", "Firefox"), (r"Chrome|CriOS|Chromium", "Chrome"), (r"Safari", "Safari"),
)  # fmt: skip
"""The first that fits: most say that they are Chrome and Safari, too."""
_SYSTEMS = (
    (r"Android", "Android"), (r"iPhone|iPad", "iPhone"), (r"Windows", "Windows"), (r"CrOS", "ChromeOS"),
    (r"Macintosh", "Mac"), (r"Linux", "Linux"),
)  # fmt: skip
