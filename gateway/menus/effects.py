"""What a flow wants done, as data. `conversation` does it, in one transaction with the conversation's row."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.config import Language


@dataclass(frozen=True)
class Speak:
    """From now on this language, now and at the next call."""

    language: Language


@dataclass(frozen=True)
class Join:
    """The caller belongs to this commune."""

    commune: str


@dataclass(frozen=True)
class Save:
    """A score from 1 to 5 for a service of a commune, in the round that is open there.

    With an `indicator` it answers that extra question about the service, and `who` is told by then.
    """

    round_id: int
    commune: str
    service: str
    score: int
    indicator: str | None = None
    who: str | None = None


@dataclass(frozen=True)
class Check:
    """What a villager says of a promise: 1 it was done, 2 partly, 3 not, 4 they do not know.

    `check` is that question, while it is asked; `who` is told where one was told before in this talk.
    """

    check: int
    choice: int
    who: str | None = None


@dataclass(frozen=True)
class Identify:
    """Who gave the answers of this talk: sex and age band, or `unsaid`."""

    round_id: int | None
    """None where the flow rates nothing."""
    who: str
    checks: tuple[int, ...] = ()
    """Those that the talk answered: `stored` knows them."""


@dataclass(frozen=True)
class Discard:
    """All answers given in this talk are removed: whoever gave them is under 15."""

    round_id: int | None
    services: tuple[str, ...]
    checks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Withdraw:
    """All ratings of this number in the open rounds are removed."""


@dataclass(frozen=True)
class Attend:
    """So many come to a forum, 1 to 8, or nobody, 0. A later answer takes its place."""

    forum: int
    revision: int
    """Of what the caller was told: an answer to a time or place that is no longer so is not kept."""
    heads: int


@dataclass(frozen=True)
class Subscribe:
    """From now on this number gets news of a commune's forums by SMS."""

    commune: str


@dataclass(frozen=True)
class Unsubscribe:
    """This number gets no more news of forums."""


@dataclass(frozen=True)
class Read:
    """An information page was shown; it is counted, and nobody who read it."""

    page: int


@dataclass(frozen=True)
class Respondent:
    """One whom a volunteer asks, in the round that is open in the volunteer's commune."""

    name: str
    """Theirs alone: of the talk and their place in it, and no part of a number."""
    volunteer: int
    round_id: int
    commune: str


@dataclass(frozen=True)
class Record:
    """A score from 1 to 5 that a respondent gives a service."""

    respondent: Respondent
    service: str
    score: int


@dataclass(frozen=True)
class Describe:
    """Who a respondent is: sex and age band, or `unsaid`."""

    respondent: Respondent
    who: str


@dataclass(frozen=True)
class Drop:
    """Nothing of a respondent is kept: they are under 15."""

    respondent: Respondent


Effect = (
    Speak | Join | Save | Check | Identify | Discard | Withdraw | Attend | Subscribe | Unsubscribe | Read
    | Record | Describe | Drop
)  # fmt: skip
