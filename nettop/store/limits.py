"""Why a connection is not faster: one word, from what the kernel measured in the last interval.

Rests on tcp_info's clocks of a sender (busy_time and, within it, rwnd_limited and sndbuf_limited; net/ipv4/tcp.c,
tcp_get_info_chrono_stats), on the queues, and on retransmits and round-trip times.
"""

from __future__ import annotations

from nettop.model import SocketStats

_BACKLOG_SHARE = 0.75
"""Of the accept queue: the program accepts too slowly and the next burst will be dropped."""
_LIMITED_SHARE = 0.5
"""Of the time with data to send: what held the sender back for most of it is what limits it."""
_INFLATED_RTT = 4
_INFLATED_LEAST = 20_000
"""A round trip of several times the shortest one, and by 20 ms at least, is a queue somewhere on the way."""


def limit(before: SocketStats | None, now: SocketStats) -> str | None:
    """What keeps a connection from going faster, in the words of the `limit` field; None where nothing does.

    `before` is what the last picture said (the same row again, if nothing moved); None for the first."""
    if now.state == "LISTEN":
        full = now.sendq and (now.recvq or 0) >= max(1, _BACKLOG_SHARE * now.sendq)
        return "backlog" if full else None
    if now.state not in ("ESTAB", "CLOSE-WAIT", "FIN-WAIT-1") or before is None or now.rtt is None:
        return None
    if before.recvq and (now.recvq or 0) >= before.recvq:
        return "reader"
    return _sender_limit(before, now)


def _sender_limit(before: SocketStats, now: SocketStats) -> str | None:
    sent = (now.tx_bytes or 0) > (before.tx_bytes or 0)
    if not sent and not now.sendq:
        return None
    if (now.retrans or 0) > (before.retrans or 0) or (now.backoff and now.unacked):
        return "network"
    busy = (now.busy or 0) - (before.busy or 0)
    if busy > 0:
        if (now.rwnd_limited or 0) - (before.rwnd_limited or 0) > busy * _LIMITED_SHARE:
            return "receiver"
        if (now.sndbuf_limited or 0) - (before.sndbuf_limited or 0) > busy * _LIMITED_SHARE:
            return "sndbuf"
    if now.rtt and now.min_rtt and now.rtt > max(_INFLATED_RTT * now.min_rtt, now.min_rtt + _INFLATED_LEAST):
        return "network"
    return "app" if now.app_limited or not now.sendq else None
