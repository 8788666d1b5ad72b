"""The providers: one file each, all behind `base.Provider` and `base.Sender`."""

from gateway.config import Settings
from gateway.providers.africastalking import AfricasTalking
from gateway.providers.base import Provider, Sender
from gateway.providers.simulator import Simulator, SimulatorSender


def all_providers(settings: Settings) -> list[Provider]:
    """Every provider; one whose secrets are not set refuses whoever calls."""
    return [Simulator(), AfricasTalking(settings)]


def sending(settings: Settings) -> list[str]:
    """Who can send, the preferred one first."""
    return list(settings.providers)


def all_senders(settings: Settings) -> list[Sender]:
    """A sender for each provider that can send."""
    return [SimulatorSender()]


__all__ = ["Provider", "Sender", "all_providers", "all_senders", "sending"]
