"""Rows added up: what a folded row of the tree and a group show.

All figures are whole numbers, rates and percentages in thousandths, so that what is added and taken away again leaves
no trace: a group of 42,000 connections is kept up to date by its few hundred changes.
"""

from __future__ import annotations

from operator import add, sub
from typing import NamedTuple

from nettop.snapshot import Connection, ProcessRow

_FINE = 1000


class Sums(NamedTuple):
    """What some rows add up to. A figure that is known of none of them is unknown: `known` counts those it is of."""

    rows: int
    connections: int
    listening: int
    sockets: int
    cpu_known: int
    cpu_fine: int
    mem_fine: int
    rss: int
    threads: int
    bytes_known: int
    rx_total: int
    tx_total: int
    rx_fine: int
    tx_fine: int
    retrans_known: int
    retrans_total: int

    def plus(self, other: Sums) -> Sums:
        return Sums(*map(add, self, other))

    def minus(self, other: Sums) -> Sums:
        return Sums(*map(sub, self, other))

    @property
    def cpu(self) -> float | None:
        """Percent of one processor."""
        return self.cpu_fine / _FINE if self.cpu_known else None

    @property
    def mem(self) -> float:
        """Percent of the machine's memory."""
        return self.mem_fine / _FINE

    @property
    def rx_bytes(self) -> int | None:
        return self.rx_total if self.bytes_known else None

    @property
    def tx_bytes(self) -> int | None:
        return self.tx_total if self.bytes_known else None

    @property
    def rx_rate(self) -> float | None:
        """Bytes a second."""
        return self.rx_fine / _FINE if self.bytes_known else None

    @property
    def tx_rate(self) -> float | None:
        return self.tx_fine / _FINE if self.bytes_known else None

    @property
    def retrans(self) -> int | None:
        return self.retrans_total if self.retrans_known else None


NOTHING = Sums(*[0] * len(Sums._fields))


def of_connection(row: Connection) -> Sums:
    """The figures of one socket; of one that has ended only what it has moved."""
    stats, lives = row.stats, not row.ended
    listens = stats.state == "LISTEN"
    return Sums(
        rows=1,
        connections=lives and not listens and row.socket.rport is not None,
        listening=listens,
        sockets=lives,
        cpu_known=0,
        cpu_fine=0,
        mem_fine=0,
        rss=0,
        threads=0,
        bytes_known=stats.rx_bytes is not None,
        rx_total=stats.rx_bytes or 0,
        tx_total=stats.tx_bytes or 0,
        rx_fine=_fine(row.rx_rate),
        tx_fine=_fine(row.tx_rate),
        retrans_known=stats.retrans is not None,
        retrans_total=stats.retrans or 0,
    )


def of_process(row: ProcessRow) -> Sums:
    """The figures of one process."""
    return Sums(
        rows=1,
        connections=row.connections,
        listening=row.listening,
        sockets=row.sockets,
        cpu_known=row.cpu is not None,
        cpu_fine=_fine(row.cpu),
        mem_fine=_fine(row.mem),
        rss=row.usage.rss,
        threads=row.usage.threads,
        bytes_known=row.rx_bytes is not None,
        rx_total=row.rx_bytes or 0,
        tx_total=row.tx_bytes or 0,
        rx_fine=_fine(row.rx_rate),
        tx_fine=_fine(row.tx_rate),
        retrans_known=row.retrans is not None,
        retrans_total=row.retrans or 0,
    )


def summed_up(row: ProcessRow, sums: Sums) -> ProcessRow:
    """A process with these sums in place of its own figures."""
    return row._replace(
        usage=row.usage._replace(rss=sums.rss, threads=sums.threads),
        cpu=sums.cpu,
        mem=sums.mem,
        connections=sums.connections,
        listening=sums.listening,
        sockets=sums.sockets,
        rx_bytes=sums.rx_bytes,
        tx_bytes=sums.tx_bytes,
        rx_rate=sums.rx_rate,
        tx_rate=sums.tx_rate,
        retrans=sums.retrans,
    )


def _fine(value: float | None) -> int:
    return round(value * _FINE) if value else 0
