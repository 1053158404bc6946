"""The process that holds a lab: `python -m tests.bench.lab_host SPEC`, started by `tests.bench.lab.Lab`.

It is a program of its own so that the lab forks from a small, single-threaded image, and so that the lab goes whatever
becomes of its user: standard input closes with the user, and everything ends. Below it one process begins each
namespace, makes every socket there, and forks the others, each of which keeps what is its own and sleeps:

    host ─┬─ begins namespace 0 ─┬─ worker, worker, ... (accepted ends, shared listeners)
          │                      └─ client, client, ... (connecting ends)
          └─ begins namespace 1 ─ ...

Should the host be killed, the parent-death signal takes the tree with it.
"""

from __future__ import annotations

import ctypes
import gc
import json
import mmap
import os
import select
import signal
import socket
import sys
import time
import traceback
from itertools import pairwise
from typing import NoReturn

from tests.bench.lab_spec import LabSpec, Share
from tests.support import netns
from tests.support.forks import die_with

PREFIX = "nettop-lab-"
"""Names of the lab's namespaces: this, the pid of the host, and a number."""

_PR_SET_NAME = 15  # <linux/prctl.h>
_PR_SET_CHILD_SUBREAPER = 36
_IP_BIND_ADDRESS_NO_PORT = 24  # <linux/in.h>: let connect() choose the port

_TALK = memoryview(bytes(4096))

_libc = ctypes.CDLL(None)


def serve(spec: LabSpec) -> None:
    """Make the lab, print one JSON line with its namespaces and pids, hold it until standard input closes.

    Lines on standard input: "quiet" stops the traffic, "lively" lets it go on.
    """
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)  # so that every process of the lab can be waited for here
    names = [f"{PREFIX}{os.getpid()}-{share.number:02d}" for share in spec.shares()]
    lively = mmap.mmap(-1, mmap.PAGESIZE)  # shared with all that talk
    lively[0] = 1
    beginners: list[int] = []
    try:
        netns.add(*names)
        gc.freeze()  # the collector would touch, and so copy, every page the processes share
        pipes = []
        for name, share in zip(names, spec.shares(), strict=True):
            reading, writing = os.pipe()
            beginners.append(_fork_into(name, spec, share, lively, writing))
            os.close(writing)
            pipes.append(reading)
        made = []
        for name, reading in zip(names, pipes, strict=True):
            with os.fdopen(reading) as pipe:
                pids = json.loads(pipe.read() or "null")
            if pids is None:
                raise RuntimeError(f"{name} could not be made")
            made.append({"name": name, "inode": netns.inode(name), "pids": pids})
        print(json.dumps(made), flush=True)
        for line in sys.stdin:
            lively[0] = line.strip() == "lively"
    finally:
        for pid in beginners:
            os.killpg(pid, signal.SIGKILL)
        _wait_for_all()
        netns.delete(*names)


