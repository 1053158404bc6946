"""A storm of short connections: all are counted, or what is lost is; and its memory does not stay."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.bench.churn import run_churn

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="iproute2 is not installed"),
]


def test_two_thousand_connections_in_a_second_are_counted_to_the_byte() -> None:
    storm = run_churn(rate=2_000, seconds=1.0, rest=12.0)
    print(f"{storm.owned:.1%} with an owner, {storm.grown / (1 << 20):.1f} MB more than before")
    assert storm.connections == 2_000
    if not storm.lost:
        assert (storm.nettop.connections, storm.nettop.size) == (1.0, 1.0)
    else:
        assert storm.lost >= (1 - (storm.nettop.connections or 0)) * storm.connections
    assert storm.grown < 8 << 20
