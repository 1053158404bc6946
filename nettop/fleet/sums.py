"""The figures of several machines as those of one: sums, and shares of the sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nettop.model import NO_TRAFFIC, Destination, Host, Traffic
from nettop.snapshot import EMPTY, Coverage, HostRates, LinkRate, Snapshot


def host(pictures: Iterable[Snapshot]) -> Host | None:
    """All machines together: they began when the first of them did, and none of their processes is the collector's."""
    hosts = [picture.host for picture in pictures if picture.host]
    if not hosts:
        return None

    figures = {name: _sum(getattr(each, name) for each in hosts) for name in Host._fields[2:]}
    return hosts[0]._replace(hostname="", boot_time=min(each.boot_time for each in hosts), **{**figures, "own_pid": 0})


def rates(pictures: Mapping[str, Snapshot]) -> HostRates:
    """By machine's name: what they move together, and each of them; processors by how many there are. Retransmits are
    those of the machine with most: one bad line would be lost among many good ones."""
    all_of_them = [picture.rates for picture in pictures.values()]
    cpus = [(picture.rates.cpu, picture.host.cpus) for picture in pictures.values() if picture.host]
    known = [(share, count) for share, count in cpus if share is not None]
    links = [
        LinkRate(name, picture.rates.rx_rate, picture.rates.tx_rate)
        for name, picture in pictures.items()
        if picture.rates.rx_rate is not None and picture.rates.tx_rate is not None
    ]
    return HostRates(
        cpu=sum(share * count for share, count in known) / max(1, sum(count for _, count in known)) if known else None,
        rx_rate=_sum(each.rx_rate for each in all_of_them),
        tx_rate=_sum(each.tx_rate for each in all_of_them),
        retrans_percent=max((r.retrans_percent for r in all_of_them if r.retrans_percent is not None), default=None),
        forks=_sum(each.forks for each in all_of_them),
        collector_cpu=_sum(each.collector_cpu for each in all_of_them),
        links=sorted(links, key=lambda link: -(link.rx_rate + link.tx_rate)),
    )


def coverage(pictures: Sequence[Snapshot]) -> Coverage:
    """How much of what happens on all of them can be explained."""
    parts = [picture.coverage for picture in pictures]
    if not parts:
        return EMPTY.coverage
    moved = sum(part.bytes_moved for part in parts)
    owned = sum((part.bytes_owned or 0.0) * part.bytes_moved for part in parts)
    sums = {name: sum(getattr(part, name) for part in parts) for name in Coverage._fields if name != "bytes_owned"}
    return Coverage(bytes_owned=owned / moved if moved else None, **sums)


def traffic(pictures: Sequence[Snapshot]) -> Traffic:
    """What all sockets of all of them did."""
    return (
        Traffic._make(map(sum, zip(*(picture.traffic for picture in pictures), strict=True)))
        if pictures
        else NO_TRAFFIC
    )


def destinations(pictures: Sequence[Snapshot]) -> Mapping[int, Destination]:
    """What became of the connections that any of them made."""
    return {row_id: row for picture in pictures for row_id, row in picture.destinations.items()}


def _sum(values: Iterable[Any]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
