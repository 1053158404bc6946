"""Connection tracking by raw netlink: which addresses were translated into which, and the bytes of each flow.

A flow has two tuples: `orig` as its first packet came in, `reply` as an answer comes in. Without translation one is the
other turned round; with it they say what each end takes the other for. Only where something asks for tracking (a
firewall rule with state, a NAT rule) does a namespace have flows at all.

A dump walks the hash table of the whole machine, whatever it finds: 3.3 ms with 262,144 buckets. So flows are dumped
rarely, and new and ended ones come by multicast, filtered in the kernel by a socket filter: only those that are
translated, and, for their final counters, UDP flows that end.

Rests on include/uapi/linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h, net/netfilter/nf_conntrack_netlink.c
and Documentation/networking/{nf_conntrack-sysctl,filter}.rst. Everything needs CAP_NET_ADMIN in the namespace.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
import sys
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from nettop.kernel import netns
from nettop.kernel.families import parse_attributes
from nettop.kernel.netlink import HEADER, NLM_F_REQUEST, NLMSG_ERROR, DiagSocket, payloads

NETLINK_NETFILTER = 12

SRC_NAT, DST_NAT = 0x10, 0x20  # IPS_*: the tuple's source, its destination was translated
TRANSLATED = SRC_NAT | DST_NAT
EVENT_BUFFER = 4 << 20
"""Bytes the kernel may queue of events: some 5,000."""

_CT = 1 << 8  # NFNL_SUBSYS_CTNETLINK
_NEW, _GET, _DELETE, _GET_STATS = _CT, _CT | 1, _CT | 2, _CT | 5
_GROUP_NEW, _GROUP_DESTROY = 1, 3  # NFNLGRP_CONNTRACK_*

# attributes, CTA_*
_ORIG, _REPLY, _STATUS, _TIMEOUT, _SENT, _ANSWERED, _ID, _FILTER, _STATUS_MASK = 1, 2, 3, 7, 9, 10, 12, 25, 26
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_PROTO_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_PACKETS, _BYTES = 1, 2
_ENTRIES, _MAX_ENTRIES = 1, 2  # CTA_STATS_GLOBAL_*
_NESTED = 0x8000

_PROC = "/proc/sys/net/netfilter/nf_conntrack_"
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


class Tuple4(NamedTuple):
    """What a packet of a flow says of where it comes from and goes to."""

    source: str
    sport: Optional[int]
    """None where the protocol has no ports."""
    destination: str
    dport: Optional[int]


class Counters(NamedTuple):
    """What went one way: bytes with the headers of IP and above."""

    packets: int
    bytes: int


class Flow(NamedTuple):
    """One tracked flow."""

    protocol: int
    """IPPROTO_*."""
    orig: Tuple4
    reply: Tuple4
    status: int
    """IPS_*: see `TRANSLATED`."""
    timeout: Optional[int]
    """Seconds until it is forgotten, unless a packet comes; None when it has ended."""
    number: Optional[int]
    """The kernel's id of the flow, for as long as it is tracked."""
    sent: Optional[Counters]
    """The way of `orig`; None where the flow began without accounting."""
    answered: Optional[Counters]
    """The way of `reply`."""


class Fill(NamedTuple):
    """How full the table is."""

    flows: int
    """Of this namespace."""
    most: int
    """A new connection beyond it is dropped; the same for every namespace, each counts its own."""


def present() -> bool:
    """Whether this kernel tracks connections: the module is loaded, or built in."""
    return os.path.exists(_PROC + "count")


def read_accounting(path: Optional[str] = None) -> bool:
    """Whether new flows of a namespace get byte counters (/proc/sys/net/netfilter/nf_conntrack_acct).

    `path` names the namespace, None is the caller's. Raises OSError where it is gone or may not be entered."""
    return _read_accounting() if path is None else netns.in_namespace(path, _read_accounting)


def _read_accounting() -> bool:
    with open(_PROC + "acct", "rb") as file:
        return file.read().strip() == b"1"


