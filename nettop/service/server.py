"""`nettop serve`: one collector, and everybody who listens to it.

It ticks as often as the guest with the shortest interval asks for, and tells every tick to all: who wants fewer
pictures makes one of several ticks at their end (`client.Pace`), which costs nothing here and loses nothing. Without a
guest it goes on every `IDLE` seconds, and hears of every process and connection that ends in between: totals stay
exact, and the first guest after an hour sees them at once. That costs what the events cost: 1 % of a processor where 30
a second come, hardly less than with a guest.
"""

from __future__ import annotations

import gc
import resource
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import NamedTuple

from nettop import __version__, requests, wire
from nettop.collector.answers import Desk
from nettop.collector.collector import Collector
from nettop.collector.pulse import Pulse
from nettop.collector.restraint import Restraint, cost_meter
from nettop.kernel.peer import read_peer
from nettop.kernel.procfs import ProcFS
from nettop.requests import Answer, InspectNamespace, Reply, RequestError, SetInterval
from nettop.runtimes.places import PLACES, Places
from nettop.runtimes.runtimes import Runtimes
from nettop.service.broadcast import Broadcast
from nettop.service.guest import Guest
from nettop.service.place import Place
from nettop.service.policy import Policy, Viewer

IDLE = 10.0
"""Seconds between two ticks while nobody listens."""
MOST = 256
"""Guests at the same time."""
MOST_OF_ONE = 64
"""Guests of one user, root and the service's own excepted."""
ASKING = 8
"""Requests of one user that are being done."""


class Terms(NamedTuple):
    """How a service runs."""

    policy: Policy
    shortest: float
    """Seconds between two ticks at least."""
    max_cpu: float | None = None
    """Percentage of one processor; ticks come more rarely then."""
    places: Places = PLACES
    """Where container runtimes are found."""


