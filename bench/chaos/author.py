"""`python author.py BEGIN EVERY GROUP ...`: writes a letter to each group when its time has come, as a clock does.

Two of them write at the same instants, under the same keys: each letter must exist once. One that is killed and
started again begins with the first letter, and finds those that are there.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import DBAPIError

from gateway import config
from gateway.bulk.letters import Audience, Letter, recipients_of, write_letter
from gateway.models.messages import Kind
from gateway.models.store import Store

TEXTS: dict[config.Language, str] = {"en": "RCEDO: Ta Phou forum on services, Wed 12/03 8:30, commune hall."}


def main() -> None:
    """Writes the letters, each at its time."""
    begin, every, *groups = (float(word) for word in sys.argv[1:])
    settings = config.load()
    store = Store(settings.database)
    for n, group in enumerate(map(int, groups)):
        time.sleep(max(begin + n * every - time.time(), 0))
        try:
            now = datetime.now(UTC)
            letter = Letter(Kind.ANNOUNCEMENT, "chaos", TEXTS, now, now + timedelta(hours=6), f"chaos {group}")
            with store.write() as db:
                people = recipients_of(db, Audience(groups=(group,)), settings)
                wrote = write_letter(db, settings, letter, people, now) is not None
        except DBAPIError as error:
            sys.exit(f"letter {group}: {type(error).__name__}")
        print(f"letter {group}: {'written' if wrote else 'was there'}", flush=True)


if __name__ == "__main__":
    main()
