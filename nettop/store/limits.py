"""Why a connection is not faster: one word, from what the kernel measured in the last interval, and the figures for it.

Rests on tcp_info's clocks of a sender (busy_time and, within it, rwnd_limited and sndbuf_limited; net/ipv4/tcp.c,
tcp_get_info_chrono_stats), on the queues, and on retransmits and round-trip times. tests/kernel/test_limits.py makes
real connections slow in each of these ways.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nettop.model import SocketStats

_BACKLOG_SHARE = 0.75
"""Of the accept queue: the program accepts too slowly and the next burst will be dropped."""
_LIMITED_SHARE = 0.5
"""Of the time with data to send: what held the sender back for most of it is what limits it."""
_WAITED_SHARE = 0.2
"""Of that time: a program that waits for room so long would write more, and so is not what limits itself."""
_UNREAD_SHARE = 0.25
"""Of the receive buffer: a program that reads what comes leaves less. The window closes at half of it or more."""
_FILLED_SHARE = 0.5
"""Of the send buffer, by payload: the kernel counts what it needs to keep each segment too, and stops there."""
_INFLATED_RTT = 4
_INFLATED_LEAST = 20_000
"""A round trip of several times the shortest one, and by 20 ms at least, is a queue somewhere on the way."""
_FULL_WINDOW = 0.75
"""Of the congestion window: the kernel keeps back the segments it sends at once until there is room for all."""
_DELAYED_ACK = 200_000
"""Microseconds the other end may keep back the answer to a segment or two (TCP_DELACK_MAX, include/net/tcp.h): where no
more is under way, a round trip that is longer by less tells of no queue."""


def limit(before: SocketStats | None, now: SocketStats) -> str | None:
    """What keeps a connection from going faster, in the words of the `limit` field; None where nothing does.

    `before` is what the last picture said (the same row again, if nothing moved); None for the first."""
    if now.state == "LISTEN":
        full = now.sendq and (now.recvq or 0) >= max(1, _BACKLOG_SHARE * now.sendq)
        return "backlog" if full else None
    if now.state not in ("ESTAB", "CLOSE-WAIT", "FIN-WAIT-1") or before is None or now.rtt is None:
        return None
    if before.recvq and now.recvq and _left_unread(before, now):
        return "reader"
    return _sender_limit(before, now)


def evidence(before: SocketStats | None, now: SocketStats) -> str | None:
    """The figures that `limit` of the same two rests on, to stand behind it in a sentence: `3 segments sent again since
    the last picture; a round trip takes 240 ms, 12 times the shortest`. None where nothing limits it."""
    word = limit(before, now)
    return _EVIDENCE[word](before or now, now) if word else None


def _left_unread(before: SocketStats, now: SocketStats) -> bool:
    """Of what waits to be read nothing was read since, or it fills a good part of the buffer in both pictures; a lesser
    amount is what has just arrived."""
    full = _UNREAD_SHARE * now.rcvbuf if now.rcvbuf else float("inf")
    return _read(before, now) <= 0 or min(before.recvq or 0, now.recvq or 0) >= full


def _sender_limit(before: SocketStats, now: SocketStats) -> str | None:
    sent = (now.tx_bytes or 0) - (before.tx_bytes or 0)
    if sent <= 0 and not now.sendq:
        return None
    if (now.retrans or 0) > (before.retrans or 0) or (now.backoff and now.unacked):
        return "network"
    busy = (now.busy or 0) - (before.busy or 0)
    held_back = _by_the_clocks(before, now, busy)
    if held_back or _inflated(now):
        return held_back or "network"
    if _buffer_filled(before, now) or _waited_for_room(before, now, busy):
        return "sndbuf"
    if now.app_limited or not now.sendq:
        received = (now.rx_bytes or 0) - (before.rx_bytes or 0)
        return "app" if sent >= received else None  # who has asked, and gets the answer, need not send more
    return "network" if busy > 0 and now.notsent else None


def _by_the_clocks(before: SocketStats, now: SocketStats, busy: int) -> str | None:
    """What held the sender back for most of its `busy` microseconds since, by the kernel's clocks."""
    if busy <= 0:
        return None
    if (now.rwnd_limited or 0) - (before.rwnd_limited or 0) > busy * _LIMITED_SHARE:
        return "receiver"
    return "sndbuf" if (now.sndbuf_limited or 0) - (before.sndbuf_limited or 0) > busy * _LIMITED_SHARE else None


def _buffer_filled(before: SocketStats, now: SocketStats) -> bool:
    """What is under way fills the send buffer, and the program waits for room in it. The clock of sndbuf_limited stands
    still meanwhile where Nagle's algorithm keeps back the end of what was written."""
    if not (now.sndbuf and now.sendq and (now.notsent or 0) < now.sendq / 2):
        return False
    return min(before.sendq or 0, now.sendq) >= _FILLED_SHARE * now.sndbuf