def serve(place: Place, own_uid: int, terms: Terms) -> None:
    """Collect, and tell whoever connects, until SIGTERM or SIGINT. `own_uid` and root see everything."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # one a guest, and some for each namespace
    gc.freeze()
    gc.disable()  # rows have no cycles, and looking for some takes longer than a tick
    with _Ending() as ending, closing(Service(place.socket, own_uid, terms)) as service:
        while not ending.asked:
            service.turn(ending.fileno())


class Service:
    """The collector and its guests; for one thread."""

    def __init__(self, listener: socket.socket, own_uid: int, terms: Terms) -> None:
        proc = ProcFS()
        self._listener = listener
        self._own_uid = own_uid
        self._terms = terms
        self._collector = Collector(proc, runtimes=Runtimes(terms.places))
        self._pulse = Pulse(self._collector, Restraint(IDLE, terms.max_cpu, cost_meter(proc, 0)))
        self._ticked = float("-inf")
        self._desk = Desk(self._collector.parts(), read_only=True)
        self._asked: dict[int, tuple[Guest, int]] = {}  # number at the desk → who asked, and their own number
        self._numbers = 0
        self._broadcast = Broadcast(terms.policy)
        self._guests: dict[int, Guest] = {}  # by file descriptor
        self._collector.start()

    def close(self) -> None:
        """Send everybody away, and end the collector."""
        for guest in self._guests.values():
            guest.link.close()
        self._desk.close()
        self._collector.close()

    def turn(self, also: int) -> None:
        """Tick if it is time; then wait for what comes next, or for the descriptor `also`, and see to it."""
        now = time.monotonic()
        if now >= self._pulse.due:
            self._tick(now)
        now = time.monotonic()
        poll = select.poll()  # and not select: descriptors beyond 1024 are nothing unusual here
        reading = (self._listener.fileno(), also, self._desk.fileno(), *self._collector.watched(now))
        for descriptor in reading:
            poll.register(descriptor, select.POLLIN)
        for descriptor, guest in self._guests.items():
            # who does not read is not listened to either: no more answers wait for them than they were told of
            poll.register(descriptor, select.POLLOUT if guest.link.sending else select.POLLIN)
        pause = min(self._pulse.due, self._desk.due, self._collector.due(now)) - now
        ready = [descriptor for descriptor, _ in poll.poll(max(0.0, pause) * 1000)]
        self._collector.catch_up(time.monotonic())
        for descriptor in ready:
            if descriptor in self._guests:
                self._attend(self._guests[descriptor])
        if self._listener.fileno() in ready:
            self._admit()
        self._reply()
        self._part()

    def _tick(self, now: float) -> None:
        self._collector.tick()
        self._broadcast.take(self._collector.take())
        self._ticked = now
        for guest in self._guests.values():
            guest.tell(self._broadcast, now)
        self._pulse.rest()

    # --- guests --------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        """Let one in who has connected, if there is room."""
        try:
            connection, _ = self._listener.accept()
            uid = read_peer(connection).uid
        except OSError:  # they have gone again, or there are no descriptors left: others may be let in later
            return
        viewer: Viewer = None if uid in (0, self._own_uid) else uid
        of_one = sum(guest.uid == uid for guest in self._guests.values())
        guest = Guest(connection, uid, viewer)
        if len(self._guests) >= MOST or (viewer is not None and of_one >= MOST_OF_ONE):
            guest.link.post([wire.encode_reply(Reply(0, Answer(False, "the service has too many guests already")))])
            guest.link.close()
            return
        guest.link.post([wire.encode_reply(Reply(0, Answer(True, f"nettop {__version__}")))])
        self._guests[connection.fileno()] = guest
        now = time.monotonic()
        if now - self._ticked < self._terms.shortest:
            guest.tell(self._broadcast, now)
        else:
            self._pulse.due = now  # what is known is old
        self._set_pace()

    def _part(self) -> None:
        """Forget those who have gone."""
        gone = [descriptor for descriptor, guest in self._guests.items() if guest.link.closed]
        for descriptor in gone:
            self._guests.pop(descriptor).link.close()
        if gone:
            self._set_pace()

    def _set_pace(self) -> None:
        wanted = min((guest.interval for guest in self._guests.values()), default=IDLE)
        self._pulse.change(max(wanted, self._terms.shortest))

    # --- requests ------------------------------------------------------------------------------------------------

    def _attend(self, guest: Guest) -> None:
        """Send a guest what waits, or hear what they ask."""
        if guest.link.sending:
            guest.link.send()
            return
        for line in guest.link.receive():
            try:
                number, request = requests.decode(line)
            except RequestError as error:
                if error.number is not None:
                    _answer(guest, error.number, str(error))
                continue
            if isinstance(request, SetInterval):
                guest.interval = request.seconds
                self._set_pace()
                _answer(guest, number, f"every {max(request.seconds, self._terms.shortest):g} seconds", ok=True)
            elif not isinstance(request, InspectNamespace):
                _answer(guest, number, "a service does nothing for anybody: ask the kernel, or root's own nettop")
            elif sum(asker.uid == guest.uid for asker, _ in self._asked.values()) >= ASKING:
                _answer(guest, number, "too many requests at once")
            else:
                self._numbers += 1
                self._asked[self._numbers] = guest, number
                self._desk.take(self._numbers, request)

    def _reply(self) -> None:
        for number, answer in self._desk.replies():
            guest, asked = self._asked.pop(number)
            if not guest.link.closed:
                guest.link.post([wire.encode_reply(Reply(asked, answer))])


def _answer(guest: Guest, number: int, text: str, ok: bool = False) -> None:
    guest.link.post([wire.encode_reply(Reply(number, Answer(ok, text)))])


class _Ending:
    """Whether somebody has asked for the end: SIGTERM and SIGINT make `fileno` readable, and nothing else."""

    def __init__(self) -> None:
        self.asked = False
        self._bell, self._ring = socket.socketpair()
        self._ring.setblocking(False)
        self._before: Sequence[tuple[int, Callable[..., object] | int | None]] = ()

    def fileno(self) -> int:
        return self._bell.fileno()

    def __enter__(self) -> _Ending:
        def ask(*_: object) -> None:
            self.asked = True

        self._before = [(number, signal.signal(number, ask)) for number in (signal.SIGTERM, signal.SIGINT)]
        signal.set_wakeup_fd(self._ring.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._before:
            signal.signal(number, handler)
        self._bell.close()
        self._ring.close()
