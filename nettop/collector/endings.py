"""Sockets that end: their last figures, whose they were, and for how long they are shown still.

Three things tell that a socket has ended, in any order: its DESTROY message, with the final figures; a dump that lists
it no more; a dump that lists a TIME-WAIT entry with its cookie, which has no figures. Whatever comes first closes the
row, and the message settles it:

    alive ── message ─────────────────► CLOSED, final figures ── KEPT seconds ──► gone, figures on the books
    alive ── dump lacks it ───────────► CLOSED, figures of the dump before; the message may come much later, when the
                                        program closes a broken connection, and adds what is missing
    alive ── TIME-WAIT, and message ──► TIME-WAIT with the final figures ── KEPT seconds ──► TIME-WAIT without

A socket that only its message tells of gets a row of its own, too, up to `UNSEEN_ROWS` in a tick; of more only the
figures are taken. A message never comes before the dumps that list its socket alive, so nothing comes back to life.
"""

from __future__ import annotations

import collections
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from nettop.collector.happenings import Happenings
from nettop.collector.outbox import Outbox
from nettop.collector.remains import Ends, Recent, ends_of, figures_row, socket_row
from nettop.collector.traffic import NOTHING, Moved, TrafficBook
from nettop.kernel.inet_destroy import Destroyed
from nettop.kernel.inet_diag import Found, InetTable, Known
from nettop.memory import fitted
from nettop.model import NO_OWNERS, Closed, Owners, ProcessKey, Socket, SocketStats

KEPT = 10.0
"""Seconds an ended socket is shown."""
MOST = 3_000
"""Ended sockets shown at most, the newest."""
UNSEEN_ROWS = 1_000
"""Of sockets that no dump has seen, those of a tick that are shown."""
_REMEMBERED = 10_000
"""Broken connections whose message has not come, remembered at most."""

_ONE_BYTE = Moved(1, 0, 0)
_RX = SocketStats._fields.index("rx_bytes")
_USUAL = ("ESTAB", "LISTEN")
_FIN_RECEIVED = ("CLOSE-WAIT", "LAST-ACK", "CLOSING")


class Rows(NamedTuple):
    """What the table of sockets knows of its rows."""

    owners: Callable[[int], Owners]
    """Who holds the socket of a row, or did last."""
    close: Callable[[int, Owners], None]
    """The socket of a row has ended, and was these owners'."""
    drop: Callable[[int], None]
    """Forget a row, and tell that it is gone."""
    attribute: Callable[[Destroyed, int, Owners, float], Owners]
    """Whose a socket was, in this namespace, that its row says was these owners'."""
    defer: Callable[[Destroyed, int, Optional[float], float], bool]
    """Whether the next tick may tell whose it was."""
    attribute_late: Callable[[Destroyed, int, float], Owners]
    """What it tells."""
    accepted: Callable[[Destroyed, int], bool]
    """A connection was made to a port that somebody listens at, in this namespace."""
    stray: Callable[[int], None]
    """A connection was made in this namespace by nobody knows whom."""
    made: Callable[[int, int, Socket], None]
    """A socket that no dump has listed has got this row in a namespace."""


class _Ended:
    """A row that is shown although its socket has ended."""

    __slots__ = ("entry", "key", "netns", "owed", "stats", "time")

    def __init__(self, netns: int, stats: SocketStats, time: float) -> None:
        self.netns = netns
        self.stats = stats
        self.time = time
        self.entry: Optional[SocketStats] = None  # of TIME-WAIT
        self.key: Ends = ()  # its ends, where no dump has listed it
        self.owed = False  # one byte, if it turns out to be payload


class _Broken(NamedTuple):
    """A socket that no dump lists any more, and whose message has not come."""

    row: int
    told: Moved
    owners: Owners


class _Deferred(NamedTuple):
    """The message of a socket that no dump has listed, while it may still turn out whose it was."""

    netns: int
    message: Destroyed
    time: float
    before: Optional[float]
    """When its namespace had last been read."""


