"""Which row shows which inode, and so who holds its socket, or did last.

The rows tell what the resolver found, joined by inode. A socket outlives its holder: while the kernel still sends what
is left, and while its row is shown after the end. Then the row keeps the last holders, and what it moves counts for
them; should another holder turn up, the books are told (`TrafficBook.pass_on`).
"""

from __future__ import annotations

from typing import AbstractSet, Callable, Dict, List, Optional, Sequence, Set, Tuple

from nettop.collector.outbox import Outbox
from nettop.collector.resolver import Resolver
from nettop.collector.traffic import TrafficBook
from nettop.memory import fitted
from nettop.model import NO_OWNERS, Owner, Owners, ProcessKey, Socket

_INODE = 0xFFFFFFFF


class Holdings:
    """The owners of every row, in the outbox as they change."""

    def __init__(
        self, outbox: Outbox, resolver: Resolver, book: TrafficBook, alive: Callable[[ProcessKey], bool]
    ) -> None:
        """`alive` tells whether a process has not ended, as far as is known."""
        self._outbox = outbox
        self._resolver = resolver
        self._book = book
        self._alive = alive
        self._rows: Dict[int, int] = {}  # inode → row id
        self._more_rows: Dict[int, Set[int]] = {}  # inode → further ones: MPTCP lends its own to its subflows
        # row id → namespace << 32 | inode, which has 32 bits (get_next_ino): a tuple of both takes twice the memory
        self._inodes: Dict[int, int] = {}
        self._former: Dict[int, Owners] = {}  # row id → who held it last, of those nobody holds any more
        self._wanted: Dict[int, Set[int]] = {}  # namespace → inodes that have no known owner since the last tick

    def take(self, netns: int, sockets: Sequence[Tuple[int, Socket]]) -> None:
        """New sockets of a namespace, and such as got or lost their inode: accepted, or closed by their program."""
        known, owners_of, told = self._inodes, self._resolver.owners, []
        for row, socket in sockets:
            before = NO_OWNERS
            if row in known:
                before = self.owners(row)
                self._forget_inode(row)
            inode, owners = socket.inode, NO_OWNERS
            if inode is not None and socket.ownable:
                self._note_inode(row, inode, netns)
                owners = owners_of(inode)
                if not owners.holders:
                    self._wanted.setdefault(netns, set()).add(inode)
            if before.holders and not owners.holders:
                owners = self._former[row] = Owners("gone", before.holders)
            if owners.holders or before.holders:
                told.append((row, owners))
        self._outbox.put_all("owners", told)

    def owners(self, row: int) -> Owners:
        """Who holds the socket of a row, or did last, as was told."""
        known = self._inodes.get(row)
        if known is not None:
            inode = known & _INODE
            before = self._resolver.before(inode)
            if before:
                return Owners("exact" if self._alive(before[0].process) else "gone", before)
            owners = self._resolver.owners(inode)
            if owners.holders:
                return owners
        return self._former.get(row, NO_OWNERS)

    def listed(self) -> AbstractSet[int]:
        """The inodes of all sockets that have a row."""
        return self._rows.keys()

    def namespace(self, row: int) -> Optional[int]:
        """The namespace of a socket that has an inode."""
        known = self._inodes.get(row)
        return None if known is None else known >> 32

    def of_each(self, keys: Sequence[ProcessKey]) -> Dict[ProcessKey, List[int]]:
        """Rows of the sockets that each of these processes holds first, or held last."""
        rows: Dict[ProcessKey, List[int]] = {key: [] for key in keys}
        for key in keys:
            for inode in set(self._resolver.held(key.pid)):
                row = self._rows.get(inode)
                if row is not None:
                    holders = self.owners(row).holders
                    if holders and holders[0].process == key:
                        rows[key] += [row, *self._more_rows.get(inode, ())]
        for row, owners in self._former.items():
            if owners.holders and owners.holders[0].process in rows:
                rows[owners.holders[0].process].append(row)
        return rows

    def close(self, row: int, owners: Owners) -> None:
        """The socket has ended: it stays these owners', whatever they do."""
        self._forget_inode(row)
        if owners.holders:
            self._former[row] = owners
            self._outbox.put("owners", row, owners)

    def forget(self, row: int) -> None:
        """The row is gone."""
        self._forget_inode(row)
        self._former.pop(row, None)

    def forget_namespace(self, netns: int) -> None:
        self._wanted.pop(netns, None)

    def wanting(self) -> Dict[int, Set[int]]:
        """By namespace, inodes of sockets that appeared without an owner, or lost it, since the last call."""
        wanted, self._wanted = self._wanted, {}
        present = {netns: {inode for inode in inodes if inode in self._rows} for netns, inodes in wanted.items()}
        return {netns: inodes for netns, inodes in present.items() if inodes}

    def update(self) -> None:
        """Put the owners that the resolver found, or lost, into the outbox."""
        self._former = fitted(self._former)
        for inode, before in self._resolver.take_touched().items():
            row = self._rows.get(inode)
            if row is not None:
                owners = self._resolver.owners(inode)
                for same in (row, *self._more_rows.get(inode, ())):
                    self._outbox.put("owners", same, self._change(same, before, owners))
                if not owners.holders:  # should it be there still in the next tick, then somebody else holds it
                    self._wanted.setdefault(self._inodes[row] >> 32, set()).add(inode)

    def _change(self, row: int, before: Tuple[Owner, ...], owners: Owners) -> Owners:
        """What to tell of a row whose holders changed, and whose traffic it is from here on."""
        former = self._former.pop(row, NO_OWNERS).holders
        last = before or former
        if not owners.holders and last and not self._alive(last[0].process):
            gone = self._former[row] = Owners("gone", last)
            return gone
        held, holds = (holders[0].process if holders else None for holders in (last, owners.holders))
        if held != holds:
            self._book.pass_on(row, held, holds)
        return owners

    def _note_inode(self, row: int, inode: int, netns: int) -> None:
        self._inodes[row] = netns << 32 | inode
        if self._rows.setdefault(inode, row) != row:
            self._more_rows.setdefault(inode, set()).add(row)

    def _forget_inode(self, row: int) -> None:
        known = self._inodes.pop(row, None)
        if known is None:
            return
        inode = known & _INODE
        more = self._more_rows.get(inode)
        if more:
            more.discard(row)
            if self._rows[inode] == row:
                self._rows[inode] = more.pop()
            if not more:
                del self._more_rows[inode]
        else:
            del self._rows[inode]
