"""What may be asked of a collector beside its stream of Deltas, and what it answers.

One JSON object a line, numbered by whoever asks; the answer bears the same number and comes between two lines of the
stream (see `wire.hear`). A request is never trusted: what is unknown, of a wrong type or out of range is refused with a
reason, and the collector goes on.

    {"ask": 7, "kind": "signal", "pid": 2210, "start_time": 90210, "signal": 15, "insist": false}

A process is always meant by pid and start time, a socket by both ends and the kernel's cookie: neither a reused pid nor
a reused port is ever hit. This module must stay importable by Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
import math
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple, Type, Union, get_type_hints

from nettop.model import Socket

MAX_REQUEST = 4096
"""Bytes of a request; a longer line is none."""
MAX_FACTS = 1 << 20
"""Characters of the facts of one answer, as JSON."""
MAX_DEPTH = 8
"""Objects and lists within each other, in the facts of an answer."""
MAX_SENTENCE = 1000
"""Characters of an answer's text."""

SHORTEST, LONGEST = 0.1, 3600.0
"""Seconds between two ticks."""


class SetInterval(NamedTuple):
    """Tick every so many seconds from now on."""

    seconds: float


class Signal(NamedTuple):
    """Send a signal to a process."""

    pid: int
    start_time: int
    """As in `model.ProcessKey`."""
    signal: int
    insist: bool
    """Also where it is the collector itself, or a process the collector descends from."""


class Renice(NamedTuple):
    """Give a process another nice value."""

    pid: int
    start_time: int
    nice: int
    insist: bool
    """As in `Signal`."""


CLOSABLE = ("tcp", "udp")
"""Protocols whose sockets the kernel closes on request (tcp_diag_destroy, udp_diag_destroy)."""


class CloseSocket(NamedTuple):
    """Have the kernel close a TCP or UDP socket, whoever holds it. The fields are those of `model.Socket`."""

    netns: int
    proto: str
    family: str
    local: str
    lport: int
    remote: str
    rport: int
    iface: Optional[str]
    cookie: int

    @classmethod
    def of(cls, row: Socket) -> CloseSocket:
        """What means this socket; raises ValueError with the reason where the kernel could not close it."""
        if row.proto not in CLOSABLE:
            raise ValueError(f"the kernel closes {' and '.join(CLOSABLE)} sockets on request, no {row.proto} ones")
        if row.cookie is None or row.local is None or row.remote is None:
            raise ValueError("without netlink there is no way to this socket: it is known from /proc only")
        ends = row.local, row.lport or 0, row.remote, row.rport or 0
        return cls(row.netns, row.proto, row.family, *ends, row.iface, row.cookie)


class InspectProcess(NamedTuple):
    """What is too dear to be told of every process."""

    pid: int
    start_time: int


class InspectEnvironment(NamedTuple):
    """The environment of a process, which may hold secrets: never told with the rest, only when asked for."""

    pid: int
    start_time: int


class InspectNamespace(NamedTuple):
    """What is too dear to be told of every namespace."""

    netns: int


Request = Union[SetInterval, Signal, Renice, CloseSocket, InspectProcess, InspectEnvironment, InspectNamespace]

KINDS: Mapping[str, Type[Any]] = {
    "interval": SetInterval,
    "signal": Signal,
    "renice": Renice,
    "close": CloseSocket,
    "process": InspectProcess,
    "environment": InspectEnvironment,
    "namespace": InspectNamespace,
}
"""Every request by the word it is sent with."""

ACTIONS = (Signal, Renice, CloseSocket)
"""Those that change something on the machine: a collector that is read-only refuses them."""

Facts = Union[None, bool, int, float, str, List[Any], Dict[str, Any]]
"""What an answer tells beside its sentence: plain JSON."""


class Answer(NamedTuple):
    """What became of a request."""

    ok: bool
    text: str
    """A sentence for the person who asked, without a full stop; may quote the machine: print through `format.safe`."""
    facts: Facts = None


class Reply(NamedTuple):
    """An answer on its way back."""

    number: int
    answer: Answer


class RequestError(ValueError):
    """What was read is no request, or no answer, this version understands; says what is wrong with it."""

    def __init__(self, message: str, number: Optional[int] = None) -> None:
        super().__init__(message)
        self.number = number
        """Which request it was, where that could be read: whoever asked it wants to know."""


# --- requests --------------------------------------------------------------------------------------------------------

