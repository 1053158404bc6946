"""What is exported: one table of scopes, each with its labels, counters and gauges.

A scope is what figures are told of: the whole machine, a container, a unit, a program, a namespace, a listening port.
The name of a metric is `nettop_`, the scope unless it is the machine, and what it measures:
`nettop_unit_rx_bytes_total`. That carries the name that the plain views give it; bytes are payload, as there.

Two more are told of every scope: `connections`, its TCP sockets by `state`, and `rtt_seconds`, a histogram.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from nettop.export.listeners import Listener
from nettop.format import safe
from nettop.snapshot import ContainerRow, NamespaceRow, ProcessRow

PREFIX = "nettop_"
REST = "other"
"""The value of every label where things without series of their own are summed up."""
LONGEST = 100
"""Characters of a label's value: programs choose their names themselves."""
BUCKETS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of round-trip times, in seconds: from the loopback to a line in trouble."""
RTT_HELP = "Smoothed round-trip times of the TCP connections that moved data, one observation a connection and picture."
STATES_HELP = "TCP sockets by state, in the words of ss."

Labels = tuple[str, ...]


class Metric(NamedTuple):
    """One figure of a thing."""

    name: str
    """Without prefix, scope and `_total`."""
    help: str
    get: Callable[[Any], float | None]
    """Takes it from the thing; None where it is unknown, and then it is not exported."""
    join: Callable[[Iterable[float]], float] = sum
    """Makes one gauge of those of several things that have a series together."""


class Scope(NamedTuple):
    """A kind of thing that figures are told of."""

    name: str
    """Empty for the machine."""
    help: str
    """Ends the help of each of its metrics."""
    labels: Labels
    """Names of the labels."""
    view: str
    """The things: a mapping of `Snapshot`; `host`, the snapshot itself; `listeners`, those of `listeners`."""
    of: Callable[[Any], Labels | None]
    """Values of the labels of a thing; None for one that is not told of."""
    counters: tuple[Metric, ...]
    """Bytes received and sent come first: they decide who gets series of its own."""
    gauges: tuple[Metric, ...]
    settles: bool = True
    """Its name may be known a moment after the thing itself, and then covers what was counted before."""

    def metric(self, name: str) -> str:
        """The full name of one of its metrics, without `_total`."""
        return f"{PREFIX}{self.name}_{name}" if self.name else PREFIX + name


def label(text: str | None) -> str:
    """A value for a label: short, valid UTF-8, and without anything that a terminal or a parser could take for more
    than text; empty for what is unknown."""
    return safe(text[:LONGEST]) if text else ""


@lru_cache(maxsize=4096)
def program(comm: str) -> Labels:
    """The labels of a program, by the name of its processes."""
    return (label(comm),)


def _networked(row: ContainerRow | ProcessRow) -> bool:
    """It has, or had, something to do with the network; most programs of a machine never do."""
    return row.rx_bytes is not None or bool(row.connections or row.listening)


def _container(row: ContainerRow) -> Labels | None:
    what = row.container
    if not (what.contained and _networked(row)):
        return None
    return label(what.name), label(what.runtime), label(what.image), label(what.k8s_namespace)


def _unit(row: ContainerRow) -> Labels | None:
    what = row.container
    return (label(what.unit),) if what.unit and not what.contained and _networked(row) else None


def _program(row: ProcessRow) -> Labels | None:
    return program(row.process.comm) if _networked(row) else None


def _namespace(row: NamespaceRow) -> Labels:
    return (label(row.namespace.name or str(row.namespace.netns)),)


def _listener(row: Listener) -> Labels:
    return label(row.namespace), label(row.address), str(row.port), label(row.program)


def _same(name: str, help: str, of: str = "") -> Metric:  # noqa: A002
    """The attribute of that name, or the one that is told."""
    return Metric(name, help, attrgetter(of or name))


def _protocol(name: str, help: str, of: str) -> Metric:  # noqa: A002
    get = attrgetter(of)
    return Metric(name, help, lambda row: None if row.protocols is None else get(row.protocols))


def _tracking(name: str, help: str, of: str) -> Metric:  # noqa: A002
    get = attrgetter(of)
    return Metric(name, help, lambda row: None if row.tracking is None else get(row.tracking))


_RX = "Payload received, by sockets there are and were."
_TX = "Payload sent and acknowledged, by sockets there are and were."
_RETRANS = "TCP segments sent again."
_BYTES = (_same("rx_bytes", _RX), _same("tx_bytes", _TX))
_ENDS = (
    _same("opened", "TCP connections made since nettop was started."),
    _same("accepted", "TCP connections accepted since nettop was started."),
    _same("failed", "TCP connects that were refused, or not answered, since nettop was started."),
    _same("closed", "TCP connections that ended, and connects that failed, since nettop was started."),
)
_SUMS = (*_BYTES, _same("retrans", _RETRANS), *_ENDS)
_SIZES = (
    _same("processes", "Processes."),
    _same("listening", "Listening sockets."),
    _same("sockets", "Sockets of every kind."),
)

# fmt: off
HOST = Scope(
    "",
    "The whole machine.",
    (),
    "host",
    lambda _: (),
    (
        *(metric._replace(get=attrgetter(f"traffic.{metric.name}")) for metric in _SUMS),
        Metric("events_lost", "Times the kernel's event queue overran; each was healed by reading /proc again.", lambda s: s.coverage.events_lost),
        Metric("closed_owned", "TCP connections that ended and whose process is known.", lambda s: s.coverage.closed_owned),
        Metric("collector_cpu_seconds", "Processor time that nettop's collector has used.", lambda s: s.host.collector_cpu if s.host else None),
    ),
    (
        Metric("bytes_owned_ratio", "Share of the bytes moved between the last two pictures whose process is known.", lambda s: s.coverage.bytes_owned),
        Metric("sockets_ownable", "Sockets that a process may hold.", lambda s: s.coverage.ownable),
        Metric("sockets_unowned", "Sockets that a process may hold, and none is known to.", lambda s: s.coverage.unowned),
        Metric("namespaces", "Network namespaces.", lambda s: s.coverage.namespaces),
        Metric("namespaces_read", "Network namespaces whose sockets can be read.", lambda s: s.coverage.namespaces_read),
        Metric("collector_memory_bytes", "Memory of nettop's collector that no other process shares.", lambda s: s.host.collector_memory if s.host else None),
        Metric("picture_timestamp_seconds", "When the last picture was taken, in seconds since the epoch.", lambda s: s.time),
    ),
)
# fmt: on
CONTAINER = Scope(
    "container",
    "Of a container.",
    ("container", "runtime", "image", "k8s_namespace"),
    "containers",
    _container,
    _SUMS,
    _SIZES,
)
UNIT = Scope(
    "unit",
    "Of a systemd unit.",
    ("unit",),
    "containers",
    _unit,
    _SUMS,
    _SIZES,
)
PROGRAM = Scope(
    "program",
    "Of all processes of one name.",
    ("program",),
    "processes",
    _program,
    _SUMS,
    (Metric("processes", "Processes that have something to do with the network.", lambda _: 1), *_SIZES[1:]),
    settles=False,  # a shell that becomes curl leaves what it did to shells
)
NAMESPACE = Scope(
    "namespace",
    "Of a network namespace.",
    ("namespace",),
    "namespaces",
    _namespace,
    (
        *_BYTES,
        *_ENDS,
        _protocol("retrans", _RETRANS, "retrans_segs"),
        _protocol("listen_overflows", "Connections that found the accept queue full.", "listen_overflows"),
        _protocol("listen_drops", "Connections refused by a listener for any reason.", "listen_drops"),
        _protocol("udp_rcvbuf_errors", "Datagrams thrown away because a program did not read.", "udp_rcvbuf_errors"),
    ),
    (
        *_SIZES,
        _tracking("tracked_flows", "Connections that conntrack holds.", "flows"),
        _tracking("tracked_limit", "Connections that conntrack holds at most.", "most"),
    ),
)
LISTENER = Scope(
    "listener",
    "Of a listening TCP port.",
    ("namespace", "address", "port", "program"),
    "listeners",
    _listener,
    (
        _same("rx_bytes", "Payload received by the connections to it that were seen."),
        _same("tx_bytes", "Payload sent and acknowledged by the connections to it that were seen."),
        _same("retrans", _RETRANS),
        _same("accepted", "Connections to it, since nettop was started."),
    ),
    (
        _same("queue", "Connections waiting to be accepted."),
        _same("queue_limit", "Connections that may wait to be accepted."),
        _same(
            "queue_fill_ratio",
            "Connections waiting as a share of those that may, of the fullest of its sockets.",
            "fill",
        )._replace(join=max),
    ),
)

SCOPES = (HOST, CONTAINER, UNIT, PROGRAM, NAMESPACE, LISTENER)
