"""Sockets from /proc/PID/net: the way without netlink and without setns.

The table of another namespace can be read there by anyone who may read the process, in an unprivileged container too,
where sock_diag does not reach. It says less: no cookie, no byte counts, no interface. Rests on proc_net(5) and
Documentation/networking/proc_net_tcp.rst, net/ipv4/{tcp_ipv4,udp,raw,ping}.c, net/unix/af_unix.c,
net/packet/af_packet.c, net/netlink/af_netlink.c. 6 µs a socket.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from functools import lru_cache
from typing import List, Mapping, NamedTuple, Tuple, Union

from nettop.kernel import netns
from nettop.kernel.families import Memory, Origin, plain_socket, plain_stats, socket_kind
from nettop.kernel.netlink_diag import netlink_protocol
from nettop.kernel.packet_diag import ethernet_protocol
from nettop.kernel.states import CLOSE, LISTEN, TCP_STATES, TIME_WAIT, UDP_STATES, UNKNOWN
from nettop.model import Socket, SocketStats

_PART = 1 << 16

Row = Tuple[Socket, SocketStats]


class InetFile(NamedTuple):
    """One file of IP sockets."""

    proto: str
    family: str
    kind: str


INET_FILES: Mapping[str, InetFile] = {
    "tcp": InetFile("tcp", "inet", "stream"),
    "tcp6": InetFile("tcp", "inet6", "stream"),
    "udp": InetFile("udp", "inet", "dgram"),
    "udp6": InetFile("udp", "inet6", "dgram"),
    "udplite": InetFile("udplite", "inet", "dgram"),
    "udplite6": InetFile("udplite", "inet6", "dgram"),
    "raw": InetFile("raw", "inet", "raw"),
    "raw6": InetFile("raw", "inet6", "raw"),
    "icmp": InetFile("icmp", "inet", "dgram"),
    "icmp6": InetFile("icmp", "inet6", "dgram"),
}
"""Every file `parse_inet` reads, by its name; its port is the protocol number for raw, the echo id for icmp."""

_HAS_DROPS = 12  # column of udp and its likes
_SECOND = 1_000_000  # in the microseconds of SocketStats

# struct sockaddr_un's path may hold a newline, so a line is what begins like one
_UNIX_LINE = re.compile(
    rb"^[0-9a-fA-F]{8,16}: [0-9A-F]{8} [0-9A-F]{8} ([0-9A-F]{8}) ([0-9A-F]{4}) ([0-9A-F]{2}) +([0-9]+)(?: |$)", re.M
)
_UNIX_LISTENS = 0x10000  # __SO_ACCEPTCON
_UNIX_STATES: Mapping[int, str] = {1: "UNCONN", 2: "SYN-SENT", 3: "ESTAB", 4: "CLOSING"}
"""SS_* of include/uapi/linux/net.h, in the words `ss` has for them."""


def read_table(pid: Union[int, str], name: str) -> bytes:
    """/proc/PID/net/NAME, of the namespace that process is in; pid "self" for our own.

    Raises FileNotFoundError where the process is gone, or the kernel has no such protocol; PermissionError."""
    parts: List[bytes] = []
    file = os.open(f"/proc/{pid}/net/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        while True:  # half the time of a file object, which counts where hundreds of namespaces are read
            part = os.read(file, _PART)
            if not part:
                return b"".join(parts)
            parts.append(part)
    finally:
        os.close(file)


def read_table_at(path: str, name: str) -> bytes:
    """The same of the namespace at a path, one without a process too. Raises as `netns.enter` and `read_table`."""
    return netns.in_namespace(path, lambda: read_table("thread-self", name))


def parse_table(name: str, data: bytes, origin: Origin) -> List[Row]:
    """Decode the file of that name: one of `INET_FILES`, or unix, packet, netlink."""
    if name in INET_FILES:
        return parse_inet(data, INET_FILES[name], origin)
    return {"unix": parse_unix, "packet": parse_packet, "netlink": parse_netlink}[name](data, origin)


def parse_inet(data: bytes, file: InetFile, origin: Origin) -> List[Row]:
    """Rows of a table of `INET_FILES`.

    Of a TCP socket, the rto and what the retransmission timer did are told, of the others the drops. A listener's
    accept limit and the owner of a TIME-WAIT socket are not."""
    tcp = file.proto == "tcp"
    address = _address_v4 if file.family == "inet" else _address_v6
    rows = []
    for line in data.splitlines()[1:]:
        columns = line.split()
        local, _, lport = columns[1].partition(b":")
        remote, _, rport = columns[2].partition(b":")
        state = int(columns[3], 16)
        owned = not (tcp and state == TIME_WAIT)  # there the kernel prints uid 0 for want of an owner
        row = plain_socket(
            origin,
            file.proto,
            file.family,
            file.kind,
            address(local),
            inode=int(columns[9]),
            lport=int(lport, 16),
            remote=address(remote),
            rport=int(rport, 16),
            uid=int(columns[7]) if owned else None,
        )
        rows.append((row, _tcp_stats(columns, state) if tcp else _plain_stats(columns, state)))
    return rows


def _tcp_stats(columns: List[bytes], state: int) -> SocketStats:
    sendq, _, recvq = columns[4].partition(b":")
    listens = state == LISTEN
    stats = plain_stats(TCP_STATES.get(state, UNKNOWN), int(recvq, 16), None if listens else int(sendq, 16), Memory())
    if listens or len(columns) < 17:
        return stats  # TIME-WAIT and SYN-RECV have fewer columns
    ssthresh = int(columns[16])
    return stats._replace(
        rto=int(columns[12]) * _SECOND // os.sysconf("SC_CLK_TCK"),
        backoff=int(columns[6], 16),
        cwnd=int(columns[15]),
        ssthresh=ssthresh if ssthresh >= 0 else None,  # -1: no threshold yet
    )


def _plain_stats(columns: List[bytes], state: int) -> SocketStats:
    sendq, _, recvq = columns[4].partition(b":")
    memory = Memory(drops=int(columns[_HAS_DROPS]))
    return plain_stats(UDP_STATES.get(state, UNKNOWN), int(recvq, 16), int(sendq, 16), memory)


@lru_cache(maxsize=20_000)
def _address_v4(text: bytes) -> str:
    """An address is printed as the native number its bytes would be, so it reads backwards on most machines."""
    return socket.inet_ntop(socket.AF_INET, struct.pack("=I", int(text, 16)))


@lru_cache(maxsize=20_000)
def _address_v6(text: bytes) -> str:
    words = (int(text[at : at + 8], 16) for at in range(0, 32, 8))
    return socket.inet_ntop(socket.AF_INET6, struct.pack("=4I", *words))


def parse_unix(data: bytes, origin: Origin) -> List[Row]:
    """Rows of /proc/PID/net/unix.

    The kernel prints paths as they are, and a path may hold a newline. What follows one belongs to the path, unless
    it has the form of a line: a process can forge lines here, and cannot in sock_diag."""
    lines = list(_UNIX_LINE.finditer(data))
    ends = [line.start() - 1 for line in lines[1:]] + [len(data) - 1 if data.endswith(b"\n") else len(data)]
    rows = []
    for line, end in zip(lines, ends):
        flags, kind, state, inode = line.groups()
        path = data[line.end() : end].decode(errors="replace")
        row = plain_socket(origin, "unix", "unix", socket_kind(int(kind, 16)), path or None, inode=int(inode))
        word = "LISTEN" if int(flags, 16) & _UNIX_LISTENS else _UNIX_STATES.get(int(state, 16), UNKNOWN)
        rows.append((row, plain_stats(word, None, None, Memory())))
    return rows


def parse_packet(data: bytes, origin: Origin) -> List[Row]:
    """Rows of /proc/PID/net/packet."""
    rows = []
    for line in data.splitlines()[1:]:
        _, _, kind, protocol, index, _, received, uid, inode = line.split()[:9]
        row = plain_socket(
            origin,
            "packet",
            "packet",
            socket_kind(int(kind)),
            ethernet_protocol(int(protocol, 16)),
            inode=int(inode),
            uid=int(uid),
            iface=origin.interface(int(index)) if int(index) else None,
        )
        rows.append((row, plain_stats(UDP_STATES[CLOSE], int(received), None, Memory())))
    return rows


def parse_netlink(data: bytes, origin: Origin) -> List[Row]:
    """Rows of /proc/PID/net/netlink; whether a socket is connected, and raw or dgram, is not told: raw is assumed,
    netlink(7) makes no difference."""
    rows = []
    for line in data.splitlines()[1:]:
        _, protocol, port, _, received, sending, _, _, drops, inode = line.split()[:10]
        name = netlink_protocol(int(protocol))
        row = plain_socket(origin, "netlink", "netlink", "raw", name, inode=int(inode), lport=int(port))
        rows.append((row, plain_stats(UDP_STATES[CLOSE], int(received), int(sending), Memory(drops=int(drops)))))
    return rows
