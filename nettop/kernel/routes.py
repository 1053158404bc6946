"""Routes and neighbours of a network namespace, by rtnetlink: RTM_GETROUTE and RTM_GETNEIGH dumps.

Raw, because a person waits for them: under 1 ms for some dozens of each, where pyroute2 in a child process takes 170 ms
(see `rtnetlink`). A router may hold a million: reading ends at `MOST`, and closing the socket ends the dump.

Rests on rtnetlink(7), include/uapi/linux/rtnetlink.h and neighbour.h.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import struct
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from nettop.kernel import netns
from nettop.kernel.families import parse_attributes
from nettop.kernel.netlink import HEADER, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR

MOST = 1000
"""Rows of either kind that are read."""

_RTM_GETROUTE = 26
_RTM_GETNEIGH = 30
_ROUTE = struct.Struct("=BBBBBBBBI")  # struct rtmsg
_NEIGHBOUR = struct.Struct("=BxxxiHBB")  # struct ndmsg
_HOP = struct.Struct("=HBBi")  # struct rtnexthop
_FAMILY = struct.Struct("=H")
_U32 = struct.Struct("=I")
_ERROR = struct.Struct("=i")

_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC = 1, 4, 5, 6, 7
_RTA_MULTIPATH, _RTA_TABLE, _RTA_VIA = 9, 15, 18
_NDA_DST, _NDA_LLADDR = 1, 2
_RTM_F_CLONED = 0x200  # an entry of a cache, no route
_LOCAL_TABLE = 255  # the kernel's own: addresses of this machine, and broadcast
_NUD_NOARP = 0x40
_DATAGRAM = 1 << 15
_PATIENCE = 2  # seconds

KINDS: Mapping[int, str] = {
    1: "unicast",
    2: "local",
    3: "broadcast",
    4: "anycast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
    9: "throw",
    10: "nat",
}
"""RTN_*, in the words of ip-route(8)."""

ORIGINS: Mapping[int, str] = {
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    9: "ra",
    11: "zebra",
    12: "bird",
    16: "dhcp",
    17: "mrouted",
    18: "keepalived",
    186: "bgp",
    187: "isis",
    188: "ospf",
    189: "rip",
    192: "eigrp",
}
"""RTPROT_*: who made a route, as iproute2's rt_protos says."""

TABLES: Mapping[int, str] = {253: "default", 254: "main", _LOCAL_TABLE: "local"}
"""As iproute2's rt_tables; others go by their number."""

STATES: Mapping[int, str] = {
    0x00: "none",
    0x01: "incomplete",
    0x02: "reachable",
    0x04: "stale",
    0x08: "delay",
    0x10: "probe",
    0x20: "failed",
    _NUD_NOARP: "noarp",
    0x80: "permanent",
}
"""NUD_*: whether a neighbour answers, in the words of ip-neighbour(8)."""


class Route(NamedTuple):
    """One way out of the namespace; a route over several hops is as many of them."""

    to: str
    """Network with prefix length, or default."""
    via: Optional[str]
    """Address of the router; None where the destination is on the link itself."""
    interface: Optional[int]
    """Index of the interface it leaves by; None for what leads nowhere: unreachable, blackhole."""
    source: Optional[str]
    """The address preferred for what is sent this way."""
    metric: Optional[int]
    """Of two routes to the same network the lower one is taken."""
    kind: str
    origin: str
    table: str


class Neighbour(NamedTuple):
    """The link-layer address behind an address."""

    address: str
    interface: int
    link: Optional[str]
    """None where nobody has answered."""
    state: str


class Ways(NamedTuple):
    """Routes and neighbours of one namespace."""

    routes: List[Route]
    neighbours: List[Neighbour]
    interfaces: Dict[int, str]
    """Index → name of every interface there: whatever somebody named it."""
    more: bool
    """There are more of one kind than were read."""


def read_ways(path: Optional[str]) -> Ways:
    """Routes, without those of the kernel's local table, and neighbours of the namespace at `path` (None: this
    process's own). Raises OSError where it is gone (ENOENT), may not be entered (EPERM), or the kernel refuses."""
    return _read() if path is None else netns.in_namespace(path, _read)


