"""Who hurries runs ahead of others until the end of it, where that is allowed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nettop.kernel.haste import Haste
from tests.support.forks import forked

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="to run ahead takes CAP_SYS_NICE"),
]

NOBODY = 65534
AUTOGROUP = Path("/proc/self/autogroup")


def nice(thread: int = 0) -> int:
    return os.getpriority(os.PRIO_PROCESS, thread)


def session_nice() -> int:
    """That of the session; that of the process where the kernel does not group by sessions."""
    return int(AUTOGROUP.read_text().split()[-1]) if AUTOGROUP.exists() else nice()


def in_a_session(act: Callable[[], object]) -> None:
    """Do something as the leader of a session of its own."""

    def lead() -> None:
        os.setsid()
        act()

    _, status = os.waitpid(forked(lead), 0)
    assert status == 0


def test_it_runs_ahead_until_the_end_with_what_it_started() -> None:
    def hurry() -> None:
        haste = Haste()
        assert nice() == session_nice() == -10
        running, told = threading.Event(), threading.Event()

        def start() -> None:
            running.set()
            told.wait()

        thread = threading.Thread(target=start)
        thread.start()
        running.wait()
        assert thread.native_id is not None
        assert nice(thread.native_id) == -10
        haste.end()
        assert nice() == session_nice() == nice(thread.native_id) == 0
        told.set()

    in_a_session(hurry)


def test_who_was_asked_to_stand_back_does_not_hurry() -> None:
    def hurry() -> None:
        os.nice(5)
        haste = Haste()
        assert (nice(), session_nice() if AUTOGROUP.exists() else 0) == (5, 0)
        haste.end()
        assert nice() == 5

    in_a_session(hurry)


def test_where_it_is_not_allowed_all_stays_as_it_is() -> None:
    def hurry() -> None:
        os.setresuid(NOBODY, NOBODY, NOBODY)
        haste = Haste()
        assert nice() == session_nice() == 0
        haste.end()
        assert nice() == session_nice() == 0

    in_a_session(hurry)
