"""AF_NETLINK sockets of a network namespace, by sock_diag: who talks to the kernel, and the kernel's own ends.

Rests on include/uapi/linux/netlink_diag.h, netlink.h and net/netlink/diag.c. The kernel's end of each protocol has
port id 0 and an inode, though no process holds it.
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

_REQUEST = struct.Struct("=BBHIIQ")  # family, protocol, pad, inode, show, cookie
_MESSAGE = struct.Struct("=BBBBIIIIQ")
"""Family, type, protocol, state, port id, destination port id, destination group, inode, cookie."""

_EVERY_PROTOCOL = 0xFF
_SHOW_MEMINFO = 0x1
_MEMINFO = 0  # NETLINK_DIAG_MEMINFO
_CONNECTED = 1  # NETLINK_CONNECTED of net/netlink/af_netlink.h

_PROTOCOLS: Mapping[int, str] = {
    0: "rtnl",
    2: "usersock",
    3: "fw",
    4: "tcpdiag",
    5: "nflog",
    6: "xfrm",
    7: "selinux",
    8: "iscsi",
    9: "audit",
    10: "fiblookup",
    11: "connector",
    12: "nft",
    13: "ip6fw",
    14: "dec-rt",
    15: "uevent",
    16: "genl",
    18: "scsi-trans",
    19: "ecryptfs",
    20: "rdma",
    21: "crypto",
    22: "smc",
}


def netlink_protocol(number: int) -> str:
    """Name of a netlink protocol, as iproute2 has it in nl_protos."""
    return _PROTOCOLS.get(number) or str(number)


def parse_message(payload: bytes, origin: Origin) -> Tuple[Socket, SocketStats]:
    """Decode one struct netlink_diag_msg with its attributes.

    `remote` and `rport` are the group and port id a socket is connected to. The kernel tells no uid here."""
    _, kind, protocol, state, port, remote_port, remote_group, inode, cookie = _MESSAGE.unpack_from(payload)
    memory = parse_memory(parse_attributes(payload, _MESSAGE.size).get(_MEMINFO))
    connected = state == _CONNECTED
    row = plain_socket(
        origin,
        "netlink",
        "netlink",
        socket_kind(kind),
        netlink_protocol(protocol),
        inode=inode,
        lport=port,
        remote=str(remote_group) if connected else None,
        rport=remote_port if connected else None,
        cookie=cookie,
    )
    return row, plain_stats(UDP_STATES[CLOSE], memory.received, memory.sending, memory)


NETLINK = Family(
    "netlink",
    _REQUEST.pack(socket.AF_NETLINK, _EVERY_PROTOCOL, 0, 0, _SHOW_MEMINFO, 0),
    slice(20, 28),
    parse_message,
)
