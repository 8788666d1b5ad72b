"""The driver of the menus: plays a flow, takes digits, pages, goes back, repeats what was not understood.

A flow is a generator: it yields questions (`Choose`), effects and `Feed`, receives the value chosen, and returns
an `End`. It does no I/O and knows no clock, so the values chosen so far, the transcript, are the whole state:
a talk is taken up again by replaying them (DESIGN.md, Menus are conversations written as generators).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from gateway.config import Language
from gateway.menus.effects import Effect, Speak
from gateway.menus.phrases import Phrase, Words
from gateway.menus.screens import BACK, MORE, Choose, Page
from gateway.menus.wording import render
from gateway.text import Limit, fits, plain, western_digits

_ = Words


@dataclass(frozen=True)
class End:
    """The last screen. `shorter` is said where the text does not fit the channel."""

    text: Phrase
    shorter: Phrase | None = None


@dataclass(frozen=True)
class Feed:
    """Answers that were given beforehand, to be used for the next questions as far as they fit.

    `values` are values of options (a dropped talk taken up again), `digits` are keys (a path dialled at once).
    """

    values: tuple[str, ...] = ()
    digits: tuple[str, ...] = ()


Flow = Generator[Choose | Effect | Feed, str | None, End]


@dataclass(frozen=True)
class Screen:
    """What the caller sees; `ends` when the session closes with it."""

    text: str
    ends: bool


class Talk:
    """One conversation being played."""

    def __init__(
        self,
        flow: Callable[[], Flow],
        language: Language,
        limit: Limit,
        taken_up: Sequence[str] | None = None,
        page: int = 0,
    ) -> None:
        """Begins a flow, or takes it up where a transcript left it; that is cut where it no longer fits."""
        self._flow = flow
        self._first_language = language
        self._limit = limit
        self.transcript: list[str] = list(taken_up or ())
        self.effects: list[Effect] = []
        self._end: End | None = None
        self._notice: Words | None = None
        self._waiting: list[tuple[str, bool]] = []
        self._pages: list[Page] = []  # stays so where a flow ends before it asks
        self._replay(fresh=taken_up is None)
        self.page = page if page < len(self._pages) else 0

    # what the caller sees -------------------------------------------------------------------------

    @property
    def screen(self) -> Screen:
        """The screen as it stands."""
        if self._end is not None:
            text = plain(render(self._end.text, self.language))
            if self._end.shorter is not None and not fits(text, self._limit):
                text = plain(render(self._end.shorter, self.language))
            return Screen(text, True)
        page = self._pages[self.page]
        if self._notice:
            noticed = f"{plain(render(self._notice, self.language))}\n{page.text}"
            if fits(noticed, self._limit):
                return Screen(noticed, False)
        return Screen(page.text, False)

    @property
    def ended(self) -> bool:
        """Whether nothing more is asked."""
        return self._end is not None

    # what the caller does -------------------------------------------------------------------------

    def feed(self, raw: str) -> None:
        """One input of the caller. Its effects are added to `effects`."""
        if self._end is not None:
            return
        self._notice = None
        key = western_digits(raw.strip())
        if key == BACK:
            self._back()
        elif key == MORE and len(self._pages) > 1:
            self.page = (self.page + 1) % len(self._pages)
        elif (value := self._pages[self.page].keys.get(key)) is not None:
            self._choose(value)
        else:
            self._notice = self._what_to_do()

    # inside ---------------------------------------------------------------------------------------

    @property
    def _leaves(self) -> bool:
        """Whether `0` leaves: there is nothing to go back to."""
        return not self.transcript or self._question.leaves

    def _back(self) -> None:
        if self.page:
            self.page -= 1
        elif not self._leaves:
            self.transcript.pop()
            self._replay(fresh=False)
        else:
            self._end = End(_("Goodbye."))

    def _choose(self, value: str) -> None:
        self.transcript.append(value)
        self._advance(value, live=True)

    def _replay(self, *, fresh: bool) -> None:
        """Plays the transcript from the beginning; only a fresh start has effects and takes what was given before."""
        values, self.transcript = self.transcript, []
        self.language: Language = self._first_language
        self._running = self._flow()
        self._end, self._notice, self._waiting = None, None, []
        self._advance(None, live=fresh)
        for value in values:
            if self._end is not None or value not in {option.value for option in self._question.options}:
                break
            self.transcript.append(value)
            self._advance(value, live=False)

    def _advance(self, value: str | None, live: bool) -> None:
        """Runs the flow to its next question or its end."""
        while True:
            try:
                item = self._running.send(value)
            except StopIteration as stop:
                self._end = stop.value
                return
            value = None
            if isinstance(item, Choose):
                self._show(item)
                value = self._beforehand()
                if value is None:
                    return
                self.transcript.append(value)
            elif isinstance(item, Feed):
                if live:
                    self._waiting = [(v, True) for v in item.values] + [(d, False) for d in item.digits]
            else:
                if isinstance(item, Speak):
                    self.language = item.language
                if live:
                    self.effects.append(item)

    def _show(self, question: Choose) -> None:
        self._question = question
        self.page = 0
        self._pages = question.pages(self.language, self._limit, self._leaves)

    def _beforehand(self) -> str | None:
        """The answer that was given beforehand to the question just shown, if it fits; else the rest is dropped."""
        if not self._waiting:
            return None
        given, is_value = self._waiting.pop(0)
        if is_value:
            answer = given if given in {option.value for option in self._question.options} else None
        else:
            key = western_digits(given.strip())
            answer = next((page.keys[key] for page in self._pages if key in page.keys), None)
        if answer is None:
            self._waiting = []
            self._notice = None if is_value else self._what_to_do()
        return answer

    def _what_to_do(self) -> Words:
        keys = [key for key in self._pages[self.page].keys if len(key) == 1]
        if not keys:
            return _("Reply 0 or 9.") if len(self._pages) > 1 else _("Reply 0.")
        if len(keys) > 1 and [int(key) for key in keys] == list(range(int(keys[0]), int(keys[-1]) + 1)):
            return _("Reply with one number, {first} to {last}.", first=keys[0], last=keys[-1])
        return _("Reply with one of the numbers.")
