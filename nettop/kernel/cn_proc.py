"""Process events from the kernel's proc connector: fork, exec, exit and the like, as they happen.

Rests on linux/cn_proc.h, linux/connector.h, drivers/connector/cn_proc.c and Documentation/driver-api/connector.rst.
Every event is one netlink datagram: nlmsghdr (16 bytes), cn_msg (20), proc_event (40 today; shorter before Linux 4.18,
where exit and coredump did not name the parent). Times are CLOCK_MONOTONIC, pids those of the initial pid namespace.

The kernel answers only in the initial network, pid and user namespaces. Another network namespace is refused outright;
in another pid or user namespace the request is ignored without a word, so a missing acknowledgement is the only sign.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import struct
import threading
import time
from functools import lru_cache
from typing import List, NamedTuple, Optional, Sequence, Tuple

from nettop.kernel.privileges import NETLINK_REMEDY, foreign_namespaces, netlink_refusal
from nettop.kernel.recvmmsg import Batch

NETLINK_CONNECTOR = 11
CN_IDX_PROC = 1
CN_VAL_PROC = 1
PROC_CN_MCAST_LISTEN = 1
PROC_CN_MCAST_IGNORE = 2
NLMSG_DONE = 3
SO_RCVBUFFORCE = 33

PROC_EVENT_NONE = 0x00000000
PROC_EVENT_FORK = 0x00000001
PROC_EVENT_EXEC = 0x00000002
PROC_EVENT_UID = 0x00000004
PROC_EVENT_GID = 0x00000040
PROC_EVENT_SID = 0x00000080
PROC_EVENT_PTRACE = 0x00000100
PROC_EVENT_COMM = 0x00000200
PROC_EVENT_COREDUMP = 0x40000000
PROC_EVENT_EXIT = 0x80000000

RECEIVE_BUFFER = 8 << 20
"""Bytes of socket buffer asked for. The kernel doubles it and charges 832 bytes an event: room for 20,000."""

ACK_SECONDS = 1.0
"""An acknowledgement comes within microseconds or never."""

PACE_MILLISECONDS = 10
"""Pause between two receives: a storm of events wakes the thread a hundred times a second, not once an event."""

MAX_PENDING = 64 << 20
"""Bytes kept for a caller who does not drain, about 880,000 events; what comes after is dropped and counted."""

_REQUEST = struct.Struct("=IHHII IIIIHH I")  # nlmsghdr, cn_msg, enum proc_cn_mcast_op
_ACK = struct.Struct("=I12xII4xI4xI12xI")  # nlmsg_len, cn_msg idx, val, ack, proc_event what, err
_EVENT = struct.Struct("=I12xII12xI4xQ4I")  # nlmsg_len, idx, val, what, timestamp_ns, first four words of the union
_DATA = 52  # offset of proc_event's union
_WORD = struct.Struct("=I")
_MINIMUM = _EVENT.size


class ProcEvent(NamedTuple):
    """One event of a process. Text in it is the process's own: print it through `format.safe`."""

    kind: str
    """One of `model.EVENT_KINDS`."""
    time: float
    """Seconds since the epoch."""
    pid: int
    """The process (thread group); for a fork the child."""
    tid: int
    """The thread it happened to."""
    ppid: Optional[int]
    """fork, exit, coredump: the parent process. None where the kernel does not say."""
    code: Optional[int]
    """exit: the raw status as `os.waitpid` returns it."""
    detail: str
    """exit: "code 1" or "signal 9 SIGKILL"; uid, gid: the ids; comm: the new name; ptrace: the tracer; else empty."""


def parse_events(data: bytes, epoch_offset: float) -> List[ProcEvent]:
    """Decode netlink datagrams laid end to end; `epoch_offset` turns CLOCK_MONOTONIC into seconds since the epoch.

    Thread forks and exits are left out, acknowledgements and unknown events too. Never raises: what is too short or
    claims a length it does not have ends the decoding there.
    """
    events: List[ProcEvent] = []
    append = events.append
    unpack = _EVENT.unpack_from
    offset, end = 0, len(data)
    while end - offset >= _MINIMUM:
        length, index, value, what, nanoseconds, first, second, third, fourth = unpack(data, offset)
        if length < _MINIMUM or length > end - offset:
            break
        if index == CN_IDX_PROC and value == CN_VAL_PROC:
            # first and second are the tid and tgid concerned, except for fork, where they are the parent's
            moment = nanoseconds / 1e9 + epoch_offset
            if what == PROC_EVENT_FORK:
                if third == fourth:
                    append(ProcEvent("fork", moment, third, third, second, None, ""))
            elif what == PROC_EVENT_EXIT:
                if first == second:
                    parent = _parent(data, offset + _DATA + 20, offset + length)
                    append(ProcEvent("exit", moment, second, first, parent, third, describe_exit(third)))
            elif what == PROC_EVENT_EXEC:
                append(ProcEvent("exec", moment, second, first, None, None, ""))
            elif what == PROC_EVENT_COMM:
                name = data[offset + _DATA + 8 : min(offset + _DATA + 24, offset + length)]
                append(ProcEvent("comm", moment, second, first, None, None, _text(name)))
            else:
                event = _rare_event(what, moment, first, second, third, fourth)
                if event is not None:
                    append(event)
        offset += (length + 3) & ~3
    return events


