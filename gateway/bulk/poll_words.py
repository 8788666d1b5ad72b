"""What a poll says: the question with its answers, the thanks, the result; and what can be wrong with a question."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.bulk.letters import Texts
from gateway.bulk.previews import MOST_PARTS
from gateway.config import LANGUAGES, Language
from gateway.menus.phrases import Name, Phrase, Words
from gateway.menus.wording import render
from gateway.text import SMS, Limit, cut, fits, fold, is_gsm7, plain, segments, size

_ = Words

MOST = 5
"""Answers to choose from: a digit names each, and all are read at a glance."""
LEAST = 2
_THANKS = _("Thank you! Received: {question} Shared phone? Delete this and the SMS you sent.")
_VALID = _("{question} Reply 1-{last}.")
_CUT = ".."


@dataclass(frozen=True)
class Asked:
    """A question and what may be answered, each by language. A language has all of it or nothing."""

    question: Texts
    options: tuple[Texts, ...]

    @property
    def languages(self) -> tuple[Language, ...]:
        """Those it is asked in."""
        return tuple(one for one in LANGUAGES if self.question.get(one))

    @property
    def texts(self) -> Texts:
        """What is sent: the question, and a line an answer."""
        return {one: self._text(one) for one in self.languages}

    def _text(self, language: Language) -> str:
        lines = (f"{number} {option.get(language, '')}" for number, option in enumerate(self.options, 1))
        return "\n".join((self.question[language], *lines))

    @property
    def name(self) -> Name:
        """The question, for a reader of any language."""
        return _name(self.question)

    @property
    def names(self) -> tuple[Name, ...]:
        """The answers, for a reader of any language."""
        return tuple(_name(option) for option in self.options)


@dataclass(frozen=True)
class Result:
    """The figures of a poll that may be shown: how many phones chose each answer, in the order of the answers."""

    counts: tuple[int, ...]

    @property
    def n(self) -> int:
        """Phones that answered."""
        return sum(self.counts)

    @property
    def percents(self) -> tuple[int, ...]:
        """The shares in whole percent. What some chose is not 0, and what not all chose is not 100."""
        return tuple(count and min(99, max(1, round(100 * count / self.n))) for count in self.counts)

    @property
    def margin(self) -> int:
        """Half the width of the 95 % interval of a share at its widest, in points (10 phones: 31)."""
        return round(98 / math.sqrt(self.n))

    @property
    def leading(self) -> tuple[int, ...]:
        """The places, from 0, of the answer that most chose; of several where they are equal."""
        return tuple(place for place, count in enumerate(self.counts) if count == max(self.counts))


class Fault(enum.StrEnum):
    """What is wrong with a line of a question, or with the whole."""

    NOTHING = "nothing is asked"
    NO_QUESTION = "answers without a question in this language"
    NO_ANSWER = "this answer is there in another language only"
    FEW = "fewer than two answers"
    EQUAL = "the same answer twice"
    BRACE = "a brace: everybody is asked the same"
    LONG = "more parts than any message may have"


Line = tuple[Language, int]
"""Where something stands in a form: the language, and 0 for the question or the answer's number."""


def in_order(lines: Mapping[Line, str]) -> tuple[Asked, dict[Line, Fault]]:
    """What was written into a form as it is asked, and what is wrong with it by the line.

    Answers left empty in all languages are passed over.
    """
    said = {line: " ".join(plain(text.replace("\t", " ").replace("\r", " ")).split()) for line, text in lines.items()}
    used = [number for number in range(1, MOST + 1) if any(said.get((one, number)) for one in LANGUAGES)]
    begun = [one for one in LANGUAGES if any(said.get((one, number)) for number in (0, *used))]
    asked = Asked(_texts(said, begun, 0), tuple(_texts(said, begun, number) for number in used))
    return asked, dict(_faults(said, begun, used, asked)) if begun else {(LANGUAGES[0], 0): Fault.NOTHING}


def _texts(said: Mapping[Line, str], begun: list[Language], number: int) -> Texts:
    return {one: said[one, number] for one in begun if said.get((one, number))}


def _faults(
    said: Mapping[Line, str], begun: list[Language], used: list[int], asked: Asked
) -> Iterator[tuple[Line, Fault]]:
    for one in begun:
        question, seen = said.get((one, 0)), set[str]()
        if not question:
            yield (one, 0), Fault.NO_QUESTION
        elif segments(asked.texts[one]).parts > MOST_PARTS:
            yield (one, 0), Fault.LONG
        for number in (0, *used):
            answer = said.get((one, number), "")
            if {"{", "}"} & set(answer):
                yield (one, number), Fault.BRACE
            elif number and not answer:
                yield (one, number), Fault.NO_ANSWER
            elif number and (fold(answer) or answer) in seen:
                yield (one, number), Fault.EQUAL
            elif number:
                seen.add(fold(answer) or answer)
        if len(used) < LEAST:
            yield (one, len(used) + 1), Fault.FEW


# what villagers read ------------------------------------------------------------------------------


def thanks(asked: Asked) -> Words:
    """For a vote, in one part: they name the question, a long one by its beginning, and never the choice."""
    return _THANKS.given(question=_beside(asked, _THANKS.given(question="")))


def what_to_reply(asked: Asked) -> Words:
    """For what is no vote, in one part as well."""
    last = str(len(asked.options))
    return _VALID.given(question=_beside(asked, _VALID.given(question="", last=last)), last=last)


def _beside(asked: Asked, sentence: Words) -> Name:
    """The question, as much of it as one SMS holds together with a sentence."""
    names: dict[Language, str] = {}
    for language in LANGUAGES:
        names[language] = shortened(render(_name(asked.question), language), render(sentence, language))
    return _name(names)


def sentence(asked: Asked, figures: Result) -> Words:
    """A result: of the answer that most chose, for what the others chose may be few."""
    answers = [asked.options[place] for place in figures.leading]
    names = {language: " / ".join(render(_name(one), language) for one in answers) for language in LANGUAGES}
    values: dict[str, Phrase] = {
        "question": _name(asked.question),
        "percent": str(figures.percents[figures.leading[0]]),
        "n": str(figures.n),
        "answer": _name(names),
        "margin": str(figures.margin),
    }
    if len(answers) > 1:
        return _("{question} {percent}% each of {n} answers: {answer} (+-{margin} points)", **values)
    return _("{question} {percent}% of {n} answers: {answer} (+-{margin} points)", **values)


def shortened(text: str, around: str) -> str:
    """As much of a text as fits one SMS together with what stands around it."""
    if fits(text + around, SMS):
        return text
    room = SMS.septets if is_gsm7(text + around) else SMS.units
    left = max(1, room - size(around) - len(_CUT))
    return cut(text, Limit(left, left))[0] + _CUT


def _name(texts: Texts) -> Name:
    """Texts for a reader of any language: where there is none in theirs, the first there is."""
    first = next(iter(texts.values()))
    return Name(*(texts.get(language) or first for language in LANGUAGES))
