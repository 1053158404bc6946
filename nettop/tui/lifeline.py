"""What nettop's own screen hangs on: the processes it descends from, and the connection it is looked at through.

Ending one of these ends the session of whoever looks. They are found twice over, as each way fails somewhere: by who
descends from whom, which holds under sudo and in any namespace, but of other users' sockets needs root; and by what
sshd says in SSH_CONNECTION, which sudo leaves out and which is out of date in a tmux one has come back to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nettop.model import Process, ProcessKey
from nettop.snapshot import Connection, ProcessRow, Snapshot

INIT = 1

_CLIENTS = {"tmux: server": "tmux: client", "screen": "screen"}
"""What terminal multiplexers call their processes: a terminal of theirs descends from the server, and who looks at it
from somewhere else, through a client. Which server a client has is not known: all of them count."""

_End = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Lifeline:
    """What must not be ended by accident."""

    processes: frozenset[ProcessKey]
    """nettop's own, and those it descends from, init excepted."""
    ends: frozenset[_End]
    """Both ends of the ssh connection: address and port."""

    @classmethod
    def of(cls, snapshot: Snapshot, environ: Mapping[str, str]) -> Lifeline:
        """As of a picture; `environ` is that of the screen."""
        kin = (process.key for picture in snapshot.pictures() for process in _kin(picture))
        return cls(frozenset(kin), _ssh_ends(environ))

    def holds(self, row: Any) -> bool:
        """The row of a view is one of these processes, or the connection."""
        if isinstance(row, Connection):
            return self.carries(row)
        return isinstance(row, ProcessRow) and row.process.key in self.processes

    def carries(self, row: Connection) -> bool:
        """The screen is looked at through this connection; of one within this machine, both ends are it."""
        ends = row.socket.ends
        if ends is None:
            return False
        if any(owner.process in self.processes for owner in row.owners):
            return True
        return bool(self.ends) and {ends[:2], ends[2:]} == self.ends


NOTHING = Lifeline(frozenset(), frozenset())
"""Before the first picture."""


def _kin(snapshot: Snapshot) -> Iterator[Process]:
    """The collector of one machine, those it descends from, and if one of them is a terminal multiplexer its clients
    and those they descend from."""
    if snapshot.host is None:
        return
    known = {row.process.pid: row.process for row in snapshot.processes.values()}
    found: dict[int, Process] = {}
    pending = [snapshot.host.own_pid]
    while pending:
        process = known.get(pending.pop())
        if process is None or process.pid == INIT or process.pid in found:
            continue
        found[process.pid] = process
        pending.append(process.ppid)
        client = _CLIENTS.get(process.comm)
        if client is not None:
            pending += [other.pid for other in known.values() if other.comm == client]
    yield from found.values()


def _ssh_ends(environ: Mapping[str, str]) -> frozenset[_End]:
    """What SSH_CONNECTION says: the client's address and port, the server's address and port."""
    words = environ.get("SSH_CONNECTION", "").split()
    if len(words) != 4 or not (words[1].isdecimal() and words[3].isdecimal()):
        return frozenset()
    client, server = (address.partition("%")[0] for address in (words[0], words[2]))  # without a zone
    return frozenset({(client, int(words[1])), (server, int(words[3]))})
