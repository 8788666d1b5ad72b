"""The providers: one file each, all behind `base.Provider` and `base.Sender`."""

from collections.abc import Callable

from gateway.config import Settings
from gateway.providers.africastalking import AfricasTalking
from gateway.providers.africastalking_send import AfricasTalkingSender
from gateway.providers.android import Android, AndroidSender
from gateway.providers.base import Provider, Sender
from gateway.providers.http import Http
from gateway.providers.http_send import HttpSender
from gateway.providers.kannel import Kannel
from gateway.providers.kannel_send import KannelSender
from gateway.providers.simulator import Simulator, SimulatorSender
from gateway.providers.somleng import Somleng, SomlengSender
from gateway.providers.twilio import Twilio
from gateway.providers.twilio_send import TwilioSender

_PROVIDERS: tuple[Callable[[Settings], Provider], ...] = (
    Simulator,
    AfricasTalking,
    Twilio,
    Somleng,
    Kannel,
    Android,
    Http,
)
_SENDERS: dict[str, Callable[[Settings], Sender]] = {
    "simulator": SimulatorSender,
    "africastalking": AfricasTalkingSender,
    "twilio": TwilioSender,
    "somleng": SomlengSender,
    "kannel": KannelSender,
    "android": AndroidSender,
    "http": HttpSender,
}


def all_providers(settings: Settings) -> list[Provider]:
    """Every provider; one whose secrets are not set refuses whoever calls."""
    return [provider(settings) for provider in _PROVIDERS]


def sending(settings: Settings) -> list[str]:
    """Who can send: those of PROVIDERS, the preferred one first, then those that have what sending takes."""
    return list(dict.fromkeys((*settings.providers, *(name for name in _SENDERS if settings.can_send(name)))))


def all_senders(settings: Settings) -> list[Sender]:
    """A sender for each provider that can send."""
    return [_SENDERS[name](settings) for name in sending(settings)]


__all__ = ["Provider", "Sender", "all_providers", "all_senders", "sending"]
