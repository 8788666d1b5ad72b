"""Every knob of the gateway: typed, read from the environment (and `.env`), in one place.

The names are those of CONTRACT.md; `.env.example` lists them with a line each.
A wrong value stops the start with its name (`SettingsError`).
"""

from __future__ import annotations

import re
import secrets
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gateway.errors import Told

Language = Literal["km", "km-Latn", "en"]
LANGUAGES: tuple[Language, ...] = ("km", "km-Latn", "en")
PROVIDERS = ("simulator", "africastalking", "twilio", "somleng", "kannel", "android", "http")
OPERATORS = ("smart", "cellcard", "metfone", "seatel", "qb", "cootel", "kingtel")
ROLES = ("admin", "staff", "council", "volunteer")
STAFF = ("admin", "staff")
"""The roles that see staff's figures, and may try things out on the handset."""
FLOOR = 5
"""No figure about fewer numbers than this is ever shown, whatever the setting (DOMAIN.md, Privacy)."""
PREPARED = "MATI_PREPARED"
"""Not a setting: `mati up` tells its roles so that it has looked at database and keys already."""
TOKEN_BITS = 128
"""A webhook token carries at least this much chance (WIRE.md, Africa's Talking, Security)."""


NEEDED_TO_SEND: dict[str, tuple[str, ...]] = {
    "africastalking": ("africastalking_username", "africastalking_api_key"),
    "twilio": ("twilio_account_sid", "twilio_auth_token", "twilio_from or twilio_messaging_service_sid"),
    "somleng": ("somleng_account_sid", "somleng_auth_token", "somleng_from or somleng_messaging_service_sid"),
    "kannel": ("kannel_send_url", "kannel_username", "kannel_password"),
    "android": ("android_base_url", "android_username", "android_password"),
    "http": ("http_send_url",),
}
"""What a provider must be told before it can send; `or`: one of them will do."""


class SettingsError(Told):
    """A setting is wrong; the message names the variable and says what it takes."""


def _comma_list(value: object) -> object:
    """`a, b` from the environment as a tuple; anything else as it is."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a web address such as https://mati.example.org")
    return value.rstrip("/")


def is_loopback(address: str) -> bool:
    """Whether a web address is this machine's alone."""
    return urlsplit(address).hostname in ("127.0.0.1", "localhost", "::1")


def _pairs(value: str) -> str:
    try:
        parse_qsl(value, keep_blank_values=True, strict_parsing=bool(value))
    except ValueError:
        raise ValueError("must be name=value pairs with & between, such as username=mati&password=secret") from None
    return value


def _header(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z0-9-]+: *[!-~][ -~]*", value):
        raise ValueError("must be a header's name and value, such as Authorization: Bearer secret")
    return value


