"""The same row in other tools: the command of ss, tcpdump or conntrack that shows it, ready for a shell.

Only numbers, addresses and inodes of the machine get into a command; a name only where it is quoted and printable.
"""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

from nettop.model import Namespace, Socket
from nettop.snapshot import Connection, NamespaceRow, ProcessRow


class Recipe(NamedTuple):
    """A command, and what it is for."""

    tool: str
    command: str


_TABLES = {
    "tcp": "-t",
    "udp": "-u",
    "raw": "-w",
    "icmp": "-w",
    "sctp": "-S",
    "mptcp": "-M",
    "unix": "-x",
    "packet": "-0",
}
"""Protocol → the option of ss that lists it; where it is missing, ss has none, or shows nothing to know a row by."""

_WITH_PORTS = ("tcp", "udp")
_INET = ("inet", "inet6")


def recipes(row: Any) -> list[Recipe]:
    """What may be asked of other tools about a row; empty where none knows of it."""
    if isinstance(row, Connection):
        return list(_of_connection(row))
    if isinstance(row, ProcessRow):
        return list(_of_process(row))
    if isinstance(row, NamespaceRow):
        inside = _entering(row.namespace)
        return [] if inside is None else [Recipe("nsenter" if inside else "ss", f"{inside}ss -tuanp")]
    return []


def _of_connection(row: Connection) -> Iterator[Recipe]:
    socket, namespace = row.socket, row.namespace
    inside = _entering(namespace)
    if inside is None:  # there is no way in
        return
    listing = _ss(socket)
    if listing:
        yield Recipe("nsenter" if inside else "ss", inside + listing)
    if socket.family in _INET:
        packets = _tcpdump(socket)
        if packets:
            yield Recipe("tcpdump", inside + packets)
        if socket.proto in _WITH_PORTS and socket.ends is not None:
            yield Recipe("conntrack", _conntrack(socket.proto, *socket.ends, inside))


def _of_process(row: ProcessRow) -> Iterator[Recipe]:
    pid = row.process.pid
    inside = _entering(row.namespace)
    if inside is not None:
        yield Recipe("nsenter" if inside else "ss", f"{inside}ss -tuanp | grep -w pid={pid}")
    if row.process.netns is not None:
        yield Recipe("shell", f"nsenter -t {pid} -n")


def _entering(namespace: Namespace | None) -> str | None:
    """What to put before a command for it to run in a namespace; None where no process leads into it by number and no
    name by `ip netns`."""
    if namespace is None or namespace.kind == "host":
        return ""
    if namespace.pid is not None:
        return f"nsenter -t {namespace.pid} -n "
    if namespace.name and namespace.name.isprintable():
        return f"ip netns exec {shlex.quote(namespace.name)} "
    return None


def _ss(socket: Socket) -> str | None:
    option = _TABLES.get(socket.proto)
    if option is None:
        return None
    if socket.family not in _INET:
        return f"ss -aenp {option} | grep -w {socket.inode}" if socket.inode else None
    ends = [*_end("src", "sport", socket.local, socket.lport), *_end("dst", "dport", socket.remote, socket.rport)]
    family = "-4" if socket.family == "inet" else "-6"
    return " ".join(["ss -anpemio", option, family, *([shlex.quote(" and ".join(ends))] if ends else [])])


def _end(address_word: str, port_word: str, address: str | None, port: int | None) -> Iterator[str]:
    """One end in the filter language of ss; an end that is any is not mentioned."""
    if address is not None and not _any(address):
        host = f"[{address}]" if ":" in address else address
        yield f"{address_word} {host}:{port}" if port else f"{address_word} {host}"
    elif port:
        yield f"{port_word} = :{port}"


def _tcpdump(socket: Socket) -> str | None:
    """Packets of both directions on any interface, in the language of pcap-filter(7)."""
    ports = socket.proto in _WITH_PORTS
    terms = [socket.proto] if ports else []
    local, lport, remote, rport = socket.ends or (socket.local, socket.lport, socket.remote, socket.rport)
    for address, port in ((local, lport), (remote, rport)):
        if address is not None and not _any(address):
            terms.append(f"host {address}")
        if port and ports:
            terms.append(f"port {port}")
    return f"tcpdump -nni any {shlex.quote(' and '.join(terms))}" if terms else None


def _conntrack(proto: str, local: str, lport: int, remote: str, rport: int, inside: str) -> str:
    """Who opened the connection is not known: the end that did has it as the original direction, the other as the
    reply; and so it is found behind a translation of addresses too."""
    family = "ipv6" if ":" in local else "ipv4"
    return "; ".join(
        f"{inside}conntrack -L -f {family} -p {proto} --{way}-src {local} --{way}-dst {remote}"
        f" --{way}-port-src {lport} --{way}-port-dst {rport}"
        for way in ("orig", "reply")
    )


def _any(address: str) -> bool:
    """A wildcard, or no address at all."""
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return True
