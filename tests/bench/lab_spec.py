"""What a lab is made of, and what of it each namespace gets: pure arithmetic, so that tests can count afterwards."""

from __future__ import annotations

from typing import NamedTuple


class Share(NamedTuple):
    """What one namespace of a lab holds, exactly."""

    number: int
    processes: int
    tcp_pairs: int
    """Established connections; both ends live here, so `ss` counts twice as many sockets."""
    active_pairs: int
    """Of these, the ones that talk."""
    listeners: int
    """TCP sockets in state LISTEN, each held by `LabSpec.workers` processes."""
    udp: int
    unix_pairs: int

    @property
    def sockets(self) -> int:
        return 2 * self.tcp_pairs + self.listeners + self.udp + 2 * self.unix_pairs


class LabSpec(NamedTuple):
    """A lab in numbers; sums over all its namespaces."""

    processes: int
    namespaces: int
    tcp_pairs: int
    listeners: int
    udp: int
    unix_pairs: int
    workers: int = 3
    """Pre-forked processes that share each listener."""
    ipv6: float = 0.25
    """Share of the listeners, and so of their connections, and of the UDP sockets that are IPv6."""
    active: float = 0.05
    """Share of the TCP pairs that exchange a request and an answer every `interval` seconds; the rest never moves."""
    interval: float = 0.5
    spare_fds: int = 4
    """What else every process holds: pipes, as stand-ins for logs and event loops."""

    @property
    def sockets(self) -> int:
        return 2 * self.tcp_pairs + self.listeners + self.udp + 2 * self.unix_pairs

    @property
    def fds(self) -> int:
        """Descriptors of all processes: a listener counts once a worker, and 0, 1, 2 and the spare ones everywhere.

        The epoll instance of each process that talks comes on top.
        """
        return self.sockets + self.listeners * (self.workers - 1) + self.processes * (3 + self.spare_fds)

    def shares(self) -> list[Share]:
        """What each namespace gets. ValueError where the processes do not suffice for the listeners' workers."""
        shares = [
            Share(
                number,
                self._part(self.processes, number),
                self._part(self.tcp_pairs, number),
                self._part(round(self.tcp_pairs * self.active), number),
                self._part(self.listeners, number),
                self._part(self.udp, number),
                self._part(self.unix_pairs, number),
            )
            for number in range(self.namespaces)
        ]
        for share in shares:
            # one process begins the namespace, and connections want a worker at one end and a client at the other
            if share.processes < 1 + share.listeners * self.workers + 1:
                raise ValueError(f"{share.processes} processes are too few for {share.listeners} listeners")
            if share.tcp_pairs and not share.listeners:
                raise ValueError("connections need a listener in every namespace")
        return shares

    def _part(self, total: int, number: int) -> int:
        """Part `number` of a total spread over the namespaces: equal but for the remainder."""
        return total * (number + 1) // self.namespaces - total * number // self.namespaces


LAB_A = LabSpec(processes=2_000, namespaces=20, tcp_pairs=20_000, listeners=400, udp=800, unix_pairs=400)
"""A busy container host: 42,000 sockets, 56,800 descriptors."""

SMALL = LabSpec(processes=150, namespaces=5, tcp_pairs=100, listeners=20, udp=40, unix_pairs=20)
"""A small server: 300 sockets."""

SIZES = {"A": LAB_A, "small": SMALL}
