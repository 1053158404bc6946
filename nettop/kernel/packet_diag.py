"""AF_PACKET sockets of a network namespace, by sock_diag: who captures (tcpdump, dhclient, nettop's neighbours).

Rests on include/uapi/linux/packet_diag.h, net/packet/diag.c and include/uapi/linux/if_ether.h.
"""

from __future__ import annotations

import socket
import struct
from typing import Mapping, Tuple

from nettop.kernel.families import (
    Family,
    Origin,
    parse_attributes,
    parse_memory,
    plain_socket,
    plain_stats,
    socket_kind,
)
from nettop.kernel.states import CLOSE, UDP_STATES
from nettop.model import Socket, SocketStats

_U32 = struct.Struct("=I")
_REQUEST = struct.Struct("=BBHIIQ")  # family, protocol, pad, inode, show, cookie
_MESSAGE = struct.Struct("=BBHIQ")  # family, type, ethernet protocol, inode, cookie

_SHOW_INFO, _SHOW_MEMINFO = 0x1, 0x10

# PACKET_DIAG_*; the first u32 of INFO is the interface's index, 0 for every interface
_INFO, _UID, _MEMINFO = 0, 5, 6

_ETHERNET_PROTOCOLS: Mapping[int, str] = {
    0x0003: "*",
    0x0800: "ip",
    0x0806: "arp",
    0x8100: "802.1Q",
    0x86DD: "ipv6",
    0x8847: "mpls_uc",
    0x8863: "ppp_disc",
    0x8864: "ppp_ses",
    0x888E: "eapol",
    0x88A8: "802.1ad",
    0x88CC: "lldp",
}


def ethernet_protocol(number: int) -> str:
    """Name of what a packet socket captures, in the words of iproute2; * for everything, hexadecimal for the rest."""
    return _ETHERNET_PROTOCOLS.get(number) or f"0x{number:04x}"


def parse_message(payload: bytes, origin: Origin) -> Tuple[Socket, SocketStats]:
    """Decode one struct packet_diag_msg with its attributes."""
    _, kind, number, inode, cookie = _MESSAGE.unpack_from(payload)
    attributes = parse_attributes(payload, _MESSAGE.size)
    (index,) = _U32.unpack_from(attributes.get(_INFO, bytes(4)))
    memory = parse_memory(attributes.get(_MEMINFO))
    row = plain_socket(
        origin,
        "packet",
        "packet",
        socket_kind(kind),
        ethernet_protocol(number),
        inode=inode,
        uid=_U32.unpack(attributes[_UID])[0] if _UID in attributes else None,
        cookie=cookie,
        iface=origin.interface(index) if index else None,
    )
    return row, plain_stats(UDP_STATES[CLOSE], memory.received, memory.sending, memory)


PACKET = Family(
    "packet",
    _REQUEST.pack(socket.AF_PACKET, 0, 0, 0, _SHOW_INFO | _SHOW_MEMINFO, 0),
    slice(8, 16),
    parse_message,
)
