"""The fields of processes."""

from __future__ import annotations

from nettop.fields.machine import MACHINE
from nettop.fields.view import Field, Kind, elapsed, view_of

# fmt: off
PROCESSES = view_of(
    "processes",
    "Processes",
    (
        Field("pid", "PID", Kind.NUMBER, 7, "process id", lambda p, _: p.process.pid),
        Field("ppid", "PPID", Kind.NUMBER, 7, "its parent", lambda p, _: p.process.ppid),
        Field("user", "USER", Kind.TEXT, 10, "user it runs as", lambda p, _: p.process.user or str(p.process.uid)),
        Field("uid", "UID", Kind.NUMBER, 6, "user id it runs as", lambda p, _: p.process.uid),
        Field("state", "S", Kind.TEXT, 1, "R running, S sleeping, D waiting for a disk, Z zombie, T stopped, I idle, X ended", lambda p, _: p.usage.state),
        Field("cpu", "CPU%", Kind.PERCENT, 5, "share of one processor", lambda p, _: p.cpu),
        Field("mem", "MEM%", Kind.PERCENT, 5, "share of the memory of the machine", lambda p, _: p.mem),
        Field("rss", "RSS", Kind.BYTES, 6, "resident memory", lambda p, _: p.usage.rss),
        Field("threads", "THR", Kind.NUMBER, 4, "threads", lambda p, _: p.usage.threads),
        Field("nice", "NI", Kind.NUMBER, 3, "nice value", lambda p, _: p.usage.nice),
        Field("fds", "FDS", Kind.NUMBER, 5, "open file descriptors", lambda p, _: p.usage.fds),
        Field("started", "STARTED", Kind.TIME, 8, "when it started", lambda p, _: p.process.started),
        Field("age", "AGE", Kind.SECONDS, 6, "time since it started", lambda p, now: elapsed(p.process.started, now)),
        Field("netns", "NETNS", Kind.NUMBER, 10, "inode number of its network namespace", lambda p, _: p.process.netns),
        Field("netns_name", "NS", Kind.TEXT, 8, "name of its network namespace", lambda p, _: p.namespace.name if p.namespace else None, flexible=True),
        Field("container", "CONTAINER", Kind.TEXT, 14, "container it runs in", lambda p, _: p.process.container, flexible=True),
        Field("unit", "UNIT", Kind.TEXT, 18, "systemd unit it belongs to", lambda p, _: p.process.unit, flexible=True),
        Field("connections", "CONN", Kind.NUMBER, 5, "sockets with a remote end", lambda p, _: p.connections),
        Field("listening", "LISTEN", Kind.NUMBER, 6, "listening sockets", lambda p, _: p.listening),
        Field("sockets", "SOCKS", Kind.NUMBER, 5, "sockets of every kind", lambda p, _: p.sockets),
        Field("rx_bytes", "RX", Kind.BYTES, 6, "payload it received, by sockets it has and had", lambda p, _: p.rx_bytes),
        Field("tx_bytes", "TX", Kind.BYTES, 6, "payload it sent, by sockets it has and had", lambda p, _: p.tx_bytes),
        Field("rx_before", "RXOLD", Kind.BYTES, 6, "payload received before nettop was started, by sockets open then", lambda p, _: p.rx_before),
        Field("tx_before", "TXOLD", Kind.BYTES, 6, "payload sent before nettop was started, by sockets open then", lambda p, _: p.tx_before),
        Field("opened", "OPENED", Kind.NUMBER, 6, "tcp connections it made since nettop was started", lambda p, _: p.opened),
        Field("accepted", "ACCEPT", Kind.NUMBER, 6, "tcp connections it accepted", lambda p, _: p.accepted),
        Field("failed", "FAILED", Kind.NUMBER, 6, "tcp connects that were refused, or not answered", lambda p, _: p.failed),
        Field("closed", "CLOSED", Kind.NUMBER, 6, "its tcp connections that ended, and connects that failed", lambda p, _: p.closed),
        Field("rx_rate", "RX/s", Kind.RATE, 6, "bytes received a second", lambda p, _: p.rx_rate),
        Field("tx_rate", "TX/s", Kind.RATE, 6, "bytes sent a second", lambda p, _: p.tx_rate),
        Field("rate", "RATE", Kind.RATE, 6, "bytes a second, both ways", lambda p, _: None if p.rx_rate is None else p.rx_rate + (p.tx_rate or 0.0)),
        Field("retrans", "RETR", Kind.NUMBER, 5, "segments it sent again", lambda p, _: p.retrans),
        Field("comm", "NAME", Kind.TEXT, 15, "name of the program", lambda p, _: p.process.comm),
        Field("command", "COMMAND", Kind.TEXT, 28, "program and arguments", lambda p, _: p.process.command, flexible=True),
        MACHINE,
    ),
    columns="pid user state cpu mem rss connections listening rx_rate tx_rate retrans netns_name container command",
    optional="container retrans mem netns_name rss state listening user connections",
    sort="-rate",
    rows=lambda snapshot: snapshot.processes.values(),
    rank=lambda p: 2 * p.process.kernel + (not p.sockets),
    anchors="pid comm",
)
# fmt: on
