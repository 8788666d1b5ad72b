"""What a flow says, before it is put into a language.

A flow yields phrases; the driver renders them in the language the talk has by then, so that a flow
that changes the language need not start again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Name:
    """The name of a place or a service in the three languages."""

    km: str
    latn: str
    en: str


class Words:
    """A sentence of the catalogues with values for its `{placeholders}`. In flows it is called `_`."""

    __slots__ = ("msgid", "values")

    def __init__(self, msgid: str, **values: Phrase) -> None:
        self.msgid = msgid
        self.values: Mapping[str, Phrase] = values

    def given(self, **values: Phrase) -> Words:
        """The same sentence with values: for tables of sentences that wait for theirs."""
        return type(self)(self.msgid, **values)

    def __repr__(self) -> str:
        return f"Words({self.msgid!r})"


Phrase = Words | Name | str
