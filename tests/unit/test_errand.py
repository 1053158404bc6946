"""What another processor does meanwhile comes back whole, or it is known that it did not."""

from __future__ import annotations

import os
from typing import BinaryIO

import pytest

from nettop.errand import Errand


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_what_was_written_comes_back_and_nothing_is_left_open() -> None:
    before = descriptors()
    errand = Errand.send(lambda file: file.write(b"done " * 100_000))
    assert errand is not None
    assert bytes(errand.wait()) == b"done " * 100_000
    assert errand.whole
    assert descriptors() == before
    assert not os.path.exists(f"/proc/{errand.pid}")


def test_of_one_that_fails_there_is_what_it_had_written() -> None:
    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        file.flush()
        raise RuntimeError("the other half is missing")

    errand = Errand.send(fail)
    assert errand is not None
    assert bytes(errand.wait()) == b"half"
    assert not errand.whole


@pytest.mark.parametrize("call", ["fork", "memfd_create"])
def test_where_that_cannot_be_there_is_none(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, call, refuse)
    before = descriptors()
    assert Errand.send(lambda file: file.write(b"done")) is None
    assert descriptors() == before
