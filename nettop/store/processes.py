"""Process rows: who a process is and what it uses, with the sums over its sockets."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nettop.model import NO_TRAFFIC, Change, Namespace, Owner, Process, Usage
from nettop.snapshot import ProcessRow
from nettop.store.books import Books
from nettop.store.sums import Key, Ledger

_NOTHING: Change = Change({}, [])


class Processes:
    """Every process of the machine; rebuilds the rows that a Delta or a socket touches."""

    def __init__(self, ledger: Ledger, namespace_of: Callable[[int], Namespace | None]) -> None:
        self.rows: dict[int, ProcessRow] = {}
        self.changed: set[int] = set()
        """Rows new, different or gone since `close_picture`."""
        self.in_namespace: collections.Counter[int] = collections.Counter()
        """Namespace inode → processes inside."""
        self._ledger = ledger
        self._namespace_of = namespace_of
        self._processes: dict[int, Process] = {}
        self._usage: dict[int, Usage] = {}
        self._over: set[int] = set()  # rows of processes that have ended
        self._former: dict[Key, tuple[int, Process]] = {}  # listed no more, but named by sockets: id and process
        self._books = Books()
        self._ids: dict[Key, int] = {}  # a pid may be another process's while the row of an ended one is shown
        self._memory = 0
        self._touched: set[int] = set()
        self._restless: set[int] = set()  # rows that differ in the next picture even if nothing moves

    def of(self, owner: Owner | None) -> Process | None:
        """The process an owner names, None where it is not, or no longer, listed."""
        if owner is None:
            return None
        return self._processes.get(self._ids.get(owner[:2], -1))

    def former(self, owner: Owner) -> Process | None:
        """The process an owner names that is not listed any more; None where it never was."""
        return self._former.get(owner[:2], (0, None))[1]

    def row_id(self, key: Key) -> int | None:
        """Id of a process's row, None where it is not listed."""
        return self._ids.get(key)

    def take(self, changes: Mapping[str, Change]) -> set[int]:
        """Put a Delta's rows into the tables; pids that are new, different or gone."""
        processes, usage = changes.get("processes", _NOTHING), changes.get("usage", _NOTHING)
        pids: set[int] = set()
        for row_id in processes.gone:
            self._drop(row_id, pids)
        for row_id, process in processes.rows.items():
            if row_id not in self._usage and row_id not in usage.rows:
                self._former[process.key] = row_id, process
                pids.add(process.pid)
                continue
            if row_id not in self._over:
                self._count(self._processes.get(row_id), -1)
                self._count(process, 1)
            self._processes[row_id] = process
            self._ids[process.key] = row_id
            pids.add(process.pid)
        self._usage.update(usage.rows)
        for row_id in [row_id for row_id, row in usage.rows.items() if row.state == "X"]:
            if row_id not in self._over:
                self._over.add(row_id)
                self._count(self._processes.get(row_id), -1)
        traffic = changes.get("traffic", _NOTHING).rows
        self._books.take(traffic)
        self._touched.update(processes.rows, usage.rows, traffic)
        return pids

    def rebuild(
        self,
        keys: Iterable[Key],
        namespaces: set[int],
        rates: Mapping[Key, tuple[float, float]],
        elapsed: float | None,
        memory: int,
    ) -> None:
        """Make the rows anew of what `take` touched, of the processes `keys` whose sockets changed, of those inside
        `namespaces`, which changed their names, and of what was busy in the last picture.

        `rates` are bytes received and sent a second of each process with traffic, `memory` is the machine's, in bytes.
        """
        touched = self._touched | self._restless
        touched.update(self._ids[key] for key in (*keys, *rates) if key in self._ids)
        if memory != self._memory:
            self._memory = memory
            touched.update(self._processes)
        if namespaces:
            touched.update(row_id for row_id, p in self._processes.items() if p.netns in namespaces)
        for row_id in touched:
            process, usage = self._processes.get(row_id), self._usage.get(row_id)
            if process is not None and usage is not None:
                new = self._join(row_id, process, usage, rates, elapsed, memory)
                if new != self.rows.get(row_id):
                    self.rows[row_id] = new
                    self.changed.add(row_id)

    def tables(self) -> Mapping[str, Mapping[int, Any]]:
        """What a Delta told of processes and is true still, by table and row id."""
        return {"processes": self._processes, "usage": self._usage, "traffic": self._books.traffic}

    def former_rows(self) -> Mapping[int, Process]:
        """Those that are not listed any more, and that sockets name still."""
        return dict(self._former.values())

    def close_picture(self, named: Callable[[int], bool]) -> None:
        """What changes from here on belongs to the next picture; `named` says whether a socket names a pid."""
        self.changed = set()
        self._former = {key: known for key, known in self._former.items() if named(key[0])}
        self._touched = set()
        self._books.close_picture()

    def _join(
        self,
        row_id: int,
        process: Process,
        usage: Usage,
        rates: Mapping[Key, tuple[float, float]],
        elapsed: float | None,
        memory: int,
    ) -> ProcessRow:
        sums = self._ledger.of_process(process.key)
        traffic = self._books.of(row_id)
        counted = sums.counted > 0 or traffic is not NO_TRAFFIC
        rx_rate, tx_rate = self._books.rates(row_id, rates.get(process.key, (0.0, 0.0)), elapsed)
        cpu = self._cpu(row_id, usage, elapsed)
        if not elapsed or cpu or rx_rate or tx_rate:
            self._restless.add(row_id)
        else:
            self._restless.discard(row_id)
        return ProcessRow(
            id=row_id,
            process=process,
            usage=usage,
            namespace=None if process.netns is None else self._namespace_of(process.netns),
            cpu=cpu,
            mem=100 * usage.rss / memory if memory else 0.0,
            connections=sums.connections,
            listening=sums.listening,
            sockets=sums.sockets,
            rx_bytes=sums.rx_bytes + traffic.rx_bytes if counted else None,
            tx_bytes=sums.tx_bytes + traffic.tx_bytes if counted else None,
            rx_rate=rx_rate if counted and elapsed else None,
            tx_rate=tx_rate if counted and elapsed else None,
            retrans=sums.retrans + traffic.retrans if counted else None,
            rx_before=traffic.rx_before,
            tx_before=traffic.tx_before,
            opened=traffic.opened,
            accepted=traffic.accepted,
            failed=traffic.failed,
            closed=traffic.closed,
        )

    def _cpu(self, row_id: int, usage: Usage, elapsed: float | None) -> float | None:
        if not elapsed:
            return None
        shown = self.rows.get(row_id)  # of the last picture: this one's are made once
        before = shown.usage.cpu_time if shown is not None else 0.0  # it began since then
        return max(0.0, 100 * (usage.cpu_time - before) / elapsed)

    def _count(self, process: Process | None, sign: int) -> None:
        if process is not None and process.netns is not None:
            self.in_namespace[process.netns] += sign
            if not self.in_namespace[process.netns]:
                del self.in_namespace[process.netns]

    def _drop(self, row_id: int, pids: set[int]) -> None:
        process = self._processes.pop(row_id, None)
        self._usage.pop(row_id, None)
        self._books.drop(row_id)
        self._touched.discard(row_id)
        self._restless.discard(row_id)
        if self.rows.pop(row_id, None) is not None:
            self.changed.add(row_id)
        if process is not None:
            if row_id in self._over:
                self._over.discard(row_id)
            else:
                self._count(process, -1)
            pids.add(process.pid)
            self._former[process.key] = row_id, process
            if self._ids.get(process.key) == row_id:
                del self._ids[process.key]
