"""What the protocols of a network namespace count, errors above all: /proc/PID/net/snmp, snmp6 and netstat.

RFC 4022 (TCP) and RFC 4113 (UDP) name the counters of snmp; those of netstat are Linux's own (include/uapi/linux/
snmp.h, Documentation/networking/snmp_counter.rst). Each read adds up the counters of all processors: 20 µs a file.
"""

from __future__ import annotations

import contextlib
from typing import Callable, Dict, Mapping, Optional, Tuple

from nettop.model import ProtocolCounters

FILES = ("snmp", "netstat", "snmp6")


def read_protocols(read: Callable[[str], bytes]) -> ProtocolCounters:
    """The counters of the namespace whose /proc/PID/net files `read` returns by name.

    Without IPv6 there is no snmp6. Raises OSError where the namespace cannot be read."""
    counters = {**parse_paired(read("snmp")), **parse_paired(read("netstat"))}
    with contextlib.suppress(FileNotFoundError):
        counters.update(parse_single(read("snmp6")))
    return protocols(counters)


def protocols(counters: Mapping[str, int]) -> ProtocolCounters:
    """The counters that tell what goes wrong; None for those a kernel does not have."""

    def both(name: str) -> Optional[int]:
        four, six = counters.get(f"Udp.{name}"), counters.get(f"Udp6{name}")
        return None if four is None and six is None else (four or 0) + (six or 0)

    get = counters.get
    return ProtocolCounters(
        out_segs=get("Tcp.OutSegs"),
        retrans_segs=get("Tcp.RetransSegs"),
        timeouts=get("TcpExt.TCPTimeouts"),
        out_of_order=get("TcpExt.TCPOFOQueue"),
        attempt_fails=get("Tcp.AttemptFails"),
        resets=get("Tcp.EstabResets"),
        listen_overflows=get("TcpExt.ListenOverflows"),
        listen_drops=get("TcpExt.ListenDrops"),
        rcv_pruned=get("TcpExt.PruneCalled"),
        udp_in=both("InDatagrams"),
        udp_out=both("OutDatagrams"),
        udp_errors=both("InErrors"),
        udp_rcvbuf_errors=both("RcvbufErrors"),
        udp_sndbuf_errors=both("SndbufErrors"),
        udp_no_port=both("NoPorts"),
    )


def parse_paired(data: bytes) -> Dict[str, int]:
    """ "Tcp.RetransSegs" → value, of snmp and netstat: a line of names and one of numbers for each protocol."""
    counters: Dict[str, int] = {}
    names: Dict[bytes, Tuple[bytes, ...]] = {}
    for line in data.splitlines():
        protocol, colon, rest = line.partition(b":")
        words = tuple(rest.split())
        if not colon:
            continue
        titles = names.pop(protocol, None)
        if titles is None:
            names[protocol] = words
            continue
        for title, word in zip(titles, words):
            try:
                counters[f"{protocol.decode('ascii', 'replace')}.{title.decode('ascii', 'replace')}"] = int(word)
            except ValueError:
                continue
    return counters


def parse_single(data: bytes) -> Dict[str, int]:
    """ "Udp6InErrors" → value, of snmp6: a name and a number on each line."""
    counters: Dict[str, int] = {}
    for line in data.splitlines():
        words = line.split()
        if len(words) == 2:
            try:
                counters[words[0].decode("ascii", "replace")] = int(words[1])
            except ValueError:
                continue
    return counters
