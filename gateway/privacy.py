"""Numbers: keyed hashes, sealing, key files and their destruction; the small-cell rules of figures.

Source: DOMAIN.md, Privacy; DESIGN.md, Ratings and what leaves the programme.
All Cambodian numbers can be hashed in seconds, so a hash protects only while its key is secret
and only for ever once the key is destroyed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import operator
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.config import FLOOR, Settings
from gateway.errors import Told
from gateway.remainders import remainders

KEY_BYTES = 32
HASH_BYTES = 16
_NONCE_BYTES = 12
_SEALING = "sealing-{}.key"
_ROUND = "round-"
_NUMBER = "a number"
_COUNTED = 6
"""Of a cell: five scores, and its numbers."""


class KeyProblem(Told):
    """A key is missing, damaged or readable by others; the message says which and what to do."""


def write_key(path: Path, key: bytes) -> None:
    """A new key file, mode 0600, on disk before this returns. Raises FileExistsError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(base64.b64encode(key).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_key(path: Path) -> bytes:
    """The key in a file. Raises KeyProblem."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(errors="replace")  # a damaged key may be any bytes
    except OSError as error:
        raise KeyProblem(f"{path}: the key cannot be read ({error.strerror})") from None
    if mode & 0o077:
        raise KeyProblem(f"{path}: others can read this key; run: chmod 600 {path}")
    return _decoded(text, str(path))


def _shred(path: Path) -> None:
    """Overwrites and unlinks a key file, so that it is gone from the disk when this returns."""
    try:
        with path.open("r+b") as file:
            file.write(secrets.token_bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    except FileNotFoundError:
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyProblem(f"{where}: no key; it takes {KEY_BYTES} bytes in base64, as `mati init` makes them")
    return key


@dataclass(frozen=True)
class Sealed:
    """A sealed value: the sealing key's number and the ciphertext with its nonce before it."""

    key: int
    data: bytes


class Keys:
    """The keys of one installation.

    The look-up key is derived from the master key and never rotates (opt-outs could not be re-keyed).
    Sealing keys and round keys are files in `KEYS_DIR`.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises KeyProblem when the master key is missing or damaged."""
        self.folder = settings.keys
        self._round_prefix = f"{settings.keys / _ROUND}"
        if settings.mati_master_key:
            master = _decoded(settings.mati_master_key, "MATI_MASTER_KEY")
        else:
            master = read_key(master_path(settings))
        self._lookup = hmac.digest(master, b"mati look-up", "sha256")
        self._master = master
        self._rounds: dict[str, bytes] = {}
        self._sealing: dict[int, AESGCM] = {}
        self._newest = (0, 0)

    def lookup(self, number: str) -> bytes:
        """The key under which a number's language, commune, contact and opt-out are kept (16 bytes)."""
        return hmac.digest(self._lookup, number.encode(), "sha256")[:HASH_BYTES]

    def derived(self, purpose: str) -> str:
        """A secret for another purpose (the panel's cookies), as hex."""
        return hmac.digest(self._master, purpose.encode(), "sha256").hex()

    def fingerprint(self) -> str:
        """What tells this master key from another, and nothing else of it."""
        return self.derived("mati fingerprint")[:16]

    # round keys ---------------------------------------------------------------------------------

    def make_round(self) -> str:
        """Makes the key of a new round and returns its name. The name says nothing and never comes twice."""
        name = secrets.token_hex(8)
        write_key(self._round_path(name), secrets.token_bytes(KEY_BYTES))
        return name

    def destroy_round(self, name: str) -> None:
        """Overwrites and unlinks a round's key; from then on its ratings link to no number. Repeats do no harm."""
        self._rounds.pop(name, None)
        _shred(self._round_path(name))

    def has_round(self, name: str) -> bool:
        """Whether the round's key still exists."""
        return self._round_path(name).exists()

    def rater(self, round_key: str, number: str, who: str | None) -> bytes:
        """The rater: a number and a who (None: not yet told), 16 bytes. Raises KeyProblem when the key is gone."""
        return self._round_hash(round_key, f"rater\0{number}\0{who or ''}")

    def phone(self, round_key: str, number: str) -> bytes:
        """The number within a round, 16 bytes: what thresholds count. Raises KeyProblem when the key is gone."""
        return self._round_hash(round_key, f"phone\0{number}")

    def near(self, round_key: str, number: str) -> bytes:
        """The hundred neighbours that a number is one of, within the round, 16 bytes: bursts are told by it."""
        return self._round_hash(round_key, f"near\0{number[:-2]}")

    def _round_hash(self, name: str, text: str) -> bytes:
        path = f"{self._round_prefix}{name}.key"  # a Path would cost more than the hash
        if not os.path.exists(path):  # another process may have closed the round: its key must not live on here
            self._rounds.pop(name, None)
            raise KeyProblem(f"{path}: the key of this round is missing; restore KEYS_DIR or close the round")
        if name not in self._rounds:
            self._rounds[name] = read_key(Path(path))
        return hmac.digest(self._rounds[name], text.encode(), "sha256")[:HASH_BYTES]

    def _round_path(self, name: str) -> Path:
        return self.folder / f"{_ROUND}{name}.key"

    # sealing ------------------------------------------------------------------------------------

    def add_sealing(self) -> int:
        """A new sealing key; later seals use it. Returns its number."""
        number = max(self.sealing_numbers(), default=0) + 1
        write_key(self._sealing_path(number), secrets.token_bytes(KEY_BYTES))
        return number

    def seal(self, text: str, purpose: str) -> Sealed:
        """Text under the newest sealing key; it opens only with the same purpose. Raises KeyProblem."""
        number = self._newest_sealing()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return Sealed(number, nonce + self._cipher(number).encrypt(nonce, text.encode(), purpose.encode()))

    def open(self, sealed: Sealed, purpose: str) -> str:
        """What was sealed. Raises KeyProblem when its key is gone or it was tampered with."""
        nonce, data = sealed.data[:_NONCE_BYTES], sealed.data[_NONCE_BYTES:]
        try:
            return self._cipher(sealed.key).decrypt(nonce, data, purpose.encode()).decode()
        except (InvalidTag, ValueError):  # ValueError: cut short, within the nonce
            raise KeyProblem(f"sealing key {sealed.key} does not open this {purpose}; was KEYS_DIR changed?") from None

    def seal_number(self, number: str) -> Sealed:
        """A phone number, sealed for any table: contacts and messages hand it on without opening it."""
        return self.seal(number, _NUMBER)

    def open_number(self, sealed: Sealed) -> str:
        """The phone number, in E.164. Raises KeyProblem."""
        return self.open(sealed, _NUMBER)

    def _newest_sealing(self) -> int:
        """The newest key's number; the folder is read anew when it changed."""
        changed = self.folder.stat().st_mtime_ns if self.folder.exists() else 0
        if self._newest[0] != changed or not changed:
            self._newest = (changed, max(self.sealing_numbers(), default=0))
        return self._newest[1]

    def sealing_key(self, number: int) -> str:
        """A sealing key in base64, for a backup that is itself sealed. Raises KeyProblem."""
        return base64.b64encode(read_key(self._sealing_path(number))).decode()

    def put_sealing(self, number: int, key: str) -> None:
        """Puts a sealing key back from a backup. Raises KeyProblem when another one of its number is there."""
        path = self._sealing_path(number)
        value = _decoded(key, f"sealing key {number} of the backup")
        if not path.exists():
            write_key(path, value)
        elif read_key(path) != value:
            raise KeyProblem(f"{path}: is another key than the backup's; restore with an empty KEYS_DIR")

    def destroy_sealing(self, number: int) -> None:
        """Overwrites and unlinks a sealing key: what is still sealed with it is lost."""
        self._sealing.pop(number, None)
        _shred(self._sealing_path(number))

    def _sealing_path(self, number: int) -> Path:
        return self.folder / _SEALING.format(number)

    def sealing_numbers(self) -> list[int]:
        """The numbers of the sealing keys there are, in their order."""
        found = (path.stem.removeprefix("sealing-") for path in self.folder.glob(_SEALING.format("*")))
        return sorted(int(number) for number in found if number.isdecimal())  # not `sealing-1.old.key`, somebody's copy

    def _cipher(self, number: int) -> AESGCM:
        if number not in self._sealing:
            self._sealing[number] = AESGCM(read_key(self._sealing_path(number)))
        return self._sealing[number]


def master_path(settings: Settings) -> Path:
    """Where the master key is when the environment does not hold it."""
    return settings.data_dir / "master.key"


def make_keys(settings: Settings) -> bool:
    """Makes what keys are missing (master, first sealing key). True when it made the master key."""
    made = False
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if not settings.mati_master_key and not master_path(settings).exists():
        write_key(master_path(settings), secrets.token_bytes(KEY_BYTES))
        made = True
    keys = Keys(settings)
    if not keys.sealing_numbers():
        keys.add_sealing()
    return made


def same_token(given: str, tokens: Sequence[str]) -> bool:
    """Whether a webhook's token is one of the valid ones, in constant time; never when none is set."""
    given_hash = hashlib.sha256(given.encode()).digest()
    found = False
    for token in tokens:
        found |= hmac.compare_digest(given_hash, hashlib.sha256(token.encode()).digest())
    return found and given != ""


# what figures may be shown ------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """What a figure stands on: the count of each score, and how many distinct numbers gave them."""

    counts: tuple[int, ...]
    numbers: int

    @property
    def n(self) -> int:
        """Raters."""
        return sum(self.counts)


def may_show(cell: Cell, minimum: int) -> bool:
    """Whether a figure may be shown by itself: enough distinct numbers, and not unanimous."""
    return cell.numbers >= max(minimum, FLOOR) and max(cell.counts) < cell.n


def shown_parts(parts: Sequence[Cell], minimum: int, among: Sequence[bool] | None = None) -> list[bool]:
    """Which parts of a total may be shown beside it; `among`: only of these.

    Where the parts hidden together have fewer numbers than the minimum, or are unanimous, the total less
    the shown parts would give them away: then the smallest shown part is hidden too, until they are enough.
    """
    shown = [may_show(part, minimum) for part in parts]
    if among is not None:
        shown = [one and other for one, other in zip(shown, among, strict=True)]
    while True:
        hidden = [part for part, visible in zip(parts, shown, strict=True) if not visible and part.n]
        if not hidden or not any(shown):
            return shown
        together = Cell(
            _summed(hidden).counts,
            # one number may stand in several parts: the largest is the most that is certain
            max(part.numbers for part in hidden),
        )
        if may_show(together, minimum):
            return shown
        smallest = min((i for i, visible in enumerate(shown) if visible), key=lambda i: parts[i].numbers)
        shown[smallest] = False


def shown_beside(parts: Sequence[Mapping[tuple[int, ...], Cell]], minimum: int) -> list[bool]:
    """Which parts of a total may be shown where other breakdowns of the same total are shown, too.

    Each part is given by its cells: which class of each other breakdown they stand in. A class is a part shown there,
    or all that is hidden there. Figures alone never lead from one breakdown to another, but staff know more: if all
    assisted answers came in one week, the week less the assisted is what a few phones said. So whatever comes out of
    sums and differences of parts and classes, for a reader who knows which cells are empty, must be nothing, or enough
    to be shown. Otherwise the smallest part concerned is hidden, until it is so.
    """
    whole = [_summed(part.values()) for part in parts]
    shown = shown_parts(whole, minimum)
    while concerned := _exposing(shown, parts, minimum):
        smallest = min(concerned, key=lambda i: whole[i].numbers)
        shown = shown_parts(whole, minimum, [one and i != smallest for i, one in enumerate(shown)])
    return shown


def _exposing(shown: Sequence[bool], parts: Sequence[Mapping[tuple[int, ...], Cell]], minimum: int) -> list[int]:
    """The shown parts of which one must go, by their place; none where nothing is given away."""
    hidden = [i for i, one in enumerate(shown) if not one]
    groups = [[i] for i, one in enumerate(shown) if one] + [hidden]  # all that is hidden is known as one
    told: list[dict[tuple[int, ...], tuple[int, ...]]] = []
    for group in groups:
        sums: dict[tuple[int, ...], tuple[int, ...]] = {}
        for where, cell in ((where, cell) for i in group for where, cell in parts[i].items() if cell.n):
            its = (*cell.counts, cell.numbers)
            sums[where] = tuple(map(operator.add, sums[where], its)) if where in sums else its
        told.append(sums)
    for (*counts, numbers), concerned in remainders(told, _COUNTED):
        if not may_show(Cell(tuple(counts), numbers), minimum):
            some = [i for at in concerned for i in groups[at] if shown[i]]
            return some or [i for i, one in enumerate(shown) if one]
    return []


def _summed(cells: Iterable[Cell]) -> Cell:
    """Cells that have no answer in common, together; their numbers are those that lead, so none is counted twice."""
    found = list(cells)
    counts = tuple(sum(column) for column in zip(*(cell.counts for cell in found), strict=True))
    return Cell(counts, sum(cell.numbers for cell in found))
