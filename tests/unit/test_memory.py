"""Memory that is not needed."""

from __future__ import annotations

import subprocess
import sys

from nettop.memory import give_back


def test_asyncio_comes_without_tls_and_whoever_wants_it_later_gets_it() -> None:
    program = """
import sys
from nettop.memory import leave_out_tls
leave_out_tls()
leave_out_tls()
assert "asyncio" in sys.modules and "_ssl" not in sys.modules
import asyncio, ssl
assert ssl.create_default_context() is not None
print(asyncio.run(asyncio.sleep(0, "runs")))
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("runs\n", "")


def test_giving_memory_back_breaks_nothing() -> None:
    kept, large = bytes(range(256)) * 100, [bytes(1 << 20) for _ in range(20)]
    del large
    give_back()
    assert kept == bytes(range(256)) * 100