def _tokens(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if len(value) * 4 < TOKEN_BITS or not value.replace("-", "").replace("_", "").isalnum():
            example = secrets.token_urlsafe(24)
            raise ValueError(
                f"each token needs at least 32 letters or digits that nobody can guess, for example {example}"
            )
    if len(values) > 2:
        raise ValueError("at most two tokens: the new one and, while you change over, the old one")
    return values


CommaList = Annotated[tuple[str, ...], NoDecode]
Values = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_list)]
Names = Annotated[Values, Field(min_length=1)]
Tokens = Annotated[tuple[str, ...], NoDecode, AfterValidator(_tokens)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
ExactAddress = Annotated[str, AfterValidator(lambda value: _web_address(value) and value)]
"""With the slash at its end, where it has one."""
Rate = Annotated[float, Field(gt=0, le=10_000)]
"""Segments a second."""
Days = Annotated[int, Field(ge=1, le=3650)]


class Settings(BaseSettings):
    """The settings of one installation. Read-only; made once by `load`."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, case_sensitive=False
    )

    # where things are
    database_url: str = ""
    redis_url: str = ""
    data_dir: Path = Path("data")
    keys_dir: Path | None = None
    mati_master_key: str = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    web_processes: Annotated[int, Field(ge=1, le=32)] = 1
    public_url: WebAddress | None = None
    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    metrics_token: str = ""

    # the programme
    providers: CommaList = ("simulator",)
    routes: Annotated[dict[str, str], NoDecode] = {}
    countries: CommaList = ("855",)
    timezone: str = "Asia/Phnom_Penh"
    default_language: Language = "km"
    min_raters: Annotated[int, Field(ge=FLOOR, le=1000)] = 10
    ussd_code: str = "*855#"
    sms_number: str = "8550"
    caller_cost: str = ""
    price_per_segment: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    second_approval: bool = True
    second_factor: bool = True

    # what is kept, and for how long
    inbound_days: Days = 7
    rsvp_days: Days = 7
    message_days: Days = 30
    caller_months: Annotated[int, Field(ge=1, le=120)] = 12

    # the providers
    africastalking_username: str = ""
    africastalking_api_key: str = ""
    africastalking_sender: str = ""
    africastalking_webhook_tokens: Tokens = ()
    africastalking_base_url: WebAddress | None = None
    africastalking_rate: Rate = 10
    twilio_account_sid: str = ""
    twilio_auth_token: str = ""
    twilio_from: str = ""
    twilio_messaging_service_sid: str = ""
    twilio_base_url: WebAddress | None = None
    twilio_rate: Rate = 1
    somleng_account_sid: str = ""
    somleng_auth_token: str = ""
    somleng_from: str = ""
    somleng_messaging_service_sid: str = ""
    somleng_base_url: WebAddress | None = None
    somleng_rate: Rate = 10
    kannel_send_url: WebAddress | None = None
    kannel_username: str = ""
    kannel_password: str = ""
    kannel_sender: str = ""
    kannel_webhook_tokens: Tokens = ()
    kannel_rate: Rate = 10
    android_base_url: WebAddress | None = None
    android_username: str = ""
    android_password: str = ""
    android_signing_key: str = ""
    android_rate: Rate = 0.3
    http_webhook_tokens: Tokens = ()
    http_number_field: Names = ("number",)
    http_session_field: Names = ("session",)
    http_text_field: Names = ("text",)
    http_id_field: Names = ("id",)
    http_ussd_input: Literal["path", "last"] = "path"
    http_ussd_separator: str = "*"
    http_begin_field: str = ""
    http_begin_values: Values = ("begin", "true")
    http_end_values: Values = ("end",)
    http_ussd_answer: Literal["prefix", "json"] = "prefix"
    http_continue_value: str = "CON"
    http_close_value: str = "END"
    http_answer_text_field: str = "message"
    http_answer_state_field: str = "state"
    http_echo_fields: Values = ()
    http_status_field: str = "status"
    http_delivered_values: Values = ("delivered", "delivrd", "success")
    http_failed_values: Values = ("failed", "undelivered", "undeliv", "rejected", "rejectd", "expired")
    http_reference_field: Values = ()
    http_send_url: ExactAddress | None = None
    http_send_as: Literal["form", "json", "query"] = "form"
    http_send_number_field: str = "to"
    http_send_number_as: Literal["plus", "digits"] = "plus"
    http_send_text_field: str = "text"
    http_send_sender_field: str = "from"
    http_sender: str = ""
    http_send_extra: Annotated[str, AfterValidator(_pairs)] = ""
    http_send_header: Annotated[str, AfterValidator(_header)] = ""
    http_sent_id_field: str = "id"
    http_sent_status_field: str = ""
    http_accepted_values: Values = ()
    http_refused_values: Values = ()
    http_later_values: Values = ()
    http_rate: Rate = 10
    simulator_rate: Rate = 1000

    @field_validator(
        "providers", "countries", "africastalking_webhook_tokens", "kannel_webhook_tokens", "http_webhook_tokens",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _split(cls, value: object) -> object:
        return _comma_list(value)

    @field_validator("routes", mode="before")
    @classmethod
    def _split_routes(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        if any(not sign for _, sign, _ in pairs):
            raise ValueError("write operator=provider pairs with commas between, such as smart=somleng,metfone=kannel")
        return {operator.strip().lower(): provider.strip().lower() for operator, _, provider in pairs}

    @field_validator("providers")
    @classmethod
    def _known_providers(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in PROVIDERS:
                raise ValueError(f"{name!r} is no provider; known are {', '.join(PROVIDERS)}")
        return names or ("simulator",)

    @field_validator("routes")
    @classmethod
    def _known_routes(cls, routes: dict[str, str]) -> dict[str, str]:
        for operator, provider in routes.items():
            if operator not in OPERATORS:
                raise ValueError(f"{operator!r} is no operator; known are {', '.join(OPERATORS)}")
            if provider not in PROVIDERS:
                raise ValueError(f"{provider!r} is no provider; known are {', '.join(PROVIDERS)}")
        return routes

    @field_validator("countries")
    @classmethod
    def _calling_codes(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        if not codes or any(not code.isascii() or not code.isdigit() or len(code) > 3 for code in codes):
            raise ValueError("give calling codes of one to three digits without +, home first, such as 855,66")
        return codes

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError("must be a time zone's name such as Asia/Phnom_Penh") from None
        return name

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if url.startswith("postgres://"):
            url = "postgresql://" + url.removeprefix("postgres://")
        if url and not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("must start with postgresql:// or sqlite:///")
        return url

    @field_validator("redis_url")
    @classmethod
    def _known_redis(cls, url: str) -> str:
        if url and not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must start with redis://, rediss:// or unix://")
        return url

    @model_validator(mode="after")
    def _senders_set_up(self) -> Settings:
        for provider in self.providers:
            for name in NEEDED_TO_SEND.get(provider, ()):
                if not self._has(name):
                    which = " or ".join(part.upper() for part in name.split(" or "))
                    raise ValueError(f"{which}: is not set, but PROVIDERS says that {provider} sends")
        return self

    @model_validator(mode="after")
    def _absolute(self) -> Settings:
        object.__setattr__(self, "data_dir", self.data_dir.expanduser().absolute())
        keys = self.keys_dir.expanduser().absolute() if self.keys_dir else self.data_dir / "keys"
        object.__setattr__(self, "keys_dir", keys)
        return self

    @property
    def database(self) -> str:
        """The database's address: `DATABASE_URL`, or SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'mati.sqlite'}"

    @property
    def keys(self) -> Path:
        """The folder of the key files."""
        assert self.keys_dir is not None  # set by the validator above
        return self.keys_dir

    @property
    def address(self) -> str:
        """The web address that providers and people see, without a slash at its end."""
        return self.public_url or f"http://{'127.0.0.1' if self.host == '0.0.0.0' else self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether the public address is this machine alone: only then is the simulator open to all."""
        return is_loopback(self.address)

    def can_send(self, provider: str) -> bool:
        """Whether all is set that sending by this provider takes."""
        return provider in NEEDED_TO_SEND and all(self._has(name) for name in NEEDED_TO_SEND[provider])

    def _has(self, needed: str) -> bool:
        return any(getattr(self, name) for name in needed.split(" or "))

    @property
    def zone(self) -> ZoneInfo:
        """The programme's time zone."""
        return ZoneInfo(self.timezone)

    def day(self, moment: datetime) -> date:
        """The day of a moment where the programme is."""
        return moment.astimezone(self.zone).date()


def load(**changes: object) -> Settings:
    """Settings from the environment and `.env`, with `changes` over them.

    Raises SettingsError with one line that names the variable.
    """
    try:
        return Settings(**changes)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        reason = str(first["msg"]).removeprefix("Value error, ")
        if not first["loc"]:  # of several variables: it names them itself
            raise SettingsError(reason) from None
        raise SettingsError(f"{str(first['loc'][0]).upper()}: {reason[0].lower()}{reason[1:]}") from None
