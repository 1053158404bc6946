"""Memory that is not needed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from nettop.memory import fitted, give_back


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


_STORM = """
import re
from nettop.memory import give_back, hold_little, pass_arenas_by
def taken():
    return int(re.search(r"Anonymous: +(\\d+)", open("/proc/self/smaps_rollup").read())[1]) << 10
hold_little()
before = taken()
pass_arenas_by(%s)
passing = [(str(number), [number, number / 3]) for number in range(100_000)]
kept = passing[::1_000]  # one or two in each arena
pass_arenas_by(False)
del passing
for numbers in (numbers for _, numbers in kept):
    numbers *= 100  # blocks move from where they are to where new ones are taken
give_back()
assert all(text == str(numbers[198]) for text, numbers in kept)
print(taken() - before)
"""


def _left(passed_by: bool, python: Sequence[str] = (), **environment: str) -> int:
    """Bytes that a storm of objects leaves behind, a few of which stay."""
    command = [sys.executable, *python, "-c", _STORM % passed_by]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, **environment}, cwd=os.getcwd()
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_the_few_objects_that_outlive_a_storm_keep_pages_and_not_arenas() -> None:
    assert _left(passed_by=True) < 2 << 20 < 10 << 20 < _left(passed_by=False)


@pytest.mark.parametrize(
    ("python", "environment"),
    [((), {"PYTHONMALLOC": "malloc"}), ((), {"PYTHONMALLOC": "debug"}), (("-X", "tracemalloc"), {})],
)
def test_where_memory_is_checked_or_traced_or_has_no_arenas_nothing_is_passed_by(
    python: Sequence[str], environment: dict[str, str]
) -> None:
    _left(True, python, **environment)


@pytest.mark.parametrize("large", [dict.fromkeys(range(50_000)), set(range(50_000))])
def test_a_table_that_was_large_gets_its_size_again_and_others_are_left_alone(large: Any) -> None:
    assert fitted(large) is large
    while len(large) > 10:
        large.pop() if isinstance(large, set) else large.popitem()
    assert sys.getsizeof(large) > 1 << 20, "it stays large by itself"
    small = fitted(large)
    assert small == large
    assert sys.getsizeof(small) < 2_000
    assert fitted(small) is small


def test_no_table_is_copied_while_it_grows() -> None:
    grown: dict[int, None] = {}
    numbers: set[int] = set()
    for entry in range(100_000):
        grown[entry] = None
        numbers.add(entry)
        assert fitted(grown) is grown
        assert fitted(numbers) is numbers
