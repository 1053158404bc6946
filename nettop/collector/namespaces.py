"""Which network namespaces there are, what they are called, which interfaces they have.

Found through the processes inside, through the mounts of `ip netns` and Docker, and through what somebody outside has
open (`orphans`). Reading one keeps a netlink socket in it, which would keep the namespace alive: so it is let go when
its last process has left, its last mount is gone, and nobody else holds it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
from time import monotonic
from typing import AbstractSet, Dict, Iterable, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from nettop.collector.health import HealthBook
from nettop.collector.orphans import Held
from nettop.collector.outbox import Outbox
from nettop.collector.reader import OWN
from nettop.collector.sockets import SocketTracker
from nettop.kernel import netns as kernel_netns
from nettop.kernel.conntrack import Fill
from nettop.kernel.net_dev import parse_counters
from nettop.kernel.net_files import NetFiles
from nettop.kernel.rtnetlink import LinkReader, Links, LinksUnavailable
from nettop.kernel.snmp import read_protocols
from nettop.model import PROTOCOLS_EVERY, Interface, Namespace, Process, Tracking

LINKS_INTERVAL = 60.0
"""Seconds between two readings of interfaces and addresses while no interface comes or goes."""
_RETRY = 2.0
"""Seconds between two readings at least: each costs a process."""


class _Inside(NamedTuple):
    """The processes of a namespace."""

    pid: int
    """The oldest of them."""
    start_time: int
    container: Optional[str]


class _Holders(NamedTuple):
    """All that keeps a namespace, and that its row follows from."""

    inside: Optional[_Inside]
    mounts: Sequence[kernel_netns.Mount]
    held: Optional[Held]


class _Known:
    """One namespace."""

    __slots__ = (
        "counters", "files", "holders", "interfaces", "moved", "names", "namespace", "nsid", "path", "row", "tracking",
    )  # fmt: skip

    def __init__(self, row: int, namespace: Namespace, path: str) -> None:
        self.row = row
        self.namespace = namespace
        self.path = path
        self.holders: Optional[_Holders] = None
        self.files = NetFiles(namespace.netns)
        self.interfaces: Dict[str, Tuple[int, Interface]] = {}  # name → row id, row
        self.names: Dict[int, str] = {}  # interface index → name
        self.counters: bytes = b""
        self.moved = False  # since its protocols were read
        self.nsid: Optional[int] = None
        self.tracking: Optional[Tracking] = None


class NamespaceTracker:
    """The namespaces, as rows in the outbox; opens and closes them for the socket tracker."""

    def __init__(self, outbox: Outbox, health: HealthBook) -> None:
        self._outbox = outbox
        self._health = health
        self._own = kernel_netns.current()[1]
        self._initial = kernel_netns.initial(self._own)
        self._known: Dict[int, _Known] = {}
        self._census: Dict[int, _Inside] = {}
        self._held: Mapping[int, Held] = {}
        self._mounts = kernel_netns.MountWatch()
        self._recount = True
        self._links = LinkReader()
        self._links_due = 0.0
        self._links_started = 0.0
        self._tick = 0

    def interface(self, netns: int, index: int) -> Optional[str]:
        """Name of an interface by its index; None where it is gone, or its namespace may not be entered."""
        known = self._known.get(netns)
        if known is None:
            return None
        if index not in known.names and known.namespace.via == "netlink":
            ask = functools.partial(socket.if_indextoname, index)
            with contextlib.suppress(OSError):
                known.names[index] = ask() if known.path == OWN else kernel_netns.in_namespace(known.path, ask)
        return known.names.get(index)

    def row(self, netns: int) -> Optional[int]:
        """Row id of a namespace; None where there is none such."""
        known = self._known.get(netns)
        return known.row if known else None

    def path(self, netns: int) -> Optional[str]:
        """The path that leads into a namespace; None where there is none such."""
        known = self._known.get(netns)
        return known.path if known else None

    def entrances(self) -> Dict[int, Optional[str]]:
        """The paths that lead into the namespaces that can be entered; None for the collector's own."""
        entered = [known for known in self._known.values() if known.namespace.via == "netlink"]
        return {known.namespace.netns: None if known.path == OWN else known.path for known in entered}

    def take_census(self, processes: Iterable[Process]) -> None:
        """Who is inside which namespace; needed again when a process came, went or moved."""
        census: Dict[int, _Inside] = {}
        for process in processes:
            if process.netns is not None:
                eldest = census.get(process.netns)
                if eldest is None or process.start_time < eldest.start_time:
                    census[process.netns] = _Inside(process.pid, process.start_time, process.container)
        self._census = census
        self._recount = True

    def present(self) -> AbstractSet[int]:
        """The inodes of all namespaces."""
        return self._known.keys()

    def note_held(self, held: Mapping[int, Held]) -> None:
        """Who holds a namespace from outside, by inode."""
        self._recount |= held != self._held
        self._held = held

    def update(self, sockets: SocketTracker) -> None:
        """Open what is new, close what is gone, name what was named."""
        if not self._mounts.look(self._recount) and not self._recount:
            return
        self._recount = False
        mounts = self._mounts.found
        present = {self._own, *self._census, *mounts, *self._held}
        for netns in [netns for netns in self._known if netns not in present]:
            self._close(netns, sockets)
        for netns in present:
            holders = _Holders(self._census.get(netns), mounts.get(netns, ()), self._held.get(netns))
            known = self._known.get(netns)
            if known is None or known.holders != holders:
                self._refresh(netns, holders, sockets)
        self._check_entered()

    def read_counters(self) -> Set[int]:
        """Counters of every interface, and of the protocols of some namespaces, where they moved; interfaces that came
        or went make the links be read again. The namespaces whose interfaces counted something since the last call."""
        self._tick += 1
        moved = set()
        for netns, known in self._known.items():
            try:
                data = known.files.read("dev")
                due = not known.counters or (known.row + self._tick) % PROTOCOLS_EVERY == 0
                if data != known.counters:
                    known.counters, known.moved = data, True
                    moved.add(netns)
                    self._take_counters(known, data)
                if due and known.moved:
                    known.moved = False
                    self._outbox.put("protocols", known.row, read_protocols(known.files.read))
            except OSError:  # its last process has just ended; the next update closes it
                continue
        return moved

    def note_tracking(self, fills: Mapping[int, Fill]) -> None:
        """How full the tables of tracked connections are, by namespace; those that are not named track none."""
        for netns, known in self._known.items():
            flows, most = fills.get(netns) or (0, known.tracking.most if known.tracking else 0)
            if most and (flows, most) != known.tracking:
                known.tracking = Tracking(flows, most)
                self._outbox.put("tracking", known.row, known.tracking)

    def read_links(self, wait: bool = False) -> None:
        """Collect a finished reading of interfaces and addresses, and begin one where it is due; `wait` for it."""
        try:
            found = self._links.poll()
            if found is not None:
                self._take_links(found)
            now = monotonic()
            if not self._links.busy and now >= self._links_due and now - self._links_started >= _RETRY:
                self._links_started, self._links_due = now, now + LINKS_INTERVAL
                paths = [known.path for known in self._known.values() if known.namespace.via == "netlink"]
                if wait:
                    self._take_links(self._links.read(paths))
                else:
                    self._links.start(paths)
        except LinksUnavailable as error:
            self._health.report("rtnetlink", "unavailable", f"interfaces and addresses are not read: {error}")

    def close(self) -> None:
        self._links.close()
        self._mounts.close()
        for known in self._known.values():
            known.files.close()

    def _check_entered(self) -> None:
        """Complain of the namespaces that are not read by netlink, as their rows do one by one."""
        refused = [known.namespace for known in self._known.values() if known.namespace.via != "netlink"]
        if not refused:
            self._health.heal("setns")
            return
        which = "a network namespace is" if len(refused) == 1 else f"{len(refused)} network namespaces are"
        reason = f"{which} read from /proc at best: {refused[0].reason}"
        self._health.report("setns", "degraded", reason, "sudo nettop" if os.geteuid() else None, len(refused))

    def _refresh(self, netns: int, holders: _Holders, sockets: SocketTracker) -> None:
        inside, mounts, held = holders
        pid = inside.pid if inside else None
        container = inside.container if inside else None
        held = held if inside is None and not mounts else None
        name, kind = kernel_netns.describe(netns == self._initial, mounts, pid, container)
        path = OWN if netns == self._own else mounts[0].path if mounts else held.path if held else f"/proc/{pid}/ns/net"
        known = self._known.get(netns)
        if known is not None and (known.path, known.namespace.pid) == (path, pid):
            via, reason = known.namespace.via, known.namespace.reason
        else:
            via, reason = sockets.open(netns, path, pid)
        number, holder = known.nsid if known else None, held.pid if held else None
        namespace = Namespace(netns, name, kind, pid, via, reason, container, number, holder)
        if known is None:
            known = self._known[netns] = _Known(self._outbox.new_id(), namespace, path)
            self._outbox.put("namespaces", known.row, namespace)
            self._links_due = 0.0
        elif namespace != known.namespace:
            self._outbox.put("namespaces", known.row, namespace)
        known.path, known.namespace, known.holders = path, namespace, holders
        known.files.lead(path, "self" if path == OWN else pid)

    def _close(self, netns: int, sockets: SocketTracker) -> None:
        sockets.close(netns)
        known = self._known.pop(netns)
        known.files.close()
        for row_id, _ in known.interfaces.values():
            self._outbox.drop("interfaces", row_id)
        self._outbox.drop("namespaces", known.row)

    def _take_counters(self, known: _Known, data: bytes) -> None:
        counters = parse_counters(data)
        if data and counters.keys() != known.interfaces.keys():
            self._links_due = 0.0
        for name, row in counters.items():
            if name in known.interfaces:
                self._outbox.put("counters", known.interfaces[name][0], row)

    def _take_links(self, found: Links) -> None:
        self._health.heal("rtnetlink")
        for known in self._known.values():
            interfaces = found.interfaces.get(known.path)
            nsid = found.numbers.get(known.path, known.nsid)
            if nsid != known.nsid:
                known.nsid, known.namespace = nsid, known.namespace._replace(nsid=nsid)
                self._outbox.put("namespaces", known.row, known.namespace)
            if interfaces is not None:
                self._take_interfaces(known, {interface.name: interface for interface in interfaces})
            elif known.path not in found.errors:
                self._links_due = 0.0  # another process leads to it than did when the reading began

    def _take_interfaces(self, known: _Known, interfaces: Dict[str, Interface]) -> None:
        for name in known.interfaces.keys() - interfaces.keys():
            self._outbox.drop("interfaces", known.interfaces.pop(name)[0])
        for name, interface in interfaces.items():
            row_id, before = known.interfaces.get(name, (0, None))
            if interface != before:
                row_id = row_id or self._outbox.new_id()
                known.interfaces[name] = (row_id, interface)
                self._outbox.put("interfaces", row_id, interface)
        known.names = {interface.ifindex: name for name, interface in interfaces.items()}
        self._take_counters(known, known.counters)
