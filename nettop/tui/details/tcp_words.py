"""What the kernel measures of a connection, in words.

Rests on struct tcp_info (include/uapi/linux/tcp.h) and RFC 5681, 6298 and 9293 for what the figures mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nettop.model import SocketStats
from nettop.tui.details.blocks import Figure
from nettop.tui.details.measures import count, said, share, size, span, speed
from nettop.tui.drawing.theme import Look

STATES: Mapping[str, str] = {
    "ESTAB": "established: data may flow both ways",
    "SYN-SENT": "asked for a connection and waits for the answer",
    "SYN-RECV": "was asked for a connection and waits for the last word of the other end",
    "FIN-WAIT-1": "has closed, and waits for that to be acknowledged",
    "FIN-WAIT-2": "has closed, and waits for the other end to close too",
    "TIME-WAIT": "closed by both; kept a minute for what may still be on the way",
    "UNCONN": "not connected to anybody",
    "CLOSE-WAIT": "the other end has closed, and this program has not",
    "LAST-ACK": "both have closed; waits for the last word of the other end",
    "LISTEN": "waits for connections",
    "CLOSING": "both have closed at the same time",
    "CLOSED": "it has ended; this is the last that was known",
}
"""State, as ss prints it → what that is."""

_NO_SSTHRESH = 0x7FFFFFFF
"""TCP_INFINITE_SSTHRESH, net/tcp.h: no loss has been seen yet."""


def queues(stats: SocketStats, look: Look) -> Iterator[Figure]:
    """What waits at this end: to be read, to be acknowledged, to be accepted."""
    if stats.state == "LISTEN":
        full = bool(stats.sendq) and (stats.recvq or 0) >= (stats.sendq or 0)
        words = f"of at most {stats.sendq or 0:,} connections wait to be accepted"
        yield Figure("accept queue", *count(stats.recvq), words, look.warning if full else None)
    else:
        room = f", of {said(size(stats.rcvbuf))}" if stats.rcvbuf else ""
        yield Figure("to read", *size(stats.recvq), f"arrived and not read yet by this program{room}")
        room = f", of {said(size(stats.sndbuf))}" if stats.sndbuf else ""
        yield Figure("to send", *size(stats.sendq), f"not acknowledged yet by the other end{room}")
        if stats.notsent is not None:
            yield Figure("not sent", *size(stats.notsent), "of that, not even once")
    if stats.drops:  # tcp counts what it has already, too: tcp_drop_reason, net/ipv4/tcp_input.c
        why = "for want of room" if stats.rtt is None else "twice, or for want of room"
        yield Figure("thrown away", *count(stats.drops), f"packets that arrived, {why}", look.warning)


def tcp(stats: SocketStats, look: Look) -> Iterator[Figure]:
    """tcp_info of a connection; nothing where there is none: of listeners, and of other protocols."""
    if stats.rtt is None or stats.state == "LISTEN":
        return
    yield from _way(stats, look)
    yield from _window(stats)
    yield from _losses(stats, look)
    yield from _pace(stats)


def _way(stats: SocketStats, look: Look) -> Iterator[Figure]:
    words = f"there and back, give or take {said(span(stats.rttvar))}"
    words += f"; {said(span(stats.min_rtt))} at best" if stats.min_rtt else ""
    yield Figure("round trip", *span(stats.rtt), words)
    words = "without an answer until it sends again"
    if stats.backoff:
        times = "once" if stats.backoff == 1 else f"{stats.backoff} times in a row"
        words += f"; waited in vain {times}, each time twice as long"
    yield Figure("time-out", *span(stats.rto), words, look.warning if stats.backoff else None)


def _window(stats: SocketStats) -> Iterator[Figure]:
    if stats.cwnd is None:
        return
    words = "segments may be on the way at a time"
    if stats.mss:
        words += f", {said(size(stats.cwnd * stats.mss))}"
        if stats.rtt:
            words += f": at this round trip {said(speed(stats.cwnd * stats.mss / (stats.rtt / 1e6)))} at most"
    if stats.ssthresh is not None:
        words += "; " + _phase(stats.cwnd, stats.ssthresh)
    yield Figure("window", *count(stats.cwnd), words)
    each = f", of {stats.mss:,} bytes each" if stats.mss else ""
    yield Figure("on the way", *count(stats.unacked), f"segments not acknowledged yet{each}")
    if stats.snd_wnd is not None:
        words = (
            "the other end takes before it must be asked again" if stats.snd_wnd else "the other end takes nothing now"
        )
        yield Figure("their window", *size(stats.snd_wnd), words)


def _phase(cwnd: int, ssthresh: int) -> str:
    if ssthresh >= _NO_SSTHRESH:
        return "it doubles each round trip until the first loss"
    if cwnd < ssthresh:
        return f"it doubles each round trip up to {ssthresh:,}"
    return f"it grows slowly, as it was cut at {ssthresh:,} before"


def _losses(stats: SocketStats, look: Look) -> Iterator[Figure]:
    again = stats.retrans or 0
    words = "segments"
    if stats.tx_packets:
        words += f" of {stats.tx_packets:,}" + (f", {_part(again / stats.tx_packets)}," if again else "")
    words += " since it was opened"
    if stats.lost:
        words += f"; {stats.lost:,} believed lost now"
    yield Figure("sent again", *count(stats.retrans), words, look.warning if again or stats.lost else None)
    if stats.reordering is not None and stats.reordering > 3:  # 3 is where everybody begins
        yield Figure("disorder", *count(stats.reordering), "segments late may one be before it counts as lost")


def _pace(stats: SocketStats) -> Iterator[Figure]:
    if stats.delivery_rate is not None:
        words = "delivered when last measured"
        words += ", while the program had nothing more to send" if stats.app_limited else ""
        yield Figure("delivery", *speed(stats.delivery_rate), words)
    if stats.pacing_rate is not None and stats.pacing_rate < 1 << 62:
        yield Figure("pacing", *speed(stats.pacing_rate), "it sends at most")
    if stats.busy:
        waits = [
            f"{_part(part / stats.busy)} of it waiting for {what}"
            for part, what in ((stats.rwnd_limited, "their window"), (stats.sndbuf_limited, "room in the send buffer"))
            if part
        ]
        yield Figure("busy", *span(stats.busy), ", ".join(["with data to send, since it was opened", *waits]))


def _part(share_of_one: float) -> str:
    """`12.5 %`; of what is hardly anything, that it is."""
    return said(share(100 * share_of_one)) if share_of_one >= 0.0005 else "less than 0.1 %"
