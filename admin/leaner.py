"""Bootstrap's style sheet without what no page of the panel can use: 230 kilobytes become 40, for staff on slow lines.

A rule stays when each class of its selector stands as a word in a template, a script or the code of the panel; where a
template puts a class together (`btn-{{ style }}`), when both parts do.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

_BLOCK = re.compile(r"([^{}]+)\{((?:[^{}]|\{[^{}]*\})*)\}")
_LICENCE = re.compile(r"/\*!.*?\*/", re.DOTALL)
_CLASS = re.compile(r"\.(-?[_a-zA-Z][\w-]*)")
_WORD = re.compile(r"[\w-]+")
SOURCES = (".html", ".js", ".py")


def words(folder: Path) -> frozenset[str]:
    """Every word of the templates, scripts and modules in a folder."""
    files = (path for path in folder.rglob("*") if path.suffix in SOURCES)
    return frozenset(word for path in files for word in _WORD.findall(path.read_text()))


def of(style: str, used: Collection[str]) -> str:
    """What is needed of a style sheet where only these words are used. Its licence stays."""
    licence = _LICENCE.match(style.removeprefix('@charset "UTF-8";'))
    plain = re.sub(r"@charset [^;]+;|/\*.*?\*/", "", style, flags=re.DOTALL)
    return '@charset "UTF-8";' + (licence[0] if licence else "") + "".join(_rules(plain, used))


def _rules(style: str, used: Collection[str]) -> Iterator[str]:
    for head, body in _BLOCK.findall(style):
        if head.startswith(("@media", "@supports")):
            if inner := "".join(_rules(body, used)):
                yield f"{head}{{{inner}}}"
        elif kept := [part for part in _parts(head) if _can_be(part, used)]:
            yield f"{','.join(kept)}{{{body}}}"


def _parts(selector: str) -> list[str]:
    """The selectors between the commas; one within brackets does not part them."""
    return re.split(r",(?![^(]*\))", selector)


def _can_be(selector: str, used: Collection[str]) -> bool:
    """Whether something on a page may match."""
    if selector.startswith("@") or "data-bs-theme" in selector:
        return False  # nothing of ours moves by keyframes, and what is dark the system decides (panel.css)
    positive = re.sub(r":not\([^)]*\)", "", selector)
    return all(_is_used(name, used) for name in _CLASS.findall(positive))


def _is_used(name: str, used: Collection[str]) -> bool:
    if name in used:
        return True
    cuts = (place for place, sign in enumerate(name, 1) if sign == "-")
    return any(name[:cut] in used and name[cut:] in used for cut in cuts)