class ConntrackSocket(DiagSocket):
    """Answers questions about the flows of one namespace, and pins it until `close`.

    The first question loads nf_conntrack_netlink, as `conntrack -L` does: ask only where conntrack is `present`."""

    def __init__(self, path: Optional[str] = None) -> None:
        """As `DiagSocket`. Its methods raise OSError: EPERM without CAP_NET_ADMIN there."""
        super().__init__(path, NETLINK_NETFILTER)

    def fill(self) -> Fill:
        """How many flows there are, for a few microseconds: a namespace without needs no dump."""
        request = HEADER.pack(HEADER.size + 4, _GET_STATS, NLM_F_REQUEST, 0, 0) + bytes(4)
        self._clear()
        self._socket.send(request)
        answer = self._socket.recv(1 << 12)
        if HEADER.unpack_from(answer)[1] == NLMSG_ERROR:
            code = -struct.unpack_from("=i", answer, HEADER.size)[0]
            raise OSError(code, os.strerror(code))
        found = parse_attributes(answer, HEADER.size + 4)
        return Fill(_number(found.get(_ENTRIES)) or 0, _number(found.get(_MAX_ENTRIES)) or 0)

    def flows(self) -> List[Flow]:
        """Every flow, in one walk of the hash table."""
        return self._flows(bytes(4))

    def translated(self) -> List[Flow]:
        """Every flow with a translated address; the kernel leaves out the others. Two walks of the hash table: it
        compares status bits, and cannot say "one of two"."""
        either = ((SRC_NAT, SRC_NAT), (DST_NAT, TRANSLATED))
        return [flow for bits, mask in either for flow in self._flows(_having(bits, mask))]

    def udp(self, family: int) -> List[Flow]:
        """Every UDP flow of AF_INET or AF_INET6 (there is no both), with its counters so far. Linux 5.8."""
        return self._flows(_only(socket.IPPROTO_UDP, family))

    def _flows(self, request: bytes) -> List[Flow]:
        return list(parse_flows(payloads(self.dump(_GET, request))))


class ConntrackEvents:
    """New flows that are translated, and UDP flows that ended, of one namespace; pins it until `close`.

    A flow that began before anybody listened ends without an event (nf_conntrack_events is "auto")."""

    def __init__(self, path: Optional[str] = None, receive_buffer: int = EVENT_BUFFER) -> None:
        """As `ConntrackSocket`; raises OSError EPERM without CAP_NET_ADMIN."""
        self.overruns = 0
        """Times the kernel's queue was full and events were lost."""

        def open_here() -> socket.socket:
            made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
            _attach_filter(made)
            _enlarge(made, receive_buffer)
            made.bind((0, 0))
            for group in (_GROUP_NEW, _GROUP_DESTROY):
                made.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
            made.setblocking(False)
            return made

        self._socket = open_here() if path is None else netns.in_namespace(path, open_here)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def drain(self) -> Tuple[List[Flow], List[Flow]]:
        """(new, ended) since the last call, oldest first. What was lost is counted in `overruns`."""
        datagrams: Dict[int, List[bytes]] = {_NEW: [], _DELETE: []}
        while True:
            try:
                data = self._socket.recv(1 << 13)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overruns += 1
                continue
            if len(data) > HEADER.size:
                datagrams.get(HEADER.unpack_from(data)[1], []).append(data[HEADER.size :])
        return list(parse_flows(datagrams[_NEW])), list(parse_flows(datagrams[_DELETE]))


def parse_flows(messages: Iterable[bytes]) -> Iterator[Flow]:
    """The flow of each message, given without its netlink header; messages that tell none are left out."""
    for message in messages:
        flow = parse_flow(message)
        if flow is not None:
            yield flow


def parse_flow(message: bytes) -> Optional[Flow]:
    """Decode one ctnetlink message: struct nfgenmsg and attributes. None where the tuples are not there, or broken."""
    found = parse_attributes(message, 4)
    orig, reply = _tuple(found.get(_ORIG)), _tuple(found.get(_REPLY))
    if orig is None or reply is None:
        return None
    return Flow(
        protocol=orig[0],
        orig=orig[1],
        reply=reply[1],
        status=_number(found.get(_STATUS)) or 0,
        timeout=_number(found.get(_TIMEOUT)),
        number=_number(found.get(_ID)),
        sent=_counters(found.get(_SENT)),
        answered=_counters(found.get(_ANSWERED)),
    )


def _tuple(attribute: Optional[bytes]) -> Optional[Tuple[int, Tuple4]]:
    """(protocol, tuple) of a CTA_TUPLE_*."""
    if attribute is None:
        return None
    parts = parse_attributes(attribute, 0)
    addresses, rest = parse_attributes(parts.get(_TUPLE_IP, b""), 0), parse_attributes(parts.get(_TUPLE_PROTO, b""), 0)
    number = rest.get(_PROTO_NUMBER, b"")
    source = _address(addresses.get(1) or addresses.get(3))  # CTA_IP_V4_SRC, CTA_IP_V6_SRC
    destination = _address(addresses.get(2) or addresses.get(4))
    if not number or source is None or destination is None:
        return None
    return number[0], Tuple4(source, _port(rest.get(_SOURCE_PORT)), destination, _port(rest.get(_DESTINATION_PORT)))


def _address(packed: Optional[bytes]) -> Optional[str]:
    if packed is None or len(packed) not in (4, 16):
        return None
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def _port(attribute: Optional[bytes]) -> Optional[int]:
    return int.from_bytes(attribute, "big") if attribute is not None and len(attribute) == 2 else None


def _number(attribute: Optional[bytes]) -> Optional[int]:
    return _U32.unpack(attribute)[0] if attribute is not None and len(attribute) == _U32.size else None


