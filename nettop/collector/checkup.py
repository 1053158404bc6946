"""What nettop can and cannot see here, source by source: what the coverage line says in a word, told in full.

There is no second list of reasons: a source that complains says here what it says on the screen, and only what works
is told from here. Beside the sources stand a few probes of what the screen needs only when asked for it.
"""

from __future__ import annotations

import errno
import os
from typing import List, NamedTuple, Optional, Sequence

from nettop.collector.reader import LISTED
from nettop.kernel import privileges, sock_destroy
from nettop.kernel.netlink import DiagSocket
from nettop.model import Health

OK = "ok"


class Check(NamedTuple):
    """One line of the report."""

    name: str
    """The source, as in `model.Health`, or what was probed."""
    state: str
    """ok, or as in `model.Health`."""
    reason: str
    """A sentence."""
    remedy: Optional[str]
    """A command that would help."""
    times: int
    """How many times, or how many things are affected."""


class Scope(NamedTuple):
    """How much was looked at."""

    processes: int
    namespaces: int
    sockets: int


class _Source(NamedTuple):
    """A source that may complain, or several whose names go on behind a colon."""

    name: str
    works: str
    """What it says while it does not."""
    by_netlink: bool = False
    """There is nothing of it where netlink is refused."""


def examine(health: Sequence[Health], scope: Scope) -> List[Check]:
    """Everything, in the order of what it rests on; `health` is what the collector complains of now."""
    checks = [_check_kernel(os.uname().release)]
    refused = any(row.source == "netlink" for row in health)
    for source in _sources(scope):
        complaints = [Check(*row) for row in health if _of(row.source, source.name)]
        if refused and source.by_netlink:
            silent = Check(source.name, "unavailable", "nothing is known of it without netlink", None, 1)
        else:
            silent = Check(source.name, OK, source.works, None, 1)
        checks += complaints or [silent]
    bits = privileges.effective()
    checks += [_check_acting(bits), _check_closing(bits)]
    told = {check.name for check in checks}
    return [*checks, *(Check(*row) for row in health if row.source not in told)]


def _of(source: str, name: str) -> bool:
    return source == name or source.startswith(f"{name}:")


def _sources(scope: Scope) -> List[_Source]:
    listed = [_Source(f"sock_diag:{name}", f"{name} sockets are listed by the kernel", True) for name in LISTED]
    return [
        _Source("capabilities", "every capability that seeing everything takes is there"),
        _Source("userns", "in the machine's first user namespace"),
        _Source("pidns", "in the machine's first pid namespace"),
        _Source("procfs", "/proc and system calls mean the same processes"),
        _Source("hidepid", "/proc hides no process"),
        _Source("netlink", "the kernel can be asked by netlink"),
        _Source("cn_proc", "the kernel tells of every fork, exec and exit"),
        _Source("owners", f"the open files of all {scope.processes:,} processes are read"),
        _Source("setns", f"all {scope.namespaces:,} network namespaces are entered"),
        _Source("netns", f"their {scope.sockets:,} sockets are read"),
        *listed,
        _Source("sock_diag:holes", "every list of sockets came whole", True),
        _Source("sock_destroy", "the kernel tells of every TCP and UDP socket that ends, and its last figures", True),
        _Source("conntrack", "connection tracking is read, and counts", True),
        _Source("rtnetlink", "interfaces and addresses are read", True),
        _Source("runtime", "every container runtime that was asked answers"),
        _Source("budget", "nettop keeps its interval"),
    ]


_SINCE = (
    ((4, 9), "sockets that end are not told of, and none can be closed"),
    ((5, 3), "no signals: a process is not told from a later one with its pid"),
    ((5, 6), "sockets of processes that live for milliseconds have no owner"),
    ((5, 7), "sockets without a visible owner do not tell their container"),
    ((6, 2), "processes do not tell how many files they have open: more of them are read"),
)
"""What older kernels lack: the first version that has it, and what is missing before."""


def _check_kernel(release: str) -> Check:
    version = privileges.kernel_version(release)
    lacks = [what for since, what in _SINCE if version < since]
    if lacks:
        return Check("kernel", "degraded", f"Linux {release}: {'; '.join(lacks)}", None, len(lacks))
    return Check("kernel", OK, f"Linux {release} has everything nettop uses", None, 1)


def _check_acting(bits: int) -> Check:
    missing = privileges.missing(privileges.ACTING, bits)
    if not missing:
        return Check("actions", OK, "signals and nice values for every process", None, 1)
    remedy = "sudo nettop" if os.geteuid() else None
    return Check("actions", "degraded", privileges.describe_missing(missing), remedy, len(missing))


def _check_closing(bits: int) -> Check:
    """Asks the kernel to close a socket there is not. That it may not be closed is said only of one there is."""
    nowhere = sock_destroy.encode("tcp", "inet", "0.0.0.0", 0, "0.0.0.0", 0, 0, 1)
    try:
        diag = DiagSocket()
        try:
            sock_destroy.destroy(diag, nowhere)
        finally:
            diag.close()
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            reason = "this kernel closes no sockets: it was built without CONFIG_INET_DIAG_DESTROY"
            return Check("close", "absent", reason, None, 1)
        if error.errno != errno.ENOENT:
            reason = f"sockets cannot be closed: {error.strerror}"
            return Check("close", "unavailable", reason, None, 1)
    if privileges.missing([privileges.NET_ADMIN], bits):
        reason = f"sockets cannot be closed without {privileges.NET_ADMIN.name}"
        return Check("close", "unavailable", reason, "sudo nettop" if os.geteuid() else None, 1)
    return Check("close", OK, "TCP and UDP sockets can be closed", None, 1)
