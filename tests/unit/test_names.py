"""Ports have the names of services(5), where they have one."""

from __future__ import annotations

import socket

import pytest

from nettop.names import Services


@pytest.fixture(autouse=True)
def _services() -> None:
    try:
        socket.getservbyport(22)
    except OSError:
        pytest.skip("this machine knows no services: there is no /etc/services")


@pytest.mark.parametrize(
    ("number", "proto", "name"), [(22, "tcp", "ssh"), (443, "tcp", "https"), (53, "udp", "domain")]
)
def test_a_well_known_port_has_a_name(number: int, proto: str, name: str) -> None:
    assert Services().port(number, proto) == name


def test_of_any_protocol_where_none_is_given() -> None:
    assert Services().port(22, None) == "ssh"


@pytest.mark.parametrize("proto", ["mptcp", "udplite"])
def test_a_protocol_on_top_of_another_has_its_services(proto: str) -> None:
    assert Services().port(53, proto) == "domain"


@pytest.mark.parametrize(("number", "proto"), [(64999, "tcp"), (22, "netlink"), (-1, "tcp"), (1 << 20, "tcp")])
def test_what_has_no_name_stays_a_number(number: int, proto: str) -> None:
    assert Services().port(number, proto) is None


def test_a_port_the_kernel_hands_out_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getservbyport", lambda *_: "somebody")
    assert Services().port(40001, "tcp") is None


def test_nobody_is_asked_for_the_name_of_a_host() -> None:
    assert Services().host("127.0.0.1") is None
