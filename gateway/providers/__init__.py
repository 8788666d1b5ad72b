"""The providers: one file each, all behind `base.Provider` and `base.Sender`."""

from collections.abc import Callable

from gateway.config import Settings
from gateway.providers.africastalking import AfricasTalking
from gateway.providers.africastalking_send import AfricasTalkingSender
from gateway.providers.base import Provider, Sender
from gateway.providers.simulator import Simulator, SimulatorSender

_SENDERS: dict[str, Callable[[Settings], Sender]] = {
    "simulator": SimulatorSender,
    "africastalking": AfricasTalkingSender,
}


def all_providers(settings: Settings) -> list[Provider]:
    """Every provider; one whose secrets are not set refuses whoever calls."""
    return [Simulator(settings), AfricasTalking(settings)]


def sending(settings: Settings) -> list[str]:
    """Who can send: those of PROVIDERS, the preferred one first, then those that have what sending takes."""
    return list(dict.fromkeys((*settings.providers, *(name for name in _SENDERS if settings.can_send(name)))))


def all_senders(settings: Settings) -> list[Sender]:
    """A sender for each provider that can send."""
    return [_SENDERS[name](settings) for name in sending(settings)]


__all__ = ["Provider", "Sender", "all_providers", "all_senders", "sending"]