def _fork_into(name: str, spec: LabSpec, share: Share, lively: mmap.mmap, report: int) -> int:
    """Fork the process that begins a namespace; its pid is also the process group of all processes in there."""
    host = os.getpid()
    pid = os.fork()
    if pid:
        os.setpgid(pid, pid)
        return pid
    try:
        os.setpgid(0, 0)
        die_with(host)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        netns.enter(name)
        netns.loopback_up()
        _begin(spec, share, lively, report)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _begin(spec: LabSpec, share: Share, lively: mmap.mmap, report: int) -> NoReturn:
    """Make the sockets of a namespace and the processes that hold them, tell their pids, sleep."""
    workers = share.listeners * spec.workers
    holds = _make_sockets(spec, share, workers)
    own = [reading_or_writing for _ in range(spec.spare_fds // 2) for reading_or_writing in os.pipe()]
    settled, settling = os.pipe()  # closes when the last process has closed what is not its own
    top = max(settling, *(fd for fds, _ in holds for fd in fds), *own) + 1
    pids = [os.getpid()]
    for number, (fds, talking) in enumerate(holds):
        pid = os.fork()
        if pid:
            pids.append(pid)
            continue
        die_with(pids[0])
        serves = number < workers
        _name(f"web-{number // spec.workers}" if serves else f"client-{number - workers}")
        _keep_only([*fds, *own], top)  # which closes `settling` too: this process is settled
        if talking:
            phase = number % 8 / 8
            _talk(talking, None if serves else spec.interval, phase, lively)
        _sleep()
    _name(f"lab-{share.number}")
    os.close(settling)
    os.read(settled, 1)
    with os.fdopen(report, "w") as pipe:
        json.dump(pids, pipe)
    _keep_only(own, top)
    _sleep()


_Holds = list[tuple[list[int], list[int]]]
"""A process: the descriptors it holds, and those of them it talks on."""


def _make_sockets(spec: LabSpec, share: Share, workers: int) -> _Holds:
    """All sockets of a namespace, dealt out to its processes: first the workers, then the clients."""
    holds: _Holds = [([], []) for _ in range(share.processes - 1)]
    clients = len(holds) - workers
    listeners = []
    for number in range(share.listeners):
        listener = _listener(share.number % 250, number, v6=_is_v6(spec, number))
        for worker in range(number * spec.workers, (number + 1) * spec.workers):
            holds[worker][0].append(listener.fileno())
        listeners.append(listener)
    for pair in range(share.tcp_pairs):
        worker = pair * workers // share.tcp_pairs
        client = workers + pair * clients // share.tcp_pairs
        near, far = _connect(listeners[worker // spec.workers], f"127.{share.number % 250}.1.{client % 250 + 1}")
        for process, fd in ((client, near), (worker, far)):
            holds[process][0].append(fd)
            if pair < share.active_pairs:
                holds[process][1].append(fd)
    others = [_udp(share.number % 250, number, v6=_is_v6(spec, number)) for number in range(share.udp)]
    for _ in range(share.unix_pairs):
        others += (end.detach() for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM))
    for number, fd in enumerate(others):
        holds[number % len(holds)][0].append(fd)
    for listener in listeners:
        listener.detach()
    return holds


def _is_v6(spec: LabSpec, number: int) -> bool:
    """Whether socket `number` is one of the IPv6 share, which is spread evenly."""
    return int((number + 1) * spec.ipv6) > int(number * spec.ipv6)


def _listener(index: int, number: int, *, v6: bool) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("::1" if v6 else f"127.{index}.0.1", 8000 + number))
    listener.listen(128)
    return listener


def _connect(listener: socket.socket, address: str) -> tuple[int, int]:
    """Both ends of a connection to a listener: the connecting descriptor, from `address` if IPv4, and the accepted."""
    near = socket.socket(listener.family, socket.SOCK_STREAM)
    if listener.family == socket.AF_INET:
        near.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        near.bind((address, 0))
    near.connect(listener.getsockname())
    far, _ = listener.accept()
    return near.detach(), far.detach()


def _udp(index: int, number: int, *, v6: bool) -> int:
    """A UDP socket; every fourth is connected."""
    udp = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
    address = "::1" if v6 else f"127.{index}.0.1"
    udp.bind((address, 5000 + number))
    if number % 4 == 3:
        udp.connect((address, 53))
    return udp.detach()


def _keep_only(fds: list[int], top: int) -> None:
    """Close every descriptor below `top` but these and the standard ones."""
    for kept, next_kept in pairwise(sorted({2, *fds, top})):
        os.closerange(kept + 1, next_kept)


def _talk(fds: list[int], interval: float | None, phase: float, lively: mmap.mmap) -> NoReturn:
    """Exchange small messages for good: ask on every descriptor each `interval` seconds, or (None) answer.

    Sizes change from message to message, so that rates do too.
    """
    poll = select.epoll()
    for fd in fds:
        poll.register(fd, select.EPOLLIN)
    size = fds[0]
    ask_at = time.monotonic() + interval * (1 + phase) if interval else None
    while True:
        for fd, _ in poll.poll(None if ask_at is None else max(0.0, ask_at - time.monotonic())):
            os.read(fd, 4096)
            if ask_at is None:
                size = size * 75 % 65537  # Lehmer's generator: cheap, and even enough
                os.write(fd, _TALK[: 64 + size % 1400])
        if interval and ask_at and time.monotonic() >= ask_at:
            ask_at += interval
            for fd in fds if lively[0] else ():
                size = size * 75 % 65537
                os.write(fd, _TALK[: 32 + size % 200])


def _sleep() -> NoReturn:
    while True:
        signal.pause()


def _name(comm: str) -> None:
    _libc.prctl(_PR_SET_NAME, comm.encode())


def _wait_for_all() -> None:
    """Reap until no child, own or inherited, is left."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def _stop(*_: object) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    serve(LabSpec(*json.loads(sys.argv[1])))
