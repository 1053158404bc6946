"""What is read of one process or one namespace only when somebody looks at it.

Facts are plain JSON, as `requests` wants them. What may not be read is listed under `unreadable` with the kernel's
reason, so that a view can say so instead of showing nothing; what a process does not have is null.

=========== ===========================================================================================================
process     exe, cwd, root: paths · pids: its pid in each pid namespace · memory, io: bytes by name · limits: [name,
            soft, hard, unit], null is unlimited · files: kinds, paths, more · threads: count by name
environment variables: [name, value], more
namespace   routes: [to, via, interface, source, metric, kind, origin, table] · neighbours: [address, interface, link,
            state] · more
=========== ===========================================================================================================
"""

from __future__ import annotations

import errno
import functools
import os
from typing import Any, Callable, Dict, Optional

from nettop.collector.reader import OWN
from nettop.kernel import proc_details, routes
from nettop.kernel.procfs import Gone, ProcFS, parse_stat
from nettop.requests import Answer, Facts, InspectEnvironment, InspectNamespace, InspectProcess


def inspect_process(proc: ProcFS, request: InspectProcess) -> Answer:
    """Who it is and what it may use: see the module. Raises `Gone` where it has ended."""
    pid = request.pid
    facts: Dict[str, Any] = {}
    unreadable: Dict[str, str] = {}

    def take(name: str, read: Callable[[], Facts]) -> None:
        try:
            facts[name] = read()
        except Gone:
            proc.uid(pid)  # still there: a zombie or a kernel thread, which has none
            facts[name] = None
        except OSError as error:
            unreadable[name] = error.strerror or str(error)
        except ValueError as error:  # not what the manual says
            unreadable[name] = str(error)

    for name in ("exe", "cwd", "root"):
        take(name, functools.partial(proc.link, pid, name))
    take("pids", lambda: proc_details.parse_pids(proc_details.read_status(proc, pid)))
    take("memory", lambda: proc_details.parse_memory(proc_details.read_status(proc, pid))._asdict())
    take("io", lambda: proc_details.parse_io(proc_details.read_io(proc, pid))._asdict())
    take("limits", lambda: [list(limit) for limit in proc_details.parse_limits(proc_details.read_limits(proc, pid))])
    take("files", lambda: _files(proc, pid))
    take("threads", lambda: dict(proc_details.read_threads(proc, pid)))
    _check(proc, pid, request.start_time)
    return Answer(True, "read", {**facts, "unreadable": dict(unreadable)})


def inspect_environment(proc: ProcFS, request: InspectEnvironment) -> Answer:
    """The variables of its environment. Raises `Gone` where it has ended, PermissionError where it is not ours."""
    data = proc_details.read_environment(proc, request.pid)
    _check(proc, request.pid, request.start_time)
    variables = proc_details.parse_environment(data)
    more = len(data) >= proc_details.ENVIRONMENT_BYTES
    return Answer(True, "read", {"variables": [list(pair) for pair in variables], "more": more})


def inspect_namespace(path: Optional[str], request: InspectNamespace) -> Answer:
    """Its routes and neighbours; `path` leads into it. Raises OSError where it may not be entered."""
    if path is None:
        return Answer(False, f"there is no network namespace {request.netns} any more")
    ways = routes.read_ways(None if path == OWN else path)
    name = ways.interfaces.get
    return Answer(
        True,
        "read",
        {
            "routes": [
                [r.to, r.via, r.interface and name(r.interface), r.source, r.metric, r.kind, r.origin, r.table]
                for r in ways.routes
            ],
            "neighbours": [[n.address, name(n.interface), n.link, n.state] for n in ways.neighbours],
            "more": ways.more,
        },
    )


def _files(proc: ProcFS, pid: int) -> Facts:
    files = proc_details.read_files(proc, pid)
    return {"kinds": dict(files.kinds), "paths": [list(path) for path in files.paths], "more": files.more}


def _check(proc: ProcFS, pid: int, start_time: int) -> None:
    """Raise `Gone` where the pid now belongs to another process than was asked for. Afterwards, so that everything read
    before was of the one."""
    if parse_stat(proc.read_stat(pid)).start_time != start_time:
        raise Gone(errno.ESRCH, os.strerror(errno.ESRCH), f"{proc.root}/{pid}")
