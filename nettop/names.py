"""What ports and addresses are called, for a screen that shows names instead of numbers.

Who asks for the name of a host gets what is known now, and never waits: a few threads ask the C library, which asks
whoever nsswitch.conf(5) says, and the answer is there in a later picture. Whoever runs the name server of an address
chooses its name: one that could not be a host's, or looks like an address, is none.

What programs have asked a resolver for is not shown, though its cache would tell: nscd keeps it to itself,
systemd-resolved (254 and later, io.systemd.Resolve.Monitor) tells root alone, neither has seen what containers ask
their own, and an address that a thousand names lead to has the name of whichever was asked for last: a guess.
"""

from __future__ import annotations

import contextlib
import ipaddress
import queue
import re
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Protocol


class Names(Protocol):
    """Where names come from; asked for every line that is drawn, so an answer must be at hand."""

    def port(self, number: int, proto: str | None) -> str | None:
        """The name of a port of that protocol, None: of any; None where it has none."""

    def host(self, address: str) -> str | None:
        """The name of a host; None where it has none, or none is known yet."""

    def news(self) -> bool:
        """Whether a name was learnt since the last call."""


_BASE: Mapping[str, str] = {"mptcp": "tcp", "udplite": "udp"}
"""Protocols with the ports of another one."""


EPHEMERAL = 32768
"""From here on the kernel hands out ports by itself (ip_local_port_range): a name would tell of somebody else."""


class Services:
    """Ports by services(5); hosts have no names."""

    def port(self, number: int, proto: str | None) -> str | None:
        return None if number >= EPHEMERAL else _service(number, _BASE.get(proto, proto) if proto else None)

    def host(self, address: str) -> str | None:  # noqa: ARG002  # nobody is asked
        return None

    def news(self) -> bool:
        return False


KEPT = 4096
"""Hosts whose names are kept, those asked for last."""
FRESH, FRESH_UNKNOWN = 600.0, 60.0
"""Seconds for which a name is good, and for which a host without one is left alone: the C library tells no TTL."""
WORKERS = 4
"""Questions under way at most: each may take as long as the resolver has patience."""
WAITING = 256
"""Questions that wait at most; more are forgotten, and asked again when the host is next drawn."""
_HOSTS_SIZE = 1 << 20
_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_-]*[A-Za-z_][A-Za-z0-9_-]*\.?"
)
"""RFC 1123, with the underscores of RFC 2782; what ends in a number could be an address."""


def ask_resolver(address: str) -> str | None:
    """The name of a host by getnameinfo(3); None where it has none. May take a minute."""
    try:
        return socket.getnameinfo((address, 0), socket.NI_NAMEREQD | socket.NI_NUMERICSERV)[0]
    except (OSError, UnicodeError):
        return None


class Hosts(Services):
    """Services, and hosts by /etc/hosts and whoever the C library asks. For one thread; the threads it begins end with
    the process."""

    def __init__(
        self,
        ask: Callable[[str], str | None] = ask_resolver,
        hosts: Path = Path("/etc/hosts"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ask` finds a name and may take its time; `hosts` is a file as in hosts(5); `clock` is monotonic."""
        self._ask = ask
        self._hosts = hosts
        self._clock = clock
        self._local: Mapping[str, str] | None = None
        self._known: OrderedDict[str, tuple[str | None, float]] = OrderedDict()  # address → name, good until
        self._questions: queue.Queue[str] = queue.Queue(WAITING)
        self._answers: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
        self._asking: set[str] = set()
        self._workers = 0
        self._learnt = False

    def host(self, address: str) -> str | None:
        """What is known now. A name that is no longer fresh stands until the next answer."""
        self._take()
        name, until = self._known.get(address, (None, 0.0))
        if until:
            self._known.move_to_end(address)
        if self._clock() >= until and address not in self._asking:
            if self._local is None:
                self._local = parse_hosts(_read(self._hosts))
            if address in self._local:
                return self._local[address]
            if _worth_asking(address):
                self._put(address)
        return name

    def news(self) -> bool:
        self._take()
        learnt, self._learnt = self._learnt, False
        return learnt

    def _put(self, address: str) -> None:
        with contextlib.suppress(queue.Full):
            self._questions.put_nowait(address)
            self._asking.add(address)
            if self._workers < min(WORKERS, len(self._asking)):
                self._workers += 1
                threading.Thread(target=self._work, name="names", daemon=True).start()

    def _take(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                address, name = self._answers.get_nowait()
                self._asking.discard(address)
                before = self._known.get(address, (None, 0.0))[0]
                self._learnt |= name != before
                self._keep(address, name)

    def _keep(self, address: str, name: str | None) -> None:
        self._known[address] = (name, self._clock() + (FRESH_UNKNOWN if name is None else FRESH))
        self._known.move_to_end(address)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)

    def _work(self) -> None:
        while True:
            address = self._questions.get()
            name = self._ask(address)
            self._answers.put((address, name if name is not None and _HOST_NAME.fullmatch(name) else None))


def parse_hosts(data: bytes) -> dict[str, str]:
    """Address → name, of hosts(5): the first name of the first line of each address, where it could be a host's."""
    names: dict[str, str] = {}
    for line in data.decode(errors="replace").splitlines():
        address, *called = line.partition("#")[0].split() or [""]
        with contextlib.suppress(ValueError):
            address = str(ipaddress.ip_address(address))
            if called and _HOST_NAME.fullmatch(called[0]):
                names.setdefault(address, called[0])
    return names


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HOSTS_SIZE)
    except OSError:
        return b""


def _worth_asking(address: str) -> bool:
    """It is an address, and one that means the same host to a name server."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # the path of a unix socket, the name of a netlink protocol
        return False
    return not (parsed.is_unspecified or parsed.is_loopback or parsed.is_link_local or parsed.is_multicast)


@lru_cache(maxsize=4096)  # the C library reads the file for every question
def _service(number: int, proto: str | None) -> str | None:
    try:
        return socket.getservbyport(number, proto) if proto else socket.getservbyport(number)
    except (OSError, OverflowError):
        return None
