"""Connection tracking: which namespaces have it, what is worth asking there and when, and what it costs.

A namespace tracks nothing unless a rule asks for it, and then has flows; so each is asked for their number now and
then, and only where there are some a socket stays open: for new translated flows and UDP flows that end, which the
kernel tells as it happens, and for dumps. Translated flows are dumped at first, after events were lost, and once a
minute; UDP flows, where they are counted, at every tick. A dump walks the table of the whole machine, 3.3 ms or more,
so all of them together may take `BUDGET` in a tick, and who was asked longest ago comes first.
"""

from __future__ import annotations

import contextlib
import socket
from time import monotonic
from typing import Dict, List, Mapping, Optional, Sequence, Set, Tuple

from nettop.collector.datagrams import DatagramBook
from nettop.collector.health import HealthBook, often
from nettop.collector.outbox import Outbox
from nettop.collector.translations import Translations
from nettop.kernel import conntrack
from nettop.kernel.conntrack import EVENT_BUFFER, ConntrackEvents, ConntrackSocket, Fill, Flow
from nettop.kernel.inet_diag import Sought
from nettop.model import Datagrams, Socket

BUDGET, FIRST_BUDGET = 0.02, 0.1
"""Seconds of a tick, and of the first one, spent on dumps; the first of a tick is always made."""
ASK_EVERY = 5
"""Ticks between two questions whether a namespace has flows now, and whether they are counted."""
DUMP_EVERY = 60.0
"""Seconds between two dumps of translated flows while no event is lost."""
FEW = 500
"""Flows that are all asked for at once: one walk of the table, and not one or two for each question."""
MANY = 20_000
"""Flows of a namespace beyond which it is not dumped: 0.2 s, and 20 MB. New ones are still told."""
_QUIET = 60.0
"""Seconds without a flow after which a namespace's sockets are closed."""
_NEARLY_FULL = 0.9
_NEVER = float("-inf")


class _Tracked:
    """A namespace that was asked for its flows, and the sockets for that."""

    def __init__(self, path: Optional[str], receive_buffer: int) -> None:
        """Raises OSError."""
        self.fill = Fill(0, 0)
        self.counting = False
        """Its flows have byte counters."""
        self.busy = _NEVER  # when it last had flows
        self.dumped = _NEVER  # when its translated flows were last listed
        self.counted = _NEVER  # when its UDP flows were
        self.listed: Optional[List[Flow]] = None  # UDP flows, in this tick
        self.events: Optional[ConntrackEvents] = None
        self._path = path
        self._receive_buffer = receive_buffer
        self._asker = ConntrackSocket(path)

    def ask(self, now: float, everything: bool) -> bool:
        """How many flows there are, and with `everything` whether they are counted. Whether to keep it open: it has
        flows, or had some lately. Raises OSError."""
        self.fill = self._asker.fill()
        if self.fill.flows:
            self.busy = now
            if self.events is None:
                self.events = ConntrackEvents(self._path, self._receive_buffer)
            if everything:
                self.counting = conntrack.read_accounting(self._path)
        return now - self.busy < _QUIET

    def due(self, now: float) -> float:
        """When it was last asked for what it owes now; "now" where that is nothing."""
        if not self.fill.flows or self.fill.flows > MANY:
            return now
        if self.counting:
            return self.counted
        return self.dumped if now - self.dumped >= DUMP_EVERY else now

    @property
    def unlisted(self) -> bool:
        """Flows may have been missed: there was no dump yet, or none since events were lost."""
        return self.dumped == _NEVER

    def dump(self, now: float) -> List[Flow]:
        """Its translated flows where they are due, perhaps among others, and into `listed` its UDP flows. Raises
        OSError."""
        due = now - self.dumped >= DUMP_EVERY
        few = self._asker.flows() if self.fill.flows <= FEW else None
        if self.counting:
            self.counted = now
            self.listed = self._udp() if few is None else [flow for flow in few if flow.protocol == socket.IPPROTO_UDP]
        if not due:
            return []
        self.dumped = now
        return self._asker.translated() if few is None else few

    def take_holes(self) -> int:
        """As `DiagSocket.take_holes`."""
        return self._asker.take_holes()

    def _udp(self) -> List[Flow]:
        return self._asker.udp(socket.AF_INET) + self._asker.udp(socket.AF_INET6)

    def close(self) -> None:
        self._asker.close()
        if self.events is not None:
            self.events.close()


