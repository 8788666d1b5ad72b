"""What the stub did, in numbers and in lines: no number of a phone stands in it unless asked for."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

COUNTS: dict[str, str] = {
    "accepted": "messages taken",
    "refused": "refused for good: wrong credentials, fields or numbers",
    "failed": "refused for now, as --fail asks",
    "throttled": "refused for now, as --throttle asks",
    "dropped": "of those taken: without an answer, as --drop-reply asks",
    "errored": "of those taken: answered with a 500, as --error-after asks",
    "dripped": "of those taken: answered byte by byte, as --drip asks",
    "duplicate_ids": "of those taken: the gateway's id was taken before",
    "duplicate_texts": "of those taken: the same text went to the same number before",
    "receipts_sent": "receipts that the gateway took",
    "receipts_repeated": "of those and of the failed: attempts after the first",
    "receipts_failed": "receipts that it did not take",
    "receipts_waiting": "receipts still to be sent",
    "inbound": "SMS and USSD steps played by /_phone",
}
"""What is counted, and what it means."""


class Ledger:
    """Counts, and a JSON line for each message taken."""

    def __init__(self, log: Path | None = None, show_numbers: bool = False) -> None:
        """Raises OSError when the file cannot be written."""
        self.counts: Counter[str] = Counter()
        self.lines: list[str] = []
        self._file = log.open("a", buffering=1, encoding="utf-8") if log else None
        self._show = show_numbers
        self._key = secrets.token_bytes(16)  # with a known one, all numbers could be tried
        self._seen: dict[tuple[str, str], int] = {}

    def take(self, id_: str, ours: str, number: str, text: str, fault: str = "") -> int:
        """Notes a message, and what goes wrong with its answer; returns its running number."""
        self.counts["accepted"] += 1
        n = self.counts["accepted"]
        line: dict[str, object] = {
            "n": n,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "id": id_,
            "ours": ours,
            "number": number if self._show else self._hash(number),
            "length": len(text),
        }
        if fault:
            self.counts[fault] += 1
            line[fault] = True
        for kind, what in (("ids", ours), ("texts", self._hash(f"{number}\0{text}"))):
            if what and (first := self._seen.setdefault((kind, what), n)) != n:
                self.counts[f"duplicate_{kind}"] += 1
                line[f"same_{kind.removesuffix('s')}_as"] = first
        self.lines.append(json.dumps(line))
        if self._file:
            self._file.write(self.lines[-1] + "\n")
        return n

    def summary(self) -> dict[str, int]:
        """All counts."""
        return {name: self.counts[name] for name in COUNTS}

    def close(self) -> None:
        """Closes the file."""
        if self._file:
            self._file.close()

    def _hash(self, what: str) -> str:
        return blake2b(what.encode("utf-8", "replace"), key=self._key, digest_size=8).hexdigest()