def _waited_for_room(before: SocketStats, now: SocketStats, busy: int) -> bool:
    """The program waited for room in the send buffer for a good part of the time, and nothing else held it back: what
    is under way fills a small buffer and leaves it, in turns."""
    waited = (now.sndbuf_limited or 0) - (before.sndbuf_limited or 0)
    return busy > 0 and waited > busy * _WAITED_SHARE and (now.unacked or 0) < _FULL_WINDOW * (now.cwnd or 0)


def _inflated(now: SocketStats) -> bool:
    """Packets wait somewhere on the way."""
    if not (now.rtt and now.min_rtt):
        return False
    least = _INFLATED_LEAST if (now.unacked or 0) > 2 else _DELAYED_ACK
    return now.rtt > max(_INFLATED_RTT * now.min_rtt, now.min_rtt + least)


# --- the figures -----------------------------------------------------------------------------------------------------


def _backlog(_before: SocketStats, now: SocketStats) -> str:
    return f"{_count(now.recvq, 'connection')} to be accepted, where {now.sendq or 0:,} may wait"


def _reader(before: SocketStats, now: SocketStats) -> str:
    room = f" in a buffer of {now.rcvbuf:,}" if now.rcvbuf else ""
    read = max(0, _read(before, now))
    return f"{_count(now.recvq, 'byte')} unread{room}; {read:,} were read since the last picture"


def _network(before: SocketStats, now: SocketStats) -> str:
    said = []
    again = (now.retrans or 0) - (before.retrans or 0)
    if again > 0:
        said.append(f"{_count(again, 'segment')} sent again since the last picture")
    times_out = bool(now.backoff and now.unacked)
    if times_out:
        said.append(f"{_count(now.backoff, 'time-out')} in a row without an answer, the next after {_span(now.rto)}")
    if now.rtt and now.min_rtt and _inflated(now):
        said.append(f"a round trip takes {_span(now.rtt)}, {now.rtt / now.min_rtt:,.0f} times the shortest")
    if now.notsent and not times_out:
        said.append(f"{_count(now.notsent, 'byte')} wait for {_what_opens(now)}")
    return "; ".join(said)


def _what_opens(now: SocketStats) -> str:
    """What unsent bytes wait for: the congestion window where it is full, else what takes packets on this machine."""
    unacked, cwnd = now.unacked or 0, now.cwnd or 0
    if unacked >= _FULL_WINDOW * cwnd:
        return f"the congestion window of {_count(cwnd, 'segment')}"
    return f"a queue of this machine: {_count(unacked, 'segment')} under way where {cwnd:,} may be"


def _receiver(before: SocketStats, now: SocketStats) -> str:
    share = _share(before, now, (now.rwnd_limited or 0) - (before.rwnd_limited or 0))
    offered = f"; it now offers {_count(now.snd_wnd, 'byte')}" if now.snd_wnd is not None else ""
    return f"its window was full for {share} of the time with data to send{offered}"


def _sndbuf(before: SocketStats, now: SocketStats) -> str:
    limited = (now.sndbuf_limited or 0) - (before.sndbuf_limited or 0)
    said = [f"{_count(now.sendq, 'byte')} in the send buffer"]
    if now.sndbuf:
        said[0] += f" of {now.sndbuf:,}"
    if limited > 0:
        said.append(f"it was full for {_share(before, now, limited)} of the time with data to send")
    if now.cwnd:
        said.append(f"{_count(now.unacked, 'segment')} under way where {now.cwnd:,} may be")
    return "; ".join(said)


def _app(before: SocketStats, now: SocketStats) -> str:
    sent = (now.tx_bytes or 0) - (before.tx_bytes or 0)
    rest = "there were times with nothing to send" if now.sendq else "all of it is acknowledged"
    return f"{_count(max(0, sent), 'byte')} sent since the last picture; {rest}"


def _read(before: SocketStats, now: SocketStats) -> int:
    """Bytes the program has read since."""
    return (now.rx_bytes or 0) - (before.rx_bytes or 0) + (before.recvq or 0) - (now.recvq or 0)


def _share(before: SocketStats, now: SocketStats, part: int) -> str:
    """Part of the time in which there was data to send; microseconds."""
    return f"{min(1.0, part / max(1, (now.busy or 0) - (before.busy or 0))):.0%}"


def _count(number: int | None, thing: str) -> str:
    return f"{number or 0:,} {thing}{'' if number == 1 else 's'}"


def _span(microseconds: int | None) -> str:
    if microseconds is None:
        return "an unknown time"
    if microseconds >= 999_500:
        return f"{microseconds / 1_000_000:.1f} s"
    return f"{microseconds / 1000:.{0 if microseconds >= 9_950 else 1}f} ms"


_EVIDENCE: Mapping[str, Callable[[SocketStats, SocketStats], str]] = {
    "app": _app,
    "sndbuf": _sndbuf,
    "receiver": _receiver,
    "network": _network,
    "reader": _reader,
    "backlog": _backlog,
}
