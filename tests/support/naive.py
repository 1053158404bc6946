"""The store's promises in the plainest words: every picture worked out from all tables, now and before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nettop.model import CLOSED, COMPANIONS, NO_OWNERS, NO_TRAFFIC, TABLES, Delta, Traffic
from nettop.snapshot import (
    EMPTY,
    Connection,
    ContainerRow,
    Coverage,
    HostRates,
    LinkRate,
    NamespaceRow,
    Place,
    ProcessRow,
)
from nettop.store.limits import limit
from tests.support.streams import Tables


class NaiveStore:
    """Keeps the tables of this picture and the last one; works everything out each time it is asked."""

    def __init__(self) -> None:
        self.now: Tables = {}
        self.before: Tables = {}
        self.clock: float | None = None
        self.elapsed: float | None = None
        self._former: dict[Any, Any] = {}  # key → process, of those that are not listed any more and named by sockets

    def apply(self, told: Delta) -> None:
        """Take in one whole Delta."""
        if told.key:
            self.now, self.clock = {name: {} for name in TABLES}, None
            self._former = {}
        elif self.now:
            named = {owner.process.pid for row_id in self.now["sockets"] for owner in self._owners(row_id).holders}
            self._former = {key: process for key, process in self._former.items() if key.pid in named}
        listed = {process.key: process for process in self.now["processes"].values()}
        self.before = {name: {} if self.clock is None else dict(rows) for name, rows in self.now.items()}
        for table, change in told.changes.items():
            for row_id in change.gone:
                for name in (table, *COMPANIONS.get(table, ())):
                    self.now[name].pop(row_id, None)
            self.now[table].update(change.rows)
        left = listed.keys() - {process.key for process in self.now["processes"].values()}
        self._former.update((key, listed[key]) for key in left)
        self.elapsed = told.clock - self.clock if self.clock is not None and told.clock > self.clock else None
        self.clock = told.clock

    def connections(self) -> dict[int, Connection]:
        return {row_id: self._connection(row_id) for row_id in self.now["sockets"]}

    def processes(self) -> dict[int, ProcessRow]:
        return {row_id: self._process(row_id) for row_id in self.now["processes"]}

    def namespaces(self) -> dict[int, NamespaceRow]:
        return {row_id: self._namespace(row_id) for row_id in self.now["namespaces"]}

    def containers(self) -> dict[int, ContainerRow]:
        return {row_id: self._container(row_id) for row_id in self.now["containers"]}

    def coverage(self) -> Coverage:
        moved = {i: self._moved(i) or (0, 0, 0) for i in self.now["sockets"]}
        total = sum(rx + tx for rx, tx, _ in moved.values())
        known = sum(rx + tx for i, (rx, tx, _) in moved.items() if self._owners(i).holders)
        ownable = [i for i, socket in self.now["sockets"].items() if socket.ownable and self._lasts(i)]
        everywhere = self.now["everywhere"].get(0, NO_TRAFFIC)
        namespaces = self.now["namespaces"].values()
        return Coverage(
            bytes_owned=known / total if total else None,
            ownable=len(ownable),
            unowned=sum(not self._owners(i).holders for i in ownable),
            namespaces=len(namespaces),
            namespaces_read=sum(row.via != "none" for row in namespaces),
            events_lost=self.now["host"][0].events_lost,
            closed=everywhere.closed,
            closed_owned=everywhere.owned,
            bytes_moved=total,
        )

    def traffic(self) -> Traffic:
        return self._total(self.now["everywhere"].get(0, NO_TRAFFIC), list(self.now["sockets"]))

    def _total(self, settled: Traffic, sockets: list[int]) -> Traffic:
        """What is settled, and what the rows of these sockets say."""
        stats = [self.now["stats"][i] for i in sockets]
        return settled._replace(
            rx_bytes=settled.rx_bytes + sum(row.rx_bytes or 0 for row in stats),
            tx_bytes=settled.tx_bytes + sum(row.tx_bytes or 0 for row in stats),
            retrans=settled.retrans + sum(row.retrans or 0 for row in stats),
        )

    def _unseen(self, row_id: int, table: str = "traffic") -> tuple[int, int]:
        now, before = (tables[table].get(row_id, NO_TRAFFIC) for tables in (self.now, self.before))
        return now.rx_unseen - before.rx_unseen, now.tx_unseen - before.tx_unseen

    def _lasts(self, row_id: int) -> bool:
        return bool(self.now["stats"][row_id].state != CLOSED)

    def rates(self) -> HostRates:
        if not self.elapsed:
            return EMPTY.rates
        before, now = self.before["host"][0], self.now["host"][0]
        home = next((row for row in self.namespaces().values() if row.namespace.kind == "host"), None)
        again = sent = None
        if None not in (before.tcp_out_segs, now.tcp_out_segs, before.tcp_retrans_segs, now.tcp_retrans_segs):
            again = max(0, now.tcp_retrans_segs - before.tcp_retrans_segs)
            sent = max(0, now.tcp_out_segs - before.tcp_out_segs) + again
        total = now.cpu_total - before.cpu_total
        return HostRates(
            cpu=100 * max(0.0, now.cpu_busy - before.cpu_busy) / total if total > 0 else None,
            rx_rate=home.rx_rate if home else None,
            tx_rate=home.tx_rate if home else None,
            retrans_percent=None if again is None or sent is None else 100 * again / sent if sent else 0.0,
            forks=max(0, now.forks - before.forks) / self.elapsed,
            collector_cpu=100 * max(0.0, now.collector_cpu - before.collector_cpu) / self.elapsed,
            links=self._links(home.namespace.netns) if home else (),
        )

    def _owners(self, row_id: int) -> Any:
        return self.now["owners"].get(row_id, NO_OWNERS)

    def _moved(self, row_id: int) -> tuple[int, int, int] | None:
        """Bytes received and sent and segments sent again since the last picture."""
        now, before = self.now["stats"][row_id], self.before["stats"].get(row_id)
        if not self.elapsed or None in (now.rx_bytes, now.tx_bytes):
            return None
        if before is None:
            young = self.now["sockets"][row_id].since is not None or row_id in self.now["closed"]
            return (now.rx_bytes, now.tx_bytes, now.retrans or 0) if young else None
        if None in (before.rx_bytes, before.tx_bytes):
            return None
        again = (now.retrans or 0) - (before.retrans or 0)
        return max(0, now.rx_bytes - before.rx_bytes), max(0, now.tx_bytes - before.tx_bytes), max(0, again)

    def _find_process(self, owner: Any) -> Any:
        return next((p for p in self.now["processes"].values() if p.key == owner.process), None)

    def _find_namespace(self, netns: int | None) -> Any:
        return next((row for row in self.now["namespaces"].values() if row.netns == netns), None)

    def _find_place(self, cgroup: int | None) -> Place | None:
        named = [row.container for row in self.now["cgroups"].values() if row.cgroup == cgroup]
        container = self.now["containers"].get(named[-1]) if named else None
        return Place(named[-1], container) if container else None

    def _connection(self, row_id: int) -> Connection:
        socket, stats, owners = self.now["sockets"][row_id], self.now["stats"][row_id], self._owners(row_id)
        process, *others = [self._find_process(owner) for owner in owners.holders] or [None]
        if process is None and (owners.by == "gone" or stats.state == CLOSED):
            process = self._former.get(owners.holders[0].process) if owners.holders else None
        closed = self.now["closed"].get(row_id)
        moved = self._moved(row_id)
        if not self.elapsed:  # see View.first
            counted = None not in (stats.rx_bytes, stats.tx_bytes)
            rates: list[float | None] = [0.0 if counted else None] * 3
        else:
            rates = [None] * 3 if moved is None else [amount / self.elapsed for amount in moved]
        return Connection(
            id=row_id,
            socket=socket,
            stats=stats,
            owners=owners.holders,
            owner_by=owners.by,
            process=process,
            others=tuple(others),
            namespace=self._find_namespace(socket.netns),
            rx_rate=rates[0],
            tx_rate=rates[1],
            retrans_rate=rates[2],
            limit=limit(self.before["stats"].get(row_id), stats),
            closed=closed.time if closed else None,
            place=self._find_place(socket.cgroup) if process is None else None,
        )

    def _process(self, row_id: int) -> ProcessRow:
        process, usage = self.now["processes"][row_id], self.now["usage"][row_id]
        before = self.before["usage"].get(row_id)
        held = [i for i in self.now["sockets"] if [o.process for o in self._owners(i).holders[:1]] == [process.key]]
        stats = [self.now["stats"][i] for i in held]
        settled = self.now["traffic"].get(row_id, NO_TRAFFIC)
        total = self._total(settled, held)
        counted = row_id in self.now["traffic"] or any(row.rx_bytes is not None for row in stats)
        moved = [self._moved(i) or (0, 0, 0) for i in held]
        rx_unseen, tx_unseen = self._unseen(row_id)
        present = [i for i in held if self._lasts(i) and self._owners(i).by != "gone"]
        cpu_time = usage.cpu_time - (before.cpu_time if before else 0.0)
        return ProcessRow(
            id=row_id,
            process=process,
            usage=usage,
            namespace=self._find_namespace(process.netns),
            cpu=max(0.0, 100 * cpu_time / self.elapsed) if self.elapsed else None,
            mem=100 * usage.rss / self.now["host"][0].mem_total,
            connections=sum(map(self._connected, present)),
            listening=sum(self.now["stats"][i].state == "LISTEN" for i in present),
            sockets=len(present),
            rx_bytes=total.rx_bytes if counted else None,
            tx_bytes=total.tx_bytes if counted else None,
            rx_rate=(sum(rx for rx, _, _ in moved) / self.elapsed + rx_unseen / self.elapsed)
            if counted and self.elapsed
            else None,
            tx_rate=(sum(tx for _, tx, _ in moved) / self.elapsed + tx_unseen / self.elapsed)
            if counted and self.elapsed
            else None,
            retrans=total.retrans if counted else None,
            rx_before=settled.rx_before,
            tx_before=settled.tx_before,
            opened=settled.opened,
            accepted=settled.accepted,
            failed=settled.failed,
            closed=settled.closed,
        )

    def _container(self, row_id: int) -> ContainerRow:
        held = [i for i, row in self.connections().items() if row.belongs == row_id]
        stats = [self.now["stats"][i] for i in held]
        settled = self.now["together"].get(row_id, NO_TRAFFIC)
        total = self._total(settled, held)
        counted = row_id in self.now["together"] or any(row.rx_bytes is not None for row in stats)
        moved = [self._moved(i) or (0, 0, 0) for i in held]
        rx_unseen, tx_unseen = self._unseen(row_id, "together")
        present = [i for i in held if self._lasts(i) and self._owners(i).by != "gone"]
        members = [row for row in self.processes().values() if row.process.belongs == row_id and not row.ended]

        def rate(settled: int, moved: Iterable[int]) -> float | None:
            return sum(moved) / self.elapsed + settled / self.elapsed if counted and self.elapsed else None

        return ContainerRow(
            id=row_id,
            container=self.now["containers"][row_id],
            processes=len(members),
            connections=sum(map(self._connected, present)),
            listening=sum(self.now["stats"][i].state == "LISTEN" for i in present),
            sockets=len(present),
            rx_bytes=total.rx_bytes if counted else None,
            tx_bytes=total.tx_bytes if counted else None,
            rx_rate=rate(rx_unseen, (rx for rx, _, _ in moved)),
            tx_rate=rate(tx_unseen, (tx for _, tx, _ in moved)),
            retrans=total.retrans if counted else None,
            cpu=sum(row.cpu or 0.0 for row in members) if self.elapsed else None,
            rss=sum(row.usage.rss for row in members),
            rx_before=settled.rx_before,
            tx_before=settled.tx_before,
            opened=settled.opened,
            accepted=settled.accepted,
            failed=settled.failed,
            closed=settled.closed,
        )

    def _namespace(self, row_id: int) -> NamespaceRow:
        netns = self.now["namespaces"][row_id].netns
        inside = [i for i, socket in self.now["sockets"].items() if socket.netns == netns]
        total = self._total(self.now["inside"].get(row_id, NO_TRAFFIC), inside)
        present = list(filter(self._lasts, inside))
        links = [i for i, link in self.now["interfaces"].items() if link.netns == netns]
        carried = self._links(netns)
        return NamespaceRow(
            id=row_id,
            namespace=self.now["namespaces"][row_id],
            processes=sum(
                process.netns == netns and self.now["usage"][i].state != "X"
                for i, process in self.now["processes"].items()
            ),
            connections=sum(map(self._connected, present)),
            listening=sum(self.now["stats"][i].state == "LISTEN" for i in present),
            sockets=len(present),
            interfaces=tuple((self.now["interfaces"][i], self.now["counters"].get(i)) for i in links),
            rx_rate=sum(link.rx_rate for link in carried) if carried else None,
            tx_rate=sum(link.tx_rate for link in carried) if carried else None,
            rx_bytes=total.rx_bytes,
            tx_bytes=total.tx_bytes,
            opened=total.opened,
            accepted=total.accepted,
            failed=total.failed,
            closed=total.closed,
        )

    def _connected(self, row_id: int) -> bool:
        return self.now["sockets"][row_id].rport is not None and self.now["stats"][row_id].state != "LISTEN"

    def _links(self, netns: int) -> tuple[LinkRate, ...]:
        """What its interfaces carried: its cards, else all but bridges and the like, else all but loopback."""
        now, before, links = self.now["counters"], self.before["counters"], self.now["interfaces"]
        here = [i for i, link in links.items() if link.netns == netns and not link.loopback]
        cards = [i for i in here if links[i].kind is None]
        ends = [i for i in here if links[i].kind not in ("bridge", "bond", "team", "dummy", "ifb")]
        if not self.elapsed:
            return ()
        carried = [
            LinkRate(
                links[i].name,
                max(0, now[i].rx_bytes - before[i].rx_bytes) / self.elapsed,
                max(0, now[i].tx_bytes - before[i].tx_bytes) / self.elapsed,
            )
            for i in cards or ends or here
            if i in now and i in before
        ]
        return tuple(sorted(carried, key=lambda link: link.rx_rate + link.tx_rate, reverse=True))
