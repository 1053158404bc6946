"""Who does what is asked of the collector, beside the ticks and never in their way.

Every request is done in a thread of its own, a few at a time: listing the 50,000 files of a process, or the routes of a
namespace, takes longer than a tick may wait. Whoever asks is answered in any case, and in time.
"""

from __future__ import annotations

import collections
import contextlib
import socket
import threading
import time
from typing import Any, Callable, Deque, Dict, List, Mapping, NamedTuple, Optional, Tuple, Type

from nettop.collector import actions, inspect
from nettop.kernel.netns import NamespaceLost
from nettop.kernel.procfs import ProcFS
from nettop.requests import (
    ACTIONS,
    Answer,
    CloseSocket,
    InspectEnvironment,
    InspectNamespace,
    InspectProcess,
    Renice,
    Reply,
    Request,
    Signal,
)

ANSWER_WITHIN = 5.0
"""Seconds after which a request that is still being done is answered as lost."""
WORKERS = 4
"""Requests done at the same time, those counted in that will never end."""
WAITING = 64
"""Requests without an answer at most; of a reader that asks faster than it reads, more are refused."""


class Parts(NamedTuple):
    """What a request may use of the collector: only what another thread may use while a tick runs."""

    proc: ProcFS
    namespace_path: Callable[[int], Optional[str]]
    """The path that leads into a network namespace, by its inode; None where none is known."""


HANDLERS: Mapping[Type[Any], Callable[[Parts, Any], Answer]] = {
    Signal: lambda parts, request: actions.send_signal(parts.proc, request),
    Renice: lambda parts, request: actions.renice(parts.proc, request),
    CloseSocket: lambda parts, request: actions.close_socket(parts.namespace_path(request.netns), request),
    InspectProcess: lambda parts, request: inspect.inspect_process(parts.proc, request),
    InspectEnvironment: lambda parts, request: inspect.inspect_environment(parts.proc, request),
    InspectNamespace: lambda parts, request: inspect.inspect_namespace(parts.namespace_path(request.netns), request),
}
"""Request → what does it. A handler may raise OSError, whose words are the answer then."""


def carry_out(parts: Parts, request: Request) -> Answer:
    """Do what is asked, with the rights of this process. Where that is to look into a namespace, the calling thread
    should end then: should the way back have failed, it is there still."""
    try:
        return HANDLERS[type(request)](parts, request)
    except OSError as error:
        return Answer(False, error.strerror or str(error))
    except (Exception, NamespaceLost) as error:
        return Answer(False, f"{type(error).__name__}: {error}")


class Desk:
    """Takes requests, gives replies; `fileno` is readable when there is one. For the thread of the ticks."""

    def __init__(self, parts: Parts, read_only: bool) -> None:
        self._parts = parts
        self._read_only = read_only
        self._waiting: Dict[int, float] = {}  # number → when it is overdue, the earliest first
        self._queue: Deque[Tuple[int, Request]] = collections.deque()
        self._refused: List[Reply] = []
        self._done: Deque[Reply] = collections.deque()  # filled by the threads
        self._working = 0
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._ring.setblocking(False)

    def fileno(self) -> int:
        return self._bell.fileno()

    def take(self, number: int, request: Request) -> None:
        """Have a request done; its reply comes with a later `replies`."""
        reason = self._refusal(number, request)
        if reason is not None:
            self.answer(number, Answer(False, reason))
            return
        self._waiting[number] = time.monotonic() + ANSWER_WITHIN
        self._queue.append((number, request))
        self._begin()

    def answer(self, number: int, answer: Answer) -> None:
        """Answer at once."""
        self._refused.append(Reply(number, answer))

    @property
    def due(self) -> float:
        """When `replies` has something to say, on the monotonic clock, unless `fileno` is readable before."""
        return 0.0 if self._refused else next(iter(self._waiting.values()), float("inf"))

    def replies(self) -> List[Reply]:
        """What was answered since the last call, and what was not in time."""
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(WAITING)
        replies, self._refused = self._refused, []
        while self._done:
            reply = self._done.popleft()
            self._working -= 1
            if self._waiting.pop(reply.number, None) is not None:
                replies.append(reply)
        now = time.monotonic()
        for number in [number for number, overdue in self._waiting.items() if overdue <= now]:
            del self._waiting[number]
            replies.append(Reply(number, Answer(False, f"not done within {ANSWER_WITHIN:.0f} seconds")))
        self._begin()
        return replies

    def close(self) -> None:
        """Nobody waits for answers any more; what was not begun is not done."""
        self._queue.clear()
        self._waiting.clear()
        self._bell.close()
        self._ring.close()

    def _refusal(self, number: int, request: Request) -> Optional[str]:
        if self._read_only and isinstance(request, ACTIONS):
            return "this nettop is read-only"
        if type(request) not in HANDLERS:
            return "this collector cannot do that"
        if number in self._waiting or len(self._waiting) >= WAITING:
            return "too many requests at once"
        return None

    def _begin(self) -> None:
        while self._queue and self._working < WORKERS:
            number, request = self._queue.popleft()
            if number in self._waiting:  # else it is overdue: what was answered as not done shall not be done
                self._working += 1
                threading.Thread(target=self._do, args=(number, request), name="answer", daemon=True).start()

    def _do(self, number: int, request: Request) -> None:
        self._done.append(Reply(number, carry_out(self._parts, request)))
        with contextlib.suppress(OSError):  # rung often enough, or nobody waits any more
            self._ring.send(b"\0")