class ConntrackTracker:
    """The flows of every namespace, as `nat` and `datagrams` rows of the sockets at their ends.

    In a tick: `read` before the socket tables, which are then searched for what it returns; `note` and `forget` as they
    are read; `settle` after it."""

    def __init__(self, outbox: Outbox, health: HealthBook, receive_buffer: int = EVENT_BUFFER) -> None:
        """`receive_buffer` is the size of the kernel's queue of events, for each namespace, in bytes."""
        self.datagrams = DatagramBook()
        self._outbox = outbox
        self._health = health
        self._receive_buffer = receive_buffer
        self._translations = Translations(lambda row_id, nat: outbox.put("nat", row_id, nat))
        self._tracked: Dict[int, _Tracked] = {}
        self._tick = 0
        self._moved: Set[int] = set()  # who may have flows, and was not asked since
        self._overruns = 0
        self._holes = 0

    def fills(self) -> Dict[int, Fill]:
        """How full the table of each namespace is that has flows, or had some lately."""
        return {netns: tracked.fill for netns, tracked in self._tracked.items()}

    def read(self, paths: Mapping[int, Optional[str]], moved: Set[int]) -> Optional[Sought]:
        """Bring flows up to date in the namespaces of `paths` (None: the caller's own); the connections to look for in
        the next reading of socket tables. In those of `moved` interfaces counted something since the last call: no
        flow begins without."""
        self._tick += 1
        self._moved |= moved
        for netns in [netns for netns in self._tracked if netns not in paths]:
            self._close(netns)
        if not conntrack.present():
            reason = "the kernel tracks no connections: who is behind NAT, and the bytes of UDP, are not known"
            self._health.report("conntrack", "absent", reason, "modprobe nf_conntrack")
            return None
        now = monotonic()
        for place, (netns, path) in enumerate(paths.items()):
            everything = self._tick == 1 or (place + self._tick) % ASK_EVERY == 0
            if netns in self._tracked or (everything and netns in self._moved):
                self._moved.discard(netns)
                self._ask(netns, path, now, everything)
        self._dump(now)
        for netns, tracked in self._tracked.items():
            self._take_events(netns, tracked, now)
        self._report()
        return self._translations.seek()

    def note(self, netns: int, sockets: Sequence[Tuple[int, Socket]]) -> None:
        """Sockets of a namespace that are new, or have other ends than before."""
        self.datagrams.note(netns, sockets)
        if self._tick > 1:  # in the first tick all of them are searched
            self._translations.note(netns, sockets)

    def note_ended(self, netns: int, row_id: int, row: Socket) -> None:
        """A socket that ended before any table listed it has a row."""
        self._translations.note_ended(netns, row_id, row)

    def end(self, row_id: int) -> None:
        """The socket has ended; its row stays for a while."""
        self.datagrams.end(row_id)

    def forget(self, row_id: int) -> None:
        """The row is gone."""
        self.datagrams.forget(row_id)
        self._translations.forget(row_id)

    def settle(self, sought: Optional[Sought]) -> List[Tuple[int, Datagrams]]:
        """Tell what follows from all that was read; `sought` is what `read` returned. The UDP sockets whose bytes are
        others than before."""
        if sought is not None:
            self._translations.take_found(sought)
        self._translations.settle(monotonic())
        changed = self.datagrams.take_changed()
        self._outbox.put_all("datagrams", changed)
        return changed

    def close(self) -> None:
        """Let go of every namespace."""
        for netns in list(self._tracked):
            self._close(netns)

    def _ask(self, netns: int, path: Optional[str], now: float, everything: bool) -> None:
        try:
            tracked = self._tracked.get(netns)
            if tracked is None:
                tracked = self._tracked[netns] = _Tracked(path, self._receive_buffer)
            if not tracked.ask(now, everything):
                self._close(netns)
            self._health.heal("conntrack")
        except OSError as error:
            self._close(netns)
            if isinstance(error, PermissionError):
                reason = "tracked connections may not be read: who is behind NAT, and the bytes of UDP, are not known"
                self._health.report("conntrack", "unavailable", reason, "sudo nettop")

    def _dump(self, now: float) -> None:
        """List what is due, those first that wait longest, until the budget is spent."""
        deadline = now + (FIRST_BUDGET if self._tick == 1 else BUDGET)
        waiting = sorted((tracked.due(now), netns) for netns, tracked in self._tracked.items())
        for due, netns in waiting:
            if due < now:
                tracked = self._tracked[netns]
                with contextlib.suppress(OSError):  # it ends: the next census closes it
                    old = tracked.unlisted
                    self._translations.learn(netns, tracked.dump(now), now, old)
                self._holes += tracked.take_holes()
                if monotonic() > deadline:
                    break

    def _take_events(self, netns: int, tracked: _Tracked, now: float) -> None:
        """What the kernel told since the last tick; read after the dump, as `DatagramBook.count` wants it."""
        if tracked.events is None:
            return
        overruns = tracked.events.overruns
        new, ended = tracked.events.drain()
        self._translations.learn(netns, new, now)
        listed, tracked.listed = tracked.listed, None
        if tracked.counting:
            self.datagrams.count(netns, ended, listed)
        if tracked.events.overruns > overruns:
            self._overruns += tracked.events.overruns - overruns
            tracked.dumped = _NEVER
            reason = f"the kernel's queue of tracked connections overran {often(self._overruns)}; they are listed again"
            self._health.report("conntrack:events", "lossy", reason, None, self._overruns)

    def _report(self) -> None:
        tracked = [tracked for tracked in self._tracked.values() if tracked.fill.flows]
        uncounted = sum(not each.counting for each in tracked)
        reason = "tracked connections are not counted: the bytes of UDP are not known"
        self._say("accounting", uncounted, "absent", reason, "sysctl -w net.netfilter.nf_conntrack_acct=1")
        full = [each.fill.most for each in tracked if each.fill.flows >= each.fill.most * _NEARLY_FULL]
        reason = "the table of tracked connections is nearly full: new ones will be dropped"
        remedy = f"sysctl -w net.netfilter.nf_conntrack_max={2 * max(full, default=0)}"
        self._say("full", len(full), "degraded", reason, remedy)
        reason = f"lists of tracked connections had a hole {often(self._holes)}, and were asked for again"
        self._say("holes", self._holes, "lossy", reason, None)
        many = [each.fill.flows for each in tracked if each.fill.flows > MANY]
        reason = f"{max(many, default=0):,} tracked connections are too many to list: older ones stay unknown"
        self._say("many", len(many), "degraded", reason, None)

    def _say(self, what: str, times: int, status: str, reason: str, remedy: Optional[str]) -> None:
        """Complain of so many namespaces; of none, that is healed."""
        if times:
            self._health.report(f"conntrack:{what}", status, reason, remedy, times)
        else:
            self._health.heal(f"conntrack:{what}")

    def _close(self, netns: int) -> None:
        tracked = self._tracked.pop(netns, None)
        if tracked is not None:
            tracked.close()
            self.datagrams.close(netns)
