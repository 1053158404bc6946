"""What somebody who is not root may see of a machine through a service.

Whoever may connect sees the machine: which processes there are, in which containers, and which sockets they hold. What
processes were *told* is another matter: arguments and labels hold passwords and tokens, /proc may have been mounted so
that they do not show (hidepid), and containers are not for their neighbours to read. So by default (`guarded`) the
command lines of others are their names alone, and labels are left out. `open` is for a machine whose users trust each
other; `strict` hides besides with whom the programs of others talk. One's own is always shown in full, and to root and
to the service's own user everything is.

A Delta is split in two: what everybody may see, and what is somebody's own. The first is most of it, and the same for
all. What is nobody's own is known to belong to others: a socket in TIME-WAIT has no user any more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from nettop.model import Change, Container, Delta, Destination, Event, Health, Nat, Process, Socket

HEALTH_ROW = 0
"""Row id of what is said of the policy; a collector's begin with 1."""

_REMOTE = re.compile(r"(?<= [→←] )[^,]+")
"""The other end in the detail of an event: see `collector.happenings.ends`."""

Viewer = int | None
"""The uid of one who sees what is their own; None is one who sees everything."""


class Policy(NamedTuple):
    """What of others may be seen."""

    commands: bool
    """Command lines, and labels of containers."""
    peers: bool
    """The remote ends of sockets."""

    def public(self, delta: Delta) -> Delta:
        """What everybody may see: the same object where that is all of it, else what is left without any events."""
        changes = {**delta.changes}
        for table, hide in self._hiding().items():
            if table in changes:
                rows, gone = changes[table]
                hidden = {row_id: hide(row) for row_id, row in rows.items()}
                if any(hidden[row_id] is not row for row_id, row in rows.items()):
                    changes[table] = Change({i: row for i, row in hidden.items() if row is not None}, gone)
        private = any(self._hidden(event) is not event for event in delta.events)
        return delta if not private and changes == delta.changes else delta._replace(changes=changes, events=())

    def own(self, delta: Delta, viewer: Viewer, socket_of: Callable[[int], Socket | None]) -> dict[str, Change]:
        """The rows that `public` does not show as they are and this one may see, as they are. `socket_of` knows the
        socket of a row id."""
        changes = {}
        for table, hide in self._hiding().items():
            rows = delta.changes[table].rows if table in delta.changes else {}
            own = {
                row_id: row
                for row_id, row in rows.items()
                if (viewer is None or _owner(row, row_id, socket_of) == viewer) and hide(row) is not row
            }
            if own:
                changes[table] = Change(own, [])
        return changes

    def event(self, event: Event, viewer: Viewer, uid_of: Callable[[int], int | None]) -> Event:
        """An event as this one may see it. `uid_of` knows whose a process is, or None."""
        hidden = self._hidden(event)
        if hidden is event or viewer is None:
            return event
        return event if event.pid is not None and uid_of(event.pid) == viewer else hidden

    @property
    def health(self) -> Health | None:
        """What is said of it to those it concerns."""
        hidden = [what for what, shown in (("command lines", self.commands), ("peers", self.peers)) if not shown]
        if not hidden:
            return None
        reason = f"the service does not tell the {' and '.join(hidden)} of other users"
        return Health("service", "degraded", reason, "sudo nettop", 1)

    def _hiding(self) -> Mapping[str, Callable[[Any], Any]]:
        """Table → a row as everybody may see it: the same object where that is all of it, None where it is nothing."""
        hiding: dict[str, Callable[[Any], Any]] = {}
        if not self.commands:
            hiding |= {"processes": _nameless, "containers": _unlabelled}
        if not self.peers:
            hiding |= {"sockets": _alone, "nat": _nothing, "destinations": _nothing}
        return hiding

    def _hidden(self, event: Event) -> Event:
        """An event as everybody may see it; the same object where that is all of it."""
        if not self.commands and event.kind == "exec":
            return event._replace(detail=event.comm or "")
        if not self.peers and _REMOTE.search(event.detail):
            return event._replace(detail=_REMOTE.sub("-", event.detail))
        return event


POLICIES: Mapping[str, Policy] = {
    "open": Policy(commands=True, peers=True),
    "guarded": Policy(commands=False, peers=True),
    "strict": Policy(commands=False, peers=False),
}
DEFAULT = "guarded"


def _nameless(row: Process) -> Process:
    return row if row.kernel or row.command == row.comm else row._replace(command=row.comm)


def _unlabelled(row: Container) -> Container:
    return row._replace(labels=()) if row.labels else row


def _alone(row: Socket) -> Socket:
    if row.remote is None and row.rport is None and row.peer_inode is None:
        return row
    return row._replace(remote=None, rport=None, peer_inode=None)


def _nothing(_row: Nat | Destination) -> None:
    return None


def _owner(row: Any, row_id: int, socket_of: Callable[[int], Socket | None]) -> int | None:
    """The uid of whoever the row is of; None where it is nobody's."""
    if isinstance(row, Nat):
        row = socket_of(row_id)
    return row.uid if isinstance(row, (Process, Socket)) else None
