"""Interfaces and addresses of network namespaces, by rtnetlink.

pyroute2 reads them, in a child process that ends with the answer. In the collector itself it would stay: 25 MB (PSS),
asyncio included, of which nothing comes back when its modules are dropped. A child takes 170 ms of one processor (20 to
start Python, 110 to import, then 0.4 ms a namespace, 0.2 an interface, 0.3 for its addresses) and 34 MB meanwhile: so
read when the names in /proc/PID/net/dev change, else about once a minute, every namespace at once. Counters do not
come from here but from `net_dev`, at every tick.

Where there is no pyroute2, as on another machine, the child reads the messages itself (`links`).

The child starts afresh rather than by fork, which would take 120 ms: a fork has every netlink socket of the collector
open and pins their namespaces, and must not be done while another thread runs. Rests on rtnetlink(7).
"""

from __future__ import annotations

import functools
import json
import os
import socket
import subprocess
import sys
from typing import IO, Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from nettop.kernel import netns
from nettop.kernel.ethtool import read_link_mode
from nettop.kernel.links import read_links
from nettop.kernel.nsid import NsidSocket
from nettop.model import Interface

_IFF_LOOPBACK = 0x8

# Isolated, so that neither the environment nor the current directory choose what root imports; the way to find
# modules is this process's own.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from nettop.kernel import rtnetlink; rtnetlink.main()"
)

_PATIENCE = 30.0
"""Seconds until a child that does not answer is an error."""


class LinksUnavailable(Exception):
    """The child could not do its work, for the reason in the message: no memory, no time."""


class Links(NamedTuple):
    """What one reading found."""

    interfaces: Dict[str, List[Interface]]
    """By the path of the namespace."""
    errors: Dict[str, str]
    """Why a namespace could not be read, by its path: it is gone, or may not be entered."""
    numbers: Dict[str, int]
    """By path, the number under which the namespace of the reader knows another."""


class LinkReader:
    """Reads links in a child process, one reading at a time; holds no namespace in between."""

    def __init__(self) -> None:
        self._child: Optional[subprocess.Popen[bytes]] = None
        self._output: Optional[IO[bytes]] = None
        self._complaint: Optional[IO[bytes]] = None

    @property
    def busy(self) -> bool:
        """A reading is under way."""
        return self._child is not None

    def start(self, paths: Iterable[str]) -> None:
        """Begin to read the namespaces at these paths (/proc/PID/ns/net, /run/netns/NAME) and return at once.

        /proc/self/ns/net is the collector's own, and needs no privilege. Raises LinksUnavailable where no process can
        be started, RuntimeError while `busy`."""
        if self.busy:
            raise RuntimeError("a reading is under way")
        # memory files take any amount of output without anybody reading along, as a pipe does not
        self._output, self._complaint = _memory_file("links"), _memory_file("links-errors")
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-c", _PROGRAM, json.dumps(sys.path), *paths],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._complaint,
            )
        except OSError as error:
            self.close()
            raise LinksUnavailable(str(error)) from error

    def poll(self) -> Optional[Links]:
        """The answer, once; None while the child works, or where nothing was asked. Raises LinksUnavailable."""
        if self._child is None or self._child.poll() is None:
            return None
        return self._collect(self._child)

    def read(self, paths: Iterable[str]) -> Links:
        """`start`, and wait for the answer: 170 ms and more. Raises LinksUnavailable."""
        self.start(paths)
        assert self._child is not None
        try:
            self._child.wait(_PATIENCE)
        except subprocess.TimeoutExpired as error:
            self.close()
            raise LinksUnavailable(str(error)) from error
        return self._collect(self._child)

    def close(self) -> None:
        """End the child, if there is one, and forget its answer."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        for file in (self._output, self._complaint):
            if file is not None:
                file.close()
        self._child = self._output = self._complaint = None

    def _collect(self, child: subprocess.Popen[bytes]) -> Links:
        output, complaint = _content(self._output), _content(self._complaint)
        status = child.returncode
        self.close()
        if status != 0:
            lines = complaint.decode(errors="replace").strip().splitlines()
            raise LinksUnavailable(lines[-1] if lines else f"exit status {status}")
        return parse_links(output)


def parse_links(data: bytes) -> Links:
    """Decode what `main` prints. Raises ValueError where it is cut short."""
    answer = json.loads(data)
    return Links(
        {
            path: [Interface(*row)._replace(addresses=tuple(row[Interface._fields.index("addresses")])) for row in rows]
            for path, rows in answer["interfaces"].items()
        },
        answer["errors"],
        answer["numbers"],
    )


def main() -> None:
    """The child: print `Links` of the namespaces at sys.argv[2:] as one JSON object."""
    read: Dict[str, List[Link]] = {}
    errors: Dict[str, str] = {}
    for path in sys.argv[2:]:
        try:
            read[path] = _read(path)
        except OSError as error:
            errors[path] = str(error)
    json.dump(Links(name_peers(read), errors, _numbers(read))._asdict(), sys.stdout)


class Link(NamedTuple):
    """An interface and where its other end is, in the kernel's numbers."""

    interface: Interface
    end: Optional[int]
    """Interface index of the other end of a veth, or of what it rests on (IFLA_LINK)."""
    number: Optional[int]
    """Of the namespace that is in, where it is another one (IFLA_LINK_NETNSID)."""


