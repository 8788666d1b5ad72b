"""Logins that end: after an hour without use, after half a day in any case, and with a changed password."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from flask import Flask, flash, session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

from gateway.menus.phrases import Words
from gateway.models.staff import Member, find_member, note_login
from gateway.models.store import Store

_ = Words

IDLE = timedelta(minutes=60)
LONGEST = timedelta(hours=12)
_SINCE, _SEEN, _LANGUAGE = "since", "seen", "lang"


class Account(UserMixin):  # type: ignore[misc]
    """A member as Flask-Login knows one."""

    def __init__(self, member: Member) -> None:
        self.member = member

    def get_id(self) -> str:
        """The member's id and a mark of the password: with another password this login has ended."""
        return f"{self.member.id}.{hashlib.sha256(self.member.password.encode()).hexdigest()[:16]}"


class Sessions:
    """Who is logged in, by a signed cookie. `current_user` of Flask-Login is the Account, or nobody."""

    def __init__(self, app: Flask, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        app.config["PERMANENT_SESSION_LIFETIME"] = LONGEST
        manager = LoginManager()
        manager.session_protection = None  # a phone's address changes with its network
        manager.user_loader(self._load)
        # not init_app: it would read the cookie of every webhook and style sheet, for a "remember me" we do not have
        app.login_manager = manager  # type: ignore[attr-defined]

    def begin(self, member: Member) -> None:
        """Logs a member in, with nothing left of what the cookie held before."""
        with self._store.write() as db:
            note_login(db, member.id, self._now())
        session.clear()
        session[_SINCE] = session[_SEEN] = self._seconds()
        login_user(Account(member))

    def renew(self, member: Member) -> None:
        """Keeps the login of a member whose password changed; their other logins have ended."""
        login_user(Account(member))

    def touch(self) -> None:
        """Notes that the login is in use."""
        session[_SEEN] = self._seconds()
        session[_LANGUAGE] = current_user.member.language

    def end(self) -> None:
        """Logs out; only the language stays, so that the login page is in the one just read."""
        language = self.last_language
        logout_user()
        session.clear()
        if language:
            session[_LANGUAGE] = language

    @property
    def last_language(self) -> str | None:
        """The language last read in this browser."""
        return session.get(_LANGUAGE)

    def tell_if_expired(self) -> None:
        """Where a login has just ended by itself: forgets it, and says so on the next page."""
        if "_user_id" in session:
            self.end()
            flash(_("You were logged out, for safety. Please log in again.").msgid)

    def _load(self, account_id: str) -> Account | None:
        if not alive(session.get(_SINCE, 0), session.get(_SEEN, 0), self._seconds()):
            return None
        with self._store.read() as db:
            member = find_member(db, int(account_id.partition(".")[0]))
        account = Account(member) if member else None
        return account if account and account.get_id() == account_id else None

    def _seconds(self) -> int:
        return int(self._now().timestamp())


def alive(since: int, seen: int, now: int) -> bool:
    """Whether a login of these times (seconds since 1970) still holds."""
    return now - seen < IDLE.total_seconds() and now - since < LONGEST.total_seconds()
