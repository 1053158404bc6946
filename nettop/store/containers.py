"""Container rows: what processes belong to, with the sums over processes and sockets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nettop.model import NO_TRAFFIC, Cgroup, Change, Container
from nettop.snapshot import ContainerRow, Place, ProcessRow
from nettop.store.books import Books
from nettop.store.sums import Ledger

_NOTHING: Change = Change({}, [])


class Containers:
    """Every container, unit and program; rebuilds the rows that a Delta, a process or a socket touches."""

    def __init__(self, ledger: Ledger) -> None:
        self.rows: dict[int, ContainerRow] = {}
        self.changed: set[int] = set()
        """Rows new, different or gone since `close_picture`."""
        self._ledger = ledger
        self._containers: dict[int, Container] = {}
        self._books = Books()
        self._cgroups: dict[int, Cgroup] = {}
        self._places: dict[int, Place] = {}  # cgroup → what it belongs to
        self._members: dict[int, dict[int, None]] = {}  # row → rows of its processes
        self._belongs: dict[int, int] = {}  # the same from a process
        self._touched: set[int] = set()
        self._restless: set[int] = set()  # rows that differ in the next picture even if nothing moves

    def place_of(self, cgroup: int | None) -> Place | None:
        """What sockets in a cgroup belong to."""
        return None if cgroup is None else self._places.get(cgroup)

    def take(self, changes: Mapping[str, Change]) -> set[int]:
        """Put a Delta's rows into the tables; the cgroups whose place is new, different or gone."""
        containers, cgroups = changes.get("containers", _NOTHING), changes.get("cgroups", _NOTHING)
        for row_id in containers.gone:
            self._drop(row_id)
        self._containers.update(containers.rows)
        traffic = changes.get("together", _NOTHING).rows
        self._books.take(traffic)
        self._touched.update(containers.rows, traffic)
        gone = {self._cgroups.pop(row_id).cgroup for row_id in cgroups.gone if row_id in self._cgroups}
        self._cgroups.update(cgroups.rows)
        return self._find_places() | gone if gone or containers.gone or containers.rows or cgroups.rows else set()

    def rebuild(
        self,
        processes: Mapping[int, ProcessRow],
        changed: Iterable[int],
        rates: Mapping[int, tuple[float, float]],
        elapsed: float | None,
    ) -> None:
        """Make the rows anew of what `take` touched, of those whose processes `changed` or whose sockets did.

        `rates` are bytes received and sent a second of each row with traffic."""
        for process_id in changed:
            self._move(process_id, processes.get(process_id))
        for row_id in self._touched | self._restless | self._ledger.containers_touched | rates.keys():
            container = self._containers.get(row_id)
            if container is not None:
                new = self._join(row_id, container, processes, rates, elapsed)
                if new != self.rows.get(row_id):
                    self.rows[row_id] = new
                    self.changed.add(row_id)

    def tables(self) -> Mapping[str, Mapping[int, Any]]:
        """What a Delta told of containers and is true still, by table and row id."""
        return {"containers": self._containers, "together": self._books.traffic, "cgroups": self._cgroups}

    def close_picture(self) -> None:
        """What changes from here on belongs to the next picture."""
        self.changed = set()
        self._touched = set()
        self._books.close_picture()

    def _find_places(self) -> set[int]:
        """Work out where each cgroup belongs; those that belong elsewhere now, or to something of another name."""
        before = self._places
        self._places = {}
        for cgroup, row_id in self._cgroups.values():
            container = self._containers.get(row_id)
            if container is not None:
                place, known = Place(row_id, container), before.get(cgroup)
                self._places[cgroup] = known if known == place else place
        return {i for i in before.keys() | self._places.keys() if before.get(i) is not self._places.get(i)}

    def _move(self, process_id: int, process: ProcessRow | None) -> None:
        """A process is new, different or gone."""
        before = self._belongs.get(process_id)
        now = process.process.belongs if process is not None and not process.ended else None
        if before is not None:
            self._touched.add(before)
        if now is not None:
            self._touched.add(now)
        if now == before:
            return
        if before is not None:
            del self._belongs[process_id]
            members = self._members[before]
            del members[process_id]
            if not members:
                del self._members[before]
        if now is not None:
            self._belongs[process_id] = now
            self._members.setdefault(now, {})[process_id] = None

    def _join(
        self,
        row_id: int,
        container: Container,
        processes: Mapping[int, ProcessRow],
        rates: Mapping[int, tuple[float, float]],
        elapsed: float | None,
    ) -> ContainerRow:
        sums = self._ledger.of_container(row_id)
        traffic = self._books.of(row_id)
        members = [processes[i] for i in self._members.get(row_id, ())]
        counted = sums.counted > 0 or traffic is not NO_TRAFFIC
        rx_rate, tx_rate = self._books.rates(row_id, rates.get(row_id, (0.0, 0.0)), elapsed)
        if not elapsed or rx_rate or tx_rate:
            self._restless.add(row_id)
        else:
            self._restless.discard(row_id)
        return ContainerRow(
            id=row_id,
            container=container,
            processes=len(members),
            connections=sums.connections,
            listening=sums.listening,
            sockets=sums.sockets,
            rx_bytes=sums.rx_bytes + traffic.rx_bytes if counted else None,
            tx_bytes=sums.tx_bytes + traffic.tx_bytes if counted else None,
            rx_rate=rx_rate if counted and elapsed else None,
            tx_rate=tx_rate if counted and elapsed else None,
            retrans=sums.retrans + traffic.retrans if counted else None,
            cpu=sum((row.cpu or 0.0 for row in members), 0.0) if elapsed else None,
            rss=sum(row.usage.rss for row in members),
            rx_before=traffic.rx_before,
            tx_before=traffic.tx_before,
            opened=traffic.opened,
            accepted=traffic.accepted,
            failed=traffic.failed,
            closed=traffic.closed,
        )

    def _drop(self, row_id: int) -> None:
        self._containers.pop(row_id, None)
        self._books.drop(row_id)
        self._touched.discard(row_id)
        self._restless.discard(row_id)
        if self.rows.pop(row_id, None) is not None:
            self.changed.add(row_id)