def name_peers(read: Mapping[str, Sequence[Link]]) -> Dict[str, List[Interface]]:
    """The interfaces of each path, with the names of their other ends as far as these were read.

    An index alone would mislead: it means something in one namespace only, and the first container of every host has
    the same. So of the namespaces where one fits, that is taken which has the right number."""
    by_index: Dict[int, List[Tuple[str, Interface]]] = {}
    for path, links in read.items():
        for link in links:
            by_index.setdefault(link.interface.ifindex, []).append((path, link.interface))
    named: Dict[str, List[Interface]] = {}
    for path, links in read.items():
        number_of = _asking(path) if any(link.number is not None for link in links) else None
        named[path] = []
        for interface, end, number in links:
            candidates = by_index.get(end, []) if end is not None else []
            if number is None:
                found = [other for where, other in candidates if where == path]
            else:
                found = [other for where, other in candidates if number_of is not None and number_of(where) == number]
            named[path].append(_with_peer(interface, found[0]) if found else interface)
    return named


def _with_peer(interface: Interface, peer: Interface) -> Interface:
    return interface._replace(peer=peer.name, peer_netns=peer.netns if peer.netns != interface.netns else None)


def _asking(path: str) -> Optional[Callable[[str], Optional[int]]]:
    """What tells the number of another namespace in the one at `path`; None where that is gone."""
    try:
        return functools.lru_cache(maxsize=None)(NsidSocket(path).number_of)
    except OSError:
        return None


def _numbers(paths: Iterable[str]) -> Dict[str, int]:
    number_of = _asking("/proc/self/ns/net") or (lambda _: None)
    numbers = {path: number_of(path) for path in paths}
    return {path: number for path, number in numbers.items() if number is not None}


def _read(path: str) -> List[Link]:
    identity = netns.of_path(path)
    own = identity == netns.current()
    links = build_interfaces(identity[1], *_messages(path, own))
    with _datagram() if own else netns.in_namespace(path, _datagram) as asking:
        modes = [read_link_mode(asking, link.interface.name) for link in links]
    return [
        link._replace(interface=link.interface._replace(speed=mode.speed, duplex=mode.duplex))
        for link, mode in zip(links, modes)
    ]


def _messages(path: str, own: bool) -> Tuple[Sequence[Any], Sequence[Any]]:
    """Links and addresses of a namespace, `own` or another one. Raises OSError."""
    try:
        from pyroute2 import IPRoute, NetlinkError
    except ImportError:
        return read_links() if own else netns.in_namespace(path, read_links)
    try:
        # its own `netns=` starts a process more for each namespace: 6 to 9 ms
        with IPRoute() if own else netns.in_namespace(path, IPRoute) as route:
            return list(route.get_links()), list(route.get_addr())
    except NetlinkError as error:
        raise OSError(str(error)) from None


def _datagram() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def build_interfaces(inode: int, links: Sequence[Any], addresses: Iterable[Any]) -> List[Link]:
    """Interfaces of the namespace `inode` from ifinfmsg and ifaddrmsg messages, pyroute2's or those of `links`; what
    they are called at the other end is still to be found. By index."""
    of_link: Dict[int, List[str]] = {}
    for message in addresses:
        # of a point-to-point link, IFA_ADDRESS is the other end
        address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        of_link.setdefault(message["index"], []).append(f"{address}/{message['prefixlen']}")
    names = {link["index"]: _name(link) for link in links}
    return [
        Link(
            _interface(inode, link, of_link, names.get(link.get_attr("IFLA_MASTER"))),
            link.get_attr("IFLA_LINK") or None,
            link.get_attr("IFLA_LINK_NETNSID"),
        )
        for link in sorted(links, key=lambda link: int(link["index"]))
    ]


def _name(link: Any) -> str:
    name = link.get_attr("IFLA_IFNAME")  # bytes where they are not UTF-8: a name is any bytes but / : and white space
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _interface(inode: int, link: Any, addresses: Mapping[int, Sequence[str]], master: Optional[str]) -> Interface:
    loopback = bool(link["flags"] & _IFF_LOOPBACK)
    return Interface(
        netns=inode,
        ifindex=link["index"],
        name=_name(link),
        kind=link.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND"),
        state=link.get_attr("IFLA_OPERSTATE"),
        mtu=link.get_attr("IFLA_MTU"),
        mac=None if loopback else link.get_attr("IFLA_ADDRESS"),
        addresses=tuple(addresses.get(link["index"], ())),
        loopback=loopback,
        master=master,
        peer=None,
        peer_netns=None,
        speed=None,
        duplex=None,
    )


def _memory_file(name: str) -> IO[bytes]:
    return open(os.memfd_create(name), "w+b")


def _content(file: Optional[IO[bytes]]) -> bytes:
    if file is None:
        return b""
    file.seek(0)
    return file.read()
