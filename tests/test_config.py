"""Settings: every variable of CONTRACT.md is one, a wrong value stops the start with its name, .env.example has all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.config import NEEDED_TO_SEND, PROVIDERS, Settings, SettingsError, load

EXAMPLE = Path(__file__).parents[1] / ".env.example"
CONTRACT = """
    DATABASE_URL, REDIS_URL, PORT, PUBLIC_URL, DATA_DIR, KEYS_DIR, HOST, MATI_MASTER_KEY, PROVIDERS, ROUTES, COUNTRIES,
    TIMEZONE, DEFAULT_LANGUAGE, MIN_RATERS, USSD_CODE, SMS_NUMBER, CALLER_COST, PRICE_PER_SEGMENT, METRICS_TOKEN,
    TRUSTED_PROXIES,
    AFRICASTALKING_USERNAME, AFRICASTALKING_API_KEY, AFRICASTALKING_SENDER, AFRICASTALKING_WEBHOOK_TOKENS,
    AFRICASTALKING_BASE_URL,
    TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_FROM, TWILIO_MESSAGING_SERVICE_SID, TWILIO_BASE_URL,
    SOMLENG_ACCOUNT_SID, SOMLENG_AUTH_TOKEN, SOMLENG_FROM, SOMLENG_MESSAGING_SERVICE_SID, SOMLENG_BASE_URL,
    KANNEL_SEND_URL, KANNEL_USERNAME, KANNEL_PASSWORD, KANNEL_SENDER, KANNEL_WEBHOOK_TOKENS,
    ANDROID_BASE_URL, ANDROID_USERNAME, ANDROID_PASSWORD, ANDROID_SIGNING_KEY,
    HTTP_SEND_URL, HTTP_WEBHOOK_TOKENS,
    AFRICASTALKING_RATE, TWILIO_RATE, SOMLENG_RATE, KANNEL_RATE, ANDROID_RATE, HTTP_RATE
"""
"""CONTRACT.md, Environment."""
NAMES = re.findall(r"\w+", CONTRACT)
FIELDS = [name.upper() for name in Settings.model_fields]
TOKEN, OLDER = "n" * 32, "o" * 32


@pytest.fixture(autouse=True)
def _nothing_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the developer's variables nor a `.env` of theirs reach the tests."""
    for name in FIELDS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


class TestVariables:
    @pytest.mark.parametrize("name", NAMES)
    def test_of_the_contract_is_a_field(self, name: str) -> None:
        assert name in FIELDS

    def test_of_the_generic_providers_fields_have_names(self) -> None:
        assert [name for name in FIELDS if re.fullmatch(r"HTTP_\w+_FIELD", name)]

    def test_none_is_unheard_of(self) -> None:
        kept = {"INBOUND_DAYS", "RSVP_DAYS", "MESSAGE_DAYS", "CALLER_MONTHS"}
        more = {
            "SIMULATOR_RATE",
            "SECOND_APPROVAL",
            "SECOND_FACTOR",
            "WEB_PROCESSES",
            *kept,
            *(name for name in FIELDS if name.startswith("HTTP_")),
        }
        assert set(FIELDS) == {*NAMES, *more}

    def test_every_provider_has_a_rate(self) -> None:
        assert {f"{name.upper()}_RATE" for name in PROVIDERS} <= set(FIELDS)

    def test_come_from_the_environment_over_the_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / ".env").write_text("PORT=8001\nUSSD_CODE=*123#\nSOMETHING_ELSE=1\nSMS_NUMBER=\n")
        monkeypatch.setenv("PORT", "8002")
        settings = load()
        assert (settings.port, settings.ussd_code, settings.sms_number) == (8002, "*123#", "8550")

    def test_are_read_only(self) -> None:
        settings = load()
        with pytest.raises(ValueError, match="frozen"):
            settings.port = 1


