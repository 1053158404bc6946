"""What the child that reads links answers."""

from __future__ import annotations

import json

import pytest

from nettop.kernel.rtnetlink import Links, parse_links
from nettop.model import Interface

ETH0 = Interface(
    1,
    2,
    "eth0",
    None,
    "UP",
    1500,
    "02:00:00:00:00:01",
    ("10.0.0.1/24", "fe80::1/64"),
    False,
    "br0",
    "outer",
    7,
    10_000,
    "full",
)


def test_an_answer_survives_the_way_through_json() -> None:
    links = Links({"/run/netns/web": [ETH0]}, {"/run/netns/gone": "No such file or directory"}, {"/run/netns/web": 0})
    assert parse_links(json.dumps(links._asdict()).encode()) == links


def test_an_answer_cut_short_is_an_error() -> None:
    with pytest.raises(ValueError, match="line 1"):
        parse_links(b'{"interfaces": {"/run/netns/web": [[1, 2')