def _rare_event(what: int, moment: float, tid: int, pid: int, third: int, fourth: int) -> Optional[ProcEvent]:
    if what == PROC_EVENT_UID:
        return ProcEvent("uid", moment, pid, tid, None, None, f"ruid {third} euid {fourth}")
    if what == PROC_EVENT_GID:
        return ProcEvent("gid", moment, pid, tid, None, None, f"rgid {third} egid {fourth}")
    if what == PROC_EVENT_SID:
        return ProcEvent("sid", moment, pid, tid, None, None, "")
    if what == PROC_EVENT_PTRACE:
        return ProcEvent("ptrace", moment, pid, tid, None, None, f"tracer {fourth}" if fourth else "detached")
    if what == PROC_EVENT_COREDUMP:
        return ProcEvent("coredump", moment, pid, tid, fourth or None, None, "")
    return None


def _parent(data: bytes, offset: int, end: int) -> Optional[int]:
    """The parent_tgid of an exit: absent or zero before Linux 4.18, zero where the parent has waited for it already."""
    if offset + _WORD.size > end:
        return None
    parent: int = _WORD.unpack_from(data, offset)[0]
    return parent or None


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace")


@lru_cache(maxsize=512)
def describe_exit(status: int) -> str:
    """A wait status in words: "code 1", "signal 11 SIGSEGV, core dumped"."""
    number = status & 0x7F
    if not number:
        return f"code {status >> 8 & 0xFF}"
    try:
        name = signal.Signals(number).name
    except ValueError:  # real-time signals between SIGRTMIN and SIGRTMAX have no name of their own
        name = f"SIGRTMIN+{number - signal.SIGRTMIN}" if signal.SIGRTMIN < number < signal.SIGRTMAX else ""
    return f"signal {number} {name}".rstrip() + (", core dumped" if status & 0x80 else "")


def parse_ack(data: bytes, token: int) -> Optional[int]:
    """The errno (0: granted) of the kernel's answer to the request that carried `token`; None if it is not in `data`.

    Answers go to every listener of the group, so that of another program must not be taken for ours: the kernel gives
    the `ack` number of the request back, plus one.
    """
    offset, end = 0, len(data)
    while end - offset >= _ACK.size:
        length, index, value, ack, what, error = _ACK.unpack_from(data, offset)
        if length < _ACK.size or length > end - offset:
            break
        if (index, value, what, ack) == (CN_IDX_PROC, CN_VAL_PROC, PROC_EVENT_NONE, token + 1):
            return int(error)
        offset += (length + 3) & ~3
    return None


HOST_REMEDY = "run nettop on the host, or its container with --net=host --pid=host --userns=host"


