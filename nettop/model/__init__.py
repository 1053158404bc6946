"""The words everything else is written in: frozen rows, and the `Delta` that carries them.

Everything the screen, the plain views, a recording or a remote reader knows arrives as a stream of `Delta`s: a key
frame first, then what changed. A Delta holds *tables*; a table maps a small integer row id, chosen by the collector
and never reused within a stream, to one frozen row. What a row says splits by how often it changes, so that a busy
socket resends its counters and not its addresses:

========== ========================== =====================================================
table      row                        changes
========== ========================== =====================================================
sockets    `Socket`                   hardly ever: who the two ends are
stats      `SocketStats`, same id     with traffic: state, queues, counters, tcp_info
owners     `Owners`, same id          when a socket is passed, inherited, closed
closed     `Closed`, same id          once: when the socket has ended, and is shown for a while still
nat        `Nat`, same id             once, of sockets whose remote end was translated
datagrams  `Datagrams`, same id       with traffic, of UDP sockets whose packets connection tracking counts
processes  `Process`                  on exec, rename, change of namespace
usage      `Usage`, same id           whenever the process runs
traffic    `Traffic`, same id         when a socket of the process was opened, closed or passed on
containers `Container`                when one appears, is named, or something happens to it
together   `Traffic`, same id         the same of all sockets its processes held
cgroups    `Cgroup`                   hardly ever: of sockets whose process may not be seen
namespaces `Namespace`                when one appears, is named, or can no longer be read
inside     `Traffic`, same id         the same of all sockets of the namespace
protocols  `ProtocolCounters`, same id every few ticks
tracking   `Tracking`, same id        with the flows of the namespace
interfaces `Interface`                when an address or the link state changes
counters   `InterfaceCounters`        with traffic, same id as its interface
host       `Host`, the only row: id 0 every tick
everywhere `Traffic`, only row: id 0  of all namespaces, those that are gone included
destinations `Destination`              when a connection made to it was opened, failed or ended
health     `Health`, one per source   when a source degrades or heals
========== ========================== =====================================================

Where several tables share ids, only the first is told that a row is gone; its companions go with it (`COMPANIONS`).
Counters are cumulative; rates are the store's business, so a replay shows what the live screen showed. Unknown is
None, never 0. This module must stay importable by Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from nettop.model.delta import COMPANIONS, TABLES, Change, Delta
from nettop.model.machine import EVENT_KINDS, NO_TRAFFIC, PROCESS_EVENTS, SOCKET_EVENTS, Event, Health, Host, Traffic
from nettop.model.namespaces import (
    PROTOCOLS_EVERY,
    Interface,
    InterfaceCounters,
    Namespace,
    ProtocolCounters,
    Tracking,
)
from nettop.model.processes import Cgroup, Container, Owner, Process, ProcessKey, Usage
from nettop.model.sockets import (
    CLOSED,
    NO_OWNERS,
    PROTOCOLS,
    Closed,
    Datagrams,
    Destination,
    Nat,
    Owners,
    Socket,
    SocketStats,
)

__all__ = [
    "CLOSED",
    "COMPANIONS",
    "EVENT_KINDS",
    "NO_OWNERS",
    "NO_TRAFFIC",
    "PROCESS_EVENTS",
    "PROTOCOLS",
    "PROTOCOLS_EVERY",
    "SOCKET_EVENTS",
    "TABLES",
    "Cgroup",
    "Change",
    "Closed",
    "Container",
    "Datagrams",
    "Delta",
    "Destination",
    "Event",
    "Health",
    "Host",
    "Interface",
    "InterfaceCounters",
    "Namespace",
    "Nat",
    "Owner",
    "Owners",
    "Process",
    "ProcessKey",
    "ProtocolCounters",
    "Socket",
    "SocketStats",
    "Tracking",
    "Traffic",
    "Usage",
]