def _counters(attribute: Optional[bytes]) -> Optional[Counters]:
    parts = parse_attributes(attribute or b"", 0)
    packets, size = parts.get(_PACKETS, b""), parts.get(_BYTES, b"")
    if len(packets) != _U64.size or len(size) != _U64.size:
        return None
    return Counters(_U64.unpack(packets)[0], _U64.unpack(size)[0])


# --- requests --------------------------------------------------------------------------------------------------------


def _attribute(kind: int, value: bytes) -> bytes:
    return (struct.pack("=HH", 4 + len(value), kind) + value).ljust(4 + len(value) + 3 & ~3, b"\0")


def _having(bits: int, mask: int) -> bytes:
    """A dump of flows whose status, of the bits in `mask`, has exactly `bits`."""
    return bytes(4) + _attribute(_STATUS, _U32.pack(bits)) + _attribute(_STATUS_MASK, _U32.pack(mask))


def _only(protocol: int, family: int) -> bytes:
    """A dump of the flows of one protocol and family."""
    by_number = _attribute(1, struct.pack("=I", 1 << 3))  # CTA_FILTER_ORIG_FLAGS: compare CTA_PROTO_NUM
    by_nothing = _attribute(2, struct.pack("=I", 0))  # CTA_FILTER_REPLY_FLAGS
    number = _attribute(_TUPLE_PROTO | _NESTED, _attribute(_PROTO_NUMBER, bytes([protocol])))
    chosen = _attribute(_FILTER | _NESTED, by_number + by_nothing) + _attribute(_ORIG | _NESTED, number)
    return bytes([family, 0, 0, 0]) + chosen


# --- events ----------------------------------------------------------------------------------------------------------

_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE = 26, 33

# classic BPF, include/uapi/linux/filter.h: A and X are its registers, AD_* its extensions for netlink attributes
_SET_A, _SET_X, _A_WORD_AT, _A_BYTE_AT, _A_WORD_AT_X, _A_BYTE_AT_X, _X_IS_A = 0x00, 0x01, 0x20, 0x30, 0x40, 0x50, 0x07
_IF_EQUAL, _IF_ANY_BIT, _RETURN = 0x15, 0x45, 0x06
_AD_ATTRIBUTE, _AD_NESTED = (
    0xFFFFF00C,
    0xFFFFF010,
)  # A = where attribute X is, from A on or inside the one at A; 0: none
_NO, _YES = (_RETURN, 0, 0, 0), (_RETURN, 0, 0, 0xFFFFFFFF)
_Code = Tuple[int, int, int, int]
"""Operation, instructions to skip if true and if false, operand."""

_FIRST: _Code = (_SET_A, 0, 0, HEADER.size + 4)  # where the attributes begin, behind struct nfgenmsg
_IF_TRANSLATED: Tuple[_Code, ...] = (
    _FIRST,
    (_SET_X, 0, 0, _STATUS),
    (_A_WORD_AT, 0, 0, _AD_ATTRIBUTE),
    (_IF_EQUAL, 3, 0, 0),
    (_X_IS_A, 0, 0, 0),
    (_A_WORD_AT_X, 0, 0, 4),
    (_IF_ANY_BIT, 1, 0, TRANSLATED),
    _NO,
    _YES,
)
_IF_UDP: Tuple[_Code, ...] = (
    _FIRST,
    (_SET_X, 0, 0, _ORIG),
    (_A_WORD_AT, 0, 0, _AD_ATTRIBUTE),
    (_IF_EQUAL, 8, 0, 0),
    (_SET_X, 0, 0, _TUPLE_PROTO),
    (_A_WORD_AT, 0, 0, _AD_NESTED),
    (_IF_EQUAL, 5, 0, 0),
    (_SET_X, 0, 0, _PROTO_NUMBER),
    (_A_WORD_AT, 0, 0, _AD_NESTED),
    (_X_IS_A, 0, 0, 0),
    (_A_BYTE_AT_X, 0, 0, 4),
    (_IF_EQUAL, 1, 0, socket.IPPROTO_UDP),
    _NO,
    _YES,
)
_TYPE_AT = 4 if sys.byteorder == "little" else 5  # low byte of nlmsg_type: which message of ctnetlink it is
_PROGRAM: Tuple[_Code, ...] = (
    (_A_BYTE_AT, 0, 0, _TYPE_AT),
    (_IF_EQUAL, len(_IF_TRANSLATED), 0, _DELETE & 0xFF),
    *_IF_TRANSLATED,
    *_IF_UDP,
)


def _attach_filter(made: socket.socket) -> None:
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in _PROGRAM)
    program = ctypes.create_string_buffer(code, len(code))
    made.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(_PROGRAM), ctypes.addressof(program)))


def _enlarge(made: socket.socket, size: int) -> None:
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    except PermissionError:
        with contextlib.suppress(OSError):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
