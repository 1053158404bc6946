"""The socket tables of one namespace: by netlink where that is possible, else from /proc/PID/net, in fewer words."""

from __future__ import annotations

import errno
from typing import Callable, Dict, Iterable, Iterator, NamedTuple, Optional, Set, Union

from nettop.collector.idleness import Idleness, Look
from nettop.collector.tables import RowTable
from nettop.kernel import proc_net
from nettop.kernel.families import FamilyTable, Origin
from nettop.kernel.inet_destroy import DestroyListener
from nettop.kernel.inet_diag import Found, InetTable, Sought
from nettop.kernel.inet_protocols import PROTOCOLS
from nettop.kernel.net_files import NetFiles
from nettop.kernel.netlink import SOCK_DIAG_BY_FAMILY, DiagSocket, DiagUnavailable
from nettop.kernel.netlink_diag import NETLINK
from nettop.kernel.packet_diag import PACKET
from nettop.kernel.recvmmsg import Batch
from nettop.kernel.sockstat import read_counts
from nettop.kernel.unix_diag import UNIX
from nettop.kernel.vsock_diag import VSOCK

OWN = "/proc/self/ns/net"
"""Path of the collector's own namespace, which needs no privilege to read."""

_HOT = ("tcp", "udp")
_SLOW = ("udplite", "mptcp", "sctp")
_FAMILIES = (UNIX, PACKET, NETLINK, VSOCK)
LISTED = (*_HOT, *_SLOW, *(family.name for family in _FAMILIES))
"""What the kernel is asked to list; `sock_diag:NAME` complains where it cannot."""
_LISTED = {Look.ALL: LISTED, Look.TRAFFIC: _HOT, Look.UNTOLD: ("udp", UNIX.name, PACKET.name)}
_UNLISTED = ("raw", "raw6", "icmp", "icmp6")
"""What sock_diag cannot list (icmp), or only with a module few kernels have (raw): read from /proc in any case."""

_REQUESTS = [request for name in _HOT + _SLOW for request in PROTOCOLS[name].requests]
_REQUESTS += [(SOCK_DIAG_BY_FAMILY, family.request) for family in _FAMILIES]

_Table = Union[InetTable, FamilyTable]


class Names(NamedTuple):
    """What names the numbers that socket tables mention."""

    user: Callable[[int], Optional[str]]
    interface: Callable[[int, int], Optional[str]]
    """Of a namespace's inode and an interface index."""


class Reader:
    """The tables of one namespace, and the way they are read."""

    def __init__(self, netns: int, names: Names, new_id: Callable[[], int]) -> None:
        self.netns = netns
        self.diag: Optional[DiagSocket] = None
        self.path = ""
        self.ends: Optional[DestroyListener] = None
        self.read_at: Optional[float] = None
        """When TCP and UDP were last read."""
        self.idleness = Idleness()
        self._pid: Optional[int] = None
        self._counts = NetFiles(netns)
        self._origin = origin = Origin(netns, names.user, lambda index: names.interface(netns, index))
        self._inet = {
            name: InetTable(PROTOCOLS[name], netns, new_id, origin.user, origin.interface) for name in _HOT + _SLOW
        }
        self._tables: Dict[str, _Table] = dict(self._inet)
        self._tables.update((family.name, FamilyTable(family, origin, new_id)) for family in _FAMILIES)
        self._files = RowTable(new_id)

    def rows(self) -> Iterator[int]:
        """Ids of all its sockets."""
        for table in (*self._tables.values(), self._files):
            yield from table.rows()

    def table(self, proto: str) -> InetTable:
        """That of tcp or udp."""
        return self._inet[proto]

    def lead(self, path: str, pid: Optional[int]) -> None:
        """The way in from now on: `OWN`, or a path, and a process inside, if there is one."""
        self.path, self._pid = path, pid
        self._counts.lead(path, "self" if path == OWN else pid)

    def listen(self) -> DestroyListener:
        """A subscription to the sockets that end there. Raises OSError where that is refused."""
        return DestroyListener(None if self.path == OWN else self.path)

    def connect(self) -> Optional[str]:
        """Open the netlink socket unless it is open; why that is impossible, None where it is not."""
        if self.diag is None:
            try:
                self.diag = DiagSocket(None if self.path == OWN else self.path)
            except OSError as error:
                return _explain(error)
        return None

    def due(self, moved: bool, slow: bool) -> bool:
        """Whether it has to be read; `moved`: one of its interfaces counted something. Our own namespace always: the
        counters of hardware may lag behind; and one without netlink, which tells of no sockets that end."""
        if self.path == OWN or self.diag is None:
            return True
        try:
            counts = read_counts(self._counts.read)
        except OSError:
            return True
        return self.idleness.due(counts, moved, slow)

    def read(self, now: float, look: Look, absent: Set[str], sought: Optional[Sought]) -> Iterator[Found]:
        """What changed in each table that `look` says, `sought` looked for in them. Families the kernel cannot list are
        added to `absent`, and not asked for again. Raises OSError when the namespace cannot be read."""
        self.idleness.begin(look)
        for found in self._read(now, look, absent, sought):
            self.idleness.note(found)
            yield found
        self.idleness.end(look)

    def take_holes(self) -> int:
        """As `DiagSocket.take_holes`."""
        return self.diag.take_holes() if self.diag is not None else 0

    def fetch(self, batch: Batch) -> None:
        """Have the kernel list everything now, for the next `read` to take."""
        if self.diag is not None:
            for kind, request in _REQUESTS:
                self.diag.fetch(kind, request, batch)

    def _read(self, now: float, look: Look, absent: Set[str], sought: Optional[Sought]) -> Iterator[Found]:
        if self.diag is None:
            yield self._files.update(self._from_proc((*proc_net.INET_FILES, "unix", "packet", "netlink")), now)
            return
        for name in _LISTED[look]:
            if name not in absent and not (name in _SLOW and not self._inet[name] and self.idleness.settled):
                try:
                    table = self._tables[name]
                    if isinstance(table, InetTable):
                        yield table.read(self.diag, now, sought)
                    else:
                        yield table.read(self.diag, now)
                except DiagUnavailable:
                    absent.add(name)
        if look is Look.ALL:
            yield self._files.update(self._from_proc(_UNLISTED), now)

    def _from_proc(self, names: Iterable[str]) -> Iterator[proc_net.Row]:
        for name in names:
            try:
                if self.diag is None or self.path == OWN:
                    data = proc_net.read_table("self" if self.path == OWN else str(self._pid), name)
                else:
                    data = proc_net.read_table_at(self.path, name)
            except FileNotFoundError:
                if name == "tcp":  # which every kernel has: the process has ended
                    raise
                continue  # the kernel has no such protocol
            yield from proc_net.parse_table(name, data, self._origin)

    def close(self) -> None:
        """Let go of the namespace."""
        self._counts.close()
        if self.ends is not None:
            self.ends.close()
            self.ends = None
        if self.diag is not None:
            self.diag.close()
            self.diag = None


def _explain(error: OSError) -> str:
    if error.filename is None:  # it was entered, and the socket not given
        return f"netlink is refused: {error.strerror}"
    if error.errno in (errno.EPERM, errno.EACCES):
        return "entering it needs CAP_SYS_ADMIN"
    return f"it cannot be entered: {error.strerror}"
