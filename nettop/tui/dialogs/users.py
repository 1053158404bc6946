"""Whose rows are shown: a menu of the users, with what belongs to each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

from nettop import format as text
from nettop.snapshot import Snapshot
from nettop.tui.dialogs.menu import Item

LONGEST = 18
"""Cells of a name."""


@dataclass(slots=True)
class Share:
    """What belongs to a user; rates in bytes a second."""

    name: str
    processes: int = 0
    connections: int = 0
    rx_rate: float = 0.0
    tx_rate: float = 0.0


def shares(snapshot: Snapshot) -> dict[int, Share]:
    """Uid → what belongs to that user, whoever has most traffic first; the traffic is that of the user's processes.

    A key waits for it, so of 42,000 sockets only the owners are counted, in C (5 ms).
    """
    found: dict[int, Share] = {}
    for row in snapshot.processes.values():
        uid = row.process.uid
        share = found.get(uid) or found.setdefault(uid, Share(row.process.user or str(uid)))
        share.processes += 1
        share.rx_rate += row.rx_rate or 0.0
        share.tx_rate += row.tx_rate or 0.0
    connections = snapshot.connections.values()
    counted = Counter(map(attrgetter("socket.uid"), connections))
    del counted[None]
    for uid, count in counted.items():
        if uid not in found:  # its processes have ended, or are not to be seen
            user = next(row.socket.user for row in connections if row.socket.uid == uid)
            found[uid] = Share(user or str(uid))
        found[uid].connections = count
    return dict(sorted(found.items(), key=lambda pair: _rank(pair[1])))


def _rank(share: Share) -> tuple[float, int, str]:
    return -share.rx_rate - share.tx_rate, -share.processes, share.name


def items(found: Mapping[int, Share]) -> list[Item]:
    """The lines of the menu, named by uid: everybody first, who has none."""
    everybody = Share("all users")
    for share in found.values():
        everybody.processes += share.processes
        everybody.connections += share.connections
        everybody.rx_rate += share.rx_rate
        everybody.tx_rate += share.tx_rate
    return [_item("", everybody), *(_item(str(uid), share) for uid, share in found.items())]


def _item(name: str, share: Share) -> Item:
    label = text.shorten_middle(text.safe(share.name), LONGEST)
    rates = [text.unit_aligned(text.rate(rate)) for rate in (share.rx_rate, share.tx_rate)]
    return Item(name, label, _columns(share.processes, share.connections, *rates))


def _columns(processes: object, connections: object, received: str, sent: str) -> str:
    return f"{processes:>6} {connections:>6} {received:>7} {sent:>7}"


HEAD = Item("", "USER", _columns("PROCS", "CONN", "RX/s", "TX/s"))
"""The titles above them."""
