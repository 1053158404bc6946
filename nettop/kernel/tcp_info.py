"""struct tcp_info: what the kernel counts and measures of one TCP socket, in a dump and once more when it ends.

Rests on include/uapi/linux/tcp.h and tcp_get_info() of net/ipv4/tcp.c. The struct grows at its end with the kernel, so
that a shorter one leaves the later figures unknown. How the kernel counts bytes, by experiment on 6.18:

- bytes_acked counts what the other end acknowledged, the SYN of who connected and the FIN of either as one byte each;
  bytes_sent - bytes_retrans is the payload that was sent. The lesser of the two is the payload acknowledged: exact
  whenever nothing is in flight, at most the SYN's one byte too much while something is. Before Linux 5.4, whose struct
  ends earlier, SYN and FIN stay counted.
- bytes_received counts a FIN that arrives while the socket lives as one byte. Where the socket's state says that one
  arrived it is left out here; of a socket that has ended see `collector.endings`.
- What is aborted by its own program (SO_LINGER 0, connect to AF_UNSPEC) is wiped by tcp_disconnect() first: all is 0.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional, Tuple

from nettop.kernel.states import CLOSE_WAIT, CLOSING, LAST_ACK
from nettop.model import SocketStats

CLOCKS = (44, 60)
"""Offsets between which the four last_* clocks lie, which always run."""

_ROUND_TRIP = struct.Struct("=4xB2xB I4xI4x I4xI32x II II4xI8xIQ")
"""Up to pacing_rate: backoff, delivery_rate_app_limited (a bit); rto, snd_mss; unacked, lost; rtt, rttvar;
snd_ssthresh, snd_cwnd, reordering, total_retrans, pacing_rate. 112 bytes, Linux 3.15."""
_BYTES = struct.Struct("=120x QQ II II 8x Q")
"""bytes_acked, bytes_received; segs_out, segs_in; notsent_bytes, min_rtt; delivery_rate. 168 bytes, Linux 4.9."""
_LIMITS = struct.Struct("=168x QQQ")
"""busy_time, rwnd_limited, sndbuf_limited. 192 bytes, Linux 4.10."""
_SENDER = struct.Struct("=168x QQQ 8x QQ 12x I")
"""The same, bytes_sent, bytes_retrans (Linux 4.19), snd_wnd. 232 bytes, Linux 5.4."""
_END = struct.Struct("=2xB 21xI 40xI 28xI 16xQQ II 56xQQ")
"""retransmits; unacked; rtt; total_retrans; bytes_acked, bytes_received; segs_out, segs_in; bytes_sent, bytes_retrans.
216 bytes."""

_NO_SAMPLE = 0xFFFFFFFF  # min_rtt before the first one
_NO_THRESHOLD = 0x7FFFFFFF  # TCP_INFINITE_SSTHRESH
_UNPACED = 0xFFFFFFFFFFFFFFFF
_FIN_RECEIVED = (CLOSE_WAIT, LAST_ACK, CLOSING)

NO_INFO: Tuple[None, ...] = (None,) * (SocketStats._fields.index("drops") - SocketStats._fields.index("rx_bytes"))
"""The columns of `SocketStats` that only tcp_info tells, of a socket without it."""


def columns(message: bytes, begin: int, end: int, state: int) -> Tuple[Optional[int], ...]:
    """The columns of `SocketStats` from rx_bytes to reordering, of the struct tcp_info there and the socket's state."""
    size = end - begin
    if size < _ROUND_TRIP.size:
        return NO_INFO
    (backoff, app_limited, rto, mss, unacked, lost, rtt, rttvar, ssthresh, cwnd, reordering, retrans, pacing
     ) = _ROUND_TRIP.unpack_from(message, begin)  # fmt: skip
    rx_bytes = tx_bytes = tx_packets = rx_packets = notsent = min_rtt = delivery = None
    busy = rwnd_limited = sndbuf_limited = window = None
    if size >= _BYTES.size:
        tx_bytes, rx_bytes, tx_packets, rx_packets, notsent, min_rtt, delivery = _BYTES.unpack_from(message, begin)
        if min_rtt == _NO_SAMPLE:
            min_rtt = None
        if rx_bytes and state in _FIN_RECEIVED:
            rx_bytes -= 1
    if size >= _SENDER.size:
        busy, rwnd_limited, sndbuf_limited, sent, again, window = _SENDER.unpack_from(message, begin)
        tx_bytes = min(tx_bytes, sent - again)
    elif size >= _LIMITS.size:
        busy, rwnd_limited, sndbuf_limited = _LIMITS.unpack_from(message, begin)
    # fmt: off
    return (
        rx_bytes, tx_bytes, rx_packets, tx_packets,
        rtt or None, rttvar if rtt else None, min_rtt, rto,
        retrans, lost, unacked, backoff,
        cwnd, None if ssthresh >= _NO_THRESHOLD else ssthresh, mss, window, notsent,
        None if pacing == _UNPACED else pacing, delivery, bool(app_limited & 1),
        busy, rwnd_limited, sndbuf_limited, reordering,
    )
    # fmt: on


class Ending(NamedTuple):
    """What tcp_info settles when a socket ends, or tells of one that lives."""

    retransmits: int
    """Times in a row the retransmission timer had fired without an answer."""
    unacked: int
    """Segments in flight."""
    rtt: int
    """Smoothed round-trip time in microseconds; 0 where none was measured, as before the handshake is over."""
    retrans: int
    rx_bytes: int
    tx_bytes: int
    segments_out: int
    segments_in: int
    flags: Optional[int]
    """SYN and FIN among the bytes acknowledged: 0 to 2, less where data was not; None before Linux 4.19."""


def ending(message: bytes, begin: int, end: int) -> Optional[Ending]:
    """The struct tcp_info there, briefly; None before Linux 4.9, where it does not count bytes."""
    size = end - begin
    if size < _BYTES.size:
        return None
    info = message[begin:end] if size >= _END.size else message[begin:end] + bytes(_END.size - size)
    retransmits, unacked, rtt, retrans, acked, received, out, into, sent, again = _END.unpack_from(info)
    payload = sent - again
    known = size >= _END.size
    return Ending(
        retransmits,
        unacked,
        rtt,
        retrans,
        received,
        min(acked, payload) if known else acked,
        out,
        into,
        acked - payload if known else None,
    )
