"""The counters of /proc/PID/net/snmp, snmp6 and netstat."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nettop.kernel.snmp import parse_paired, parse_single, protocols, read_protocols

# of a Linux 6.18 machine, shortened to two protocols and a few columns
SNMP = b"""Tcp: RtoMin AttemptFails EstabResets OutSegs RetransSegs
Tcp: 200 12 3 4096 17
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
Udp: 100 5 2 90 1 0
"""
NETSTAT = b"""TcpExt: ListenOverflows ListenDrops TCPTimeouts TCPOFOQueue PruneCalled
TcpExt: 7 8 9 10 11
"""
SNMP6 = b"Ip6InReceives \t5\nUdp6InDatagrams \t20\nUdp6InErrors \t1\nUdp6NoPorts \t0\n"


def test_the_counters_of_both_families_are_one() -> None:
    files = {"snmp": SNMP, "netstat": NETSTAT, "snmp6": SNMP6}
    told = read_protocols(files.__getitem__)
    assert (told.out_segs, told.retrans_segs, told.attempt_fails, told.resets) == (4096, 17, 12, 3)
    assert (told.listen_overflows, told.listen_drops, told.timeouts, told.out_of_order) == (7, 8, 9, 10)
    assert (told.udp_in, told.udp_errors, told.udp_no_port, told.udp_rcvbuf_errors) == (120, 3, 5, 1)


def test_a_kernel_without_ipv6_has_no_second_file() -> None:
    def read(name: str) -> bytes:
        if name == "snmp6":
            raise FileNotFoundError(name)
        return {"snmp": SNMP, "netstat": NETSTAT}[name]

    assert read_protocols(read).udp_in == 100


def test_what_the_kernel_does_not_count_is_unknown() -> None:
    assert set(protocols({})) == {None}


@given(st.binary())
def test_any_bytes_make_counters_or_none(data: bytes) -> None:
    for counters in (parse_paired(data), parse_single(data)):
        assert all(isinstance(value, int) for value in counters.values())


def test_the_machine_itself_says_what_it_sends() -> None:
    def read(name: str) -> bytes:
        with open(f"/proc/self/net/{name}", "rb") as file:
            return file.read()

    told = read_protocols(read)
    assert told.out_segs is not None
    assert told.listen_drops is not None
