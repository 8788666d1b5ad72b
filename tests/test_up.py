"""`mati up` itself: what it does in a process apart, and what stays of it beside the gateway."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from gateway.errors import Told
from gateway.up import CannotStart, apart


def test_what_is_done_apart_comes_back() -> None:
    here = os.getpid()
    assert apart(lambda: {"done by another": os.getpid() != here}) == {"done by another": True}


def test_what_goes_wrong_apart_is_raised_here() -> None:
    def fail() -> None:
        raise Told("the keys are gone")

    with pytest.raises(Told, match="the keys are gone"):
        apart(fail)


def test_what_is_killed_apart_is_told_of() -> None:
    with pytest.raises(CannotStart):
        apart(lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_what_stays_beside_the_gateway_holds_no_database() -> None:
    program = (
        "import sys, gateway.cli, gateway.up; sys.exit(bool({'sqlalchemy', 'flask', 'requests'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