_RANGES: Mapping[str, Tuple[float, float]] = {
    "seconds": (SHORTEST, LONGEST),
    "pid": (1, 1 << 22),  # PID_MAX_LIMIT, linux/threads.h
    "start_time": (0, (1 << 63) - 1),
    "signal": (1, 64),
    "nice": (-20, 19),
    "netns": (0, (1 << 32) - 1),
    "lport": (0, 0xFFFF),
    "rport": (0, 0xFFFF),
    "cookie": (1, (1 << 64) - 2),  # beyond is INET_DIAG_NOCOOKIE, which means whichever socket is there
}
_TEXT = 64
"""Characters of a text in a request: an IPv6 address has 45 at most, an interface's name 15."""


def encode(number: int, request: Request) -> bytes:
    """A request as one line, newline included; `number` must be the asker's own for as long as it waits."""
    kind = _WORDS[type(request)]
    return json.dumps({"ask": number, "kind": kind, **request._asdict()}).encode() + b"\n"


def decode(line: bytes) -> Tuple[int, Request]:
    """The number and the request a line says; raises `RequestError` where it says none."""
    if len(line) > MAX_REQUEST:
        raise RequestError(f"a request of more than {MAX_REQUEST} bytes")
    try:
        said = json.loads(line.decode())
    except (ValueError, RecursionError) as error:
        raise RequestError(f"not JSON: {error}") from None
    if not isinstance(said, dict):
        raise RequestError("not an object")
    number = said.pop("ask", None)
    if type(number) is not int or not 0 <= number < 1 << 63:
        raise RequestError("it has no number")
    try:
        return number, _request(said)
    except RequestError as error:
        raise RequestError(str(error), number) from None


def _request(said: Dict[str, Any]) -> Request:
    kind = said.pop("kind", None)
    made = KINDS.get(kind) if isinstance(kind, str) else None
    if made is None:
        raise RequestError(f"this nettop knows no request {ascii(kind)[:40]}")
    hints = _HINTS[made]
    if said.keys() != hints.keys():
        raise RequestError(f"a request {kind} has {', '.join(hints)}")
    request: Request = made(*(_field(name, said[name], hint) for name, hint in hints.items()))
    return request


def _field(name: str, value: Any, hint: Any) -> Any:
    """The value of a field, of the type it is declared with and in range."""
    allowed = getattr(hint, "__args__", (hint,))
    if type(value) not in allowed and not (type(value) is int and float in allowed):
        raise RequestError(f"{name} is of a wrong type")
    if name in _RANGES:
        lowest, highest = _RANGES[name]
        if not lowest <= value <= highest:
            raise RequestError(f"{name} is not from {lowest} to {highest}")
    if isinstance(value, str) and len(value) > _TEXT:
        raise RequestError(f"{name} is longer than {_TEXT} characters")
    return value


_WORDS: Mapping[Type[Any], str] = {made: kind for kind, made in KINDS.items()}
_HINTS: Mapping[Type[Any], Mapping[str, Any]] = {made: get_type_hints(made) for made in KINDS.values()}


# --- answers ---------------------------------------------------------------------------------------------------------


def answer_fields(reply: Reply) -> Dict[str, Any]:
    """What the line of a reply says; an answer that is too large becomes one that says so."""
    number, (ok, text, facts) = reply
    if facts is not None and len(json.dumps(facts)) > MAX_FACTS:
        ok, text, facts = False, f"the answer is longer than {MAX_FACTS >> 10} kB", None
    return {"answer": number, "ok": ok, "text": text[:MAX_SENTENCE], "facts": facts}


def parse_reply(said: Mapping[str, Any], length: int) -> Reply:
    """The reply an object of a line of `length` bytes says; raises `RequestError`."""
    number, ok, text, facts = (said.get(name) for name in ("answer", "ok", "text", "facts"))
    if type(number) is not int or not 0 <= number < 1 << 63:
        raise RequestError("an answer without a number")
    if not isinstance(ok, bool) or not isinstance(text, str) or len(text) > MAX_SENTENCE:
        raise RequestError("an answer that says nothing", number)
    if length > MAX_FACTS + 16 * MAX_SENTENCE:
        raise RequestError("an answer that is too long", number)
    if not _plain(facts, MAX_DEPTH):
        raise RequestError("an answer with facts that are none", number)
    return Reply(number, Answer(ok, text, facts))


def _plain(facts: Any, depth: int) -> bool:
    """Nested no deeper than that, and without numbers that are none (JSON in Python reads NaN and 1e999)."""
    if isinstance(facts, float):
        return math.isfinite(facts)
    if isinstance(facts, (dict, list)):
        inside = facts.values() if isinstance(facts, dict) else facts
        return depth > 0 and all(_plain(value, depth - 1) for value in inside)
    return True
