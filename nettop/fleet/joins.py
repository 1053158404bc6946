"""Connections from one watched machine to another: which row is at the other end.

Two rows are one TCP connection if what one takes for itself is what the other talks to, and the other way round, as
within a machine (`store.peers`). But the same private addresses are in use on many machines, so that an address counts
only where it belongs to an interface of exactly one of those that are watched, in the very namespace the socket lives
in. What is ambiguous is unknown. Ends that are translated on the way do not match, and are not joined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping

from nettop.machines import machine_of
from nettop.snapshot import Connection, NamespaceRow
from nettop.store import Store
from nettop.store.peers import Ends, is_loopback, same_ends, true_ends

_JOINED = "tcp"


class Joins:
    """See `store.peers.Abroad`."""

    def __init__(self) -> None:
        self.stores: MutableMapping[int, Store] = {}
        """Of the machines that are reached, by number."""
        self._known: dict[int, tuple[Mapping[int, NamespaceRow], Mapping[str, frozenset[int]]]] = {}

    def prepare(self) -> Iterator[None]:
        """See `store.peers.Abroad`."""
        for store in list(self.stores.values()):
            yield from store.peers.prepare_here()

    @property
    def asked(self) -> bool:
        """Somebody has wanted to know: see `Peers.asked`."""
        return any(store.peers.asked for store in self.stores.values())

    def of(self, row: Connection) -> Connection | None:
        """See `store.peers.Abroad`."""
        ends = true_ends(row)
        if ends is None or row.socket.proto != _JOINED:
            return None
        home, there = machine_of(row.id), self._owner(ends[2])
        if there is None or there == home or self._owner(ends[0]) != home:
            return None
        turned = (*ends[2:], *ends[:2])
        return self._only(there, turned, ended=row.ended) if self._only(home, ends, ended=row.ended) else None

    def touched(self, old: Connection | None, new: Connection | None) -> set[int]:
        """Ids of the rows of other machines for whom the other end is another one now that a row has changed; None
        before it came, or after it went."""
        if old is not None and new is not None and same_ends(old, new):
            return set()
        return {peer.id for row in (old, new) if row is not None and (peer := self.of(row)) is not None}

    def _only(self, machine: int, ends: Ends, *, ended: bool) -> Connection | None:
        """The connection of a machine with these ends, where it is certain which one that is and nobody else there is
        at its other end; of several the one that has `ended` or not, as the port may have been used again since."""
        peers = self.stores[machine].peers
        if peers.with_ends(_JOINED, (*ends[2:], *ends[:2])):
            return None
        rows = peers.with_ends(_JOINED, ends)
        if len(rows) > 1:
            rows = [row for row in rows if row.ended == ended]
        return rows[0] if len(rows) == 1 and rows[0].socket.netns in self._holders(machine, ends[0]) else None

    def _owner(self, address: str) -> int | None:
        """The machine an address belongs to; None where that is none, or more than one."""
        machines = [machine for machine in self.stores if self._holders(machine, address)]
        return machines[0] if len(machines) == 1 else None

    def _holders(self, machine: int, address: str) -> frozenset[int]:
        """The namespaces of a machine in which an interface has this address."""
        rows = self.stores[machine].snapshot.namespaces
        known = self._known.get(machine)
        if known is None or known[0] is not rows:
            known = self._known[machine] = rows, addresses(rows)
        return known[1].get(address, frozenset())


def addresses(rows: Mapping[int, NamespaceRow]) -> Mapping[str, frozenset[int]]:
    """Address, without the length of its prefix → the namespaces that have it; those of loopback mean themselves."""
    found: dict[str, frozenset[int]] = {}
    for row in rows.values():
        for interface, _ in row.interfaces:
            for written in interface.addresses:
                address = written.partition("/")[0]
                if not is_loopback(address):
                    found[address] = found.get(address, frozenset()) | {row.namespace.netns}
    return found
