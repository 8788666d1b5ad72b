"""Keys and their destruction, sealing, webhook tokens, and which figures may be shown."""

from __future__ import annotations

import base64
import stat
import string
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import config
from gateway.config import FLOOR, Settings
from gateway.privacy import (
    HASH_BYTES,
    KEY_BYTES,
    Cell,
    KeyProblem,
    Keys,
    Sealed,
    make_keys,
    master_path,
    may_show,
    read_key,
    same_token,
    shown_parts,
    write_key,
)

NUMBER, OTHER = "+85510000001", "+85510000002"
MASTER = base64.b64encode(bytes(range(KEY_BYTES))).decode()
quick = settings(deadline=None, max_examples=300, database=None)


@pytest.fixture(autouse=True)
def _nothing_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def installed(tmp_path: Path) -> Settings:
    """Settings of a data folder that has its keys; no database."""
    made = config.load(data_dir=tmp_path)
    make_keys(made)
    return made


@pytest.fixture
def keys(installed: Settings) -> Keys:
    return Keys(installed)


class TestKeyFiles:
    def test_are_for_their_owner_alone(self, installed: Settings, keys: Keys) -> None:
        keys.make_round()
        files = [master_path(installed), *installed.keys.iterdir()]
        assert {file.name.partition("-")[0] for file in files} == {"master.key", "round", "sealing"}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert stat.S_IMODE(installed.keys.stat().st_mode) == 0o700

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o602, 0o611])
    def test_are_refused_when_others_can_read_them(self, tmp_path: Path, mode: int) -> None:
        path = tmp_path / "some.key"
        write_key(path, bytes(KEY_BYTES))
        path.chmod(mode)
        with pytest.raises(KeyProblem, match=f"others can read this key; run: chmod 600 {path}"):
            read_key(path)

    def test_are_never_written_over(self, tmp_path: Path) -> None:
        write_key(tmp_path / "some.key", bytes(KEY_BYTES))
        with pytest.raises(FileExistsError):
            write_key(tmp_path / "some.key", b"x" * KEY_BYTES)
        assert read_key(tmp_path / "some.key") == bytes(KEY_BYTES)

    @pytest.mark.parametrize(
        "content",
        [b"", b"\n", b"no key", b"AAAA", base64.b64encode(bytes(31)), base64.b64encode(bytes(33)), b"\xff\xfe\x00\x9f"],
    )
    def test_that_are_damaged_are_refused_by_name(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "some.key"
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(KeyProblem, match=r"some\.key: no key; it takes 32 bytes in base64"):
            read_key(path)

    def test_that_are_missing_are_refused_by_name(self, tmp_path: Path) -> None:
        with pytest.raises(KeyProblem, match=r"some\.key: the key cannot be read"):
            read_key(tmp_path / "some.key")


class TestMakeKeys:
    def test_makes_what_is_missing_and_leaves_what_is_there(self, installed: Settings) -> None:
        before = {path: path.read_bytes() for path in (master_path(installed), *installed.keys.iterdir())}
        assert not make_keys(installed)
        after = {path: path.read_bytes() for path in (master_path(installed), *installed.keys.iterdir())}
        assert before == after

    def test_makes_no_master_key_beside_that_of_the_environment(self, tmp_path: Path) -> None:
        settings = config.load(data_dir=tmp_path, mati_master_key=MASTER)
        assert not make_keys(settings)
        assert not master_path(settings).exists()
        assert Keys(settings).lookup(NUMBER)

    def test_a_master_key_that_is_none_is_refused_by_its_variable(self, tmp_path: Path) -> None:
        with pytest.raises(KeyProblem, match=r"^MATI_MASTER_KEY: no key"):
            Keys(config.load(data_dir=tmp_path, mati_master_key="secret"))


class TestLookUp:
    def test_is_the_same_in_every_process_and_another_for_every_number(self, installed: Settings) -> None:
        first, second = Keys(installed), Keys(installed)
        assert first.lookup(NUMBER) == second.lookup(NUMBER) != first.lookup(OTHER)
        assert len(first.lookup(NUMBER)) == HASH_BYTES

    def test_outlives_a_new_sealing_key(self, keys: Keys) -> None:
        before = keys.lookup(NUMBER)
        keys.add_sealing()
        assert keys.lookup(NUMBER) == before

    def test_tells_nothing_without_the_master_key(self, tmp_path: Path) -> None:
        here = Keys(config.load(data_dir=tmp_path, mati_master_key=MASTER))
        elsewhere = Keys(config.load(data_dir=tmp_path, mati_master_key=base64.b64encode(bytes(KEY_BYTES)).decode()))
        assert here.lookup(NUMBER) != elsewhere.lookup(NUMBER)

    def test_secrets_for_other_purposes_differ(self, keys: Keys) -> None:
        assert keys.derived("panel cookies") == keys.derived("panel cookies") != keys.derived("something else")


class TestRoundKeys:
    def test_a_rater_is_a_number_and_a_who(self, keys: Keys) -> None:
        name = keys.make_round()
        raters = [
            keys.rater(name, number, who)
            for number in (NUMBER, OTHER)
            for who in (None, "woman-31", "man-31", "unsaid")
        ]
        assert len(set(raters)) == len(raters)
        assert keys.rater(name, NUMBER, "man-31") == keys.rater(name, NUMBER, "man-31")
        assert keys.phone(name, NUMBER) not in {*raters, keys.lookup(NUMBER), keys.phone(name, OTHER)}
        assert {len(hashed) for hashed in [*raters, keys.phone(name, NUMBER)]} == {HASH_BYTES}

    def test_nothing_links_two_rounds(self, keys: Keys) -> None:
        one, two = keys.make_round(), keys.make_round()
        assert one != two
        assert keys.phone(one, NUMBER) != keys.phone(two, NUMBER)
        assert keys.rater(one, NUMBER, "other") != keys.rater(two, NUMBER, "other")

    def test_destroying_one_removes_its_file_and_no_other(self, installed: Settings, keys: Keys) -> None:
        kept, closed = keys.make_round(), keys.make_round()
        keys.destroy_round(closed)
        assert keys.has_round(kept)
        assert not keys.has_round(closed)
        assert [path.name for path in installed.keys.glob("round-*")] == [f"round-{kept}.key"]

    def test_later_use_of_a_destroyed_one_is_refused(self, keys: Keys) -> None:
        name = keys.make_round()
        keys.phone(name, NUMBER)
        keys.destroy_round(name)
        gone = rf"round-{name}\.key: the key of this round is missing"
        with pytest.raises(KeyProblem, match=gone):
            keys.phone(name, NUMBER)
        with pytest.raises(KeyProblem, match=gone):
            keys.rater(name, NUMBER, None)

    def test_a_copy_in_another_process_is_not_used_either(self, installed: Settings, keys: Keys) -> None:
        name = keys.make_round()
        another = Keys(installed)
        assert another.phone(name, NUMBER) == keys.phone(name, NUMBER)
        keys.destroy_round(name)
        with pytest.raises(KeyProblem):
            another.phone(name, NUMBER)
        assert name not in another._rounds

    def test_what_was_in_the_file_is_overwritten(self, installed: Settings, keys: Keys) -> None:
        name = keys.make_round()
        path = installed.keys / f"round-{name}.key"
        before = path.read_bytes()
        second_name = installed.keys / "held"
        second_name.hardlink_to(path)  # what a disk or an open handle may still hold
        keys.destroy_round(name)
        assert len(second_name.read_bytes()) == len(before)
        assert second_name.read_bytes() != before

    def test_one_half_destroyed_by_a_power_cut_is_no_key(self, installed: Settings, keys: Keys) -> None:
        name = keys.make_round()
        path = installed.keys / f"round-{name}.key"
        path.write_bytes(bytes(range(200, 200 + 45)))  # overwritten, not yet unlinked
        with pytest.raises(KeyProblem, match="no key"):
            keys.phone(name, NUMBER)
        keys.destroy_round(name)
        assert not path.exists()

    def test_destroying_again_does_no_harm(self, keys: Keys) -> None:
        name = keys.make_round()
        keys.destroy_round(name)
        keys.destroy_round(name)
        keys.destroy_round("never-was")


class TestSealing:
    @settings(quick, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(text=st.text(max_size=60), purpose=st.text(string.ascii_lowercase, max_size=12))
    def test_opens_what_it_sealed(self, keys: Keys, text: str, purpose: str) -> None:
        assert keys.open(keys.seal(text, purpose), purpose) == text

    def test_shows_nothing_of_the_text_and_never_comes_out_alike(self, keys: Keys) -> None:
        one, two = keys.seal(NUMBER, "contact"), keys.seal(NUMBER, "contact")
        assert one.data != two.data
        assert NUMBER.encode() not in one.data

    @pytest.mark.parametrize("purpose", ["outbox", "", "contact ", "Contact"])
    def test_is_bound_to_its_purpose(self, keys: Keys, purpose: str) -> None:
        with pytest.raises(KeyProblem, match=f"sealing key 1 does not open this {purpose}"):
            keys.open(keys.seal(NUMBER, "contact"), purpose)

    def test_every_changed_byte_and_every_cut_is_noticed(self, keys: Keys) -> None:
        sealed = keys.seal(NUMBER, "contact")
        broken = [
            sealed.data[:place] + bytes([sealed.data[place] ^ 1]) + sealed.data[place + 1 :]
            for place in range(len(sealed.data))
        ]
        broken += [sealed.data[:length] for length in range(len(sealed.data))]
        for data in (*broken, sealed.data + b"\0"):
            with pytest.raises(KeyProblem, match="was KEYS_DIR changed"):
                keys.open(Sealed(sealed.key, data), "contact")

    def test_a_new_key_seals_from_now_on_and_the_old_one_still_opens(self, installed: Settings, keys: Keys) -> None:
        old = keys.seal(NUMBER, "contact")
        assert keys.add_sealing() == 2
        new = keys.seal(OTHER, "contact")
        assert (old.key, new.key) == (1, 2)
        for process in (keys, Keys(installed)):
            assert process.open(old, "contact") == NUMBER
            assert process.open(new, "contact") == OTHER
        with pytest.raises(KeyProblem):
            keys.open(Sealed(old.key, new.data), "contact")

    def test_the_tenth_key_comes_after_the_ninth(self, keys: Keys) -> None:
        assert [keys.add_sealing() for _ in range(2, 12)] == list(range(2, 12))
        assert keys.seal(NUMBER, "contact").key == 11

    def test_a_copy_that_somebody_left_beside_the_keys_is_no_key(self, installed: Settings, keys: Keys) -> None:
        (installed.keys / "sealing-1.old.key").write_text("a copy")
        (installed.keys / "sealing-before-move.key").write_text("another")
        assert keys.seal(NUMBER, "contact").key == 1
        assert keys.add_sealing() == 2

    def test_without_its_key_it_stays_shut(self, installed: Settings, keys: Keys) -> None:
        sealed = keys.seal(NUMBER, "contact")
        (installed.keys / "sealing-1.key").unlink()
        with pytest.raises(KeyProblem, match=r"sealing-1\.key: the key cannot be read"):
            Keys(installed).open(sealed, "contact")
        with pytest.raises(KeyProblem):
            Keys(installed).seal(NUMBER, "contact")


NEW, OLD = "n" * 32, "o" * 32


class TestSameToken:
    @pytest.mark.parametrize(
        ("given_", "tokens", "same"),
        [
            (NEW, (NEW,), True),
            (NEW, (NEW, OLD), True),  # while one changes over, both are valid
            (OLD, (NEW, OLD), True),
            ("x" * 32, (NEW, OLD), False),
            (NEW + "n", (NEW,), False),
            (NEW[:-1], (NEW,), False),
            (NEW.upper(), (NEW,), False),
            ("", (NEW,), False),
            ("ឃុំ", (NEW,), False),
            # nothing set up: nobody gets in
            (NEW, (), False),
            ("", (), False),
            ("", ("",), False),
        ],
    )
    def test_lets_in_who_knows_one_of_the_valid_tokens(self, given_: str, tokens: Sequence[str], same: bool) -> None:
        assert same_token(given_, tokens) is same


def cell(*counts: int, numbers: int | None = None) -> Cell:
    """So many of each score; each from a number of its own unless told."""
    return Cell(counts, sum(counts) if numbers is None else numbers)


class TestMayShow:
    @pytest.mark.parametrize(
        ("figure", "minimum", "shown"),
        [
            (cell(2, 2, 2, 2, 2), 10, True),
            (cell(2, 2, 2, 2, 1), 10, False),
            (cell(0, 0, 0, 1, 9), 10, True),
            (cell(0, 0, 0, 0, 10), 10, False),  # all alike: it tells what each of them said
            (cell(0, 0, 0, 0, 1000), 10, False),
            (cell(0, 0, 0, 0, 0), 10, False),
            (cell(4, 4, 4, 4, 4, numbers=9), 10, False),  # twenty raters on nine phones
            (cell(4, 4, 4, 4, 4, numbers=10), 10, True),
            (cell(1, 1, 1, 1, 1), 5, True),
            # never below the floor, whatever the setting
            (cell(1, 1, 1, 1, 1), 1, True),
            (cell(1, 1, 1, 1, 0), 4, False),
            (cell(1, 1, 1, 1, 0), 1, False),
            (cell(1, 1, 0, 0, 0), 0, False),
            (cell(10, 10, 10, 10, 9), 50, False),
        ],
    )
    def test_takes_enough_numbers_that_differ(self, figure: Cell, minimum: int, shown: bool) -> None:
        assert may_show(figure, minimum) is shown

    def test_the_floor_is_five(self) -> None:
        assert FLOOR == 5


ENOUGH = cell(3, 3, 3, 3, 3)
MORE = cell(5, 5, 5, 5, 5)
FEW = cell(1, 1, 1, 0, 0)
ALIKE = cell(0, 0, 0, 0, 20)
NONE = cell(0, 0, 0, 0, 0)


class TestShownParts:
    @pytest.mark.parametrize(
        ("parts", "shown"),
        [
            ([], []),
            ([ENOUGH], [True]),
            ([FEW], [False]),
            ([ENOUGH, MORE], [True, True]),
            ([ENOUGH, NONE], [True, False]),  # a part without answers gives nothing away
            ([ENOUGH, MORE, FEW], [False, True, False]),  # the total less two would be the third
            ([FEW, MORE, ENOUGH], [False, True, False]),
            ([ENOUGH, FEW], [False, False]),
            ([ENOUGH, MORE, ALIKE], [False, True, False]),
            ([MORE, FEW, NONE], [False, False, False]),
            # four few: together they are twelve raters, but perhaps on the same three phones
            ([MORE, FEW, FEW, FEW, FEW], [False, False, False, False, False]),
            ([ALIKE, cell(20, 0, 0, 0, 0), MORE], [False, False, True]),  # together they differ
        ],
    )
    def test_hides_the_smallest_shown_one_until_the_hidden_are_enough(
        self, parts: list[Cell], shown: list[bool]
    ) -> None:
        assert shown_parts(parts, 10) == shown

    @quick
    @given(
        answers=st.dictionaries(
            st.tuples(st.integers(0, 40), st.integers(0, 5)), st.sampled_from([1, 2, 3, 4, 5]), max_size=150
        ),
        minimum=st.integers(0, 14),
    )
    def test_the_total_less_what_is_shown_isolates_nobody(
        self, answers: dict[tuple[int, int], int], minimum: int
    ) -> None:
        """People (numbers) rate six parts, each as many as they like; nobody sees more than totals and shown parts."""
        parts = [_cell_of({who: score for (who, at), score in answers.items() if at == part}) for part in range(6)]
        shown = shown_parts(parts, minimum)
        assert all(may_show(part, minimum) for part, visible in zip(parts, shown, strict=True) if visible)
        rest = {key: score for key, score in answers.items() if not shown[key[1]]}
        if any(shown) and rest:
            scores = list(rest.values())
            left = Cell(tuple(scores.count(s) for s in range(1, 6)), len({who for who, _part in rest}))
            assert may_show(left, minimum)
        if all(may_show(part, minimum) or not part.n for part in parts):
            assert shown == [part.n > 0 for part in parts]


def _cell_of(scores: dict[int, int]) -> Cell:
    given = list(scores.values())
    return Cell(tuple(given.count(score) for score in range(1, 6)), len(scores))
