"""What changes something on the machine: signals, nice values, sockets closed. Each says what the kernel answered.

Whoever asks has had it confirmed by a person. What is refused here is refused to everybody: init, kernel threads, and
without `insist` the processes the collector itself descends from, whose end would be its own.
"""

from __future__ import annotations

import errno
import os
import signal
from typing import Callable, Optional, Union

from nettop.collector.reader import OWN
from nettop.kernel import process_control, sock_destroy
from nettop.kernel.netlink import DiagSocket
from nettop.kernel.netns import in_namespace
from nettop.kernel.privileges import same_pids
from nettop.kernel.procfs import Gone, ProcFS
from nettop.requests import Answer, CloseSocket, Renice, Signal

INIT = 1

GONE = "it is gone already"


def send_signal(proc: ProcFS, request: Signal) -> Answer:
    """Send a signal to one process."""
    pid, start_time, number, _ = request

    def act() -> None:
        process_control.send_signal(proc, pid, start_time, number)

    return _act_on(proc, request, act, f"{signal_name(number)} sent")


def renice(proc: ProcFS, request: Renice) -> Answer:
    """Give one process another nice value."""
    pid, start_time, nice, _ = request

    def act() -> None:
        process_control.renice(proc, pid, start_time, nice)

    return _act_on(proc, request, act, f"nice is {nice} now")


def close_socket(path: Optional[str], request: CloseSocket) -> Answer:
    """Close one socket of the namespace that `path` leads into."""
    if path is None:
        return Answer(False, "its network namespace cannot be entered")

    def act() -> None:
        diag = DiagSocket()
        try:
            ends = request.local, request.lport, request.remote, request.rport
            ifindex = sock_destroy.interface_index(request.iface)
            asked = sock_destroy.encode(request.proto, request.family, *ends, ifindex, request.cookie)
            sock_destroy.destroy(diag, asked)
        finally:
            diag.close()

    try:
        if path == OWN:
            act()
        else:
            in_namespace(path, act)
    except ValueError as error:
        return Answer(False, str(error))
    except OSError as error:
        return Answer(False, _CLOSE_REFUSALS.get(error.errno or 0) or error.strerror or str(error))
    return Answer(True, "closed")


_CLOSE_REFUSALS = {
    errno.ENOENT: GONE,
    errno.EPERM: "not permitted: it takes CAP_NET_ADMIN, and CAP_SYS_ADMIN in another namespace",
    errno.EOPNOTSUPP: "this kernel closes no sockets: it was built without CONFIG_INET_DIAG_DESTROY",
}


def signal_name(number: int) -> str:
    """SIGTERM for 15; real-time signals by their number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _act_on(proc: ProcFS, request: Union[Signal, Renice], act: Callable[[], None], done: str) -> Answer:
    """What became of acting on a process: refused, done, or what the kernel said against it."""
    try:
        refusal = _refusal(proc, request)
        if refusal is None:
            act()
    except Gone:
        refusal = GONE
    except PermissionError:
        refusal = _not_permitted(request)
    return Answer(refusal is None, refusal or done)


def _refusal(proc: ProcFS, request: Union[Signal, Renice]) -> Optional[str]:
    """Why nobody shall act on that process; raises `Gone` where it has ended."""
    stat = process_control.identify(proc, request.pid, request.start_time)
    if stat.pid == INIT:
        return "it is init: without it the machine stops"
    if stat.kernel:
        return "it is a kernel thread"
    if not same_pids(proc.root):
        return f"{proc.root} is of another pid namespace: its pids may mean others here"
    if not request.insist and request.pid in process_control.ancestors(proc, os.getpid()):
        return "nettop itself runs under it"
    return None


def _not_permitted(request: Union[Signal, Renice]) -> str:
    if isinstance(request, Renice):
        return "not permitted: only root may lower a nice value, or change that of another user's process"
    return "not permitted: only root and its own user may"