class Endings:
    """The rows of ended sockets of all namespaces."""

    def __init__(self, outbox: Outbox, book: TrafficBook, happenings: Happenings, rows: Rows) -> None:
        self._outbox = outbox
        self._book = book
        self._happenings = happenings
        self._rows = rows
        self._ended: Dict[int, _Ended] = {}  # row → oldest first
        self._broken: "collections.OrderedDict[Tuple[int, bytes], _Broken]" = collections.OrderedDict()
        self._bare: Set[int] = set()  # rows without figures: TIME-WAIT and SYN-RECV entries, sockets only bound
        self._finished: Set[int] = set()  # rows whose other end has sent its FIN, which they do not count
        self._turned: Dict[int, SocketStats] = {}  # rows that became such an entry in the last dump
        self._entries: Dict[int, _Broken] = {}  # those of them whose message has not come
        self._vanished: Dict[bytes, Tuple[str, Known]] = {}  # by cookie: protocol and more of those the last dump lacks
        self._missed: Dict[int, Set[bytes]] = {}  # by namespace: cookies of those that were given another dump
        self._unseen: Dict[Ends, int] = {}  # ends → row, of those no dump has listed
        self._strangers: Recent[Tuple[int, SocketStats]] = Recent()  # TIME-WAIT entries without a message
        self._debts: Recent[Optional[ProcessKey]] = Recent()  # holders of those without a row that are owed a byte
        self._unseen_rows = 0
        self._deferred: List[_Deferred] = []  # until the next tick

    def stats(self, found: Found) -> List[Tuple[int, SocketStats]]:
        """What to tell of the rows that a dump of TCP or UDP tells of: of those that have ended their last figures."""
        rows = found.stats
        if found.proto == "tcp":
            unusual = [(row, stats) for row, stats in rows if stats[0] not in _USUAL]
            bare = {row: stats for row, stats in unusual if stats[_RX] is None}
            self._finished.update([row for row, stats in unusual if stats[0] in _FIN_RECEIVED])
            same = self._bare.intersection(bare)
            if self._bare:
                self._bare.difference_update([row for row, _ in rows])
            if bare:
                self._bare.update(bare)
            if bare and not found.first:
                strangers = same.union([row for row, _ in found.born])
                self._turned.update((row, s) for row, s in bare.items() if row not in strangers)
        if not self._ended:
            return rows
        return [(row, self._last(row, stats) if row in self._ended else stats) for row, stats in rows]

    def gone(self, found: Found) -> List[int]:
        """Rows to drop at once, of those a dump does not list any more; others go through CLOSED."""
        if not found.missing:
            return found.gone
        drop = []
        for cookie, known in found.missing.items():
            row = known.row
            ended = self._ended.get(row)
            if ended is not None:
                if ended.entry is not None:  # TIME-WAIT is over
                    ended.entry = None
                    self._outbox.put("stats", row, ended.stats)
            elif row in self._bare:
                drop.append(row)
            else:
                self._vanished[cookie] = (found.proto, known)
            self._forget(row)
        return drop

    def entry(self, row: int, netns: int, socket: Socket, stats: SocketStats) -> None:
        """A dump lists a TIME-WAIT entry of a socket that no dump has listed: its row takes over what the message said,
        and the row that was made for that goes."""
        key = ends_of(netns, socket)
        debt = self._debts.pop(key)
        if debt:  # its message has come, and nothing of it is shown
            self._book.add_unseen(_ONE_BYTE, netns, debt[0])
            return
        before = self._unseen.pop(key, None)
        if before is None:  # its message may come any moment
            self._strangers.put(key, (row, stats))
            return
        ended = self._ended.pop(before)
        ended.entry = stats
        self._ended[row] = ended
        self._book.rename(before, row)
        self._pay(row, ended)
        self._rows.close(row, self._rows.owners(before))
        self._rows.drop(before)
        self._outbox.put("stats", row, self._last(row, stats))
        self._outbox.put("closed", row, Closed(ended.time))

    def destroyed(self, netns: int, table: InetTable, message: Destroyed, now: float, before: Optional[float]) -> None:
        """A message of a namespace has come; `table` is the one that would list its socket, `before` when it was last
        read."""
        row = table.row(message.cookie)
        if row is None:
            vanished = self._vanished.pop(message.cookie, None)
            row = vanished[1].row if vanished else None
        if row in self._entries:
            self._complete(netns, self._entries.pop(row), message, now)
        elif row in self._bare and row not in self._turned and row not in self._ended and message.outcome != "unused":
            self._tell_unseen(
                netns, message, now, before, shown=True
            )  # a dump has seen what became of it, and nothing else
        elif row is not None:
            if row not in self._ended:
                self._close(netns, row, table.since(message.cookie), message, now)
        elif (netns, message.cookie) in self._broken:
            self._complete(netns, self._broken.pop((netns, message.cookie)), message, now)
        elif message.outcome != "unused" and (message.proto == "tcp" or message.rport):
            self._tell_unseen(netns, message, now, before, shown=False)

    def turn_over(self, netns: int, table: Callable[[str], InetTable], now: float) -> None:
        """All messages of a namespace that came with its dump have been read: what is still open is settled without.

        What one dump lacks without a message is only missing; what the next one lacks, too, has ended. `table` gives
        that of tcp or udp."""
        missed = self._missed.pop(netns, set())
        self._bare = fitted(self._bare)
        for row in self._turned:
            if row not in self._ended:
                self._entries[row] = _Broken(row, self._book.told(row), self._rows.owners(row))
                self._happenings.vanished(row, netns, self._entries[row].owners, now)
                self._book.settle(row, netns, _holder(self._entries[row].owners))
        for cookie, (proto, known) in self._vanished.items():
            row = known.row
            if cookie not in missed:
                table(proto).restore(cookie, known)
                self._missed.setdefault(netns, set()).add(cookie)
                continue
            owners = self._rows.owners(row)
            told = self._book.told(row)
            self._broken[netns, cookie] = _Broken(row, told, owners)
            self._happenings.vanished(row, netns, owners, now)
            self._rows.close(row, owners)
            self._show(netns, row, figures_row(told), now)
        while len(self._broken) > _REMEMBERED:
            self._broken.popitem(last=False)
        self._turned, self._vanished = {}, {}
        self._strangers.age(netns)
        self._debts.age(netns)

    def expire(self, now: float) -> None:
        """Once a tick: drop what was shown for long enough, and of too many the oldest."""
        self._unseen_rows = 0
        surplus = len(self._ended) - MOST
        for row, ended in list(self._ended.items()):
            if ended.time > now - KEPT and surplus <= 0:
                break
            surplus -= 1
            del self._ended[row]
            self._unseen.pop(ended.key, None)
            self._book.settle(row, ended.netns, _holder(self._rows.owners(row)))
            if ended.entry is not None:
                self._outbox.put("stats", row, ended.entry)
            else:
                self._rows.drop(row)
        self._ended, self._unseen = fitted(self._ended), fitted(self._unseen)

    def forget(self, netns: int, rows: Iterable[int]) -> None:
        """A namespace is gone, and all its rows, which are these and those of what had ended there."""
        self.settle_deferred()
        ended = [row for row, entry in self._ended.items() if entry.netns == netns]
        for row in {*rows, *ended}:
            self._book.settle(row, netns, _holder(self._rows.owners(row)))
            self._happenings.forget(row)
            gone = self._ended.pop(row, None)
            if gone is not None:
                self._unseen.pop(gone.key, None)
            self._forget(row)
            self._rows.drop(row)
        self._missed.pop(netns, None)
        self._happenings.forget_namespace(netns)
        for key in [key for key in self._broken if key[0] == netns]:
            del self._broken[key]

    def _last(self, row: int, stats: SocketStats) -> SocketStats:
        """What to say of a row that has ended when a dump says this: it is in TIME-WAIT."""
        ended = self._ended[row]
        ended.entry = stats
        self._pay(row, ended)
        return ended.stats._replace(state=stats.state, recvq=stats.recvq, sendq=stats.sendq)

    def _close(self, netns: int, row: int, since: Optional[float], message: Destroyed, now: float) -> None:
        """The message of a socket that the last dump listed."""
        owners = self._rows.attribute(message, netns, self._rows.owners(row), now)
        self._rows.close(row, owners)
        figures, owed = self._final(netns, message, row)
        if message.outcome != "unused" and (message.proto == "tcp" or message.rport):
            lived = "older than nettop" if since is None else f"lived {now - since:.1f} s"
            ends = socket_row(message, netns)
            self._happenings.ended(
                row, ends, message.outcome, self._outgoing(message, netns), owners, figures, lived, now
            )
        else:
            self._happenings.forget(row)
        stats = figures_row(figures, message)
        self._book.tell([(row, stats)])
        self._show(netns, row, stats, now, owed)

    def _complete(self, netns: int, broken: _Broken, message: Destroyed, now: float) -> None:
        """The message of a socket that was over for the dumps before: what it moved since the last that listed it."""
        figures, _ = self._final(netns, message, broken.row, broken.told)
        if message.rport:
            ends = socket_row(message, netns)
            outgoing = self._outgoing(message, netns)
            self._happenings.tell_end(ends, message.outcome, outgoing, broken.owners, figures, "", now)
        ended = self._ended.get(broken.row)
        if ended is not None:
            ended.stats = figures_row(figures, message)
            self._book.tell([(broken.row, ended.stats)])
            self._outbox.put("stats", broken.row, ended.stats)
        else:
            late = Moved(*(a - b for a, b in zip(figures, broken.told)))
            self._book.add_unseen(late, netns, _holder(broken.owners))

    def _tell_unseen(self, netns: int, message: Destroyed, now: float, before: Optional[float], shown: bool) -> None:
        """The message of a socket that no dump has listed alive: it lived between two of them. `shown`: what became of
        it has a row already."""
        owners = self._rows.attribute(message, netns, NO_OWNERS, now)
        if not owners.holders and self._outgoing(message, netns):
            self._rows.stray(netns)
        if not owners.holders and not shown and self._rows.defer(message, netns, before, now):
            self._deferred.append(_Deferred(netns, message, now, before))
        else:
            self._end_unseen(netns, message, now, before, owners, shown)

    def settle_deferred(self) -> None:
        """A tick has begun that may tell whose some were."""
        deferred, self._deferred = self._deferred, []
        for netns, message, now, before in deferred:
            owners = self._rows.attribute_late(message, netns, now)
            self._end_unseen(netns, message, now, before, owners, shown=False)

    def _end_unseen(
        self, netns: int, message: Destroyed, now: float, before: Optional[float], owners: Owners, shown: bool
    ) -> None:
        figures, owed = self._final(netns, message, None)
        ends = socket_row(message, netns)
        key = ends_of(netns, ends)
        stranger = self._strangers.pop(key)
        row, entry = stranger[0] if stranger else (None, None)
        if row is None and not shown and self._unseen_rows < UNSEEN_ROWS:
            self._unseen_rows += 1
            row = self._outbox.new_id()
            self._outbox.put("sockets", row, ends)
            self._rows.made(netns, row, ends)
        if row is None:
            self._book.add_unseen(figures, netns, _holder(owners))
            if owed:
                self._debts.put(key, _holder(owners))
        else:
            self._rows.close(row, owners)
            stats = figures_row(figures, message)
            self._book.tell([(row, stats)])
            if entry is not None:
                self._turned[row] = entry
            self._show(netns, row, stats, now, owed)
            if entry is None:
                self._ended[row].key = key
                self._unseen[key] = row
        outgoing = self._outgoing(message, netns)
        lived = "" if before is None else f"lived under {now - before:.1f} s"
        self._happenings.ended(None, ends, message.outcome, outgoing, owners, figures, lived, now)

    def _outgoing(self, message: Destroyed, netns: int) -> bool:
        """Whether a connection was made from here."""
        return message.outgoing if message.outgoing is not None else not self._rows.accepted(message, netns)

    def _show(self, netns: int, row: int, stats: SocketStats, now: float, owed: bool = False) -> None:
        ended = self._ended[row] = _Ended(netns, stats, now)
        ended.owed = owed
        entry = self._turned.get(row)
        self._outbox.put("stats", row, stats if entry is None else self._last(row, entry))
        self._outbox.put("closed", row, Closed(now))

    def _forget(self, row: int) -> None:
        self._bare.discard(row)
        self._finished.discard(row)
        self._entries.pop(row, None)

    def _final(
        self, netns: int, message: Destroyed, row: Optional[int], told: Optional[Moved] = None
    ) -> Tuple[Moved, bool]:
        """The last figures of a socket: those of its message, or where that has none, what was told; and whether a byte
        is owed: counted for the other end's FIN, it was payload should a TIME-WAIT entry turn up.

        Who leaves such an entry has closed first, and its FIN was answered when the socket was gone. Who has connected,
        and whose own FIN was never acknowledged, was reset and has seen none."""
        if told is None:
            told = NOTHING if row is None else self._book.told(row)
        final = message.final
        if final is None or message.outcome in ("unused", "refused", "unanswered", "aborted"):
            return told, False
        received = final.rx_bytes
        finished = row in self._finished
        answered = message.outcome == "closed" and (final.flags != 1 or not self._outgoing(message, netns))
        fin = (finished or answered) and not message.fin and received > told.rx_bytes
        return Moved(*map(max, (received - fin, final.tx_bytes, final.retrans), told)), fin and not finished

    def _pay(self, row: int, ended: _Ended) -> None:
        """The row of an ended socket is in TIME-WAIT."""
        if ended.owed:
            ended.owed = False
            ended.stats = ended.stats._replace(rx_bytes=(ended.stats.rx_bytes or 0) + 1)
            self._book.tell([(row, ended.stats)])


def _holder(owners: Owners) -> Optional[ProcessKey]:
    return owners.holders[0].process if owners.holders else None