def parse_route(payload: bytes) -> List[Route]:
    """Decode one RTM_NEWROUTE, one row a hop; nothing where it is no route to tell: of the local table, or cached.

    Raises struct.error or ValueError where it is cut short."""
    family, prefix, _, _, table, protocol, _, kind, flags = _ROUTE.unpack_from(payload)
    attributes = parse_attributes(payload, _ROUTE.size)
    table = _number(attributes.get(_RTA_TABLE)) or table
    if flags & _RTM_F_CLONED or table == _LOCAL_TABLE or family not in (socket.AF_INET, socket.AF_INET6):
        return []
    destination = _address(family, attributes.get(_RTA_DST))
    template = Route(
        to=f"{destination}/{prefix}" if destination else "default" if not prefix else f"0/{prefix}",
        via=None,
        interface=None,
        source=_address(family, attributes.get(_RTA_PREFSRC)),
        metric=_number(attributes.get(_RTA_PRIORITY)),
        kind=KINDS.get(kind, str(kind)),
        origin=ORIGINS.get(protocol, str(protocol)),
        table=TABLES.get(table, str(table)),
    )
    if _RTA_MULTIPATH in attributes:
        return [
            template._replace(via=_router(family, hop), interface=interface)
            for interface, hop in _hops(attributes[_RTA_MULTIPATH])
        ]
    return [template._replace(via=_router(family, attributes), interface=_number(attributes.get(_RTA_OIF)))]


def parse_neighbour(payload: bytes) -> Optional[Neighbour]:
    """Decode one RTM_NEWNEIGH; None for what needs no address resolution (NOARP) and for other families (bridges).

    Raises struct.error or ValueError where it is cut short."""
    family, interface, state, _, _ = _NEIGHBOUR.unpack_from(payload)
    attributes = parse_attributes(payload, _NEIGHBOUR.size)
    address = _address(family, attributes.get(_NDA_DST))
    if address is None or state & _NUD_NOARP:
        return None
    link = attributes.get(_NDA_LLADDR)
    return Neighbour(address, interface, link.hex(":") if link else None, STATES.get(state, str(state)))


def _read() -> Ways:
    with contextlib.closing(open_route()) as raw:
        routes = list(itertools.islice(_routes(dump(raw, _RTM_GETROUTE, _ROUTE.size)), MOST + 1))
    with contextlib.closing(open_route()) as raw:  # the first may still be full of routes
        neighbours = list(itertools.islice(_neighbours(dump(raw, _RTM_GETNEIGH, _NEIGHBOUR.size)), MOST + 1))
    names = {index: os.fsencode(name).decode("utf-8", "replace") for index, name in socket.if_nameindex()}
    return Ways(routes[:MOST], neighbours[:MOST], names, len(routes) > MOST or len(neighbours) > MOST)


def _routes(messages: Iterator[bytes]) -> Iterator[Route]:
    for payload in messages:
        yield from parse_route(payload)


def _neighbours(messages: Iterator[bytes]) -> Iterator[Neighbour]:
    for payload in messages:
        neighbour = parse_neighbour(payload)
        if neighbour is not None:
            yield neighbour


def _hops(data: bytes) -> Iterator[Tuple[int, Dict[int, bytes]]]:
    """(index of the interface, attributes) of each hop of RTA_MULTIPATH."""
    offset = 0
    while offset + _HOP.size <= len(data):
        length, _, _, interface = _HOP.unpack_from(data, offset)
        if length < _HOP.size:
            raise ValueError(f"a hop of {length} bytes")
        yield interface, parse_attributes(data[: offset + length], offset + _HOP.size)
        offset += length + 3 & ~3


def _router(family: int, attributes: Mapping[int, bytes]) -> Optional[str]:
    via = attributes.get(_RTA_VIA)  # of another family than the destination's: struct rtvia
    if via is not None:
        return _address(_FAMILY.unpack_from(via)[0], via[_FAMILY.size :])
    return _address(family, attributes.get(_RTA_GATEWAY))


def _address(family: int, data: Optional[bytes]) -> Optional[str]:
    if data is None or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    return socket.inet_ntop(family, data)


def _number(data: Optional[bytes]) -> Optional[int]:
    number: Optional[int] = _U32.unpack_from(data)[0] if data is not None else None
    return number


def open_route() -> socket.socket:
    """A socket of rtnetlink in the calling thread's namespace, for `dump`. Raises OSError."""
    raw = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    raw.settimeout(_PATIENCE)
    raw.bind((0, 0))
    return raw


def dump(raw: socket.socket, kind: int, fixed: int) -> Iterator[bytes]:
    """The payload of every message of a dump; OSError where the kernel refuses. `fixed`: size of the request's body,
    all zero, which is every family."""
    raw.send(HEADER.pack(HEADER.size + fixed, kind, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + bytes(fixed))
    while True:
        data = raw.recv(_DATAGRAM)
        offset = 0
        while offset + HEADER.size <= len(data):
            length, message, _, _, _ = HEADER.unpack_from(data, offset)
            if message == NLMSG_DONE or length < HEADER.size:
                return
            payload = data[offset + HEADER.size : offset + length]
            if message == NLMSG_ERROR:
                code = -_ERROR.unpack_from(payload)[0]
                raise OSError(code, os.strerror(code))
            yield payload
            offset += length + 3 & ~3
