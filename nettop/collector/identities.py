"""Who a process is: what /proc says of it beside what it uses, and what it belongs to."""

from __future__ import annotations

import contextlib
import pwd
from typing import Callable, Dict, Optional, TypeVar

from nettop.collector.registry import NOWHERE, Registry
from nettop.kernel import procfs
from nettop.kernel.cgroup import Identity, parse_cgroup, parse_sandbox
from nettop.kernel.procfs import Gone, ProcFS, Stat
from nettop.model import Process

_T = TypeVar("_T")


class Identities:
    """Reads them. What needs more privilege is None."""

    def __init__(self, proc: ProcFS, registry: Registry) -> None:
        self._proc = proc
        self._registry = registry
        self._boot_time = proc.boot_time()
        self._users: Dict[int, Optional[str]] = {}

    def read(self, pid: int, stat: Stat) -> Process:
        """The process that has this pid, and had this stat just now. Raises Gone."""
        uid = self._proc.uid(pid)
        identity = None if stat.kernel else self._cgroup(pid)
        command = None if stat.kernel else _readable(self._proc.command, pid)
        inside = identity
        if identity is not None and identity.container_id is None and command:
            inside = parse_sandbox(command) or identity
        place = self._registry.place(inside, stat.comm) if inside else NOWHERE
        return Process(
            pid=pid,
            start_time=stat.start_time,
            ppid=stat.ppid,
            uid=uid,
            user=self.user(uid),
            comm=stat.comm,
            command=command or f"[{stat.comm}]",
            started=self._boot_time + stat.start_time / procfs.CLK_TCK,
            netns=None if stat.kernel else self._netns(pid),
            cgroup=identity.path if identity else None,
            container=place.container,
            unit=identity.unit if identity else None,
            belongs=place.row,
            kernel=stat.kernel,
        )

    def moved(self, process: Process, cgroup: bool) -> bool:
        """Whether a process has left its network namespace or, where one asks for that, its `cgroup`: neither makes an
        event. Raises Gone."""
        if self._netns(process.pid) != process.netns:
            return True
        if not cgroup:
            return False
        identity = self._cgroup(process.pid)
        return (identity.path if identity else None) != process.cgroup

    def user(self, uid: int) -> Optional[str]:
        """Login name of a user id, None if it has none; looked up once."""
        if uid not in self._users:
            try:
                self._users[uid] = pwd.getpwuid(uid).pw_name
            except KeyError:
                self._users[uid] = None
        return self._users[uid]

    def _cgroup(self, pid: int) -> Optional[Identity]:
        """What its cgroup says of a process; None where that may not be read. Raises Gone."""
        text = _readable(self._proc.cgroup, pid)
        return parse_cgroup(text) if text else None

    def _netns(self, pid: int) -> Optional[int]:
        """None where it may not be read, and of a zombie, which has left its namespaces."""
        with contextlib.suppress(Gone, PermissionError):
            return self._proc.netns(pid)[1]
        return None


def _readable(read: Callable[[int], _T], pid: int) -> Optional[_T]:
    """What `read` returns; None where that needs more privilege. Raises Gone."""
    try:
        return read(pid)
    except PermissionError:
        return None
