"""What is left of a socket that has ended: its message as rows, and what its message and its TIME-WAIT entry owe."""

from __future__ import annotations

import socket
import sys
from typing import Any, Dict, Generic, Optional, Set, Tuple, TypeVar

from nettop.collector.traffic import Moved
from nettop.kernel.inet_destroy import Destroyed, address
from nettop.model import CLOSED, Socket, SocketStats

Ends = Tuple[Any, ...]
"""Namespace and both ends of a socket."""
T = TypeVar("T")

_BLANK = SocketStats._make([CLOSED] + [None] * (len(SocketStats._fields) - 1))


class Recent(Generic[T]):
    """What one of a TIME-WAIT entry and its message left for the other, by both ends: for two dumps of a namespace."""

    def __init__(self) -> None:
        self._kept: Dict[Ends, Tuple[T]] = {}
        self._young: Set[Ends] = set()

    def put(self, key: Ends, value: T) -> None:
        """Leave something."""
        self._kept[key] = (value,)
        self._young.add(key)

    def pop(self, key: Ends) -> Optional[Tuple[T]]:
        """It, in a tuple; None where there is none such."""
        return self._kept.pop(key, None)

    def age(self, netns: int) -> None:
        """A dump of a namespace is over."""
        if self._kept:  # a dict that was large stays so, and this one becomes empty after a storm
            self._kept = {key: left for key, left in self._kept.items() if key[0] != netns or key in self._young}
        self._young = {key for key in self._young if key[0] != netns}


def figures_row(figures: Moved, message: Optional[Destroyed] = None) -> SocketStats:
    """The figures of an ended socket as a row; of UDP nothing is known."""
    if message is not None and (message.final is None or message.outcome == "unused"):
        return _BLANK
    counted = _BLANK._replace(**figures._asdict())
    if message is None or message.final is None:
        return counted
    return counted._replace(
        rx_packets=message.final.segments_in, tx_packets=message.final.segments_out, rtt=message.final.rtt or None
    )


def socket_row(message: Destroyed, netns: int) -> Socket:
    """Both ends of an ended socket; the message tells no inode and no user."""
    return Socket(
        netns=netns,
        proto=message.proto,
        family="inet" if message.family == socket.AF_INET else "inet6",
        kind="stream" if message.proto == "tcp" else "dgram",
        local=address(message.local),
        lport=message.lport or None,
        remote=address(message.remote),
        rport=message.rport or None,
        inode=None,
        uid=None,
        user=None,
        cookie=int.from_bytes(message.cookie, sys.byteorder),
        iface=None,
        cgroup=None,
        mark=None,
        congestion=None,
        v6only=None,
        peer_inode=None,
        since=None,
    )


def ends_of(netns: int, socket: Socket) -> Ends:
    """What its message and its TIME-WAIT entry have in common; their cookies may differ."""
    return netns, socket.local, socket.lport, socket.remote, socket.rport