GOOD = [
    ("PROVIDERS", "", "providers", ("simulator",)),
    ("PROVIDERS", ",", "providers", ("simulator",)),
    ("ROUTES", "Smart=somleng, metfone = kannel", "routes", {"smart": "somleng", "metfone": "kannel"}),
    ("ROUTES", "", "routes", {}),
    ("COUNTRIES", "855,66", "countries", ("855", "66")),
    ("MIN_RATERS", "5", "min_raters", 5),
    ("DEFAULT_LANGUAGE", "km-Latn", "default_language", "km-Latn"),
    ("DATABASE_URL", "postgres://mati@db/mati", "database_url", "postgresql://mati@db/mati"),
    ("DATABASE_URL", "postgresql+psycopg://db/mati", "database_url", "postgresql+psycopg://db/mati"),
    ("REDIS_URL", "unix:///run/valkey.sock", "redis_url", "unix:///run/valkey.sock"),
    ("PUBLIC_URL", "https://mati.example.org/", "public_url", "https://mati.example.org"),
    ("AFRICASTALKING_WEBHOOK_TOKENS", f"{TOKEN},{OLDER}", "africastalking_webhook_tokens", (TOKEN, OLDER)),
    ("ANDROID_RATE", "0.2", "android_rate", 0.2),
    ("TRUSTED_PROXIES", "1", "trusted_proxies", 1),
    ("WEB_PROCESSES", "2", "web_processes", 2),
]
NO_ADDRESS = "must be a web address such as https://mati.example.org"
UNKNOWN_PROVIDER = (
    "'vonage' is no provider; known are simulator, africastalking, twilio, somleng, kannel, android, http"
)
WEAK = "each token needs at least 32 letters or digits that nobody can guess, for example "
BAD = [
    ("PORT", "0", "greater than or equal to 1"),
    ("PORT", "65536", "less than or equal to 65535"),
    ("PORT", "eighty", "valid integer"),
    ("TRUSTED_PROXIES", "-1", "greater than or equal to 0"),
    ("WEB_PROCESSES", "0", "greater than or equal to 1"),
    ("TRUSTED_PROXIES", "10.0.0.0/8", "valid integer"),
    ("MIN_RATERS", "4", "greater than or equal to 5"),
    ("MIN_RATERS", "ten", "valid integer"),
    ("DEFAULT_LANGUAGE", "fr", "should be 'km', 'km-Latn' or 'en'"),
    ("PRICE_PER_SEGMENT", "-0.1", "greater than or equal to 0"),
    ("PRICE_PER_SEGMENT", "2 cents", "valid number"),
    ("PRICE_PER_SEGMENT", "inf", "finite number"),
    ("DATABASE_URL", "mysql://db/mati", "must start with postgresql:// or sqlite:///"),
    ("DATABASE_URL", "mati.sqlite", "must start with postgresql:// or sqlite:///"),
    ("REDIS_URL", "localhost:6379", "must start with redis://, rediss:// or unix://"),
    ("PUBLIC_URL", "mati.example.org", NO_ADDRESS),
    ("PUBLIC_URL", "ftp://mati.example.org", NO_ADDRESS),
    ("PUBLIC_URL", "https://", NO_ADDRESS),
    ("PROVIDERS", "simulator,vonage", UNKNOWN_PROVIDER),
    ("ROUTES", "smart", "write operator=provider pairs with commas between, such as smart=somleng,metfone=kannel"),
    ("ROUTES", "mobitel=kannel", "'mobitel' is no operator; known are smart, cellcard, metfone, seatel, qb"),
    ("ROUTES", "smart=vonage", UNKNOWN_PROVIDER),
    ("COUNTRIES", "+855", "give calling codes of one to three digits without +, home first, such as 855,66"),
    ("COUNTRIES", "8555", "give calling codes of one to three digits"),
    ("COUNTRIES", "៨៥៥", "give calling codes of one to three digits"),
    ("COUNTRIES", ",", "give calling codes of one to three digits"),
    ("TIMEZONE", "Phnom Penh", "must be a time zone's name such as Asia/Phnom_Penh"),
    ("TIMEZONE", "Asia", "must be a time zone's name such as Asia/Phnom_Penh"),
    ("TIMEZONE", "../../etc/passwd", "must be a time zone's name such as Asia/Phnom_Penh"),
    ("AFRICASTALKING_BASE_URL", "api.example.org", NO_ADDRESS),
    ("TWILIO_BASE_URL", "api.example.org", NO_ADDRESS),
    ("SOMLENG_BASE_URL", "api.example.org", NO_ADDRESS),
    ("KANNEL_SEND_URL", "127.0.0.1:13013", NO_ADDRESS),
    ("ANDROID_BASE_URL", "192.168.0.7:8080", NO_ADDRESS),
    ("HTTP_SEND_URL", "gateway", NO_ADDRESS),
    ("AFRICASTALKING_WEBHOOK_TOKENS", "short", WEAK),
    ("AFRICASTALKING_WEBHOOK_TOKENS", "with/a/slash/that/splits/the/path/of/it", WEAK),
    ("KANNEL_WEBHOOK_TOKENS", "n" * 31, WEAK),
    ("HTTP_WEBHOOK_TOKENS", f"{TOKEN},{OLDER},{'x' * 32}", "at most two tokens"),
    *((f"{name.upper()}_RATE", "0", "greater than 0") for name in PROVIDERS),
    *((f"{name.upper()}_RATE", "fast", "valid number") for name in PROVIDERS),
]


