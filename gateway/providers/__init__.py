"""The providers: one file each, all behind `base.Provider`."""

from gateway.config import Settings
from gateway.providers.africastalking import AfricasTalking
from gateway.providers.base import Provider
from gateway.providers.simulator import Simulator


def all_providers(settings: Settings) -> list[Provider]:
    """Every provider; one whose secrets are not set refuses whoever calls."""
    return [Simulator(), AfricasTalking(settings)]


__all__ = ["Provider", "all_providers"]
