"""Two people who edit one thing: the second is told, and does not overwrite unseen what the first wrote.

A form carries a digest of what stood there when it was shown (`forms.html`, `version`). Who saves over something else
is shown what is there now; what was typed stays, and saving once more overwrites it knowingly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from flask import request
from sqlalchemy import Connection, Table, select

from gateway.menus.phrases import Name, Phrase, Words

_ = Words
Choices = Mapping[str, Mapping[Any, Phrase]]
"""What the values of fields stand for, by field."""

FIELD = "version"
MEANWHILE = _(
    "Somebody else changed this meanwhile. What is there now stands below the fields; save again to replace it."
)
NOTHING = _("(nothing)")


def digest(shown: Mapping[str, Any]) -> str:
    """The digest of what stands in the fields of a form."""
    text = json.dumps({name: _plain(value) for name, value in shown.items()}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def hold(db: Connection, table: Table, key: Any) -> None:
    """Of two who save at once the second waits here, and then finds what the first wrote."""
    column = next(iter(table.primary_key.columns))
    db.execute(select(column).where(column == key).with_for_update())


def meanwhile(now: Mapping[str, Any], typed: Mapping[str, Any], choices: Choices | None = None) -> dict[str, Phrase]:
    """What somebody else changed since the form was shown, by field; {} where nobody did, or to what was typed.

    `now`: what stands there, as the form would show it.
    """
    seen = request.form.get(FIELD)
    differ = [name for name, value in now.items() if name in typed and _plain(typed[name]) != _plain(value)]
    if seen is None or seen == digest(now) or not differ:
        return {}
    errors: dict[str, Phrase] = {FIELD: MEANWHILE}
    for name in differ:
        errors[name] = _("There now: {value}", value=_called(now[name], (choices or {}).get(name, {})))
    return errors


def _called(value: Any, names: Mapping[Any, Phrase]) -> Phrase:
    if not isinstance(value, str):
        called = [names.get(str(one), str(one)) for one in value]
        each = (", ".join(_in(one, language) for one in called) for language in ("km", "latn", "en"))
        return Name(*each) if called else NOTHING
    return names.get(value, value) or NOTHING


def _in(phrase: Phrase, language: str) -> str:
    return str(getattr(phrase, language)) if isinstance(phrase, Name) else str(phrase)


def _plain(value: Any) -> Any:
    """As a form sends it: lines without the blanks at their ends; of ticks, their order does not matter."""
    if value is None:
        return ""
    if isinstance(value, str):
        return " ".join(value.split())
    return sorted(str(one) for one in value)
