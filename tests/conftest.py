"""How the suite runs: two processes side by side, one for the tests of the kernel and one for all others.

Those of the kernel count the sockets, processes and namespaces of the whole machine: beside each other they would be in
each other's figures.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:  # started in the background: programs under test would inherit it
        signal.signal(_number, signal.SIG_DFL)

_TOGETHER = Path(__file__).parent / "kernel"


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _TOGETHER in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("kernel"))