class ProcEventListener:
    """Listens to the proc connector; a thread of its own empties the socket, whatever the rest of the program does.

    `start` never blocks, and `state` settles within `ACK_SECONDS`; what happens meanwhile is kept.
    """

    def __init__(self, receive_buffer: int = RECEIVE_BUFFER) -> None:
        self.state = "starting"
        """starting, listening or unsupported."""
        self.reason: Optional[str] = None
        """Why it is unsupported, in a sentence."""
        self.remedy: Optional[str] = None
        """What would help, where something would."""
        self.overruns = 0
        """How often events were lost, since the start. See `take_overruns`."""
        self._receive_buffer = receive_buffer
        self._token = 0
        self._socket: Optional[socket.socket] = None
        self._wake: Tuple[int, int] = (-1, -1)
        self._news: Tuple[int, int] = (-1, -1)
        self._told = False
        self._thread: Optional[threading.Thread] = None
        self._lock = threading.Lock()
        self._pending: List[bytes] = []
        self._pending_bytes = 0
        self._overruns_taken = 0

    def start(self) -> None:
        """Subscribe and begin to collect. A refusal is not raised: it shows in `state`, `reason` and `remedy`."""
        try:
            self._socket = self._subscribe()
        except OSError as error:
            self._refuse(error)
            return
        self._wake = os.pipe()
        self._news = os.pipe()
        self._thread = threading.Thread(target=self._run, name="cn_proc", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Readable when there is something to `drain`; -1 before `start` and where nothing will be."""
        return self._news[0]

    def drain(self) -> List[ProcEvent]:
        """Every event since the last call, in the kernel's order; none while `state` is not "listening".

        Who is refused may still be sent events, while another program listens: they are of foreign pids, or about to
        stop, so they are not shown.
        """
        if self.state != "listening":
            return []
        with self._lock:
            pending, self._pending, self._pending_bytes = self._pending, [], 0
            self._take_news()
        # taken anew each time, so that a step of the wall clock is followed
        epoch_offset = time.time() - time.monotonic()
        events: List[ProcEvent] = []
        for data in pending:
            events += parse_events(data, epoch_offset)
        return events

    def take_overruns(self) -> int:
        """How often events were lost since the last call. If any were, read /proc again: exits may be among them."""
        overruns = self.overruns
        taken, self._overruns_taken = overruns - self._overruns_taken, overruns
        return taken

    def close(self) -> None:
        """Unsubscribe and end the thread. May be called twice, and without a `start`."""
        if self._thread is not None:
            os.write(self._wake[1], b"\0")
            self._thread.join()
            self._thread = None
            for fd in (*self._wake, *self._news):
                os.close(fd)
            self._news = (-1, -1)
        if self._socket is not None:
            if self.state == "listening":
                # the kernel counts listeners by these requests and builds messages for as long as it counts one
                self._send(self._socket, PROC_CN_MCAST_IGNORE)
            self._socket.close()
            self._socket = None

    def _subscribe(self) -> socket.socket:
        connector = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_CONNECTOR)
        try:
            try:
                connector.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, self._receive_buffer)
            except PermissionError:  # needs CAP_NET_ADMIN; the other one is bounded by net.core.rmem_max
                connector.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
            connector.bind((0, CN_IDX_PROC))
            self._token = int.from_bytes(os.urandom(4), "little") >> 1
            self._send(connector, PROC_CN_MCAST_LISTEN)
        except OSError:
            connector.close()
            raise
        return connector

    def _send(self, connector: socket.socket, operation: int) -> None:
        body = (CN_IDX_PROC, CN_VAL_PROC, 0, self._token, 4, 0, operation)
        connector.send(_REQUEST.pack(_REQUEST.size, NLMSG_DONE, 0, 0, 0, *body))

    def _run(self) -> None:
        assert self._socket is not None
        fd = self._socket.fileno()
        batch = Batch()
        quiet = select.poll()
        quiet.register(self._wake[0], select.POLLIN)
        either = select.poll()
        either.register(self._wake[0], select.POLLIN)
        either.register(fd, select.POLLIN)
        deadline = time.monotonic() + ACK_SECONDS
        while self.state != "unsupported":
            starting = self.state == "starting"
            left = max(0.0, deadline - time.monotonic())
            ready = either.poll(left * 1000 if starting else None)
            if any(number == self._wake[0] for number, _ in ready):
                return
            try:
                self._receive_queued(batch, fd)
            except OSError as error:
                self._refuse(error)
            if self.state == "starting" and time.monotonic() >= deadline:
                self._refuse(TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))
            if quiet.poll(PACE_MILLISECONDS):
                return

    def _receive_queued(self, batch: Batch, fd: int) -> None:
        more = True
        while more:
            try:
                data, more = batch.receive(fd)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return
                if error.errno != errno.ENOBUFS:
                    raise
                self.overruns += 1  # what was queued before the loss is still there: read on
                continue
            if self.state == "starting":
                self._look_for_ack(data)
            self._keep(data)

    def _look_for_ack(self, data: bytes) -> None:
        number = parse_ack(data, self._token)
        if number == 0:
            self.state = "listening"
        elif number is not None:
            self._refuse(OSError(number, os.strerror(number)))

    def _keep(self, data: bytes) -> None:
        with self._lock:
            if self._pending_bytes + len(data) > MAX_PENDING:
                self.overruns += 1
            else:
                if self.state == "listening" and not self._told:
                    self._told = True
                    os.write(self._news[1], b"\0")
                self._pending.append(data)
                self._pending_bytes += len(data)

    def _refuse(self, error: OSError) -> None:
        self.reason, self.remedy = explain_refusal(error)
        self.state = "unsupported"
        with self._lock:
            self._pending, self._pending_bytes = [], 0
            self._take_news()

    def _take_news(self) -> None:
        if self._told:
            self._told = False
            os.read(self._news[0], 1)


def explain_refusal(error: OSError) -> Tuple[str, Optional[str]]:
    """Why the kernel reports no process events here, in a sentence, and what would help."""
    number = error.errno
    if netlink_refusal() is not None:
        return f"netlink is refused here ({error.strerror})", NETLINK_REMEDY
    if number == errno.ECONNREFUSED:
        return "the kernel reports process events in the initial network namespace only", HOST_REMEDY
    if number in (errno.EPERM, errno.EACCES):
        return f"this kernel reports process events to root only ({error.strerror})", "sudo nettop"
    if number in (errno.EPROTONOSUPPORT, errno.ENOENT):
        return "this kernel was built without the connector (CONFIG_CONNECTOR)", None
    if number == errno.ETIMEDOUT:
        return _explain_silence(foreign_namespaces())
    return f"the proc connector failed: {error.strerror}", None


def _explain_silence(foreign: Sequence[str]) -> Tuple[str, Optional[str]]:
    if foreign:
        where = " and ".join(foreign)
        return f"the kernel ignores who asks for process events from another {where} namespace", HOST_REMEDY
    return "the kernel did not answer: it was built without process events (CONFIG_PROC_EVENTS)", None
