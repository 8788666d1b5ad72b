"""What a talk has stored so far, ratings and what it said of promises: it is one person's, and told so once.

Who steps back over who they are, and answers once more, may be another who: then what the talk has stored is given to
the number alone again, until a who is told. The conversation's row keeps it, so that it outlives the request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TypeGuard

from gateway.menus.effects import Check, Discard, Effect, Identify, Record, Save
from gateway.models.answers import OVERALL
from gateway.models.conversations import Conversation

SEPARATOR = "\t"
_OF = " "
"""Stands between a service and the question about it that was answered; neither id has a space."""


@dataclass(frozen=True)
class LetGo:
    """Answers of a talk whose who was told belong to the number alone again: another who may follow."""

    round_id: int | None
    """None where nothing of a round is let go."""
    who: str
    pairs: tuple[tuple[str, str], ...]
    """Services, each with the question."""
    checks: tuple[int, ...]


@dataclass
class Stored:
    """What one talk has stored, stepped back from or not."""

    round_id: int | None
    rated: list[str]
    checks: list[int]
    who: str | None
    _rounds: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, row: Conversation) -> Stored:
        """As the conversation's row has it."""
        rated = row.rated.split(SEPARATOR) if row.rated else []
        checks = [int(check) for check in re.findall(r"\d+", row.checks)]
        return cls(row.round_id, rated, checks, row.who, {row.round_id} if row.round_id else set())

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """What was rated: services, each with its question; in a row from before there were extra ones without."""
        each = (one.partition(_OF) for one in self.rated)
        return [(service, indicator or OVERALL) for service, _of, indicator in each]

    def is_given_anew(self, effect: Effect) -> TypeGuard[Save | Check | Identify | Discard]:
        """Whether somebody has stepped back over who they are: an answer without one follows, or another who."""
        if self.who is None:
            return False
        return isinstance(effect, Identify | Discard) or (isinstance(effect, Save | Check) and effect.who is None)

    def let_go(self, anew: Save | Check | Identify | Discard) -> LetGo:
        """What is let go; `anew` is what follows: ratings of another round than its own stay."""
        assert self.who is not None
        here = isinstance(anew, Check) or anew.round_id in (None, self.round_id)
        return LetGo(self.round_id if here else None, self.who, tuple(self.pairs), tuple(self.checks))

    def whole(self, effect: Effect) -> Effect:
        """The effect as it is meant: who one is, and that nothing is kept, is of all that the talk has stored."""
        if isinstance(effect, Identify | Discard):
            effect = replace(effect, round_id=effect.round_id or self.round_id, checks=tuple(self.checks))
        if isinstance(effect, Discard):
            effect = replace(effect, services=tuple(dict(self.pairs)))
        return effect

    def note(self, effect: Effect) -> None:
        """An effect was applied."""
        match effect:
            case Save(round_id, _commune, service, _score, indicator):
                self.rated.append(f"{service}{_OF}{indicator or OVERALL}")
                self._write_to(round_id)
            case Record(respondent):
                self._write_to(respondent.round_id)
            case Check(check):
                self.checks += [check] if check not in self.checks else []
            case Identify(_round, who):
                self.who = who

    def write(self, row: Conversation) -> None:
        """Into the row. Of rounds before the last one: the conversation goes when the first of them closes."""
        row.round_id, row.who = self.round_id, self.who
        row.rounds_before += "".join(f"|{one}|" for one in sorted(self._rounds - {self.round_id}))
        row.rated = SEPARATOR.join(self.rated)
        row.checks = "".join(f"|{check}|" for check in self.checks)

    def _write_to(self, round_id: int) -> None:
        self.round_id = round_id
        self._rounds.add(round_id)
