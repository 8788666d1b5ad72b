"""A provider played on this machine: it answers as the real one does, calls back as it does, and counts what it took.

For tests, benchmarks, fault runs, and for people who integrate without an account (docs/providers/stub.md).
It knows nothing of the gateway but its webhooks, so that each checks the other.
"""

from gateway.stub.play import play
from gateway.stub.server import PROVIDERS, Stub
from gateway.stub.setup import Setup, WrongSetup

__all__ = ["PROVIDERS", "Setup", "Stub", "WrongSetup", "play"]