class TestValues:
    @pytest.mark.parametrize(("name", "value", "field", "read"), GOOD)
    def test_are_read(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str, read: object) -> None:
        monkeypatch.setenv(name, value)
        assert getattr(load(), field) == read

    def test_name_the_senders_in_their_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PROVIDERS", " africastalking ,simulator ")
        settings = load(africastalking_username="sandbox", africastalking_api_key="key")
        assert settings.providers == ("africastalking", "simulator")

    @pytest.mark.parametrize(
        ("provider", "needed"), [(provider, name) for provider, names in NEEDED_TO_SEND.items() for name in names]
    )
    def test_that_a_sender_needs_are_missed_by_name(self, provider: str, needed: str) -> None:
        """Of what it needs all is set but one; where one of two will do, neither is."""
        all_set = {
            name: "https://example.org" if name.endswith("_url") else "set"
            for names in NEEDED_TO_SEND[provider]
            for name in names.split(" or ")
        }
        assert load(providers=(provider,), **all_set).can_send(provider)
        lacking = {name: value for name, value in all_set.items() if name not in needed.split(" or ")}
        with pytest.raises(SettingsError) as stopped:
            load(providers=(provider,), **lacking)
        assert str(stopped.value) == f"{_upper(needed)}: is not set, but PROVIDERS says that {provider} sends"
        assert not load(**lacking).can_send(provider)

    @pytest.mark.parametrize(("name", "value", "reason"), BAD)
    def test_that_are_wrong_stop_the_start_with_their_name(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
    ) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(SettingsError) as stopped:
            load()
        message = str(stopped.value)
        assert message.startswith(f"{name}: ")
        assert reason in message
        assert "\n" not in message

    @pytest.mark.parametrize("name", [name for name in FIELDS if name.endswith(("_TOKENS", "_URL"))])
    def test_that_are_secret_are_not_repeated_when_wrong(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, "hunter2:hunter2@example")
        with pytest.raises(SettingsError) as stopped:
            load()
        assert "hunter2" not in str(stopped.value)

    def test_a_token_that_is_proposed_is_another_each_time_and_would_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        proposed = []
        for _ in range(2):
            monkeypatch.setenv("KANNEL_WEBHOOK_TOKENS", "short")
            with pytest.raises(SettingsError) as stopped:
                load()
            proposed.append(str(stopped.value).rpartition(" ")[2])
        assert proposed[0] != proposed[1]
        monkeypatch.setenv("KANNEL_WEBHOOK_TOKENS", ",".join(proposed))
        assert load().kannel_webhook_tokens == tuple(proposed)


def _upper(needed: str) -> str:
    return " or ".join(name.upper() for name in needed.split(" or "))


class TestFolders:
    def test_are_absolute_and_the_database_and_the_keys_lie_in_the_data_folder(self, tmp_path: Path) -> None:
        settings = load()
        assert settings.data_dir == tmp_path / "data"
        assert settings.keys == tmp_path / "data" / "keys"
        assert settings.database == f"sqlite:///{tmp_path}/data/mati.sqlite"

    def test_the_keys_may_lie_elsewhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setenv("KEYS_DIR", "~/keys")
        assert load().keys == tmp_path / "home" / "keys"

    @pytest.mark.parametrize(
        ("changes", "address", "local"),
        [
            ({}, "http://127.0.0.1:8000", True),
            ({"host": "0.0.0.0", "port": 9000}, "http://127.0.0.1:9000", True),
            ({"host": "192.168.0.7"}, "http://192.168.0.7:8000", False),
            ({"public_url": "http://localhost:9000"}, "http://localhost:9000", True),
            ({"public_url": "https://mati.example.org/"}, "https://mati.example.org", False),
            ({"public_url": "https://127.0.0.1.example.org"}, "https://127.0.0.1.example.org", False),
        ],
    )
    def test_only_a_loopback_address_is_local(self, changes: dict[str, object], address: str, local: bool) -> None:
        settings = load(**changes)
        assert (settings.address, settings.is_local) == (address, local)


class TestExample:
    LINES = EXAMPLE.read_text().splitlines()
    VARIABLE = re.compile(r"# ([A-Z][A-Z0-9_]*)=(.*)")

    def test_lists_exactly_the_variables(self) -> None:
        listed = [found[1] for line in self.LINES if (found := self.VARIABLE.fullmatch(line))]
        assert len(listed) == len(set(listed))
        assert set(listed) == set(FIELDS)

    def test_says_of_each_what_it_is_in_a_line(self) -> None:
        for before, line in zip(self.LINES, self.LINES[1:], strict=False):
            if self.VARIABLE.fullmatch(line):
                assert re.fullmatch(r"# [A-Z].{8,118}", before), line
                assert not self.VARIABLE.fullmatch(before), line

    def test_sets_nothing_as_it_stands(self, tmp_path: Path) -> None:
        without = load()
        (tmp_path / ".env").write_text(EXAMPLE.read_text())
        assert all(not line or line.startswith("# ") for line in self.LINES)
        assert load() == without

    def test_shows_the_defaults(self, tmp_path: Path) -> None:
        without = load()
        (tmp_path / ".env").write_text("\n".join(self.VARIABLE.sub(r"\1=\2", line) for line in self.LINES))
        assert load() == without
        shown = {found[1]: found[2] for line in self.LINES if (found := self.VARIABLE.fullmatch(line))}
        for name, field in Settings.model_fields.items():
            assert bool(shown[name.upper()]) is (field.default not in (None, "", (), {})), name
